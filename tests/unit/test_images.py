"""Frames: real JPEG and PNG files, good and bad."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hailuo_jupyter.errors import NOTHING_SENT, FrameError
from hailuo_jupyter.request.image_limits import MAX_PIXELS
from tests.support.sample_images import LIMITS, encoded, opened, picture, refusal, sha256, turned_by


@pytest.mark.parametrize(
    ("name", "kind", "form"),
    [("a.jpg", "JPEG", "jpeg"), ("a.jpeg", "JPEG", "jpeg"), ("a.png", "PNG", "png")],
)
def test_a_good_file_is_sent_byte_for_byte(tmp_path: Path, name: str, kind: str, form: str) -> None:
    data = encoded(picture(), kind)
    (tmp_path / name).write_bytes(data)
    frame = opened(tmp_path / name)
    assert frame.data == data
    assert frame.identity == f"file:{sha256(data)}"
    assert frame.sha256 == frame.source_sha256 == sha256(data)
    assert (frame.format, frame.media_type) == (form, f"image/{form}")
    assert (frame.width, frame.height, frame.size) == (640, 360, len(data))
    assert (frame.source, frame.turned, frame.url) == (name, False, None)
    assert frame.file_name == f"{sha256(data)}.{'jpg' if form == 'jpeg' else 'png'}"
    head, _, body = frame.data_uri().partition(",")
    assert head == f"data:image/{form};base64"
    assert base64.b64decode(body) == data


def test_a_path_counts_from_base_and_from_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture().save(tmp_path / "first.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    here = opened("first.png", base=tmp_path)
    assert opened("~/first.png") == here
    assert opened(str(tmp_path / "first.png"), base=Path("elsewhere")) == here
    monkeypatch.chdir(tmp_path)
    assert opened("./first.png") == here


def test_the_same_bytes_are_the_same_frame_wherever_they_come_from(tmp_path: Path) -> None:
    data = encoded(picture(), "PNG")
    (tmp_path / "one.png").write_bytes(data)
    (tmp_path / "two.png").write_bytes(data)
    frames = [
        opened(s) for s in (tmp_path / "one.png", tmp_path / "two.png", data, bytearray(data))
    ]
    assert len({frame.identity for frame in frames}) == 1
    assert [frame.source for frame in frames] == ["one.png", "two.png", "memory", "memory"]


def test_the_real_format_counts_and_not_the_suffix(tmp_path: Path) -> None:
    picture().save(tmp_path / "really.png", "JPEG")
    assert opened(tmp_path / "really.png").format == "jpeg"
    picture().save(tmp_path / "photo.jpg", "WEBP")
    error = refusal(tmp_path / "photo.jpg")
    assert "photo.jpg is WebP" in error.what
    assert "Image.open(p).convert('RGB').save('first.png')" in error.todo


@pytest.mark.parametrize(
    ("kind", "name"),
    [("WEBP", "WebP"), ("GIF", "GIF"), ("BMP", "BMP"), ("TIFF", "TIFF"), ("PDF", "PDF")],
)
def test_other_formats_are_named_and_refused(kind: str, name: str) -> None:
    assert f"is {name};" in refusal(encoded(picture(), kind)).what


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "1", "I;16"])
def test_every_kind_of_png_is_sent_as_it_is(mode: str) -> None:
    image = picture("L").convert(mode) if mode == "I;16" else picture(mode)
    data = encoded(image, "PNG")
    assert opened(data).data == data


def test_a_jpeg_with_a_second_picture_inside_is_a_jpeg() -> None:
    data = encoded(picture(), "MPO", save_all=True, append_images=[picture("L").convert("RGB")])
    frame = opened(data)
    assert (frame.format, frame.data) == ("jpeg", data)


@pytest.mark.parametrize("tag", range(2, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_exif_turn_is_turned_upright_and_both_hashes_kept(kind: str, tag: int) -> None:
    data = encoded(picture(), kind, exif=turned_by(tag), icc_profile=b"profile")
    frame = opened(data)
    assert frame.turned
    assert frame.identity == f"file:{sha256(data)}"
    assert frame.source_sha256 == sha256(data)
    assert frame.data is not None
    assert frame.sha256 == sha256(frame.data) != frame.source_sha256
    upright = Image.open(BytesIO(frame.data))
    assert upright.size == (frame.width, frame.height) == ((640, 360) if tag < 5 else (360, 640))
    assert upright.getexif().get(0x0112, 1) == 1
    assert upright.info["icc_profile"] == b"profile"
    # The red corner goes where EXIF 2.3, table 4, says that row 0 and column 0 are.
    corner = {2: "right top", 3: "right bottom", 4: "left bottom", 5: "left top"}
    corner |= {6: "right top", 7: "right bottom", 8: "left bottom"}
    side, _, height = corner[tag].partition(" ")
    place = (
        0 if side == "left" else upright.width - 1,
        0 if height == "top" else upright.height - 1,
    )
    red, _, blue = upright.convert("RGB").getpixel(place)  # type: ignore[misc]
    assert red > 200
    assert blue < 60


@pytest.mark.parametrize("tag", [1, 0, 9, 77])
def test_no_turn_and_a_senseless_one_leave_the_file_alone(tag: int) -> None:
    data = encoded(picture(), "JPEG", exif=turned_by(tag))
    frame = opened(data)
    assert (frame.data, frame.turned) == (data, False)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_does_not_spoil_a_good_picture() -> None:
    data = encoded(picture(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03")
    assert opened(data).data == data


@pytest.mark.parametrize(
    ("size", "good"),
    [
        ((301, 301), True),
        ((300, 301), False),
        ((301, 300), False),
        ((752, 301), True),
        ((755, 302), False),
        ((302, 755), False),
        ((302, 754), True),
        ((756, 302), False),
    ],
)
def test_shorter_side_and_ratio_are_limits_that_are_excluded(
    size: tuple[int, int], good: bool
) -> None:
    data = encoded(picture(size=size), "PNG")
    if good:
        assert (opened(data).width, opened(data).height) == size
    else:
        assert f"{size[0]} x {size[1]} pixels" in refusal(data).what


def test_messages_give_value_limit_and_way_out() -> None:
    small = refusal(encoded(picture(size=(400, 200)), "PNG"))
    assert "400 x 200 pixels" in small.what
    assert "longer than 300" in small.what
    assert "resize" in small.todo
    wide = refusal(encoded(picture(size=(1000, 310)), "PNG"))
    assert "ratio of 3.23" in wide.what
    assert "between 2:5 and 5:2 (0.4 and 2.5)" in wide.what
    assert "ImageOps.fit" in wide.todo


def test_too_many_bytes_are_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(LIMITS.max_bytes + 5)
    for source in (path, bytes(LIMITS.max_bytes + 5)):
        error = refusal(source)
        assert "20000005 bytes" in error.what
        assert "limit is 20 MB" in error.what
        assert "thumbnail" in error.todo


def test_the_limit_itself_is_allowed() -> None:
    data = encoded(picture(), "PNG")
    assert opened(data, limits=replace(LIMITS, max_bytes=len(data))).size == len(data)
    refusal(data, limits=replace(LIMITS, max_bytes=len(data) - 1))


def bomb(width: int, height: int) -> bytes:
    """Write a PNG of a few bytes whose header promises that many pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rows + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8_945, 9_999, 30_000, 60_000])
