"""Frames for the form: which variables could be one, what a look at one finds, uploads kept as files."""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.frame import ClipFrame, Frame
from hailuo_jupyter.images import keep, open_frame
from hailuo_jupyter.kernel import words
from hailuo_jupyter.kernel.panel.checks import Problem, told
from hailuo_jupyter.kernel.run_source import resolved
from hailuo_jupyter.offer import FrameLimits

#: Longer side of a thumbnail, in pixels: sharp on a screen of twice the density.
_THUMBNAIL_PX = 240

_ADDRESS = "An address: the provider fetches it by itself, so nothing of it is checked here."


@dataclass(frozen=True)
class Seen:
    """What a look at a frame has found.

    Parameters
    ----------
    words
        Its size, ratio and format; empty where there is a problem.
    thumbnail
        A ``data:`` URI, or the frame's own address; empty where there is none.
    problem
        Why it cannot be used; None where it can.
    """

    words: str = ""
    thumbnail: str = ""
    problem: Problem | None = None


def variables(namespace: Mapping[str, Any]) -> list[str]:
    """Name the variables of a notebook that hold a picture: PIL image, array, bytes of a file.

    Parameters
    ----------
    namespace
        The notebook's variables. No property of theirs is asked for but an array's own.
    """
    return sorted(
        name for name, value in tuple(namespace.items()) if name[:1] != "_" and _picture(value)
    )


def _picture(value: Any) -> bool:
    if isinstance(value, ClipFrame):
        return True
    if isinstance(value, bytes | bytearray):
        return bytes(value[:8]).startswith((b"\xff\xd8\xff", b"\x89PNG"))
    # Without Pillow loaded there is no picture of it. By its type, since a lazy object's
    # attributes may be worth a computation.
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(value, pillow.Image):
        return True
    if hasattr(type(value), "__array_interface__") and hasattr(type(value), "ndim"):
        return getattr(value, "ndim", 0) in {2, 3} and str(getattr(value, "dtype", "")) == "uint8"
    return False


def look(value: Any, role: str, limits: FrameLimits, folder: Path) -> Seen:
    """Look at a frame: its check in words, and a thumbnail. Blocks while it reads and decodes.

    Parameters
    ----------
    value
        As a `Wish` has it.
    role
        ``"first frame"`` or ``"last frame"``.
    limits
        The provider's.
    folder
        The notebook's, from which relative paths count.
    """
    try:
        frame = open_frame(resolved(value), role=role, limits=limits, base=folder)
    except HailuoError as error:
        return Seen(problem=told(error))
    if frame.url is not None:
        return Seen(_ADDRESS, frame.url)
    return Seen(_words(frame), _thumbnail(frame))


def _words(frame: Frame) -> str:
    width, height = frame.width or 0, frame.height or 1
    parts = [
        words.pixels(width, height),
        f"ratio {width / height:.2f}",
        (frame.format or "").upper(),
        f"{frame.size / 1e6:.1f} MB",
    ]
    turned = " It is turned upright as its camera says." if frame.turned else ""
    return f"{', '.join(parts)}. It fits the limits.{turned}"


def _thumbnail(frame: Frame) -> str:
    from PIL import Image

    with Image.open(BytesIO(frame.data or b"")) as image:
        small = image.convert("RGB")
        small.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    out = BytesIO()
    small.save(out, format="JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def keep_upload(data: bytes, role: str, limits: FrameLimits, folder: Path) -> Path:
    """Check an uploaded file, and keep it where a frame of a run would be kept. Blocks.

    So a cell can name it, and it is there for the next kernel.

    Parameters
    ----------
    data
        The file's bytes; exactly these are kept.
    role, limits
        See `look`.
    folder
        The output folder.

    Raises
    ------
    FrameError, DiskError
        If it cannot be used or kept.
    """
    frame = open_frame(data, role=role, limits=limits)
    given = replace(frame, data=data, sha256=frame.source_sha256)
    return keep(given, folder) or folder  # bytes are no address, so there is a path
