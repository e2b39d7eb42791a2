"""``jupyter hailuo export``: a notebook with its clips, frames and records as an RO-Crate.

What goes in is decided in `crate_contents`, and described in `crate_graph`.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from hailuo_jupyter.errors import CrateError, OptionError
from hailuo_jupyter.nbfile.crate_contents import collect
from hailuo_jupyter.settings import Hailuo

_UNCHANGED = "Nothing was written."


@dataclass(frozen=True)
class Exported:
    """What was written."""

    path: Path
    runs: int
    clips: int
    remarks: tuple[str, ...]


def export(
    path: Path,
    target: Path,
    folder: Path | None = None,
    *,
    licence: str = "",
    settings: Hailuo | None = None,
) -> Exported:
    """Write a notebook's crate.

    Parameters
    ----------
    path
        The notebook; it is not changed.
    target
        A folder that does not exist or is empty, or a file that does not exist and ends in ``.zip``.
    folder
        The output folder, where neither the log nor a link tells it.
    licence
        Link to the licence of the whole, or its name; empty where none was chosen.
    settings
        Tell where the run logs lie; what is in force if None.

    Raises
    ------
    NotebookError
        If the file cannot be read.
    CrateError
        If the target is there already, or cannot be written.
    OptionError
        If rocrate is not installed.
    """
    try:
        from hailuo_jupyter.nbfile import crate_graph
    except ImportError:
        raise OptionError(
            "An RO-Crate is written by rocrate, which is not installed here.",
            money=_UNCHANGED,
            todo="Install it: pip install 'hailuo-jupyter[crate]'.",
        ) from None
    zipped = target.suffix.lower() == ".zip"
    if target.exists() and (zipped or not target.is_dir() or any(target.iterdir())):
        raise CrateError(
            f"{target.name} is there already.",
            money=_UNCHANGED,
            todo="Name another one, or remove it first.",
        )
    contents = collect(path, folder, settings)
    crate = crate_graph.build(contents, licence)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if zipped:
            crate.write_zip(part)
        else:
            crate.write(part)
            if target.is_dir():
                target.rmdir()
        part.replace(target)
    except OSError as error:
        raise CrateError(
            f"{target.name} could not be written: {error.strerror}.",
            money="Notebook, clips and run log are as they were.",
        ) from error
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
    clips = sum(each.clip is not None for each in contents.taken)
    return Exported(target, len(contents.taken), clips, tuple(contents.remarks))
