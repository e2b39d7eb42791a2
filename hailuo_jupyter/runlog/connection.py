"""Opening the log's file so that commits last, and telling SQLite's errors in words."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hailuo_jupyter.chance import CHANCE
from hailuo_jupyter.errors import DiskFull, FolderNotWritable, HailuoError, RunLogError

#: How long a statement waits for other processes, in seconds.
BUSY_TIMEOUT_S = 5.0

_MONEY = "What was sent before goes on at the provider; nothing was sent again."

# Closing any handle of a file drops all locks that this process has on it (POSIX), so no connection
# may be opened between the making of the file and the closing of that handle.
_opening = threading.Lock()


def connect(path: Path, *, vfs: str | None = None) -> sqlite3.Connection:
    """Open the log's file, made with its folder if it is not there: 0600 in 0700.

    Parameters
    ----------
    path
        The file. A folder that exists keeps its mode.
    vfs
        SQLite's access layer; the default one if None. Without shared memory (as ``unix-dotfile``)
        the log works with a rollback journal.

    Returns
    -------
    sqlite3.Connection
        In autocommit mode, usable from all threads, with write-ahead log where the file system can.

    Raises
    ------
    RunLogError, DiskFull, FolderNotWritable
        If it cannot be opened.
    """
    with system_in_words(path), sqlite_in_words(path), _opening:
        _make(path)
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw" + (f"&vfs={vfs}" if vfs else ""),
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _set_journal(connection)
            # FULL: a commit that was told is on disk, even if the power fails.
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def unsynced(connection: sqlite3.Connection) -> Iterator[None]:
    """Let the transactions of a block wait for no disk: a power failure may undo them, nothing else.

    With a write-ahead log only. Without one this could harm the file, so there it changes nothing.
    """
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        yield
        return
    connection.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        connection.execute("PRAGMA synchronous = FULL")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a block as one transaction: committed at its end, undone by any exception."""
    try:
        # IMMEDIATE: what the block reads cannot be changed by others before it writes.
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def sqlite_in_words(path: Path) -> Iterator[None]:
    """Raise DiskFull, FolderNotWritable or RunLogError in place of SQLite's errors."""
    try:
        yield
    except sqlite3.Error as error:
        raise _from_sqlite(error, path) from error


@contextmanager
def system_in_words(path: Path) -> Iterator[None]:
    """Raise DiskFull, FolderNotWritable or RunLogError in place of the operating system's errors."""
    try:
        yield
    except OSError as error:
        raise _from_system(error, path) from error


def _make(path: Path) -> None:
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        with suppress(OSError):  # another's file, opened through a group's rights
            path.chmod(0o600)


def _set_journal(connection: sqlite3.Connection) -> None:
    # Several processes may open a new log at once, and SQLite does not always wait for the lock
    # that a change of the journal needs: so wait here.
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
            # The first use shows whether the file system can share memory.
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if _primary(error) in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL}:
                connection.execute("PRAGMA journal_mode = DELETE").fetchone()
                return
            if _primary(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(CHANCE.uniform(0.005, 0.05))
        else:
            return


def _new_lock() -> None:
    global _opening  # noqa: PLW0603 -- a fork may have inherited it locked by a thread it lacks
    _opening = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)


def _primary(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


_ANOTHER_FILE = "or set HAILUO_RUN_LOG to another file."
_UNTOUCHED = "Clips and their records (a .json beside each .mp4) are not touched by this."
_DAMAGED = (
    "The run log {name} is damaged, or no run log at all.",
    _UNTOUCHED,
    f"Move it away to begin a new log, {_ANOTHER_FILE}",
)
_BUSY = (
    f"Another process kept the run log to itself for more than {BUSY_TIMEOUT_S:.0f} s.",
    _MONEY,
    "Try again; if it stays so, look for a stopped process that uses this log.",
)

#: What happened, what it means for money, what to do, by SQLite's primary result code.
_WORDS = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_CANTOPEN: (
        "The run log {name} cannot be opened.",
        _MONEY,
        f"See that its file and folder are yours, {_ANOTHER_FILE}",
    ),
    sqlite3.SQLITE_CONSTRAINT: (
        "A run of this id is in the run log already.",
        "The log is as it was before, and nothing was sent by this.",
        "",
    ),
}


def _from_sqlite(error: sqlite3.Error, path: Path) -> HailuoError:
    code = _primary(error)
    if code == sqlite3.SQLITE_FULL:
        return _disk_full()
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return _read_only(path)
    other = (f"The run log could not be used ({error}).", _MONEY, "Try again.")
    what, money, todo = _WORDS.get(code, other)
    return RunLogError(what.replace("{name}", path.name), money=money, todo=todo)


def _from_system(error: OSError, path: Path) -> HailuoError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _disk_full()
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
        return _read_only(path)
    return RunLogError(
        f"The run log could not be used ({error.strerror or error}).",
        money=_MONEY,
        todo=f"See that its folder is there, {_ANOTHER_FILE}",
    )


def _disk_full() -> DiskFull:
    return DiskFull(
        "There is no space left for the run log.",
        money=_MONEY,
        todo="Make room on the disk; the run can be collected afterwards.",
    )


def _read_only(path: Path) -> FolderNotWritable:
    return FolderNotWritable(
        f"The run log {path.name} or its folder does not take changes.",
        money=_MONEY,
        todo=f"Make them writable, {_ANOTHER_FILE}",
    )
