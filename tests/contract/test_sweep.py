"""A sweep on its way: exactly the planned submits, so many at once, whatever fails in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from hailuo_jupyter import errors
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.sweep import Course, Part, check
from hailuo_jupyter.engine.timing import Timing
from hailuo_jupyter.kernel.sweep.plan import Plan, Shape
from hailuo_jupyter.offer import Price, Rule
from hailuo_jupyter.states import State

from .conftest import Lab, eventually


@pytest.fixture
def lab(make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(Timing, "poll_interval", lambda *_: 0.05)
    return make_lab(segmind_seconds=0.1, aimlapi_6s_seconds=0.1)


def part(lab: Lab, prompt: str, provider: str = "segmind", *, left: int = 1, **how: Any) -> Part:
    order = replace(lab.order(prompt, provider, count=left, **how), sweep="sweep-a", yes=True)
    return Part(order, left)


def sent(engine: Engine, parts: Sequence[Part], parallel: int = 2, **how: Any) -> Course:
    course = Course(engine, parts, parallel, how.get("stopped", lambda: False))
    eventually(lambda: course.done and ended(engine, parts))
    return course


def ended(engine: Engine, parts: Sequence[Part]) -> bool:
    return all(engine.settled(run_id) for part in parts for run_id in part.runs)


def states(engine: Engine, parts: Sequence[Part]) -> list[State]:
    return [engine.row(run_id).state for part in parts for run_id in part.runs]


def most_at_once(engine: Engine, parts: Sequence[Part]) -> int:
    """Give how many runs were under way at once, by the records' own times."""
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


def test_all_is_sent_once_and_no_more_than_so_many_at_a_time(lab: Lab) -> None:
    engine = lab.engine()
    parts = [part(lab, f"cat {n}", left=2) for n in range(3)]
    sent(engine, parts)
    assert states(engine, parts) == [State.COMPLETED] * 6
    assert lab.submits() == 6
    assert [len(each.runs) for each in parts] == [2, 2, 2]
    assert most_at_once(engine, parts) <= 2
    assert {engine.row(parts[0].runs[0]).record.sweep} == {"sweep-a"}


def test_what_waits_is_no_row_of_the_log(lab: Lab) -> None:
    engine = lab.engine()
    parts = [part(lab, f"cat {n}") for n in range(6)]
    course = Course(engine, parts, 1, lambda: False)
    eventually(lambda: course.bought)
    assert engine.logs()[0].count() < 6
    eventually(lambda: course.done and ended(engine, parts))
    assert engine.logs()[0].count() == 6


def test_one_failure_leaves_the_others_and_is_not_repeated(lab: Lab) -> None:
    lab.sim.fault("moderation", prompt="cat 1", count=None)
    engine = lab.engine()
    parts = [part(lab, f"cat {n}", left=2) for n in range(3)]
    course = sent(engine, parts)
    found = states(engine, parts)
    assert found.count(State.COMPLETED) == 4
    assert len(found) == 6  # two failures, and none of them tried a second time
    assert lab.submits() == 6
    assert not course.problems


def test_a_refused_key_stops_the_rest(lab: Lab) -> None:
    lab.sim.fault("unauthorized", "submit", count=None)
    engine = lab.engine()
    parts = [part(lab, f"cat {n}") for n in range(8)]
    course = Course(engine, parts, 2, lambda: False)
    error = course.wait_first(10)
    assert isinstance(error, errors.KeyRefused)
    eventually(lambda: course.done)
    assert lab.submits() <= 4
    assert all(each.left == 0 for each in parts)
    assert not lab.sim.ledger.jobs


def test_two_providers_go_side_by_side(lab: Lab) -> None:
    lab.sim.fault("unauthorized", "submit", wire="aimlapi", count=None)
    engine = lab.engine()
    parts = [part(lab, f"cat {n}", name) for n in range(3) for name in ("aimlapi", "segmind")]
    course = sent(engine, parts)
    assert set(course.problems) == {"aimlapi"}
    done = [engine.row(each.runs[0]).state for each in parts if each.provider == "segmind"]
    assert done == [State.COMPLETED] * 3


