"""The runs below the form, and the single output with all of them: form, cards, records, static view."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ipywidgets import HTML, Output, VBox
from markupsafe import Markup

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.formatting import escape_control
from hailuo_jupyter.kernel import context
from hailuo_jupyter.kernel.comm import insert_below
from hailuo_jupyter.kernel.context import CellContext, Frontend
from hailuo_jupyter.kernel.display.bundle import bundle
from hailuo_jupyter.kernel.display.clip_delivery import OutputPlace
from hailuo_jupyter.kernel.display.live_output import DisplayHandle, LiveOutput, register_renderer
from hailuo_jupyter.kernel.display.run_output import RunContent
from hailuo_jupyter.kernel.display.run_view import RunView
from hailuo_jupyter.kernel.panel import form_state, validation, widgets
from hailuo_jupyter.kernel.panel.form_state import FormState
from hailuo_jupyter.states import State


class RunList:
    """Cards in a row, the newest first, within one display whose bundle is always complete.

    Parameters
    ----------
    place
        The panel's cell.
    acts
        The actions of the cards' buttons; its `changed` is replaced by this list's own.
    embed
        Embed the clips in the output.
    """

    def __init__(self, place: CellContext, acts: RunActions, *, embed: bool) -> None:
        # Determined here, in the cell: a button's message does not identify the front end.
        self._output_place = OutputPlace(context.host(context.shell()), place.notebook, embed)
        self._handle = DisplayHandle(Frontend.INTERACTIVE)
        self.panel_id = self._handle.display_id
        self._place = place
        self._acts = RunActions(acts.repeat, acts.take, self.publish)
        self._slots: dict[str, RunItem] = {}
        self._order = 0
        self._root: VBox | None = None
        self._lock, self._publishing = threading.Lock(), threading.Lock()
        self.box: VBox = widgets.box("hailuo-shelf")
        self._unregister = register_renderer(self._render)

    def open(self, root: VBox) -> None:
        """Show a widget that contains this list, in the running cell.

        Parameters
        ----------
        root
            The whole panel.
        """
        self._root = root
        self._handle.open(self._bundle())

    def close(self) -> None:
        """Stop following the runs."""
        self._unregister()
        with self._lock:
            slots = tuple(self._slots.values())
        for slot in slots:
            slot.close()

    def add(self, engine: Engine, runs: Sequence[Run], saved: frozenset[str]) -> None:
        """Show runs in front of the others; one that is already shown is moved to the front.

        Blocks while posters of finished clips are made; must not be called by a handler.

        Parameters
        ----------
        engine, runs
            The runs to show, and their engine.
        saved
            Ids of those that are reused instead of bought.
        """
        fresh = []
        with self._lock:
            for run in runs:
                slot = self._slots.get(run.run_id)
                if slot is None:
                    slot = RunItem(
                        engine,
                        run,
                        self._place,
                        self.panel_id,
                        self._acts,
                        saved=run.run_id in saved,
                        output_place=self._output_place,
                    )
                    fresh.append(slot)
                # In front of the others, without removing and recreating a card: a
                # clip that plays continues.
                self._order -= 1
                slot.box.layout.order = str(self._order)
                self._slots[run.run_id] = slot
            several = len(self._slots) > 1
        for slot in fresh:
            slot.open()
        with self._lock:
            self.box.children = tuple(slot.box for slot in self._slots.values() if slot.views)
        if self._root is not None and several:
            self._root.add_class("hailuo-mod-several")

    # ── output ─────────────────────────────────────────────────────────────────────────────

    def _bundle(self) -> dict[str, Any]:
        views = [view for slot in reversed(tuple(self._slots.values())) for view in slot.views]
        model = self._root.model_id if self._root is not None else None
        return bundle(views, card_model_id=model, panel=self.panel_id)

    def _render(self, ids: tuple[str, ...]) -> dict[str, Any] | None:
        return self._bundle() if ids and set(ids) <= set(self._slots) else None

    def publish(self) -> None:
        """Update the cell's output; routed by its display id, from any thread."""
        if self._root is None:
            return
        with self._publishing:  # so that the last one sent is the newest
            self._handle.send(self._bundle())


@dataclass(frozen=True)
class RunActions:
    """The actions that a card requests from the panel.

    Parameters
    ----------
    repeat
        Fill the fields with a run's request.
    take
        Buy another clip of a run's request.
    changed
        Called when a card's content has changed.
    """

    repeat: Callable[[FormState], None]
    take: Callable[[FormState], None]
    changed: Callable[[], None]


