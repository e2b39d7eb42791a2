"""First and last frames: found, checked against the provider's limits, hashed, encoded and kept.

A file is sent byte for byte as it is, with one exception: a picture with an EXIF turn is turned
upright and encoded anew, since providers were never seen to say whether they heed the turn.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from hailuo_jupyter.errors import NOTHING_SENT, FrameError, unwritten
from hailuo_jupyter.frame import ClipFrame, Frame, check_bytes, refused, sha256
from hailuo_jupyter.offer import FrameLimits
from hailuo_jupyter.pictures import encoded, from_array, picture
from hailuo_jupyter.whole import clear_half_written, write_whole

if TYPE_CHECKING:
    from PIL.Image import SupportsArrayInterface

#: What a kept frame is called.
_KEPT = re.compile(r"[0-9a-f]{64}\.(jpg|png)")


def open_frame(
    source: object, *, role: str, limits: FrameLimits, base: Path | None = None
) -> Frame:
    """Read and check a frame. Blocks while it reads and decodes.

    Parameters
    ----------
    source
        A path (``~`` is expanded), an http or https address (kept as text, not fetched), the bytes
        of a file, a Pillow image, an array of 8 bit (anything with ``__array_interface__``), or a
        picture of a clip.
    role
        What messages call it, e.g. ``"first frame"``.
    limits
        The provider's, from the catalogue.
    base
        Folder from which a relative path counts; the current one by default.

    Raises
    ------
    FrameError
        If it is not found, unreadable or outside a limit; the message gives the measured value,
        the limit and a way out.
    """
    from PIL import Image

    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        if isinstance(text, str) and isinstance(source, str) and _names_scheme(text):
            return _address(text, role)
        return _read_file(Path(os.fsdecode(text)), role, limits, base)
    if isinstance(source, bytes | bytearray | memoryview):
        return encoded(bytes(source), "memory", role, limits)
    if isinstance(source, ClipFrame):
        return replace(picture(source.picture, role, limits), origin=source.origin)
    if isinstance(source, Image.Image):
        return picture(source, role, limits)
    if hasattr(source, "__array_interface__"):
        return picture(from_array(cast("SupportsArrayInterface", source), role), role, limits)
    raise refused(
        f"The {role} is of type {type(source).__name__}, which is not understood.",
        "Give a path, an address, the bytes of a file, a Pillow image or a numpy array.",
    )


def keep(frame: Frame, folder: Path) -> Path | None:
    """Write a frame beside the clips, so that its run can be repeated.

    Parameters
    ----------
    frame
        A checked frame.
    folder
        The output folder.

    Returns
    -------
    Path or None
        ``folder/frames/<sha256>.<suffix>``; None for an address.

    Raises
    ------
    DiskFull, FolderNotWritable
        If it cannot be written.
    """
    if frame.data is None or frame.file_name is None:
        return None
    path = folder / "frames" / frame.file_name
    try:
        if path.is_file() and sha256(path.read_bytes()) == frame.sha256:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, frame.data)
        clear_half_written(path.parent, path.name.__eq__)
    except OSError as error:
        raise unwritten(error)(
            f"The frame {frame.source} could not be kept in {folder.name}/frames: "
            f"{error.strerror or error}.",
            money=NOTHING_SENT,
            todo="Make room, or choose another output folder.",
        ) from error
    return path


def is_kept(name: str) -> bool:
    """Tell whether a file in ``frames`` is called as a kept frame is."""
    return _KEPT.fullmatch(name) is not None


def _named(path: Path | str) -> str:
    """Show a file's name; what no terminal or JSON takes is written as an escape."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def _names_scheme(text: str) -> bool:
    return re.match(r"\s*(data:|[a-z][a-z0-9+.-]+://)", text, re.IGNORECASE) is not None


def _address(text: str, role: str) -> Frame:
    url = text.strip()
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url:
        raise refused(
            f"The {role} is no address that a provider can fetch: {url[:60]!a}.",
            "Give an http or https address, or the path of a file.",
        )
    return Frame(identity=f"url:{url}", source="url", url=url)


def _read_file(given: Path, role: str, limits: FrameLimits, base: Path | None) -> Frame:
    try:
        path = (base or Path()) / given.expanduser()
        if not path.exists():
            raise _missing(path, given, role)
        if not path.is_file():
            raise refused(
                f"The {role} {_named(given)} is no file.", "Give the path of a JPEG or PNG."
            )
        check_bytes(path.stat().st_size, role, limits)
        with path.open("rb") as file:
            # One byte more than allowed shows a file that grew meanwhile.
            data = file.read(limits.max_bytes + 1)
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL; RuntimeError: ~nobody
        why = getattr(error, "strerror", None) or str(error)
        raise refused(
            f"The {role} {_named(given)} cannot be read: {why}.",
            "Check its path and its rights.",
        ) from error
    return encoded(data, _named(path.name), role, limits)


def _missing(path: Path, given: Path, role: str) -> FrameError:
    if not path.parent.is_dir():
        return refused(
            f"There is no {role} {_named(given)}: its folder does not exist.",
            "Give a path from the notebook's folder, or a full one.",
        )
    names = {found.name.casefold(): found.name for found in path.parent.iterdir()}
    near = get_close_matches(path.name.casefold(), names, n=1)
    return refused(
        f"There is no {role} {_named(given)}.",
        f"The nearest name in that folder is {_named(names[near[0]])}."
        if near
        else "Give a path from the notebook's folder, or a full one.",
    )
