"""What every provider and model would ask for the form's clip: a table that can be opened."""

from __future__ import annotations

from collections.abc import Callable

from ipywidgets import VBox

from hailuo_jupyter.kernel.panel import widgets
from hailuo_jupyter.kernel.panel.validation import Problem
from hailuo_jupyter.kernel.quote import Quote

_CLOSED, _OPEN = "Compare prices", "Hide prices"


class PriceTable:
    """The table and the button that opens it.

    Parameters
    ----------
    compare
        Called when the table is opened; it must not block, and ends in `show` or `fail`.
    """

    def __init__(self, compare: Callable[[], None]) -> None:
        self._compare = compare
        self._table = widgets.line()
        self.button = widgets.button(_CLOSED, name="Compare the prices of all providers")
        self.button.on_click(lambda _button: self._pressed())
        self.box: VBox = widgets.box("hailuo-prices", self._table)
        widgets.shown(self.box, False)

    def _pressed(self) -> None:
        opened = self.button.description == _CLOSED
        self.button.description = _OPEN if opened else _CLOSED
        widgets.shown(self.box, opened)
        if opened:
            self._table.value = widgets.says("Comparing …")
            self._compare()

    def show(self, quote: Quote) -> None:
        """Show a quote."""
        self._table.value = quote.html(with_options=False)

    def fail(self, problem: Problem) -> None:
        """Show why there is no quote."""
        self._table.value = widgets.problem(problem)
