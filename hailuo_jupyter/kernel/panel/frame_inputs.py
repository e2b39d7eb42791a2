"""One frame's part of the form: its source, and the result of its check."""

from __future__ import annotations

import base64
import binascii
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from ipywidgets import HTML, Dropdown, FileUpload, Text, Textarea, VBox
from markupsafe import Markup
from traitlets import Unicode

from hailuo_jupyter import formatting
from hailuo_jupyter.catalogue.types import FrameLimits
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.formatting import escape_control
from hailuo_jupyter.kernel.clip_source import resolved
from hailuo_jupyter.kernel.panel import widgets
from hailuo_jupyter.kernel.panel.form_state import FrameField, Source
from hailuo_jupyter.kernel.panel.validation import Problem, error_to_problem
from hailuo_jupyter.request.frames import ClipFrame, Frame, keep, open_frame

_LABELS = {
    Source.NONE: "no frame",
    Source.UPLOAD: "uploaded file",
    Source.FILE: "path or URL",
    Source.VARIABLE: "variable",
    Source.RUN: "frame of a run",
}

#: Values of the fields that list what there is, and their labels.
Listed = Sequence[tuple[str, str]]


class DropField(Textarea):  # type: ignore[misc]
    """Takes what the lab extension writes when something is dropped: a ``data:`` URI, or an address.

    Its value is removed as soon as it was read, and is not sent back to the pages.
    """

    value = Unicode("").tag(sync=True, echo_update=False)


class FrameZone:
    """A first or last frame: where it comes from, and what it looks like.

    Parameters
    ----------
    role
        `FIRST` or `LAST`.
    changed
        Called when a person has changed something.
    uploaded
        Called with an uploaded file's bytes.
    """

    def __init__(
        self, role: str, changed: Callable[[], None], uploaded: Callable[[bytes], None]
    ) -> None:
        self._title = title = f"{role.capitalize()} frame"
        self._changed, self._uploaded = changed, uploaded
        self._quiet = False
        self._kept = self._from_code = FrameField()
        self.source = Dropdown(
            description=title, options=[(label, source.value) for source, label in _LABELS.items()]
        )
        self.path = Text(
            description=f"{title}: path or URL",
            placeholder="first.png or https://…",
            continuous_update=True,
        )
        self.upload = FileUpload(
            accept=".jpg,.jpeg,.png",
            description=f"{title}: browse",
            multiple=False,
        )
        if self.upload.has_trait("tooltip"):  # ipywidgets 8, whose pages show "null" without one
            self.upload.tooltip = f"Choose the {role} frame from your computer"
        self.lists = {
            Source.VARIABLE: Dropdown(description=f"{title}: variable", options=[("", "")]),
            Source.RUN: Dropdown(description=f"{title}: run", options=[("", "")]),
        }
        self._dropped = DropField()
        self._dropped.add_class("hailuo-dropped")
        widgets.shown(self._dropped, False)
        self._picture, self._says = HTML(), HTML()
        self.box: VBox = widgets.box(
            "hailuo-zone",
            self._picture,
            self.source,
            self.upload,
            self.path,
            *self.lists.values(),
            self._says,
            self._dropped,
        )
        self.box.add_class(f"hailuo-zone-{role}")
        for widget in (self.source, self.path, *self.lists.values()):
            widget.observe(self._touched, "value")
        self.upload.observe(self._received, "value")
        self._dropped.observe(self._took, "value")
        self._arrange()

    # ── input ────────────────────────────────────────────────────────────────────────

    def _touched(self, _change: Any) -> None:
        if not self._quiet:
            self._arrange()
            self._changed()

    def _received(self, change: Any) -> None:
        if change["new"]:
            new = change["new"]
            # ipywidgets 7 has a dictionary by file name, 8 a tuple.
            first = next(iter(new.values())) if isinstance(new, dict) else new[0]
            self._uploaded(bytes(first["content"]))

    def _took(self, _change: Any) -> None:
        text = self._dropped.value
        if not text:
            return
        self._dropped.value = ""
        if not text.startswith("data:"):
            self.set(FrameField(Source.FILE, text))
            self._changed()
            return
        with suppress(binascii.Error):
            self._uploaded(base64.b64decode(text.partition(",")[2], validate=True))

    def field(self) -> FrameField:
        """Return the zone's value."""
        source = Source(self.source.value)
        if source is Source.FILE:
            return FrameField(source, self.path.value)
        if source in self.lists:
            return FrameField(source, self.lists[source].value or "")
        kept = self._from_code if source is Source.OBJECT else self._kept
        return kept if kept.source is source else FrameField(source)

    # ── display ────────────────────────────────────────────────────────────────────────

    def set(self, field: FrameField) -> None:
        """Set the frame."""
        self._quiet = True
        try:
            if field.source is Source.OBJECT:
                self._from_code = field
                labels = {**_LABELS, Source.OBJECT: "in memory (set by code)"}
                self.source.options = [(label, source.value) for source, label in labels.items()]
            elif field.source is Source.UPLOAD:
                self._kept = field
            elif field.source is Source.FILE:
                widgets.put(self.path, "value", field.text)
            elif field.source in self.lists:
                options = self.lists[field.source].options
                self.offer(field.source, [each for each in options if each[1]], field.text)
            widgets.put(self.source, "value", field.source.value)
        finally:
            self._quiet = False
        self._arrange()

    def offer(self, source: Source, found: Listed, chosen: str | None = None) -> None:
        """Set the variables or runs to choose from; the chosen one stays, even if it no longer exists."""
        widget = self.lists[source]
        before = widget.value or ""
        kept = before if chosen is None else chosen
        known = {value for _, value in found}
        listed = [*found, *([(kept, kept)] if kept and kept not in known else [])]
        nothing = "no image variables yet" if source is Source.VARIABLE else "no clips yet"
        options = [("Choose…" if listed else nothing, ""), *listed]
        quiet, self._quiet = self._quiet, True
        try:
            if list(widget.options) != options:
                widget.options = options
            widgets.put(widget, "value", kept)
        finally:
            self._quiet = quiet

    def _arrange(self) -> None:
        source = Source(self.source.value)
        widgets.shown(self.upload, source in {Source.NONE, Source.UPLOAD})
        widgets.shown(self.path, source is Source.FILE)
        for each, widget in self.lists.items():
            widgets.shown(widget, source is each)

    def show(self, seen: FramePreview | None, problem: Problem | None) -> None:
        """Show the checked frame, or its problem."""
        picture = Markup(
            '<div class="hailuo-drop">{}<span class="hailuo-here">Drop an image here</span></div>'
        )
        words = ""
        if problem is None and seen is not None and seen.words:
            picture = Markup(
                '<div class="hailuo-drop"><img src="{}" alt="{}" referrerpolicy="no-referrer"></div>'
            ).format(seen.thumbnail, self._title)
            words = escape_control(seen.words)
        else:
            picture = picture.format(self._title)
        widgets.put(self._picture, "value", str(picture))
        widgets.put(self._says, "value", widgets.problem(problem, words))


