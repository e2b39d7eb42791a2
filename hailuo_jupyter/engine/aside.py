"""What is said of a run whose process died before the provider's id was known."""

from __future__ import annotations

from hailuo_jupyter.engine.sidecar import write_what_was_left_out
from hailuo_jupyter.errors import AnswerLost, HailuoError, NotSent
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import State


def put_aside(row: Row, log: RunLog, *, at: float, died: bool) -> None:
    """Write down what becomes of a run that nobody can go on with by itself; its owner calls this.

    Parameters
    ----------
    row, log
        The run, and the log it is in.
    at
        Seconds since 1970.
    died
        See `set_aside`.
    """
    if (aside := set_aside(row, died=died)) is not None:
        state, problem = aside
        row = log.update(
            row.run_id,
            lambda record: record.moved(state, at=at, problem=problem.as_problem()),
            only_from={row.state},
        )
    if died:
        write_what_was_left_out(row, log)


def set_aside(row: Row, *, died: bool) -> tuple[State, HailuoError] | None:
    """Tell the state and the problem of a run that nobody can go on with by itself.

    Parameters
    ----------
    row
        The run as the log has it.
    died
        Whether a process had it in hand when it ended. A problem of one that was being offered again
        says that this goes on by itself, which is no longer true.

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
    waits = row.state is State.PREPARED and (died or row.record.problem is None)
    if row.state is State.UPLOADING or waits:
        return State.PREPARED, NotSent(
            "The kernel ended before the request was sent.",
            money="Nothing was bought.",
            todo="Run the cell again to send it.",
        )
    return None
