"""Clips put together, one after the other: without encoding anew where their streams agree."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from hailuo_jupyter.errors import ClipError, unwritten
from hailuo_jupyter.media import ClipFacts, examine, opened

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

#: Time base of a scene that is encoded anew: ticks a second, divisible by all usual frame rates.
_TICKS = 90_000

#: Constant rate factor of x264: hardly to be told from the clips.
_QUALITY = "16"

_CLIPS_STAY = "The clips themselves are left as they are."


@dataclass(frozen=True)
class Scene:
    """Several clips in one file.

    Parameters
    ----------
    path
        The file.
    facts
        What it is, as read from it.
    encoded_anew
        Why pictures were encoded anew, as a sentence; empty where every one was copied bit by bit.
    silent
        Why sound was left out, as a sentence; empty where there was none, or all of it is there.
    """

    path: Path
    facts: ClipFacts
    encoded_anew: str = ""
    silent: str = ""


def join(clips: Sequence[Path], target: Path) -> Scene:
    """Put clips together, in order. Blocks while it reads and writes.

    Parameters
    ----------
    clips
        Two or more MP4 files.
    target
        The file to write, whole or not at all. One that is there is replaced, but never one of
        `clips`.

    Returns
    -------
    Scene
        With the size and the frame rate of the first clip, where they differ.

    Raises
    ------
    ClipError
        If a clip cannot be read, there are fewer than two, or `target` is one of them.
    DiskFull, FolderNotWritable
        If the file cannot be written.
    """
    if len(clips) < 2:
        raise ClipError("There are fewer than two clips to join.", todo="Name two or more.")
    target = target.parent.resolve() / target.name
    for clip in clips:
        examine(clip, sha256="")  # cut off or no video: said before anything is written
        if target.exists() and target.samefile(clip):
            raise ClipError(
                f"{target.name} is one of the clips to join.",
                money=_CLIPS_STAY,
                todo="Name another file after -o.",
            )
    part = target.with_name(f".{target.stem}.{os.getpid()}-{secrets.token_hex(4)}.tmp.mp4")
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                inputs = [stack.enter_context(opened(clip)) for clip in clips]
                differing = _differing([stream for _, stream in inputs])
                silent = _silent([container for container, _ in inputs])
                write = _encoded if differing else _copied
                write([container for container, _ in inputs], part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise unwritten(error)(
            f"{target.name} could not be written: {error.strerror or error}.",
            money=_CLIPS_STAY,
            todo="Make room, or name a file in another folder after -o.",
        ) from error
    anew = f"The clips differ in {differing}, so their pictures were encoded anew." * bool(
        differing
    )
    return Scene(target, examine(target), anew, silent)


def _differing(streams: Sequence[VideoStream]) -> str:
    """Say in what the streams differ; empty where packets of one can follow those of another."""
    facts = [
        {
            "codec": stream.codec_context.name,
            "size": (stream.codec_context.width, stream.codec_context.height),
            "frame rate": stream.average_rate,
            "pixel format": stream.codec_context.pix_fmt,
            # Its tables of parameters: an MP4 of one track has room for one such set.
            "way of encoding": stream.codec_context.extradata,
        }
        for stream in streams
    ]
    names = [name for name in facts[0] if len({each[name] for each in facts}) > 1]
    # The parameters differ wherever anything else does.
    told = [name for name in names if name != "way of encoding"] or names
    return ", ".join(told)


def _silent(inputs: Sequence[InputContainer]) -> str:
    return (
        "Sound was left out: only pictures are joined."
        if any(container.streams.audio for container in inputs)
        else ""
    )


def _open_output(path: Path) -> OutputContainer:
    import av

    return av.open(str(path), mode="w", format="mp4", options={"movflags": "+faststart"})


def _copied(inputs: Sequence[InputContainer], path: Path) -> None:
    """Write the packets as they are, each clip's times shifted behind the clip before."""
    with _open_output(path) as output:
        first = inputs[0].streams.video[0]
        written = output.add_stream_from_template(first)
        shift = Fraction(0)
        for container in inputs:
            stream = container.streams.video[0]
            base = Fraction(stream.time_base or Fraction(1, _TICKS))
            start = stream.start_time or 0
            offset = int(shift / base) - start
            for packet in container.demux(stream):
                if packet.dts is None:
                    continue  # the empty packet at the end
                packet.pts = (packet.pts if packet.pts is not None else packet.dts) + offset
                packet.dts += offset
                packet.stream = written
                output.mux(packet)
            shift += (stream.duration or 0) * base


def _encoded(inputs: Sequence[InputContainer], path: Path) -> None:
    """Decode every picture and encode it with the size and frame rate of the first clip."""
    first = inputs[0].streams.video[0]
    rate = Fraction(first.average_rate or 24)
    with _open_output(path) as output:
        written = output.add_stream("libx264", rate=rate, options={"crf": _QUALITY})
        # yuv420p knows even sizes only.
        written.width, written.height = first.width // 2 * 2, first.height // 2 * 2
        written.pix_fmt = "yuv420p"
        written.time_base = Fraction(1, _TICKS)
        for tick, frame in enumerate(_paced(inputs, rate)):
            picture = _fitted(frame, written.width, written.height)
            picture.pts, picture.time_base = int(tick * _TICKS / rate), Fraction(1, _TICKS)
            output.mux(written.encode(picture))
        output.mux(written.encode(None))


def _paced(inputs: Sequence[InputContainer], rate: Fraction) -> Iterator[VideoFrame]:
    """Give the pictures of all clips at one frame rate: some twice, some left out."""
    for container in inputs:
        stream = container.streams.video[0]
        given = Fraction(0)
        begin = stream.start_time or 0
        for frame in container.decode(stream):
            end = Fraction((frame.pts or 0) - begin + (frame.duration or 0)) * (
                stream.time_base or Fraction(1, _TICKS)
            )
            while given + 1 / (2 * rate) < end:
                yield frame
                given += 1 / rate


def _fitted(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    """Scale a picture into a size, with black bars where its shape is another one."""
    if (frame.width, frame.height) == (width, height):
        return frame.reformat(format="yuv420p")
    import av
    from PIL import Image, ImageOps

    picture: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    padded: VideoFrame = av.VideoFrame.from_image(  # type: ignore[no-untyped-call]
        ImageOps.pad(picture, (width, height))
    )
    return padded.reformat(format="yuv420p")
