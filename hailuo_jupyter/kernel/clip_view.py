"""Where a clip lies as seen from the notebook, and how it can be shown there."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from hailuo_jupyter.kernel.words import harmless
from hailuo_jupyter.record import ClipRecord
from hailuo_jupyter.record_file import sidecar_name
from hailuo_jupyter.runlog.log import Row
from hailuo_jupyter.states import State

_GONE = (
    "The clip is no longer in its folder {folder}. If the folder was moved, 'jupyter hailuo relink "
    "FOLDER' finds it; else run the cell again, to fetch it while the provider keeps it."
)
_DELETED = (
    "The clip was deleted from its folder {folder} by 'jupyter hailuo prune' on {day}. Running the "
    "cell again fetches it while the provider keeps it; --new buys another."
)
_OUTSIDE = (
    "The clip lies outside this notebook's folder, so it cannot be played here. "
    "Run the cell with --embed to store it in the notebook."
)


@dataclass(frozen=True)
class ClipView:
    """Where a clip is, and how it can be shown.

    Parameters
    ----------
    name
        The file, with its folder as far as the reader needs it.
    href, sidecar
        Links to clip and record, relative to the notebook and quoted; None where there are none.
    file
        The file to put into the output itself; None to link it.
    width, height
        Pixels of the clip.
    poster
        A small JPEG as a ``data:`` URI; empty if there is none.
    absent
        Why the clip cannot be played here; empty if it can.
    """

    name: str
    href: str | None
    sidecar: str | None
    file: Path | None
    width: int
    height: int
    poster: str
    absent: str


def clip_view(
    row: Row, base: Path | None, *, poster: bytes | None = None, embed: bool = False
) -> ClipView | None:
    """Look where a run's clip lies; None while it has none.

    Parameters
    ----------
    row
        The run.
    base
        The notebook's folder; None if there is no notebook.
    poster
        A small JPEG of the clip.
    embed
        Put the clip itself into the output.
    """
    clip = row.record.clip
    if row.state is not State.COMPLETED or clip is None:
        return None
    path = row.folder / clip.path
    relative, there = _inside(path, base), path.is_file()
    sidecar = _inside(path.with_name(sidecar_name(row.run_id)), base)
    linked = there and relative is not None
    return ClipView(
        name=harmless(relative or f"{path.parent.name}/{path.name}"),
        href=_quoted(relative) if there and relative else None,
        sidecar=_quoted(sidecar) if sidecar else None,
        file=path if there and embed else None,
        width=clip.width,
        height=clip.height,
        poster=f"data:image/jpeg;base64,{base64.b64encode(poster).decode()}" if poster else "",
        absent=_gone(row, clip) if not there else "" if linked or embed else _OUTSIDE,
    )


def href_of(path: Path, base: Path | None) -> str | None:
    """Give the link to a file, relative to the notebook and quoted; None where there is none."""
    relative = _inside(path, base)
    return _quoted(relative) if relative and path.is_file() else None


def _gone(row: Row, clip: ClipRecord) -> str:
    # The folder's name alone: an output travels, and is to tell nobody how a disk is laid out.
    folder = harmless(row.folder.name)
    if clip.deleted is None:
        return _GONE.format(folder=folder)
    return _DELETED.format(folder=folder, day=clip.deleted[:10])


def _inside(path: Path, base: Path | None) -> str | None:
    """Give a path relative to a folder, with slashes; None if it does not lie in there."""
    if base is None:
        return None
    # One of the two may have gone through a symbolic link.
    for inner, outer in ((path, base), (path.resolve(), base.resolve())):
        if inner.is_relative_to(outer) and ".." not in (parts := inner.relative_to(outer)).parts:
            return parts.as_posix()
    return None


def _quoted(relative: str) -> str:
    # A colon, hash or question mark in a folder's name must stay part of the path.
    return quote(os.fsencode(relative), safe="/")
