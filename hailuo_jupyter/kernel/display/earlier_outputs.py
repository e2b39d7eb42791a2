"""Outputs of the kernel before this one, where nothing in the front end repairs them.

After a restart VS Code still shows what the last kernel sent, and a card whose kernel is gone stands still
for ever. An update by the display's id reaches it. The id follows from what the display shows; what there
may be to update is known from the log, and from the notebook's file as it was last saved.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.ids import Notebook
from hailuo_jupyter.kernel.display.bundle import MIME
from hailuo_jupyter.kernel.display.clip_delivery import OutputPlace
from hailuo_jupyter.kernel.display.live_output import Content, EarlierDisplays, LiveOutput
from hailuo_jupyter.kernel.display.run_output import RunContent
from hailuo_jupyter.kernel.frontends import Host
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import SETTLED

logger = logging.getLogger(__name__)

#: The newest runs of a notebook whose outputs may be behind though they have ended.
_LATEST = 20


@dataclass(frozen=True)
class _Shown:
    """An output that there may be on the page: its kind, and its runs, or its sweep's id."""

    kind: str
    ids: tuple[str, ...]


def refresh_earlier(
    engine: Engine,
    runs: Sequence[Run],
    request: Mapping[str, Any],
    host: Host,
    notebook: Notebook,
    *,
    loaded: float,
) -> None:
    """Update outputs of an earlier kernel, and keep them current.

    Parameters
    ----------
    engine
        Knows the runs.
    runs
        Those that it goes on with.
    request
        The request in whose name updates are sent: the cell that loads the extension.
    host, notebook
        Where the cell is. Runs of other notebooks have no output in it.
    loaded
        When the cell ran, in seconds since 1970. Later runs are this kernel's, whose cells show them.
    """
    place, saved = OutputPlace(host, notebook), tuple(_saved(notebook))
    rows = _rows(engine, notebook, [run_id for _, shown in saved for run_id in shown], loaded)
    active = {row.run_id for row in rows.values() if _is_active(row)} | {r.run_id for r in runs}
    for run_id in active & rows.keys():
        engine.events.publish(rows[run_id])  # from now on another process's run is watched

    behind: list[_Shown] = []
    shown_as_they_are: set[str] = set()
    for output, revisions in saved:
        if not revisions.keys() <= rows.keys():
            continue
        if any(revisions[each] < rows[each].revision or each in active for each in revisions):
            behind.append(output)
        elif output.kind != "comparison":
            shown_as_they_are |= revisions.keys()
    # What is not in the file may be on the page all the same. An update that holds no clip is small; where
    # outputs hold their clips, only runs that go on are shown again.
    if place.base is None:
        shown_as_they_are |= rows.keys() - active
    behind += _may_show([row for row in rows.values() if row.run_id not in shown_as_they_are])

    for output in dict.fromkeys(behind):
        try:
            content = _content(output, engine, place)
        except (HailuoError, LookupError, ValueError) as error:
            logger.debug("%s was not drawn: %s", output, error)
            continue
        displays = EarlierDisplays(output.kind, output.ids, request)
        LiveOutput(engine, content, displays).open(keep_current=True)


def _rows(
    engine: Engine, notebook: Notebook, saved: Sequence[str], loaded: float
) -> dict[str, Row]:
    """Return the notebook's runs that outputs may show: those of the file, active ones, the latest."""
    ids, found = {notebook.id, *notebook.aliases}, list[Row]()
    for log in engine.logs():
        found += (*log.rows(saved), *log.unfinished())
        for each in ids:
            found += log.recent(_LATEST, notebook_id=each)
    ours = {
        row.run_id: row
        for row in found
        if row.notebook_id in ids and row.is_readable and row.created < loaded
    }
    return {run_id: ours[run_id] for run_id in sorted(ours)}


def _is_active(row: Row) -> bool:
    return row.state not in SETTLED and row.owner is not None


def _may_show(rows: Iterable[Row]) -> Iterator[_Shown]:
    """Yield the outputs that runs usually have: each alone, takes of a request together, sheets."""
    takes: dict[str, list[str]] = {}
    for row in rows:
        takes.setdefault(row.fingerprint, []).append(row.run_id)
        yield _Shown("card", (row.run_id,))
        if row.record.sweep:
            yield _Shown("sheet", (row.record.sweep,))
    yield from (_Shown("card", tuple(each)) for each in takes.values() if len(each) > 1)


def _saved(notebook: Notebook) -> Iterator[tuple[_Shown, dict[str, int]]]:
    """Yield the outputs in the notebook's file, each with the revisions of the runs that it shows."""
    from hailuo_jupyter.ipynb import document, records

    if notebook.path is None:
        return
    try:
        nb = document.read(notebook.path).nb
    except HailuoError as error:
        logger.debug("the outputs of the file are not known: %s", error)
        return
    for output in records.outputs(nb):
        revisions = {str(raw.get("run_id")): records.revision(raw) for raw in output.raw}
        whole = output.output["data"][MIME]
        sheet = whole.get("sweep")
        if isinstance(sheet, dict):
            yield _Shown("sheet", (str(sheet.get("id")),)), revisions
        else:
            kind = "comparison" if whole.get("compare") is True else "card"
            yield _Shown(kind, tuple(revisions)), revisions


def _content(output: _Shown, engine: Engine, place: OutputPlace) -> Content:
    """Return what an output is to hold.

    Raises
    ------
    HailuoError, LookupError, ValueError
        If that cannot be drawn.
    """
    if output.kind == "sheet":
        from hailuo_jupyter.kernel import sweep
        from hailuo_jupyter.kernel.sweep.live_sheet import SheetContent

        (sweep_id,) = output.ids
        rows = (log.find_sweep(sweep_id) for log in engine.logs())
        row = next((each for each in rows if each is not None), None)
        if row is None:
            raise LookupError(sweep_id)
        return SheetContent(sweep.of_row(row), place.base)
    if output.kind == "comparison":
        from hailuo_jupyter.kernel.runs.compare import ComparisonContent

        return ComparisonContent(engine, output.ids, place)
    return RunContent(engine, [Run.of(run_id, engine) for run_id in output.ids], place)
