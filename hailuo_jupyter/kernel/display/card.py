"""The live card of an output: ipywidgets, whose traits tick without touching the document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ipywidgets import HTML, Box, GridBox, Layout, VBox, Widget
from ipywidgets.widgets.widget_string import HTMLStyle

from hailuo_jupyter.kernel.display.bundle import COLOURS, templates
from hailuo_jupyter.kernel.display.run_view import RunView
from hailuo_jupyter.kernel.session import SessionState, session

_PARTS = ("media", "clock", "foot")


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
        """Remove the card's models from the kernel and the front end."""
        for cell in self._cells:
            cell.close()
        if len(self._cells) > 1:
            self._row.layout.close()
            self._row.close()


class _Cell:
    """One run's card, in the shape of the finished one: the clip's room, and clock and foot beside it."""

    def __init__(self, view: RunView) -> None:
        self._view = view
        self._layout = Layout(
            border_left=_rule(view),
            padding="2px 0 2px 12px",
            margin="4px 0",
            min_width="0",
            max_width=f"{view.player_width + 490}px",
            flex_flow="row wrap",
            grid_gap="6px 16px",
        )
        # Their class goes along with them: `add_class` would be one more message for each.
        alike = _alike()
        self._parts = {
            part: HTML(
                _rendered(part, view),
                _dom_classes=(f"hailuo-{part}",),
                layout=_room(view.player_width) if part == "media" else alike["layout"],
                style=alike["style"],
            )
            for part in _PARTS
        }
        media, *beside = self._parts.values()
        self._side = VBox(beside, layout=alike["side"], _dom_classes=("hailuo-side",))
        self.box = Box([media, self._side], layout=self._layout, _dom_classes=("hailuo-columns",))

    def update(self, view: RunView) -> None:
        before, self._view = self._view, view
        only_the_clock = replace(before, progress=view.progress) == view
        if self._layout.border_left != (rule := _rule(view)):
            self._layout.border_left = rule
        for part in ("clock",) if only_the_clock else _PARTS:
            widget = self._parts[part]
            if widget.value != (value := _rendered(part, view)):
                widget.value = value

    def close(self) -> None:
        for part in self._parts.values():
            part.close()
        self._side.close()
        self._layout.close()
        self.box.close()


def _row(cells: Sequence[_Cell]) -> GridBox:
    columns = "repeat(auto-fill, minmax(min(280px, 100%), 1fr))"
    layout = Layout(grid_template_columns=columns, grid_gap="12px 20px", width="100%")
    return GridBox([cell.box for cell in cells], layout=layout)


class _Shared(SessionState):
    """What the parts of all cards have alike: models that live as long as the session."""

    def __init__(self) -> None:
        self.widgets: dict[str, Widget] = {}


def _alike() -> dict[str, Widget]:
    widgets = session.state(_Shared).widgets
    # Whoever closes all widgets (`Widget.close_all`) closes these as well.
    if not widgets or any(each.comm is None for each in widgets.values()):
        widgets.clear()
        widgets.update(
            layout=Layout(margin="0", width="auto"),
            side=Layout(margin="0", flex="1 1 240px", min_width="0"),
            style=HTMLStyle(),
        )
    return widgets


def _room(width: int) -> Layout:
    """Return the layout of a clip's room, which is there before the clip."""
    name, widgets = f"room {width}", _alike()
    if name not in widgets:
        widgets[name] = Layout(margin="0", width=f"{width}px", max_width="100%", min_width="0")
    return widgets[name]


def _rule(view: RunView) -> str:
    return f"3px solid {COLOURS[view.severity]}"


def _rendered(part: str, view: RunView) -> str:
    return templates().get_template("card.html.j2").render(part=part, run=view)
