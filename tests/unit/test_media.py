"""Clips: real H.264 files, whole and broken."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hailuo_jupyter.errors import ClipError
from hailuo_jupyter.media import ClipFacts, examine, frame_at, poster

FRAMES, FPS = 50, 25


def write_clip(
    path: Path,
    *,
    codec: str = "libx264",
    noise: bool = False,
    shift: int = 0,
    kind: str | None = None,
    **container: str,
) -> Path:
    """Write 2 s whose picture number n has the red value 5 n.

    `kind` is the container, by FFmpeg's name.
    """
    random = np.random.default_rng(7)
    with av.open(str(path), "w", format=kind, options=container) as out:
        stream = out.add_stream(codec, rate=FPS, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(FRAMES):
            pixels = np.full((240, 320, 3), 128, np.uint8)
            pixels[..., 0] = number * 5
            if noise:
                pixels = random.integers(0, 255, pixels.shape, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number + shift
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "index_last.mp4")
    write_clip(folder / "index_first.mp4", movflags="faststart")
    write_clip(folder / "fragmented.mp4", movflags="frag_keyframe+empty_moov+default_base_moof")
    write_clip(folder / "noise.mp4", noise=True)
    write_clip(folder / "late.mp4", shift=100)
    write_clip(folder / "other.webm", codec="libvpx")
    with av.open(str(folder / "sound.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=44100)
        zeros = np.zeros((1, 1024), np.float32)
        silence = av.AudioFrame.from_ndarray(zeros, format="fltp", layout="mono")
        silence.sample_rate = 44100
        out.mux(stream.encode(silence))
        out.mux(stream.encode())
    return folder


def number_of(picture: Image.Image) -> int:
    red, _, _ = picture.resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    return round(red / 5)


@pytest.mark.parametrize("name", ["index_last.mp4", "index_first.mp4", "late.mp4"])
def test_examine_reads_the_facts_from_the_file(clips: Path, name: str) -> None:
    path = clips / name
    data = path.read_bytes()
    assert examine(path) == ClipFacts(
        width=320,
        height=240,
        fps=FPS,
        frames=FRAMES,
        duration_s=2.0,
        codec="h264",
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def test_facts_become_the_records_clip(clips: Path) -> None:
    clip = examine(clips / "index_last.mp4", sha256="known").as_clip("run.mp4")
    assert (clip["path"], clip["sha256"], clip["frames"]) == ("run.mp4", "known", FRAMES)
    assert json.loads(json.dumps(clip)) == clip


def test_examine_trusts_a_hash_that_the_caller_has(clips: Path) -> None:
    assert examine(clips / "index_last.mp4", sha256="known").sha256 == "known"


def test_a_fragmented_clip_that_names_no_count_still_has_its_length(clips: Path) -> None:
    facts = examine(clips / "fragmented.mp4")
    assert facts.duration_s == pytest.approx(2.0, abs=0.05)
    assert (facts.width, facts.fps, facts.codec) == (320, FPS, "h264")


@pytest.mark.parametrize("name", ["index_last.mp4", "index_first.mp4", "fragmented.mp4"])
@pytest.mark.parametrize("missing", [1, 40, 500, 0.1, 0.5, 0.9])
def test_a_clip_that_was_cut_off_is_refused(
    clips: Path, tmp_path: Path, name: str, missing: float
) -> None:
    data = (clips / name).read_bytes()
    gone = missing if isinstance(missing, int) else int(len(data) * missing)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[:-gone])
    with pytest.raises(ClipError, match=r"cut\.mp4") as caught:
        examine(cut)
    assert "paid for" in caught.value.money
    assert caught.value.todo
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"<html>Not found</html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        (b"/annex/objects/SHA256E-s1--0.mp4\n", "a git-annex pointer"),
        (b"\0\1\2\3 something", "not a video in a known format"),
        (
            b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:2,\nindex_last.mp4\n#EXT-X-ENDLIST\n",
            "is text, not a video",
        ),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "answer.mp4"
    path.write_bytes(data)
    with pytest.raises(ClipError, match=why):
        examine(path)


def box(name: bytes, body: bytes, head: int | None = None) -> bytes:
    """Write an MP4 box, its length in 8 bytes where `head` is 1, open-ended where it is 0."""
    long = (16 + len(body)).to_bytes(8) if head == 1 else b""
    return (8 + len(body) if head is None else head).to_bytes(4) + name + long + body


@pytest.mark.parametrize("head", [0, 1])
def test_boxes_with_long_and_open_lengths(clips: Path, tmp_path: Path, head: int) -> None:
    data = (clips / "index_last.mp4").read_bytes() + box(b"free", bytes(99), head)
    path = tmp_path / "more.mp4"
    path.write_bytes(data)
    assert examine(path).frames == FRAMES
    path.write_bytes(data[:-50])
    if head == 0:
        assert examine(path).bytes == len(data) - 50
    else:
        with pytest.raises(ClipError, match="truncated: 50 of its"):
            examine(path)


@pytest.mark.parametrize("read", [examine, poster, lambda path: frame_at(path, "last")])
def test_a_clip_whose_pictures_are_gone_is_refused(
    clips: Path, tmp_path: Path, read: Callable[[Path], object]
) -> None:
    data = bytearray((clips / "index_last.mp4").read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    path = tmp_path / "empty.mp4"
    path.write_bytes(data)
    with pytest.raises(ClipError, match=r"empty\.mp4"):
        read(path)


@pytest.mark.parametrize("read", [examine, lambda path: frame_at(path, "first")])
def test_a_clip_cut_off_between_two_boxes_has_no_picture(
    clips: Path, tmp_path: Path, read: Callable[[Path], object]
) -> None:
    data = (clips / "fragmented.mp4").read_bytes()
    path = tmp_path / "head.mp4"
    path.write_bytes(data[: data.index(b"moof") - 4])
    with pytest.raises(ClipError, match="no decodable frame"):
        read(path)


OTHERS = {
    "webm": ("libvpx", ".webm"),
    "matroska": ("libx264", ".mkv"),
    "mov": ("libx264", ".mov"),
    "avi": ("mpeg4", ".avi"),
}


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same clip in containers that no provider has announced, each by the name of an MP4."""
    folder = tmp_path_factory.mktemp("others")
    for kind, (codec, _) in OTHERS.items():
        write_clip(folder / f"{kind}.mp4", codec=codec, kind=kind)
        if kind in {"webm", "matroska"}:  # as it is sent while it is still being made
            write_clip(folder / f"{kind}-live.mp4", codec=codec, kind=kind, live="1")
    return folder