#: Longer side of a thumbnail, in pixels: sharp on a high-density screen.
_THUMBNAIL_PX = 240

_ADDRESS = "The provider fetches this URL itself; it can't be checked here."


@dataclass(frozen=True)
class FramePreview:
    """The result of a frame's check.

    Parameters
    ----------
    words
        Its size, ratio and format; empty if there is a problem.
    thumbnail
        A ``data:`` URI, or the frame's own address; empty if there is none.
    problem
        Why it cannot be used; None if it can.
    """

    words: str = ""
    thumbnail: str = ""
    problem: Problem | None = None


def variables(namespace: Mapping[str, Any]) -> list[str]:
    """Name the variables of a notebook that hold a picture: PIL image, array, bytes of a file.

    Parameters
    ----------
    namespace
        The notebook's variables. No attributes are read except those of arrays.
    """
    return sorted(
        name for name, value in tuple(namespace.items()) if name[:1] != "_" and _picture(value)
    )


def _picture(value: Any) -> bool:
    if isinstance(value, ClipFrame):
        return True
    if isinstance(value, bytes | bytearray):
        return bytes(value[:8]).startswith((b"\xff\xd8\xff", b"\x89PNG"))
    # If Pillow is not loaded, there are no PIL images. Checked by type, since a lazy object's
    # attributes may trigger a computation.
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(value, pillow.Image):
        return True
    if hasattr(type(value), "__array_interface__") and hasattr(type(value), "ndim"):
        return getattr(value, "ndim", 0) in {2, 3} and str(getattr(value, "dtype", "")) == "uint8"
    return False


def preview_frame(value: Any, role: str, limits: FrameLimits, folder: Path) -> FramePreview:
    """Return a frame's check result and a thumbnail. Blocks while it reads and decodes.

    Parameters
    ----------
    value
        As for `generate`.
    role
        ``"first frame"`` or ``"last frame"``.
    limits
        The provider's.
    folder
        The notebook's folder, to which relative paths refer.
    """
    try:
        frame = open_frame(resolved(value), role=role, limits=limits, base=folder)
    except HailuoError as error:
        return FramePreview(problem=error_to_problem(error))
    if frame.url is not None:
        return FramePreview(_ADDRESS, frame.url)
    return FramePreview(_words(frame), _thumbnail(frame))


def _words(frame: Frame) -> str:
    width, height = frame.width or 0, frame.height or 1
    parts = [
        formatting.pixels(width, height),
        f"ratio {width / height:.2f}",
        (frame.format or "").upper(),
        f"{frame.size / 1e6:.1f} MB" if frame.size >= 1e5 else f"{math.ceil(frame.size / 1e3)} kB",
    ]
    turned = " Rotated to match its EXIF orientation." if frame.turned else ""
    return f"{', '.join(parts)}. OK.{turned}"


def _thumbnail(frame: Frame) -> str:
    from PIL import Image

    with Image.open(BytesIO(frame.data or b"")) as image:
        small = image.convert("RGB")
        small.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    out = BytesIO()
    small.save(out, format="JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def keep_upload(data: bytes, role: str, limits: FrameLimits, folder: Path) -> Path:
    """Check an uploaded file, and store it like a run's frame. Blocks.

    So a cell can name it, and the next kernel still has it.

    Parameters
    ----------
    data
        The file's bytes; they are stored unchanged.
    role, limits
        See `preview_frame`.
    folder
        The output folder.

    Raises
    ------
    FrameError, DiskError
        If it cannot be used or stored.
    """
    frame = open_frame(data, role=role, limits=limits)
    uploaded = replace(frame, data=data, sha256=frame.source_sha256)
    return keep(uploaded, folder) or folder  # bytes are not an address, so there is a path
