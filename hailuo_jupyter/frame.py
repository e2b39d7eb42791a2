"""A first or last frame, and the provider's limits that hold for every one."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

from hailuo_jupyter.errors import NOTHING_SENT, FrameError
from hailuo_jupyter.offer import FrameLimits

if TYPE_CHECKING:
    from PIL import Image

#: A picture with more pixels is refused before it is decoded. Our own limit, not a provider's: a
#: small file can unpack to gigabytes. Below the point at which Pillow itself begins to warn.
MAX_PIXELS = 80_000_000

_SUFFIX = {"jpeg": "jpg", "png": "png"}


@dataclass(frozen=True)
class FrameOrigin:
    """The clip that a frame was taken from.

    Parameters
    ----------
    run_id, clip_sha256
        Whose clip, and of its file's bytes.
    at_s
        When the clip shows it, in seconds from its beginning.
    """

    run_id: str
    clip_sha256: str
    at_s: float


@dataclass(frozen=True)
class ClipFrame:
    """A picture of a clip, to be the frame of another one.

    Parameters
    ----------
    picture
        As decoded.
    origin
        Where it comes from.
    """

    picture: Image.Image = field(repr=False)
    origin: FrameOrigin

    def _repr_png_(self) -> bytes:
        """Show it in a notebook."""
        out = BytesIO()
        self.picture.save(out, format="PNG")
        return out.getvalue()


@dataclass(frozen=True)
class Frame:
    """A first or last frame that has passed every check.

    Parameters
    ----------
    identity
        What makes it the same frame again: ``file:<sha256 of the file>``,
        ``pixels:<sha256 over mode, size and pixels>`` or ``url:<text>``.
    source
        The file's name without its folder, ``"url"`` or ``"memory"``.
    url
        The address, if the provider is to fetch it by itself.
    data
        The bytes to send; None for an address.
    sha256, source_sha256
        Of `data`, and of the bytes before they were encoded anew (else the same).
    format
        ``"jpeg"`` or ``"png"``; None for an address.
    width, height
        Pixels of `data`; None for an address.
    turned
        Whether it was turned upright.
    origin
        The clip that it was taken from; None for any other frame.
    """

    identity: str
    source: str
    url: str | None = None
    data: bytes | None = field(default=None, repr=False)
    sha256: str | None = None
    source_sha256: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    turned: bool = False
    origin: FrameOrigin | None = None

    @property
    def size(self) -> int:
        """Bytes to send; 0 for an address."""
        return len(self.data or b"")

    @property
    def media_type(self) -> str | None:
        """``image/jpeg`` or ``image/png``; None for an address."""
        return self.format and f"image/{self.format}"

    @property
    def file_name(self) -> str | None:
        """``<sha256>.jpg`` or ``<sha256>.png``; None for an address."""
        return self.format and f"{self.sha256}.{_SUFFIX[self.format]}"

    def data_uri(self) -> str:
        """Give the bytes as a ``data:`` URI.

        Raises
        ------
        ValueError
            For an address, which has no bytes here.
        """
        if self.data is None:
            raise ValueError("a frame given by its address has no bytes here")
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"


def refused(what: str, todo: str) -> FrameError:
    """Give the error of a frame that cannot be used: what is wrong, and the way out."""
    return FrameError(what, money=NOTHING_SENT, todo=todo)


def sha256(data: bytes) -> str:
    """Give the hash of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def check_bytes(size: int, role: str, limits: FrameLimits) -> None:
    """Refuse a file that is too large.

    Raises
    ------
    FrameError
        With its size and the limit, in MB.
    """
    if size > limits.max_bytes:
        raise refused(
            f"The {role} has {size / 1e6:.1f} MB ({size} bytes); the limit is "
            f"{limits.max_bytes / 1e6:g} MB.",
            "Save it smaller: image = Image.open(p).convert('RGB'); "
            "image.thumbnail((2048, 2048)); image.save('first.jpg').",
        )


def check_shape(width: int, height: int, role: str, limits: FrameLimits) -> None:
    """Refuse a picture that is too small, too large or too long.

    Raises
    ------
    FrameError
        With its pixels and the limit.
    """
    if width * height > MAX_PIXELS:
        raise refused(
            f"The {role} has {width} x {height} pixels, {width * height / 1e6:.0f} million; the "
            f"limit is {MAX_PIXELS / 1e6:.0f} million.",
            "Scale it down: image.thumbnail((2048, 2048)).",
        )
    if min(width, height) <= limits.min_short_side_px:
        raise refused(
            f"The {role} has {width} x {height} pixels; its shorter side has to be longer than "
            f"{limits.min_short_side_px}.",
            "Use a larger picture, or scale this one up: image.resize((2 * width, 2 * height)).",
        )
    if not limits.min_ratio * height < width < limits.max_ratio * height:
        low, high = (f"{r.numerator}:{r.denominator}" for r in (limits.min_ratio, limits.max_ratio))
        raise refused(
            f"The {role} has {width} x {height} pixels, a ratio of {width / height:.3g}; it has to "
            f"lie between {low} and {high} ({float(limits.min_ratio):g} and "
            f"{float(limits.max_ratio):g}), both excluded.",
            "Crop it: ImageOps.fit(image, (1366, 768)).",
        )
