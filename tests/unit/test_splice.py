"""Clips put together: copied where that is possible, every picture in its place."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from hailuo_jupyter.errors import ClipError, FolderNotWritable
from hailuo_jupyter.kernel.join import splice
from hailuo_jupyter.media import examine, frame_at

FRAMES = 24


def write(
    path: Path,
    red: int,
    *,
    size: tuple[int, int] = (320, 240),
    fps: int = 24,
    codec: str = "libx264",
    sound: bool = False,
) -> Path:
    """Write one second of one colour."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=fps, options={"g": "12"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        audio = out.add_stream("aac", rate=44100) if sound else None
        for number in range(fps):
            pixels = np.zeros((size[1], size[0], 3), np.uint8)
            pixels[..., 0], pixels[..., 2] = red, number * 4
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
        if audio is not None:
            silence = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
            )
            silence.sample_rate = 44100
            out.mux(audio.encode(silence))
            out.mux(audio.encode())
    return path


def colours(path: Path) -> list[tuple[int, int]]:
    """Return red and blue in the middle of each picture."""
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return [
        (int(p[p.shape[0] // 2, p.shape[1] // 2, 0]), int(p[p.shape[0] // 2, 0, 2]))
        for p in pictures
    ]


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.dts is not None]


def test_equal_streams_are_copied_bit_by_bit(tmp_path: Path) -> None:
    clips = [write(tmp_path / f"{red}.mp4", red) for red in (40, 120, 200)]
    before = [hashlib.sha256(clip.read_bytes()).hexdigest() for clip in clips]
    scene = splice(clips, tmp_path / "scene.mp4")
    assert (scene.encoded_anew, scene.silent) == ("", "")
    assert packets(scene.path) == [packet for clip in clips for packet in packets(clip)]
    assert scene.facts == examine(scene.path)
    assert (scene.facts.frames, scene.facts.fps) == (3 * FRAMES, 24.0)
    assert scene.facts.duration_s == pytest.approx(3.0, abs=0.02)
    reds = [red for red, _ in colours(scene.path)]
    for place, wanted in ((0, 40), (23, 40), (24, 120), (47, 120), (48, 200), (71, 200)):
        assert reds[place] == pytest.approx(wanted, abs=6)
    assert [hashlib.sha256(clip.read_bytes()).hexdigest() for clip in clips] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["40.mp4", "120.mp4", "200.mp4", "scene.mp4"]
    )


def test_times_rise_and_seeking_finds_each_clip(tmp_path: Path) -> None:
    clips = [write(tmp_path / f"{red}.mp4", red) for red in (40, 200)]
    scene = splice(clips, tmp_path / "scene.mp4")
    with av.open(str(scene.path)) as container:
        stream = container.streams.video[0]
        times = [
            Fraction(packet.dts) for packet in container.demux(stream) if packet.dts is not None
        ]
    assert times == sorted(set(times))
    for seconds, red in ((0.2, 40), (0.9, 40), (1.1, 200), (1.9, 200)):
        assert frame_at(scene.path, seconds).getpixel((10, 10))[0] == pytest.approx(red, abs=6)  # type: ignore[index]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"size": (480, 240)}, "size"),
        ({"fps": 30}, "frame rate"),
        ({"codec": "mpeg4"}, "codec"),
        ({"size": (240, 320), "fps": 12}, "size, frame rate"),
    ],
)
def test_what_differs_is_told_and_encoded_anew(
    tmp_path: Path, other: dict[str, object], told: str
) -> None:
    first = write(tmp_path / "first.mp4", 40)
    second = write(tmp_path / "second.mp4", 200, **other)  # type: ignore[arg-type]
    scene = splice([first, second], tmp_path / "new" / "scene.mp4")
    assert told in scene.encoded_anew
    assert (scene.facts.width, scene.facts.height, scene.facts.fps) == (320, 240, 24.0)
    assert scene.facts.codec == "h264"
    assert scene.facts.duration_s == pytest.approx(2.0, abs=0.1)
    reds = [red for red, _ in colours(scene.path)]
    assert len(reds) == pytest.approx(2 * FRAMES, abs=2)
    assert reds[2] == pytest.approx(40, abs=8)
    assert reds[-3] == pytest.approx(200, abs=8)


def test_sound_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    clips = [write(tmp_path / "a.mp4", 40, sound=True), write(tmp_path / "b.mp4", 90)]
    scene = splice(clips, tmp_path / "scene.mp4")
    assert "no sound" in scene.silent
    with av.open(str(scene.path)) as container:
        assert not container.streams.audio


def test_a_clip_may_come_twice(tmp_path: Path) -> None:
    clip = write(tmp_path / "a.mp4", 40)
    assert splice([clip, clip], tmp_path / "scene.mp4").facts.frames == 2 * FRAMES


def test_an_earlier_scene_is_replaced_but_never_a_clip(tmp_path: Path) -> None:
    clips = [write(tmp_path / "a.mp4", 40), write(tmp_path / "b.mp4", 200)]
    (tmp_path / "scene.mp4").write_bytes(b"an earlier one")
    assert splice(clips, tmp_path / "scene.mp4").facts.frames == 2 * FRAMES
    with pytest.raises(ClipError, match="one of the clips"):
        splice(clips, tmp_path / "sub" / ".." / "b.mp4")
    (tmp_path / "link.mp4").symlink_to(clips[0])
    with pytest.raises(ClipError, match="one of the clips"):
        splice(clips, tmp_path / "link.mp4")
    assert examine(clips[1]).frames == FRAMES


def test_what_cannot_be_joined_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    clip = write(tmp_path / "a.mp4", 40)
    (tmp_path / "text.mp4").write_bytes(b"no video at all")
    for clips in ([clip], [clip, tmp_path / "text.mp4"], [clip, tmp_path / "missing.mp4"]):
        with pytest.raises(ClipError):
            splice(clips, tmp_path / "scene.mp4")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FolderNotWritable, match="could not be written"):
        splice([clip, clip], tmp_path / "file" / "scene.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "file", "text.mp4"]
