"""Clips: is it a whole video, what is it really, and pictures from it.

What a record says about a clip is read from the file, never taken from what was promised.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hailuo_jupyter import path_hints
from hailuo_jupyter.container import Container, NoContainer, look
from hailuo_jupyter.errors import ClipError
from hailuo_jupyter.files import file_sha256

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from PIL import Image

#: Most pixels of a clip's picture, a little more than 4K. Each takes 1.5 to 8 bytes, and
#: a decoder keeps up to 16 pictures beside those that its threads work on.
MAX_PIXELS = 4096 * 2304

#: Threads of a decoder; each holds one picture.
_THREADS = 2

#: Most pictures decoded to find the last one: two minutes of 60 in a second.
_MOST_DECODED = 7200

#: Seconds by which a header's and the packets' count may differ, since each is rounded.
_ROUNDED_S = 0.01

_QUALITIES = range(75, 15, -5)
_MONEY = (
    "A finished clip is paid for, and downloading it again is free while the provider keeps it."
)


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
    suffix
        What the file's name should end in, by the kind of file it is: ``".mp4"``.
    """

    width: int
    height: int
    fps: float
    frames: int | None
    duration_s: float
    codec: str
    bytes: int
    sha256: str
    suffix: str = ".mp4"

    def as_clip(self, path: str) -> dict[str, Any]:
        """Return the record's ``clip``, for a file of this path relative to the output folder."""
        facts = asdict(self)
        del facts["suffix"]
        return {"path": path, **facts}


def examine(path: Path, *, sha256: str | None = None) -> ClipFacts:
    """Check that a file is a whole video, and give its facts. Blocks while it reads.

    The first and the last frame are decoded, and no promised byte may be missing: a download that
    was cut off often opens well. Bytes behind the end of the video are ignored.

    Parameters
    ----------
    path
        The clip.
    sha256
        Of the file, where the caller has it already.

    Raises
    ------
    ClipError
        If it is missing, no video, is cut off, or has more pixels than are decoded here.
    """
    with _read(path) as (kind, container, stream):
        size = path.stat().st_size
        if kind.needed > size:
            raise _broken(
                path, f"is truncated: {kind.needed - size} of its {kind.needed} bytes are missing"
            )
        first = next(_frames(container, stream, 0.0), None)
        if first is None or _last(container, stream) is None:
            raise _broken(path, "has no decodable frame")
        if not kind.ends:
            _check_end(path, kind, container, stream)
        rate = stream.average_rate or stream.guessed_rate
        return ClipFacts(
            width=first.width,
            height=first.height,
            fps=float(rate or 0),
            frames=stream.frames or None,
            duration_s=_duration_s(container, stream),
            codec=stream.codec_context.name,
            bytes=size,
            sha256=sha256 or file_sha256(path),
            suffix=kind.suffix,
        )


def frame_at(path: Path, seconds: float | Literal["first", "last"]) -> Image.Image:
    """Return the picture that a clip shows at a time. Blocks while it decodes.

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
    """Return the picture that a clip shows at a time, and when it begins to show it, in seconds.

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
            seconds, length = float(seconds), _duration_s(container, stream)
            if not 0 <= seconds <= length:
                raise ClipError(
                    f"{path.name} has no frame at {seconds:g} s; it is {length:.2f} s long.",
                    todo=f"Choose a time from 0 to {length:.2f}, or 'first' or 'last'.",
                )
            found = _shown_at(container, stream, seconds)
        if found is None:
            raise _broken(path, "has no decodable frame")
        picture: Image.Image = found.to_image()  # type: ignore[no-untyped-call]
        return picture, _time_s(found, stream)


def poster(path: Path, *, width: int = 480, max_bytes: int = 9000) -> bytes:
    """Return a small JPEG of a clip, for the notebook to show before the clip is played.

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
    with opened(path) as (container, stream):
        tenth = _duration_s(container, stream) / 10
    return small_jpeg(frame_at(path, tenth), width=width, max_bytes=max_bytes)


def small_jpeg(picture: Image.Image, *, width: int, max_bytes: int) -> bytes:
    """Return a small JPEG of a picture.

    Parameters
    ----------
    picture
        Any picture.
    width
        Pixels, never more than it has; less where `max_bytes` demands it.
    max_bytes
        Most bytes of the JPEG.

    Raises
    ------
    ValueError
        If not even the smallest picture fits into `max_bytes`.
    """
    picture = picture.convert("RGB")
    wide = min(width, picture.width)
    while wide >= 1:
        small = picture.resize((wide, max(1, round(picture.height * wide / picture.width))))
        for quality in _QUALITIES:
            out = BytesIO()
            small.save(out, "JPEG", quality=quality, optimize=True)
            if out.tell() <= max_bytes:
                return out.getvalue()
        wide = wide * 3 // 4
    raise ValueError(f"a JPEG cannot be as small as {max_bytes} bytes")


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
        If it is missing, no video of a known kind, or has too many pixels; and for whatever is wrong
        while it is read.
    """
    with _read(path) as (_, container, stream):
        yield container, stream


