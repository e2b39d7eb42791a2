"""Join clips into one file, with a record of its sources next to it.

Pictures are copied unchanged if the streams of the clips match; otherwise they are re-encoded.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter import __version__, formatting, home, media
from hailuo_jupyter.container import DEFAULT_SUFFIX, SUFFIXES
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import ClipError, DiskError, unwritten
from hailuo_jupyter.files import atomic_write, sha256_of
from hailuo_jupyter.formatting import escape_control
from hailuo_jupyter.kernel import context, frontends
from hailuo_jupyter.kernel.run_names import find_run
from hailuo_jupyter.media import ClipFacts, examine, opened
from hailuo_jupyter.record.paths import stem_of

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


#: Time base of a re-encoded scene: ticks per second, divisible by all usual frame rates.
_TICKS = 90_000

#: Constant rate factor of x264: visually almost identical to the clips.
_QUALITY = "16"

_CLIPS_STAY = "The clips themselves are unchanged."


@dataclass(frozen=True)
class Scene:
    """Several clips in one file.

    Parameters
    ----------
    path
        The file.
    facts
        Its facts, as read from the file.
    encoded_anew
        Why pictures were re-encoded, as a sentence; empty if all were copied bit by bit.
    silent
        Why sound was left out, as a sentence; empty if there was none, or it was kept.
    """

    path: Path
    facts: ClipFacts
    encoded_anew: str = ""
    silent: str = ""


def splice(clips: Sequence[Path], target: Path) -> Scene:
    """Join clips in order. Blocks while it reads and writes.

    Parameters
    ----------
    clips
        Two or more MP4 files.
    target
        The file to write, atomically. An existing file is replaced, but never one of
        `clips`.

    Returns
    -------
    Scene
        With the size and the frame rate of the first clip, if they differ.

    Raises
    ------
    ClipError
        If a clip cannot be read, there are fewer than two, or `target` is one of them.
    DiskFull, FolderNotWritable
        If the file cannot be written.
    """
    if len(clips) < 2:
        raise ClipError("Joining needs at least two clips.", todo="Give two or more.")
    target = target.parent.resolve() / target.name
    kinds = set()
    for clip in clips:
        # Truncated or not a video: reported before anything is written.
        kinds.add(examine(clip, sha256="").suffix)
        if target.exists() and target.samefile(clip):
            raise ClipError(
                f"{target.name} is one of the clips to join.",
                money=_CLIPS_STAY,
                todo="Use another file after -o.",
            )
    part = target.with_name(f".{target.stem}.{os.getpid()}-{secrets.token_hex(4)}.tmp.mp4")
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                inputs = [stack.enter_context(opened(clip)) for clip in clips]
                differing = _differing([stream for _, stream in inputs])
                if not differing and kinds != {".mp4"}:
                    differing = "the file format (not MP4)"
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
            todo="Free some space, or use a file in another folder after -o.",
        ) from error
    reencoded = f"The clips differ in {differing}, so they were re-encoded." if differing else ""
    return Scene(target, examine(target), reencoded, silent)


def _differing(streams: Sequence[VideoStream]) -> str:
    """Return how the streams differ; empty if packets of one can follow those of another."""
    facts = [
        {
            "codec": stream.codec_context.name,
            "size": (stream.codec_context.width, stream.codec_context.height),
            "frame rate": stream.average_rate,
            "pixel format": stream.codec_context.pix_fmt,
            # Its tables of parameters: an MP4 track has only one such set.
            "way of encoding": stream.codec_context.extradata,
        }
        for stream in streams
    ]
    names = [name for name in facts[0] if len({each[name] for each in facts}) > 1]
    # The parameters differ if anything else does.
    differing = [name for name in names if name != "way of encoding"] or names
    return ", ".join(differing)


def _silent(inputs: Sequence[InputContainer]) -> str:
    return (
        "The result has no sound." if any(container.streams.audio for container in inputs) else ""
    )


def _open_output(path: Path) -> OutputContainer:
    import av

    return av.open(str(path), mode="w", format="mp4", options={"movflags": "+faststart"})


def _copied(inputs: Sequence[InputContainer], path: Path) -> None:
    """Write the packets unchanged, with each clip's times shifted after the previous clip."""
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
        # yuv420p supports only even sizes.
        written.width, written.height = first.width // 2 * 2, first.height // 2 * 2
        written.pix_fmt = "yuv420p"
        written.time_base = Fraction(1, _TICKS)
        for tick, frame in enumerate(_paced(inputs, rate)):
            picture = _fitted(frame, written.width, written.height)
            picture.pts, picture.time_base = int(tick * _TICKS / rate), Fraction(1, _TICKS)
            output.mux(written.encode(picture))
        output.mux(written.encode(None))


