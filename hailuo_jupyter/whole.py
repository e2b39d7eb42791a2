"""Files written in one step: whole, or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

#: What a file is called while it is written: its name, the process, and what nobody else has drawn.
_HALF_WRITTEN = re.compile(r"\.(?P<name>.+)\.\d+-[0-9a-f]{8}\.tmp")


def write_whole(target: Path, data: bytes, *, keep_mode: bool = False) -> None:
    """Write a file in one step; whoever reads it meanwhile has the one before.

    Parameters
    ----------
    target
        The file; its folder is there.
    data
        What it is to hold.
    keep_mode
        Whether a file that is there passes its mode on.

    Raises
    ------
    OSError
        If it cannot be written; the file is as it was then.
    """
    while not _written(target, data, keep_mode=keep_mode):
        pass


def clear_half_written(folder: Path, meant: Callable[[str], object]) -> None:
    """Remove what others have half written in a folder.

    Most of them were killed meanwhile. Whoever was not sees that it is gone, and writes it again.

    Parameters
    ----------
    folder
        Nothing happens where there is none.
    meant
        Tells of a file's name, as it is when it is whole, whether to take what is half written of it.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for each in entries:
            half = _HALF_WRITTEN.fullmatch(each.name)
            if half and meant(half["name"]):
                with suppress(OSError):  # open, on Windows
                    Path(each.path).unlink()


def _written(target: Path, data: bytes, *, keep_mode: bool) -> bool:
    """Write a file; False if somebody took what was half written for a killed process's."""
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
