"""Pictures through Pillow: decode, check, turn upright, encode."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, cast

from hailuo_jupyter.catalogue.types import FrameLimits
from hailuo_jupyter.errors import FrameError
from hailuo_jupyter.files import sha256
from hailuo_jupyter.request.arrays import as_uint8
from hailuo_jupyter.request.image_formats import AS_PNG, DAMAGED_JPEG, DAMAGED_PNG, UNKNOWN, kind_of
from hailuo_jupyter.request.image_limits import MAX_PIXELS, check_bytes, check_shape, refused

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION = 0x0112  # EXIF 2.3, table 4: values 2 to 8 are rotations and mirrorings
_TURNS = range(2, 9)


@dataclass(frozen=True)
class EncodedImage:
    """A picture that has passed every check, as it will be sent.

    Parameters
    ----------
    identity
        What identifies the picture: ``file:<sha256 of the file>`` or
        ``pixels:<sha256 over mode, size and pixels>``.
    data, format
        The bytes to send; ``"jpeg"`` or ``"png"``.
    source_sha256
        The sha256 of the bytes before re-encoding.
    width, height
        Pixels.
    turned
        Whether it was rotated upright.
    """

    identity: str
    data: bytes = field(repr=False)
    format: str
    source_sha256: str
    width: int
    height: int
    turned: bool


def encoded(data: bytes, source: str, role: str, limits: FrameLimits) -> EncodedImage:
    """Check the bytes of a file: size and header first, then decode it completely."""
    from PIL import Image, UnidentifiedImageError

    check_file(len(data), data, source, role, limits)
    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with Image.open(BytesIO(data), formats=["JPEG", "PNG"]) as image:
            return _check_encoded(image, data, source, role, limits)
    except FrameError:
        raise
    except bombs as error:
        raise refused(
            f"The {role} {source} would unpack to far more than {MAX_PIXELS / 1e6:.0f} million "
            "pixels.",
            "Use a smaller picture.",
        ) from error
    except UnidentifiedImageError as error:
        raise _not_taken(data, source, role) from error
    except Exception as error:  # Pillow's decoders raise anything for broken bytes
        raise refused(
            f"The {role} {source} cannot be decoded: {error}.",
            "The file is damaged or cut off; copy or export it again.",
        ) from error


def check_file(size: int, head: bytes, source: str, role: str, limits: FrameLimits) -> None:
    """Reject a file that is too large, by its size and its first bytes.

    Raises
    ------
    FrameError
        With its size and the limit; for a video or another format, with its kind.
    """
    if size > limits.max_bytes and kind_of(head) not in {UNKNOWN, DAMAGED_JPEG, DAMAGED_PNG}:
        raise _not_taken(head, source, role)
    check_bytes(size, role, limits)


def _not_taken(data: bytes, source: str, role: str) -> FrameError:
    kind = kind_of(data)
    return refused(f"The {role} {source} is {kind.name}; providers take JPEG and PNG.", kind.todo)


def _check_encoded(
    image: Image.Image, data: bytes, source: str, role: str, limits: FrameLimits
) -> EncodedImage:
    # A JPEG with a second picture inside, as written by some cameras, is MPO to Pillow.
    name = "jpeg" if image.format in {"JPEG", "MPO"} else "png"
    if name not in limits.formats:
        raise refused(f"The {role} {source} is {name.upper()}, which is not accepted here.", AS_PNG)
    check_shape(*image.size, role, limits)
    if name == "png" and getattr(image, "is_animated", False):
        raise refused(f"The {role} {source} is an animated PNG.", AS_PNG)
    if image.mode == "CMYK":
        raise refused(
            f"The {role} {source} has colours for print (CMYK), which come out wrong.",
            AS_PNG,
        )
    image.load()
    turn = _orientation(image)
    identity = f"file:{sha256(data)}"
    sent = _upright(image, name) if turn in _TURNS else data
    check_bytes(len(sent), role, limits)
    sides = image.size[::-1] if turn in range(5, 9) else image.size
    return EncodedImage(
        identity=identity,
        data=sent,
        format=name,
        source_sha256=sha256(data),
        width=sides[0],
        height=sides[1],
        turned=turn in _TURNS,
    )


def _orientation(image: Image.Image) -> object:
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - a good picture may have broken EXIF; then it is not rotated
        return None


def _upright(image: Image.Image, name: str) -> bytes:
    from PIL import ImageOps

    turned = ImageOps.exif_transpose(image)
    return _encode(turned, name, quality=95, icc_profile=image.info.get("icc_profile"))


def _encode(image: Image.Image, name: str, **how: object) -> bytes:
    out = BytesIO()
    image.save(out, format=name.upper(), **how)
    return out.getvalue()


def picture(image: Image.Image, role: str, limits: FrameLimits) -> EncodedImage:
    """Check a picture in memory and encode it as PNG, which is lossless."""
    from PIL import ImageOps

    check_shape(*image.size, role, limits)
    try:
        turned = _orientation(image) in _TURNS
        upright = ImageOps.exif_transpose(image) if turned else image
        plain = _plain(upright, role)
        data = _encode(plain, "png", icc_profile=plain.info.get("icc_profile"))
        pixels = plain.tobytes()
    except FrameError:
        raise
    except Exception as error:  # a lazily opened picture is decoded only here
        raise refused(f"The {role} cannot be decoded: {error}.", "Open it again.") from error
    check_bytes(len(data), role, limits)
    mark = hashlib.sha256(f"{plain.mode} {plain.width} {plain.height}\n".encode())
    mark.update(pixels)
    return EncodedImage(
        identity=f"pixels:{mark.hexdigest()}",
        data=data,
        format="png",
        source_sha256=sha256(data),
        width=plain.width,
        height=plain.height,
        turned=turned,
    )


def _plain(image: Image.Image, role: str) -> Image.Image:
    """Return the picture in a mode that PNG supports and whose pixels are complete."""
    if image.mode in {"L", "LA", "RGB", "RGBA"} and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        low, high = (float(each) for each in cast("tuple[float, float]", image.getextrema()))
        code = as_uint8(low, high, kind="f" if image.mode == "F" else "i")
        raise refused(
            f"The {role} has more than 8 bits a channel (Pillow mode {image.mode}), from "
            f"{low:g} to {high:g}.",
            f"Convert it to an array of 8 bits: array = numpy.asarray(image); {code}.",
        )
    if image.mode == "CMYK":
        raise refused(f"The {role} has the mode CMYK.", "Convert it: image.convert('RGB').")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")
