"""What messages about frames advise is followed to the letter; then the frame is taken and looks right."""

from __future__ import annotations

import ast
import os
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pillow_heif
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from hailuo_jupyter.errors import FrameError
from hailuo_jupyter.request.frames import Frame
from tests.support.sample_images import LIMITS, encoded, opened, picture, refusal

SEEN = np.asarray(picture())
GRAY = np.asarray(picture("L"))


def followed(advice: str, names: dict[str, Any]) -> Any:
    """Execute the code that a message ends with, and give the value of its last expression."""
    code = advice.split(": ", 1)[1].rstrip(".")
    body = ast.parse(code).body
    *first, last = body
    space = {"Image": Image, "ImageOps": ImageOps, "numpy": np, **names}
    exec(compile(ast.Module(first, []), "advice", "exec"), space)
    assert isinstance(last, ast.Expr)
    return eval(compile(ast.Expression(last.value), "advice", "eval"), space)


def pixels(frame: Frame) -> np.ndarray[Any, Any]:
    assert frame.data is not None
    return np.asarray(Image.open(BytesIO(frame.data)).convert("RGB")).astype(int)


@pytest.mark.parametrize(
    "array",
    [
        *(
            SEEN.astype(each)
            for each in ("int64", "int32", "uint16", "int16", "float32", "float64")
        ),
        *(GRAY.astype(each) for each in ("int64", ">u2", "float16")),
        SEEN.astype("uint16") * 257,
        SEEN.astype("int32") * 257,
        SEEN * 257.0,
        *(SEEN.astype(each) / 255 for each in ("float32", "float64")),
        (SEEN / 255).astype("float16"),
        SEEN / 127.5 - 1,
        np.where(SEEN > 240, SEEN + 9.0, SEEN - 4.0),
    ],
    ids=lambda array: f"{array.dtype}-{array.max():g}",
)
def test_an_array_of_another_type_or_range_looks_the_same(array: np.ndarray[Any, Any]) -> None:
    error = refusal(array)
    assert f"from {array.min():g} to {array.max():g}" in error.what
    sent = pixels(opened(followed(error.todo, {"array": array})))
    wanted = SEEN if array.ndim == 3 else GRAY[..., None]
    assert np.abs(sent - wanted).max() <= (10 if array.min() == 6 else 1)


def test_a_mask_becomes_black_and_white() -> None:
    for array in (GRAY > 60, (GRAY > 60).astype("int8"), (GRAY > 60).astype(float)):
        sent = pixels(opened(followed(refusal(array).todo, {"array": array})))
        assert np.array_equal(sent[..., 0], (GRAY > 60) * 255)


def test_numbers_that_are_none_are_named_and_replaced() -> None:
    array = SEEN / 255
    array[0, 0] = np.nan
    array[5, 5] = np.inf
    error = refusal(array)
    assert "and NaN or infinity" in error.what
    sent = pixels(opened(followed(error.todo, {"array": array})))
    assert np.abs(sent[9:] - SEEN[9:]).max() <= 1


def test_an_array_without_any_number_is_no_picture() -> None:
    assert "nothing but NaN" in refusal(np.full((400, 400), np.nan)).what


@example(low=65520.0, high=0.0, kind="float16")
@given(
    low=st.floats(-1e5, 1e5, width=32),
    high=st.floats(-1e5, 1e5, width=32),
    kind=st.sampled_from(
        ["int8", "uint8", "int16", "uint16", "int32", "float16", "float32", "bool"]
    ),
)
def test_whatever_the_range_is_the_advice_gives_a_frame(low: float, high: float, kind: str) -> None:
    with np.errstate(all="ignore"):
        array = np.linspace(low, high, 400 * 400).reshape(400, 400).astype(kind)
    assume(kind == "bool" or np.isfinite(array).any())
    try:
        opened(array)
    except FrameError as error:
        opened(followed(error.todo, {"array": array}))
    else:
        assert kind == "uint8"


@pytest.mark.parametrize(
    "array",
    [
        np.moveaxis(SEEN, -1, 0),
        SEEN[None],
        np.stack([SEEN, SEEN])[None],
        GRAY[..., None],
        GRAY[None],
        np.dstack([GRAY, GRAY]),
        np.dstack([SEEN, SEEN]),
        np.moveaxis(np.dstack([SEEN, SEEN]), -1, 0),
    ],
    ids=lambda array: str(array.shape),
)
def test_an_array_of_another_shape_becomes_a_picture(array: np.ndarray[Any, Any]) -> None:
    for _ in range(3):
        try:
            frame = opened(array)
            break
        except FrameError as error:
            array = followed(error.todo, {"array": array})
    sent = pixels(frame)
    assert np.array_equal(sent, SEEN) or np.array_equal(sent[..., 0], GRAY)


