"""A record as a file next to its clip, the sidecar ``<stem>.json``: written atomically."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hailuo_jupyter.errors import DiskError, unwritten
from hailuo_jupyter.files import atomic_write, clear_half_written
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.paths import is_stem, sidecar_name, stem_of

#: A record has about 5 kB; a provider's answers may make it longer.
_LARGEST = 2 * 1024 * 1024


def write_sidecar(record: Record, folder: Path) -> Path:
    """Write the record as ``<stem>.json``, atomically; replaces a record of the same run.

    Parameters
    ----------
    record
        The record.
    folder
        The output folder; created if missing.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DiskFull, FolderNotWritable
        If it cannot be written. The run log still has the record.
    DiskError
        If another file has its name; that file is unchanged.
    """
    target = folder / sidecar_name(record.file_stem)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not _replaceable(target):
            raise DiskError(
                f"{target.name} in {folder.name!r} is not a record of run {record.run_id}, so it was not "
                "overwritten.",
                money="The run log has the record, so nothing is lost.",
                todo="Move or rename that file; the record is written at the run's next change.",
            )
        atomic_write(target, f"{record.to_json(indent=2)}\n".encode())
        clear_half_written(folder, target.name.__eq__)
        _sync_folder(folder)
    except OSError as error:
        raise unwritten(error)(
            f"The record of run {record.run_id} could not be written next to its clip: "
            f"{error.strerror}.",
            money="The run log has it, so nothing is lost.",
            todo="Free some space in the output folder, or make it writable.",
        ) from error
    return target


def possible_sidecars(folder: Path, run_id: str) -> Iterator[Path]:
    """Yield the files in a folder that may be a run's sidecar by their names, the likeliest first."""
    yield folder / sidecar_name(run_id)
    named = folder.glob(sidecar_name(f"*-{run_id[-6:]}"))
    yield from (path for path in sorted(named) if is_stem(stem_of(path.name), run_id))


def read_file(path: Path, *, through_link: bool = False) -> bytes:
    """Read a file that may be a sidecar.

    Parameters
    ----------
    path
        Its path.
    through_link
        Whether it may be a symbolic link, as git-annex and DVC store files.

    Raises
    ------
    ValueError
        If it is not a regular file, or longer than any record.
    OSError
        If it cannot be read.
    """
    found = path.stat() if through_link else path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
        raise ValueError("It is not a regular file, or longer than any record.")
    return path.read_bytes()


def read_sidecar(path: Path, data: bytes) -> Record:
    """Return the record in a sidecar's bytes.

    Raises
    ------
    ValueError
        In one line, if they contain none, or that of a run with another name.
    """
    record = Record.from_json(data)
    if path.name != sidecar_name(record.file_stem):
        raise ValueError(f"It is the record of run {record.run_id}, under another name.")
    return record


def _replaceable(path: Path) -> bool:
    """Return whether a sidecar's name is free, or its file has a record of the same run."""
    try:
        read_sidecar(path, read_file(path))
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
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
