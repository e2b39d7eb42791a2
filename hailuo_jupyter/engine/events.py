"""The latest row of each run, and listeners for its changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from hailuo_jupyter.runlog import Row

logger = logging.getLogger(__name__)

Listener = Callable[[Row], None]


class RunEvents:
    """The latest row of each run that this process works on or shows. Thread-safe."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._listeners: dict[str, list[Listener]] = {}
        self._everything: list[Listener] = []
        self._changed = threading.Condition()

    def get(self, run_id: str) -> Row | None:
        """Return the latest row of a run, or None if this process does not follow it."""
        return self._rows.get(run_id)

    def rows(self) -> tuple[Row, ...]:
        """Return the latest row of each run."""
        return tuple(self._rows.values())

    def publish(self, row: Row) -> None:
        """Store a row unless a newer revision is known, and notify the listeners."""
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
        """Call `listener` with each change, on the thread that makes it.

        Parameters
        ----------
        run_id
            The run; None for all runs.
        listener
            Has to return quickly.

        Returns
        -------
        callable
            Removes the listener.
        """
        where = self._everything if run_id is None else self._listeners.setdefault(run_id, [])
        where.append(listener)

        def leave() -> None:
            if listener in where:
                where.remove(listener)

        return leave

    def recheck(self) -> None:
        """Wake all waiters, if something other than a row has changed."""
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, done: Callable[[], bool], timeout: float | None) -> bool:
        """Block until `done` is true after some change; False after `timeout` seconds, if any."""
        with self._changed:
            return self._changed.wait_for(done, timeout)
