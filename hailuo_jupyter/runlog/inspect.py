"""Read-only inspection of a run log, without creating or changing it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from hailuo_jupyter.runlog import heartbeats, ownership
from hailuo_jupyter.runlog.connection import (
    BUSY_TIMEOUT_S,
    read_any_text,
    sqlite_in_words,
    system_in_words,
)
from hailuo_jupyter.runlog.heartbeats import NEVER, Beat
from hailuo_jupyter.runlog.queries import RunQueries
from hailuo_jupyter.runlog.rate_limits import StoredLimit
from hailuo_jupyter.runlog.row import Row
from hailuo_jupyter.runlog.schema import is_current, is_empty
from hailuo_jupyter.states import State


@dataclass(frozen=True)
class Unfinished:
    """An unfinished run, whether its owner is alive, and the owner's last heartbeat."""

    row: Row
    watched: bool
    beat: Beat = NEVER

    @property
    def pid(self) -> str:
        """The number of the run's process, current or last; empty if it never had one."""
        return (self.row.owner or "").partition("-")[0]

    @property
    def orphaned(self) -> bool:
        """Whether another process may continue the run."""
        waits_for_the_person = self.row.owner is None and self.row.state is State.PREPARED
        return not self.watched and not waits_for_the_person


@dataclass(frozen=True)
class LogSummary:
    """The state of a log.

    Parameters
    ----------
    size
        Size of its file, including a write-ahead log, in bytes.
    journal
        SQLite's name of the journal's kind: ``"wal"``, or ``"delete"`` if the file system has no
        shared memory.
    runs
        Number of its runs.
    unfinished
        The unfinished runs, the oldest first.
    limits
        Its rate limits.
    """

    size: int
    journal: str
    runs: int
    unfinished: tuple[Unfinished, ...]
    limits: tuple[StoredLimit, ...] = ()


class _Snapshot(RunQueries):
    """A log opened read-only."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection = path, connection

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return nullcontext(self._connection)


def inspect(path: Path) -> LogSummary:
    """Inspect an existing log.

    Parameters
    ----------
    path
        The log's file.

    Raises
    ------
    RunLogError, FolderNotWritable
        If it is not a run log, is a newer version's, or is unreadable.
    """
    with system_in_words(path), sqlite_in_words(path):
        files = (path, path.with_name(f"{path.name}-wal"))
        size = sum(each.stat().st_size for each in files if each.is_file())
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
            read_any_text(connection)
            journal = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
            if is_empty(connection):
                return LogSummary(size, journal, 0, ())
            log = _Snapshot(path, connection)
            # A log that is not migrated yet may lack new tables.
            limits = tuple(log.rate_limits(time.time())) if is_current(connection) else ()
            rows, runs = log.unfinished(), log.count()
            owners = {row.owner for row in rows if row.owner is not None}
            beats = heartbeats.beats(connection, owners)
    living = {row.owner: ownership.alive(path, row.owner) for row in rows if row.owner}
    return LogSummary(
        size,
        journal,
        runs,
        tuple(
            Unfinished(row, living.get(owner := row.owner or "", False), beats.get(owner, NEVER))
            for row in rows
        ),
        limits,
    )


def server_mark(path: Path) -> Path:
    """Return the owner path of Jupyter servers that collect runs of a log (see `Owner`)."""
    return path.with_name(f"{path.name}.servers")


def servers(path: Path) -> list[str]:
    """Return the numbers of the processes of live servers that collect runs of a log."""
    return [each.partition("-")[0] for each in ownership.living(server_mark(path))]
