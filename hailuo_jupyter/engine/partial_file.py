"""A clip's file during the download: under its own name, locked, and removed if its process dies."""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from hailuo_jupyter.record.paths import part_name, read_part_name
from hailuo_jupyter.runlog.ownership import try_lock

_T = TypeVar("_T")

#: Seconds without new data after which a part of another machine, whose processes are unknown, is removed.
_FOREIGN_S = 86400.0


#: Seconds to wait for operations on a part before it is removed.
_TURN_S = 1.0


class PartialFile:
    """The received part of a clip. All methods but `abandon` block, and may be called from any thread.

    Parameters
    ----------
    folder
        The output folder.
    run_id, owner
        The clip's run and the downloading process: the part is removed if that process dies. Empty for none.
    """

    def __init__(self, folder: Path, run_id: str, owner: str) -> None:
        self.path = folder / part_name(run_id, owner, _host())
        self.sha256 = hashlib.sha256()
        self._handle: int | None = None
        self.moved = self._abandoned = False
        self._turn = threading.Lock()

    def create(self) -> None:
        """Create the file, and its folder if missing.

        Raises
        ------
        OSError
            If it cannot be created. An existing file or link of this name is never written to.
        """

        def act() -> None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
            flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            self._handle = os.open(self.path, flags, 0o666)
            if os.name == "posix":  # elsewhere an open file cannot be removed
                with suppress(OSError):  # a file system without locks
                    try_lock(self._handle)

        self._do(act)

    def write(self, data: bytearray) -> None:
        """Write the next data, and hash it."""

        def act() -> None:
            view = memoryview(data)
            while view:
                view = view[os.write(self._open(), view) :]
            self.sha256.update(data)

        self._do(act)

    def sync(self) -> None:
        """Flush the file to disk."""
        self._do(lambda: os.fsync(self._open()))

    def examine(self, read: Callable[[Path], _T]) -> _T:
        """Open the file for reading."""
        return self._do(lambda: read(self.path))

    def move_to(self, target: Path, unchecked: Path | None = None) -> None:
        """Rename the file to its final name, and flush that to disk.

        A link of that name is replaced, not followed.

        Parameters
        ----------
        target
            The clip's file.
        unchecked
            The file kept from earlier downloads. It is removed unless it is larger than the clip.
        """

        def act() -> None:
            self._rename(target)
            if unchecked is not None and 0 <= _size(unchecked) <= target.stat().st_size:
                unchecked.unlink()

        self._do(act)

    def keep_as(self, unchecked: Path) -> bool:
        """Keep the file although it could not be verified as the complete clip.

        A kept file is never replaced by a smaller one: the last response may be a page that says "gone".

        Returns
        -------
        bool
            Whether a kept file exists now.
        """

        def act() -> bool:
            size, before = os.fstat(self._open()).st_size, _size(unchecked)
            if size >= max(before, 1):
                self._rename(unchecked)
            return max(size, before) > 0

        return self._do(act)

    def _rename(self, target: Path) -> None:
        if os.name != "posix":
            self._close()  # Windows cannot rename an open file
        self.path.replace(target)
        self.moved = True
        sync_folder(target.parent)
        self._close()

    def abandon(self) -> None:
        """Mark the file for removal as soon as it is unused: by `remove`, or by its last operation."""
        self._abandoned = True

    def remove(self) -> None:
        """Remove an abandoned file; if an operation is stuck, that one removes it later."""
        if not self._turn.acquire(timeout=_TURN_S):
            return
        try:
            self._close()
            with suppress(OSError):  # the folder is gone, or not writable
                self.path.unlink(missing_ok=True)
        finally:
            self._turn.release()

    def _do(self, act: Callable[[], _T]) -> _T:
        try:
            with self._turn:
                if self._abandoned:
                    raise OSError("no one waits for this file any more")
                return act()
        finally:
            if self._abandoned:
                self.remove()

    def _open(self) -> int:
        if self._handle is None:
            raise OSError("the file is closed")
        return self._handle

    def _close(self) -> None:
        if self._handle is not None:
            handle, self._handle = self._handle, None
            with suppress(OSError):
                os.close(handle)


def remove_orphans(folder: Path, runs: Collection[str], alive: Callable[[str], bool]) -> None:
    """Remove partial files that dead processes left for some runs. Blocks.

    A part stays while its process may be alive: the log is locked, or the part itself (the run may be
    in another log), or it belongs to another machine and is less than a day old.

    Parameters
    ----------
    folder
        The output folder; nothing happens if it does not exist.
    runs
        Ids of the runs.
    alive
        Returns whether an owner's process is alive.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for each in entries:
            name = read_part_name(each.name)
            if name is None or name.run_id not in runs or alive(name.owner):
                continue
            with suppress(OSError):
                _remove_dead(Path(each.path), here=name.host == _host())


def _size(path: Path) -> int:
    """Return the size of a regular file; negative if it is not one."""
    try:
        found = path.lstat()
    except OSError:
        return -1
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


def _remove_dead(path: Path, *, here: bool) -> None:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        return
    if not here and time.time() - found.st_mtime < _FOREIGN_S:
        return
    if os.name != "posix":
        path.unlink()
        return
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if try_lock(handle):
            path.unlink()
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Flush a folder's names to disk; folders cannot be opened on Windows."""
    # Syncing a file does not sync the folder's entry for it: https://man7.org/linux/man-pages/man2/fsync.2.html
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _host() -> str:
    """Return a short id of this machine that does not reveal its name."""
    return hashlib.sha256(platform.node().encode(errors="replace")).hexdigest()[:8]
