"""Pictures that the tests draw, and what becomes of them as frames."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from hailuo_jupyter.catalogue import provider
from hailuo_jupyter.errors import NOTHING_SENT, FrameError
from hailuo_jupyter.request.frames import Frame, open_frame

LIMITS = provider("segmind").frame_limits


def picture(mode: str = "RGB", size: tuple[int, int] = (640, 360)) -> Image.Image:
    """Draw a picture whose upper left corner alone is red."""
    drawn = Image.new("RGB", size, (20, 60, 120))
    drawn.paste((250, 10, 10), (0, 0, size[0] // 2, size[1] // 2))
    return drawn.convert(mode)


def encoded(image: Image.Image, kind: str, **how: Any) -> bytes:
    out = BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def turned_by(tag: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = tag
    return exif


def opened(source: object, **more: Any) -> Frame:
    return open_frame(source, **{"role": "first frame", "limits": LIMITS, **more})


def refusal(source: object, **more: Any) -> FrameError:
    with pytest.raises(FrameError) as caught:
        opened(source, **more)
    assert caught.value.money == NOTHING_SENT
    assert "first frame" in caught.value.what
    assert caught.value.todo
    return caught.value


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
