"""Clips: is it a whole video, what is it really, and pictures from it. PyAV is here and in `splice`.

What a record says about a clip is read from the file, never taken from what was promised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hailuo_jupyter.errors import ClipError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from PIL import Image

_QUALITIES = (75, 60, 45, 30, 20)
_MONEY = "A finished clip is paid for, and fetching it again is free while the provider keeps it."


@dataclass(frozen=True)
class ClipFacts:
    """What PyAV reads from a clip.

    Parameters
    ----------
    width, height
        Pixels.
    fps
        Frames a second, on average.
    frames
        How many, as the file says; None where it does not.
    duration_s
        Seconds.
    codec
        FFmpeg's short name, e.g. ``"h264"``.
    bytes, sha256
        Of the file.
    """

    width: int
    height: int
    fps: float
    frames: int | None
    duration_s: float
    codec: str
    bytes: int
    sha256: str

    def as_clip(self, path: str) -> dict[str, Any]:
        """Give the record's ``clip``, for a file of this path relative to the output folder."""
        return {"path": path, **asdict(self)}


def examine(path: Path, *, sha256: str | None = None) -> ClipFacts:
    """Check that a file is a whole MP4 video, and give its facts. Blocks while it reads.

    The first and the last frame are decoded, and no promised byte may be missing: a download that
    was cut off often opens well.

    Parameters
    ----------
    path
        The clip.
    sha256
        Of the file, where the caller has it already.

    Raises
    ------
    ClipError
        If it is missing, no MP4, has no video, or is cut off.
    """
    with opened(path) as (container, stream):
        _check_whole(path)
        first = next(_frames(container, stream, 0.0), None)
        if first is None or _last(container, stream) is None:
            raise _broken(path, "has no frame that can be decoded")
        rate = stream.average_rate or stream.guessed_rate
        return ClipFacts(
            width=first.width,
            height=first.height,
            fps=float(rate or 0),
            frames=stream.frames or None,
            duration_s=_duration_s(stream),
            codec=stream.codec_context.name,
            bytes=path.stat().st_size,
            sha256=sha256 or _sha256(path),
        )


def frame_at(path: Path, seconds: float | Literal["first", "last"]) -> Image.Image:
    """Give the picture that a clip shows at a time. Blocks while it decodes.

    Parameters
    ----------
    path
        The clip.
    seconds
        From 0 to the clip's duration, or ``"first"`` or ``"last"``.

    Raises
    ------
    ClipError
        If the clip cannot be read, or is shorter.
    """
    return still(path, seconds)[0]


def still(path: Path, seconds: float | str) -> tuple[Image.Image, float]:
    """Give the picture that a clip shows at a time, and when it begins to show it, in seconds.

    Parameters
    ----------
    path, seconds
        As for `frame_at`.

    Raises
    ------
    ClipError
        As `frame_at`.
    """
    with opened(path) as (container, stream):
        if seconds == "last":
            found = _last(container, stream)
        elif seconds == "first":
            found = next(_frames(container, stream, 0.0), None)
        else:
            seconds, length = float(seconds), _duration_s(stream)
            if not 0 <= seconds <= length:
                raise ClipError(
                    f"{path.name} has no picture at {seconds:g} s; it is {length:.2f} s long.",
                    todo=f"Choose a time from 0 to {length:.2f}, or 'first' or 'last'.",
                )
            found = _shown_at(container, stream, seconds)
        if found is None:
            raise _broken(path, "has no frame that can be decoded")
        picture: Image.Image = found.to_image()  # type: ignore[no-untyped-call]
        return picture, _time_s(found, stream)


def poster(path: Path, *, width: int = 320, max_bytes: int = 5000) -> bytes:
    """Give a small JPEG of a clip, for the notebook to show before the clip is played.

    Parameters
    ----------
    path
        The clip; the frame at a tenth of it is taken, since many clips fade in from black.
    width
        Pixels, never more than the clip has; less where `max_bytes` demands it.
    max_bytes
        Most bytes of the JPEG.

    Raises
    ------
    ClipError
        If the clip cannot be read.
    ValueError
        If not even the smallest picture fits into `max_bytes`.
    """
    with opened(path) as (_, stream):
        tenth = _duration_s(stream) / 10
    picture = frame_at(path, tenth).convert("RGB")
    wide = min(width, picture.width)
    while wide >= 1:
        small = picture.resize((wide, max(1, round(picture.height * wide / picture.width))))
        for quality in _QUALITIES:
            out = BytesIO()
            small.save(out, "JPEG", quality=quality, optimize=True)
            if out.tell() <= max_bytes:
                return out.getvalue()
        wide = wide * 3 // 4
    raise ValueError(f"no JPEG has as few as {max_bytes} bytes")


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a clip and its video stream, and turn every complaint of FFmpeg's into a ClipError.

    Parameters
    ----------
    path
        The clip.

    Raises
    ------
    ClipError
        If it is missing, no MP4, or has no video; and for whatever is wrong while it is read.
    """
    import av

    try:
        # The demuxer is named, since a playlist or script in a clip's place could make FFmpeg open
        # other files or addresses.
        with av.open(str(path), mode="r", format="mp4") as container:
            if not container.streams.video:
                raise _broken(path, "has no video")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            yield container, stream
    except ClipError:
        raise
    except FileNotFoundError as error:
        raise ClipError(
            f"There is no file {path.name}.", money=_MONEY, todo="Fetch it again."
        ) from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not readable"
        raise _broken(path, f"is no MP4 video that can be read ({why})") from error


def _broken(path: Path, how: str) -> ClipError:
    return ClipError(f"{path.name} {how}.", money=_MONEY, todo="Fetch it again.")


def _duration_s(stream: VideoStream) -> float:
    """Give the stream's length in seconds, 0 where the file does not say."""
    return float((stream.duration or 0) * (stream.time_base or 0))


def _time_s(frame: VideoFrame, stream: VideoStream) -> float:
    """Give when a frame is shown, in seconds from the start of the clip."""
    return float(((frame.pts or 0) - (stream.start_time or 0)) * (stream.time_base or 0))


def _check_whole(path: Path) -> None:
    """Check that the file has every byte its boxes promise.

    An MP4 is a row of boxes, each headed by its length in 4 bytes (or, if that is 1, in 8 bytes
    after the name; if 0, up to the end of the file) and a name of 4 bytes: ISO/IEC 14496-12, 4.2.
    FFmpeg itself forgives a missing end.
    """
    end = path.stat().st_size
    place = 0
    with path.open("rb") as file:
        while place + 8 <= end:
            file.seek(place)
            header = file.read(16)
            length = int.from_bytes(header[:4])
            if length == 1:
                length = int.from_bytes(header[8:16])
            if length < 8:
                return
            place += length
    if place > end:
        raise _broken(path, f"is cut off: {place - end} of its {place} bytes are missing")


def _frames(container: InputContainer, stream: VideoStream, seconds: float) -> Iterator[VideoFrame]:
    """Decode from the last key frame at or before a time to the end."""
    if seconds > 0:  # FFmpeg refuses to seek where there is nothing at all.
        ticks = (stream.start_time or 0) + int(seconds / (stream.time_base or 1))
        container.seek(ticks, stream=stream, backward=True)
    yield from container.decode(stream)


def _last(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    last = None
    for last in _frames(container, stream, _duration_s(stream)):  # noqa: B007
        pass
    return last


def _shown_at(container: InputContainer, stream: VideoStream, seconds: float) -> VideoFrame | None:
    shown = None
    for frame in _frames(container, stream, seconds):
        if shown is not None and _time_s(frame, stream) > seconds:
            break
        shown = frame
    return shown


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
