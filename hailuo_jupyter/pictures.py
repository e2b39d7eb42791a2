"""Frames through Pillow: decoded, checked, turned upright, encoded."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING

from hailuo_jupyter.errors import FrameError
from hailuo_jupyter.frame import MAX_PIXELS, Frame, check_bytes, check_shape, refused, sha256
from hailuo_jupyter.offer import FrameLimits

if TYPE_CHECKING:
    from PIL import Image
    from PIL.Image import SupportsArrayInterface

_SAVE_AS_PNG = "Save it as PNG: Image.open(p).convert('RGB').save('first.png')."
_ORIENTATION = 0x0112  # EXIF 2.3, table 4: values 2 to 8 are turns and mirrors
_TURNS = range(2, 9)


def encoded(data: bytes, source: str, role: str, limits: FrameLimits) -> Frame:
    """Check the bytes of a file: size and header first, then decode it wholly."""
    from PIL import Image, UnidentifiedImageError

    check_bytes(len(data), role, limits)
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
        found = _format_name(data)
        raise refused(
            f"The {role} {source} is {found}; providers take JPEG and PNG.", _SAVE_AS_PNG
        ) from error
    except Exception as error:  # Pillow's decoders raise whatever broken bytes bring
        raise refused(
            f"The {role} {source} cannot be decoded: {error}.",
            "The file is damaged or cut off; copy or export it again.",
        ) from error


def _check_encoded(
    image: Image.Image, data: bytes, source: str, role: str, limits: FrameLimits
) -> Frame:
    # A JPEG with a second picture inside, as some cameras write it, is MPO to Pillow.
    name = "jpeg" if image.format in {"JPEG", "MPO"} else "png"
    if name not in limits.formats:
        raise refused(f"The {role} {source} is {name.upper()}, not taken here.", _SAVE_AS_PNG)
    check_shape(*image.size, role, limits)
    if name == "png" and getattr(image, "is_animated", False):
        raise refused(f"The {role} {source} is an animated PNG.", _SAVE_AS_PNG)
    if image.mode == "CMYK":
        raise refused(
            f"The {role} {source} has colours for print (CMYK), which come out wrong.",
            _SAVE_AS_PNG,
        )
    image.load()
    turn = _orientation(image)
    identity = f"file:{sha256(data)}"
    sent = _upright(image, name) if turn in _TURNS else data
    check_bytes(len(sent), role, limits)
    sides = image.size[::-1] if turn in range(5, 9) else image.size
    return Frame(
        identity=identity,
        source=source,
        data=sent,
        sha256=sha256(sent),
        source_sha256=sha256(data),
        format=name,
        width=sides[0],
        height=sides[1],
        turned=turn in _TURNS,
    )


def _orientation(image: Image.Image) -> object:
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - a good picture may carry broken EXIF; then nothing turns it
        return None


def _upright(image: Image.Image, name: str) -> bytes:
    from PIL import ImageOps

    turned = ImageOps.exif_transpose(image)
    return _encode(turned, name, quality=95, icc_profile=image.info.get("icc_profile"))


def _encode(image: Image.Image, name: str, **how: object) -> bytes:
    out = BytesIO()
    image.save(out, format=name.upper(), **how)
    return out.getvalue()


def picture(image: Image.Image, role: str, limits: FrameLimits) -> Frame:
    """Check a picture in memory and encode it as PNG, which loses nothing."""
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
    return Frame(
        identity=f"pixels:{mark.hexdigest()}",
        source="memory",
        data=data,
        sha256=sha256(data),
        source_sha256=sha256(data),
        format="png",
        width=plain.width,
        height=plain.height,
        turned=turned,
    )


def _plain(image: Image.Image, role: str) -> Image.Image:
    """Give the picture in a mode that PNG has and whose pixels say everything about it."""
    if image.mode in {"L", "LA", "RGB", "RGBA"} and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        raise refused(
            f"The {role} has more than 8 bits a channel (Pillow mode {image.mode}).",
            "Scale it to 8 bits, e.g. Image.fromarray((array * 255).astype('uint8')).",
        )
    if image.mode == "CMYK":
        raise refused(f"The {role} has the mode CMYK.", "Convert it: image.convert('RGB').")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def from_array(source: SupportsArrayInterface, role: str) -> Image.Image:
    """Make a picture of an array: (height, width[, 3 or 4]) of uint8.

    Raises
    ------
    FrameError
        If it has another shape or type.
    """
    from PIL import Image

    try:
        interface = source.__array_interface__
        shape, kind = tuple(interface["shape"]), str(interface["typestr"])
    except Exception as error:  # a foreign object's property
        raise refused(
            f"The {role} is no readable array: {error}.", "Give a numpy array."
        ) from error
    channels_last = len(shape) == 3 and shape[2] in {3, 4}
    if not (len(shape) == 2 or channels_last):
        raise refused(
            f"The {role} is an array of shape {shape}; it has to be (height, width), "
            "(height, width, 3) or (height, width, 4).",
            "Put the channels last: numpy.moveaxis(array, 0, -1); drop others: array[..., :3].",
        )
    if kind != "|u1":
        raise refused(
            f"The {role} is an array of type {kind}; it has to be uint8, from 0 to 255.",
            "Scale it: (array * 255).clip(0, 255).astype('uint8').",
        )
    return Image.fromarray(source)


def _format_name(data: bytes) -> str:
    """Name what a file really is, for the message; its suffix proves nothing."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        return "AVIF" if brand in {b"avif", b"avis"} else "HEIC or another of its kind"
    signatures = {
        b"GIF8": "GIF",
        b"BM": "BMP",
        b"II*\0": "TIFF",
        b"MM\0*": "TIFF",
        b"%PDF": "PDF",
        b"<svg": "SVG",
        b"\x89PNG": "a damaged PNG",
        b"\xff\xd8\xff": "a damaged JPEG",
    }
    known = (name for start, name in signatures.items() if data.startswith(start))
    return next(known, "empty" if not data else "no picture that can be read")
