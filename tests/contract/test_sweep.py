"""A sweep on its way: exactly the planned submits, so many at once, whatever fails in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from hailuo_jupyter import errors
from hailuo_jupyter.catalogue.types import Price, Rule
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.sweep_runner import SweepItem, SweepRunner, check
from hailuo_jupyter.kernel.runs.table_view import build_lines
from hailuo_jupyter.kernel.sweep.plan import Plan, Shape
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, eventually, shorten


@pytest.fixture
def lab(make_lab: Callable[..., EngineFixture], monkeypatch: pytest.MonkeyPatch) -> EngineFixture:
    shorten(monkeypatch, poll_interval_s=0.05)
    return make_lab(segmind_seconds=0.1, aimlapi_6s_seconds=0.1)


def part(
    lab: EngineFixture, prompt: str, provider: str = "segmind", *, left: int = 1, **how: Any
) -> SweepItem:
    order = replace(lab.order(prompt, provider, count=left, **how), sweep="sweep-a", yes=True)
    return SweepItem(order, left)


def sent(engine: Engine, parts: Sequence[SweepItem], parallel: int = 2, **how: Any) -> SweepRunner:
    course = SweepRunner(engine, parts, parallel, how.get("stopped", lambda: False))
    eventually(lambda: course.done and ended(engine, parts))
    return course


def ended(engine: Engine, parts: Sequence[SweepItem]) -> bool:
    return all(engine.settled(run_id) for part in parts for run_id in part.runs)


def states(engine: Engine, parts: Sequence[SweepItem]) -> list[State]:
    return [engine.row(run_id).state for part in parts for run_id in part.runs]


def most_at_once(engine: Engine, parts: Sequence[SweepItem]) -> int:
    """Return how many runs were under way at once, by the records' own times."""
    edges: list[tuple[str, int]] = []
    for each in parts:
        for run_id in each.runs:
            times = engine.row(run_id).record.times
            edges += [(times["prepared"], 1), (times["downloading"], -1)]
    count = most = 0
    for _, step in sorted(edges, key=lambda edge: (datetime.fromisoformat(edge[0]), edge[1])):
        count += step
        most = max(most, count)
    return most


def test_all_is_sent_once_and_no_more_than_so_many_at_a_time(lab: EngineFixture) -> None:
    engine = lab.engine()
    parts = [part(lab, f"cat {n}", left=2) for n in range(3)]
    sent(engine, parts)
    assert states(engine, parts) == [State.COMPLETED] * 6
    assert lab.submits() == 6
    assert [len(each.runs) for each in parts] == [2, 2, 2]
    assert most_at_once(engine, parts) <= 2
    assert {engine.row(parts[0].runs[0]).record.sweep} == {"sweep-a"}


def test_providers_and_models_are_told_apart(lab: EngineFixture) -> None:
    engine = lab.engine()
    names = [("segmind", "hailuo-02"), ("segmind", "hailuo-2.3"),
             ("aimlapi", "hailuo-02"), ("aimlapi", "hailuo-2.3")]  # fmt: skip
    parts = [part(lab, "a cat", provider, model=model) for provider, model in names]
    sent(engine, parts)
    assert states(engine, parts) == [State.COMPLETED] * 4
    assert lab.submits() == 4
    rows = [engine.row(run_id) for each in parts for run_id in each.runs]
    assert [(row.provider, row.record.model) for row in rows] == [
        ("segmind", "minimax-hailuo-2"),
        ("segmind", "hailuo-2.3"),
        ("aimlapi", "minimax/hailuo-02"),
        ("aimlapi", "minimax/hailuo-2.3"),
    ]
    assert len({row.fingerprint for row in rows}) == 4
    lines, _ = build_lines(rows, base=None, now=engine.now())
    assert [line.provider for line in lines] == [provider for provider, _ in names]
    assert [line.differs[0] for line in lines] == [model for _, model in names]
    # The clip of each was asked for under its own model, and its own name is in the provider's history.
    assert {job.body.get("model") for job in lab.sim.ledger.jobs} == {
        None, "minimax/hailuo-02", "minimax/hailuo-2.3",
    }  # fmt: skip


def test_what_waits_is_no_row_of_the_log(lab: EngineFixture) -> None:
    engine = lab.engine()
    parts = [part(lab, f"cat {n}") for n in range(6)]
    course = SweepRunner(engine, parts, 1, lambda: False)
    eventually(lambda: course.bought)
    assert engine.logs()[0].count() < 6
    eventually(lambda: course.done and ended(engine, parts))
    assert engine.logs()[0].count() == 6


def test_one_failure_leaves_the_others_and_is_not_repeated(lab: EngineFixture) -> None:
    lab.sim.fault("moderation", prompt="cat 1", count=None)
    engine = lab.engine()
    parts = [part(lab, f"cat {n}", left=2) for n in range(3)]
    course = sent(engine, parts)
    found = states(engine, parts)
    assert found.count(State.COMPLETED) == 4
    assert len(found) == 6  # two failures, and none of them tried a second time
    assert lab.submits() == 6
    assert not course.problems


PAGE = {"status": 403, "body": "<html></html>", "headers": {"Content-Type": "text/html"}}


