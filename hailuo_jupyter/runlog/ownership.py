"""Which process watches a run: a locked file for each process, freed by the system when it dies.

A fork shares the lock of its parent: it would keep the lock after the parent's death, or free it
under the parent. So every fork forgets it at once, without unlocking (`Owner.forget`).
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

from hailuo_jupyter.closing import Closing
from hailuo_jupyter.runlog.connection import system_in_words

_OWNER_ID = re.compile(r"[0-9]+-[0-9a-f]{8}")

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        os.lseek(handle, 0, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        # flock and not lockf: two handles of one process exclude each other too, and closing some
        # other handle of the file frees nothing.
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class Owner(Closing):
    """The present process as a watcher of runs, for as long as it lives and has not closed this.

    Parameters
    ----------
    log_path
        The run log's file; the lock lies in ``<its name>.owners/`` beside it.

    Raises
    ------
    FolderNotWritable, DiskFull, RunLogError
        If the lock file cannot be made.
    """

    def __init__(self, log_path: Path) -> None:
        folder = owners_folder(log_path)
        with system_in_words(log_path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sweep(folder)
            while True:
                self.id = f"{os.getpid()}-{secrets.token_hex(4)}"
                self._path = _lock_file(folder, self.id)
                # os.open sets O_CLOEXEC, so programs that are started do not inherit the lock.
                handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
                self._handle: int | None = handle
                # Another process's sweep may take a file for a dead one's between these two lines.
                if _try_lock(handle) and _still_there(handle, self._path):
                    break
                os.close(handle)
        _owners.add(self)

    def close(self) -> None:
        """Stop being an owner: runs still claimed are free to be taken. May be repeated."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        with suppress(OSError):  # Windows does not remove an open file
            self._path.unlink()
        os.close(handle)
        with suppress(OSError):
            self._path.unlink()

    def forget(self) -> None:
        """In a fork: let go of the parent's lock without freeing it.

        Done by itself in each child of `os.fork` (so also of multiprocessing). Call it only where a
        fork came about in another way.
        """
        if self._handle is not None:
            # Closing one of two handles of a shared lock frees nothing; unlocking would.
            os.close(self._handle)
            self._handle = None


def alive(log_path: Path, owner: str) -> bool:
    """Tell whether a process lives that made this owner and has not closed it.

    Parameters
    ----------
    log_path
        The run log's file.
    owner
        `Owner.id`; any other text is nobody's and so not alive.
    """
    if not _OWNER_ID.fullmatch(owner):
        return False
    try:
        handle = os.open(_lock_file(owners_folder(log_path), owner), os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # in doubt nobody's run is taken away
    try:
        return not _try_lock(handle)
    finally:
        os.close(handle)


def living(log_path: Path) -> list[str]:
    """Give the ids of the owners that live."""
    ids = sorted(path.stem for path in owners_folder(log_path).glob("*.lock"))
    return [each for each in ids if alive(log_path, each)]


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Have this block run in one process at a time, of all that name the same file. Blocks.

    Parameters
    ----------
    path
        A file of its own; made if it is not there, and never removed. A dead process holds nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        while not _try_lock(handle):
            time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def owners_folder(log_path: Path) -> Path:
    """Give the folder in which a log's owners have their lock files."""
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
                if _try_lock(handle):
                    path.unlink()
            finally:
                os.close(handle)


_owners: weakref.WeakSet[Owner] = weakref.WeakSet()


def _forget_all() -> None:
    for owner in list(_owners):
        owner.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
