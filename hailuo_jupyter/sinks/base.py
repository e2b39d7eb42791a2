"""What a sink is.

A package offers one by an entry point::

    [project.entry-points."hailuo_jupyter.sinks"]
    ours = "our_package.sink:OurSink"

and a person chooses it by ``%config Hailuo.sinks = ["ours"]``. It is loaded and called in a process of
its own, which has neither the kernel's memory nor a provider's key. So it may take its time, print,
and use libraries that keep global state; a call that takes too long is ended with its process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from hailuo_jupyter.record import Record


class Sink(ABC):
    """Takes runs that have ended. Made without arguments, in its process, before the first run."""

    @abstractmethod
    def ended(self, record: Record, folder: Path) -> None:
        """Take a run that has ended, or a later revision of it: rated, tagged, its cost now known.

        The same revision may come again: from another process, after an interruption, or because
        the person sends earlier runs. A run must not be there twice then. Calls for one sink never
        overlap, also not with those of other processes that share the run log.

        Parameters
        ----------
        record
            The run, redacted. ``record.state`` is completed, rejected, failed or expired.
        folder
            Its output folder, absolute; see `clip_file`.

        Raises
        ------
        Exception
            Anything, if it cannot be taken. The person is told of it once, in one line.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to do
        """Finish, before the process ends."""


def clip_file(record: Record, folder: Path) -> Path | None:
    """Give a run's clip; None where there is none, or where its file is not there any more.

    Parameters
    ----------
    record, folder
        As `Sink.ended` takes them.
    """
    if record.clip is None:
        return None
    path = folder / record.clip.path
    return path if path.is_file() and path.stat().st_size == record.clip.bytes else None