def test_decompression_bombs_are_refused_by_their_header(side: int) -> None:
    assert side * side > MAX_PIXELS
    assert "80 million" in refusal(bomb(side, side)).what


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_our_own_limit_of_pixels_does_not_lean_on_pillows_warning() -> None:
    error = refusal(bomb(10_000, 9_000))
    assert "10000 x 9000 pixels, 90 million; the limit is 80 million" in error.what
    # The largest that is allowed gets as far as its missing pixels.
    assert "cannot be decoded" in refusal(bomb(8_900, 8_900)).what


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(kind: str, part: float) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (400, 400, 3), np.uint8))
    data = encoded(noise, kind)
    error = refusal(data[: int(len(data) * part)])
    assert "cannot be decoded" in error.what
    assert "cut off" in error.todo


def test_animated_and_cmyk_are_refused_with_a_way_out() -> None:
    moving = encoded(picture(), "PNG", save_all=True, append_images=[picture("L").convert("RGB")])
    assert "animated PNG" in refusal(moving).what
    assert "CMYK" in refusal(encoded(picture("CMYK"), "JPEG")).what
    assert "CMYK" in refusal(picture("CMYK")).what


def test_missing_file_names_it_and_the_nearest(tmp_path: Path) -> None:
    picture().save(tmp_path / "first.png")
    error = refusal("frist.png", base=tmp_path)
    assert "There is no first frame frist.png." in error.what
    assert "The nearest name in that folder is first.png." in error.todo
    assert str(tmp_path) not in str(error)
    assert "is first.png." in refusal("FRIST.PNG", base=tmp_path).todo
    assert "nearest" not in refusal("zzz.jpeg", base=tmp_path).todo
    assert "its folder does not exist" in refusal("nowhere/first.png", base=tmp_path).what


