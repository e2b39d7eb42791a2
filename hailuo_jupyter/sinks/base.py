"""The interface of a sink.

A package provides one with an entry point::

    [project.entry-points."hailuo_jupyter.sinks"]
    ours = "our_package.sink:OurSink"

and a person chooses it with ``%config Hailuo.sinks = ["ours"]``. It is loaded and called in its own
process, which has neither the kernel's memory nor a provider's key. So it may be slow, print,
and use libraries that keep global state; a call that takes too long is killed with its process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from hailuo_jupyter import clip_file as files
from hailuo_jupyter.record import Record


class Sink(ABC):
    """Receives finished runs. Created without arguments, in its process, before the first run."""

    @abstractmethod
    def ended(self, record: Record, folder: Path) -> None:
        """Store a finished run, or a later revision of it: rated, tagged, its cost now known.

        The same revision may be sent again: from another process, after an interruption, or because
        the person sends earlier runs. The run must not be stored twice. Calls of one sink never
        overlap, not even with those of other processes that share the run log.

        Parameters
        ----------
        record
            The run, redacted. ``record.state`` is completed, rejected, failed or expired.
        folder
            Its output folder, absolute; see `clip_file`.

        Raises
        ------
        Exception
            Any error, if the run cannot be stored. It is shown to the person once, in one line.
        """

    def close(self) -> None:  # noqa: B027 - most need nothing
        """Finish, before the process ends."""


def clip_file(record: Record, folder: Path) -> Path | None:
    """Return a run's clip; None if there is none, or its file no longer exists.

    Parameters
    ----------
    record, folder
        As for `Sink.ended`.
    """
    if record.clip is None:
        return None
    path = folder / record.clip.path
    is_here = files.clip_file(path, record.clip).condition is files.Condition.HERE
    return path if is_here else None
