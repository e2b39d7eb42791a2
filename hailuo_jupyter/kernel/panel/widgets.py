"""The look of the panel: its style sheet, and its messages as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from ipywidgets import HTML, Box, Button, VBox, Widget
from markupsafe import Markup, escape

from hailuo_jupyter.formatting import escape_control
from hailuo_jupyter.kernel.panel.validation import Problem


@cache
def style() -> str:
    """Return the panel's style sheet; it may be part of a widget's HTML."""
    sheet = files("hailuo_jupyter.kernel.display") / "templates" / "panel.css"
    return f"<style>{sheet.read_text(encoding='utf-8')}</style>"


def says(value: str | Markup = "", *, wrong: bool = False, after: str = "") -> str:
    """Return a line below a field, which a screen reader reads aloud when it changes.

    Parameters
    ----------
    value
        Plain text, or markup.
    wrong
        Whether it reports a mistake; then it has a word and a line next to it that show that.
    after
        Plain text at the line's other end.
    """
    body = escape(escape_control(value)) if not isinstance(value, Markup) else value
    kind = "hailuo-wrong" if wrong else ""
    end = Markup("<span>{}</span>").format(escape_control(after)) if after else ""
    return str(
        Markup(
            '<div class="hailuo-says hailuo-ends"><span aria-live="polite" class="{}">{}</span>{}</div>'
        ).format(kind, body, end)
    )


def folded(summary: str, sentences: Sequence[str]) -> str:
    """Return a line that can be opened to read where it comes from; empty without a line."""
    if not summary:
        return ""
    lines = Markup("").join(Markup("<div>{}</div>").format(each) for each in sentences if each)
    return str(
        Markup('<details class="hailuo-facts"><summary>{}</summary>{}</details>').format(
            summary, lines
        )
    )


def problem(
    found: Problem | None, otherwise: str = "", *, after: str = "", calm: bool = False
) -> str:
    """Return the line of a field: its problem, or another message.

    Parameters
    ----------
    found
        The problem, if any.
    otherwise
        The message if there is no problem.
    after
        See `says`.
    calm
        Whether a missing value is not reported.
    """
    if found is None or (found.waits and calm):
        return says(otherwise, after=after)
    return says(found.text, wrong=not found.waits, after=after)


def put(widget: Widget, name: str, value: object) -> None:
    """Set a trait; send nothing if it has that value already."""
    if getattr(widget, name) != value:
        setattr(widget, name, value)


def shown(widget: Widget, visible: bool) -> None:
    """Show or hide a widget."""
    put(widget.layout, "display", None if visible else "none")


def untitled(widget: Widget) -> None:
    """Set missing tooltips of a widget and its children to an empty text: ipywidgets 8 shows "null"."""
    for inner in getattr(widget, "children", ()):
        untitled(inner)
    if widget.has_trait("tooltip") and widget.tooltip is None:
        widget.tooltip = ""


def close(widget: Widget) -> None:
    """Remove a widget and its children from the kernel."""
    for inner in getattr(widget, "children", ()):
        close(inner)
    for name in ("style", "layout"):
        part = getattr(widget, name, None)
        if isinstance(part, Widget):
            part.close()
    widget.close()


def line(value: str = "") -> HTML:
    """Create a message widget."""
    return HTML(value)


def label(text: str) -> str:
    """Return the title of a row of buttons as HTML."""
    return str(Markup('<div class="hailuo-label">{}</div>').format(text))


def field(*parts: Widget) -> VBox:
    """Lay out a field with its message below."""
    return _classed(VBox(list(parts)), "hailuo-field")


def row(name: str, *parts: Widget) -> Box:
    """Lay out parts side by side, in a box with a CSS class; they wrap if necessary."""
    return _classed(Box(list(parts)), name)


def buttons(*parts: Widget) -> Box:
    """Lay out buttons side by side."""
    return _classed(Box(list(parts)), "hailuo-buttons")


def button(label: str, *, primary: bool = False, name: str = "") -> Button:
    """Create a button.

    Parameters
    ----------
    label
        Its text.
    primary
        Whether it is the form's main button.
    name
        Its full name, if its label alone does not identify the run.
    """
    return Button(
        description=label, tooltip=name or label, button_style="primary" if primary else ""
    )


def _classed(widget: Box, name: str) -> Box:
    widget.add_class(name)
    return widget


def box(name: str, *parts: Widget) -> VBox:
    """Lay out parts below each other, in a box with a CSS class."""
    return _classed(VBox(list(parts)), name)
