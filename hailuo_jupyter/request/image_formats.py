"""Recognize files that are neither JPEG nor PNG, and say how to convert them to a frame."""

from __future__ import annotations

from io import BytesIO
from typing import NamedTuple

#: First bytes that identify a format.
HEAD = 4096

AS_PNG = "Save it as PNG: Image.open(p).convert('RGB').save('first.png')."
_HEIF = (
    "Run %pip install pillow-heif, then: import pillow_heif; pillow_heif.register_heif_opener(); "
    "Image.open(p).convert('RGB').save('first.png')."
)
_STILL = (
    "A run's last picture is run:RUN@last. Of another video: import av; "
    "next(av.open(p).decode(video=0)).to_image().save('first.png')."
)
_EXPORT = "Open it in the program that shows it, and export it as PNG or JPEG."
_COPY = "The file is damaged or cut off; copy or export it again."

#: ISO base media file format: the brands of pictures (ISO/IEC 23008-12, AV1 Image File Format). The
#: others are of videos.
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_AVIF = {b"avif", b"avis"}


class Kind(NamedTuple):
    """A file's format, worded for messages, and how to convert it to a frame."""

    name: str
    todo: str


DAMAGED_JPEG, DAMAGED_PNG = Kind("a damaged JPEG", _COPY), Kind("a damaged PNG", _COPY)
UNKNOWN = Kind("no picture that can be read", f"Check that it is the file you mean. {_EXPORT}")

_SIGNATURES = {
    b"GIF8": Kind("GIF", AS_PNG),
    b"BM": Kind("BMP", AS_PNG),
    b"\0\0\0\x0cJXL \r\n\x87\n": Kind("JPEG XL", _EXPORT),
    b"\xff\n": Kind("JPEG XL", _EXPORT),
    b"\0\0\0\x0cjP  \r\n\x87\n": Kind("JPEG 2000", AS_PNG),
    b"8BPS": Kind("a Photoshop file", AS_PNG),
    b"%PDF": Kind("PDF", "Export the page as PNG or JPEG."),
    b"\x1aE\xdf\xa3": Kind("a video (WebM or Matroska)", _STILL),
    b"PK\x03\x04": Kind("a ZIP archive", "Unpack it, and name the picture inside."),
    b"\x89PNG": DAMAGED_PNG,
    b"\xff\xd8\xff": DAMAGED_JPEG,
    b"version https://git-lfs.github.com/": Kind(
        "a Git LFS pointer and not the picture itself",
        "Run 'git lfs pull' in a terminal in its folder, which downloads the picture.",
    ),
}


def kind_of(data: bytes) -> Kind:
    """Return the format of a file that is neither JPEG nor PNG, by its bytes, not by its suffix."""
    if not data:
        return Kind("empty (0 bytes)", "Copy or download it again; the file never got its content.")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Kind("WebP", AS_PNG)
    if data[4:8] == b"ftyp":
        return _base_media(data[8:12])
    if data[:4] in {b"II*\0", b"MM\0*"}:
        return Kind("TIFF", _tiff_todo(data))
    for start, kind in _SIGNATURES.items():
        if data.startswith(start):
            return kind
    return _markup(data[:HEAD]) or UNKNOWN


def _base_media(brand: bytes) -> Kind:
    if brand in _HEIC:
        return Kind("HEIC", _HEIF)
    if brand in _AVIF:
        from PIL import features

        return Kind("AVIF", AS_PNG if features.check("avif") else _HEIF)
    return Kind("a video (QuickTime)" if brand == b"qt  " else "a video (MP4)", _STILL)


def _tiff_todo(data: bytes) -> str:
    """Return how to save a TIFF as PNG; Pillow turns more than 8 bits per channel into white."""
    from PIL import Image

    try:
        with Image.open(BytesIO(data), formats=["TIFF"]) as image:
            if image.mode.startswith(("I", "F")):
                return "Open it as an array, which is checked for its range: numpy.asarray(Image.open(p))."
    except Exception:  # noqa: BLE001 - Pillow's decoders raise anything for broken bytes
        return _EXPORT
    return AS_PNG


def _markup(head: bytes) -> Kind | None:
    text = head.decode("utf-8-sig", "replace").lstrip().lower()
    if not text.startswith("<"):
        return None
    if "<html" in text or "<!doctype html" in text:
        return Kind(
            "a web page (HTML) and not the picture itself",
            "Download the picture again: from the address that shows nothing but the picture.",
        )
    if "<svg" in text:
        return Kind(
            "SVG, a drawing without pixels",
            "Run %pip install cairosvg, then: import cairosvg; "
            "cairosvg.svg2png(url=p, write_to='first.png', output_width=1366).",
        )
    return None
