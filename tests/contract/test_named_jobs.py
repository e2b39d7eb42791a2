"""Answers to a submit that name a job without saying that it was taken, and logs that cannot take its id."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter import errors
from hailuo_jupyter.engine import submit_outcome
from hailuo_jupyter.engine.run_task import RunTask
from hailuo_jupyter.runlog import Owner, RunLog
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, ending, eventually, script, shorten

BOTH = pytest.mark.parametrize("provider", ["segmind", "aimlapi"])

#: What is known of a job nobody has ever heard of, by the wire.
UNKNOWN = {"segmind": {"request_id": "no-such-job"}, "aimlapi": {"generation_id": "no-such-job"}}

pytestmark = pytest.mark.usefixtures("histories_soon")


@pytest.fixture
def lab(make_lab: Callable[..., EngineFixture], monkeypatch: pytest.MonkeyPatch) -> EngineFixture:
    shorten(monkeypatch, hint_looks_s=(0.0, 0.1, 0.1))
    lab = make_lab(segmind_seconds=0.1, aimlapi_6s_seconds=0.1)
    lab.settings.ask_history = False  # nothing but the named job may tell
    return lab


def stages(lab: EngineFixture, *wanted: str) -> list[str]:
    return [each.stage for each in lab.sim.requests if each.stage in wanted]


def refuse(lab: EngineFixture, provider: str, status: int, count: int = 1) -> None:
    """Let a submit be refused with an answer that names a job which was never made."""
    body = {"error": "No.", "message": "No.", **UNKNOWN[provider]}
    lab.sim.fault("answer", "submit", status=status, body=body, count=count)


# ── the job was made ───────────────────────────────────────────────────────────────────────────

#: Damaged answers, and errors of each kind: the provider's, a gateway's, and refusals.
NAMING = [
    *((fault, None) for fault in ("drop-mid-body", "truncated-json", "json-list")),
    *(("error-names-job", status) for status in (400, 402, 403, 422, 429, 500, 503)),
]


@BOTH
@pytest.mark.parametrize(("fault", "status"), NAMING, ids=str)
def test_whatever_names_a_job_that_was_made_is_followed(
    lab: EngineFixture, provider: str, fault: str, status: int | None
) -> None:
    lab.sim.fault(fault, "submit", **({"status": status} if status else {}))
    run = lab.place(lab.engine(), "a cat", provider)
    assert run.wait(60).clip is not None
    assert run.record.job.id == lab.sim.ledger[0].id
    assert run.record.job.hint is None
    assert lab.submits() == len(lab.sim.ledger) == 1


# ── 5xx ────────────────────────────────────────────────────────────────────────────────────────


@BOTH
def test_a_5xx_that_names_a_job_nobody_knows_is_unconfirmed_with_a_hint(
    lab: EngineFixture, provider: str
) -> None:
    refuse(lab, provider, 500)
    run = lab.place(lab.engine(), "a cat", provider)
    error = ending(run)
    assert isinstance(error, errors.AnswerLost)
    assert "job no-such-job" in error.what
    assert "may have been charged" in error.money
    assert run.status is State.UNCONFIRMED
    assert run.record.job.hint == "no-such-job"
    assert stages(lab, "status")[:3] == ["status"] * 3
    assert lab.submits() == 1


def test_the_header_alone_counts_under_2xx_and_5xx_and_never_under_4xx(lab: EngineFixture) -> None:
    header = {"x-inference-id": "no-such-job"}
    engine = lab.engine()
    for status, state, asked in (
        (400, State.REJECTED, 0),
        (200, State.UNCONFIRMED, 3),
        (502, State.UNCONFIRMED, 6),
    ):
        lab.sim.fault("answer", "submit", status=status, body={"message": "No."}, headers=header)
        run = lab.place(engine, f"a cat {status}", "aimlapi")
        ending(run)
        assert run.status is state, status
        assert len(stages(lab, "status")) >= asked, status
        assert asked or not stages(lab, "status"), status


# ── clear refusals ─────────────────────────────────────────────────────────────────────────────


@BOTH
@pytest.mark.parametrize("status", [400, 402, 422])
def test_a_refusal_that_names_an_unknown_job_has_bought_nothing(
    lab: EngineFixture, provider: str, status: int
) -> None:
    refuse(lab, provider, status)
    run = lab.place(lab.engine(), "a cat", provider)
    error = ending(run)
    assert error is not None
    assert not isinstance(error, errors.AnswerLost)
    assert "No charge" in error.money
    assert run.status is State.REJECTED
    assert run.record.job.hint is None
    assert stages(lab, "submit", "status") == ["submit", "status", "status", "status"]


@BOTH
def test_a_429_that_names_a_job_is_sent_again_only_after_the_job_was_asked_about(
    lab: EngineFixture, provider: str
) -> None:
    refuse(lab, provider, 429)
    run = lab.place(lab.engine(), "a cat", provider)
    assert run.wait(60).clip is not None
    assert stages(lab, "submit", "status")[:5] == ["submit", *["status"] * 3, "submit"]
    assert len(lab.sim.ledger) == 1


@BOTH
@pytest.mark.parametrize("status", [400, 429])
def test_a_refusal_whose_job_cannot_be_asked_about_is_no_refusal(
    lab: EngineFixture, provider: str, status: int
) -> None:
    lab.sim.fault("error-names-job", "submit", status=status)
    lab.sim.fault("http-502", "status", count=3)
    lab.sim.fault("http-502", "result", count=3)
    run = lab.place(lab.engine(), "a cat", provider)
    # The job is asked about again without anybody's doing.
    eventually(lambda: run.clip is not None)
    assert lab.submits() == len(lab.sim.ledger) == 1


def test_an_id_of_another_run_is_no_hint(lab: EngineFixture) -> None:
    engine = lab.engine()
    first = lab.place(engine, "a cat")
    first.wait(60)
    lab.sim.fault(
        "answer", "submit", status=500, body={"error": "No.", "request_id": first.record.job.id}
    )
    second = lab.place(engine, "a dog")
    assert isinstance(ending(second), errors.AnswerLost)
    assert second.record.job.hint is None


def test_another_kernel_asks_about_a_job_that_was_named(lab: EngineFixture) -> None:
    """The hint is in the log before the first look, so it outlives the process."""
    lab.sim.fault("error-names-job", "submit")
    lab.sim.fault("http-502", "status", count=None)
    code = script(
        "import os, hailuo_jupyter.engine.submit_outcome as submit_outcome",
        "submit_outcome.ask_about = lambda *_: os._exit(9)",
        'h.generate("a cat", "segmind", output="hailuo")',
        "import time; time.sleep(60)",
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=lab.folder, timeout=100, check=False)
    assert done.returncode == 9
    lab.sim.clear_faults()
    (run,) = lab.engine().resume()
    assert run.wait(60).clip is not None
    assert lab.submits() == len(lab.sim.ledger) == 1


def test_a_named_job_is_kept_though_another_process_took_the_run_for_lost(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that does not see the lock takes this process for dead while the answer comes in."""
    lab.sim.fault("error-names-job", "submit")
    lab.sim.fault("http-502", "status", count=None)
    record_hint = submit_outcome.record_hint

    with RunLog(lab.log) as elsewhere, Owner(lab.log) as other:
        monkeypatch.setattr(elsewhere, "alive", lambda _owner: False)

        async def record_late(task: RunTask, hint: str, answer: object) -> None:
            elsewhere.claim([task.row.run_id], other.id)
            elsewhere.update(
                task.row.run_id, lambda each: each.moved(State.UNCONFIRMED), only_by=other.id
            )
            await record_hint(task, hint, answer)

        monkeypatch.setattr(submit_outcome, "record_hint", record_late)
        engine = lab.engine()
        run = lab.place(engine)
        eventually(lambda: elsewhere.get(run.run_id).state is State.UNCONFIRMED)
        eventually(lambda: engine.active_runs() == [])
        row = elsewhere.get(run.run_id)
        assert (row.state, row.owner) == (State.UNCONFIRMED, other.id)
        assert row.record.job.hint == lab.sim.ledger[0].id
    lab.sim.clear_faults()
    eventually(lambda: run.clip is not None)
    assert lab.submits() == len(lab.sim.ledger) == 1


