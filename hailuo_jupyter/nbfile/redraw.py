"""Outputs that missed their last update, drawn again as the cell itself would have."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hailuo_jupyter import catalogue, media
from hailuo_jupyter.engine.forecast import forecast
from hailuo_jupyter.errors import ClipError, HailuoError
from hailuo_jupyter.kernel import comparison, posters
from hailuo_jupyter.kernel.bundle import MIME, bundle
from hailuo_jupyter.kernel.sweep import sheet as sheets
from hailuo_jupyter.kernel.sweep.sheet import Sheet
from hailuo_jupyter.kernel.view import view
from hailuo_jupyter.nbfile.document import joined, lines
from hailuo_jupyter.nbfile.places import Places, row_of
from hailuo_jupyter.nbfile.records import Output, outputs
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import State

_WIDGET = "application/vnd.jupyter.widget-view+json"
_OURS = ("text/plain", "text/html", MIME, _WIDGET)
_EMBEDDED = 'src="data:video/mp4'


def redraw(
    nb: dict[str, Any], places: Places, base: Path, *, everything: bool = False, split: bool = False
) -> int:
    """Draw outputs again whose runs have gone on since.

    Only an output that shows runs of ours is touched, and only where log or sidecar know every one
    of them at the same or a later revision.

    Parameters
    ----------
    nb
        The notebook; changed in place.
    places
        Log and sidecars.
    base
        The folder that links are to be relative to.
    everything
        Draw those too that are up to date, for a notebook that is written to another folder.
    split
        Keep texts as lists of lines, as they stand in a file.

    Returns
    -------
    int
        How many outputs were drawn.
    """
    drawn = 0
    for output in outputs(nb):
        rows = _newest(output, places)
        if rows is None:
            continue
        older = any(
            record.revision < row.revision for record, row in zip(output.records, rows, strict=True)
        )
        if not older and not everything:
            continue
        try:
            data = draw(
                rows,
                places,
                base,
                embed=_EMBEDDED in _html(output),
                sheet=_sheet(output),
                compare=_compares(output),
            )
        except (HailuoError, OSError, ValueError, LookupError):
            continue  # written by another version, for a provider or an option unknown here
        if split:
            data |= {kind: lines(data[kind]) for kind in ("text/plain", "text/html")}
        foreign = {k: v for k, v in output.output["data"].items() if k not in _OURS}
        output.output["data"] = {**foreign, **data}
        drawn += 1
    return drawn


def _html(output: Output) -> str:
    return joined(output.output["data"].get("text/html"))


def _newest(output: Output, places: Places) -> list[Row] | None:
    """Give the rows of the runs that an output shows; None unless all are known as well or better."""
    if len(output.records) != len(output.raw):
        return None
    rows: list[Row] = []
    for record in output.records:
        row, folder = places.row(record.run_id), places.folder(record)
        beside = places.sidecar(record.run_id, folder)
        told = beside.record if beside else None
        if folder and told and (row is None or row.revision < told.revision):
            row = row_of(told, folder)
        if row is None or row.revision < record.revision:
            return None
        rows.append(row)
    return rows


def _sheet(output: Output) -> Sheet | None:
    """Give the contact sheet that an output is; None where it is none."""
    shown = output.output["data"].get(MIME)
    # A record has a `sweep` of its own: the id of the one it belongs to.
    if not isinstance(shown, dict) or not isinstance(shown.get("sweep"), dict):
        return None
    return Sheet.from_json(shown["sweep"])


def _compares(output: Output) -> bool:
    """Tell whether an output is a comparison."""
    shown = output.output["data"].get(MIME)
    return isinstance(shown, dict) and shown.get("compare") is True


def draw(
    rows: Sequence[Row],
    places: Places,
    base: Path,
    *,
    embed: bool,
    sheet: Sheet | None = None,
    compare: bool = False,
) -> dict[str, Any]:
    """Give the bundle of an output that shows these runs, as they stand now.

    Parameters
    ----------
    rows, places
        The runs, and where things lie.
    base
        The folder that links are to be relative to.
    embed
        Put the clips into the output.
    sheet
        The contact sheet that the output is, if it is one.
    compare
        Whether the output is a comparison.

    Raises
    ------
    HailuoError, ValueError, LookupError
        If a record names what this version does not know.
    """
    views = []
    for row in rows:
        provider = catalogue.provider(row.provider, demo_dialect=row.record.dialect)
        options = row.record.request.options
        prior = provider.expected(options)
        seen = places.durations(provider.kind(options))
        views.append(
            view(
                row,
                provider,
                forecast(prior.median_s, prior.sigma, seen),
                now=time.time(),
                base=Path(os.path.normpath(base)),
                embed=embed,
                poster=_poster(row, small=sheet is not None),
            )
        )
    if sheet is not None:
        return sheets.bundle(sheet, {each.run_id: each for each in views})
    return comparison.bundle(views) if compare else bundle(views)


def _poster(row: Row, *, small: bool) -> bytes | None:
    if row.state is not State.COMPLETED or row.record.clip is None:
        return None
    try:
        path = row.folder / row.record.clip.path
        return posters.picture(path) if small else media.poster(path)
    except ClipError:
        return None
