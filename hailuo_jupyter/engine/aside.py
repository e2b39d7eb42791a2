"""What is said of a run whose process died before the provider's id was known."""

from __future__ import annotations

from hailuo_jupyter.errors import AnswerLost, HailuoError, NotSent
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import State


def set_aside(row: Row) -> tuple[State, HailuoError] | None:
    """Tell the state and the problem of a run that nobody can go on with by itself.

    Returns
    -------
    state, problem or None
        None where the run needs nothing of the kind.
    """
    if row.state is State.SUBMITTING:
        return State.UNCONFIRMED, AnswerLost(
            "The kernel ended while the request was on its way.",
            money="The clip may have been bought.",
            todo="Look at the provider's request history before you send it again with --new.",
        )
    if row.state is State.UPLOADING or (row.state is State.PREPARED and row.record.problem is None):
        return State.PREPARED, NotSent(
            "The kernel ended before the request was sent.",
            money="Nothing was bought.",
            todo="Run the cell again to send it.",
        )
    return None
