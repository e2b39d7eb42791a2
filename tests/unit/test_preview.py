from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from hailuo_jupyter import media
from hailuo_jupyter.errors import ClipError
from hailuo_jupyter.preview import preview


def clip(
    path: Path, width: int, height: int, *, fps: int = 24, seconds: float = 1.0, noise: bool = False
) -> Path:
    """Write an H.264 clip: a bar that moves, or noise, which hardly compresses."""
    random = np.random.default_rng(7)
    with av.open(str(path), "w") as made:
        stream = made.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "10"}
        for number in range(round(fps * seconds)):
            picture = (
                random.integers(0, 255, (height, width, 3), dtype=np.uint8)
                if noise
                else np.full((height, width, 3), 40, dtype=np.uint8)
            )
            picture[:, number * 4 % width :][:, :20] = 250
            made.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        made.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(1366, 768, (852, 480)), (720, 1280, (270, 480)), (320, 180, (320, 180))],
)
def test_a_preview_keeps_shape_and_length_within_its_limits(
    tmp_path: Path, width: int, height: int, expected: tuple[int, int]
) -> None:
    made = preview(clip(tmp_path / "clip.mp4", width, height))
    assert len(made) <= 1_000_000
    small = tmp_path / "small.mp4"
    small.write_bytes(made)
    facts = media.examine(small)
    assert (facts.width, facts.height) == expected
    assert facts.codec == "h264"
    assert facts.duration_s == pytest.approx(1.0, abs=0.1)
    assert made.index(b"moov") < made.index(b"mdat"), "a page can play it before it has all of it"


def test_what_hardly_compresses_gets_smaller_until_it_fits(tmp_path: Path) -> None:
    made = preview(clip(tmp_path / "noise.mp4", 640, 480, noise=True), most_bytes=60_000)
    assert len(made) <= 60_000


def test_more_frames_per_second_than_a_preview_has_are_left_out(tmp_path: Path) -> None:
    small = tmp_path / "small.mp4"
    small.write_bytes(preview(clip(tmp_path / "clip.mp4", 320, 240, fps=60)))
    facts = media.examine(small)
    assert facts.duration_s == pytest.approx(1.0, abs=0.1)
    assert facts.fps == pytest.approx(24, abs=0.5)


def test_what_cannot_be_that_small_and_what_is_not_a_clip_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="cannot be made as small"):
        preview(clip(tmp_path / "clip.mp4", 320, 240, noise=True), most_bytes=500)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(ClipError):
        preview(broken)
