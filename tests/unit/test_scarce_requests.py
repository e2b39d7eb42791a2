"""Whole runs against providers that limit requests, in virtual time, through the package's own code.

Smaller than the benchmark's rows, which hold the targets themselves.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hailuo_jupyter.states import State
from tests.simulator.limits import RateLimiter
from tests.support.limited_server import COUNTERS, Counter, LimitedServer, Says
from tests.support.polling_scenario import Outcome, Scenario
from tests.support.virtual_time import VirtualLoop

EACH = pytest.mark.parametrize("counter", COUNTERS, ids=lambda counter: counter.name)


def server(
    limiter: RateLimiter, *, seed: int = 1, says: Says = "reset", **how: object
) -> Callable[[VirtualLoop, bytes], LimitedServer]:
    return lambda loop, clip: LimitedServer(loop, limiter, clip, seed=seed, says=says, **how)  # type: ignore[arg-type]


@EACH
@pytest.mark.parametrize("says", ["reset", "nothing"])
def test_many_runs_against_a_few_requests_a_minute(counter: Counter, says: Says) -> None:
    outcome = Scenario(25).play(server(counter.limiter(5), says=says))
    assert (outcome.lost, len(outcome.clips)) == (0, 25)
    assert outcome.requests <= 3.4 * 25
    assert outcome.last_clip_s < 20 * 60, "25 submits and 25 results alone take 10 minutes"


def test_a_provider_whose_result_tells_nothing_early() -> None:
    outcome = Scenario(25).play(server(COUNTERS[1].limiter(5), early="404"))
    assert (outcome.lost, len(outcome.clips)) == (0, 25)
    assert outcome.requests <= 3.4 * 25


@pytest.mark.parametrize(
    "stray",
    [lambda n, _what: n == 1, lambda n, _what: n == 5, lambda n, _what: n == 31],
    ids=["the first submit", "a submit", "the first poll"],
)
def test_one_stray_refusal_makes_nothing_late(
    stray: Callable[[int, str], bool], outcome_without: Outcome
) -> None:
    outcome = Scenario(30).play(server(RateLimiter(None), stray=stray))
    assert (outcome.refused, outcome.lost, len(outcome.clips)) == (1, 0, 30)
    assert outcome.last_clip_s <= 1.2 * outcome_without.last_clip_s


@EACH
def test_two_kernels_learn_one_limit(counter: Counter) -> None:
    outcome = Scenario(50, kernels=2, seconds=600).play(server(counter.limiter(30)))
    late = [each for each in outcome.server.arrivals if each.at > 120]
    assert sum(each.refused for each in late) <= 0.03 * len(late)
    accepted = sum(not each.refused for each in outcome.server.arrivals)
    assert accepted >= 0.75 * 30 * 10, "of 10 minutes, learning it included"


def test_a_limit_that_the_user_has_set_is_never_refused() -> None:
    outcome = Scenario(12, kernels=2, ceiling=10).play(server(COUNTERS[1].limiter(10)))
    assert (outcome.refused, outcome.lost, len(outcome.clips)) == (0, 0, 24)


def test_what_was_bought_before_the_limit_is_fetched_before_more_is_bought() -> None:
    """A bucket lets a hundred submits through at once, and gives 2 requests a minute then."""
    outcome = Scenario(110, seconds=900).play(server(RateLimiter(2, "bucket", burst=100)))
    arrivals = [each for each in outcome.server.arrivals if not each.refused]
    assert sum(each.what == "submit" for each in arrivals) in range(95, 106)
    assert not [each for each in arrivals if each.what == "submit" and each.at > 120]
    assert len(outcome.clips) >= 15, "as many as the limit has requests for, once they are due"


def test_durations_that_were_not_seen_teach_nothing() -> None:
    """Jobs are first looked at when they are probably done; that is no measure of how long they took."""
    outcome = Scenario(25).play(server(COUNTERS[1].limiter(5)))
    looked = [row for row in outcome.rows if row.state is State.COMPLETED]
    assert len(looked) == 25
    assert len(outcome.durations) < 5
    assert all(seconds < 500 for seconds in outcome.durations)


def test_without_a_limit_polls_come_as_the_schedule_says(outcome_without: Outcome) -> None:
    late = outcome_without.last_clip_s
    assert outcome_without.requests > 20 * 30, "looks are free"
    assert late < 450


@pytest.fixture(scope="module")
def outcome_without() -> Outcome:
    return Scenario(30).play(server(RateLimiter(None)))
