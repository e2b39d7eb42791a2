"""`jupyter hailuo probe` against the simulator: what it finds, what it never tells, what it never buys."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.cli import main
from hailuo_jupyter.cli import probe as command
from hailuo_jupyter.errors import JobExpired
from hailuo_jupyter.probe import questions
from hailuo_jupyter.probe.ask import ask, compared
from hailuo_jupyter.probe.checks import Check
from hailuo_jupyter.probe.report import Report, Row
from hailuo_jupyter.providers.base import Call, Reply
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.engine_fixture import KEYS, EngineFixture

START = "import sys; from hailuo_jupyter.cli import main; sys.exit(main())"

PROMPT = "Zephyrine the heron lifts off, unseen by anyone but Ottokar."


def asked(lab: EngineFixture, provider: str) -> Report:
    return ask(Hailuo(run_log=str(lab.log)), provider, lab.folder)


def row(report: Report, check: str) -> Row:
    (found,) = (each for each in report.rows if each.check == check)
    return found


@pytest.mark.parametrize("provider", ["segmind", "aimlapi", "demo"])
def test_every_answer_is_as_the_adapter_expects_and_nothing_is_bought(
    lab: EngineFixture, provider: str
) -> None:
    report = asked(lab, provider)
    assert [
        (each.check, each.note, each.missing) for each in report.rows if each.verdict == "differs"
    ] == []
    assert report.ok
    names = [each.check for each in report.rows]
    assert len(names) == len(set(names))
    assert {"no key", "balance", "history", "headers about a limit"} <= set(names)
    assert row(report, "no key").status == 401
    assert row(report, "key").note == "It is accepted."
    unknown = [each for each in report.rows if "of an unknown job" in each.check]
    assert {each.status for each in unknown} == {404}
    assert len(unknown) == (2 if provider == "aimlapi" else 3)
    if provider == "aimlapi":
        assert "data[].pricing" in row(report, "price").fields
    else:
        assert row(report, "upload").fields["file_urls[]"] == "text (link)"
    hidden = [path for each in report.rows for path in each.fields if "not shown" in path]
    assert hidden == []
    for question in questions.QUESTIONS[report.provider.dialect]:
        assert row(report, question.name).verdict in {"answered", "not asked"}
    assert not lab.sim.ledger
    assert not any(each.method == "POST" and "upload" not in each.path for each in lab.sim.requests)


def never_told(lab: EngineFixture) -> list[str]:
    """What no report may have: keys, prompts, ids, links, hosts, folders, names, balances."""
    jobs = lab.sim.state.jobs()
    assert jobs
    return [
        *KEYS.values(),
        *PROMPT.split()[:1],
        "Ottokar",
        *(job.id for job in jobs),
        *(job.media_id for job in jobs),
        "http",
        "127.0.0.1",
        str(lab.folder),
        Path.home().name,
        "993.77",
    ]


@pytest.mark.parametrize("provider", ["segmind", "aimlapi"])
def test_a_report_tells_of_nobody(
    make_lab: Callable[..., EngineFixture],
    provider: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lab = make_lab(history_delay=0.0, balance=993.77)
    lab.place(lab.engine(), PROMPT, provider).wait(60)
    monkeypatch.chdir(lab.folder)
    assert main(["probe", provider]) == 0
    (path,) = lab.folder.glob("hailuo-probe-*.json")
    text = path.read_text()
    told = json.loads(text)
    (history,) = (each for each in told["rows"] if each["check"] == "history")
    assert len(history["fields"]) > 8
    for each in never_told(lab):
        assert each not in text, each
    out = capsys.readouterr().out
    assert "history" in out
    for each in never_told(lab):
        if each != str(lab.folder):
            assert each not in out, each
    # Another report of the same day takes its place; another file never.
    assert main(["probe", provider]) == 0
    path.write_text("{}")
    assert main(["probe", provider]) == 1
    assert path.read_text() == "{}"
    assert "is not a probe report" in capsys.readouterr().err


def test_a_refused_key_and_a_limit_are_rows(
    make_lab: Callable[..., EngineFixture], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab()
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_refused0000")
    report = asked(lab, "segmind")
    assert row(report, "balance").verdict == "differs"
    assert row(report, "balance").note == "Expected 200. The adapter reads it as KeyRefused."
    assert row(report, "no key").verdict == "as expected"
    assert row(report, "key").note == "It is refused."
    assert not report.ok
    monkeypatch.setenv("SEGMIND_API_KEY", KEYS["SEGMIND_API_KEY"])
    lab = make_lab(segmind_per_minute=1, polls_count=True)
    report = asked(lab, "segmind")
    assert "RateLimited" in row(report, "result of an unknown job").note
    assert row(report, "history").note == "The provider's rate limit was hit."
    assert "x-rate-limit-reset-at-utc" in row(report, "headers about a limit").note


def test_no_connection_is_a_row(lab: EngineFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIML_API_BASE_URL", "http://127.0.0.1:9")
    report = asked(lab, "aimlapi")
    assert {each.verdict for each in report.rows[:5]} == {"not answered"}
    assert not report.ok


def test_a_link_of_an_older_run_is_opened(
    make_lab: Callable[..., EngineFixture], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab()
    lab.place(lab.engine(), PROMPT, "segmind").wait(60)
    assert row(asked(lab, "segmind"), questions.LINK_LIFE).verdict == "not asked"
    now = time.time()
    monkeypatch.setattr("hailuo_jupyter.probe.ask.time.time", lambda: now + 7300)
    found = row(asked(lab, "segmind"), questions.LINK_LIFE)
    assert found.verdict == "answered"
    assert found.note.startswith("It is there 2 hours after")


def test_a_gateway_gets_no_upload_and_no_history(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SEGMIND_STORAGE_URL", "SEGMIND_HISTORY_URL"):
        monkeypatch.delenv(name)
    report = asked(lab, "segmind")
    for name in ("upload", "history", "price"):
        assert row(report, name).verdict == "not asked"
    assert report.ok
    assert report.as_json("2026-11-28")["address"] == "another one"


def test_fields_and_codes_that_differ_are_told_by_name() -> None:
    check = Check(
        "balance",
        Call("GET", "https://api.segmind.com"),
        lambda _: None,
        fields={"credits": ("number",), "data[].id": ("number",)},
    )
    found = compared(check, Reply(200, {}, b'{"credits": "12", "total": 7, "data": []}'))
    assert found.verdict == "differs"
    assert (found.missing, found.new) == (["credits"], ["total"])
    lost = compared(check, Reply(404, {"X-Zqx": "1"}, b"<html>zqx"))
    assert lost.note == "Expected 200."
    assert "zqx" not in json.dumps(lost.__dict__).lower()
    gone = Check("gone", check.call, check.read, (404,), JobExpired)
    assert compared(gone, Reply(404)).note == "The adapter accepts it."


# ── with --buy ───────────────────────────────────────────────────────────────────────────────────


def test_without_a_terminal_nothing_is_sent(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(lab.folder)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["probe", "segmind", "--buy"]) == 1
    assert "needs a terminal" in capsys.readouterr().err
    assert not lab.sim.requests
    assert not list(lab.folder.glob("*.json"))


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "yes please\n"])
def test_whoever_does_not_say_yes_buys_nothing(
    lab: EngineFixture,
    answer: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(lab.folder)
    monkeypatch.setattr(command, "_at_terminal", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert main(["probe", "segmind", "--buy"]) == 0
    out = capsys.readouterr().out
    assert "Price: $0.27–0.39" in out
    assert "No charge." in out
    assert not lab.sim.ledger


def at_a_terminal(lab: EngineFixture, provider: str) -> tuple[int, str]:
    """Do `probe --buy` in a process of its own, at a terminal where somebody says yes."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", START, "probe", provider, "--buy"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=lab.folder,
    )
    os.close(theirs)
    said, answered = b"", False
    with suppress(OSError):  # the other side is closed
        while more := os.read(ours, 4096):
            said += more
            if b"[y/N] " in said and not answered:
                assert not lab.sim.ledger
                os.write(ours, b"y\n")
                answered = True
    os.close(ours)
    assert answered
    return process.wait(60), said.decode()


