"""The look of the panel: its style sheet, and what it says, as HTML of one kind."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from ipywidgets import HTML, Box, Button, VBox, Widget
from markupsafe import Markup, escape

from hailuo_jupyter.kernel.panel.checks import Problem
from hailuo_jupyter.kernel.words import harmless


@cache
def style() -> str:
    """Give the panel's style sheet; HTML of a widget may hold one."""
    sheet = files("hailuo_jupyter.kernel") / "templates" / "panel.css"
    return f"<style>{sheet.read_text(encoding='utf-8')}</style>"


def says(value: str | Markup = "", *, wrong: bool = False, after: str = "") -> str:
    """Give a line below a field, which a screen reader reads aloud when it changes.

    Parameters
    ----------
    value
        Plain text, or markup.
    wrong
        Whether it tells of a mistake; then it says so by a word and by a rule beside it.
    after
        Plain text at the line's other end.
    """
    body = escape(harmless(value)) if not isinstance(value, Markup) else value
    kind = "hailuo-wrong" if wrong else ""
    end = Markup("<span>{}</span>").format(harmless(after)) if after else ""
    return str(
        Markup(
            '<div class="hailuo-says hailuo-ends"><span aria-live="polite" class="{}">{}</span>{}</div>'
        ).format(kind, body, end)
    )


def problem(
    found: Problem | None, otherwise: str = "", *, after: str = "", calm: bool = False
) -> str:
    """Give the line of a field: its problem, or what else there is to say.

    Parameters
    ----------
    found
        What is wrong, if anything.
    otherwise
        What is said if nothing is.
    after
        See `says`.
    calm
        Whether what is still to be filled in is left unsaid.
    """
    if found is None or (found.waits and calm):
        return says(otherwise, after=after)
    return says(found.text, wrong=not found.waits, after=after)


def put(widget: Widget, name: str, value: object) -> None:
    """Set a trait, and send nothing where it has that value."""
    if getattr(widget, name) != value:
        setattr(widget, name, value)


def shown(widget: Widget, visible: bool) -> None:
    """Show or hide a widget."""
    put(widget.layout, "display", None if visible else "none")


def close(widget: Widget) -> None:
    """Take a widget, and all that stands in it, out of the kernel."""
    for inner in getattr(widget, "children", ()):
        close(inner)
    for name in ("style", "layout"):
        part = getattr(widget, name, None)
        if isinstance(part, Widget):
            part.close()
    widget.close()


def line(value: str = "") -> HTML:
    """Make a widget for what is said."""
    return HTML(value)


def field(*parts: Widget) -> VBox:
    """Put a field and what is said of it below each other."""
    return _classed(VBox(list(parts)), "hailuo-field")


def row(*parts: Widget, two: bool = False) -> Box:
    """Put fields side by side, as many as fit."""
    made = _classed(Box(list(parts)), "hailuo-row")
    return _classed(made, "hailuo-mod-two") if two else made


def camera(*parts: Widget) -> Box:
    """Put the camera commands and their button side by side."""
    return _classed(Box(list(parts)), "hailuo-camera")


def buttons(*parts: Widget) -> Box:
    """Put buttons side by side."""
    return _classed(Box(list(parts)), "hailuo-buttons")


def button(label: str, *, primary: bool = False, name: str = "") -> Button:
    """Make a button.

    Parameters
    ----------
    label
        What stands on it.
    primary
        Whether it is the one that the form is for.
    name
        What it is for in full, where its label alone does not say which run it is about.
    """
    return Button(
        description=label, tooltip=name or label, button_style="primary" if primary else ""
    )


def _classed(widget: Box, name: str) -> Box:
    widget.add_class(name)
    return widget


def box(name: str, *parts: Widget) -> VBox:
    """Put parts below each other, in a box that the style sheet knows by a name."""
    return _classed(VBox(list(parts)), name)