def _paced(inputs: Sequence[InputContainer], rate: Fraction) -> Iterator[VideoFrame]:
    """Yield the pictures of all clips at one frame rate: some are repeated, some dropped."""
    for container in inputs:
        stream = container.streams.video[0]
        shown_s = Fraction(0)
        begin = stream.start_time or 0
        for frame in container.decode(stream):
            end = Fraction((frame.pts or 0) - begin + (frame.duration or 0)) * (
                stream.time_base or Fraction(1, _TICKS)
            )
            while shown_s + 1 / (2 * rate) < end:
                yield frame
                shown_s += 1 / rate


def _fitted(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    """Scale a picture into a size, with black bars if its shape differs."""
    if (frame.width, frame.height) == (width, height):
        return frame.reformat(format="yuv420p")
    import av
    from PIL import Image, ImageOps

    picture: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    padded: VideoFrame = av.VideoFrame.from_image(  # type: ignore[no-untyped-call]
        ImageOps.pad(picture, (width, height))
    )
    return padded.reformat(format="yuv420p")


SCHEMA = "hailuo-scene/1"

_STAYS = "Nothing was written."
_ANOTHER = "Use another file after -o."


@dataclass(frozen=True)
class SourceClip:
    """One clip of a scene: its file, and its run with its name if it has one."""

    path: Path
    run_id: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Joined:
    """A scene for display in a notebook.

    Parameters
    ----------
    scene
        The file, and its facts.
    sidecar
        The JSON file next to it.
    parts
        The clips, in order.
    base
        The notebook's folder, to which links are relative.
    """

    scene: Scene
    sidecar: Path
    parts: tuple[SourceClip, ...]
    base: Path | None

    @property
    def path(self) -> Path:
        """The file."""
        return self.scene.path

    def lines(self) -> list[str]:
        """Describe the result."""
        facts = self.scene.facts
        size = formatting.pixels(facts.width, facts.height)
        how = self.scene.encoded_anew or "They were not re-encoded."
        made = f"Joined {len(self.parts)} clips into {self.path.name}: {size}, "
        made += f"{facts.duration_s:.2f} s, {facts.bytes / 1e6:.1f} MB."
        return [made, how, *filter(None, (self.scene.silent,))]

    def __repr__(self) -> str:
        return escape_control(" ".join(self.lines()))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Show the scene in a notebook: the clip by its link, relative to the notebook."""
        del include, exclude
        from hailuo_jupyter.kernel.display.bundle import templates
        from hailuo_jupyter.kernel.display.run_view import data_uri, href_of

        try:
            poster = data_uri(media.poster(self.path))
        except ClipError:  # moved or deleted since
            poster = ""
        html = (
            templates()
            .get_template("scene.html.j2")
            .render(
                href=href_of(self.path, self.base),
                sidecar=href_of(self.sidecar, self.base),
                poster=poster,
                name=escape_control(self.path.name),
                facts=self.scene.facts,
                lines=[escape_control(each) for each in self.lines()],
                parts=[
                    escape_control(each.name or each.run_id or each.path.name)
                    for each in self.parts
                ],
            )
        )
        return {"text/plain": repr(self), "text/html": html}


def is_file(word: str) -> bool:
    """Return whether a word is the path of a clip: no run id ends like that."""
    return word.casefold().endswith(SUFFIXES)


def join(
    runs_or_paths: Sequence[Run | str | os.PathLike[str]],
    path: str | os.PathLike[str],
    *,
    replace: bool = False,
) -> Joined:
    """Join clips in order into one MP4, with a JSON file of its sources next to it.

    Pictures are copied unchanged if the clips' streams match, else re-encoded; the result
    says which. Sound is left out. Blocks while it reads and writes.

    Parameters
    ----------
    runs_or_paths
        Two or more: runs, ids of runs or parts of these, or paths of MP4 files (with that suffix).
    path
        The file to write, ending in ``.mp4``; relative to the working directory.
    replace
        Replace a file that `join` did not create. A run's clip is never overwritten.

    Returns
    -------
    Joined
        Displays itself in a notebook.

    Raises
    ------
    ClipError
        If a clip is missing or unreadable, or the file already exists.
    RunNotFound
        If a run does not exist.
    DiskError
        If it cannot be written.

    Examples
    --------
    >>> from hailuo_jupyter import generate, join
    >>> first = generate("A heron lifts off a lake.", "demo").wait()
    >>> second = generate("It lands again.", "demo", image=first.frame("last")).wait()
    >>> join([first, second], "scene.mp4").path.name
    'scene.mp4'
    """
    base = frontends.link_folder(context.host(context.shell()), context.notebook())
    parts = tuple(_part(each) for each in runs_or_paths)
    target = context.working_folder() / home.expand(path)
    _check_target(target, replace=replace)
    scene = splice([part.path for part in parts], target)
    sidecar = scene.path.with_suffix(".json")
    _write(sidecar, _document(scene, parts))
    return Joined(scene, sidecar, parts, base)


def _part(source: Run | str | os.PathLike[str]) -> SourceClip:
    if not isinstance(source, Run) and (not isinstance(source, str) or is_file(source)):
        return SourceClip(context.working_folder() / home.expand(context.written_path(source)))
    engine = process.get_engine()
    run = source if isinstance(source, Run) else find_run(source, strict=False)
    clip, row = run.clip, engine.row(run.run_id)
    if clip is None:
        raise ClipError(
            f"The clip of run {run.run_id} is not here ({row.state.words.lower()}).",
            money=_STAYS,
            todo="Wait for it, rerun its cell, or use 'jupyter hailuo relink FOLDER'.",
        )
    return SourceClip(clip, run.run_id, row.record.name)


def _check_target(target: Path, *, replace: bool) -> None:
    """Refuse to overwrite a file that must not be lost.

    Raises
    ------
    ClipError
        If the file is a run's clip, or exists and was not created by `join`.
    """
    if not target.name.casefold().endswith(DEFAULT_SUFFIX) or "\0" in str(target):
        raise ClipError("The file name must end in .mp4.", money=_STAYS, todo=_ANOTHER)
    sidecar = _read(target.with_suffix(".json"))
    schema = str(sidecar.get("schema", "")) if sidecar else ""
    if schema.startswith("hailuo-run/") or _is_run(target.name):
        raise ClipError(
            f"{target.name} is a run's clip and is never overwritten.",
            money=_STAYS,
            todo=_ANOTHER,
        )
    # A file of that name may be anything, such as the settings of another project.
    if target.with_suffix(".json").exists() and schema != SCHEMA:
        raise ClipError(
            f"{target.with_suffix('.json').name} exists and is not a scene's record.",
            money=_STAYS,
            todo=_ANOTHER,
        )
    if replace:
        return
    if target.exists() and not (
        schema == SCHEMA and sidecar is not None and sidecar.get("sha256") == sha256_of(target)
    ):
        raise ClipError(
            f"{target.name} already exists and was not made by 'join'.",
            money=_STAYS,
            todo="Use another file after -o, or --replace (in Python, replace=True).",
        )


def _is_run(name: str) -> bool:
    # Some file systems ignore case.
    stem = stem_of(name.lower())
    logs = process.get_engine().logs()
    rows = (row for log in logs for part in (stem, stem[-6:]) for row in log.fitting(part))
    return any(stem in {row.run_id, row.is_readable and row.record.file_stem} for row in rows)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _document(scene: Scene, parts: Sequence[SourceClip]) -> Mapping[str, object]:
    made = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
    return {
        "schema": SCHEMA,
        "file": escape_control(scene.path.name),
        **asdict(scene.facts),
        # Names alone: a shared file must not reveal local paths.
        "clips": [
            {
                "run": part.run_id,
                "file": escape_control(part.path.name),
                "sha256": sha256_of(part.path),
            }
            for part in parts
        ],
        "encoded_anew": bool(scene.encoded_anew),
        "why": scene.encoded_anew,
        "sound": scene.silent,
        "made": made.replace("+00:00", "Z"),
        "hailuo_jupyter": __version__,
    }


def _write(path: Path, document: Mapping[str, object]) -> None:
    text = json.dumps(document, ensure_ascii=False, indent=2)
    try:
        atomic_write(path, f"{text}\n".encode())
    except OSError as error:
        raise DiskError(
            f"{path.name} could not be written: {error.strerror or error}.",
            money="The joined clip itself was written.",
            todo="Free some space and join the clips again.",
        ) from error