needs_terminals = pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals")


@needs_terminals
@pytest.mark.parametrize("provider", ["segmind", "aimlapi"])
def test_one_clip_is_bought_after_asking_at_a_terminal(
    make_lab: Callable[..., EngineFixture], provider: str
) -> None:
    lab = make_lab(history_delay=0.0)
    status, text = at_a_terminal(lab, provider)
    assert status == 0, text
    (entry,) = lab.sim.ledger
    assert entry.wire == provider
    (path,) = lab.folder.glob("hailuo-probe-*.json")
    told: dict[str, Any] = {each["check"]: each for each in json.loads(path.read_text())["rows"]}
    assert told["clip"]["verdict"] == "as expected"
    assert told[questions.CODEC]["note"].startswith("h264, ")
    if provider == "segmind":
        assert told[questions.OUTPUT]["note"] == "text (link)"
        assert told[questions.NULL_FRAME]["verdict"] == "answered"
        assert "mode=standard" in told[questions.SIZE]["note"]
    else:
        assert told[questions.ID_FIELD]["note"] == "generation_id"
    assert len(list((lab.folder / "hailuo").glob("*.mp4"))) == 1
    assert re.search(r"hailuo/\S+\.mp4", text.replace("\r\n", ""))
    with RunLog(lab.log) as log:
        (run,) = log.recent()
    assert run.state is State.COMPLETED
    assert run.record.tags == ["probe"]
    report = path.read_text()
    for each in (entry.id, "red ball", "http", "127.0.0.1", *KEYS.values()):
        assert each not in report


@needs_terminals
def test_a_clip_that_fails_is_a_row_too(lab: EngineFixture) -> None:
    lab.sim.fault("job-fails")
    status, text = at_a_terminal(lab, "segmind")
    assert status == 1, text
    assert "Traceback" not in text
    (path,) = lab.folder.glob("hailuo-probe-*.json")
    told: dict[str, Any] = {each["check"]: each for each in json.loads(path.read_text())["rows"]}
    assert told["clip"]["verdict"] == "differs"
    assert told["clip"]["note"] == "The run ended with JobFailed."
    assert told["answer to status"]["states"] == ["FAILED"]
    assert told["answer to status"]["fields"]["error"] == "text (other)"
    assert told[questions.CODEC]["verdict"] == "not asked"


@pytest.mark.parametrize(
    ("provider", "checks"),
    [
        ("replicate", {"upload", "history"}),
        ("fal", {"upload", "result of an unknown job"}),
        ("runware", {"history of an unknown job"}),
        ("minimax", set()),
    ],
)
def test_a_provider_without_a_balance_is_probed_too(
    lab: EngineFixture, provider: str, checks: set[str]
) -> None:
    report = asked(lab, provider)
    differing = [(each.check, each.note) for each in report.rows if each.verdict == "differs"]
    assert differing == []
    assert report.ok
    assert {"status of an unknown job", *checks} <= {each.check for each in report.rows}
    assert {each.check for each in report.rows} >= {
        each.name for each in questions.QUESTIONS[provider]
    }
