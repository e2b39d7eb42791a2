"""Outputs that missed their last update, drawn again as the cell itself would have."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hailuo_jupyter import catalogue
from hailuo_jupyter.engine.clip_location import is_clip
from hailuo_jupyter.engine.eta import forecast
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.ipynb.document import joined, lines
from hailuo_jupyter.ipynb.locate import RunLocator, row_of
from hailuo_jupyter.ipynb.records import Output, kept_revisions, outputs
from hailuo_jupyter.kernel.display import poster as posters
from hailuo_jupyter.kernel.display import thumbnails
from hailuo_jupyter.kernel.display.bundle import MIME, bundle
from hailuo_jupyter.kernel.display.run_view import Inside, RunView
from hailuo_jupyter.kernel.runs import compare as comparison
from hailuo_jupyter.kernel.sweep import sheet as sheets
from hailuo_jupyter.kernel.sweep.sheet import Sheet
from hailuo_jupyter.record.reference import with_references
from hailuo_jupyter.runlog import Row

_WIDGET = "application/vnd.jupyter.widget-view+json"
_OURS = ("text/plain", "text/html", MIME, _WIDGET)

#: Why an output cannot be drawn: written by another version, for a provider or an option unknown here; or
#: by a stranger, about a clip that is 0 pixels high.
DRAWING_FAILS = (HailuoError, OSError, ValueError, LookupError, ArithmeticError)

#: Returns what an output is to hold of a run's clip.
Chosen = Callable[[Row], Inside]


def linked(_row: Row) -> Inside:
    """Return that an output holds nothing of a clip."""
    return Inside()


def embedded(_row: Row) -> Inside:
    """Return that an output holds the whole clip."""
    return Inside(whole=True)


def redraw(
    nb: dict[str, Any],
    places: RunLocator,
    base: Path,
    *,
    everything: bool = False,
    split: bool = False,
) -> int:
    """Draw outputs again whose runs have gone on since.

    Only an output that shows runs of ours is touched, and only where log or sidecar know every one
    of them at the same or a later revision. In place of records that the notebook's metadata has by
    then, what is drawn has references to them.

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
    drawn, kept = 0, kept_revisions(nb)
    for output in outputs(nb):
        rows = _newest(output, places)
        if rows is None:
            continue
        older = any(
            revision < row.revision for revision, row in zip(output.revisions, rows, strict=True)
        )
        if not older and not everything:
            continue
        inside = embedded if holds_clips(output) else linked
        try:
            draw_again(output, rows, places, base, inside=inside, split=split)
        except DRAWING_FAILS:
            continue
        data = output.output["data"]
        data[MIME] = with_references(data[MIME], kept)
        drawn += 1
    return drawn


def html_of(output: Output) -> str:
    """Return an output's HTML; empty where it has none."""
    return joined(output.output["data"].get("text/html"))


def holds_clips(output: Output) -> bool:
    """Return whether an output itself holds a video."""
    return 'src="data:video/' in html_of(output)


def _newest(output: Output, places: RunLocator) -> list[Row] | None:
    """Return the rows of the runs that an output shows; None unless all are known as well or better."""
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


def sheet_of(output: Output) -> Sheet | None:
    """Return the contact sheet that an output is; None where it is none."""
    shown = output.output["data"].get(MIME)
    # A record's own `sweep` is something else: the id of the one it belongs to.
    if not isinstance(shown, dict) or not isinstance(shown.get("sweep"), dict):
        return None
    return Sheet.from_json(shown["sweep"])


def _compares(output: Output) -> bool:
    """Return whether an output is a comparison."""
    shown = output.output["data"].get(MIME)
    return isinstance(shown, dict) and shown.get("compare") is True


def draw_again(
    output: Output,
    rows: Sequence[Row],
    places: RunLocator,
    base: Path | None,
    *,
    inside: Chosen,
    poster: Callable[[Row], bytes | None] | None = None,
    split: bool = False,
) -> None:
    """Replace what an output holds of ours, in the form it has: runs, a contact sheet or a comparison.

    Parameters
    ----------
    output
        The output; changed in place, and left as it is if it cannot be drawn.
    rows, places, base, inside, poster
        See `draw`.
    split
        Keep texts as lists of lines, as they stand in a file.

    Raises
    ------
    HailuoError, ValueError, LookupError, OSError
        As `draw`, and if it is a contact sheet that cannot be read.
    """
    data = draw(
        rows,
        places,
        base,
        inside=inside,
        poster=poster,
        sheet=sheet_of(output),
        compare=_compares(output),
    )
    if split:
        data |= {kind: lines(data[kind]) for kind in ("text/plain", "text/html")}
    foreign = {k: v for k, v in output.output["data"].items() if k not in _OURS}
    output.output["data"] = {**foreign, **data}


def draw(
    rows: Sequence[Row],
    places: RunLocator,
    base: Path | None,
    *,
    inside: Chosen = linked,
    poster: Callable[[Row], bytes | None] | None = None,
    sheet: Sheet | None = None,
    compare: bool = False,
) -> dict[str, Any]:
    """Return the bundle of an output that shows these runs, as they stand now.

    Parameters
    ----------
    rows, places, base, inside
        See `views`.
    poster
        Returns a small JPEG of a run's clip; None to make one of the clip, as large as the form wants it.
    sheet
        The contact sheet that the output is, if it is one.
    compare
        Whether the output is a comparison.

    Raises
    ------
    HailuoError, ValueError, LookupError
        If a record names what this version does not know.
    """
    usual = _thumbnail if sheet is not None else comparison.poster if compare else posters.poster
    shown = views(
        rows,
        places,
        base,
        inside=inside,
        poster=poster or (lambda row: usual(row) if is_its_clip(row) else None),
    )
    if sheet is not None:
        return sheets.bundle(sheet, {each.run_id: each for each in shown})
    return comparison.bundle(shown) if compare else bundle(shown)


def views(
    rows: Sequence[Row],
    places: RunLocator,
    base: Path | None,
    *,
    inside: Chosen,
    poster: Callable[[Row], bytes | None],
) -> list[RunView]:
    """Return runs as an output shows them.

    Parameters
    ----------
    rows, places
        The runs, and where things lie.
    base
        The folder that links are to be relative to; None where none resolves.
    inside
        Returns what the output is to hold of a run's clip. It is asked only about a file that is the
        very clip of its record.
    poster
        Returns a small JPEG of a run's clip.

    Raises
    ------
    HailuoError, ValueError, LookupError
        If a record names what this version does not know.
    """
    found = []
    for row in rows:
        provider = catalogue.recorded_provider(
            row.provider, row.record.model, demo_dialect=row.record.dialect
        )
        prior = provider.expected(row.record.request.options)
        seen = places.durations(provider.kind(row.record.request.options))
        found.append(
            RunView.from_facts(
                row,
                provider,
                forecast(prior.median_s, prior.sigma, seen),
                now=time.time(),
                base=None if base is None else Path(os.path.normpath(base)),
                inside=inside(row) if is_its_clip(row) else Inside(),
                poster=poster(row),
            )
        )
    return found


def is_its_clip(row: Row) -> bool:
    """Return whether the file in a clip's place is the very clip of the run's record.

    The record may be a stranger's, and what it names a link to any file of this disk. Blocks while it
    reads.
    """
    clip = row.record.clip
    return clip is not None and is_clip(row.folder / clip.path, clip)


def _thumbnail(row: Row) -> bytes | None:
    return posters.poster(row, side=thumbnails.WIDTH, max_bytes=thumbnails.MOST_BYTES)
