"""`hailuo_jupyter.runs`: the runs of the run logs as a lazy sequence, displayed as a table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.formatting import count, escape_control
from hailuo_jupyter.kernel import context
from hailuo_jupyter.kernel.context import Frontend
from hailuo_jupyter.kernel.display import thumbnails
from hailuo_jupyter.kernel.display.clip_delivery import OutputPlace
from hailuo_jupyter.kernel.runs import export, filters, table_view
from hailuo_jupyter.kernel.runs.table_view import RunsView
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.runlog.search import COUNTED, Key, Search, Sort

PAGE_SIZES = (20, 50)

#: Type of the table's JSON. It is not the type of records: a table neither brings runs into a notebook nor is
#: their output.
TABLE_MIME = "application/vnd.hailuo.runs+json"

#: Seconds that a table waits for posters of clips; longer if no person is waiting.
_PICTURES_S, _PICTURES_HEADLESS_S = 1.5, 15.0

#: Records read at a time for an export.
_CHUNK = 500

_ORDERS = {
    Sort.TIME: ("newest first", "oldest first"),
    Sort.COST: ("most expensive first", "cheapest first"),
    Sort.DURATION: ("slowest first", "fastest first"),
    Sort.RATING: ("best first", "worst first"),
}


def runs(
    notebook: str | Path | None = None,
    *,
    provider: str | None = None,
    state: str | Sequence[str] | None = None,
    tag: str | Sequence[str] | None = None,
    text: str | None = None,
    since: filters.Since | None = None,
    sweep: str | None = None,
    rating: int | None = None,
    sort: str = "time",
    ascending: bool = False,
    page_size: int = 20,
) -> Runs:
    """Search the run log, including the runs of ``--provider demo``.

    Parameters
    ----------
    notebook
        A notebook's path, or ``"all"``; None for this notebook, and for all in a script.
    provider
        A provider's name, e.g. ``"segmind"`` or ``"demo"``.
    state
        One state or several, e.g. ``"completed"``.
    tag
        One tag, or several that a run must all have.
    text
        Searched in prompt, name, note and tags; taken literally, ignoring case.
    since
        An age (``"7d"``, ``"12h"``), a date (``"2026-11-20"``) or Python's date, datetime, timedelta.
    sweep
        A sweep's id, an unambiguous part of it, or its name.
    rating
        The lowest rating, 0 to 5.
    sort
        ``"time"``, ``"cost"`` (actual if known, else the upper bound of the estimate),
        ``"duration"`` or ``"rating"``. Runs for which it is unknown come last.
    ascending
        The oldest, cheapest, fastest or worst first.
    page_size
        Maximum runs in a table, 1 to 50.

    Returns
    -------
    Runs
        Queries the log whenever it is used; a slice of it is fixed.

    Raises
    ------
    OptionError, NotebookError, RunNotFound
        If a filter is invalid, or the notebook or sweep does not exist.

    Examples
    --------
    >>> from hailuo_jupyter import generate, runs
    >>> run = generate("A heron lifts off a lake.", "demo").wait()
    >>> run in list(runs(text="heron", state="completed"))
    True
    """
    if not 1 <= page_size <= max(PAGE_SIZES):
        raise OptionError(
            f"The page size must be from 1 to {max(PAGE_SIZES)} (got {page_size}).",
            money=NOTHING_SENT,
        )
    notebook_id, where = filters.notebook_filter(notebook)
    engine = process.get_engine()
    wanted = filters.build_search(
        notebook_id=notebook_id,
        provider=provider,
        state=state,
        tag=tag,
        text=text,
        since=since,
        sweep=None if sweep is None else filters.sweep_id(sweep, engine.logs()),
        rating=rating,
        sort=sort,
        ascending=ascending,
        now=engine.now(),
    )
    return Runs(engine, wanted, where, page_size)


class Runs(Sequence[Run]):
    """Runs found by a search: a lazy sequence of `Run`, displayed as a table.

    Parameters
    ----------
    engine
        Their engine.
    search
        The search.
    where
        The notebook, in words.
    page_size
        Maximum runs in a table.
    ids
        The runs, if already selected.
    place, total
        The position of the first one among all runs found, from 0, and their number; None if
        unknown.
    """

    def __init__(
        self,
        engine: Engine,
        search: Search,
        where: str,
        page_size: int,
        *,
        ids: tuple[str, ...] | None = None,
        place: int = 0,
        total: int | None = None,
    ) -> None:
        self._engine, self._search, self._where = engine, search, where
        self._size, self._ids, self._place, self._total = page_size, ids, place, total

    def __len__(self) -> int:
        if self._ids is not None:
            return len(self._ids)
        return sum(log.found(self._search) for log in self._engine.logs())

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> Run | Runs:
        if isinstance(index, slice):
            return self._sliced(index)
        place = index if index >= 0 else len(self) + index
        if self._ids is not None:
            ids: tuple[str, ...] = self._ids[place : place + 1] if place >= 0 else ()
        else:
            ids = self._found(place, 1)[0] if place >= 0 else ()
        if not ids:
            raise IndexError(f"no run at index {index}")
        return Run.of(ids[0], self._engine)

    def __iter__(self) -> Iterator[Run]:
        return (Run.of(run_id, self._engine) for run_id in self._all_ids())

    def __contains__(self, value: object) -> bool:
        return isinstance(value, Run) and value.run_id in self._all_ids()

    def page(self, number: int) -> Runs:
        """Return a page of the table, from 1."""
        if number < 1:
            raise OptionError(f"The page must be 1 or greater (got {number}).", money=NOTHING_SENT)
        place = (number - 1) * self._size
        if self._ids is not None:
            return self._fixed(self._ids[place : place + self._size], place, len(self._ids))
        ids, total = self._found(place, self._size)
        return self._fixed(ids, place, total)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return a dictionary for each run, with the keys of `runs_export.COLUMNS` in their order."""
        return [each for rows in self._chunks() for each in export.dicts(rows)]

    def to_csv(self, path: str | Path) -> None:
        """Write all of them as CSV: UTF-8, with a head line, and without formulas.

        The columns are those of `to_dicts`, with a column ``option_…`` for each option in place of
        ``options``. A text that a spreadsheet would read as a formula gets an apostrophe in front.

        Raises
        ------
        DiskFull, FolderNotWritable
            If it cannot be written.
        """
        export.write_file(path, export.csv_text(self.to_dicts()))

    def to_json(self, path: str | Path) -> None:
        """Write all of them as a JSON list of objects, with the keys of `to_dicts`.

        Raises
        ------
        DiskFull, FolderNotWritable
            If it cannot be written.
        """
        export.write_file(path, export.json_text(self.to_dicts()))

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame with the columns of `to_csv`.

        Raises
        ------
        HailuoError
            If pandas is not installed.
        """
        return export.to_dataframe(self.to_dicts())

    def __repr__(self) -> str:
        return table_view.render_text(self.view(0.0))

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Return the table to IPython, which calls this for a cell's last expression."""
        audience = context.frontend(context.shell())
        if audience in {Frontend.SCRIPT, Frontend.TERMINAL}:
            return {"text/plain": repr(self)}
        from hailuo_jupyter.kernel.display.bundle import templates
        from hailuo_jupyter.kernel.display.run_status import MARKS

        someone = audience is Frontend.INTERACTIVE
        view = self.view(_PICTURES_S if someone else _PICTURES_HEADLESS_S)
        template = templates().get_template("runs.html.j2")
        html = template.render(table=view, marks=MARKS)
        data: dict[str, Any] = {"text/plain": table_view.render_text(view), "text/html": html}
        if view.lines:
            data[TABLE_MIME] = table_view.table_json(view)
        return data

    # ── queries ────────────────────────────────────────────────────────────────────────

    def _found(self, offset: int, limit: int) -> tuple[tuple[str, ...], int | None]:
        """Return the ids of a part, and the total number; None if there are more than are counted."""
        logs = self._engine.logs()
        if len(logs) == 1:
            page = logs[0].page(self._search, offset=offset, limit=limit)
            return tuple(key.run_id for key in page.keys), page.total
        pages = [log.page(self._search, limit=offset + limit) for log in logs]
        keys = self._merged([key for page in pages for key in page.keys])
        totals = [page.total for page in pages]
        total = None if None in totals else sum(filter(None, totals))
        return tuple(key.run_id for key in keys[offset : offset + limit]), total

    def _merged(self, keys: list[Key]) -> list[Key]:
        sign = 1 if self._search.ascending else -1
        # Those for which it is unknown come last in either order.
        return sorted(
            keys, key=lambda key: (key.value is None, sign * (key.value or 0.0), sign * key.created)
        )

    def _all_ids(self) -> tuple[str, ...]:
        if self._ids is not None:
            return self._ids
        keys = [key for log in self._engine.logs() for key in log.keys(self._search)]
        return tuple(key.run_id for key in self._merged(keys))

    def _sliced(self, part: slice) -> Runs:
        start, stop, step = part.start or 0, part.stop, part.step or 1
        if self._ids is None and step == 1 and start >= 0 and stop is not None and stop >= 0:
            ids, total = self._found(start, max(0, stop - start))
            return self._fixed(ids, start, total)
        ids = self._all_ids()
        first = part.indices(len(ids))[0]
        return self._fixed(ids[part], first if step == 1 else 0, len(ids) if step == 1 else None)

    def _fixed(self, ids: tuple[str, ...], place: int, total: int | None) -> Runs:
        return Runs(
            self._engine, self._search, self._where, self._size, ids=ids, place=place, total=total
        )

    def _rows(self, ids: Sequence[str]) -> list[Row]:
        by_id = {row.run_id: row for log in self._engine.logs() for row in log.rows(ids)}
        return [by_id[run_id] for run_id in ids if run_id in by_id]

    def _chunks(self) -> Iterator[list[Row]]:
        ids = self._all_ids()
        return (self._rows(ids[start : start + _CHUNK]) for start in range(0, len(ids), _CHUNK))

    # ── display ───────────────────────────────────────────────────────────────────────────

    def view(self, seconds: float = 0.0) -> RunsView:
        """Return the first page; `seconds` is the time for posters, 0 for none."""
        shown = self if self._ids is not None and len(self._ids) <= self._size else self.page(1)
        ids, total, place = shown._ids or (), shown._total, shown._place  # noqa: SLF001 -- same class
        rows = self._rows(ids)
        shell = context.shell()
        base = None if shell is None else OutputPlace.here().base
        pictures: dict[str, bytes] = {}
        remark = ""
        if seconds > 0:
            folder = thumbnails.cache_folder(self._engine.logs()[0].path)
            readable = [row for row in rows if row.is_readable]
            pictures = thumbnails.thumbnails(readable, folder, seconds=seconds)
            missing = thumbnails.missing_count(readable, pictures)
            remark = (
                f"{count(missing, 'thumbnail')} not ready yet; show the table again."
                if missing
                else ""
            )
        lines, common = table_view.build_lines(rows, base=base, now=time.time(), posters=pictures)
        return RunsView(
            escape_control(self._caption(place, len(ids), total)), lines, common,
            self._next(place, len(ids), total),
            remark,
            self._order,
        )  # fmt: skip

    @property
    def _order(self) -> str:
        return _ORDERS[self._search.sort][self._search.ascending]

    def _caption(self, place: int, shown: int, total: int | None) -> str:
        order = self._order
        if not shown:
            if place and total:
                return f"No such page; {count(total, 'run')} found ({self._where})."
            return f"No runs ({self._where})."
        found = f"more than {COUNTED:,}" if total is None else f"{total:,}"
        if place == 0 and shown == total:
            return f"{found} {'run' if total == 1 else 'runs'} ({self._where}, {order})"
        return f"Runs {place + 1:,} to {place + shown:,} of {found} ({self._where}, {order})"

    def _next(self, place: int, shown: int, total: int | None) -> str:
        if not shown or place % self._size or (total is not None and place + shown >= total):
            return ""
        page = place // self._size + 2
        return f"Next: page {page} (--page {page}; in Python: .page({page}))."
