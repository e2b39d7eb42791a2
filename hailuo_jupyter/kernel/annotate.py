"""Rating, tags and note of a run, by its id; for commands.

Each goes into the run log, the record beside the clip and, by the bridge, into the metadata of the
notebooks that know the run. All may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.kernel import bridge


def rate(run_id: str, rating: int | None) -> None:
    """Rate a run.

    Parameters
    ----------
    run_id
        Its id, or an unambiguous part of it.
    rating
        0 to 5; None takes the rating away.

    Raises
    ------
    RunNotFound, OptionError
        If there is no such run, or no such rating; nothing was changed then.
    RunLogError
        If the log could not be changed.
    DiskError
        If the record beside the clip could not be written; the log has the rating all the same.
    """
    _run(run_id).rate(rating)


def tag(run_id: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
    """Add tags to a run, and take others away.

    Parameters
    ----------
    run_id
        Its id, or an unambiguous part of it.
    add, remove
        Tags of 1 to 60 characters.

    Raises
    ------
    RunNotFound, OptionError, RunLogError, DiskError
        As `rate`.
    """
    run = _run(run_id)
    if add:
        run.tag(*add)
    if remove:
        run.untag(*remove)


def note(run_id: str, text: str | None) -> None:
    """Put a note on a run in place of the one that it has; None takes it away.

    Raises
    ------
    RunNotFound, OptionError, RunLogError, DiskError
        As `rate`.
    """
    _run(run_id).note(text)


def _run(run_id: str) -> Run:
    engine = process.engine()
    # A kernel that has shown no run yet has nobody who tells the front end of a change.
    bridge.follow(engine)
    return engine.run(run_id)