@pytest.mark.parametrize("kind", OTHERS)
def test_other_containers_are_read_whatever_the_files_name(others: Path, kind: str) -> None:
    facts = examine(others / f"{kind}.mp4")
    assert facts.suffix == OTHERS[kind][1]
    assert facts.duration_s == pytest.approx(2.0, abs=0.05)
    assert (facts.width, facts.height, facts.fps) == (320, 240, FPS)
    assert number_of(frame_at(others / f"{kind}.mp4", "last")) == pytest.approx(49, abs=3)
    assert Image.open(BytesIO(poster(others / f"{kind}.mp4"))).size == (320, 240)


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("missing", [1, 0.1, 0.5, 0.9])
def test_other_containers_that_were_cut_off_are_refused(
    others: Path, tmp_path: Path, kind: str, missing: float
) -> None:
    data = (others / f"{kind}.mp4").read_bytes()
    gone = missing if isinstance(missing, int) else int(len(data) * missing)
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[:-gone])
    with pytest.raises(ClipError, match=r"cut\.mp4"):
        examine(path)


@pytest.mark.parametrize("kind", OTHERS)
def test_bytes_behind_the_end_are_ignored(others: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "more.mp4"
    for more in (b"\n", b"\0" * 4096, b"<!-- appended -->" * 99, os.urandom(5000)):
        path.write_bytes((others / f"{kind}.mp4").read_bytes() + more)
        assert examine(path).duration_s == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("kind", ["webm", "matroska"])
def test_what_does_not_tell_where_it_ends_is_never_called_whole(others: Path, kind: str) -> None:
    with pytest.raises(ClipError, match="does not show where it ends"):
        examine(others / f"{kind}-live.mp4")


#: Ways to write an MP4 piece by piece; what stands behind a name tells whether the file tells its end.
PIECES = {
    "frag_keyframe+empty_moov+default_base_moof": True,
    "frag_keyframe+empty_moov": True,
    "frag_keyframe": True,
    "frag_keyframe+empty_moov+default_base_moof+global_sidx+skip_trailer": True,
    "frag_keyframe+empty_moov+default_base_moof+skip_trailer": False,
    "frag_every_frame+empty_moov+separate_moof+skip_trailer": False,
    "dash+frag_keyframe+skip_trailer": False,
    "cmaf+frag_keyframe+skip_trailer": False,
}


@pytest.mark.parametrize("flags", PIECES)
def test_a_clip_in_pieces_is_whole_or_refused_wherever_it_is_cut(
    tmp_path: Path, flags: str
) -> None:
    path = write_clip(tmp_path / "pieces.mp4", movflags=flags)
    data = path.read_bytes()
    if PIECES[flags]:
        assert examine(path).duration_s == pytest.approx(2.0, abs=0.1)
    boxes = top_boxes(data)
    assert len(boxes) > 5
    for _, place in boxes[:-1] if PIECES[flags] else boxes:
        path.write_bytes(data[:place])
        with pytest.raises(ClipError):
            examine(path)


def test_a_header_that_tells_the_length_of_all_pieces_is_believed(tmp_path: Path) -> None:
    flags = "frag_keyframe+empty_moov+default_base_moof+skip_trailer"
    path = write_clip(tmp_path / "pieces.mp4", movflags=flags)
    data = path.read_bytes()
    at = data.index(b"mvex") + 4
    length = box(b"mehd", bytes(4) + (2000).to_bytes(4))  # of a thousand in a second
    data = data[:at] + length + data[at:]
    for name in (b"mvex", b"moov"):
        place = data.index(name) - 4
        grown = int.from_bytes(data[place : place + 4]) + len(length)
        data = data[:place] + grown.to_bytes(4) + data[place + 4 :]
    path.write_bytes(data)
    assert examine(path).duration_s == pytest.approx(2.0, abs=0.05)
    for _, place in top_boxes(data)[:-1]:
        path.write_bytes(data[:place])
        with pytest.raises(ClipError):
            examine(path)


def top_boxes(data: bytes) -> list[tuple[bytes, int]]:
    """Return the boxes of a file's top level, and where they end."""
    found, at = [], 0
    while at < len(data):
        name = data[at + 4 : at + 8]
        at += int.from_bytes(data[at : at + 4])
        found.append((name, at))
    return found


def test_a_way_of_encoding_that_is_not_known_is_refused(clips: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.mp4"
    path.write_bytes((clips / "index_last.mp4").read_bytes().replace(b"avc1", b"odd1"))
    with pytest.raises(ClipError, match=r"odd\.mp4"):
        examine(path)


def test_sound_alone_is_refused(clips: Path) -> None:
    with pytest.raises(ClipError, match="has no video"):
        examine(clips / "sound.mp4")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match=r"File not found: gone\.mp4"):
        examine(tmp_path / "gone.mp4")
    with pytest.raises(ClipError, match=r"Is a directory|not a regular file"):
        examine(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX has pipes with names")
def test_a_pipe_in_a_clips_place_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(ClipError, match="not a regular file"):
        examine(tmp_path / "pipe.mp4")


@pytest.mark.parametrize("name", ["index_last.mp4", "late.mp4"])
def test_frame_at_gives_the_picture_shown_then(clips: Path, name: str) -> None:
    path = clips / name
    seen = {t: number_of(frame_at(path, t)) for t in (0, 0.5, 0.51, 1.0, 1.96, 2.0)}
    assert seen == {0: 0, 0.5: 12, 0.51: 12, 1.0: 25, 1.96: 49, 2.0: 49}
    assert number_of(frame_at(path, "first")) == 0
    assert number_of(frame_at(path, "last")) == FRAMES - 1
    assert frame_at(path, "last").size == (320, 240)


@pytest.mark.parametrize("seconds", [-0.1, 2.1, float("nan"), float("inf")])
def test_frame_at_names_the_length_when_there_is_no_such_time(clips: Path, seconds: float) -> None:
    with pytest.raises(ClipError, match=r"it is 2\.00 s long"):
        frame_at(clips / "index_last.mp4", seconds)


def test_poster_is_a_small_jpeg_from_a_tenth_of_the_clip(clips: Path) -> None:
    data = poster(clips / "index_last.mp4")
    picture = Image.open(BytesIO(data))
    assert (picture.format, picture.size) == ("JPEG", (320, 240))
    assert len(data) <= 6000
    assert number_of(picture) == pytest.approx(5, abs=1)
    assert Image.open(BytesIO(poster(clips / "index_last.mp4", width=100))).size == (100, 75)
    # A clip is never blown up.
    assert Image.open(BytesIO(poster(clips / "index_last.mp4", width=999))).width == 320


@pytest.mark.parametrize("max_bytes", [6000, 2000, 700])
def test_poster_shrinks_until_it_fits(clips: Path, max_bytes: int) -> None:
    data = poster(clips / "noise.mp4", max_bytes=max_bytes)
    assert len(data) <= max_bytes
    assert Image.open(BytesIO(data)).width < 320


@pytest.fixture(scope="session")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few kilobytes whose pictures have 21 million pixels."""
    path = tmp_path_factory.mktemp("huge") / "huge.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 5120, 4096, "yuv420p"
        picture = av.VideoFrame(5120, 4096, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes(plane.buffer_size))
        picture.pts = 0
        out.mux(stream.encode(picture))
        out.mux(stream.encode())
    return path


READS: list[Callable[[Path], object]] = [examine, poster, lambda path: frame_at(path, "last")]


@pytest.mark.parametrize("read", READS)
def test_a_clip_of_too_many_pixels_is_refused_before_a_picture_is_decoded(
    huge: Path, read: Callable[[Path], object]
) -> None:
    with pytest.raises(ClipError, match="5120 x 4096 pixels, which is too large"):
        read(huge)


@pytest.mark.parametrize("read", READS)
def test_a_clip_that_hides_its_pixels_from_its_index_is_refused_too(
    huge: Path, tmp_path: Path, read: Callable[[Path], object]
) -> None:
    data = huge.read_bytes()
    entry = data.index(b"avc1", data.index(b"stsd"))
    small = data[: entry + 28] + (64).to_bytes(2) * 2 + data[entry + 32 :]
    assert small != data
    path = tmp_path / "hidden.mp4"
    path.write_bytes(small)
    with pytest.raises(ClipError, match=r"hidden\.mp4"):
        read(path)


def test_poster_that_cannot_fit_says_so(clips: Path) -> None:
    with pytest.raises(ValueError, match="as small as 10 bytes"):
        poster(clips / "index_last.mp4", max_bytes=10)


def all_or_clip_error(path: Path) -> None:
    try:
        facts = examine(path)
    except ClipError as error:
        assert error.todo
        return
    assert facts.width > 0
    assert facts.duration_s > 0
    assert facts.bytes == path.stat().st_size


@given(data=st.binary(max_size=400), brand=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_clip_or_a_clip_error(tmp_path: Path, data: bytes, brand: bool) -> None:
    path = tmp_path / "any.mp4"
    path.write_bytes((b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" if brand else b"") + data)
    all_or_clip_error(path)


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_a_damaged_clip_is_a_clip_or_a_clip_error(
    clips: Path, tmp_path: Path, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["index_last.mp4", "index_first.mp4", "fragmented.mp4"]))
    broken = bytearray((clips / name).read_bytes())
    # Damage to the index, which is some 2 kB at either end, is what leads a reader astray.
    ends = st.integers(0, 2000) | st.integers(len(broken) - 2000, len(broken) - 1)
    for place, value in data.draw(st.lists(st.tuples(ends, st.integers(0, 255)), max_size=8)):
        broken[place] = value
    path = tmp_path / "broken.mp4"
    path.write_bytes(broken[: data.draw(st.integers(0, len(broken)))])
    all_or_clip_error(path)
