"""A record as a file beside its clip, the sidecar ``<run id>.json``: written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from hailuo_jupyter.errors import unwritten
from hailuo_jupyter.record import Record

#: A record takes some 5 kB; a provider's answers may make it longer.
_LARGEST = 2 * 1024 * 1024

#: What a sidecar is called while it is written, with the run's id and the writer.
_HALF_WRITTEN = re.compile(r"\.(?P<run_id>.+)\.\d+-[0-9a-f]{8}\.tmp")


def write_sidecar(record: Record, folder: Path) -> Path:
    """Write the record as ``<run id>.json``, whole or not at all; replaces an earlier revision.

    Parameters
    ----------
    record
        What to write.
    folder
        The output folder; made if it is not there.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DiskFull, FolderNotWritable
        If it cannot be written. The run log has the record all the same.
    """
    target = folder / f"{record.run_id}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while not _written_whole(record, target):
            pass
        clear_half_written(folder, {record.run_id})
        _sync_folder(folder)
    except OSError as error:
        raise unwritten(error)(
            f"The record of run {record.run_id} could not be written beside its clip: "
            f"{error.strerror}.",
            money="The run log has it, so nothing is lost.",
            todo="Make room in the output folder, or make it writable.",
        ) from error
    return target


def clear_half_written(folder: Path, run_ids: Collection[str]) -> None:
    """Remove what others have half written of the sidecars of some runs.

    Most of them were killed meanwhile. Whoever was not sees that it is gone, and writes it again.

    Parameters
    ----------
    folder
        The output folder; nothing happens where there is none.
    run_ids
        The runs; other runs' files are left alone.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for each in entries:
            named = _HALF_WRITTEN.fullmatch(each.name)
            if named and named["run_id"] in run_ids:
                with suppress(OSError):  # open, on Windows
                    Path(each.path).unlink()


def read_file(path: Path) -> bytes:
    """Read a file that may be a sidecar.

    Raises
    ------
    ValueError
        If it is no ordinary file, or longer than any record.
    OSError
        If it cannot be read.
    """
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
        raise ValueError("It is no ordinary file, or longer than any record.")
    return path.read_bytes()


def read_sidecar(path: Path, data: bytes) -> Record:
    """Give the record that a sidecar's bytes hold.

    Raises
    ------
    ValueError
        In one line, if they hold none, or that of a run by another name.
    """
    record = Record.from_json(data)
    if path.name != f"{record.run_id}.json":
        raise ValueError(f"It is the record of run {record.run_id}, under another name.")
    return record


def _written_whole(record: Record, target: Path) -> bool:
    """Write a sidecar; False if somebody took what was half written for a killed process's."""
    part = target.with_name(f".{record.run_id}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with part.open("x", encoding="utf-8", newline="\n") as file:
            file.write(record.to_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            part.replace(target)
        except FileNotFoundError:
            if target.parent.is_dir():
                return False
            raise
    finally:
        part.unlink(missing_ok=True)
    return True


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems have none
            raise
    finally:
        os.close(handle)
