"""Atomic writes of files, and their sha256."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

#: Name of a file while it is written: its name, the process, and a random part.
_HALF_WRITTEN = re.compile(r"\.(?P<name>.+)\.\d+-[0-9a-f]{8}\.tmp")


def atomic_write(target: Path, data: bytes, *, keep_mode: bool = False) -> None:
    """Write a file atomically; concurrent readers see the previous version.

    Parameters
    ----------
    target
        The file; its folder exists.
    data
        The content.
    keep_mode
        Whether to keep the mode of an existing file.

    Raises
    ------
    OSError
        If it cannot be written; the file is unchanged then.
    """
    while not _written(target, data, keep_mode=keep_mode):
        pass


def clear_half_written(folder: Path, meant: Callable[[str], object]) -> None:
    """Remove partial files of other processes in a folder.

    Most of those processes were killed. One that was not notices the removal, and writes the file again.

    Parameters
    ----------
    folder
        The folder; nothing happens if it does not exist.
    meant
        Returns, for the name of the complete file, whether to remove its partial files.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for each in entries:
            half = _HALF_WRITTEN.fullmatch(each.name)
            if half and meant(half["name"]):
                with suppress(OSError):  # open, on Windows
                    Path(each.path).unlink()


def _written(target: Path, data: bytes, *, keep_mode: bool) -> bool:
    """Write a file; False if another process removed the partial file."""
    part = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            if keep_mode and target.exists():
                shutil.copymode(target, part)
            part.replace(target)
        except FileNotFoundError:
            if target.parent.is_dir():
                return False
            raise
    finally:
        part.unlink(missing_ok=True)
    return True


def sha256(data: bytes) -> str:
    """Return the sha256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal. Blocks while it reads.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(path: Path) -> str | None:
    """Return the sha256 of a file; None if it is missing or unreadable."""
    try:
        return file_sha256(path) if path.is_file() else None
    except (OSError, ValueError):  # ValueError: a zero byte in its name
        return None
