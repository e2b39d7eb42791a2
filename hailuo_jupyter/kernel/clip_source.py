"""``run:RUN@last``: a frame of a request, taken from the clip of an earlier run."""

from __future__ import annotations

from typing import Any

from hailuo_jupyter.errors import NOTHING_SENT, FrameError

PREFIX = "run:"


def is_run(source: object) -> bool:
    """Return whether a frame is taken from a run's clip."""
    return isinstance(source, str) and source.startswith(PREFIX)


def resolved(source: Any) -> Any:
    """Return the frame for a source: the picture of a run's clip, or the source itself.

    Parameters
    ----------
    source
        ``run:RUN@first``, ``run:RUN@last`` or ``run:RUN@2.5s``, where RUN is an id, a part of one,
        a name that only one run has, or a variable with the run; anything else is returned unchanged.

    Returns
    -------
    hailuo_jupyter.request.frames.ClipFrame or the source

    Raises
    ------
    FrameError
        If it is invalid, or the clip is missing or shorter.
    RunNotFound
        If the run does not exist.
    """
    if not is_run(source):
        return source
    name, _, where = source.removeprefix(PREFIX).rpartition("@")
    if not name.strip() or not where.strip():
        raise FrameError(
            f"{source[:60]!a} isn't a valid frame of a run.",
            money=NOTHING_SENT,
            todo="Use run:RUN@last, run:RUN@first or run:RUN@2.5s.",
        )
    return _run(name.strip()).frame(where.strip())


def _run(name: str) -> Any:
    from hailuo_jupyter.kernel import context
    from hailuo_jupyter.kernel.commands.resolve_run import resolve_run
    from hailuo_jupyter.kernel.run_names import find_run

    ip = context.shell()
    return find_run(name, strict=True) if ip is None else resolve_run(name, ip, strict=True)
