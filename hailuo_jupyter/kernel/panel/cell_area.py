"""A request as the ``%%hailuo`` cell that asks for it: to be copied, or inserted below."""

from __future__ import annotations

from typing import Any

from ipywidgets import HTML, VBox
from markupsafe import Markup

from hailuo_jupyter.kernel.bridge import insert_below
from hailuo_jupyter.kernel.panel import look
from hailuo_jupyter.kernel.words import harmless


class CellArea:
    """The text of a cell, and a button that inserts it; hidden at first.

    Parameters
    ----------
    cell_id
        Of the cell that an inserted one is to follow.
    whose
        What it is the text of, for a screen reader.
    """

    def __init__(self, cell_id: str | None, whose: str) -> None:
        self._cell_id, self._whose, self._text = cell_id, whose, ""
        self._shown = HTML()
        self._says = look.line(look.says())
        self._insert = look.button("Insert below", name=f"Insert below: {whose}")
        self._insert.on_click(self._inserts)
        self.box: VBox = look.box(
            "hailuo-field", self._shown, look.buttons(self._insert), self._says
        )
        look.shown(self.box, False)

    @property
    def is_open(self) -> bool:
        """Whether it is shown."""
        return bool(self.box.layout.display != "none")

    def toggle(self) -> None:
        """Show it, or hide it."""
        look.shown(self.box, not self.is_open)

    def show(self, text: str, problem: str = "") -> None:
        """Set the text.

        Parameters
        ----------
        text
            The cell; empty where there is none.
        problem
            Why there is none.
        """
        changed, self._text = text != self._text, text
        inner = Markup(
            '<pre class="hailuo-cell" tabindex="0" role="region" aria-label="{}">{}</pre>'
        ).format(self._whose, harmless(text))
        look.put(self._shown, "value", str(inner) if text else "")
        look.put(self._insert, "disabled", not text)
        if changed or problem:
            hint = "Select it to copy it, or have it inserted as a cell below this one."
            look.put(self._says, "value", look.says(problem or hint, wrong=bool(problem)))

    def _inserts(self, _button: Any) -> None:
        asked = insert_below(self._text, self._cell_id)
        said = (
            "Inserted below; it is not run."
            if asked
            else "This front end cannot insert a cell; copy the text instead."
        )
        look.put(self._says, "value", look.says(said))
