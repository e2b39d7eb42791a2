"""How long a clip takes: the distribution, the bar, and how often a provider is asked."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from statistics import mean, median

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hailuo_jupyter import catalogue
from hailuo_jupyter.engine.eta import DurationEstimate, forecast

SEGMIND = DurationEstimate(173.29, 0.35)

timings = st.builds(DurationEstimate, st.floats(0.5, 5000), st.floats(0.05, 2.0))
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
def test_quantile_and_survival_are_inverse(timing: DurationEstimate, share: float) -> None:
    assert timing.survival(timing.quantile(share)) == pytest.approx(1 - share, abs=1e-6)


def test_density_is_the_slope_of_survival() -> None:
    step = 0.01
    for t in (60.0, 173.0, 400.0):
        slope = (SEGMIND.survival(t) - SEGMIND.survival(t + step)) / step
        assert SEGMIND.density(t + step / 2) == pytest.approx(slope, rel=1e-3)


def test_without_observations_the_prior_holds() -> None:
    learned = forecast(173.29, 0.35, [])
    assert learned.median_s == pytest.approx(173.29)
    assert learned.sigma == pytest.approx(0.35)


def test_the_prior_weighs_as_much_as_three_observations() -> None:
    learned = forecast(100.0, 0.3, [400.0] * 3)
    assert learned.median_s == pytest.approx(200.0)  # the geometric mean of both
    assert learned.sigma > 0.3, "prior and observations disagree"
    assert not learned.sure


def drawn(chance: random.Random, median_s: float, sigma: float, count: int) -> list[float]:
    return [chance.lognormvariate(math.log(median_s), sigma) for _ in range(count)]


def test_after_many_runs_the_log_speaks() -> None:
    learned = forecast(173.29, 0.35, drawn(random.Random(2), 60, 0.1, 200))
    assert learned.sure
    assert learned.median_s == pytest.approx(60, rel=0.03)
    assert learned.quantile(0.9) == pytest.approx(60 * math.exp(0.128), rel=0.05)


def test_two_humps_stay_two_humps() -> None:
    chance = random.Random(4)
    seen = drawn(chance, 120, 0.12, 60) + drawn(chance, 330, 0.15, 40)
    chance.shuffle(seen)
    learned = forecast(173.29, 0.35, seen)
    assert learned.density(120) > 3 * learned.density(200)
    assert learned.density(330) > 2 * learned.density(200)
    # Who is not done by then is one of the slow ones.
    assert learned.expected(200) == pytest.approx(330, rel=0.1)


def test_a_provider_that_gets_slower_is_followed() -> None:
    chance = random.Random(5)
    oldest_first = [
        chance.lognormvariate(math.log(100 * math.exp(0.02 * i)), 0.1) for i in range(80)
    ]
    learned = forecast(173.29, 0.35, oldest_first[::-1])
    now = 100 * math.exp(0.02 * 80)
    assert learned.median_s == pytest.approx(now, rel=0.12)


def test_without_a_drift_all_runs_count_alike() -> None:
    seen = drawn(random.Random(6), 100, 0.3, 150)
    latest = [300.0, *seen]  # one slow run is no trend
    assert forecast(173.29, 0.35, latest).median_s == pytest.approx(
        forecast(173.29, 0.35, seen).median_s, rel=0.03
    )


@given(st.lists(st.floats(-5, 1e7), max_size=30))
@example([1e-320, 1e-220, 1e-60, *[1.0] * 9])
def test_no_observation_breaks_what_is_learned(seen: list[float]) -> None:
    learned = forecast(173.29, 0.35, seen)
    assert math.isfinite(learned.median_s)
    assert learned.median_s > 0
    assert learned.sigma >= 0.05


@given(timings, st.lists(moments, min_size=2, max_size=20))
def test_the_bar_never_goes_back_and_is_never_full(
    timing: DurationEstimate, at: list[float]
) -> None:
    shares = [timing.progress(elapsed) for elapsed in sorted(at)]
    assert shares[0] >= 0
    assert shares[-1] < 1
    for before, after in pairwise(shares):
        assert after >= before - 1e-9


@given(timings, moments)
def test_what_is_expected_lies_ahead(timing: DurationEstimate, elapsed: float) -> None:
    assert timing.expected(elapsed) >= elapsed


def test_a_run_is_late_when_nine_of_ten_are_done() -> None:
    ninth = SEGMIND.quantile(0.9)
    assert not SEGMIND.late(ninth - 0.1)
    assert SEGMIND.late(ninth + 0.1)


@given(timings, moments)
def test_the_next_look_comes_neither_at_once_nor_too_late(
    timing: DurationEstimate, elapsed: float
) -> None:
    interval = timing.poll_interval(elapsed)
    assert 0.1 <= interval <= 90.0
    assert interval <= 1.5 + max(elapsed, 0.0) / 2.0, "little is known of this kind"


def looks(timing: DurationEstimate, duration: float) -> tuple[int, float]:
    """Return how often a run of that duration is asked about, and how late its end is known."""
    now, asked = 0.0, 0
    while now < duration:
        now += timing.poll_interval(now)
        asked += 1
    return asked, now - duration


def product(timing: DurationEstimate, durations: list[float]) -> float:
    asked, late = zip(*(looks(timing, duration) for duration in durations), strict=True)
    return mean(asked) * mean(late)


@pytest.mark.parametrize(("sigma", "bound"), [(0.1, 0.19), (0.2, 0.36), (0.3, 0.51), (0.5, 0.73)])
def test_a_known_distribution_is_asked_near_its_bound(sigma: float, bound: float) -> None:
    """The bound is a share of what any fixed interval scores: half the mean duration."""
    chance = random.Random(3)
    timing = forecast(173.29, 0.35, drawn(chance, 173.29, sigma, 200))
    durations = drawn(chance, 173.29, sigma, 2000)
    assert product(timing, durations) < 1.15 * bound * mean(durations) / 2


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("median_s", [173.29, 270.0, 510.0])
def test_a_wrong_prior_costs_hardly_more_than_a_fixed_interval(
    median_s: float, sigma: float, factor: float
) -> None:
    durations = drawn(random.Random(8), median_s * factor, sigma, 1000)
    assert product(forecast(median_s, 0.35, ()), durations) < 1.05 * mean(durations) / 2


@pytest.mark.parametrize(
    ("provider", "options"),
    [
        ("segmind", {"mode": "standard"}),
        ("aimlapi", {"resolution": "768P", "duration": 6}),
        ("aimlapi", {"resolution": "768P", "duration": 10}),
    ],
)
def test_a_long_delay_is_rare(provider: str, options: dict[str, str | int]) -> None:
    prior = catalogue.provider(provider).expected(options)
    known, unknown = list[float](), list[float]()
    for seed in range(10):  # fifty runs may happen to tell little of the quick ones
        chance = random.Random(seed)
        seen = drawn(chance, prior.median_s, prior.sigma, 50)
        coming = drawn(chance, prior.median_s, prior.sigma, 200)
        known += [looks(forecast(prior.median_s, 0.35, seen), each)[1] for each in coming]
        unknown += [looks(forecast(prior.median_s, 0.35, ()), each)[1] for each in coming]
    for late in (known, unknown):
        assert sorted(late)[1980] < 10.0
        assert mean(late) < 3.0


def test_the_first_look_comes_within_seconds() -> None:
    """A prior can be wrong by a factor of a hundred: the demo's simulator is."""
    timing = forecast(173.29, 0.35, ())
    assert timing.poll_interval(0) < 3
    asked, late = looks(timing, 2.0)
    assert asked <= 3
    assert late < 2.0


