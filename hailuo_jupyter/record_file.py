"""A record as a file beside its clip, the sidecar ``<run id>.json``: written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from hailuo_jupyter.errors import unwritten
from hailuo_jupyter.record import Record
from hailuo_jupyter.whole import clear_half_written, write_whole

#: A record takes some 5 kB; a provider's answers may make it longer.
_LARGEST = 2 * 1024 * 1024


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
    target = folder / sidecar_name(record.run_id)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(target, f"{record.to_json(indent=2)}\n".encode())
        clear_half_written(folder, target.name.__eq__)
        _sync_folder(folder)
    except OSError as error:
        raise unwritten(error)(
            f"The record of run {record.run_id} could not be written beside its clip: "
            f"{error.strerror}.",
            money="The run log has it, so nothing is lost.",
            todo="Make room in the output folder, or make it writable.",
        ) from error
    return target


def sidecar_name(run_id: str) -> str:
    """Give the name of a run's sidecar."""
    return f"{run_id}.json"


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
    if path.name != sidecar_name(record.run_id):
        raise ValueError(f"It is the record of run {record.run_id}, under another name.")
    return record


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
