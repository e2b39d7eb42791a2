"""Rendering of the clips: real H.264 files, kept on disk and shared by all simulators."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import stat
import struct
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import platformdirs
from PIL import Image, ImageOps

from hailuo_jupyter.simulator.drawing import Caption, Scene


def free_box(text: str) -> bytes:
    """Return an MP4 ``free`` box that contains a text.

    Players skip such a box (ISO/IEC 14496-12, 8.1.2), so appending one changes only the file's bytes
    and hash. No provider accepts a seed: the same request returns different bytes every
    time, and must do so here.

    Parameters
    ----------
    text : str
        The text of the box; a job id.
    """
    content = text.encode("utf-8", "replace")
    return struct.pack(">I4s", 8 + len(content), b"free") + content


#: Frames per second of every clip: from Hailuo-02's own pages.
FPS = 24

# Motion is slow, so every second frame is drawn and shown twice: half the work, no visible loss.
_REPEAT = 2
# Part of the cache key; incremented whenever the same plan would be drawn differently.
_DRAWING = 1
_KEPT_CLIPS = 400


@dataclass(frozen=True)
class ClipPlan:
    """The parameters that determine a clip's content.

    Parameters
    ----------
    size : tuple of int
        Width and height in pixels, both even.
    seconds : int
        Duration.
    variant : int
        The scene of clips without pictures.
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
    """Return the folder for rendered clips within the user's own cache folder."""
    return platformdirs.user_cache_path("hailuo-jupyter") / "simulated-clips"


def private_folder(folder: Path) -> bool:
    """Create a folder for this user alone; return whether that worked.

    In a folder that another user owns, or can write to, a clip may be replaced by a link.

    Parameters
    ----------
    folder : Path
        The folder; created with mode 0700. An existing one of this user gets that mode.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.name != "posix":  # Windows has it below the user's profile
            return True
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            found = os.fstat(handle)
            if found.st_uid != os.geteuid():
                return False
            if stat.S_IMODE(found.st_mode) != 0o700:
                os.fchmod(handle, 0o700)
        finally:
            os.close(handle)
    except OSError:
        return False
    return True


class ClipCache:
    """A folder of rendered clips; any number of processes may share it.

    Parameters
    ----------
    folder : Path or None
        Where the clips are stored; created with the first one. None uses `default_cache`, or
        a temporary folder of this object if the default one cannot be private.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._named, self._folder = folder, folder
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._given_up = threading.Event()
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        """Where the clips are stored."""
        with self._lock:
            if self._folder is None:
                try:
                    usual = default_cache()
                    private = usual.is_absolute() and private_folder(usual)
                except (OSError, RuntimeError):  # there is no home folder
                    private = False
                if not private:
                    self._temporary = tempfile.TemporaryDirectory(prefix="hailuo-clips-")
                self._folder = Path(self._temporary.name) if self._temporary else usual
            return self._folder

    def give_up(self) -> None:
        """Abort the active renderings; their `clip` calls raise `RenderingEndedError`."""
        self._given_up.set()

    def close(self) -> None:
        """Remove the temporary folder of this object."""
        self.give_up()
        with self._lock:
            if self._temporary is not None:
                self._temporary.cleanup()
                self._temporary = None
                self._folder = self._named

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
                path.touch()  # a clip in use must not be the oldest
        return path

    def _write(self, path: Path, plan: ClipPlan) -> None:
        content = render(plan, self._given_up.is_set)
        # Under a temporary name first: another process must never see a partial clip. And through the
        # handle of the file created here, even if that name was replaced meanwhile.
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
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


class _Reader:
    """Reads from a buffer that is being written: moving an MP4's index to the front reads it again."""

    def __init__(self, buffer: io.BytesIO) -> None:
        self._buffer, self._at = buffer, 0

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        found = bytes(self._buffer.getbuffer()[self._at : self._at + size])
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position."""
        begins = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self._buffer.getbuffer())}
        self._at = begins[whence] + offset
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def close(self) -> None:
        """Do nothing: the buffer is the writer's."""


def render(plan: ClipPlan, given_up: Callable[[], bool] = lambda: False) -> bytes:
    """Return the clip of a plan as an MP4 file (H.264, yuv420p, fast start).

    Parameters
    ----------
    plan : ClipPlan
        What the clip shows.
    given_up : callable
        Called before every frame; returns whether the clip is no longer wanted.

    Raises
    ------
    RenderingEndedError
        If the clip is no longer wanted.
    """
    draw = _painter(plan)
    caption = Caption(plan.caption, plan.size) if plan.caption is not None else None
    drawn = max(2, plan.seconds * FPS // _REPEAT)
    target = io.BytesIO()
    with av.open(
        target,
        "w",
        format="mp4",
        options={"movflags": "+faststart"},
        io_open=lambda *_: _Reader(target),
    ) as container:
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
    return target.getvalue()


def _painter(plan: ClipPlan) -> Callable[[float], Image.Image]:
    """Return the function that draws the picture at a time between 0.0 and 1.0."""
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
    # Drawn small and enlarged by the video scaler: the scene is soft anyway, and drawing it is
    # the slow part.
    return Scene(_within(plan.size, 540), plan.variant).at


def _zoom(
    content: bytes, size: tuple[int, int], *, outwards: bool = False
) -> Callable[[float], Image.Image]:
    """Move slowly into a picture, or out of it so that it is complete at the end."""
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
    """Return a size of the same shape whose shorter side has at most this many pixels."""
    scale = min(1.0, shorter / min(size))
    return max(2, round(size[0] * scale)), max(2, round(size[1] * scale))
