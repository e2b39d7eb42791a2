"""Several processes on one run log: each run is sent, watched and fetched once, whoever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import State
from tests.support.kill.promises import finished, leftovers
from tests.support.kill.provider import NO_HISTORY, ROOT, Provider

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL and SIGSTOP are POSIX's")

HEAD = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.support.kill.fast_timings import be_quick
be_quick(0.3)
import hailuo_jupyter as h
from hailuo_jupyter.engine.process import get_engine
from hailuo_jupyter.settings import Hailuo
Hailuo.instance().requests_per_minute = {{"segmind": 100_000}}
def say(*words):
    print(*words, flush=True)
def listen():
    return sys.stdin.readline().strip()
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with Provider(tmp_path / "clips", min_polls=0, segmind_seconds=0.2) as running:
        yield running


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log" / "runs.sqlite3"


@pytest.fixture
def start(tmp_path: Path, provider: Provider, log: Path) -> Iterator[Start]:
    """Start a process that shares the log; it is killed at the end of the test."""
    started: list[subprocess.Popen[str]] = []
    env = {
        **os.environ,
        **provider.environment(),
        "HAILUO_RUN_LOG": str(log),
        "SEGMIND_API_KEY": f"key-{NO_HISTORY}-0123456789",
    }

    def process(lines: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", HEAD + lines],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=tmp_path,
                env=env,
            )
        )
        return started[-1]

    yield process
    for each in started:
        each.kill()
        each.communicate()


def heard(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process says."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        process.kill()
        pytest.fail(process.communicate()[1])
    return line


def tell(process: subprocess.Popen[str], line: str = "") -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def eventually(true: Callable[[], object], timeout: float = 60.0) -> None:
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def told(provider: Provider, what: str) -> list[dict[str, Any]]:
    """Return the provider's ledger (``jobs``) or list of requests (``requests``)."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(
        f"{provider.url}/_sim/{'ledger' if what == 'jobs' else what}", timeout=30
    ) as reply:
        found: list[dict[str, Any]] = json.load(reply)[what]
    return found


def submits(provider: Provider) -> int:
    return sum(each["stage"] == "submit" for each in told(provider, "requests"))


def rows(log: Path) -> list[Row]:
    with RunLog(log) as opened:
        return opened.recent(1000)


def test_two_hundred_runs_of_three_processes_are_each_sent_watched_and_fetched_once(
    provider: Provider, log: Path, start: Start
) -> None:
    # These are not done while their process lives.
    provider.fault("seconds", count=40, prompt="left", seconds=1000.0)
    kernels = [
        start(
            f"""
for run in [h.generate({each!r} + str(n), "segmind") for n in range(80)]:
    run.wait(120)
say("done")
listen()
"""
        )
        for each in ("a heron", "a stork")
    ]
    doomed = start(
        """
for n in range(40):
    h.generate(f"left {n}", "segmind")
say("asked")
listen()
"""
    )
    assert heard(doomed) == "asked"
    eventually(lambda: len([row for row in _left(log) if row.job_id]) == 40)
    waiting = start('from hailuo_jupyter.cli import main\nsys.exit(main(["wait"]))')
    doomed.send_signal(signal.SIGSTOP)
    provider.advance(1000.0)
    doomed.kill()
    doomed.wait()
    assert [heard(each) for each in kernels] == ["done"] * 2
    out, err = waiting.communicate(timeout=90)
    assert waiting.returncode == 0, err
    names = {Path(line).stem for line in out.splitlines() if line.endswith(".mp4")}
    assert {row.run_id for row in _left(log)} <= names

    jobs, found = told(provider, "jobs"), rows(log)
    assert len(jobs) == len(found) == 200
    assert {job["id"] for job in jobs} == {row.job_id for row in found}
    assert Counter(row.state for row in found) == {State.COMPLETED: 200}
    assert [problem for row in found for problem in finished(row)] == []
    assert submits(provider) == 200
    assert {job["downloads"] for job in jobs} == {1}
    with RunLog(log) as opened, opened._reading() as connection:
        (taken,) = connection.execute("SELECT count(*) FROM runs WHERE interrupted").fetchone()
    assert taken == 40, "the runs of the killed process, and no others, have changed hands"
    assert leftovers(log.parent.parent / "hailuo") == []


def _left(log: Path) -> list[Row]:
    return [row for row in rows(log) if row.record.request.prompt.startswith("left")]


STOPPED = """
run = h.generate("a heron", "segmind")
say(run.run_id)
run.wait(60)
say(run.status)
listen()
"""


