"""Whether a request is bought: one pure function over what the log knows of this notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hailuo_jupyter.errors import NotBought
from hailuo_jupyter.states import AT_PROVIDER, State


class Act(StrEnum):
    """What becomes of one wanted clip."""

    BUY = "buy"
    ATTACH = "attach"
    SHOW = "show"
    FETCH = "fetch"


@dataclass(frozen=True)
class Known:
    """What the log knows of one earlier run of the same request in the same notebook.

    Parameters
    ----------
    run_id, state
        Which run, and how far it came.
    in_hand
        A living process works on it.
    clip_here
        Its clip lies where the record says.
    provider_keeps
        The provider may still have the clip.
    told
        What the run's problem said, for a refusal.
    folder
        Name of the folder that its clip lay in.
    deleted
        The day on which its clip was deleted on purpose; empty if it was not.
    """

    run_id: str
    state: State
    in_hand: bool = False
    clip_here: bool = False
    provider_keeps: bool = False
    told: str = ""
    folder: str = ""
    deleted: str = ""


@dataclass(frozen=True)
class Decision:
    """What is done: runs that serve the request as they are, and how many are bought."""

    kept: tuple[tuple[Act, str], ...]
    buy: int


def decide(known: Sequence[Known], *, count: int = 1, new: bool = False) -> Decision:
    """Decide what running a cell does.

    Parameters
    ----------
    known
        Earlier runs of this request in this notebook, newest first.
    count
        How many runs of this request the cell wants.
    new
        Buy all of them, whatever there is.

    Returns
    -------
    Decision
        At most `count` runs in all, the oldest first.

    Raises
    ------
    NotBought
        If a run stands in the way whose clip may be paid for but cannot be shown: only the person
        can decide to pay again.
    """
    if new:
        return Decision((), count)
    serving = [(act, run.run_id) for run in known if (act := _serves(run))][:count]
    missing = count - len(serving)
    if missing:
        for run in known:
            if not _serves(run) and (refusal := _stands_in_the_way(run)):
                raise refusal
    return Decision(tuple(reversed(serving)), missing)


def _serves(run: Known) -> Act | None:
    if run.state is State.COMPLETED:
        if run.clip_here:
            return Act.SHOW
        return Act.FETCH if run.provider_keeps else None
    if run.state in AT_PROVIDER | {State.DOWNLOADING}:
        return Act.ATTACH
    if run.state is State.UNDOWNLOADED:
        return Act.FETCH
    # Not sent yet, but a living process is about to.
    if run.in_hand and run.state in {State.PREPARED, State.UPLOADING, State.SUBMITTING}:
        return Act.ATTACH
    return None


def _stands_in_the_way(run: Known) -> NotBought | None:
    again = "Put --new on the cell to buy another clip."
    told = f" {run.told}" if run.told else ""
    where = f" {run.folder}" if run.folder else ""
    if run.state is State.COMPLETED:
        if run.deleted:
            return NotBought(
                f"Run {run.run_id} of this request was completed, but its clip was deleted by "
                f"'jupyter hailuo prune' on {run.deleted}, and the provider has deleted it by now.",
                money="It was paid for once; nothing was sent now.",
                todo=again,
            )
        return NotBought(
            f"Run {run.run_id} of this request was completed, but its clip is no longer in its folder"
            f"{where}, and the provider has deleted it by now.",
            money="It was paid for once; nothing was sent now.",
            todo="If the folder was moved, 'jupyter hailuo relink FOLDER' finds the clip. Else put the "
            f"file back, or: {again[0].lower()}{again[1:]}",
        )
    if run.state is State.EXPIRED:
        return NotBought(
            f"Run {run.run_id} of this request was bought, but its clip expired at the provider before "
            f"it could be fetched.{told}",
            money="It was paid for once; nothing was sent now.",
            todo=again,
        )
    if run.state in {State.UNCONFIRMED, State.SUBMITTING}:
        return NotBought(
            f"Run {run.run_id} of this request was sent, but its answer was lost, so the clip may have "
            f"been bought.{told}",
            money="Nothing was sent now.",
            todo=f"Look at the provider's request history; if the job is not there: "
            f"{again[0].lower()}{again[1:]}",
        )
    return None
