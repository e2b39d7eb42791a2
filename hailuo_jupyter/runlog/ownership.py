"""Which process owns a run: a locked file for each process, released by the system when it dies.

A fork shares the lock of its parent: it would keep the lock after the parent's death, or release it
while the parent is running. So every fork drops it at once, without unlocking (`Owner.forget`).
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from hailuo_jupyter.errors import OwnerStopped
from hailuo_jupyter.runlog.connection import system_in_words
from hailuo_jupyter.runlog.heartbeats import Beat
from hailuo_jupyter.runlog.row import Row
from hailuo_jupyter.states import State

_OWNER_ID = re.compile(r"[0-9]+-[0-9a-f]{8}")

if sys.platform == "win32":
    import msvcrt

    def try_lock(handle: int) -> bool:
        """Lock an open file, unless another handle has it locked; released when the handle is closed."""
        os.lseek(handle, 0, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(handle: int) -> bool:
        """Lock an open file, unless another handle has it locked; released when the handle is closed."""
        # flock and not lockf: two handles of one process exclude each other too, and closing some
        # other handle of the file releases nothing.
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class Owner:
    """The current process as an owner of runs, as long as it is alive and has not closed this.

    Parameters
    ----------
    log_path
        The run log's file; the lock is in ``<its name>.owners/`` next to it.

    Raises
    ------
    FolderNotWritable, DiskFull, RunLogError
        If the lock file cannot be created.
    """

    def __init__(self, log_path: Path) -> None:
        folder = owners_folder(log_path)
        with system_in_words(log_path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sweep(folder)
            while True:
                self.id = f"{os.getpid()}-{secrets.token_hex(4)}"
                self._path = _lock_file(folder, self.id)
                # os.open sets O_CLOEXEC, so child programs do not inherit the lock.
                handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
                self._handle: int | None = handle
                # Another process's sweep may take a file for a dead one's between these two lines.
                if try_lock(handle) and _still_there(handle, self._path):
                    break
                os.close(handle)
        _owners.add(self)

    def close(self) -> None:
        """Stop being an owner: runs still claimed can be claimed by others. May be repeated."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        with suppress(OSError):  # Windows does not remove an open file
            self._path.unlink()
        os.close(handle)
        with suppress(OSError):
            self._path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def forget(self) -> None:
        """In a fork: drop the parent's lock without releasing it.

        Called automatically in each child of `os.fork` (so also of multiprocessing). Call it only if a
        fork was created in another way.
        """
        if self._handle is not None:
            # Closing one of two handles of a shared lock releases nothing; unlocking would.
            os.close(self._handle)
            self._handle = None


def alive(log_path: Path, owner: str) -> bool:
    """Return whether the process that created this owner is alive and has not closed it.

    Parameters
    ----------
    log_path
        The run log's file.
    owner
        `Owner.id`; any other text counts as not alive.
    """
    if not _OWNER_ID.fullmatch(owner):
        return False
    try:
        handle = os.open(_lock_file(owners_folder(log_path), owner), os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # in doubt no run is taken away
    try:
        return not try_lock(handle)
    except OSError:
        return True
    finally:
        os.close(handle)


def living(log_path: Path) -> list[str]:
    """Return the ids of the live owners."""
    try:
        ids = sorted(path.stem for path in owners_folder(log_path).glob("*.lock"))
    except OSError:  # the folder cannot be entered
        return []
    return [each for each in ids if alive(log_path, each)]


def describe_owner(row: Row, last: Beat, now: float) -> str:
    """Return which live process works on a run, and when its last heartbeat was, as a sentence.

    Parameters
    ----------
    row, last
        The run, and its owner's last heartbeat.
    now
        Seconds since 1970.
    """
    pid = (row.owner or "").partition("-")[0]
    where = "" if last.is_here or not last.host else " on another machine"
    seen = f", last active {_ago(now - last.at)}" if last.count else ""
    return f"Run {row.run_id} is held by process {pid}{where}{seen}."


def stopped_owner_error(row: Row, last: Beat) -> OwnerStopped:
    """Return the error for a run that was not sent, and that only a stopped process may send.

    Parameters
    ----------
    row, last
        The run, and its owner's last heartbeat.
    """
    pid = (row.owner or "").partition("-")[0]
    on_this_machine = last.is_here or not last.host
    end = f"taskkill /F /PID {pid}" if os.name == "nt" else f"kill -9 {pid}"
    sent = row.state is State.SUBMITTING
    return OwnerStopped(
        f"Process {pid}{'' if on_this_machine else ' on another machine'} has run {row.run_id} "
        "but is suspended.",
        money="You may have been charged." if sent else "Nothing was sent.",
        todo=f"Resume that process or end it ({end}), then rerun the cell.",
    )


def _ago(seconds: float) -> str:
    if seconds < 0:
        return "in the future (clock differs)"
    if seconds < 120:
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} minutes ago"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Run this block in only one process at a time that uses the same file. Blocks.

    Parameters
    ----------
    path
        A lock file; created if missing, never removed. A dead process holds no lock.
    """
    with system_in_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        while not _locked(handle, path):
            time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def _locked(handle: int, path: Path) -> bool:
    with system_in_words(path):
        return try_lock(handle)


def owners_folder(log_path: Path) -> Path:
    """Return the folder in which a log's owners have their lock files."""
    return log_path.with_name(f"{log_path.name}.owners")


def _lock_file(folder: Path, owner: str) -> Path:
    return folder / f"{owner}.lock"


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _sweep(folder: Path) -> None:
    """Remove the files of dead owners; a missing file means dead too."""
    for path in folder.glob("*.lock"):
        with suppress(OSError):
            handle = os.open(path, os.O_RDWR)
            try:
                if try_lock(handle):
                    path.unlink()
            finally:
                os.close(handle)


_owners: weakref.WeakSet[Owner] = weakref.WeakSet()


def _forget_all() -> None:
    for owner in list(_owners):
        owner.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
