"""How long a clip takes: the distribution, the bar, and how often a provider is asked."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter import catalogue
from hailuo_jupyter.engine.timing import Timing

SEGMIND = Timing(173.29, 0.35)

timings = st.builds(Timing, st.floats(0.5, 5000), st.floats(0.05, 2.0))
moments = st.floats(-10, 1e6)


def test_half_of_the_runs_take_longer_than_the_median() -> None:
    assert SEGMIND.survival(173.29) == pytest.approx(0.5)
    assert SEGMIND.quantile(0.5) == pytest.approx(173.29)


def test_the_distribution_is_that_of_drawn_durations() -> None:
    chance = random.Random(1)
    drawn = sorted(chance.lognormvariate(math.log(173.29), 0.35) for _ in range(20_000))
    assert SEGMIND.quantile(0.9) == pytest.approx(drawn[18_000], rel=0.02)
    later = [each for each in drawn if each > 200]
    assert SEGMIND.expected(200) == pytest.approx(median(later), rel=0.02)


@given(timings, st.floats(0.01, 0.99))
def test_quantile_and_survival_are_inverse(timing: Timing, share: float) -> None:
    assert timing.survival(timing.quantile(share)) == pytest.approx(1 - share, abs=1e-6)


def test_density_is_the_slope_of_survival() -> None:
    step = 0.01
    for t in (60.0, 173.0, 400.0):
        slope = (SEGMIND.survival(t) - SEGMIND.survival(t + step)) / step
        assert SEGMIND.density(t + step / 2) == pytest.approx(slope, rel=1e-3)


def test_without_observations_the_prior_holds() -> None:
    learned = Timing.learned(173.29, 0.35, [])
    assert learned.median_s == pytest.approx(173.29)
    assert learned.sigma == pytest.approx(0.35)


def test_the_prior_weighs_as_much_as_five_observations() -> None:
    learned = Timing.learned(100.0, 0.3, [400.0] * 5)
    assert learned.median_s == pytest.approx(200.0)  # the geometric mean of both
    assert learned.sigma > 0.3, "prior and observations disagree"


def test_after_many_runs_the_log_speaks() -> None:
    chance = random.Random(2)
    seen = [chance.lognormvariate(math.log(60), 0.1) for _ in range(200)]
    learned = Timing.learned(173.29, 0.35, seen)
    assert learned.median_s == pytest.approx(60, rel=0.1)


@given(st.lists(st.floats(-5, 1e7), max_size=30))
def test_no_observation_breaks_what_is_learned(seen: list[float]) -> None:
    learned = Timing.learned(173.29, 0.35, seen)
    assert math.isfinite(learned.median_s)
    assert learned.median_s > 0
    assert learned.sigma >= 0.05


@given(timings, st.lists(moments, min_size=2, max_size=20))
def test_the_bar_never_goes_back_and_is_never_full(timing: Timing, at: list[float]) -> None:
    shares = [timing.progress(elapsed) for elapsed in sorted(at)]
    assert shares[0] >= 0
    assert shares[-1] < 1
    for before, after in pairwise(shares):
        assert after >= before - 1e-9


@given(timings, moments)
def test_what_is_expected_lies_ahead(timing: Timing, elapsed: float) -> None:
    assert timing.expected(elapsed) >= elapsed


def test_a_run_is_late_when_nine_of_ten_are_done() -> None:
    ninth = SEGMIND.quantile(0.9)
    assert not SEGMIND.late(ninth - 0.1)
    assert SEGMIND.late(ninth + 0.1)


@given(timings, moments)
def test_the_next_look_comes_neither_at_once_nor_too_late(timing: Timing, elapsed: float) -> None:
    interval = timing.poll_interval(elapsed)
    assert 0.1 <= interval <= 20.0


def looks(timing: Timing, duration: float) -> tuple[int, float]:
    """Give how often a run of that duration is asked about, and how late its end is known."""
    now, asked = 0.0, 0
    while now < duration:
        now += timing.poll_interval(now)
        asked += 1
    return asked, now - duration


@pytest.mark.parametrize(
    ("provider", "options"),
    [
        ("segmind", {"mode": "standard"}),
        ("aimlapi", {"resolution": "768P", "duration": 6}),
        ("aimlapi", {"resolution": "768P", "duration": 10}),
    ],
)
def test_asking_is_rare_and_the_end_is_known_soon(
    provider: str, options: dict[str, str | int]
) -> None:
    prior = catalogue.provider(provider).expected(options)
    timing = Timing(prior.median_s, prior.sigma)
    chance = random.Random(3)
    runs = [
        looks(timing, chance.lognormvariate(math.log(prior.median_s), prior.sigma))
        for _ in range(200)
    ]
    per_minute = mean(asked for asked, _ in runs) / (prior.median_s / 60)
    assert per_minute < 20
    assert mean(late for _, late in runs) < 6.0
    assert max(asked for asked, _ in runs) < 200


def test_the_first_look_comes_within_seconds() -> None:
    """A prior can be wrong by a factor of a hundred: the demo's simulator is."""
    assert SEGMIND.poll_interval(0) < 3
    asked, late = looks(SEGMIND, 2.0)
    assert asked <= 3
    assert late < 2.0
