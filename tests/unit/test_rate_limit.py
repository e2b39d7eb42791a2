"""The limit that refusals teach, without clock or storage."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.engine import rate_limit
from hailuo_jupyter.engine.rate_limit import RateLimit, best_minute, refused

NOW = 1_795_000_000.0


@dataclass(frozen=True)
class Sent:
    at: float
    refused: bool = False


def accepted(count: int, over_s: float, until: float = NOW) -> list[Sent]:
    """Make evenly spaced requests that were accepted."""
    return [Sent(until - over_s + over_s * i / count) for i in range(count)]


def first(history: list[Sent], **how: float | None) -> RateLimit:
    asked: dict[str, float | None] = {"sent_at": NOW - 0.5, "now": NOW, "wait": None, "floor": 5.0}
    return refused(None, history, **{**asked, **how})  # type: ignore[arg-type]


def rate(limit: RateLimit, now: float) -> float:
    found = limit.rate(now)
    assert found is not None
    return found


def known(base: float = 57.0, too_many: float = 63.0) -> RateLimit:
    """A limit that has had two episodes, and that accepts requests again."""
    return RateLimit(base, NOW, too_many, NOW - 1, 0, NOW - 1, NOW, NOW - 1, False, NOW)


# ── the first refusal ──────────────────────────────────────────────────────────────────────────


def test_a_first_refusal_costs_a_little_of_the_best_minute() -> None:
    history = [*accepted(12, 200, NOW - 70), *accepted(40, 50)]
    limit = first(history)
    assert limit.rate(NOW) == pytest.approx(0.95 * 40)
    assert limit.wait(NOW) == pytest.approx(2.0)


def test_a_first_refusal_never_costs_more_than_the_lowest_plan() -> None:
    assert first([]).rate(NOW) == 5.0


def test_the_provider_s_own_wait_counts() -> None:
    assert first([], wait=47.0).wait(NOW) == pytest.approx(47.0)


def test_after_a_first_refusal_the_rate_doubles_every_five_seconds_once_one_is_accepted() -> None:
    limit = first([])
    assert rate(limit, NOW + 60) == 5.0, "nobody knows yet whether anything is accepted"
    limit = limit.sent(NOW + 2).accepted(NOW + 2, NOW + 3)
    assert rate(limit, NOW + 8) == pytest.approx(10.0)
    assert rate(limit, NOW + 13) == pytest.approx(20.0)


def test_a_single_refusal_is_forgotten_within_a_minute_of_accepted_requests() -> None:
    limit = first([]).sent(NOW + 2).accepted(NOW + 2, NOW + 3)
    assert RateLimit.load(limit.dump(NOW + 3), NOW + 30) is not None
    assert RateLimit.load(limit.dump(NOW + 3), NOW + 60) is None


# ── an episode ─────────────────────────────────────────────────────────────────────────────────


def test_however_many_were_in_flight_the_rate_falls_once() -> None:
    history = accepted(40, 50)
    limit = first(history)
    for sent_at in (NOW - 1, NOW - 0.3, NOW):
        again = refused(limit, history, sent_at=sent_at, now=NOW + 1, wait=None, floor=5.0)
        assert again == limit


def test_a_later_answer_of_the_same_episode_may_ask_for_a_longer_wait() -> None:
    limit = first([])
    again = refused(limit, [], sent_at=NOW, now=NOW + 1, wait=30.0, floor=5.0)
    assert again.wait(NOW + 1) == pytest.approx(30.0)
    assert again.base == limit.base


def test_one_request_at_a_time_probes_and_the_wait_doubles_until_one_is_accepted() -> None:
    limit, now, waits = first([]), NOW, []
    for _ in range(7):
        now += limit.wait(now)
        limit = limit.sent(now)
        assert limit.wait(now) == pytest.approx(10.0), "until its answer is there, or is late"
        limit = refused(limit, [], sent_at=now, now=now + 0.5, wait=None, floor=5.0)
        now += 0.5
        waits.append(limit.wait(now))
        assert limit.base == 5.0, "nothing new was learned of the rate"
    assert waits == pytest.approx([4, 8, 16, 32, 60, 60, 60])
    assert now - limit.refusing_since > 100
    limit = limit.sent(now + 60).accepted(now + 60, now + 61)
    assert limit.wait(now + 61) < 12


def test_the_answer_to_a_request_of_before_ends_no_episode() -> None:
    assert first([]).accepted(NOW - 1, NOW + 1).probing


# ── what is accepted in a minute ───────────────────────────────────────────────────────────────


def test_a_later_refusal_lowers_the_rate_to_a_little_less_than_was_accepted() -> None:
    now = NOW + 200
    limit = refused(
        known(), accepted(200, 200, now), sent_at=now - 0.1, now=now, wait=None, floor=5.0
    )
    assert limit.base == pytest.approx(0.95 * 60, rel=0.02)
    assert limit.refused_rate is not None
    assert limit.refused_rate >= 60


def test_a_bucket_that_was_full_does_not_count_once_it_is_empty() -> None:
    """It gave 76 a minute while it emptied, and gives 60 since the refusal 10 seconds ago."""
    before = [*accepted(76, 60, NOW), *accepted(10, 10, NOW + 10)]
    limit = refused(known(72, 78), before, sent_at=NOW + 10, now=NOW + 10, wait=None, floor=5.0)
    assert limit.base == pytest.approx(0.95 * 60 * 10 / 11, rel=0.1)


def test_the_refused_rate_is_reached_in_five_minutes_and_soon_left_behind() -> None:
    limit = known(57.0, 63.0)
    assert rate(limit, NOW + 60) < 57.5
    assert rate(limit, NOW + 300) == pytest.approx(63.0)
    assert rate(limit, NOW + 600) > 80


def test_where_the_refused_rate_is_far_it_is_reached_sooner_but_not_within_few_requests() -> None:
    assert rate(known(30.0, 120.0), NOW + 60) == pytest.approx(120.0)
    assert rate(known(5.0, 20.0), NOW + 60) < 6


def test_without_a_refusal_a_limit_is_forgotten_within_minutes() -> None:
    stored = known().dump(NOW)
    assert RateLimit.load(stored, NOW + 800) is not None
    assert RateLimit.load(stored, NOW + 901) is None


@pytest.mark.parametrize(
    ("times", "best"), [([], 0), ([0], 1), ([0, 30, 59, 60, 61], 4), ([0, 60, 120], 1)]
)
def test_the_best_minute(times: list[float], best: int) -> None:
    assert best_minute(times) == best


# ── spacing ────────────────────────────────────────────────────────────────────────────────────


def test_requests_are_evenly_spaced_and_a_rising_rate_shortens_the_wait() -> None:
    limit = known().sent(NOW)
    assert limit.wait(NOW) == pytest.approx(60 / 57, rel=1e-3)
    searching = first([]).sent(NOW + 2).accepted(NOW + 2, NOW + 3)
    wait = searching.wait(NOW + 3)
    assert 3 < wait < 9, "and not the 12 s of 5 a minute"
    assert rate(searching, NOW + 3 + wait) * (1 + wait) / 60 == pytest.approx(1.0, rel=0.01)


@given(st.floats(0.6, 500), st.floats(1.0, 30.0), st.floats(0, 2000), st.booleans(), st.booleans())
def test_a_wait_is_finite_and_ends_when_it_says(
    base: float, factor: float, passed: float, probing: bool, searching: bool
) -> None:
    too_many = None if searching else base * factor
    limit = RateLimit(base, NOW, too_many, NOW - 1, 0, NOW - 1, NOW, NOW + passed, probing, NOW)
    now = NOW + passed
    wait = limit.wait(now)
    assert 0 <= wait <= 101
    assert limit.wait(now + wait + 1e-3) == 0


# ── 503 ────────────────────────────────────────────────────────────────────────────────────────


def test_a_provider_that_is_away_teaches_no_rate() -> None:
    limit = rate_limit.closed(NOW + 20, NOW)
    assert (limit.rate(NOW), limit.wait(NOW)) == (None, pytest.approx(20.0))
    stored = limit.dump(NOW)
    assert RateLimit.load(stored, NOW + 19) is not None
    assert RateLimit.load(stored, NOW + 20) is None
    assert known().closed(NOW + 20).wait(NOW) == pytest.approx(20.0)


# ── storage ────────────────────────────────────────────────────────────────────────────────────


def test_it_is_stored_as_it_is() -> None:
    assert RateLimit.load(known().dump(NOW), NOW) == known()


@pytest.mark.parametrize("back", [30.0, 7200.0, 1e9])
def test_a_clock_that_is_set_back_makes_no_wait_longer(back: float) -> None:
    stored = first([], wait=47.0).dump(NOW)
    limit = RateLimit.load(stored, NOW - back)
    assert limit is not None
    assert limit.wait(NOW - back) == pytest.approx(47.0)


def test_what_another_version_has_stored_is_left_alone() -> None:
    values = json.loads(known().dump(NOW))
    assert RateLimit.load(json.dumps({**values, "more": 1}), NOW) is None
    del values["base"]
    assert RateLimit.load(json.dumps(values), NOW) is None
