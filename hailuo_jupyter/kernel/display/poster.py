"""The picture of a clip in an output: as sharp as its run's share of the notebook allows.

And the one that covers nothing, for the player above that picture.
"""

from __future__ import annotations

import json
from base64 import b64encode
from fractions import Fraction
from functools import cache
from html import escape
from io import BytesIO

from hailuo_jupyter import media
from hailuo_jupyter.clip_file import is_foreign_link
from hailuo_jupyter.errors import ClipError
from hailuo_jupyter.kernel.display.run_view import repeated
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import State

#: Bytes of a notebook's file that one finished run takes, at most.
SHARE = 28_000

#: Pixels of a picture's longer side.
SIDE = 480

#: Of a transparent one's.
_MOST_PIXELS = 2000

#: Of the share: HTML without prompt, text, and what is added to a run later, such as a note.
_REST = 5_600

#: Of a picture, however large the record; and where more can hardly be seen.
_LEAST, _MOST = 2_000, 12_000


def poster(row: Row, *, side: int = SIDE, max_bytes: int | None = None) -> bytes | None:
    """Make a picture of a run's clip.

    Parameters
    ----------
    row
        The run.
    side
        Pixels of the picture's longer side, at most.
    max_bytes
        Most bytes; None for what record and prompt leave of the run's share.

    Returns
    -------
    bytes or None
        A JPEG; None if there is no clip, or none that can be read.
    """
    clip = row.record.clip
    if row.state is not State.COMPLETED or clip is None:
        return None
    path = row.folder / clip.path
    if is_foreign_link(path, clip):
        return None
    width = max(1, round(side * min(1.0, clip.width / clip.height)))
    try:
        return media.poster(
            path,
            width=width,
            max_bytes=_room(row) if max_bytes is None else max_bytes,
        )
    except ClipError:
        return None


def frame_poster(row: Row) -> bytes | None:
    """Make a small picture of a run's first frame, to show until its clip is there.

    Parameters
    ----------
    row
        The run.

    Returns
    -------
    bytes or None
        A JPEG; None if the run has no first frame in its folder, or none that can be read.
    """
    frame = row.record.request.first_frame
    if frame is None or frame.kept is None:
        return None
    from PIL import Image  # loaded with the first frame, not with the extension

    path = row.folder / frame.kept
    try:
        if not path.resolve().is_relative_to(row.folder.resolve()):
            return None  # a link, in a folder from someone else
        with Image.open(path) as picture:
            return media.small_jpeg(picture, width=SIDE, max_bytes=_MOST)
    # Pillow's decoders raise whatever broken bytes bring.
    except Exception:  # noqa: BLE001
        return None


@cache
def blank(width: int, height: int) -> str:
    """Return a transparent PNG of a clip's shape, as a ``data:`` URI.

    Parameters
    ----------
    width, height
        Pixels of the clip.
    """
    from PIL import Image  # loaded with the first clip, not with the extension

    shape = Fraction(width, height)
    if max(shape.as_integer_ratio()) > _MOST_PIXELS:
        shape = shape.limit_denominator(SIDE)
    wide, high = (min(each, _MOST_PIXELS) for each in shape.as_integer_ratio())
    picture, out = Image.new("1", (max(1, wide), high)), BytesIO()
    picture.save(out, "PNG", optimize=True, transparency=0)
    return f"data:image/png;base64,{b64encode(out.getvalue()).decode()}"


def _room(row: Row) -> int:
    """Return the bytes of the picture for which there is room, before they are written in base64."""
    # A notebook's file is indented, the deeper the more.
    lines = json.dumps(json.loads(row.record_json), ensure_ascii=False, indent=5).encode()
    prompt = json.dumps(escape(repeated(row.record.request.prompt)), ensure_ascii=False).encode()
    # The record is in the output and in the notebook's metadata; the prompt is in the HTML too.
    left = SHARE - _REST - 2 * len(lines) - len(prompt)
    return min(_MOST, max(_LEAST, left * 3 // 4))