def test_stopped_half_way_nothing_more_is_sent(lab: Lab) -> None:
    engine = lab.engine()
    parts = [part(lab, f"cat {n}") for n in range(6)]
    course = sent(engine, parts, 1, stopped=lambda: len(lab.sim.ledger.jobs) >= 3)
    assert course.stopped
    assert lab.submits() == 3
    assert states(engine, parts) == [State.COMPLETED] * 3  # what is bought is fetched
    assert sum(each.left for each in parts) == 3


def test_another_process_goes_on_and_buys_what_is_missing(lab: Lab) -> None:
    engine = lab.engine()
    parts = [part(lab, f"cat {n}", new=True) for n in range(4)]
    sent(engine, parts, 1, stopped=lambda: len(lab.sim.ledger.jobs) >= 2)
    other = lab.engine()
    again = [part(lab, f"cat {n}", new=True) for n in range(4)]
    assert [other.lacks(each.order) for each in again] == [0, 0, 1, 1]
    sent(other, again)
    assert lab.submits() == 4
    assert [each.runs for each in again[:2]] == [each.runs for each in parts[:2]]


def test_two_that_send_the_same_buy_it_once(lab: Lab) -> None:
    both = [(lab.engine(), [part(lab, f"cat {n}", new=True) for n in range(4)]) for _ in range(2)]
    courses = [Course(engine, parts, 2, lambda: False) for engine, parts in both]
    eventually(lambda: all(course.done for course in courses))
    eventually(lambda: all(ended(engine, parts) for engine, parts in both))
    assert lab.submits() == 4


def test_a_lost_answer_is_not_sent_again(lab: Lab) -> None:
    lab.sim.fault("lost-answer", "submit", prompt="cat 0")
    engine = lab.engine()
    parts = [part(lab, f"cat {n}") for n in range(2)]
    course = Course(engine, parts, 1, lambda: False)
    eventually(lambda: course.done and engine.row(parts[1].runs[0]).state is State.COMPLETED)
    assert lab.submits() == 2


def test_budgets_count_the_sweep_as_a_whole(lab: Lab) -> None:
    engine = lab.engine()
    parts = [part(lab, f"cat {n}", mode="pro") for n in range(3)]
    high = parts[0].order.provider.price(parts[0].order.request.options).high
    assert high
    lab.settings.budget_day_usd = high * 2.5
    with pytest.raises(errors.BudgetExceeded, match="these 3 clips"):
        check(engine, parts, lab.settings, yes=True)
    check(engine, parts[:2], lab.settings, yes=True)
    assert lab.submits() == 0


def test_a_budget_that_is_used_up_meanwhile_stops_it(lab: Lab) -> None:
    engine = lab.engine()
    parts = [part(lab, f"cat {n}", mode="pro") for n in range(3)]
    high = parts[0].order.provider.price(parts[0].order.request.options).high
    lab.settings.budget_day_usd = (high or 0.0) * 2.5
    course = sent(engine, parts, 1)
    assert isinstance(course.problems["segmind"], errors.BudgetExceeded)
    assert lab.submits() == 2


def test_size_price_and_doubt_each_ask_first(lab: Lab) -> None:
    unknown = Price(None, None, "unknown", "", "", "")

    def plan_of(count: int, *, mode: str = "standard", priced: bool = True) -> Plan:
        parts = [part(lab, f"cat {n}", mode=mode) for n in range(count)]
        if not priced:
            for each in parts:
                provider = replace(each.order.provider, prices=(Rule({}, unknown),))
                each.order = replace(each.order, provider=provider)
        shape = Shape((("x", tuple("abcdefgh"[:count])),), tuple((n,) for n in range(count)))
        return Plan("sweep-a", shape, tuple(parts), 1, False, None, "", 3)

    settings = lab.settings
    assert not plan_of(5).asks(settings)
    assert plan_of(6).asks(settings)
    assert plan_of(1, priced=False).asks(settings)
    settings.sweep_confirm_usd = 1.0
    high = plan_of(1, mode="pro").total.high
    assert 0.3 < high < 1.0
    assert not plan_of(1, mode="pro").asks(settings)
    assert plan_of(3, mode="pro").asks(settings)
    settings.sweep_confirm_runs = 0
    assert plan_of(1).asks(settings)
