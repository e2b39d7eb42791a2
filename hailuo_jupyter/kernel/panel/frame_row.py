"""One frame's part of the form: where it comes from, and what was seen of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipywidgets import HTML, Dropdown, FileUpload, Text, VBox
from markupsafe import Markup

from hailuo_jupyter.kernel.panel import look
from hailuo_jupyter.kernel.panel.checks import Problem
from hailuo_jupyter.kernel.panel.form import FrameField, Source
from hailuo_jupyter.kernel.panel.frames import Seen
from hailuo_jupyter.kernel.words import harmless

_LABELS = {
    Source.NONE: "none",
    Source.FILE: "a path or an address",
    Source.UPLOAD: "upload a file",
    Source.VARIABLE: "a variable of the notebook",
}


class FrameRow:
    """Fields for a first or last frame.

    Parameters
    ----------
    title
        ``"First frame"`` or ``"Last frame"``.
    changed
        Is called when a person has changed something.
    uploaded
        Is called with an uploaded file's bytes.
    """

    def __init__(
        self, title: str, changed: Callable[[], None], uploaded: Callable[[bytes], None]
    ) -> None:
        self._title, self._changed, self._uploaded = title, changed, uploaded
        self._quiet = False
        self._kept = self._given = FrameField()
        self.source = Dropdown(
            description=title, options=[(label, source.value) for source, label in _LABELS.items()]
        )
        self.path = Text(
            description=f"{title}: path or address",
            placeholder="first.png or https://…",
            continuous_update=True,
        )
        self.upload = FileUpload(
            accept=".jpg,.jpeg,.png", description=f"{title}: choose a file", multiple=False
        )
        self.variable = Dropdown(description=f"{title}: variable", options=[("", "")])
        self._says = HTML()
        self.box: VBox = look.field(self.source, self.path, self.upload, self.variable, self._says)
        for widget in (self.source, self.path, self.variable):
            widget.observe(self._touched, "value")
        self.upload.observe(self._received, "value")
        self._arrange()

    # ── from the person ────────────────────────────────────────────────────────────────────────

    def _touched(self, _change: Any) -> None:
        if not self._quiet:
            self._arrange()
            self._changed()

    def _received(self, change: Any) -> None:
        if change["new"]:
            self._uploaded(bytes(change["new"][0]["content"]))

    def field(self) -> FrameField:
        """Give what the row holds."""
        source = Source(self.source.value)
        if source is Source.FILE:
            return FrameField(source, self.path.value)
        if source is Source.VARIABLE:
            return FrameField(source, self.variable.value or "")
        kept = self._given if source is Source.OBJECT else self._kept
        return kept if kept.source is source else FrameField(source)

    # ── from the kernel ────────────────────────────────────────────────────────────────────────

    def set(self, given: FrameField) -> None:
        """Have the row hold a frame."""
        self._quiet = True
        try:
            if given.source is Source.OBJECT:
                self._given = given
                labels = {**_LABELS, Source.OBJECT: "in memory, given by code"}
                self.source.options = [(label, source.value) for source, label in labels.items()]
            elif given.source is Source.UPLOAD:
                self._kept = given
            elif given.source is Source.FILE:
                look.put(self.path, "value", given.text)
            elif given.source is Source.VARIABLE:
                self.offer([name for _, name in self.variable.options if name], given.text)
            look.put(self.source, "value", given.source.value)
        finally:
            self._quiet = False
        self._arrange()

    def offer(self, names: list[str], chosen: str | None = None) -> None:
        """Have the row offer variables; the one that is chosen stays, even where it is gone."""
        before = self.variable.value or ""
        kept = before if chosen is None else chosen
        listed = dict.fromkeys(["", *names, *([kept] if kept else [])])
        label = "choose one" if len(listed) > 1 else "there is no picture in a variable yet"
        found = [(name or label, name) for name in listed]
        quiet, self._quiet = self._quiet, True
        try:
            if list(self.variable.options) != found:
                self.variable.options = found
            look.put(self.variable, "value", kept)
        finally:
            self._quiet = quiet

    def _arrange(self) -> None:
        source = Source(self.source.value)
        look.shown(self.path, source is Source.FILE)
        look.shown(self.upload, source is Source.UPLOAD)
        look.shown(self.variable, source is Source.VARIABLE)

    def show(self, seen: Seen | None, problem: Problem | None) -> None:
        """Say what was seen of the frame, or what is wrong with it."""
        if problem is not None:
            look.put(self._says, "value", look.problem(problem))
            return
        if seen is None or not seen.words:
            look.put(self._says, "value", look.says())
            return
        picture = Markup('<img src="{}" alt="{}" referrerpolicy="no-referrer">').format(
            seen.thumbnail, self._title
        )
        kept = self.field()
        where = f" Kept as {kept.text}." if kept.source is Source.UPLOAD else ""
        told = look.says(harmless(seen.words + where))
        look.put(self._says, "value", f'<div class="hailuo-seen">{picture}{told}</div>')
