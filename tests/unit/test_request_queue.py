"""Which request goes first, and what is not sent at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.engine.request_queue import (
    DUE,
    Entry,
    Group,
    Purpose,
    Queue,
    Wanted,
    entry,
    may_submit,
    of_no_job,
)

NOW = 1_795_000_000.0
TIMING = DurationEstimate(174.0, 0.35, sure=True)
HOUR = 3600.0


def wanted(purpose: Purpose, age: float, run_id: str = "run", **how: float) -> Wanted:
    return Wanted(run_id, purpose, since=NOW - age, lifetime_s=HOUR, timing=TIMING, calls=2, **how)  # type: ignore[arg-type]


def placed(purpose: Purpose, age: float, run_id: str = "run", **how: float) -> Entry:
    return entry(wanted(purpose, age, run_id, **how), NOW, per_minute=5.0, bought=20)


def order(*entries: Entry) -> list[str]:
    due = sorted((e for e in entries if e.group != Group.NOT_YET), key=lambda e: e.place)
    return [each.run_id for each in due]


def test_what_is_bought_goes_before_what_is_not() -> None:
    assert order(
        placed(Purpose.SUBMIT, 4000, "old submit"),
        placed(Purpose.SUBMIT, 10, "submit"),
        placed(Purpose.POLL, 330, "probably done"),
        placed(Purpose.POLL, 400, "surely done"),
        placed(Purpose.POLL, 3000, "soon lost"),
        placed(Purpose.POLL, 3300, "sooner lost"),
        placed(Purpose.RESULT, 300, "known to be done"),
        placed(Purpose.POLL, 60, "just begun"),
    ) == [
        "known to be done",
        "sooner lost",
        "soon lost",
        "surely done",
        "probably done",
        "old submit",
        "submit",
    ]


def test_a_look_is_due_when_the_job_is_done_with_a_chance_of_19_in_20() -> None:
    due = TIMING.quantile(DUE)
    assert placed(Purpose.POLL, due - 1).group == Group.LIKELY
    assert placed(Purpose.POLL, due + 1).group == Group.DUE
    assert placed(Purpose.POLL, 170).group == Group.NOT_YET
    assert placed(Purpose.POLL, 170).due == pytest.approx(NOW - 170 + due)


def test_a_look_that_is_not_due_never_goes_before_a_submit() -> None:
    for per_minute in (5.0, 60.0, 6000.0):
        for age in range(0, int(TIMING.quantile(DUE)), 10):
            poll = entry(wanted(Purpose.POLL, age), NOW, per_minute=per_minute, bought=5)
            assert poll.place > placed(Purpose.SUBMIT, 0).place


def test_a_look_in_vain_is_repeated_when_half_of_what_is_left_is_done() -> None:
    asked = 330.0
    again = TIMING.expected(asked)
    assert placed(Purpose.POLL, again - 5, asked_s=asked).group == Group.NOT_YET
    assert placed(Purpose.POLL, again + 5, asked_s=asked).group == Group.DUE


def test_where_the_limit_leaves_many_requests_looks_come_as_usual() -> None:
    plenty = entry(wanted(Purpose.POLL, 3.0), NOW, per_minute=60.0, bought=2)
    some = entry(wanted(Purpose.POLL, 120.0), NOW, per_minute=60.0, bought=20)
    few = entry(wanted(Purpose.POLL, 120.0), NOW, per_minute=60.0, bought=200)
    assert (plenty.group, some.group, few.group) == (Group.SPARE, Group.SPARE, Group.NOT_YET)


def test_a_job_at_risk_that_does_not_end_leaves_room_for_others() -> None:
    stuck = placed(Purpose.POLL, 3200, asked_s=3190.0)
    assert stuck.group == Group.NOT_YET
    assert stuck.due <= NOW + 120
    assert placed(Purpose.POLL, 3200, asked_s=3070.0).group == Group.AT_RISK


def test_what_is_lost_already_is_no_more_urgent_than_what_is_done() -> None:
    assert placed(Purpose.POLL, 3700).group == Group.DUE


def test_a_result_that_fails_again_and_again_keeps_nobody_waiting() -> None:
    failing = placed(Purpose.RESULT, 500, "failing", failures=3)
    assert order(failing, placed(Purpose.POLL, 400, "done")) == ["done", "failing"]
    assert placed(Purpose.RESULT, 3300, failures=3).group == Group.AT_RISK


# ── nothing is bought that cannot be fetched ───────────────────────────────────────────────────


def bought(count: int, age: float) -> list[Entry]:
    return [placed(Purpose.POLL, age, f"bought-{i}") for i in range(count)]


def test_a_submit_waits_while_what_is_bought_comes_close_to_its_end() -> None:
    submit = placed(Purpose.SUBMIT, 0, "submit")
    # Each takes 2.2 requests of 5 a minute: 40 take 17.6 minutes.
    assert may_submit(submit, bought(40, age=600), NOW, 5.0), "half of the 50 minutes left: 25"
    assert not may_submit(submit, bought(40, age=1800), NOW, 5.0), "half of the 30 minutes left"


def test_nothing_is_submitted_that_could_not_be_fetched_in_half_of_its_time() -> None:
    submit = placed(Purpose.SUBMIT, 0, "submit")
    assert may_submit(submit, [], NOW, 5.0)
    assert may_submit(submit, bought(60, age=0), NOW, 5.0)
    assert not may_submit(submit, bought(70, age=0), NOW, 5.0)
    assert not may_submit(submit, [], NOW, 0.1), "one request in ten minutes"


def test_what_is_lost_holds_no_submit() -> None:
    assert may_submit(placed(Purpose.SUBMIT, 0), bought(500, age=4000), NOW, 5.0)


def test_a_submit_that_is_held_is_not_next() -> None:
    submit, late = placed(Purpose.SUBMIT, 0, "submit"), bought(40, age=1800)
    queue = Queue((submit,), (), tuple(late)).with_submits_held(NOW, 5.0)
    assert queue.first() is None
    assert Queue((submit,), (), ()).with_submits_held(NOW, 5.0).first() == 0


# ── several processes ──────────────────────────────────────────────────────────────────────────


def test_another_process_s_urgent_request_precedes_ours() -> None:
    submit, poll = placed(Purpose.SUBMIT, 10, "a"), placed(Purpose.POLL, 400, "b")
    early = placed(Purpose.POLL, 50, "c")
    assert Queue((submit,), (), (poll,)).precedes(submit)
    assert not Queue((submit,), (), (early,)).precedes(submit)


def test_an_entry_is_stored_as_it_is_and_another_version_s_is_left_out() -> None:
    poll = placed(Purpose.POLL, 400)
    text = json.dumps([poll.dump(NOW + 7), ["something", "else"]])
    (read,) = Entry.load(json.loads(text))
    assert read.place == poll.place
    assert read.turn == NOW + 7


def test_a_request_of_no_job_takes_what_is_left() -> None:
    alone = Queue((of_no_job(NOW),), (), ())
    assert alone.first() == 0
    assert alone.with_submits_held(NOW, 0.1).first() == 0


# ── when it will be one's turn ─────────────────────────────────────────────────────────────────


def test_turns_are_an_interval_apart_and_looks_come_in_between() -> None:
    submits = tuple(placed(Purpose.SUBMIT, 100 - i, f"s{i:02}") for i in range(60))
    queue = Queue(submits, (), (placed(Purpose.RESULT, 300, "done"),))
    turns = queue.turns(NOW, next_at=NOW + 5, per_minute=5.0)
    assert turns["done"] == NOW + 5
    assert turns["s00"] == pytest.approx(NOW + 17)
    assert turns["s01"] == pytest.approx(NOW + 29)
    assert [turns[f"s{i:02}"] for i in range(60)] == sorted(turns[f"s{i:02}"] for i in range(60))
    # 60 submits, and looks and results of those whose jobs end meanwhile: 12 s each.
    assert 60 * 12 * 2 < turns["s59"] - NOW < 60 * 12 * 3.2


@given(
    st.lists(st.tuples(st.sampled_from(list(Purpose)), st.floats(0, 5000)), max_size=40),
    st.floats(0.5, 1000),
)
def test_every_request_gets_a_turn(asked: list[tuple[Purpose, float]], per_minute: float) -> None:
    entries = tuple(
        entry(wanted(purpose, age, f"r{i}"), NOW, per_minute=per_minute, bought=len(asked))
        for i, (purpose, age) in enumerate(asked)
    )
    turns = Queue(entries, (), ()).turns(NOW, next_at=NOW, per_minute=per_minute)
    assert turns.keys() == {each.run_id for each in entries}
    assert all(turn >= NOW for turn in turns.values())
