"""Frames in memory: PIL images and arrays, good and bad."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.support.sample_images import LIMITS, encoded, opened, picture, refusal, turned_by


def test_what_is_encoded_here_keeps_the_limit_too() -> None:
    turned = encoded(picture(), "JPEG", exif=turned_by(6), quality=10)
    refusal(turned, limits=replace(LIMITS, max_bytes=len(turned)))
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (400, 400, 3), np.uint8))
    assert "is 0.4 MB" in refusal(noise, limits=replace(LIMITS, max_bytes=400_000)).what


def test_a_large_picture_in_memory_is_refused_before_it_is_encoded() -> None:
    assert "90 million" in refusal(Image.new("1", (10_000, 9_000))).what


def test_identity_in_memory_is_mode_size_and_pixels() -> None:
    image = picture()
    other = image.copy()
    other.putpixel((639, 359), (1, 2, 3))
    assert opened(image).identity == opened(image.copy()).identity
    assert opened(image).identity == opened(np.asarray(image)).identity
    different = [image, other, image.convert("RGBA"), image.rotate(180)]
    assert len({opened(one).identity for one in different}) == 4
    # The same bytes in another shape are another picture.
    flat = np.zeros((400, 600), np.uint8)
    assert opened(flat).identity != opened(flat.reshape(600, 400)).identity


def test_palettes_and_transparency_count() -> None:
    one, two = picture("P"), picture("P")
    palette = two.getpalette()
    assert palette is not None
    two.putpalette([255 - value for value in palette])
    assert one.tobytes() == two.tobytes()
    assert opened(one).identity != opened(two).identity
    one.info["transparency"] = 0
    frame = opened(one)
    assert frame.data is not None
    assert Image.open(BytesIO(frame.data)).mode == "RGBA"
    plain, keyed = picture(), picture()
    keyed.info["transparency"] = (20, 60, 120)
    assert opened(plain).identity != opened(keyed).identity


def test_a_picture_opened_from_a_turned_file_is_turned() -> None:
    data = encoded(picture(), "JPEG", exif=turned_by(6))
    frame = opened(Image.open(BytesIO(data)))
    assert (frame.turned, frame.width, frame.height) == (True, 360, 640)


def test_a_picture_in_memory_that_cannot_be_decoded() -> None:
    data = encoded(picture(), "PNG")
    assert "cannot be decoded" in refusal(Image.open(BytesIO(data[:300]))).what


@pytest.mark.parametrize("mode", ["I", "F", "I;16"])
def test_more_than_8_bits_in_memory_are_refused(mode: str) -> None:
    error = refusal(Image.new(mode, (640, 360)))
    assert "more than 8 bits" in error.what
    assert "astype('uint8')" in error.todo


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((400, 400, 3), np.float32), "uint8"),
        (np.zeros((400, 400, 3), np.uint16), "uint8"),
        (np.zeros((3, 400, 400), np.uint8), "(3, 400, 400)"),
        (np.zeros((400, 400, 1), np.uint8), "(400, 400, 1)"),
        (np.zeros((2, 400, 400, 3), np.uint8), "(2, 400, 400, 3)"),
        (np.zeros((), np.uint8), "()"),
        (np.zeros((0, 400, 3), np.uint8), "without pixels"),
    ],
)
def test_arrays_that_are_no_picture(array: object, says: str) -> None:
    assert says in refusal(array).what


@pytest.mark.parametrize("channels", [3, 4])
def test_arrays_that_are_views_are_read_right(channels: int) -> None:
    array = np.random.default_rng(3).integers(0, 255, (500, 400, channels), np.uint8)
    view = array[::-1, :, :]
    assert opened(view).identity == opened(np.ascontiguousarray(view)).identity


def test_an_array_whose_interface_is_broken() -> None:
    class Odd:
        __array_interface__ = 5

    assert "not a readable array" in refusal(Odd()).what
