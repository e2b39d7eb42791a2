from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hailuo_jupyter
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.pacing import WINDOW_S

ROOT = Path(hailuo_jupyter.__file__).parents[1]
START = 1_795_183_392.25


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[RunLog]:
    with RunLog(tmp_path / "runs.sqlite3", clock=clock) as opened:
        yield opened


def test_slots_are_given_until_the_window_is_full(log: RunLog, clock: Clock) -> None:
    for _ in range(3):
        assert log.reserve("segmind", per_minute=3) == 0.0
        clock.now += 10
    assert log.reserve("segmind", per_minute=3) == WINDOW_S - 30
    assert log.reserve("aimlapi", per_minute=3) == 0.0
    clock.now += WINDOW_S - 30
    assert log.reserve("segmind", per_minute=3) == 0.0
    assert log.reserve("segmind", per_minute=3) == 10.0


def test_a_lower_limit_counts_what_went_out_before(log: RunLog, clock: Clock) -> None:
    for _ in range(4):
        assert log.reserve("segmind", per_minute=50) == 0.0
        clock.now += 1
    assert log.reserve("segmind", per_minute=2) == WINDOW_S - 2


def test_without_a_limit_slots_are_free_and_counted(log: RunLog) -> None:
    for _ in range(3):
        assert log.reserve("segmind", per_minute=None) == 0.0
    assert log.reserve("segmind", per_minute=3) == WINDOW_S


@pytest.mark.parametrize("wrong", [0, -1])
def test_no_limit_below_one(log: RunLog, wrong: int) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        log.reserve("segmind", per_minute=wrong)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.floats(0, 70), max_size=12), st.integers(1, 4), st.floats(0, 2e9))
def test_never_more_than_the_limit_in_any_minute(
    log: RunLog, clock: Clock, pauses: list[float], per_minute: int, start: float
) -> None:
    provider = f"{start}{pauses}{per_minute}"
    clock.now = start
    sent: list[float] = []
    for pause in pauses:
        clock.now += pause
        wait = log.reserve(provider, per_minute=per_minute)
        if wait > 0:
            assert wait <= WINDOW_S
            clock.now += wait
            assert log.reserve(provider, per_minute=per_minute) == 0.0
        sent.append(clock.now)
    for early, late in zip(sent, sent[per_minute:], strict=False):
        assert late - early >= WINDOW_S - 1e-5


def test_a_block_ends_when_it_was_said_to(log: RunLog, clock: Clock) -> None:
    assert log.blocked_at("segmind") is None
    log.block_until("segmind", START + 90)
    log.block_until("segmind", START + 20)  # never shortens
    assert log.reserve("segmind", per_minute=5) == 90.0
    assert log.reserve("aimlapi", per_minute=5) == 0.0
    clock.now += 90
    assert log.reserve("segmind", per_minute=5) == 0.0
    assert log.blocked_at("segmind") == START
    log.block_until("segmind", clock.now - 5)
    assert log.reserve("segmind", per_minute=5) == 0.0


@pytest.mark.parametrize("back", [30.0, 86_400.0, 1e9])
def test_a_clock_set_back_does_not_block_for_ever(log: RunLog, clock: Clock, back: float) -> None:
    log.block_until("blocked", START + 90)
    for _ in range(2):
        assert log.reserve("segmind", per_minute=2) == 0.0
    clock.now -= back
    assert log.reserve("segmind", per_minute=2) == 0.0
    wait = log.reserve("blocked", per_minute=2)
    assert wait == 90.0
    clock.now += wait
    assert log.reserve("blocked", per_minute=2) == 0.0


def test_a_moment_may_be_given(log: RunLog) -> None:
    assert log.reserve("segmind", per_minute=1, now=5.0) == 0.0
    assert log.reserve("segmind", per_minute=1, now=15.0) == WINDOW_S - 10
    log.block_until("segmind", 100.0, now=20.0)
    assert log.reserve("segmind", per_minute=1, now=40.0) == 60.0  # as long as the block lasts


def test_processes_share_the_slots(log: RunLog) -> None:
    code = """
import sys
from pathlib import Path
from hailuo_jupyter.runlog import RunLog
with RunLog(Path(sys.argv[1])) as log:
    print("ready", flush=True)
    sys.stdin.readline()
    print([log.reserve("segmind", per_minute=10) for _ in range(10)].count(0.0))
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, str(log.path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    given_slots = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, _ = process.communicate(timeout=60)
        given_slots.append(int(out))
    assert sum(given_slots) == 10
