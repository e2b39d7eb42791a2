"""When a request may leave: Retry-After, back-off, clocks, and the limit that processes share."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter import catalogue
from hailuo_jupyter.engine.pace import Clock, Pace, Stopwatch, back_off, parse_retry_after
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.settings import Hailuo

NOW = 1_795_000_000.0
SEGMIND = catalogue.provider("segmind")
AIMLAPI = catalogue.provider("aimlapi")


# ── Retry-After ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("300", 300.0),
        ("99999999999", 300.0),
        (formatdate(NOW + 20, usegmt=True), 20.0),
        (formatdate(NOW + 1e6, usegmt=True), 300.0),
        ("Sat, 20 Nov 2027 12:00:00", 300.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_and_capped(value: str, seconds: float) -> None:
    assert parse_retry_after(value, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "-5",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "soon",
        "Thu, 99 Foo 2026",
        formatdate(NOW - 3600, usegmt=True),
        "Mon, 01 Jan 0001 00:00:00 +2359",
    ],
)
def test_a_retry_after_without_sense_is_no_wait_that_the_provider_named(value: str | None) -> None:
    assert parse_retry_after(value, NOW) is None


@given(st.one_of(st.text(), st.floats().map(str), st.integers().map(str), st.datetimes().map(str)))
def test_no_retry_after_breaks_or_stalls_us(value: str) -> None:
    wait = parse_retry_after(value, NOW)
    assert wait is None or 0 <= wait <= 300


# ── back-off ───────────────────────────────────────────────────────────────────────────────────


@given(st.integers(0, 10_000), st.floats(0.01, 10))
def test_back_off_is_bounded(attempt: int, first: float) -> None:
    wait = back_off(attempt, first=first)
    assert 0.75 * min(first, 30) <= wait <= 30


def test_back_off_doubles() -> None:
    assert back_off(3, first=1.0) > back_off(1, first=1.0) > 0
    assert 6.0 <= back_off(3, first=1.0) <= 8.0


# ── clocks ─────────────────────────────────────────────────────────────────────────────────────


class Turned:
    """Two clocks that a test can turn, as a person, a time server or a closed lid does."""

    def __init__(self) -> None:
        self.wall, self.steady = NOW, 50.0
        self.clock = Clock(lambda: self.wall, lambda: self.steady)

    def run(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def turned() -> Turned:
    return Turned()


def test_a_stopwatch_counts_from_a_moment_before_it_was_made(turned: Turned) -> None:
    watch = Stopwatch(turned.clock, NOW - 40)
    turned.run(2)
    assert watch.passed() == pytest.approx(42)


def test_a_laptop_that_slept_counts_its_sleep(turned: Turned) -> None:
    watch = Stopwatch(turned.clock, NOW)
    turned.wall += 3600  # the monotonic clock stood still
    turned.run(1)
    assert watch.passed() == pytest.approx(3601)


def test_a_wall_clock_set_back_does_not_turn_back_time(turned: Turned) -> None:
    watch = Stopwatch(turned.clock, NOW)
    turned.run(100)
    turned.wall -= 86_400
    turned.run(1)
    assert watch.passed() == pytest.approx(101)


def test_a_moment_in_the_future_counts_as_now(turned: Turned) -> None:
    watch = Stopwatch(turned.clock, NOW + 500)
    assert watch.passed() == 0
    turned.run(3)
    assert watch.passed() == pytest.approx(3)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e4)), max_size=20))
def test_at_least_what_the_steady_clock_tells_has_passed(turns: list[tuple[float, float]]) -> None:
    turned = Turned()
    watch = Stopwatch(turned.clock, NOW)
    for set_by, ran in turns:
        turned.wall += set_by
        turned.run(ran)
        assert watch.passed() >= turned.steady - 50.0 - 1e-6
        assert math.isfinite(watch.passed())


# ── the limit ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RunLog]:
    with RunLog(tmp_path / "runs.sqlite3") as opened:
        yield opened


def turns(pace: Pace, provider: catalogue.Provider, wanted: int, within: float = 0.3) -> int:
    """Give how many of the turns wanted come within a time."""

    async def ask() -> int:
        tasks = [asyncio.create_task(pace.turn(provider)) for _ in range(wanted)]
        done, waiting = await asyncio.wait(tasks, timeout=within)
        for task in waiting:
            task.cancel()
        return len(done)

    return asyncio.run(ask())


def test_before_any_429_nothing_is_held_back(log: RunLog) -> None:
    assert turns(Pace(log, Hailuo(), Clock()), SEGMIND, 30) == 30


def test_a_limit_that_is_set_holds_from_the_start(log: RunLog) -> None:
    pace = Pace(log, Hailuo(requests_per_minute={"segmind": 4}), Clock())
    assert turns(pace, SEGMIND, 30) == 4
    assert turns(pace, AIMLAPI, 30) == 30, "one provider's limit is not another's"


def test_two_kernels_share_one_limit(log: RunLog, tmp_path: Path) -> None:
    limit = Hailuo(requests_per_minute={"segmind": 5})
    with RunLog(tmp_path / "runs.sqlite3") as other:
        first = turns(Pace(log, limit, Clock()), SEGMIND, 3)
        second = turns(Pace(other, limit, Clock()), SEGMIND, 30)
    assert (first, second) == (3, 2)


def test_after_a_429_the_published_limit_holds_for_a_day(log: RunLog, turned: Turned) -> None:
    pace = Pace(log, Hailuo(), turned.clock)
    assert pace.refused(SEGMIND, "7", 1) == 7
    assert turns(pace, SEGMIND, 1, within=0.05) == 0, "not before Retry-After has passed"
    turned.run(7.5)
    assert turns(pace, SEGMIND, 30) == SEGMIND.requests_per_minute == 5
    turned.run(25 * 3600)
    assert turns(pace, SEGMIND, 30) == 30


def test_a_429_holds_back_all_kernels(log: RunLog, tmp_path: Path) -> None:
    Pace(log, Hailuo(), Clock()).refused(SEGMIND, "30", 1)
    with RunLog(tmp_path / "runs.sqlite3") as other:
        assert turns(Pace(other, Hailuo(), Clock()), SEGMIND, 2, within=0.05) == 0


def test_a_429_without_a_published_limit_makes_cautious(log: RunLog, turned: Turned) -> None:
    pace = Pace(log, Hailuo(), turned.clock)
    pace.refused(AIMLAPI, None, 0)
    turned.run(10)
    assert turns(pace, AIMLAPI, 30) == 10


@pytest.mark.parametrize("header", [None, "nan", "-1", "tomorrow"])
def test_without_a_sensible_retry_after_the_wait_grows(log: RunLog, header: str | None) -> None:
    pace = Pace(log, Hailuo(), Clock())
    waits = [pace.refused(SEGMIND, header, attempt) for attempt in (0, 2, 9)]
    assert waits[0] < waits[1] < waits[2] <= 30


def test_a_clock_set_back_does_not_hold_requests_for_hours(log: RunLog, turned: Turned) -> None:
    pace = Pace(log, Hailuo(requests_per_minute={"segmind": 50}), turned.clock)
    pace.refused(SEGMIND, "5", 1)
    turned.wall -= 7200
    assert turns(pace, SEGMIND, 1, within=0.05) == 0
    turned.run(6)
    assert turns(pace, SEGMIND, 1) == 1