@pytest.mark.parametrize(
    "source", ["", ".", "a\0b.png", "x" * 5000, "~nobody-of-this-name/a.png", "\ud800.png"]
)
def test_paths_that_are_no_files(tmp_path: Path, source: str) -> None:
    assert str(refusal(source, base=tmp_path)).isprintable()


def test_an_address_is_kept_as_text_and_not_fetched() -> None:
    frame = opened(" https://example.com/a.webp?sig=1 ")
    assert frame.identity == "url:https://example.com/a.webp?sig=1"
    assert (frame.url, frame.source) == ("https://example.com/a.webp?sig=1", "url")
    assert (frame.data, frame.size, frame.media_type, frame.file_name) == (None, 0, None, None)
    with pytest.raises(ValueError, match="address"):
        frame.data_uri()


@pytest.mark.parametrize(
    "source",
    [
        "ftp://example.com/a.png",
        "file:///a.png",
        "s3://bucket/a.png",
        "https://",
        "https://[broken/a.png",
        "https://example.com/a b.png",
        "http://example.com/\n.png",
        "data:image/png;base64,AAAA",
    ],
)
def test_other_addresses_are_refused(source: str) -> None:
    assert "address" in refusal(source).what


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "YCbCr", "HSV"])
def test_a_picture_in_memory_is_sent_as_png_without_loss(mode: str) -> None:
    image = picture(mode)
    frame = opened(image)
    assert (frame.format, frame.source, frame.identity[:7]) == ("png", "memory", "pixels:")
    assert frame.data is not None
    sent = Image.open(BytesIO(frame.data))
    assert sent.convert("RGBA").tobytes() == image.convert("RGB").convert("RGBA").tobytes()
    assert (frame.width, frame.height) == (640, 360)


@pytest.mark.parametrize(
    ("brand", "name"), [(b"avif", "AVIF"), (b"heic", "HEIC"), (b"mif1", "HEIC")]
)
def test_pictures_of_phones_are_named(brand: bytes, name: str) -> None:
    assert f"is {name}" in refusal(b"\0\0\0\x18ftyp" + brand + bytes(12)).what


def test_frames_of_other_types_are_refused() -> None:
    assert "type int" in refusal(5).what
    assert "type BytesIO" in refusal(BytesIO()).what


def test_a_format_that_the_provider_does_not_take() -> None:
    assert (
        "PNG" in refusal(encoded(picture(), "PNG"), limits=replace(LIMITS, formats=("jpeg",))).what
    )


def test_a_frame_does_not_print_its_bytes() -> None:
    assert "data=" not in repr(opened(picture()))


GOOD = {kind: encoded(picture(), kind, exif=turned_by(6)) for kind in ("JPEG", "PNG")}


def frame_or_refusal(data: bytes) -> None:
    try:
        frame = opened(data)
    except FrameError as error:
        assert error.money == NOTHING_SENT
        return
    assert frame.identity == f"file:{sha256(data)}"
    assert frame.data is not None
    Image.open(BytesIO(frame.data)).load()


@given(start=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"]), rest=st.binary())
def test_any_bytes_are_a_frame_or_refused(start: bytes, rest: bytes) -> None:
    frame_or_refusal(start + rest)


@given(data=st.data(), kind=st.sampled_from(sorted(GOOD)))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_picture_is_a_frame_or_refused(data: st.DataObject, kind: str) -> None:
    broken = bytearray(GOOD[kind])
    places = st.integers(0, 700) | st.integers(0, len(broken) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        broken[place] = value
    frame_or_refusal(bytes(broken[: data.draw(st.integers(0, len(broken)))]))


@given(text=st.text(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_frame_or_refused(tmp_path: Path, text: str) -> None:
    try:
        frame = opened(text, base=tmp_path)
    except FrameError:
        return
    assert frame.identity == f"url:{text.strip()}"
