"""Rendering of the clips: real H.264 files, kept on disk and shared by all simulators."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image, ImageOps

from hailuo_jupyter.simulator.caption import Caption
from hailuo_jupyter.simulator.scene import Scene

#: Frames per second of every clip: what Hailuo-02's own pages say.
FPS = 24

# Motion is slow, so every second frame is drawn and shown twice: half the work, no visible loss.
_REPEAT = 2
# Part of the cache key; raised whenever the same plan would be drawn differently.
_DRAWING = 1
_KEPT_CLIPS = 400


@dataclass(frozen=True)
class ClipPlan:
    """What determines the content of a clip.

    Parameters
    ----------
    size : tuple of int
        Width and height in pixels, both even.
    seconds : int
        Duration.
    variant : int
        Which scene, for clips without pictures.
    first, last : bytes or None
        Encoded pictures that the clip starts and ends with.
    caption : str or None
        A prompt to draw at the bottom.
    """

    size: tuple[int, int]
    seconds: int
    variant: int = 0
    first: bytes | None = None
    last: bytes | None = None
    caption: str | None = None

    def key(self) -> str:
        """Return the name of this content in the cache."""
        facts = [
            _DRAWING,
            self.size,
            self.seconds,
            self.variant if self.first is None else None,
            *(
                None if picture is None else hashlib.sha256(picture).hexdigest()
                for picture in (self.first, self.last)
            ),
            self.caption,
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40]


def default_cache() -> Path:
    """Return the folder for rendered clips: the user's cache folder, else the temporary one."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    root = Path(base) if base else Path(tempfile.gettempdir())
    return root / "hailuo-simulator-clips"


class ClipCache:
    """A folder of rendered clips; any number of processes may share it.

    Parameters
    ----------
    folder : Path or None
        Where the clips are kept; made when the first one is written.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_cache()
        self._given_up = threading.Event()

    def give_up(self) -> None:
        """End the renderings that are under way; their `clip` calls raise `RenderingEndedError`."""
        self._given_up.set()

    def clip(self, plan: ClipPlan) -> Path:
        """Return the file for a plan, rendering it if no process has done so.

        Raises
        ------
        OSError
            If the folder cannot be written.
        """
        path = self.folder / f"{plan.key()}.mp4"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(path, plan)
            self._prune()
        else:
            with contextlib.suppress(OSError):
                path.touch()  # what is in use is not the oldest
        return path

    def _write(self, path: Path, plan: ClipPlan) -> None:
        # Under a name of its own first: another process must never see half a clip.
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
        os.close(handle)
        try:
            render(plan, Path(name), self._given_up.is_set)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _prune(self) -> None:
        """Drop the oldest clips; captions would let the folder grow without end."""
        with contextlib.suppress(OSError):  # another process prunes at the same moment
            clips = sorted(self.folder.glob("*.mp4"), key=lambda path: path.stat().st_mtime)
            for path in clips[:-_KEPT_CLIPS]:
                path.unlink(missing_ok=True)


class RenderingEndedError(RuntimeError):
    """The simulator was stopped before the clip was ready."""


def render(plan: ClipPlan, path: Path, given_up: Callable[[], bool] = lambda: False) -> None:
    """Write the clip of a plan as an MP4 file (H.264, yuv420p, fast start).

    Parameters
    ----------
    plan : ClipPlan
        What the clip shows.
    path : Path
        The file to write. A real file, because moving the index to the front reads it again.
    given_up : callable
        Asked before every frame whether the clip is still wanted.

    Raises
    ------
    RenderingEndedError
        If it is not.
    """
    draw = _painter(plan)
    caption = Caption(plan.caption, plan.size) if plan.caption is not None else None
    drawn = max(2, plan.seconds * FPS // _REPEAT)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream(
            "libx264", rate=FPS, options={"preset": "ultrafast", "crf": "22"}
        )
        stream.width, stream.height = plan.size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 2
        for number in range(drawn):
            if given_up():
                raise RenderingEndedError
            picture = av.VideoFrame.from_image(draw(number / (drawn - 1)))  # type: ignore[no-untyped-call]
            frame = picture.reformat(*plan.size, format="yuv420p")
            if caption is not None:
                caption.draw(frame)
            for repeat in range(_REPEAT):
                frame.pts = number * _REPEAT + repeat
                frame.time_base = Fraction(1, FPS)
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def render_silence() -> bytes:
    """Return an MP4 file that holds sound and no picture: what a client must not call a clip."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate = 16000
        for number in range(16):
            frame.pts = number * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def _painter(plan: ClipPlan) -> Callable[[float], Image.Image]:
    """Return the function that draws the picture at a moment between 0.0 and 1.0."""
    first = _zoom(plan.first, plan.size) if plan.first else _scenery(plan)
    if plan.last is None:
        return first
    last = _zoom(plan.last, plan.size, outwards=True)
    shape = first(0.0).size

    def crossfade(moment: float) -> Image.Image:
        if moment <= _FADE_FROM:
            return first(moment)
        if moment >= _FADE_TO:
            return last(moment)
        share = (moment - _FADE_FROM) / (_FADE_TO - _FADE_FROM)
        return Image.blend(first(moment), last(moment).resize(shape), share)

    return crossfade


_FADE_FROM, _FADE_TO = 0.35, 0.75


def _scenery(plan: ClipPlan) -> Callable[[float], Image.Image]:
    # Drawn small and enlarged by the video scaler: the scene is soft anyhow, and drawing it is
    # the slow part.
    return Scene(_within(plan.size, 540), plan.variant).at


def _zoom(
    content: bytes, size: tuple[int, int], *, outwards: bool = False
) -> Callable[[float], Image.Image]:
    """Move slowly into a picture, or out of it so that it stands whole at the end."""
    target = _within(size, 800)
    with Image.open(io.BytesIO(content)) as opened:
        picture = ImageOps.fit(ImageOps.exif_transpose(opened).convert("RGB"), target)
    width, height = target

    def at(moment: float) -> Image.Image:
        share = (1 - moment) if outwards else moment
        inset = 0.06 * share / 2
        box = (width * inset, height * inset, width * (1 - inset), height * (1 - inset))
        return picture.resize(target, Image.Resampling.BILINEAR, box=box)

    return at


def _within(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Return a size of the same shape whose shorter side is at most so many pixels."""
    scale = min(1.0, shorter / min(size))
    return max(2, round(size[0] * scale)), max(2, round(size[1] * scale))