@pytest.mark.parametrize(
    ("mode", "factor"), [("I", 1), ("I;16", 257), ("F", 1), ("F", 1 / 255), ("I", 257)]
)
def test_a_picture_of_more_than_8_bits_looks_the_same(mode: str, factor: float) -> None:
    kind = {"I": "int32", "I;16": "uint16", "F": "float32"}[mode]
    image = Image.fromarray((GRAY * float(factor)).astype(kind))
    assert image.mode == mode
    sent = pixels(opened(followed(refusal(image).todo, {"image": image})))
    assert np.abs(sent[..., 0] - GRAY).max() <= 1


@pytest.mark.parametrize(
    "size", [(300, 300), (299, 200), (1, 1), (120, 90), (64, 100), (2, 2), (700, 290)]
)
def test_a_picture_that_is_too_small_is_scaled_up_enough(size: tuple[int, int]) -> None:
    error = refusal(picture(size=size))
    factor = float(re.search(r"up by ([\d.]+):", error.todo)[1])  # type: ignore[index]
    frame = opened(followed(error.todo, {"image": picture(size=size)}))
    assert frame.width is not None
    assert abs(frame.width / size[0] - factor) < 1
    # No more than is needed: the next smaller factor with one digit is too small.
    assert min(size) * (factor - 0.1) <= LIMITS.min_short_side_px + 1


@pytest.mark.parametrize("size", [(2000, 500), (500, 2000), (200, 20), (1, 500)])
def test_a_picture_that_is_too_long_is_cropped(size: tuple[int, int]) -> None:
    frame = opened(followed(refusal(picture(size=size)).todo, {"image": picture(size=size)}))
    assert frame.width is not None
    assert frame.height is not None
    assert (frame.width > frame.height) == (size[0] > size[1])


def film() -> bytes:
    out = BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_image(picture())))
        container.mux(stream.encode())
    return out.getvalue()


def tiff(image: Image.Image) -> bytes:
    return encoded(image, "TIFF")


def heic() -> bytes:
    out = BytesIO()
    pillow_heif.from_pillow(picture()).save(out)
    return out.getvalue()


SVG = (
    b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 360">'
    b'<rect width="640" height="360" fill="#143c78"/></svg>'
)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: encoded(picture(), "WEBP"), "WebP"),
        (lambda: encoded(picture(), "GIF"), "GIF"),
        (lambda: encoded(picture(), "BMP"), "BMP"),
        (lambda: encoded(picture(), "JPEG2000"), "JPEG 2000"),
        (lambda: encoded(picture(), "AVIF"), "AVIF"),
        (lambda: tiff(picture()), "TIFF"),
        (lambda: tiff(Image.fromarray(GRAY.astype("uint16") * 257)), "TIFF"),
        (lambda: encoded(picture("CMYK"), "JPEG"), "CMYK"),
        (lambda: encoded(picture(), "PNG", save_all=True, append_images=[picture("L")]), "animated"),
        (film, "a video (MP4)"),
        (heic, "HEIC"),
        (lambda: SVG, "SVG"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # files left to Pillow
def test_another_format_is_named_and_made_a_frame(
    make: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "photo.jpg"
    path.write_bytes(make())
    error = refusal(path)
    assert name in error.what
    result = followed(error.todo, {"p": str(path)})
    if result is not None and not Path("first.png").exists():
        result = followed(refusal(result).todo, {"array": result})
    frame = opened(tmp_path / "first.png" if Path("first.png").exists() else result)
    assert frame.width == (1366 if name == "SVG" else 640)
    wanted = (20, 60, 120)
    if np.ndim(result) == 2:
        wanted = (int(GRAY[-1, -1]),) * 3  # type: ignore[assignment]
    assert np.abs(pixels(frame)[-1, -1] - np.array(wanted)).max() < 12


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize(
    ("data", "name", "todo"),
    [
        (b"", "empty (0 bytes)", "download it again"),
        (LFS, "Git LFS pointer", "git lfs pull"),
        (b"<!DOCTYPE html>\n<html><body>404", "web page (HTML)", "Download the picture again"),
        (b"\xef\xbb\xbf\n <html>", "web page (HTML)", "Download the picture again"),
        (b"<?xml version='1.0'?><html xmlns=''>", "web page (HTML)", "Download the picture again"),
        (b"%PDF-1.7", "PDF", "Export the page"),
        (b"\x1aE\xdf\xa3", "WebM", "import av"),
        (b"\0\0\0\x14ftypqt  ", "QuickTime", "import av"),
        (b"PK\x03\x04", "ZIP", "Unpack"),
        (b"{}", "no picture", "the file you mean"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_named(data: bytes, name: str, todo: str) -> None:
    error = refusal(data)
    assert name in error.what
    assert todo in error.todo


def test_a_large_film_is_a_film_and_not_a_large_picture(tmp_path: Path) -> None:
    path = tmp_path / "clip.png"
    path.write_bytes(film())
    os.truncate(path, LIMITS.max_bytes + 5)
    for source in (path, path.read_bytes()):
        assert "a video (MP4)" in refusal(source).what


def test_a_tensor_is_told_how_to_become_an_array() -> None:
    class Tensor:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return SEEN

    error = refusal(Tensor())
    assert "numpy.asarray(frame)" in error.todo
    assert np.array_equal(pixels(opened(np.asarray(Tensor()))), SEEN)