def test_a_process_that_is_stopped_while_it_sends_records_the_answer_and_sends_nothing_again(
    provider: Provider, log: Path, start: Start
) -> None:
    provider.fault("delay", "submit", seconds=4.0)
    first = start(STOPPED)
    eventually(lambda: told(provider, "jobs"))
    first.send_signal(signal.SIGSTOP)
    other = start(
        """
say(len(get_engine().resume()))
run = h.generate("a heron", "segmind")
say(run.status)
listen()
say(run.wait(60).status)
"""
    )
    assert heard(other) == "0", "its process lives"
    assert heard(other) == "submitting", "and has it in hand"
    eventually(lambda: submits(provider) == 1)  # answered by now
    first.send_signal(signal.SIGCONT)
    run_id = heard(first)
    assert heard(first) == "completed"
    tell(other)
    assert heard(other) == "completed"
    (row,) = rows(log)
    assert (row.run_id, row.job_id) == (run_id, told(provider, "jobs")[0]["id"])
    assert finished(row) == []
    assert (submits(provider), len(told(provider, "jobs"))) == (1, 1)


def test_a_process_that_was_taken_for_dead_records_what_it_paid_for(
    provider: Provider, log: Path, start: Start
) -> None:
    """Its lock is gone, as on a disk that was away: others think that it has died."""
    provider.fault("delay", "submit", seconds=3.0)
    first = start(STOPPED)
    eventually(lambda: told(provider, "jobs"))
    first.send_signal(signal.SIGSTOP)
    for lock in log.with_name(f"{log.name}.owners").glob("*.lock"):
        lock.unlink()
    other = start("say(len(get_engine().resume()))\nlisten()")
    assert heard(other) == "0"
    (row,) = rows(log)
    assert row.state is State.UNCONFIRMED
    assert row.record.problem is not None
    assert "--new" in row.record.problem.todo
    eventually(lambda: submits(provider) == 1)
    first.send_signal(signal.SIGCONT)
    eventually(lambda: rows(log)[0].state is State.COMPLETED)
    (row,) = rows(log)
    assert row.record.problem is None
    eventually(lambda: finished(rows(log)[0]) == [])
    assert (submits(provider), len(told(provider, "jobs"))) == (1, 1)


def test_a_process_that_is_stopped_before_it_sends_sends_nothing_when_its_run_was_given_up(
    provider: Provider, log: Path, start: Start
) -> None:
    provider.fault("rate-limited-seconds", "submit", count=1, seconds=3)
    first = start(
        """
import time
say(h.generate("a heron", "segmind").run_id)
while get_engine().active_runs():
    time.sleep(0.05)
say("free")
"""
    )
    eventually(lambda: submits(provider) == 1)
    heard(first)
    eventually(lambda: rows(log)[0].state is State.PREPARED)
    first.send_signal(signal.SIGSTOP)
    for lock in log.with_name(f"{log.name}.owners").glob("*.lock"):
        lock.unlink()
    other = start(
        """
get_engine().resume()
say(h.generate("a heron", "segmind").wait(60).status)
listen()
"""
    )
    assert heard(other) == "completed", "the person has run the cell again"
    first.send_signal(signal.SIGCONT)
    assert heard(first) == "free", "what it held is no longer its own"
    assert (submits(provider), len(told(provider, "jobs"))) == (2, 1)
    assert sorted(row.state for row in rows(log)) == [State.COMPLETED, State.PREPARED]


@pytest.mark.parametrize("state", [State.PREPARED, State.UPLOADING])
def test_a_run_in_whose_place_another_was_bought_is_never_sent(
    provider: Provider, log: Path, start: Start, tmp_path: Path, state: State
) -> None:
    """Its owner only looked dead: its lock is on another host, where nobody here can see it."""
    Image.effect_noise((320, 320), 60).convert("RGB").save(tmp_path / "frame.png")
    ask = 'h.generate("a heron", "segmind", image="frame.png")'
    if state is State.PREPARED:
        provider.fault("rate-limited-seconds", "submit", count=1, seconds=3)
    else:
        provider.fault("delay", "upload", count=1, seconds=4.0)
    first = start(
        f"""
import time
say({ask}.run_id)
while get_engine().active_runs():
    time.sleep(0.05)
say("free")
"""
    )
    run_id = heard(first)
    if state is State.PREPARED:
        eventually(lambda: submits(provider) == 1)
    eventually(lambda: rows(log)[0].state is state)
    first.send_signal(signal.SIGSTOP)
    for lock in log.with_name(f"{log.name}.owners").glob("*.lock"):
        lock.unlink()
    before = submits(provider)
    other = start(f"say({ask}.wait(60).run_id)\nlisten()")
    instead = heard(other)
    first.send_signal(signal.SIGCONT)
    assert heard(first) == "free"
    assert submits(provider) == before + 1
    assert len(told(provider, "jobs")) == 1
    found = {row.run_id: row for row in rows(log)}
    assert (found[instead].state, found[run_id].state) == (State.COMPLETED, State.PREPARED)
    problem = found[run_id].record.problem
    assert problem is not None
    assert f"Run {instead} replaced it" in problem.what
    assert found[run_id].owner is None
    with RunLog(log) as opened:
        assert run_id not in [row.run_id for row in opened.unfinished()]
