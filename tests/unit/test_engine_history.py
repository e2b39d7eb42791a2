"""Which request of a history is which run: only what fits one alone is ever taken."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter import catalogue, record, request
from hailuo_jupyter.engine.match_history import (
    LostRequest,
    MatchKind,
    lost_request,
    match_history,
    same_inputs,
)
from hailuo_jupyter.providers.history import HistoryRow
from hailuo_jupyter.states import State

BODY = {"prompt": "a cat", "mode": "standard", "image_url": None, "prompt_optimizer": True}


def run(name: str, sent: float = 1000.0, **body: Any) -> LostRequest:
    return LostRequest(name, f"ours-{name}", sent, sent - 120, sent + 180, {**BODY, **body})


def row(job_id: str | None, at: float | None = 1001.0, **body: Any) -> HistoryRow:
    return HistoryRow(job_id, at=at, body={**BODY, **body})


def verdicts(runs: list[LostRequest], rows: list[HistoryRow], **how: Any) -> dict[str, str]:
    found = match_history(runs, rows, **{"taken": (), "by_our_id": False, **how})
    return {
        name: each.row.job_id or "" if each.row else each.kind.value for name, each in found.items()
    }


def test_one_run_and_one_request() -> None:
    assert verdicts([run("a")], [row("x"), row("y", prompt="a dog")]) == {"a": "x"}
    assert verdicts([run("a")], [row("y", mode="pro"), row("z", at=5000.0, mode="pro")]) == {
        "a": "no"
    }
    assert verdicts([run("a")], [row("x")], taken={"x"}) == {"a": "no"}
    assert verdicts([run("a")], []) == {"a": "no"}


def test_an_equal_request_at_another_time_may_be_the_one() -> None:
    """The clock of this machine may have been corrected in between."""
    for at in (5000.0, -5000.0):
        assert verdicts([run("a")], [row("x", at=at)]) == {"a": "unreadable"}
        assert verdicts([run("a")], [row("x", at=at)], taken={"x"}) == {"a": "no"}
        assert verdicts([run("a")], [row("x", at=at), row("y")]) == {"a": "y"}
        assert verdicts([run("a")], [HistoryRow("x", at=at)], by_our_id=True) == {"a": "no"}


def test_what_fits_twice_is_left() -> None:
    assert verdicts([run("a")], [row("x"), row("y")]) == {"a": "several"}
    assert verdicts([run("a"), run("b")], [row("x")]) == {"a": "several", "b": "several"}
    assert verdicts([run("a"), run("b", 5000.0)], [row("x"), row("y", 5001.0)]) == {
        "a": "x",
        "b": "y",
    }
    (found,) = match_history(
        [run("a")], [row("x"), row("y"), row("z")], taken=(), by_our_id=False
    ).values()
    assert (found.kind, found.several) == (MatchKind.SEVERAL, 3)


def test_what_cannot_be_read_may_be_the_one() -> None:
    for odd in (
        HistoryRow("x", at=1001.0),
        HistoryRow("x", body=BODY),
        HistoryRow(None, at=1001.0, body=BODY),
    ):
        assert verdicts([run("a")], [odd]) == {"a": "unreadable"}
    assert verdicts([run("a")], [HistoryRow("x", at=9000.0)]) == {"a": "no"}
    assert verdicts([run("a")], [HistoryRow("x", at=1001.0)], by_our_id=True) == {"a": "unreadable"}


def test_our_own_id_tells_equal_requests_apart() -> None:
    rows = [HistoryRow("x", "ours-b"), HistoryRow("y", "ours-a"), HistoryRow("z", "another")]
    assert verdicts([run("a"), run("b")], rows, by_our_id=True) == {"a": "y", "b": "x"}
    assert verdicts([run("a")], [*rows, HistoryRow("w", "ours-a")], by_our_id=True) == {
        "a": "several"
    }


def test_which_inputs_are_the_same() -> None:
    assert same_inputs(BODY, {**BODY, "seed": 1, "image_url": ""})
    assert same_inputs(BODY, {key: value for key, value in BODY.items() if value is not None})
    assert not same_inputs(BODY, {**BODY, "image_url": "https://storage.example/a.png"})
    assert not same_inputs(BODY, {**BODY, "prompt_optimizer": 1})
    assert not same_inputs(BODY, {**BODY, "prompt": "a cat "})
    local = {**BODY, "image_url": {"frame": "ab" * 32}}
    assert same_inputs(local, {**BODY, "image_url": "https://storage.example/a.png"})
    assert not same_inputs(local, BODY)
    url = {**BODY, "image_url": "https://pictures.example/a.png"}
    assert same_inputs(url, {**BODY, "image_url": "https://pictures.example/a.png?signature=x"})
    assert not same_inputs(url, {**BODY, "image_url": "https://pictures.example/b.png"})


def test_what_is_looked_for_of_a_record() -> None:
    asked = request.build("a cat", catalogue.provider("segmind"), options={})
    prepared = record.prepare(asked, at=1000.0)
    assert lost_request(prepared) is None
    sent = prepared.moved(State.SUBMITTING, at=1010.0, body=dict(BODY))
    lost = sent.moved(State.UNCONFIRMED, at=1030.0)
    known = lost_request(lost)
    assert known is not None
    assert (known.sent, known.first, known.last) == (1010.0, 890.0, 1150.0)
    # A kernel that died is known of days later: the request did not take that long.
    dead = lost_request(sent.moved(State.UNCONFIRMED, at=500_000.0))
    assert dead is not None
    assert dead.last == 1010.0 + 900.0 + 120.0
    backwards = lost_request(sent.moved(State.UNCONFIRMED, at=5.0))  # the clock was set back
    assert backwards is not None
    assert backwards.last > backwards.first


PROMPTS = st.sampled_from(["a", "b"])
TIMES = st.sampled_from([1000.0, 1100.0, 4000.0])


@given(
    runs=st.lists(st.tuples(PROMPTS, TIMES), max_size=4),
    rows=st.lists(st.tuples(PROMPTS, TIMES, st.booleans()), max_size=4),
    taken=st.sets(st.sampled_from(["job0", "job1"])),
)
def test_a_job_is_given_to_one_run_and_only_where_nothing_else_fits(
    runs: list[tuple[str, float]], rows: list[tuple[str, float, bool]], taken: set[str]
) -> None:
    ours = [run(f"run{n}", at, prompt=prompt) for n, (prompt, at) in enumerate(runs)]
    theirs = [
        row(f"job{n}", at if readable else None, prompt=prompt)
        for n, (prompt, at, readable) in enumerate(rows)
    ]
    found = match_history(ours, theirs, taken=taken, by_our_id=False)
    assert set(found) == {each.run_id for each in ours}
    given_out = [each.row.job_id for each in found.values() if each.row is not None]
    assert len(given_out) == len(set(given_out))
    assert not taken & set(given_out)
    for mine, (prompt, sent) in zip(ours, runs, strict=True):
        fitting = [
            f"job{n}"
            for n, (theirs_, at, readable) in enumerate(rows)
            if readable and theirs_ == prompt and abs(at - sent) <= 150 and f"job{n}" not in taken
        ]
        rivals = [other for other in runs if other[0] == prompt and abs(other[1] - sent) <= 300]
        if len(fitting) == 1 and len(rivals) == 1:
            assert found[mine.run_id].kind is MatchKind.YES
        if len(fitting) > 1:
            assert found[mine.run_id].kind is MatchKind.SEVERAL
        if not fitting:
            assert found[mine.run_id].row is None


def test_a_request_that_was_deferred_is_looked_for_when_it_was_sent_at_last() -> None:
    segmind = catalogue.provider("segmind")
    made = record.prepare(request.build("a cat", segmind, options={}), segmind, at=100_000.0)
    deferred = made.moved(State.SUBMITTING, at=100_001.0, body=BODY).moved(State.PREPARED)
    lost = deferred.moved(State.SUBMITTING, at=103_600.0).moved(State.UNCONFIRMED, at=103_660.0)
    known = lost_request(lost)
    assert known is not None
    assert (known.sent, known.first, known.last) == (103_600.0, 103_480.0, 103_780.0)
    # A repeat of a lost one does not: the first may have arrived.
    repeated = made.moved(State.SUBMITTING, at=200.0).moved(State.SUBMITTING, at=230.0)
    assert repeated.entered(State.SUBMITTING) == 200.0


def test_inputs_within_an_object_are_compared() -> None:
    frame = {"frame": "0" * 64}
    sent = {"input": {"prompt": "a cat", "duration": 6, "first_frame_image": frame}}
    shown = {"prompt": "a cat", "duration": 6, "first_frame_image": "https://storage.example/a.png"}
    assert same_inputs(sent, {"input": {**shown, "seed": 1}, "webhook": None})
    assert not same_inputs(sent, {"input": {**shown, "prompt": "a dog"}})
    assert not same_inputs(sent, {"input": {**shown, "first_frame_image": None}})
    assert not same_inputs(sent, {"input": "https://storage.example/a.png"})
    assert not same_inputs(sent, {})
