"""One output's MIME bundle, complete at every moment: text, static HTML, record, live card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from hailuo_jupyter.kernel.display.poster import blank
from hailuo_jupyter.kernel.display.run_status import MARKS, Severity
from hailuo_jupyter.kernel.display.run_view import RunView

#: Type of the record in an output: one run's record, or ``{"runs": [record, …]}``.
MIME = "application/vnd.hailuo.run+json"

#: Each has a contrast of at least 3:1 on white and on JupyterLab's dark background.
COLOURS = {
    Severity.WORKING: "#3b82f6",
    Severity.WAITING: "#b7791f",
    Severity.DONE: "#2e9e4f",
    Severity.BROKEN: "#e5484d",
}

#: Type of a widget in an output, ahead of which no front end with that widget shows anything.
WIDGET = "application/vnd.jupyter.widget-view+json"


#: What is left of a panel where its form cannot be: in a file, without its kernel.
_PANEL = "Run this cell to open the panel."


def bundle(
    views: Sequence[RunView], *, card_model_id: str | None = None, panel: str | None = None
) -> dict[str, Any]:
    """Make the bundle of an output that shows runs.

    Parameters
    ----------
    views
        What is shown, in order; at least one, but for a panel.
    card_model_id
        Model of the live card or of the form, while there is one.
    panel
        Id of the panel whose output it is; its runs become more with time.

    Returns
    -------
    dict
        From MIME type to content. Without a card it is static.
    """
    records = [json.loads(view.record_json) for view in views]
    said = _PANEL if panel is not None and (card_model_id is not None or not views) else ""
    shown: dict[str, Any] = records[0] if len(records) == 1 else {"runs": records}
    if panel is not None:
        shown = {"panel": panel, "runs": records}
    data: dict[str, Any] = {
        "text/plain": "\n".join(filter(None, (*(line(view) for view in views), said))),
        "text/html": html(views, said),
        MIME: shown,
    }
    if card_model_id is not None:
        data[WIDGET] = {"version_major": 2, "version_minor": 0, "model_id": card_model_id}
    return data


def line(view: RunView) -> str:
    """Return a run's status on one line, for a terminal."""
    clip = view.clip
    state = f"{view.name} · {view.state}" if view.name else view.state
    parts = [
        f"Hailuo run {view.run_id}: {state}",
        view.source,
        *([clip.name, *view.caption] if clip else [view.when.rstrip("."), view.cost]),
    ]
    told = " ".join((*view.problem, clip.absent if clip else "", view.saved))
    said = " · ".join(part for part in parts if part)
    # "est." already ends with a full stop.
    return " ".join(f"{said.rstrip('.')}. {told}".split())


def html(views: Sequence[RunView], said: str = "") -> str:
    """Return the static twin of runs: clock times only, nothing that would be frozen in a file.

    Parameters
    ----------
    views
        The runs, in order.
    said
        A line below them.
    """
    return templates().get_template("bundle.html.j2").render(shown=views, said=said)


@cache
def templates() -> Environment:
    """Return the templates; every value is escaped."""
    environment = Environment(
        loader=PackageLoader("hailuo_jupyter.kernel.display"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # else each tick of a card asks the disk whether its template has changed
    )
    environment.globals["colours"] = COLOURS
    environment.globals["marks"] = MARKS
    environment.globals["blank"] = blank
    return environment
