"""A smaller copy of a clip, for outputs that embed the video and must stay small."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

from hailuo_jupyter.errors import ClipError
from hailuo_jupyter.media import opened

#: Maximum picture height of a preview, in lines, and maximum bytes of its file.
LINES, BYTES = 480, 1_000_000

#: Frames per second of a preview; more of the clip's are dropped.
_FPS = 24

#: Share of the bytes that the rate is set to: x264 averages over a clip and may exceed it slightly.
_AIM = 0.85

#: Picture heights to try in turn, if the first file is too large: a noisy clip compresses badly.
_SMALLER = (1.0, 0.75, 0.5, 0.25)


def preview(path: Path, *, lines: int = LINES, most_bytes: int = BYTES) -> bytes:
    """Return a clip as a small H.264 MP4 without sound. Blocks for seconds: encode in a thread.

    Parameters
    ----------
    path
        The clip.
    lines
        Maximum picture height; the aspect ratio is kept, and a smaller clip is not enlarged.
    most_bytes
        Maximum bytes of the result.

    Raises
    ------
    ClipError
        If the clip cannot be read, PyAV has no H.264 encoder here, or the clip is too long for this few
        bytes.
    """
    for share in _SMALLER:
        made = _encode(path, max(2, int(lines * share)), most_bytes)
        if len(made) <= most_bytes:
            return made
    raise ClipError(
        f"{path.name} cannot be made as small as {most_bytes / 1e6:g} MB.",
        money="The clip itself is not changed.",
        todo="The notebook shows a picture of it instead.",
    )


def _encode(path: Path, lines: int, most_bytes: int) -> bytes:
    import av

    with opened(path) as (source, stream), tempfile.TemporaryDirectory() as folder:
        seconds = max(float((stream.duration or 0) * (stream.time_base or 0)), 1.0)
        shrink = min(1.0, lines / stream.codec_context.height)
        # H.264 with 4:2:0 colors supports only even sizes.
        width, height = (max(2, int(side * shrink) // 2 * 2)
                         for side in (stream.codec_context.width, stream.codec_context.height))  # fmt: skip
        rate = min(stream.average_rate or Fraction(_FPS), Fraction(_FPS))
        target = Path(folder, "preview.mp4")
        try:
            # The index first, so that a page can play it before it is fully loaded.
            with av.open(str(target), "w", options={"movflags": "faststart"}) as made:
                out = made.add_stream("libx264", rate=rate)
                out.width, out.height, out.pix_fmt = width, height, "yuv420p"
                out.bit_rate = int(most_bytes * 8 * _AIM / seconds)
                out.options = {
                    "preset": "veryfast",
                    "maxrate": str(out.bit_rate),
                    "bufsize": str(out.bit_rate),
                }
                count = 0
                for frame in source.decode(stream):
                    time = float((frame.pts or 0) * (stream.time_base or 0)) - _start(stream)
                    if time * rate < count:
                        continue  # more frames per second than a preview has
                    small = frame.reformat(width=width, height=height, format="yuv420p")
                    small.pts, small.time_base = count, 1 / rate
                    count += 1
                    made.mux(out.encode(small))
                made.mux(out.encode(None))
        except (av.error.FFmpegError, ValueError) as error:
            raise ClipError(
                f"No preview of {path.name} can be made: {error}.",
                money="The clip itself is not changed.",
                todo="The notebook shows a picture of it instead.",
            ) from error
        return target.read_bytes()


def _start(stream: object) -> float:
    start, base = getattr(stream, "start_time", None), getattr(stream, "time_base", None)
    return float((start or 0) * (base or 0))
