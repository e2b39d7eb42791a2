"""The prompt drawn into a clip, with a mark that says where the clip comes from."""

from __future__ import annotations

import av
from PIL import Image, ImageDraw, ImageFont

_MARK = "simulated clip"
_MAX_LINES = 3

# Values of the video planes (limited range, ITU-R BT.601): dark, white, and no colour.
_DARK, _WHITE, _NEUTRAL = 24, 235, 128

_Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


class Caption:
    """A strip at the bottom of each frame with the prompt, and a small mark at the top.

    It is drawn into the planes of a finished video frame: the picture below may have been
    enlarged, and letters must not be.

    Parameters
    ----------
    text : str
        The prompt; what does not fit in three lines ends in an ellipsis.
    size : tuple of int
        Width and height of the frames in pixels.
    """

    def __init__(self, text: str, size: tuple[int, int]) -> None:
        width, height = size
        font = _font(max(14, min(width, height) // 24))
        margin = max(10, width // 40)
        lines = _wrap(" ".join(text.split()), font, width - 2 * margin)
        line_height = round(_text_height(font) * 1.35)
        top = max(0, height - line_height * len(lines) - 2 * margin)
        self._shade = Image.new("L", size)
        ramp = Image.new("L", (1, height - top))
        for y in range(ramp.height):
            ramp.putpixel((0, y), min(175, 350 * y // ramp.height))
        self._shade.paste(ramp.resize((width, ramp.height)), (0, top))
        self._letters = Image.new("L", size)
        pen = ImageDraw.Draw(self._letters)
        for number, line in enumerate(lines):
            at = (margin, height - margin - line_height * (len(lines) - number))
            pen.text(at, line, fill=255, font=font)
        small = _font(max(11, min(width, height) // 40))
        mark_at = (width - margin - small.getlength(_MARK), margin * 0.6)
        pen.text(mark_at, _MARK, fill=170, font=small)
        half = (width // 2, height // 2)
        self._grey = self._shade.resize(half)
        self._grey.paste(255, (0, 0), self._letters.resize(half))

    def draw(self, frame: av.VideoFrame) -> None:
        """Draw the strip and the mark into a yuv420p frame, in place."""
        luma, *chroma = frame.planes
        with _Plane(luma) as plane:
            plane.paste(_DARK, (0, 0), self._shade)
            plane.paste(_WHITE, (0, 0), self._letters)
        for colour in chroma:
            with _Plane(colour) as plane:
                plane.paste(_NEUTRAL, (0, 0), self._grey)


class _Plane:
    """A plane of a frame as a picture that is written back at the end."""

    def __init__(self, plane: av.video.plane.VideoPlane) -> None:
        self._plane = plane
        # Rows are padded, so the picture is as wide as a row in memory.
        size = (plane.line_size, plane.buffer_size // plane.line_size)
        self._picture = Image.frombytes("L", size, bytes(plane))

    def __enter__(self) -> Image.Image:
        return self._picture

    def __exit__(self, *_: object) -> None:
        self._plane.update(self._picture.tobytes())


def _font(pixels: int) -> _Font:
    # Pillow carries a font of its own, so no machine lacks one.
    return ImageFont.load_default(size=pixels)


def _text_height(font: _Font) -> int:
    _, _, _, bottom = font.getbbox("Hgjy")
    return round(bottom)


def _wrap(text: str, font: _Font, width: int) -> list[str]:
    """Break a text into lines that fit; words longer than a line are cut."""
    readable = text.encode("utf-8", "replace").decode()
    lines: list[str] = []
    line = ""
    for word in readable.split(" "):
        trial = f"{line} {word}".strip()
        if font.getlength(trial) <= width:
            line = trial
            continue
        if line:
            lines.append(line)
        line = _fit(word, font, width)
        if len(lines) > _MAX_LINES:
            break
    lines.append(line)
    if len(lines) > _MAX_LINES:
        lines = lines[:_MAX_LINES]
        # Asked to fit a line that is too long, `_fit` marks the cut by itself.
        lines[-1] = _fit(f"{lines[-1]} {readable}", font, width)
    return lines


def _fit(text: str, font: _Font, width: int) -> str:
    """Shorten a text until it fits, marking that it was."""
    kept = text.rstrip()
    if font.getlength(kept) <= width:
        return kept
    # By halving: measuring a long text once per letter takes seconds.
    low, high = 0, len(kept)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(f"{kept[:middle]}...") <= width:
            low = middle
        else:
            high = middle - 1
    return f"{kept[:low]}..."