mixtures = st.lists(
    st.tuples(st.floats(0.05, 1.0), st.floats(0.0, 8.0), st.floats(0.03, 1.0)),
    min_size=1,
    max_size=6,
)


@given(mixtures, st.lists(moments, min_size=2, max_size=10))
def test_a_mixture_is_a_distribution(
    parts: list[tuple[float, float, float]], at: list[float]
) -> None:
    whole = sum(weight for weight, _, _ in parts)
    timing = DurationEstimate.mixed([(weight / whole, mu, s) for weight, mu, s in parts], sure=True)
    shares = [timing.survival(t) for t in sorted(at)]
    assert all(0 <= share <= 1 + 1e-9 for share in shares)
    assert all(after <= before + 1e-9 for before, after in pairwise(shares))
    assert timing.survival(timing.quantile(0.9)) == pytest.approx(0.1, abs=1e-6)
    bar = [timing.progress(t) for t in sorted(at)]
    assert all(after >= before - 1e-9 for before, after in pairwise(bar))
    assert 0 <= bar[0] <= bar[-1] < 1
    for t in at:
        assert timing.expected(t) >= t
        assert timing.poll_interval(t) >= 0.1


def test_of_many_jobs_each_is_looked_at_less_often() -> None:
    timing = DurationEstimate(173.29, 0.3, sure=True)
    alone = [timing.poll_interval(at) for at in range(0, 400, 5)]
    few = [timing.poll_interval(at, 10) for at in range(0, 400, 5)]
    many = [timing.poll_interval(at, 100) for at in range(0, 400, 5)]
    assert few == alone
    assert all(seldom >= often for seldom, often in zip(many, alone, strict=True))
    assert all(wait <= max(often, 10.0) for wait, often in zip(many, alone, strict=True))
    looks = 0.0
    now = 0.0
    while now < 173.29:
        now += timing.poll_interval(now, 100)
        looks += 1.0
    assert 100 * looks / 173.29 <= 12.0
