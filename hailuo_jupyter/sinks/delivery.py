"""Call a sink, in the process of ``jupyter hailuo log-to``."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from hailuo_jupyter import catalogue, redact
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.links import shared_json
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.runlog.ownership import alone
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.sinks import registry
from hailuo_jupyter.sinks.base import Sink

#: Seconds that a sink has for one run if no one waits; longer than a kernel waits (`dispatch`).
_MOST_S = 360.0

#: Maximum characters of a library's error message.
_MOST_WORDS = 300


class Delivery:
    """One sink, loaded for the first run and closed at the end; a context manager.

    Parameters
    ----------
    name
        The sink.
    settings
        Contain the path of the run log, whose lock file prevents two processes from calling the sink at once.
    unattended
        Send only what the sink does not have according to the run log, and end the process if the
        sink hangs: its kernel may have ended. A person who sends a run may have a new store.
    """

    def __init__(self, name: str, settings: Hailuo, *, unattended: bool = False) -> None:
        self._name, self._lock, self._unattended = name, lock_of(settings, name), unattended
        self._sink: Sink | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._sink is not None:
            with _quiet():
                self._sink.close()

    def send(self, row: Row, log: RunLog) -> str:
        """Send the sink a run, and record that in the log.

        Parameters
        ----------
        row, log
            The run, and the log that it is in.

        Returns
        -------
        str
            The error, in one line; empty if there was none.
        """
        try:
            with alone(self._lock):
                if self._unattended:
                    # Read inside the lock: another process may have sent it while this one waited.
                    left = {each.run_id: each for each in log.undelivered(self._name)}
                    if row.run_id not in left:
                        return ""
                    row = left[row.run_id]
                with _quiet(), _bounded(_MOST_S if self._unattended else None):
                    if self._sink is None:
                        self._sink = registry.load(self._name)
                    self._sink.ended(Record.from_json(shared_json(row.record_json)), row.folder)
                log.note_delivery(self._name, row.run_id, row.revision)
        except Exception as error:  # noqa: BLE001 - a foreign library may raise anything
            return _words(error)
        return ""


def lock_of(settings: Hailuo, name: str) -> Path:
    """Return the lock file for calls of a sink, next to the run log."""
    path = settings.run_log_path()
    safe = "".join(each for each in name if each.isalnum() or each in "-_")
    return path.with_name(f"{path.name}.sink-{safe}")


def key_variables() -> set[str]:
    """Return the environment variables that a sink's process does not have: the providers' keys."""
    return {name for each in catalogue.providers() for name in each.key_variables}


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the standard streams from libraries, which print and prompt, while a block runs.

    By their file descriptors, since libraries write below Python, and pass them to child processes.
    """
    kept = [os.dup(number) for number in (0, 1, 2)]
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        yield
    finally:
        for number, own in enumerate(kept):
            os.dup2(own, number)
            os.close(own)
        os.close(nothing)


@contextmanager
def _bounded(seconds: float | None) -> Iterator[None]:
    """End the process if a block takes longer: then its lock is released, and the run stays undelivered."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    if not isinstance(error, HailuoError):
        text = f"{type(error).__name__}: {text}"
    # Redacted first: a truncated link would not be recognized.
    return redact.text(text)[:_MOST_WORDS]
