"""First and last frames: found, checked against the provider's limits, hashed, encoded and kept.

A file is sent byte for byte as it is, with one exception: a picture with an EXIF turn is turned
upright and encoded anew, since providers were never seen to say whether they heed the turn.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import re
import tempfile
from dataclasses import dataclass, field
from difflib import get_close_matches
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from hailuo_jupyter.catalogue import NOTHING_SENT, FrameLimits
from hailuo_jupyter.errors import DiskFull, FolderNotWritable, FrameError

if TYPE_CHECKING:
    from PIL import Image
    from PIL.Image import SupportsArrayInterface

#: A picture with more pixels is refused before it is decoded. Our own limit, not a provider's: a
#: small file can unpack to gigabytes. Below the point at which Pillow itself begins to warn.
MAX_PIXELS = 80_000_000

_SAVE_AS_PNG = "Save it as PNG: Image.open(p).convert('RGB').save('first.png')."
_SUFFIX = {"jpeg": "jpg", "png": "png"}
_ORIENTATION = 0x0112  # EXIF 2.3, table 4: values 2 to 8 are turns and mirrors
_TURNS = range(2, 9)


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


def open_frame(
    source: object, *, role: str, limits: FrameLimits, base: Path | None = None
) -> Frame:
    """Read and check a frame. Blocks while it reads and decodes.

    Parameters
    ----------
    source
        A path (``~`` is expanded), an http or https address (kept as text, not fetched), the bytes
        of a file, a Pillow image, or an array of 8 bit (anything with ``__array_interface__``).
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
        return _encoded(bytes(source), "memory", role, limits)
    if isinstance(source, Image.Image):
        return _picture(source, role, limits)
    if hasattr(source, "__array_interface__"):
        return _picture(_from_array(cast("SupportsArrayInterface", source), role), role, limits)
    raise _refused(
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
        if path.is_file() and _sha256(path.read_bytes()) == frame.sha256:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_atomically(path, frame.data)
    except OSError as error:
        kind = DiskFull if error.errno in {errno.ENOSPC, errno.EDQUOT} else FolderNotWritable
        raise kind(
            f"The frame {frame.source} could not be kept in {folder.name}/frames: "
            f"{error.strerror or error}.",
            money=NOTHING_SENT,
            todo="Make room, or choose another output folder.",
        ) from error
    return path


def _write_atomically(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".frame-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _refused(what: str, todo: str) -> FrameError:
    return FrameError(what, money=NOTHING_SENT, todo=todo)


def _named(path: Path | str) -> str:
    """Show a file's name; what no terminal or JSON takes is written as an escape."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


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
        raise _refused(
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
            raise _refused(
                f"The {role} {_named(given)} is no file.", "Give the path of a JPEG or PNG."
            )
        _check_bytes(path.stat().st_size, role, limits)
        with path.open("rb") as file:
            # One byte more than allowed shows a file that grew meanwhile.
            data = file.read(limits.max_bytes + 1)
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL; RuntimeError: ~nobody
        why = getattr(error, "strerror", None) or str(error)
        raise _refused(
            f"The {role} {_named(given)} cannot be read: {why}.",
            "Check its path and its rights.",
        ) from error
    return _encoded(data, _named(path.name), role, limits)


def _missing(path: Path, given: Path, role: str) -> FrameError:
    if not path.parent.is_dir():
        return _refused(
            f"There is no {role} {_named(given)}: its folder does not exist.",
            "Give a path from the notebook's folder, or a full one.",
        )
    names = {found.name.casefold(): found.name for found in path.parent.iterdir()}
    near = get_close_matches(path.name.casefold(), names, n=1)
    return _refused(
        f"There is no {role} {_named(given)}.",
        f"The nearest name in that folder is {_named(names[near[0]])}."
        if near
        else "Give a path from the notebook's folder, or a full one.",
    )


def _check_bytes(size: int, role: str, limits: FrameLimits) -> None:
    if size > limits.max_bytes:
        raise _refused(
            f"The {role} has {size / 1e6:.1f} MB ({size} bytes); the limit is "
            f"{limits.max_bytes / 1e6:g} MB.",
            "Save it smaller: image = Image.open(p).convert('RGB'); "
            "image.thumbnail((2048, 2048)); image.save('first.jpg').",
        )


def _check_shape(width: int, height: int, role: str, limits: FrameLimits) -> None:
    if width * height > MAX_PIXELS:
        raise _refused(
            f"The {role} has {width} x {height} pixels, {width * height / 1e6:.0f} million; the "
            f"limit is {MAX_PIXELS / 1e6:.0f} million.",
            "Scale it down: image.thumbnail((2048, 2048)).",
        )
    if min(width, height) <= limits.min_short_side_px:
        raise _refused(
            f"The {role} has {width} x {height} pixels; its shorter side has to be longer than "
            f"{limits.min_short_side_px}.",
            "Use a larger picture, or scale this one up: image.resize((2 * width, 2 * height)).",
        )
    if not limits.min_ratio * height < width < limits.max_ratio * height:
        low, high = (f"{r.numerator}:{r.denominator}" for r in (limits.min_ratio, limits.max_ratio))
        raise _refused(
            f"The {role} has {width} x {height} pixels, a ratio of {width / height:.3g}; it has to "
            f"lie between {low} and {high} ({float(limits.min_ratio):g} and "
            f"{float(limits.max_ratio):g}), both excluded.",
            "Crop it: ImageOps.fit(image, (1366, 768)).",
        )


def _encoded(data: bytes, source: str, role: str, limits: FrameLimits) -> Frame:
    """Check the bytes of a file: size and header first, then decode it wholly."""
    from PIL import Image, UnidentifiedImageError

    _check_bytes(len(data), role, limits)
    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with Image.open(BytesIO(data), formats=["JPEG", "PNG"]) as image:
            return _check_encoded(image, data, source, role, limits)
    except FrameError:
        raise
    except bombs as error:
        raise _refused(
            f"The {role} {source} would unpack to far more than {MAX_PIXELS / 1e6:.0f} million "
            "pixels.",
            "Use a smaller picture.",
        ) from error
    except UnidentifiedImageError as error:
        found = _format_name(data)
        raise _refused(
            f"The {role} {source} is {found}; providers take JPEG and PNG.", _SAVE_AS_PNG
        ) from error
    except Exception as error:  # Pillow's decoders raise whatever broken bytes bring
        raise _refused(
            f"The {role} {source} cannot be decoded: {error}.",
            "The file is damaged or cut off; copy or export it again.",
        ) from error


def _check_encoded(
    image: Image.Image, data: bytes, source: str, role: str, limits: FrameLimits
) -> Frame:
    # A JPEG with a second picture inside, as some cameras write it, is MPO to Pillow.
    name = "jpeg" if image.format in {"JPEG", "MPO"} else "png"
    if name not in limits.formats:
        raise _refused(f"The {role} {source} is {name.upper()}, not taken here.", _SAVE_AS_PNG)
    _check_shape(*image.size, role, limits)
    if name == "png" and getattr(image, "is_animated", False):
        raise _refused(f"The {role} {source} is an animated PNG.", _SAVE_AS_PNG)
    if image.mode == "CMYK":
        raise _refused(
            f"The {role} {source} has colours for print (CMYK), which come out wrong.",
            _SAVE_AS_PNG,
        )
    image.load()
    turn = _orientation(image)
    identity = f"file:{_sha256(data)}"
    sent = _upright(image, name) if turn in _TURNS else data
    _check_bytes(len(sent), role, limits)
    sides = image.size[::-1] if turn in range(5, 9) else image.size
    return Frame(
        identity=identity,
        source=source,
        data=sent,
        sha256=_sha256(sent),
        source_sha256=_sha256(data),
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


def _picture(image: Image.Image, role: str, limits: FrameLimits) -> Frame:
    """Check a picture in memory and encode it as PNG, which loses nothing."""
    from PIL import ImageOps

    _check_shape(*image.size, role, limits)
    try:
        turned = _orientation(image) in _TURNS
        upright = ImageOps.exif_transpose(image) if turned else image
        plain = _plain(upright, role)
        data = _encode(plain, "png", icc_profile=plain.info.get("icc_profile"))
        pixels = plain.tobytes()
    except FrameError:
        raise
    except Exception as error:  # a lazily opened picture is decoded only here
        raise _refused(f"The {role} cannot be decoded: {error}.", "Open it again.") from error
    _check_bytes(len(data), role, limits)
    mark = hashlib.sha256(f"{plain.mode} {plain.width} {plain.height}\n".encode())
    mark.update(pixels)
    return Frame(
        identity=f"pixels:{mark.hexdigest()}",
        source="memory",
        data=data,
        sha256=_sha256(data),
        source_sha256=_sha256(data),
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
        raise _refused(
            f"The {role} has more than 8 bits a channel (Pillow mode {image.mode}).",
            "Scale it to 8 bits, e.g. Image.fromarray((array * 255).astype('uint8')).",
        )
    if image.mode == "CMYK":
        raise _refused(f"The {role} has the mode CMYK.", "Convert it: image.convert('RGB').")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def _from_array(source: SupportsArrayInterface, role: str) -> Image.Image:
    from PIL import Image

    try:
        interface = source.__array_interface__
        shape, kind = tuple(interface["shape"]), str(interface["typestr"])
    except Exception as error:  # a foreign object's property
        raise _refused(
            f"The {role} is no readable array: {error}.", "Give a numpy array."
        ) from error
    channels_last = len(shape) == 3 and shape[2] in {3, 4}
    if not (len(shape) == 2 or channels_last):
        raise _refused(
            f"The {role} is an array of shape {shape}; it has to be (height, width), "
            "(height, width, 3) or (height, width, 4).",
            "Put the channels last: numpy.moveaxis(array, 0, -1); drop others: array[..., :3].",
        )
    if kind != "|u1":
        raise _refused(
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
