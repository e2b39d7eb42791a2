"""A picture of an earlier clip as a frame: which one, where it comes from, and what may be missing."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from hailuo_jupyter import catalogue
from hailuo_jupyter.engine.clip_frame import clip_frame
from hailuo_jupyter.errors import FrameError
from hailuo_jupyter.kernel.clip_source import is_run, resolved
from hailuo_jupyter.record import FrameRecord, prepare
from hailuo_jupyter.request import build
from hailuo_jupyter.request.frames import open_frame
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import State
from tests.support.sample_rows import shown_row


@pytest.fixture
def row(tmp_path: Path) -> Row:
    """A run whose clip gets bluer, for one second."""
    found = shown_row(State.COMPLETED, folder=tmp_path)
    with av.open(str(tmp_path / f"{found.run_id}.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 480, 320, "yuv420p"
        for number in range(24):
            pixels = np.zeros((320, 480, 3), np.uint8)
            pixels[..., 2] = number * 4
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode())
    return found


@pytest.mark.parametrize(
    ("where", "seconds"),
    [("first", 0.0), ("last", 23 / 24), ("0.5s", 0.5), ("0.5", 0.5), (0.5, 0.5), (0, 0.0)],
)
def test_the_frame_that_is_named_is_taken(row: Row, where: str | float, seconds: float) -> None:
    found = clip_frame(row, where)
    assert found.origin.at_s == pytest.approx(seconds, abs=0.001)
    pixel = found.picture.convert("RGB").getpixel((240, 160))
    assert isinstance(pixel, tuple)
    assert pixel[2] == pytest.approx(seconds * 96, abs=12)
    assert found._repr_png_().startswith(b"\x89PNG")


def test_the_record_says_where_it_comes_from_and_the_pixels_count(row: Row, tmp_path: Path) -> None:
    provider, taken = catalogue.provider("segmind"), clip_frame(row, "last")
    frame = open_frame(taken, role="first frame", limits=provider.frame_limits)
    same = open_frame(taken.picture, role="first frame", limits=provider.frame_limits)
    assert (frame.identity, frame.data) == (same.identity, same.data)
    request = build("on it goes", provider, options={}, image=taken)
    assert (
        request.fingerprint
        == build("on it goes", provider, options={}, image=same_picture(taken)).fingerprint
    )
    kept = prepare(request, provider, frames_kept=True).request.first_frame
    assert kept is not None
    clip = (tmp_path / f"{row.run_id}.mp4").read_bytes()
    assert kept.from_run == row.run_id
    assert kept.from_clip_sha256 == hashlib.sha256(clip).hexdigest()
    assert kept.at_s == pytest.approx(23 / 24, abs=0.001)
    assert kept.format == "png"


def same_picture(taken: object) -> object:
    return taken.picture.copy()  # type: ignore[attr-defined] -- a `ClipFrame`


@pytest.mark.parametrize("where", ["1.5s", 7, "-1", "middle", "", "1e9", "nan", True])
def test_a_time_that_the_clip_does_not_have_is_refused(row: Row, where: str | float) -> None:
    with pytest.raises(FrameError) as caught:
        clip_frame(row, where)
    assert "Nothing was sent" in caught.value.money
    assert "'last'" in caught.value.todo


def test_a_clip_that_is_not_here_is_told_with_the_way_to_get_it(row: Row, tmp_path: Path) -> None:
    (tmp_path / f"{row.run_id}.mp4").unlink()
    with pytest.raises(FrameError, match="is not in its folder") as caught:
        clip_frame(row, "last")
    assert "relink" in caught.value.todo
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(
        FrameError, match=r"has no clip to take a frame from \(generating\)"
    ) as caught:
        clip_frame(shown_row(State.GENERATING), "last")
    assert "%hailuo wait" in caught.value.todo


def test_a_clip_that_was_damaged_is_named_with_the_way_to_get_it(row: Row, tmp_path: Path) -> None:
    path = tmp_path / f"{row.run_id}.mp4"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\n")
    assert row.record.clip is not None
    assert path.stat().st_size < row.record.clip.bytes
    with pytest.raises(FrameError, match="Git LFS pointer") as caught:
        clip_frame(row, "last")
    assert "Rerun its cell" in caught.value.todo


@pytest.mark.parametrize("source", ["run:", "run:abc", "run:@last", "run:abc@"])
def test_a_source_that_says_too_little_is_refused(source: str) -> None:
    assert is_run(source)
    with pytest.raises(FrameError, match="isn't a valid frame of a run"):
        resolved(source)


@pytest.mark.parametrize("source", ["./run:abc@last", "first.png", b"run:x", None])
def test_what_names_no_run_stays_as_it_is(source: object) -> None:
    assert resolved(source) is source


def test_a_frame_of_a_clip_says_whose_it_is(row: Row, tmp_path: Path) -> None:
    named = replace(row, record_json=row.record.changed(name="fox").to_json())
    assert clip_frame(named, "last").origin.words == "last frame of fox"
    found = clip_frame(row, 0.5)
    assert found.origin.words == f"0.5 s of {row.run_id[-6:]}"
    limits = catalogue.provider("segmind").frame_limits
    frame = open_frame(found, role="first frame", limits=limits, base=tmp_path)
    assert frame.source == found.origin.words
    shown = FrameRecord(source=frame.source, sha256=frame.sha256, from_run=row.run_id, at_s=0.5)
    assert shown.words == found.origin.words
    # Records of version 0.1.0 do not say it.
    older = shown.model_copy(update={"source": "memory"})
    assert older.words == f"0.50 s of {row.run_id[-6:]}"