@contextmanager
def _read(path: Path) -> Iterator[tuple[Container, InputContainer, VideoStream]]:
    import av

    limits = {"max_pixels": str(MAX_PIXELS)}
    try:
        kind = look(path)
        # The demuxer is named, since a playlist or script in a clip's place could make FFmpeg open
        # other files or addresses.
        with av.open(str(path), mode="r", format=kind.demuxer, options=limits) as container:
            if not container.streams.video:
                raise _broken(path, "has no video")
            stream = container.streams.video[0]
            codec: VideoCodecContext | None = stream.codec_context
            if codec is None:
                raise _broken(path, "uses an unknown encoding")
            if codec.width * codec.height > MAX_PIXELS:
                raise _broken(
                    path,
                    f"has {codec.width} x {codec.height} pixels, which is too large to check",
                )
            codec.options = limits
            codec.thread_type, codec.thread_count = "AUTO", _THREADS
            yield kind, container, stream
    except ClipError:
        raise
    except FileNotFoundError as error:
        raise ClipError(
            f"File not found: {path.name}.",
            money=_MONEY,
            todo=path_hints.hint(path, Path()) or "Download it again.",
        ) from error
    except NoContainer as error:
        raise _broken(path, str(error)) from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not readable"
        raise _broken(path, f"is not a readable video ({why})") from error


def _broken(path: Path, how: str) -> ClipError:
    return ClipError(f"{path.name} {how}.", money=_MONEY, todo="Download it again.")


def _duration_s(container: InputContainer, stream: VideoStream) -> float:
    """Return the stream's length in seconds, 0 where the file does not say."""
    if stream.duration is None:  # Matroska tells that of the file
        return (container.duration or 0) / 1e6
    return float(stream.duration * (stream.time_base or 0))


def _time_s(frame: VideoFrame, stream: VideoStream) -> float:
    """Return when a frame is shown, in seconds from the start of the clip."""
    return float(((frame.pts or 0) - (stream.start_time or 0)) * (stream.time_base or 0))


def _check_end(path: Path, kind: Container, container: InputContainer, stream: VideoStream) -> None:
    """Refuse what was written piece by piece unless its header shows that no piece is missing."""
    if kind.seconds is None:
        raise _broken(path, "may be truncated: it does not show where it ends")
    _seek(container, stream, 0.0)
    ends = [
        packet.pts + (packet.duration or 0)
        for packet in container.demux(stream)
        if packet.pts is not None
    ]
    ticks = max(ends, default=0) - (stream.start_time or 0)
    reached = float(ticks * (stream.time_base or 0))
    if reached < kind.seconds - _ROUNDED_S:
        raise _broken(path, f"is truncated: it ends after {reached:.2f} of {kind.seconds:.2f} s")


def _frames(container: InputContainer, stream: VideoStream, seconds: float) -> Iterator[VideoFrame]:
    """Decode from the last key frame at or before a time to the end."""
    if seconds > 0:  # FFmpeg refuses to seek where there is nothing at all.
        _seek(container, stream, seconds)
    yield from container.decode(stream)


def _seek(container: InputContainer, stream: VideoStream, seconds: float) -> None:
    ticks = (stream.start_time or 0) + int(seconds / (stream.time_base or 1))
    container.seek(ticks, stream=stream, backward=True)


def _last(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    last = None
    for last in islice(_frames(container, stream, _duration_s(container, stream)), _MOST_DECODED):  # noqa: B007
        pass
    return last


def _shown_at(container: InputContainer, stream: VideoStream, seconds: float) -> VideoFrame | None:
    shown = None
    for frame in _frames(container, stream, seconds):
        if shown is not None and _time_s(frame, stream) > seconds:
            break
        shown = frame
    return shown