class RunItem:
    """The card of one run.

    Parameters
    ----------
    engine, run
        The run, and its engine.
    place
        The panel's cell.
    panel_id
        Marks outputs that belong to a panel.
    acts
        The actions of the buttons.
    saved
        Whether the run is reused instead of bought.
    output_place
        Where the panel's output is, which decides how it gets its clips.
    """

    def __init__(
        self,
        engine: Engine,
        run: Run,
        place: CellContext,
        panel_id: str,
        acts: RunActions,
        *,
        saved: bool,
        output_place: OutputPlace,
    ) -> None:
        self._engine, self._run, self._place, self._panel_id = engine, run, place, panel_id
        self._acts, self._offered = acts, False
        self.views: tuple[RunView, ...] = ()
        self._output: Output | None = None
        self._content = widgets.box("hailuo-field")
        self._area = CellPreview(place.cell_id, f"Run {run.run_id} as a cell")
        self._take = self._button(f"New take · {self._cost()}", self._asks)
        as_cell = self._button("As cell", self._writes)
        as_cell.add_class("hailuo-as-cell")
        self._buttons = widgets.buttons(
            self._button("Edit and rerun", self._repeats), as_cell, self._take
        )
        self._price = widgets.line()
        self._sure = widgets.box(
            "hailuo-field",
            self._price,
            widgets.buttons(
                self._button("Cancel", self._keeps),
                self._button("Generate", self._takes),
            ),
        )
        widgets.shown(self._sure, False)
        widgets.shown(self._take, False)
        parts = (self._content, self._buttons, self._sure, self._area.box)
        self.box: VBox = widgets.box("hailuo-slot", *parts)
        content = RunContent(
            engine,
            [run],
            output_place,
            saved=frozenset([run.run_id] if saved else []),
            live_card=True,
        )
        self._live = LiveOutput(engine, content, self)

    def _button(self, label: str, act: Callable[[], None]) -> Any:
        made = widgets.button(label, name=f"{label}: run {self._run.run_id}")
        made.on_click(lambda _button: act())
        return made

    def open(self) -> None:
        """Show the run, and keep it up to date. Blocks while the poster of a finished clip is made."""
        self._live.open(keep_current=True)

    def close(self) -> None:
        """Stop following the run, which continues."""
        self._live.stop()

    # ── display ──────────────────────────────────────────────────────────────────────────

    def put(self, content: RunContent) -> None:
        """Show the run's current state; called on the engine's threads."""
        self.views = tuple(content.views)
        if content.card is not None:
            self._show(content.card.widget)
        else:
            # It is rendered like an output of the notebook: links resolved, with its buttons.
            data = bundle(self.views, panel=self._panel_id)
            shown = ({"output_type": "display_data", "metadata": {}, "data": data},)
            if self._output is None:
                self._output = Output(outputs=shown)
            else:
                self._output.outputs = shown
            self._show(self._output)
        widgets.shown(self._take, self._engine.row(self._run.run_id).state is State.COMPLETED)
        self._acts.changed()

    def _show(self, widget: Any) -> None:
        if self._content.children != (widget,):
            self._content.children = (widget,)

    # ── buttons ────────────────────────────────────────────────────────────────────

    def _form(self) -> FormState:
        row = self._engine.row(self._run.run_id)
        return form_state.of_run(row.record, row.folder, self._place.notebook.folder)

    def _repeats(self) -> None:
        self._acts.repeat(self._form())

    def _writes(self) -> None:
        self._area.toggle()
        if self._area.is_open:
            found = self._form()
            try:
                provider = self._engine.providers.of_record(
                    self._engine.row(self._run.run_id).record
                )
                self._area.show(form_state.cell_text(found, provider, {}))
            except HailuoError as error:
                self._area.show("", str(error))

    def _cost(self) -> str:
        record = self._engine.row(self._run.run_id).record
        provider = self._engine.providers.of_record(record)
        return validation.take_price(provider, record.request.options)

    def _asks(self) -> None:
        question = f"Generate another take for {self._cost()}? The current clip is kept."
        widgets.put(self._price, "value", widgets.says(question))
        self._offered = True
        widgets.shown(self._sure, True)

    def _keeps(self) -> None:
        self._offered = False
        self._closes()

    def _closes(self) -> None:
        widgets.shown(self._sure, False)
        self._take.focus()  # the button that had the focus is gone; this is the one that opened it

    def _takes(self) -> None:
        # One confirmation buys once, however often the button is pressed.
        offered, self._offered = self._offered, False
        self._closes()
        if offered:
            self._acts.take(self._form())


class CellPreview:
    """The text of a cell, and a button that inserts it; hidden at first.

    Parameters
    ----------
    cell_id
        Id of the cell that an inserted one is to follow.
    whose
        Label of the text for a screen reader.
    """

    def __init__(self, cell_id: str | None, whose: str) -> None:
        self._cell_id, self._whose, self._text = cell_id, whose, ""
        self._shown = HTML()
        self._says = widgets.line(widgets.says())
        self._insert = widgets.button("Insert below", name=f"Insert below: {whose}")
        self._insert.on_click(self._inserts)
        self.box: VBox = widgets.box(
            "hailuo-field", self._shown, widgets.buttons(self._insert), self._says
        )
        widgets.shown(self.box, False)

    @property
    def is_open(self) -> bool:
        """Whether the text is shown."""
        return bool(self.box.layout.display != "none")

    def toggle(self) -> None:
        """Show or hide the text."""
        widgets.shown(self.box, not self.is_open)

    def show(self, text: str, problem: str = "") -> None:
        """Set the text.

        Parameters
        ----------
        text
            The cell; empty if there is none.
        problem
            Why there is none.
        """
        changed, self._text = text != self._text, text
        inner = Markup(
            '<pre class="hailuo-cell" tabindex="0" role="region" aria-label="{}">{}</pre>'
        ).format(self._whose, escape_control(text))
        widgets.put(self._shown, "value", str(inner) if text else "")
        widgets.put(self._insert, "disabled", not text)
        if changed or problem:
            hint = "Copy this, or insert it below."
            widgets.put(self._says, "value", widgets.says(problem or hint, wrong=bool(problem)))

    def _inserts(self, _button: Any) -> None:
        inserted = insert_below(self._text, self._cell_id)
        message = (
            "Inserted below (not run)."
            if inserted
            else "This front end can't insert cells; copy the text instead."
        )
        widgets.put(self._says, "value", widgets.says(message))
