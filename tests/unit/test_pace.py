"""Back-off, and clocks that people, time servers and closed lids turn."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.engine.clock import Clock, Stopwatch, back_off

NOW = 1_795_000_000.0


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
