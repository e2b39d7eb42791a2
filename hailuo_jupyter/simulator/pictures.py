"""First and last frames: their sources, and the checks of the providers."""

from __future__ import annotations

import base64
import binascii
import io
import re
import warnings
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

from PIL import Image

from hailuo_jupyter.simulator.drawing import still

#: The picture that Segmind's model page publishes as the default of ``image_url``.
SAMPLE_URL = (
    "https://segmind-resources.s3.amazonaws.com/input/"
    "db787c04-b073-4e08-ba52-6cee341c7310-7f1198b9-2961-4dc1-ad67-e9c60013b44a.jpeg"
)

_MAX_BYTES = 20_000_000
_SHORTEST = 300
_NARROWEST, _WIDEST = 2 / 5, 5 / 2
_STANDARD = (1366, 768)
_BARE_BASE64 = re.compile(r"[A-Za-z0-9+/\r\n]+={0,2}\s*\Z")


class PictureError(ValueError):
    """A picture that the provider rejects; the text says why."""


@dataclass(frozen=True)
class Picture:
    """An encoded picture.

    ``source`` is ``data`` (in the request), ``asset`` (uploaded here), ``sample`` (the published
    default) or ``internet`` (a substitute, because the simulator fetches nothing from outside).
    """

    content: bytes
    width: int
    height: int
    source: str
    url: str = ""

    def encoded(self) -> bytes:
        """Return the picture's bytes; a substitute is drawn only now, because that is slow."""
        if self.content:
            return self.content
        target = io.BytesIO()
        still((self.width, self.height), self.url).save(target, "JPEG", quality=88)
        return target.getvalue()


def is_link(text: str) -> bool:
    """Whether a text is an http or https address."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def decode_inline(text: str) -> bytes:
    """Return the bytes of a ``data:`` URI or of bare base64.

    Raises
    ------
    PictureError
        If the text is neither.
    """
    if text.startswith("data:"):
        head, comma, payload = text.partition(",")
        if not comma:
            raise PictureError("the data URI has no comma")
        if not head.endswith(";base64"):
            return unquote_to_bytes(payload.encode("utf-8", "replace"))
    else:
        payload = text
        if not _BARE_BASE64.match(payload):
            raise PictureError("neither a URL nor base64")
    try:
        return base64.b64decode(payload, validate=False)
    except (binascii.Error, ValueError) as problem:
        raise PictureError("the base64 cannot be decoded") from problem


def check(content: bytes, source: str, *, webp: bool) -> Picture:
    """Check a picture like the providers.

    The limits are the published ones: JPG, JPEG or PNG (MiniMax itself also accepts WebP), at most
    20 MB, shorter side over 300 pixels, aspect ratio between 2:5 and 5:2 exclusive.

    Raises
    ------
    PictureError
        With the violated rule.
    """
    if len(content) > _MAX_BYTES:
        raise PictureError("the image is larger than 20 MB")
    try:
        with warnings.catch_warnings():
            # Pillow warns about very large pictures; here that is up to the provider.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content)) as picture:
                kind, (width, height) = picture.format, picture.size
                if kind in ("JPEG", "PNG", "WEBP"):
                    picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
        raise PictureError("the image cannot be read") from problem
    if kind not in (("JPEG", "PNG", "WEBP") if webp else ("JPEG", "PNG")):
        raise PictureError(f"the image format {kind} is not supported")
    if min(width, height) <= _SHORTEST:
        raise PictureError("the shorter side of the image must exceed 300 pixels")
    if not _NARROWEST < width / height < _WIDEST:
        raise PictureError("the aspect ratio of the image must be between 2:5 and 5:2")
    return Picture(content, width, height, source)


def stand_in(url: str, source: str = "internet") -> Picture:
    """Return a substitute for a picture on the internet; the same for the same address."""
    return Picture(b"", *_STANDARD, source, url)


def fitted(picture: Picture | None, height: int) -> tuple[int, int]:
    """Return the size of a clip: 16:9, or the first frame's shape, in even pixels.

    Parameters
    ----------
    picture : Picture or None
        The first frame.
    height : int
        768 or 1080: the shorter side.
    """
    if picture is None:
        return _STANDARD if height == _STANDARD[1] else (1920, 1080)
    if (picture.width, picture.height) == _STANDARD and height == _STANDARD[1]:
        return _STANDARD
    scale = height / min(picture.width, picture.height)
    return round(picture.width * scale / 2) * 2, round(picture.height * scale / 2) * 2
