"""The content of clips: hills at dusk if no picture is set, and the prompt as a caption."""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass

import av
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]

#: Each palette: sky from top to horizon at the start, the same at the end, the light in the sky,
#: the farthest hills and the nearest ones.
_PALETTES: tuple[tuple[tuple[str, str, str], tuple[str, str, str], str, str, str], ...] = (
    (
        ("#2b2d5b", "#b0597f", "#ffc07a"),
        ("#1a1c45", "#7d3f73", "#ff9a5c"),
        "#ffe9c0",
        "#b9728a",
        "#1b1a35",
    ),
    (
        ("#3a4f86", "#c98aa6", "#ffd9b0"),
        ("#27356b", "#a4618f", "#ffb48f"),
        "#fff0d4",
        "#a98ab0",
        "#231f42",
    ),
    (
        ("#16505f", "#6fa79a", "#f6d58a"),
        ("#0e3a4c", "#4c8388", "#f2b76a"),
        "#fff3c4",
        "#7fae9f",
        "#0d2730",
    ),
    (
        ("#0e1638", "#2f3f7c", "#8fa0cf"),
        ("#0a102b", "#27336c", "#7484bd"),
        "#f4f6ff",
        "#56689f",
        "#0a0f24",
    ),
    (
        ("#5b86a8", "#b9c9b6", "#f9e3b4"),
        ("#476f97", "#a9b69c", "#f5cf8f"),
        "#fff8dc",
        "#93aa9b",
        "#243a34",
    ),
    (
        ("#3b2350", "#a83f5b", "#ff8f5a"),
        ("#281740", "#7f2c57", "#f56a45"),
        "#ffdcae",
        "#a64f66",
        "#1d1029",
    ),
)

#: How many different scenes there are.
VARIANTS = len(_PALETTES)

_HILLS = 5


def variant_of(text: str, variants: int = VARIANTS) -> int:
    """Return the number of the scene for a text, always the same one.

    Parameters
    ----------
    text : str
        A prompt, or the address of a picture.
    variants : int
        Number of scenes to choose from, 1 to `VARIANTS`.
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return digest[0] % max(1, min(variants, VARIANTS))


@dataclass(frozen=True)
class _Hill:
    """One layer of hills: its shape is a mask wider than the picture, its colour does not move."""

    mask: Image.Image
    paint: Image.Image
    top: int
    drift: float


class Scene:
    """A landscape that can be drawn at any time of its clip.

    Parameters
    ----------
    size : tuple of int
        Width and height in pixels.
    variant : int
        The palette and hills, 0 to `VARIANTS` - 1.
    """

    def __init__(self, size: tuple[int, int], variant: int) -> None:
        self.size = size
        early, late, light, far, near = _PALETTES[variant % VARIANTS]
        dice = random.Random(variant)  # noqa: S311  (hills, not secrets)
        self._light = _rgb(light)
        self._skies = (_sky(size, early, dice), _sky(size, late, dice))
        self._stars = _stars(size, dice)
        self._glow = _glow(round(size[1] * 1.5))
        self._disc = _disc(max(16, round(size[1] * 0.16)))
        self._clouds = _clouds(size, dice)
        self._hills = [
            _hill(size, row, _mix(_rgb(far), _rgb(near), row / (_HILLS - 1)), _rgb(early[2]), dice)
            for row in range(_HILLS)
        ]

    def at(self, moment: float) -> Image.Image:
        """Return the picture at a time, from 0.0 (first frame) to 1.0 (last frame)."""
        width, height = self.size
        frame = Image.blend(self._skies[0], self._skies[1], moment)
        stars = self._stars.point([round(level * moment * 0.8) for level in range(256)])
        frame.paste((255, 255, 255), (0, 0), stars)
        sun_x = width * (0.30 + 0.26 * moment)
        sun_y = height * (0.34 + 0.16 * moment)
        half = self._glow.width // 2
        frame.paste(self._light, (round(sun_x) - half, round(sun_y) - half), self._glow)
        self._paste_disc(frame, sun_x, sun_y)
        clouds = _shifted(self._clouds, width, width * 0.05 * moment)
        frame.paste(_mix(self._light, (255, 255, 255), 0.35), (0, 0), clouds)
        for hill in self._hills:
            frame.paste(hill.paint, (0, hill.top), _shifted(hill.mask, width, hill.drift * moment))
        return frame

    def _paste_disc(self, frame: Image.Image, x: float, y: float) -> None:
        """Draw the sun between pixels: a sun that jumps from pixel to pixel looks broken."""
        half = self._disc.width / 2
        left, top = math.floor(x - half), math.floor(y - half)
        offset = (x - half - left, y - half - top)
        disc = self._disc.transform(
            self._disc.size,
            Image.Transform.AFFINE,
            (1, 0, -offset[0], 0, 1, -offset[1]),
            Image.Resampling.BILINEAR,
        )
        frame.paste(_mix(self._light, (255, 255, 255), 0.5), (left, top), disc)


def still(size: tuple[int, int], text: str) -> Image.Image:
    """Return a substitute for a picture on the internet, which is never fetched.

    Parameters
    ----------
    size : tuple of int
        Width and height in pixels.
    text : str
        The picture's address; different addresses tend to give different pictures.
    """
    return Scene(size, variant_of(text)).at(0.5)


def _rgb(text: str) -> Colour:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _shifted(layer: Image.Image, width: int, offset: float) -> Image.Image:
    """Cut a layer's visible part at an offset between two pixels."""
    box = (offset, 0.0, offset + width, float(layer.height))
    return layer.resize((width, layer.height), Image.Resampling.BILINEAR, box=box)


