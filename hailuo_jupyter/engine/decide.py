"""Decide whether a request is bought: one pure function of the notebook's runs in the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hailuo_jupyter.errors import NotBought
from hailuo_jupyter.states import AT_PROVIDER, State


class Action(StrEnum):
    """What is done for one requested clip."""

    BUY = "buy"
    ATTACH = "attach"
    SHOW = "show"
    FETCH = "fetch"


@dataclass(frozen=True)
class EarlierRun:
    """What the log has about one earlier run of the same request in the same notebook.

    Parameters
    ----------
    run_id, state
        Which run, and its state.
    in_hand
        A live process is working on it.
    clip_here
        Its clip is where the record says.
    provider_keeps
        The provider may still have the clip.
    problem
        The run's problem, for an error message.
    damaged
        What is wrong with the file at its clip's path; written after that file's name.
    folder
        Name of the folder that its clip was in.
    deleted
        The day on which its clip was deleted on purpose; empty if it was not.
    whence
        Where it was requested, in words, if not in the current notebook.
    """

    run_id: str
    state: State
    in_hand: bool = False
    clip_here: bool = False
    provider_keeps: bool = False
    problem: str = ""
    damaged: str = ""
    folder: str = ""
    deleted: str = ""
    whence: str = ""


@dataclass(frozen=True)
class Decision:
    """The decision: runs that are reused, and how many are bought."""

    kept: tuple[tuple[Action, str], ...]
    buy: int


def decide(runs: Sequence[EarlierRun], *, count: int = 1, new: bool = False) -> Decision:
    """Decide what running a cell does.

    Parameters
    ----------
    runs
        Earlier runs of this request in this notebook, newest first.
    count
        How many runs of this request the cell wants.
    new
        Buy all of them, ignoring earlier runs.

    Returns
    -------
    Decision
        At most `count` runs in all, the oldest first.

    Raises
    ------
    NotBought
        If an earlier run's clip may be paid for but cannot be shown: only the person
        can decide to pay again.
    """
    if new:
        return Decision((), count)
    serving = [(act, run.run_id) for run in runs if (act := _serves(run))][:count]
    missing = count - len(serving)
    if missing:
        for run in runs:
            if not _serves(run) and (refusal := _blocks_purchase(run)):
                raise _from_elsewhere(refusal, run) if run.whence else refusal
    return Decision(tuple(reversed(serving)), missing)


def _serves(run: EarlierRun) -> Action | None:
    if run.state is State.COMPLETED:
        if run.clip_here:
            return Action.SHOW
        return Action.FETCH if run.provider_keeps else None
    if run.state in AT_PROVIDER | {State.DOWNLOADING}:
        return Action.ATTACH
    if run.state is State.UNDOWNLOADED:
        return Action.FETCH
    # Not sent yet, but a living process is about to.
    if run.in_hand and run.state in {State.PREPARED, State.UPLOADING, State.SUBMITTING}:
        return Action.ATTACH
    return None


def _from_elsewhere(refusal: NotBought, run: EarlierRun) -> NotBought:
    what = f"{refusal.what} It was requested {run.whence}."
    return NotBought(what, money=refusal.money, todo=refusal.todo)


#: A clip was made, and can't be had any more.
_GONE = "The provider no longer has it. You were charged once; nothing was sent now."


def _blocks_purchase(run: EarlierRun) -> NotBought | None:
    again = "Add --new to the cell to generate another clip."
    detail = f" {run.problem}" if run.problem else ""
    where = f"in {run.folder}" if run.folder else "in its folder"
    if run.state is State.COMPLETED:
        if run.deleted:
            return NotBought(
                f"Run {run.run_id} had its clip pruned on {run.deleted}.",
                money=_GONE,
                todo=again,
            )
        if run.damaged:
            return NotBought(
                f"The clip of run {run.run_id} {where} {run.damaged}.",
                money=_GONE,
                todo="Restore the file ('git lfs pull', 'git annex get'), or use --new.",
            )
        return NotBought(
            f"The clip of run {run.run_id} is no longer {where}.",
            money=_GONE,
            todo="Restore it, use 'jupyter hailuo relink FOLDER', or add --new to the cell.",
        )
    if run.state is State.EXPIRED:
        return NotBought(
            f"Run {run.run_id} was paid for, but its clip expired.{detail}",
            money="You were charged once; nothing was sent now.",
            todo=again,
        )
    if run.state in {State.UNCONFIRMED, State.SUBMITTING}:
        return NotBought(
            f"Run {run.run_id} was sent, but the response was lost.{detail}",
            money="You may have been charged; nothing was sent now.",
            todo="Check the provider's history. If the job isn't there, add --new to the cell.",
        )
    return None
