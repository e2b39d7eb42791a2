"""One run below the form: its live card, then its clip and record, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ipywidgets import Output, VBox

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel.bundle import bundle
from hailuo_jupyter.kernel.display import Showing
from hailuo_jupyter.kernel.origin import Audience, Place
from hailuo_jupyter.kernel.panel import checks, form, look
from hailuo_jupyter.kernel.panel.cell_area import CellArea
from hailuo_jupyter.kernel.panel.form import Form
from hailuo_jupyter.kernel.view import RunView
from hailuo_jupyter.states import State

if TYPE_CHECKING:
    from hailuo_jupyter.kernel.card import Card


@dataclass(frozen=True)
class Acts:
    """What a card asks the panel to do.

    Parameters
    ----------
    repeat
        Fill the fields with a run's request.
    take
        Buy another clip of a run's request.
    changed
        Tell of what a card shows now.
    """

    repeat: Callable[[Form], None]
    take: Callable[[Form], None]
    changed: Callable[[], None]


class CardSlot:
    """One run's place on the shelf.

    Parameters
    ----------
    engine, run
        What is shown.
    place
        The panel's cell.
    panel_id
        Marks outputs that belong to a panel.
    acts
        What the buttons do.
    saved
        Whether the run is shown again instead of bought.
    embed
        Put the clip itself into the output.
    """

    def __init__(
        self,
        engine: Engine,
        run: Run,
        place: Place,
        panel_id: str,
        acts: Acts,
        *,
        saved: bool,
        embed: bool,
    ) -> None:
        self._engine, self._run, self._place, self._panel_id = engine, run, place, panel_id
        self._acts, self._offered = acts, False
        self.views: tuple[RunView, ...] = ()
        self._output: Output | None = None
        self._content = look.box("hailuo-field")
        self._area = CellArea(place.cell_id, f"Run {run.run_id} as a cell")
        self._take = self._button(f"New take · {self._cost()}", self._asks)
        self._buttons = look.buttons(
            self._button("Repeat with changes", self._repeats),
            self._button("As cell", self._writes),
            self._take,
        )
        self._price = look.line()
        self._sure = look.box(
            "hailuo-field",
            self._price,
            look.buttons(
                self._button("Keep this one", self._keeps),
                self._button("Buy a new take", self._takes),
            ),
        )
        look.shown(self._sure, False)
        look.shown(self._take, False)
        parts = (self._content, self._buttons, self._sure, self._area.box)
        self.box: VBox = look.box("hailuo-slot", *parts)
        self._showing = Showing(
            engine,
            [run],
            Audience.FRONT_END,
            place.notebook.folder,
            embed=embed,
            saved=frozenset([run.run_id] if saved else []),
            surface=self,
        )

    def _button(self, label: str, act: Callable[[], None]) -> Any:
        made = look.button(label, name=f"{label}: run {self._run.run_id}")
        made.on_click(lambda _button: act())
        return made

    def open(self) -> None:
        """Show the run, and keep it true. Blocks while a picture of a finished clip is made."""
        self._showing.open()

    def close(self) -> None:
        """Follow the run no longer; it goes on."""
        self._showing.stop()

    # ── what is shown ──────────────────────────────────────────────────────────────────────────

    def put(self, views: Sequence[RunView], card: Card | None) -> None:
        """Show the run as it stands now; called on the engine's threads."""
        self.views = tuple(views)
        if card is not None:
            self._show(card.widget)
        else:
            # It is rendered as an output of the notebook is: links resolved, with its buttons.
            data = bundle(views, panel=self._panel_id)
            shown = ({"output_type": "display_data", "metadata": {}, "data": data},)
            if self._output is None:
                self._output = Output(outputs=shown)
            else:
                self._output.outputs = shown
            self._show(self._output)
        look.shown(self._take, self._engine.row(self._run.run_id).state is State.COMPLETED)
        self._acts.changed()

    def _show(self, widget: Any) -> None:
        if self._content.children != (widget,):
            self._content.children = (widget,)

    # ── what its buttons do ────────────────────────────────────────────────────────────────────

    def _form(self) -> Form:
        row = self._engine.row(self._run.run_id)
        return form.of_run(row.record, row.folder, self._place.notebook.folder)

    def _repeats(self) -> None:
        self._acts.repeat(self._form())

    def _writes(self) -> None:
        self._area.toggle()
        if self._area.is_open:
            found = self._form()
            try:
                provider = self._engine.wires.provider(found.provider, self._dialect())
                self._area.show(form.cell_text(found, provider, {}))
            except HailuoError as error:
                self._area.show("", str(error))

    def _dialect(self) -> str:
        return self._engine.row(self._run.run_id).record.dialect

    def _cost(self) -> str:
        record = self._engine.row(self._run.run_id).record
        provider = self._engine.wires.provider(record.provider, record.dialect)
        return checks.take_price(provider, record.request.options)

    def _asks(self) -> None:
        said = f"This buys another clip of the same request: {self._cost()}. The one above stays."
        look.put(self._price, "value", look.says(said))
        self._offered = True
        look.shown(self._sure, True)

    def _keeps(self) -> None:
        self._offered = False
        self._closes()

    def _closes(self) -> None:
        look.shown(self._sure, False)
        self._take.focus()  # the button that had the focus is gone; this is the one that led there

    def _takes(self) -> None:
        # What was agreed to once is bought once, however often the button was pressed.
        offered, self._offered = self._offered, False
        self._closes()
        if offered:
            self._acts.take(self._form())