@pytest.mark.parametrize(
    ("fault", "details", "kind"),
    [("unauthorized", {}, errors.KeyRefused), ("answer", PAGE, errors.Blocked)],
)
def test_a_refused_key_or_a_firewall_stops_the_rest(
    lab: EngineFixture, fault: str, details: dict[str, Any], kind: type[errors.HailuoError]
) -> None:
    lab.sim.fault(fault, "submit", count=None, **details)
    engine = lab.engine()
    parts = [part(lab, f"cat {n}") for n in range(8)]
    course = SweepRunner(engine, parts, 2, lambda: False)
    error = course.wait_first(10)
    assert isinstance(error, kind)
    eventually(lambda: course.done)
    assert lab.submits() <= 4
    assert all(each.left == 0 for each in parts)
    assert not lab.sim.ledger.jobs


def test_two_providers_go_side_by_side(lab: EngineFixture) -> None:
    lab.sim.fault("unauthorized", "submit", wire="aimlapi", count=None)
    engine = lab.engine()
    parts = [part(lab, f"cat {n}", name) for n in range(3) for name in ("aimlapi", "segmind")]
    course = sent(engine, parts)
    assert set(course.problems) == {"aimlapi"}
    done = [engine.row(each.runs[0]).state for each in parts if each.provider == "segmind"]
    assert done == [State.COMPLETED] * 3


def test_stopped_half_way_nothing_more_is_sent(lab: EngineFixture) -> None:
    engine = lab.engine()
    parts = [part(lab, f"cat {n}") for n in range(6)]
    course = sent(engine, parts, 1, stopped=lambda: len(lab.sim.ledger.jobs) >= 3)
    assert course.stopped
    assert lab.submits() == 3
    assert states(engine, parts) == [State.COMPLETED] * 3  # what is bought is fetched
    assert sum(each.left for each in parts) == 3


def test_another_process_goes_on_and_buys_what_is_missing(lab: EngineFixture) -> None:
    engine = lab.engine()
    parts = [part(lab, f"cat {n}", new=True) for n in range(4)]
    sent(engine, parts, 1, stopped=lambda: len(lab.sim.ledger.jobs) >= 2)
    other = lab.engine()
    again = [part(lab, f"cat {n}", new=True) for n in range(4)]
    assert [other.find_reusable(each.submission).missing for each in again] == [0, 0, 1, 1]
    sent(other, again)
    assert lab.submits() == 4
    assert [each.runs for each in again[:2]] == [each.runs for each in parts[:2]]


def test_two_that_send_the_same_buy_it_once(lab: EngineFixture) -> None:
    both = [(lab.engine(), [part(lab, f"cat {n}", new=True) for n in range(4)]) for _ in range(2)]
    courses = [SweepRunner(engine, parts, 2, lambda: False) for engine, parts in both]
    eventually(lambda: all(course.done for course in courses))
    eventually(lambda: all(ended(engine, parts) for engine, parts in both))
    assert lab.submits() == 4


def test_a_lost_answer_is_not_sent_again(lab: EngineFixture) -> None:
    lab.sim.fault("lost-answer", "submit", prompt="cat 0")
    engine = lab.engine()
    parts = [part(lab, f"cat {n}") for n in range(2)]
    course = SweepRunner(engine, parts, 1, lambda: False)
    eventually(lambda: course.done and engine.row(parts[1].runs[0]).state is State.COMPLETED)
    assert lab.submits() == 2


def test_budgets_count_the_sweep_as_a_whole(lab: EngineFixture) -> None:
    engine = lab.engine()
    parts = [part(lab, f"cat {n}", mode="pro") for n in range(3)]
    high = parts[0].submission.price.high
    assert high
    lab.settings.budget_day_usd = high * 2.5
    with pytest.raises(errors.BudgetExceeded, match="these 3 clips"):
        check(engine, parts, lab.settings, yes=True)
    check(engine, parts[:2], lab.settings, yes=True)
    assert lab.submits() == 0


def test_a_budget_that_is_used_up_meanwhile_stops_it(lab: EngineFixture) -> None:
    engine = lab.engine()
    parts = [part(lab, f"cat {n}", mode="pro") for n in range(3)]
    price = parts[0].submission.price
    # A completed clip counts at least the low estimate; one that is still to come, the high one.
    lab.settings.budget_day_usd = 2.0 * (price.low or 0.0) + (price.high or 0.0) - 0.01
    course = sent(engine, parts, 1)
    assert isinstance(course.problems["segmind"], errors.BudgetExceeded)
    assert lab.submits() == 2


def test_size_price_and_doubt_each_ask_first(lab: EngineFixture) -> None:
    unknown = Price(None, None, "unknown", "", "", "")

    def plan_of(count: int, *, mode: str = "standard", priced: bool = True) -> Plan:
        parts = [part(lab, f"cat {n}", mode=mode) for n in range(count)]
        if not priced:
            for each in parts:
                provider = replace(each.submission.provider, prices=(Rule({}, unknown),))
                each.submission = replace(each.submission, provider=provider)
        shape = Shape((("x", tuple("abcdefgh"[:count])),), tuple((n,) for n in range(count)))
        return Plan("sweep-a", shape, tuple(parts), 1, False, None, "", 3)

    settings = lab.settings
    assert not plan_of(5).needs_confirmation(settings)
    assert plan_of(6).needs_confirmation(settings)
    assert plan_of(1, priced=False).needs_confirmation(settings)
    settings.sweep_confirm_usd = 1.0
    high = plan_of(1, mode="pro").total.high
    assert 0.3 < high < 1.0
    assert not plan_of(1, mode="pro").needs_confirmation(settings)
    assert plan_of(3, mode="pro").needs_confirmation(settings)
    settings.sweep_confirm_runs = 0
    assert plan_of(1).needs_confirmation(settings)
