"""What happens while a notebook is executed, for whoever shows it."""

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

#: Seconds between looks at the run log.
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
    """All cells were run; what goes on is waited for."""


Event = KernelStarts | CellBegins | RunMoved | WaitBegins
Tell = Callable[[Event], None]


def nobody(_event: Event) -> None:
    """Tell nobody."""


class Watch:
    """Tells what becomes of a notebook's runs, from the run log, whichever process works on them.

    Parameters
    ----------
    settings
        Tell where the run logs lie.
    notebook_id
        Whose runs.
    tell
        Called with each new state.
    """

    def __init__(self, settings: Hailuo, notebook_id: str, tell: Tell) -> None:
        self._paths = [settings.run_log_path(demo=demo) for demo in (False, True)]
        self._notebook_id, self._tell = notebook_id, tell
        self._since = dict.fromkeys(self._paths, time.time())
        self._logs: dict[Path, RunLog] = {}
        self._told: dict[str, State] = {}

    def look(self) -> None:
        """Tell what is new."""
        for path in self._paths:
            try:
                if path not in self._logs and path.is_file():
                    self._logs[path] = RunLog(path)
                if path in self._logs:
                    self._read(path, self._logs[path])
            except (HailuoError, ValueError):
                continue  # shown less; whoever works on the runs tells the error

    def _read(self, path: Path, log: RunLog) -> None:
        for row in log.changed_since(self._since[path]):
            self._since[path] = row.updated
            if row.notebook_id == self._notebook_id and self._told.get(row.run_id) != row.state:
                self._told[row.run_id] = row.state
                self._tell(RunMoved(row.record))

    async def follow(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_S)

    def close(self) -> None:
        """Look once more, and close the logs."""
        self.look()
        for log in self._logs.values():
            log.close()
        self._logs.clear()
