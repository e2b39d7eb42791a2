"""The live card of an output: ipywidgets, whose traits tick without touching the document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ipywidgets import HTML, Box, GridBox, Layout, VBox, Widget
from ipywidgets.widgets.widget_string import HTMLStyle

from hailuo_jupyter.kernel.bundle import COLOURS, templates
from hailuo_jupyter.kernel.view import RunView

_PARTS = ("head", "clock", "foot")


class Card:
    """A row of small cards, one for each run, until all have ended.

    Parameters
    ----------
    views
        The runs, in order; `update` takes the same ones.
    """

    def __init__(self, views: Sequence[RunView]) -> None:
        self._cells = [_Cell(view) for view in views]
        # Each model is a message, and the cell waits for it: one run needs no row around it.
        self._row = self._cells[0].box if len(views) == 1 else _row(self._cells)
        self.model_id: str = self._row.model_id

    @property
    def widget(self) -> Box:
        """The card itself, for a form that shows it among its own parts."""
        return self._row

    def update(self, views: Sequence[RunView], first: int = 0) -> None:
        """Set what has changed, and nothing else; may be called from any thread.

        Parameters
        ----------
        views
            The same runs, or some that follow each other, as they stand now.
        first
            The place of the first of them.
        """
        for cell, view in zip(self._cells[first : first + len(views)], views, strict=True):
            cell.update(view)

    def close(self) -> None:
        """Take the card's models out of the kernel and the front end."""
        for cell in self._cells:
            cell.close()
        if len(self._cells) > 1:
            self._row.layout.close()
            self._row.close()


class _Cell:
    """One run's card: head with the state, clock and foot below each other."""

    def __init__(self, view: RunView) -> None:
        self._view = view
        self._layout = Layout(
            border_left=_rule(view),
            padding="2px 0 2px 12px",
            margin="4px 0",
            min_width="0",
            max_width="880px",
        )
        # Their class goes along with them: `add_class` would be one more message for each.
        self._parts = {
            part: HTML(_rendered(part, view), _dom_classes=(f"hailuo-{part}",), **_alike())
            for part in _PARTS
        }
        self.box = VBox(list(self._parts.values()), layout=self._layout)

    def update(self, view: RunView) -> None:
        before, self._view = self._view, view
        only_the_clock = replace(before, tick=view.tick) == view
        if self._layout.border_left != (rule := _rule(view)):
            self._layout.border_left = rule
        for part in ("clock",) if only_the_clock else _PARTS:
            widget = self._parts[part]
            if widget.value != (value := _rendered(part, view)):
                widget.value = value

    def close(self) -> None:
        for part in self._parts.values():
            part.close()
        self._layout.close()
        self.box.close()


def _row(cells: Sequence[_Cell]) -> GridBox:
    columns = "repeat(auto-fill, minmax(min(280px, 100%), 1fr))"
    layout = Layout(grid_template_columns=columns, grid_gap="16px 20px", width="100%")
    return GridBox([cell.box for cell in cells], layout=layout)


_shared: dict[str, Widget] = {}


def _alike() -> dict[str, Widget]:
    """Give what the parts of all cards have alike: two models that live as long as the kernel."""
    # Whoever closes all widgets (`Widget.close_all`) closes these as well.
    if not _shared or any(each.comm is None for each in _shared.values()):
        _shared.update(layout=Layout(margin="0", width="auto"), style=HTMLStyle())
    return _shared


def _rule(view: RunView) -> str:
    return f"3px solid {COLOURS[view.tone]}"


def _rendered(part: str, view: RunView) -> str:
    return templates().get_template("card.html.j2").render(part=part, run=view)
