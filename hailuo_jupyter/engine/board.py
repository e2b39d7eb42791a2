"""What is known of each run at the moment, and who wants to hear of its changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from hailuo_jupyter.runlog import Row

logger = logging.getLogger(__name__)

Listener = Callable[[Row], None]


class Board:
    """The latest row of each run that this process works on or looks at; for all threads."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._listeners: dict[str, list[Listener]] = {}
        self._everything: list[Listener] = []
        self._changed = threading.Condition()

    def get(self, run_id: str) -> Row | None:
        """Give the latest row of a run, or None if nobody here has to do with it."""
        return self._rows.get(run_id)

    def rows(self) -> tuple[Row, ...]:
        """Give the latest row of each run."""
        return tuple(self._rows.values())

    def publish(self, row: Row) -> None:
        """Put up a row, unless a later revision hangs there, and tell who listens."""
        with self._changed:
            latest = self._rows.get(row.run_id)
            if latest is not None and latest.revision > row.revision:
                return
            self._rows[row.run_id] = row
            self._changed.notify_all()
        for listener in (*self._listeners.get(row.run_id, ()), *self._everything):
            try:
                listener(row)
            except Exception:
                logger.exception("a listener of run %s failed", row.run_id)

    def listen(self, run_id: str | None, listener: Listener) -> Callable[[], None]:
        """Have `listener` called with each change, on the thread that makes it.

        Parameters
        ----------
        run_id
            Of one run; None for every run.
        listener
            Has to return soon.

        Returns
        -------
        callable
            Ends the listening.
        """
        where = self._everything if run_id is None else self._listeners.setdefault(run_id, [])
        where.append(listener)

        def leave() -> None:
            if listener in where:
                where.remove(listener)

        return leave

    def look_again(self) -> None:
        """Have whoever waits look again, where something other than a row has changed."""
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, done: Callable[[], bool], timeout: float) -> bool:
        """Wait, blocking, until `done` holds after some change; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(done, timeout)
