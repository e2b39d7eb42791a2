"""Open the log's file with durable commits, and translate SQLite's errors."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from random import SystemRandom

from hailuo_jupyter import home
from hailuo_jupyter.errors import DiskFull, FolderNotWritable, HailuoError, RunLogError

#: Seconds that a statement waits for other processes.
BUSY_TIMEOUT_S = 5.0

_MONEY = "Jobs already sent continue at the provider; nothing was sent again."

# Closing any handle of a file drops all locks that this process has on it (POSIX), so no connection
# may be opened between creating the file and closing that handle.
_opening = threading.Lock()

#: Not reset by `random.seed`.
_random = SystemRandom()

#: Errors of a file system without locks, or without a lock service: NFS without its lock daemon,
#: SMB and Lustre with some mount options, FUSE without them.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


class LogReader:
    """Base of the query classes that make up `RunLog`."""

    #: The log's file.
    path: Path

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Return the connection for a block that reads, inside or outside of a transaction."""
        raise NotImplementedError


def connect(path: Path, *, vfs: str | None = None) -> sqlite3.Connection:
    """Open the log's file, created with its folder if missing: 0600 in 0700.

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
        In autocommit mode, usable from all threads, with write-ahead log if the file system supports it.

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
            read_any_text(connection)
            _set_journal(connection)
            # FULL: a completed commit is on disk, even after a power failure.
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
    return connection


def read_any_text(connection: sqlite3.Connection) -> None:
    """Read texts that are not UTF-8 too: a damaged one would abort a whole query, with all other runs."""
    connection.text_factory = partial(str, encoding="utf-8", errors="backslashreplace")


def is_there(path: Path) -> bool:
    """Return whether the log exists.

    Raises
    ------
    FolderNotWritable
        If its folder cannot be entered: that is not the same as an empty one.
    """
    with system_in_words(path):
        return path.is_file()


def locking_problem(folder: Path) -> str:
    """Return why files in a folder cannot be locked; empty if they can, or that cannot be tested."""
    if sys.platform == "win32":
        return ""  # Windows locks every file
    import fcntl

    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for lock in (fcntl.flock, fcntl.lockf):  # ours, and SQLite's
                try:
                    lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError as error:
                    return error.strerror or "no locks"
    except OSError:  # no file can be created there, which is another problem
        pass
    return ""


@contextmanager
def unsynced(connection: sqlite3.Connection) -> Iterator[None]:
    """Skip the wait for the disk in a block's transactions: only a power failure may undo them.

    Only with a write-ahead log. Without one this could damage the file, so it has no effect there.
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
    """Raise DiskFull, FolderNotWritable or RunLogError instead of SQLite's errors."""
    try:
        yield
    except sqlite3.Error as error:
        raise _from_sqlite(error, path) from error


@contextmanager
def system_in_words(path: Path) -> Iterator[None]:
    """Raise DiskFull, FolderNotWritable or RunLogError instead of the operating system's errors."""
    try:
        yield
    except OSError as error:
        raise _from_system(error, path) from error


def _make(path: Path) -> None:
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite would wait for such a lock until its timeout, as if another process had it.
    if why := locking_problem(path.parent):
        raise _no_locks(path, why)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        with suppress(OSError):  # another user's file, opened with group permissions
            path.chmod(0o600)


def _set_journal(connection: sqlite3.Connection) -> None:
    # Several processes may open a new log at once, and SQLite does not always wait for the lock
    # that a change of the journal needs: so wait here.
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
            # The first use shows whether the file system supports shared memory.
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if _primary(error) in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL}:
                connection.execute("PRAGMA journal_mode = DELETE").fetchone()
                return
            if _primary(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_random.uniform(0.005, 0.05))
        else:
            return


def _new_lock() -> None:
    global _opening  # noqa: PLW0603 -- a fork may have inherited it locked by a thread that it does not have
    _opening = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)


def _primary(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


_ANOTHER_FILE = "or set HAILUO_RUN_LOG to another file."
_UNTOUCHED = "Clips and their records (a .json next to each .mp4) are not affected."
_DAMAGED = (
    "{name} is damaged or isn't a run log.",
    _UNTOUCHED,
    f"Move it away to start a new log, {_ANOTHER_FILE}",
)
_BUSY = (
    f"The run log is locked by another process (waited {BUSY_TIMEOUT_S:.0f} s).",
    _MONEY,
    "Try again. If it stays locked, look for a suspended process that uses it.",
)

#: SQLite's result codes for a lock that was not available.
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL}

#: Error texts by SQLite's primary result code: what happened, the money, what to do.
_WORDS = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_CANTOPEN: (
        "The run log {path} cannot be opened.",
        _MONEY,
        f"Check that you own its file and folder, {_ANOTHER_FILE}",
    ),
    sqlite3.SQLITE_CONSTRAINT: (
        "The run log already has a run with this id.",
        "The log is unchanged, and nothing was sent.",
        "",
    ),
}


def _from_sqlite(error: sqlite3.Error, path: Path) -> HailuoError:
    code = _primary(error)
    if code == sqlite3.SQLITE_FULL:
        return _disk_full()
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return _read_only(path)
    # SQLite reports an unsupported lock as "busy", like one that another process holds.
    if code in _LOCKED and (why := locking_problem(path.parent)):
        return _no_locks(path, why)
    other = (f"The run log could not be used ({error}).", _MONEY, "Try again.")
    what, money, todo = _WORDS.get(code, other)
    what = what.replace("{name}", path.name).replace("{path}", home.shorten(path))
    return RunLogError(what, money=money, todo=todo)


def _from_system(error: OSError, path: Path) -> HailuoError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _disk_full()
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
        return _read_only(path)
    if error.errno in _NO_LOCKS and (why := locking_problem(path.parent)):
        return _no_locks(path, why)
    return RunLogError(
        f"The run log could not be used ({error.strerror or error}).",
        money=_MONEY,
        todo=f"Check that its folder exists, {_ANOTHER_FILE}",
    )


def _disk_full() -> DiskFull:
    return DiskFull(
        "No space left for the run log.",
        money=_MONEY,
        todo="Free some disk space; the run can be downloaded afterwards.",
    )


def _read_only(path: Path) -> FolderNotWritable:
    return FolderNotWritable(
        f"The run log {home.shorten(path)} cannot be written: it or its folder is read-only or "
        "owned by another user.",
        money=_MONEY,
        todo="Make both writable, or set HAILUO_RUN_LOG to a file in another folder.",
    )


def _no_locks(path: Path, why: str) -> RunLogError:
    return RunLogError(
        f"The run log's folder {home.shorten(path.parent)} is on a drive that does not lock files "
        f"({why}), as some network drives (NFS, SMB).",
        money="Without locks, two processes could buy the same clip, so nothing was sent.",
        todo="Set HAILUO_RUN_LOG to a file on a local disk.",
    )
