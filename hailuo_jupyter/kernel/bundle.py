"""One output's MIME bundle, complete at every moment: text, static HTML, record, live card."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from html import escape as html_escape
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hailuo_jupyter.kernel import words
from hailuo_jupyter.kernel.standing import Tone
from hailuo_jupyter.kernel.view import RunView

#: Type of the record in an output: one run's record, or ``{"runs": [record, …]}``.
MIME = "application/vnd.hailuo.run+json"

#: Each has a contrast of at least 3:1 on white and on JupyterLab's dark background.
COLOURS = {
    Tone.WORKING: "#3b82f6",
    Tone.WAITING: "#b7791f",
    Tone.DONE: "#2e9e4f",
    Tone.BROKEN: "#e5484d",
}

_WIDGET = "application/vnd.jupyter.widget-view+json"


#: What is left of a panel where its form cannot be: in a file, without its kernel.
_PANEL = "Hailuo panel: a form that needs a running kernel. Run the cell to get it again."


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
        data[_WIDGET] = {"version_major": 2, "version_minor": 0, "model_id": card_model_id}
    return data


def line(view: RunView) -> str:
    """Say on one line how a run stands, for a terminal."""
    clip = view.clip
    parts = [
        f"Hailuo run {view.run_id}: {view.state}",
        view.source,
        *([clip.name, *view.caption] if clip else [view.when.rstrip("."), view.cost]),
    ]
    told = " ".join((*view.problem, clip.absent if clip else "", view.saved))
    said = " · ".join(part for part in parts if part)
    return " ".join(f"{said}. {told}".split())


def html(views: Sequence[RunView], said: str = "") -> str:
    """Give the static twin of runs: clock times only, nothing that would be frozen in a file.

    Parameters
    ----------
    views
        The runs, in order.
    said
        A line below them.
    """
    shown = [(view, _src(view), _record(view)) for view in views]
    return templates().get_template("bundle.html.j2").render(shown=shown, said=said)


@cache
def templates() -> Environment:
    """Give the templates; every value is escaped."""
    environment = Environment(
        loader=PackageLoader("hailuo_jupyter.kernel"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # else each tick of a card asks the disk whether its template has changed
    )
    environment.globals["colours"] = COLOURS
    return environment


def _src(view: RunView) -> str | None:
    clip = view.clip
    if clip is None or clip.absent:
        return None
    if clip.file is not None:
        # A clip that was deleted this very moment is no reason to show nothing at all.
        with suppress(OSError):
            return f"data:video/mp4;base64,{base64.b64encode(clip.file.read_bytes()).decode()}"
    return clip.href


def _record(view: RunView) -> Markup:
    document = json.dumps(json.loads(view.record_json), ensure_ascii=False, indent=1)
    # It stands between tags, where quotes mean nothing: escaped they would be a fifth of the output.
    return Markup(html_escape(words.harmless_json(document), quote=False))  # noqa: S704
