"""What running a cell again does: the table of rules, as one pure function."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.engine.decide import Action, Decision, EarlierRun, decide
from hailuo_jupyter.errors import NotBought
from hailuo_jupyter.states import State

RUN = "20261120-140312-7f3kq9"


def known(state: State, run_id: str = RUN, **facts: bool | str) -> EarlierRun:
    return EarlierRun(run_id, state, **facts)  # type: ignore[arg-type]


BOUGHT = Decision((), 1)


def kept(act: Action, *run_ids: str) -> Decision:
    return Decision(tuple((act, run_id) for run_id in run_ids or (RUN,)), 0)


@pytest.mark.parametrize(
    ("run", "decision"),
    [
        (known(State.COMPLETED, clip_here=True), kept(Action.SHOW)),
        (known(State.COMPLETED, clip_here=True, provider_keeps=True), kept(Action.SHOW)),
        (known(State.COMPLETED, provider_keeps=True), kept(Action.FETCH)),
        (known(State.UPLOADING, in_hand=True), kept(Action.ATTACH)),
        (known(State.SUBMITTING, in_hand=True), kept(Action.ATTACH)),
        (known(State.PREPARED, in_hand=True), kept(Action.ATTACH)),
        (known(State.SUBMITTED), kept(Action.ATTACH)),
        (known(State.QUEUED), kept(Action.ATTACH)),
        (known(State.GENERATING), kept(Action.ATTACH)),
        (known(State.GENERATING, in_hand=True), kept(Action.ATTACH)),
        (known(State.DOWNLOADING), kept(Action.ATTACH)),
        (known(State.UNDOWNLOADED), kept(Action.FETCH)),
        (known(State.UNDOWNLOADED, in_hand=True), kept(Action.FETCH)),
        (known(State.PREPARED), BOUGHT),
        (known(State.UPLOADING), BOUGHT),
        (known(State.REJECTED), BOUGHT),
        (known(State.FAILED), BOUGHT),
    ],
    ids=lambda value: None if isinstance(value, Decision) else f"{value.state}-{value.in_hand}",
)
def test_one_earlier_run(run: EarlierRun, decision: Decision) -> None:
    assert decide([run]) == decision


def test_nothing_known_is_bought() -> None:
    assert decide([]) == BOUGHT


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (known(State.COMPLETED), "no longer in its folder"),
        (known(State.EXPIRED, problem="It was gone."), "It was gone."),
        (known(State.EXPIRED, provider_keeps=True), "clip expired"),
        (known(State.UNCONFIRMED, problem="The line broke."), "The line broke."),
        # A process died while it was sending, and nobody has set the run aside yet.
        (known(State.SUBMITTING), "response was lost"),
    ],
    ids=["clip gone", "expired", "expired, kept", "unconfirmed", "submitting, dead"],
)
def test_what_may_be_paid_for_stands_in_the_way_with_words(run: EarlierRun, words: str) -> None:
    with pytest.raises(NotBought) as caught:
        decide([run])
    assert RUN in caught.value.what
    assert words in caught.value.what
    assert "nothing was sent" in caught.value.money.lower()
    assert "--new" in caught.value.todo


@pytest.mark.parametrize(
    "run",
    [
        known(State.COMPLETED, folder="hailuo"),
        known(State.COMPLETED, folder="hailuo", damaged="is empty"),
        known(State.COMPLETED, folder="hailuo", deleted="2026-11-21"),
        known(State.EXPIRED),
        known(State.UNCONFIRMED),
    ],
    ids=["gone", "damaged", "pruned", "expired", "unconfirmed"],
)
def test_below_a_cell_a_refusal_takes_three_lines(run: EarlierRun) -> None:
    with pytest.raises(NotBought) as caught:
        decide([run])
    assert len(caught.value._render_traceback_()) == 3


@pytest.mark.parametrize("state", list(State))
def test_new_buys_whatever_there_is(state: State) -> None:
    assert decide([known(state)], new=True) == BOUGHT
    assert decide([known(state, clip_here=True, in_hand=True)], count=3, new=True).buy == 3


def test_only_what_is_missing_of_a_count_is_bought() -> None:
    runs = [known(State.GENERATING, "b"), known(State.COMPLETED, "a", clip_here=True)]
    assert decide(runs, count=4) == Decision(((Action.SHOW, "a"), (Action.ATTACH, "b")), 2)


def test_of_more_runs_than_wanted_the_newest_serve_and_the_oldest_stands_first() -> None:
    runs = [known(State.COMPLETED, name, clip_here=True) for name in "dcba"]
    assert decide(runs, count=2) == kept(Action.SHOW, "c", "d")


def test_a_newer_failure_does_not_hide_an_older_clip() -> None:
    runs = [known(State.FAILED, "b"), known(State.COMPLETED, "a", clip_here=True)]
    assert decide(runs) == kept(Action.SHOW, "a")


def test_a_doubtful_run_does_not_matter_where_enough_others_serve() -> None:
    runs = [known(State.UNCONFIRMED, "b"), known(State.COMPLETED, "a", clip_here=True)]
    assert decide(runs) == kept(Action.SHOW, "a")
    with pytest.raises(NotBought):
        decide(runs, count=2)


knowns = st.lists(
    st.builds(
        EarlierRun,
        st.text("abc", min_size=1),
        st.sampled_from(State),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
    max_size=8,
    unique_by=lambda run: run.run_id,
)

DOUBTFUL = {State.UNCONFIRMED, State.EXPIRED, State.SUBMITTING, State.COMPLETED}


@given(knowns, st.integers(1, 20), st.booleans())
def test_whatever_is_known_never_more_than_wanted(
    runs: Sequence[EarlierRun], count: int, new: bool
) -> None:
    try:
        decision = decide(runs, count=count, new=new)
    except NotBought:
        assert not new
        assert any(run.state in DOUBTFUL for run in runs)
        return
    assert len(decision.kept) + decision.buy == count
    assert decision.buy >= 0
    ids = [run_id for _, run_id in decision.kept]
    order = [run.run_id for run in runs]
    assert ids == sorted(ids, key=order.index, reverse=True), "the oldest first"
    if new:
        assert decision.buy == count


@given(knowns, st.integers(1, 8))
def test_a_second_look_at_what_was_decided_buys_nothing_more(
    runs: Sequence[EarlierRun], count: int
) -> None:
    try:
        decision = decide(runs, count=count)
    except NotBought:
        return
    bought = [known(State.PREPARED, f"new{n}", in_hand=True) for n in range(decision.buy)]
    again = decide([*bought, *runs], count=count)
    assert again.buy == 0
