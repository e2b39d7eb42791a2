"""``run:RUN@last``: a frame of a request, taken from the clip of an earlier run."""

from __future__ import annotations

from typing import Any

from hailuo_jupyter.errors import NOTHING_SENT, FrameError

PREFIX = "run:"


def is_run(source: object) -> bool:
    """Tell whether a frame is to be taken from a run's clip."""
    return isinstance(source, str) and source.startswith(PREFIX)


def resolved(source: Any) -> Any:
    """Give the frame that a source names: the picture of a run's clip, or the source itself.

    Parameters
    ----------
    source
        ``run:RUN@first``, ``run:RUN@last`` or ``run:RUN@2.5s``, where RUN is an id, a part of one,
        or a variable that holds the run; anything else is given back as it is.

    Returns
    -------
    hailuo_jupyter.frame.ClipFrame or the source

    Raises
    ------
    FrameError
        If it is written wrong, the clip is not here, or it is shorter.
    RunNotFound
        If there is no such run.
    """
    if not is_run(source):
        return source
    name, _, where = source.removeprefix(PREFIX).rpartition("@")
    if not name.strip() or not where.strip():
        raise FrameError(
            f"{source[:60]!a} does not say which frame of which run.",
            money=NOTHING_SENT,
            todo="It is written run:RUN@last, run:RUN@first or run:RUN@2.5s.",
        )
    return _run(name.strip()).frame(where.strip())


def _run(name: str) -> Any:
    from hailuo_jupyter.engine import process
    from hailuo_jupyter.kernel import origin
    from hailuo_jupyter.kernel.commands.naming import run_of

    ip = origin.shell()
    return process.engine().run(name) if ip is None else run_of(name, ip)
