"""Events of the execution of a notebook, for a progress display."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State

#: Seconds between checks of the run log.
_LOOK_S = 0.2


@dataclass(frozen=True)
class KernelStarts:
    """The kernel is being started."""

    name: str


@dataclass(frozen=True)
class CellBegins:
    """A code cell is being run; both counts are of code cells that are not empty."""

    number: int
    of: int
    line: str


@dataclass(frozen=True)
class RunMoved:
    """A run has entered a state."""

    record: Record


@dataclass(frozen=True)
class WaitBegins:
    """All cells were run; waiting for active runs."""


Event = KernelStarts | CellBegins | RunMoved | WaitBegins
Tell = Callable[[Event], None]


def ignore_event(_event: Event) -> None:
    """Do nothing."""


class RunWatcher:
    """Reports state changes of a notebook's runs from the run log, whichever process works on them.

    Parameters
    ----------
    settings
        Contain the paths of the run logs.
    notebook_id
        The notebook of the runs.
    on_event
        Called with each event.
    """

    def __init__(self, settings: Hailuo, notebook_id: str, on_event: Tell) -> None:
        self._paths = [settings.run_log_path(demo=demo) for demo in (False, True)]
        self._notebook_id, self._on_event = notebook_id, on_event
        self._since = dict.fromkeys(self._paths, time.time())
        self._logs: dict[Path, RunLog] = {}
        self._reported: dict[str, State] = {}

    def look(self) -> None:
        """Return the new events."""
        for path in self._paths:
            try:
                if path not in self._logs and path.is_file():
                    self._logs[path] = RunLog(path)
                if path in self._logs:
                    self._read(path, self._logs[path])
            except (HailuoError, ValueError):
                continue  # the display misses it; the process that works on the runs reports the error

    def _read(self, path: Path, log: RunLog) -> None:
        for row in log.changed_since(self._since[path]):
            self._since[path] = row.updated
            news = self._reported.get(row.run_id) != row.state and row.is_readable
            if row.notebook_id == self._notebook_id and news:
                self._reported[row.run_id] = row.state
                self._on_event(RunMoved(row.record))

    async def follow(self) -> None:
        """Poll until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_S)

    def close(self) -> None:
        """Poll once more, and close the logs."""
        self.look()
        for log in self._logs.values():
            log.close()
        self._logs.clear()
