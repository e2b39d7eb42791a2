"""A look at a log from outside, for who asks whether all is well: nothing is made or changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hailuo_jupyter.runlog import ownership, queries
from hailuo_jupyter.runlog.connection import (
    BUSY_TIMEOUT_S,
    sqlite_in_words,
    system_in_words,
)
from hailuo_jupyter.runlog.migrations import MIGRATIONS, missing
from hailuo_jupyter.runlog.schema import Row
from hailuo_jupyter.states import State


@dataclass(frozen=True)
class Unfinished:
    """A run that somebody has still to do something about, and whether its watcher lives."""

    row: Row
    watched: bool

    @property
    def pid(self) -> str:
        """The number of the process that watches it or did so last; empty where none ever did."""
        return (self.row.owner or "").partition("-")[0]

    @property
    def orphaned(self) -> bool:
        """Whether a process may go on with it that has nothing to do with it yet."""
        waits_for_the_person = self.row.owner is None and self.row.state is State.PREPARED
        return not self.watched and not waits_for_the_person


@dataclass(frozen=True)
class Look:
    """What is seen of a log.

    Parameters
    ----------
    size
        Of its file and, with a write-ahead log, of that, in bytes.
    journal
        SQLite's name of the journal's kind: ``"wal"``, or ``"delete"`` where the file system shares
        no memory.
    runs
        How many it holds.
    unfinished
        Those that are not finished, the oldest first.
    """

    size: int
    journal: str
    runs: int
    unfinished: tuple[Unfinished, ...]


def look(path: Path) -> Look:
    """Look at a log that is there.

    Parameters
    ----------
    path
        The log's file.

    Raises
    ------
    RunLogError, FolderNotWritable
        If it is no run log, a newer version's, or cannot be read.
    """
    with system_in_words(path), sqlite_in_words(path):
        files = (path, path.with_name(f"{path.name}-wal"))
        size = sum(each.stat().st_size for each in files if each.is_file())
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
            journal = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
            if MIGRATIONS[0][0] in missing(connection):  # just made, and without its tables yet
                return Look(size, journal, 0, ())
            rows = queries.unfinished(connection)
            runs = queries.count(connection, None, None, None)
    living = {row.owner: ownership.alive(path, row.owner) for row in rows if row.owner}
    return Look(
        size,
        journal,
        runs,
        tuple(Unfinished(row, living.get(row.owner or "", False)) for row in rows),
    )


def server_mark(path: Path) -> Path:
    """Give the path by which Jupyter servers that collect runs of a log are owners (see `Owner`)."""
    return path.with_name(f"{path.name}.servers")


def servers(path: Path) -> list[str]:
    """Give the numbers of the processes of living servers that collect runs of a log."""
    return [each.partition("-")[0] for each in ownership.living(server_mark(path))]
