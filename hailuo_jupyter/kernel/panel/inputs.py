"""The fields of the form as widgets; their values are a `FormState`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ipywidgets import Checkbox, Text, Textarea, ToggleButton, VBox

from hailuo_jupyter import catalogue
from hailuo_jupyter.catalogue.types import DEFAULT_MODEL, Provider
from hailuo_jupyter.kernel.panel import validation, widgets
from hailuo_jupyter.kernel.panel.choices import Choices
from hailuo_jupyter.kernel.panel.form_state import (
    FIRST,
    LAST,
    FormState,
    options_of,
    tags_of,
    tags_text,
)
from hailuo_jupyter.kernel.panel.frame_inputs import FramePreview, FrameZone
from hailuo_jupyter.kernel.panel.key_entry import KeyEntry
from hailuo_jupyter.kernel.panel.validation import Problem

_TITLES = {"mode": "Quality", "resolution": "Quality", "duration": "Length", "ratio": "Shape"}

#: Takes that have a button; code may ask for more.
_TAKES = 4

#: Camera commands that are shown at once, as far as they are documented; the others can be unfolded.
_FIRST_CHIPS = ("Push in", "Pan left", "Tilt up", "Zoom in", "Tracking shot")


class Fields:
    """All fields of the form.

    Parameters
    ----------
    form, provider
        Their initial values.
    changed
        Called when a person has changed something, on any thread.
    uploaded
        Called with a frame's role and the bytes of an uploaded file.
    when_still
        Calls a function once the page has sent everything that was typed.
    key_entered
        Called after a person has entered a missing key.
    """

    def __init__(
        self,
        form: FormState,
        provider: Provider,
        changed: Callable[[], None],
        uploaded: Callable[[str, bytes], None],
        when_still: Callable[[Callable[[], None]], None],
        *,
        key_entered: Callable[[], None],
    ) -> None:
        self._changed, self._quiet, self._parent = changed, False, form.parent
        self._when_still = when_still
        self.provider = Choices("Provider", self._chose)
        self.model = Choices("Model", self._chose)
        self.options = {
            name: Choices(_TITLES.get(name, name.capitalize()), self._chose)
            for name in catalogue.option_names()
        }
        self.count = Choices("Takes", self._chose)
        self._chosen: dict[str, str] = {}
        self.prompt = Textarea(
            description="Prompt", placeholder="Describe the clip…", continuous_update=True
        )
        self.optimizer = Checkbox(
            description="Prompt optimizer: the provider may rewrite your prompt", indent=False
        )
        self.tags = Text(description="Tags", placeholder="birds, dawn")
        self.note = Text(description="Note")
        self.frames = {
            role: FrameZone(role, self._touched, partial(uploaded, role)) for role in (FIRST, LAST)
        }
        self.key = KeyEntry(key_entered)
        self._says = {name: widgets.line() for name in ("options", "prompt")}
        self._more_options = widgets.box(
            "hailuo-more", self.optimizer, widgets.row("hailuo-pair", self.tags, self.note)
        )
        self._more = ToggleButton(
            description="More: optimizer, tags, note", tooltip="Show or hide these fields"
        )
        self._more.add_class("hailuo-fold")
        self._more.observe(self._folded, "value")
        self._folded()
        self.set(form, provider)
        for widget in (self.prompt, self.optimizer, self.tags, self.note):
            widget.observe(self._touched, "value")
        self.main: VBox = self._arranged()
        self.zones = widgets.row("hailuo-zones", self.frames[FIRST].box, self.frames[LAST].box)

    def _arranged(self) -> VBox:
        return widgets.box(
            "hailuo-main",
            self.prompt,
            self._chips(),
            self._says["prompt"],
            self.provider.box,
            self.key.box,
            self.model.box,
            widgets.row(
                "hailuo-settings", *(each.box for each in self.options.values()), self.count.box
            ),
            self._says["options"],
            self._more,
            self._more_options,
        )

    def _chips(self) -> Any:
        chips = {}
        for command in catalogue.camera().commands:
            chip = widgets.button(command, name=f"Add [{command}] to the prompt")
            chip.on_click(lambda _button, command=command: self._inserts_later(command))
            chips[command] = chip
        first = [chips[command] for command in _FIRST_CHIPS if command in chips]
        rest = [chip for chip in chips.values() if chip not in first]
        more = ToggleButton(description="More", tooltip="More camera commands")

        def fold(_change: Any = None) -> None:
            for chip in rest:
                widgets.shown(chip, more.value)
            widgets.put(more, "description", "Fewer" if more.value else "More")

        more.observe(fold, "value")
        fold()
        # Before the others, so that it stays under the pointer.
        return widgets.row("hailuo-chips", *first, more, *rest)

    # ── input ────────────────────────────────────────────────────────────────────────

    def _chose(self, choices: Choices) -> None:
        for name, each in self.options.items():
            if each is choices:
                self._chosen[name] = each.value
        self._touched()

    def _touched(self, _change: Any = None) -> None:
        if not self._quiet:
            self._changed()

    def _folded(self, _change: Any = None) -> None:
        widgets.shown(self._more_options, self._more.value)

    def _inserts_later(self, command: str) -> None:
        self._when_still(lambda: self._inserts(command))

    def _inserts(self, command: str) -> None:
        self.prompt.value = f"{self.prompt.value.rstrip()} [{command}]".lstrip()

    def close(self) -> None:
        """Remove the buttons that are not shown from the kernel."""
        for each in (self.provider, self.model, self.count, *self.options.values()):
            each.close()

    def form(self) -> FormState:
        """Return the values of the fields."""
        return FormState(
            self.prompt.value,
            self.provider.value,
            dict(self._chosen),
            self.frames[FIRST].field(),
            self.frames[LAST].field(),
            prompt_optimizer=self.optimizer.value,
            count=int(self.count.value),
            tags=tags_of(self.tags.value),
            note=self.note.value if self.note.value.strip() else "",
            parent=self._parent,
            model=self.model.value or DEFAULT_MODEL,
        )

    # ── display ────────────────────────────────────────────────────────────────────────

    def set(self, form: FormState, provider: Provider) -> None:
        """Set the fields from a form, without calling any listener.

        Parameters
        ----------
        form, provider
            The values, and their provider.
        """
        self._quiet = True
        try:
            self._parent, self._chosen = form.parent, dict(form.options)
            widgets.put(self.prompt, "value", form.prompt)
            widgets.put(self.optimizer, "value", form.prompt_optimizer)
            widgets.put(self.note, "value", form.note)
            if tags_of(self.tags.value) != form.tags:
                self.tags.value = tags_text(form.tags)
            if form.tags or form.note or not form.prompt_optimizer:
                widgets.put(self._more, "value", True)
            for role, zone in self.frames.items():
                zone.set(form.frame(role))
            self.follow(form, provider)
        finally:
            self._quiet = False

    def follow(self, form: FormState, provider: Provider) -> None:
        """Show the models and options that a provider has, and disable what does not go together.

        Parameters
        ----------
        form, provider
            The values, and their provider.
        """
        names = [(each.title, each.name) for each in catalogue.providers()]
        self.provider.offer([*names, ("Demo (free)", "demo")], form.provider)
        models = [(name, name) for name in provider.models]
        self.model.offer(models, provider.model_name, validation.impossible_models(form))
        widgets.shown(self.model.box, len(models) > 1)
        chosen = options_of(form, provider)
        for name, choices in self.options.items():
            choice = provider.choice(name)
            widgets.shown(choices.box, choice is not None)
            if choice is not None:
                unit = " s" if name == "duration" else ""
                values = [(f"{value}{unit}", str(value)) for value in choice.values]
                impossible = validation.impossible_values(form, provider, name)
                choices.offer(values, chosen[name], impossible)
        takes = sorted({*range(1, _TAKES + 1), form.count})
        self.count.offer([(str(each), str(each)) for each in takes], str(form.count))
        widgets.shown(self.optimizer, provider.has_optimizer)

    def say(
        self,
        form: FormState,
        provider: Provider,
        found: Mapping[str, Problem],
        seen: Mapping[str, FramePreview | None],
        *,
        calm: bool,
    ) -> None:
        """Show the problem of each field next to it, or a hint.

        Parameters
        ----------
        form, provider
            The values of the fields, and their provider.
        found
            The problems, by field.
        seen
            The frames checked so far.
        calm
            Whether an empty prompt is not reported, since nothing was typed yet.
        """
        odd = " ".join(validation.remarks(form.prompt, catalogue.camera()))
        used = validation.count_words(form.prompt, provider.prompt_max)
        wrong = found.get("options") or found.get("count")
        lines = {
            "prompt": widgets.problem(found.get("prompt"), odd, after=used, calm=calm),
            "options": widgets.problem(wrong),
        }
        for name, text in lines.items():
            widgets.put(self._says[name], "value", text)
        widgets.shown(self._says["options"], wrong is not None)
        self.key.ask(provider, found.get("provider"))
        for role, zone in self.frames.items():
            zone.show(seen.get(role), found.get(role))
