"""The run logs that are there: the user's own and the demo's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.settings import Hailuo


@contextmanager
def logs_there(settings: Hailuo | None = None) -> Iterator[list[RunLog]]:
    """Open the logs that exist, and close them at the end; none is made.

    Parameters
    ----------
    settings
        Tell where they lie; what is in force if None.

    Raises
    ------
    RunLogError, DiskError
        If one cannot be opened.
    """
    settings = settings or Hailuo.instance()
    with ExitStack() as stack:
        yield [
            stack.enter_context(RunLog(path))
            for demo in (False, True)
            if (path := settings.run_log_path(demo=demo)).is_file()
        ]


def all_rows(log: RunLog) -> list[Row]:
    """Give every run of a log that this version can read, in the order of their last changes."""
    found = []
    for row in log.changed_since(0.0):
        try:
            _ = row.record
        except ValueError:  # written by a newer version, whose runs are not ours to touch
            continue
        found.append(row)
    return found