# ── a log that takes nothing ───────────────────────────────────────────────────────────────────


@contextmanager
def locked(log: Path) -> Iterator[None]:
    """Let the log take nothing, as a full disk does."""
    with sqlite3.connect(log, isolation_level=None) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
    connection.close()


#: A process that cannot write its log from the moment at which the provider has answered, and is killed.
FULL = """
import os, time
import hailuo_jupyter.engine.submit_outcome as outcome
import hailuo_jupyter.kernel.generate as g
from hailuo_jupyter.errors import DiskFull

g.ANSWER_S = 0.0
keep_elsewhere, commit_surely = outcome._write_to_sidecar, outcome.commit_surely

def full():
    raise DiskFull("The disk is full.")

async def write_down(hand, commit, names_job=None):
    await commit_surely(hand, full, names_job)

async def keep(*args):
    await keep_elsewhere(*args)
    print(run.record.problem.what, "|", run.record.problem.money, flush=True)
    os._exit(9)

outcome._write_to_sidecar, outcome.commit_surely = keep, write_down
run = h.generate("a cat", "segmind", output="hailuo")
time.sleep(60)
"""


def full(lab: EngineFixture) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script(FULL)],
        cwd=lab.folder, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def beside(lab: EngineFixture) -> dict[str, Any]:
    (path,) = lab.clips.glob("*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_job_whose_id_the_log_cannot_take_is_found_beside_the_clip(lab: EngineFixture) -> None:
    lab.sim.fault("delay", "submit", seconds=0.5)
    done = full(lab)
    assert done.returncode == 9, done.stderr
    job_id = lab.sim.ledger[0].id
    assert f"started job {job_id}" in done.stdout
    assert "hailuo/" in done.stdout
    assert job_id in done.stderr, "a script has no card"
    assert beside(lab)["job"]["id"] == job_id
    (run,) = lab.engine().resume()
    assert run.wait(60).clip is not None
    assert run.record.job.id == job_id
    assert lab.submits() == len(lab.sim.ledger) == 1


def test_a_job_beside_the_clip_is_found_when_its_run_is_unconfirmed_already(
    lab: EngineFixture,
) -> None:
    lab.sim.fault("delay", "submit", seconds=0.5)
    assert full(lab).returncode == 9
    moved = lab.clips.with_name("away")
    lab.clips.rename(moved)
    engine = lab.engine()
    assert not engine.resume()
    (row,) = engine.logs()[0].recent(5)
    assert row.state is State.UNCONFIRMED
    moved.rename(lab.clips)
    engine.resume()
    run = engine.run(row.run_id)
    eventually(lambda: run.clip is not None)
    assert lab.submits() == len(lab.sim.ledger) == 1


@pytest.mark.parametrize("change", ["fingerprint", "client_request_id", "provider"])
def test_a_record_of_another_request_beside_the_clip_is_not_believed(
    lab: EngineFixture, change: str
) -> None:
    lab.sim.fault("delay", "submit", seconds=0.5)
    assert full(lab).returncode == 9
    record = beside(lab)
    (record["job"] if change in record["job"] else record)[change] = "another"
    (lab.clips / f"{record['run_id']}.json").write_text(json.dumps(record))
    engine = lab.engine()
    assert not engine.resume()
    (row,) = engine.logs()[0].recent(5)
    assert row.state is State.UNCONFIRMED
    assert not stages(lab, "status")


def test_while_the_log_takes_nothing_the_id_is_shown_and_kept(
    lab: EngineFixture, caplog: pytest.LogCaptureFixture
) -> None:
    lab.sim.fault("delay", "submit", seconds=0.5)
    engine = lab.engine()
    run = lab.place(engine)
    eventually(lambda: run.status is State.SUBMITTING)
    with locked(lab.log):
        eventually(lambda: run.record.job.id)
        problem = run.record.problem
        assert problem is not None
        assert lab.sim.ledger[0].id in problem.what
        assert f"hailuo/{run.run_id}.json" in problem.money
        assert beside(lab)["job"]["id"] == lab.sim.ledger[0].id
        assert engine.logs()[0].get(run.run_id).job_id is None
    assert run.wait(60).clip is not None
    assert run.record.problem is None
    assert lab.submits() == 1
