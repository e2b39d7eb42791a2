"""First and last frames: opened, checked against the provider's limits, hashed, encoded and stored.

A file is sent unchanged, with one exception: a picture with an EXIF rotation is turned
upright and re-encoded, since no provider documents whether it applies the rotation.
"""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from hailuo_jupyter import path_hints
from hailuo_jupyter.catalogue.types import FrameLimits
from hailuo_jupyter.errors import NOTHING_SENT, FrameError, unwritten
from hailuo_jupyter.files import atomic_write, clear_half_written, sha256
from hailuo_jupyter.request.arrays import from_array
from hailuo_jupyter.request.image_codec import EncodedImage, check_file, encoded, picture
from hailuo_jupyter.request.image_formats import HEAD
from hailuo_jupyter.request.image_limits import refused

if TYPE_CHECKING:
    from PIL import Image
    from PIL.Image import SupportsArrayInterface

#: The file name of a stored frame.
_KEPT = re.compile(r"[0-9a-f]{64}\.(jpg|png)")


_SUFFIX = {"jpeg": "jpg", "png": "png"}


@dataclass(frozen=True)
class FrameOrigin:
    """The clip that a frame was taken from.

    Parameters
    ----------
    run_id, clip_sha256
        The clip's run, and the sha256 of its file.
    at_s
        Its time in the clip, in seconds from the start.
    words
        What it is, such as ``last frame of fox``.
    """

    run_id: str
    clip_sha256: str
    at_s: float
    words: str = "memory"


@dataclass(frozen=True)
class ClipFrame:
    """A picture of a clip, for use as the frame of another one.

    Parameters
    ----------
    picture
        The decoded picture.
    origin
        Its clip.
    """

    picture: Image.Image = field(repr=False)
    origin: FrameOrigin

    def _repr_png_(self) -> bytes:
        """Display the picture in a notebook."""
        out = BytesIO()
        self.picture.save(out, format="PNG")
        return out.getvalue()


@dataclass(frozen=True)
class Frame:
    """A first or last frame that has passed every check.

    Parameters
    ----------
    identity
        What identifies the frame: ``file:<sha256 of the file>``,
        ``pixels:<sha256 over mode, size and pixels>`` or ``url:<text>``.
    source
        The file's name without its folder, ``"url"``, ``"memory"``, or what it is of a clip.
    url
        The address, if the provider should fetch it itself.
    data
        The bytes to send; None for an address.
    sha256, source_sha256
        Of `data`, and of the bytes before re-encoding (else the same).
    format
        ``"jpeg"`` or ``"png"``; None for an address.
    width, height
        Pixels of `data`; None for an address.
    turned
        Whether it was rotated upright.
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
        """Return the bytes as a ``data:`` URI.

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
        of a file, a Pillow image, an array of 8 bit (anything with ``__array_interface__``), or a
        picture of a clip.
    role
        Its name in messages, e.g. ``"first frame"``.
    limits
        The provider's, from the catalogue.
    base
        Folder to which a relative path refers; the current one by default.

    Raises
    ------
    FrameError
        If it is not found, unreadable or outside a limit; the message has the measured value,
        the limit and a solution.
    """
    from PIL import Image

    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        if isinstance(text, str) and isinstance(source, str) and _names_scheme(text):
            return _address(text, role)
        return _read_file(Path(os.fsdecode(text)), role, limits, base)
    if isinstance(source, bytes | bytearray | memoryview):
        return _frame(encoded(bytes(source), "memory", role, limits))
    if isinstance(source, ClipFrame):
        origin = source.origin
        return replace(_frame(picture(source.picture, role, limits), origin.words), origin=origin)
    if isinstance(source, Image.Image):
        return _frame(picture(source, role, limits))
    if hasattr(source, "__array_interface__"):
        made = from_array(cast("SupportsArrayInterface", source), role)
        return _frame(picture(made, role, limits))
    if hasattr(source, "__array__"):  # tensors and data frames
        raise refused(
            f"The {role} is of type {type(source).__name__}, not a NumPy array.",
            "Convert it: numpy.asarray(frame); a tensor on a GPU: frame.detach().cpu().numpy().",
        )
    raise refused(
        f"The {role} is of type {type(source).__name__}, which is not understood.",
        "Pass a path, a URL, the bytes of a file, a Pillow image or a NumPy array.",
    )


def keep(frame: Frame, folder: Path) -> Path | None:
    """Store a frame next to the clips, so that its run can be repeated.

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
        if path.is_file() and sha256(path.read_bytes()) == frame.sha256:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, frame.data)
        clear_half_written(path.parent, path.name.__eq__)
    except OSError as error:
        raise unwritten(error)(
            f"The frame {frame.source} could not be kept in {folder.name}/frames: "
            f"{error.strerror or error}.",
            money=NOTHING_SENT,
            todo="Free some space, or choose another output folder.",
        ) from error
    return path


def is_kept(name: str) -> bool:
    """Return whether a file in ``frames`` has the name of a stored frame."""
    return _KEPT.fullmatch(name) is not None


def _frame(image: EncodedImage, source: str = "memory") -> Frame:
    return Frame(
        identity=image.identity,
        source=source,
        data=image.data,
        sha256=sha256(image.data),
        source_sha256=image.source_sha256,
        format=image.format,
        width=image.width,
        height=image.height,
        turned=image.turned,
    )


def _named(path: Path | str) -> str:
    """Return a file's name, with escapes for what no terminal or JSON accepts."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


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
        raise refused(
            f"The {role} is not an address that a provider can fetch: {url[:60]!a}.",
            "Give an http or https address, or the path of a file.",
        )
    return Frame(identity=f"url:{url}", source="url", url=url)


def _read_file(source: Path, role: str, limits: FrameLimits, base: Path | None) -> Frame:
    try:
        path = (base or Path()) / source.expanduser()
        if not path.exists():
            raise _missing(path, source, role, base or Path())
        if not path.is_file():
            raise refused(
                f"The {role} {_named(source)} is not a file.", "Use the path of a JPEG or PNG."
            )
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > limits.max_bytes:
                check_file(size, file.read(HEAD), _named(path.name), role, limits)
            # One byte more than allowed detects a file that grew meanwhile.
            data = file.read(limits.max_bytes + 1)
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL; RuntimeError: ~nobody
        why = getattr(error, "strerror", None) or str(error)
        raise refused(
            f"The {role} {_named(source)} cannot be read: {why}.",
            "Check its path and its rights.",
        ) from error
    name = _named(path.name)
    return _frame(encoded(data, name, role, limits), name)


def _missing(path: Path, source: Path, role: str, base: Path) -> FrameError:
    if hint := path_hints.hint(source, base):
        return refused(f"There is no {role} {_named(source)}.", hint)
    if not path.parent.is_dir():
        return refused(
            f"There is no {role} {_named(source)}: its folder does not exist.",
            "Use a path relative to the current folder, or an absolute one.",
        )
    names = {found.name.casefold(): found.name for found in path.parent.iterdir()}
    near = get_close_matches(path.name.casefold(), names, n=1)
    return refused(
        f"There is no {role} {_named(source)}.",
        f"The nearest name in that folder is {_named(names[near[0]])}."
        if near
        else "Use a path relative to the current folder, or an absolute one.",
    )