def _sky(size: tuple[int, int], stops: tuple[str, str, str], dice: random.Random) -> Image.Image:
    """Return a sky: three colours from top to horizon, with grain to hide color bands."""
    width, height = size
    top, middle, horizon = (_rgb(stop) for stop in stops)
    column = Image.new("RGB", (1, height))
    for y in range(height):
        share = min(1.0, y / (height * 0.72))
        if share < 0.55:
            colour = _mix(top, middle, share / 0.55)
        else:
            colour = _mix(middle, horizon, (share - 0.55) / 0.45)
        column.putpixel((0, y), colour)
    sky = column.resize(size)
    tile = Image.new("L", (128, 128))
    tile.putdata([dice.randrange(5) for _ in range(128 * 128)])
    grain = Image.new("L", size)
    for x in range(0, width, 128):
        for y in range(0, height, 128):
            grain.paste(tile, (x, y))
    return ImageChops.add(sky, Image.merge("RGB", (grain, grain, grain)))


def _stars(size: tuple[int, int], dice: random.Random) -> Image.Image:
    width, height = size[0], max(1, size[1] // 2)
    mask = Image.new("L", (width, height))
    for _ in range(width * height // 3000):
        x, y = dice.randrange(width), int(height * 0.9 * dice.random() ** 1.6)
        mask.putpixel((x, y), dice.randrange(60, 230))
    return mask


def _glow(diameter: int) -> Image.Image:
    """Return light that fades outwards; squared, so that it has no visible edge."""
    fade = [round(150 * max(0.0, 1 - level / 180) ** 2.2) for level in range(256)]
    return Image.radial_gradient("L").point(fade).resize((diameter, diameter))


def _disc(diameter: int) -> Image.Image:
    big = Image.new("L", (diameter * 4, diameter * 4))
    rim = diameter // 2
    ImageDraw.Draw(big).ellipse((rim, rim, diameter * 4 - rim, diameter * 4 - rim), fill=255)
    soft = big.resize((diameter, diameter), Image.Resampling.LANCZOS)
    return soft.filter(ImageFilter.GaussianBlur(diameter / 60))


def _clouds(size: tuple[int, int], dice: random.Random) -> Image.Image:
    """Return thin banks of cloud, wider than the picture so that they can drift."""
    width, height = size[0] + size[0] // 16 + 2, size[1]
    mask = Image.new("L", (width, max(1, height * 6 // 10)))
    pen = ImageDraw.Draw(mask)
    for _ in range(9):
        x, y = dice.random() * width, height * (0.10 + 0.38 * dice.random())
        long, thin = width * (0.08 + 0.16 * dice.random()), height * (0.006 + 0.012 * dice.random())
        for _ in range(5):
            across, up = x + (dice.random() - 0.5) * long, y + (dice.random() - 0.5) * thin * 3
            pen.ellipse(
                (across - long / 2, up - thin, across + long / 2, up + thin),
                fill=dice.randrange(40, 95),
            )
    return mask.filter(ImageFilter.GaussianBlur(height / 70))


def _hill(
    size: tuple[int, int], row: int, colour: Colour, haze: Colour, dice: random.Random
) -> _Hill:
    """Return one layer; nearer layers are lower, darker and drift faster."""
    width, height = size
    share = row / (_HILLS - 1)
    # Parts always covered by the layers in front are not drawn.
    drift = width * (0.012 + 0.075 * share**1.5)
    wide = math.ceil(width + drift + 2)
    top = round(height * (0.47 + 0.26 * share - (0.05 if row == _HILLS - 1 else 0)))
    tall = min(height - top, round(height * 0.36)) if row < _HILLS - 1 else height - top
    swing = height * (0.050 + 0.055 * share)
    waves = [
        (dice.uniform(0.6, 1.4) * 2**octave, dice.random() * math.tau, 0.62**octave)
        for octave in range(6)
    ]
    pace = math.tau / width * (1.4 - 0.6 * share)
    heights = [sum(s * math.sin(x * pace * f + p) for f, p, s in waves) for x in range(wide)]
    lowest, highest = min(heights), max(heights)
    # From 0.15 to 2 swings, so that no summit is cut off by the top of its layer.
    room = height * 0.08 if row == _HILLS - 1 else 0.0  # for the firs
    ridge = [
        room + swing * (0.15 + 1.85 * (level - lowest) / (highest - lowest)) for level in heights
    ]
    # Twice the height and width, then halved: Pillow's polygons have hard edges.
    mask = Image.new("L", (wide * 2, tall * 2))
    pen = ImageDraw.Draw(mask)
    outline = [(x * 2, y * 2) for x, y in enumerate(ridge)]
    pen.polygon([*outline, (wide * 2, tall * 2), (0, tall * 2)], fill=255)
    if row == _HILLS - 1:
        _plant_firs(pen, ridge, height, dice)
    paint = Image.new("RGB", (1, tall))
    for y in range(tall):
        # Mist lies at the foot of the far hills.
        mist = (0.62 * (1 - share) + 0.10) * min(1.0, y / (height * 0.30)) ** 1.3
        paint.putpixel((0, y), _mix(colour, haze, mist if row < _HILLS - 1 else 0.0))
    return _Hill(
        mask.resize((wide, tall), Image.Resampling.BOX), paint.resize((width, tall)), top, drift
    )


def _plant_firs(
    pen: ImageDraw.ImageDraw, ridge: list[float], height: int, dice: random.Random
) -> None:
    x = 0.0
    while x < len(ridge) - 1:
        foot = ridge[int(x)]
        tall = height * dice.uniform(0.022, 0.075)
        half = tall * 0.24
        for step in range(4):
            low = foot + 2 - tall * step * 0.22
            broad = half * (1 - step * 0.22)
            tip = low - tall * 0.42
            pen.polygon(
                [((x - broad) * 2, low * 2), (x * 2, tip * 2), ((x + broad) * 2, low * 2)], fill=255
            )
        # Groves and gaps.
        x += half * dice.uniform(0.7, 1.6) + (height * 0.16 if dice.random() < 0.12 else 0)


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
        The prompt; cut with an ellipsis after three lines.
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
            corner = (margin, height - margin - line_height * (len(lines) - number))
            pen.text(corner, line, fill=255, font=font)
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
    """A plane of a frame as a picture, written back at the end."""

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
    # Pillow includes a font, so every machine has one.
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
        # `_fit` marks the cut of a line that is too long.
        lines[-1] = _fit(f"{lines[-1]} {readable}", font, width)
    return lines


def _fit(text: str, font: _Font, width: int) -> str:
    """Shorten a text until it fits, marking the cut."""
    kept = text.rstrip()
    if font.getlength(kept) <= width:
        return kept
    # By bisection: measuring a long text once per letter takes seconds.
    low, high = 0, len(kept)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(f"{kept[:middle]}...") <= width:
            low = middle
        else:
            high = middle - 1
    return f"{kept[:low]}..."
