"""The fields of the form as widgets; what they hold is a `Form`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ipywidgets import Checkbox, Dropdown, IntText, Text, Textarea, VBox

from hailuo_jupyter import catalogue
from hailuo_jupyter.kernel.panel import checks, look
from hailuo_jupyter.kernel.panel.checks import Problem
from hailuo_jupyter.kernel.panel.form import FIRST, LAST, Form, tags_of, tags_text
from hailuo_jupyter.kernel.panel.frame_row import FrameRow
from hailuo_jupyter.kernel.panel.frames import Seen
from hailuo_jupyter.offer import Provider


class Fields:
    """All fields of the form.

    Parameters
    ----------
    form, provider
        What they hold at first.
    changed
        Is called when a person has changed something; on whichever thread the kernel likes.
    uploaded
        Is called with a frame's role and the bytes of an uploaded file.
    when_still
        Does something once the page has told of everything that was typed.
    """

    def __init__(
        self,
        form: Form,
        provider: Provider,
        changed: Callable[[], None],
        uploaded: Callable[[str, bytes], None],
        when_still: Callable[[Callable[[], None]], None],
    ) -> None:
        self._changed, self._quiet, self._parent = changed, False, form.parent
        names = [*((each.title, each.name) for each in catalogue.providers())]
        self.provider = Dropdown(
            description="Provider", options=[*names, ("Demo (simulated, free)", "demo")]
        )
        every = [*(each for known in catalogue.providers() for each in known.choices)]
        self.options = {
            name: Dropdown(description=name.capitalize() + (" (s)" if name == "duration" else ""))
            for name in dict.fromkeys(choice.name for choice in every)
        }
        self._chosen: dict[str, str] = {}
        self.prompt = Textarea(
            description="Prompt", placeholder="What the clip should show", continuous_update=True
        )
        camera = catalogue.camera()
        self.camera = Dropdown(description="Camera command", options=list(camera.commands))
        self.insert = look.button("Add to the prompt")
        self.insert.on_click(lambda _button: when_still(self._inserts))
        self.optimizer = Checkbox(description="Prompt optimizer", indent=False)
        self.count = IntText(description="Takes")
        self.tags = Text(description="Tags", placeholder="birds, dawn")
        self.note = Text(description="Note")
        self.frames = {
            FIRST: FrameRow("First frame", self._touched, lambda data: uploaded(FIRST, data)),
            LAST: FrameRow("Last frame", self._touched, lambda data: uploaded(LAST, data)),
        }
        self._says = {name: look.line() for name in ("provider", "options", "prompt", "count")}
        self.set(form, provider)
        for widget in self._simple():
            widget.observe(self._touched, "value")
        self.box: VBox = self._arranged(camera.doubt)

    def _simple(self) -> list[Any]:
        single = (self.provider, self.prompt, self.optimizer, self.count, self.tags, self.note)
        return [*single, *self.options.values()]

    def _arranged(self, doubt: str) -> VBox:
        optimizer = look.says("Lets the provider rewrite the prompt, out of sight. Its default.")
        comma = look.says("With commas between them. Kept in the record, as the note is.")
        return look.box(
            "hailuo-form",
            look.row(
                look.field(self.provider, self._says["provider"]),
                look.field(*self.options.values(), self._says["options"]),
            ),
            look.field(self.prompt, self._says["prompt"]),
            look.field(
                look.camera(self.camera, self.insert),
                look.line(look.says(doubt)),
            ),
            look.row(self.frames[FIRST].box, self.frames[LAST].box, two=True),
            look.row(
                look.field(self.count, self._says["count"]),
                look.field(self.optimizer, look.line(optimizer)),
            ),
            look.row(look.field(self.tags, look.line(comma)), look.field(self.note), two=True),
        )

    # ── from the person ────────────────────────────────────────────────────────────────────────

    def _touched(self, change: Any = None) -> None:
        if self._quiet:
            return
        for name, widget in self.options.items():
            if change is not None and change["owner"] is widget:
                self._chosen[name] = str(widget.value)
        self._changed()

    def _inserts(self) -> None:
        before = self.prompt.value.rstrip()
        self.prompt.value = f"{before} [{self.camera.value}]".lstrip()

    def form(self) -> Form:
        """Give what the fields hold."""
        return Form(
            self.prompt.value,
            self.provider.value,
            dict(self._chosen),
            self.frames[FIRST].field(),
            self.frames[LAST].field(),
            prompt_optimizer=self.optimizer.value,
            count=self.count.value,
            tags=tags_of(self.tags.value),
            note=self.note.value if self.note.value.strip() else "",
            parent=self._parent,
        )

    # ── from the kernel ────────────────────────────────────────────────────────────────────────

    def set(self, form: Form, provider: Provider) -> None:
        """Have the fields hold a form; nobody is called for that.

        Parameters
        ----------
        form, provider
            What they hold, and the provider that it names.
        """
        self._quiet = True
        try:
            self._parent, self._chosen = form.parent, dict(form.options)
            look.put(self.provider, "value", form.provider)
            look.put(self.prompt, "value", form.prompt)
            look.put(self.optimizer, "value", form.prompt_optimizer)
            look.put(self.count, "value", form.count)
            look.put(self.note, "value", form.note)
            if tags_of(self.tags.value) != form.tags:
                self.tags.value = tags_text(form.tags)
            for role, row in self.frames.items():
                row.set(form.frame(role))
            self.follow(provider)
        finally:
            self._quiet = False

    def follow(self, provider: Provider) -> None:
        """Show the options that a provider has, with its values, and no others."""
        quiet, self._quiet = self._quiet, True
        try:
            for name, widget in self.options.items():
                choice = provider.choice(name)
                look.shown(widget, choice is not None)
                if choice is None:
                    continue
                values = [str(value) for value in choice.values]
                if list(widget.options) != values:
                    widget.options = values
                chosen = self._chosen.get(name)
                look.put(widget, "value", chosen if chosen in values else str(choice.default))
        finally:
            self._quiet = quiet

    def say(
        self,
        form: Form,
        provider: Provider,
        found: Mapping[str, Problem],
        seen: Mapping[str, Seen | None],
        *,
        calm: bool,
    ) -> None:
        """Say beside each field what is wrong with it, or what helps.

        Parameters
        ----------
        form, provider
            What the fields hold.
        found
            What is wrong, by field.
        seen
            The frames, as far as they were looked at.
        calm
            Whether an empty prompt is left unsaid, since nobody has begun yet.
        """
        help_ = " ".join(f"{each.help}." for each in provider.choices)
        odd = " ".join(checks.remarks(form.prompt, catalogue.camera()))
        used = checks.count_words(form.prompt, provider.prompt_max)
        lines: Sequence[tuple[str, str]] = (
            ("provider", look.problem(found.get("provider"), provider.model)),
            ("options", look.problem(found.get("options"), help_[:1].upper() + help_[1:])),
            ("prompt", look.problem(found.get("prompt"), odd, after=used, calm=calm)),
            (
                "count",
                look.problem(
                    found.get("count"), "Runs of this request; only what is missing is bought."
                ),
            ),
        )
        for name, text in lines:
            look.put(self._says[name], "value", text)
        for role, row in self.frames.items():
            row.show(seen.get(role), found.get(role))
