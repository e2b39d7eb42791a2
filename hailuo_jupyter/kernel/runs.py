"""`hailuo_jupyter.runs`: the runs of the run logs as a lazy sequence, which shows itself as a table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.kernel import filters, origin, posters, runs_export, runs_view
from hailuo_jupyter.kernel.origin import Audience
from hailuo_jupyter.kernel.runs_view import RunsView
from hailuo_jupyter.plain import harmless
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.runlog.search import COUNTED, Key, Search, Sort

PAGE_SIZES = (20, 50)

#: Seconds that a table waits for pictures of clips; without a person there is more time.
_PICTURES_S, _PICTURES_HEADLESS_S = 1.5, 15.0

#: Records read at once for an export.
_CHUNK = 500

_ORDERS = {
    Sort.TIME: ("newest first", "oldest first"),
    Sort.COST: ("dearest first", "cheapest first"),
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
    """Look for runs in the run log, the demo's among them.

    Parameters
    ----------
    notebook
        A notebook's path, or ``"all"``; None for this notebook, and for all in a script.
    provider
        ``"segmind"``, ``"aimlapi"`` or ``"demo"``.
    state
        One state or several, e.g. ``"completed"``.
    tag
        One tag, or several that a run has to have all.
    text
        Looked for in prompt, name, note and tags; taken literally, case does not matter.
    since
        An age (``"7d"``, ``"12h"``), a date (``"2026-11-20"``) or Python's date, datetime, timedelta.
    sweep
        Id of a sweep.
    rating
        The least rating, 0 to 5.
    sort
        ``"time"``, ``"cost"`` (actual where known, else the high end of the estimate),
        ``"duration"`` or ``"rating"``. Runs for which it is not known come last.
    ascending
        The oldest, cheapest, fastest or worst first.
    page_size
        Most runs that a table shows, 1 to 50.

    Returns
    -------
    Runs
        Asked anew of the log whenever it is used; a slice of it stays as it is.

    Raises
    ------
    OptionError, NotebookError
        If a filter is written wrong, or the notebook is not there.
    """
    if not 1 <= page_size <= max(PAGE_SIZES):
        raise OptionError(
            f"The page size is {page_size}, and has to be from 1 to {max(PAGE_SIZES)}.",
            money=NOTHING_SENT,
        )
    notebook_id, where = filters.notebook(notebook)
    engine = process.engine()
    wanted = filters.search(
        notebook_id=notebook_id,
        provider=provider,
        state=state,
        tag=tag,
        text=text,
        since=since,
        sweep=sweep,
        rating=rating,
        sort=sort,
        ascending=ascending,
        now=engine.now(),
    )
    return Runs(engine, wanted, where, page_size)


class Runs(Sequence[Run]):
    """Runs that a search has found: a lazy sequence of `Run`, which shows itself as a table.

    Parameters
    ----------
    engine
        The engine that knows them.
    search
        What is looked for.
    where
        Names the notebook, in words.
    page_size
        Most runs that a table shows.
    ids
        The runs, where they are chosen already.
    place, total
        The first one's place among all that were found, from 0, and how many those are; None if
        that is not known.
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
            raise IndexError(f"there is no run {index}")
        return Run(ids[0], self._engine)

    def __iter__(self) -> Iterator[Run]:
        return (Run(run_id, self._engine) for run_id in self._all_ids())

    def __contains__(self, value: object) -> bool:
        return isinstance(value, Run) and value.run_id in self._all_ids()

    def page(self, number: int) -> Runs:
        """Give a page of the table, from 1."""
        if number < 1:
            raise OptionError(f"The page is {number}, and has to be 1 or more.", money=NOTHING_SENT)
        place = (number - 1) * self._size
        if self._ids is not None:
            return self._fixed(self._ids[place : place + self._size], place, len(self._ids))
        ids, total = self._found(place, self._size)
        return self._fixed(ids, place, total)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Give a dictionary for each run, with the keys of `runs_export.COLUMNS` in their order."""
        return [each for rows in self._chunks() for each in runs_export.dicts(rows)]

    def to_csv(self, path: str | Path) -> None:
        """Write all of them as CSV: UTF-8, with a head line, and without formulas.

        The columns are those of `to_dicts`, with a column ``option_…`` for each option in place of
        ``options``. A text that a spreadsheet would take for a formula gets an apostrophe in front.

        Raises
        ------
        DiskFull, FolderNotWritable
            If it cannot be written.
        """
        runs_export.write(path, runs_export.csv_text(self.to_dicts()))

    def to_json(self, path: str | Path) -> None:
        """Write all of them as a JSON list of objects, with the keys of `to_dicts`.

        Raises
        ------
        DiskFull, FolderNotWritable
            If it cannot be written.
        """
        runs_export.write(path, runs_export.json_text(self.to_dicts()))

    def to_pandas(self) -> Any:
        """Give a pandas DataFrame with the columns of `to_csv`.

        Raises
        ------
        HailuoError
            If pandas is not installed.
        """
        return runs_export.frame(self.to_dicts())

    def __repr__(self) -> str:
        return runs_view.text(self.view(0.0))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Give the table to IPython, which calls this for a cell's last expression."""
        audience = origin.audience(origin.shell())
        if audience in {Audience.SCRIPT, Audience.TERMINAL}:
            return {"text/plain": repr(self)}
        from hailuo_jupyter.kernel.bundle import templates

        someone = audience is Audience.FRONT_END
        view = self.view(_PICTURES_S if someone else _PICTURES_HEADLESS_S)
        template = templates().get_template("runs.html.j2")
        html = template.render(table=view, marks=runs_view.MARKS)
        return {"text/plain": runs_view.text(view), "text/html": html}

    # ── asking the logs ────────────────────────────────────────────────────────────────────────

    def _found(self, offset: int, limit: int) -> tuple[tuple[str, ...], int | None]:
        """Give ids of a part, and how many there are in all; None if more than are counted."""
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
        # Those for which it is not known come last, whichever way.
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
        known = {row.run_id: row for log in self._engine.logs() for row in log.rows(ids)}
        return [known[run_id] for run_id in ids if run_id in known]

    def _chunks(self) -> Iterator[list[Row]]:
        ids = self._all_ids()
        return (self._rows(ids[at : at + _CHUNK]) for at in range(0, len(ids), _CHUNK))

    # ── showing them ───────────────────────────────────────────────────────────────────────────

    def view(self, seconds: float = 0.0) -> RunsView:
        """Put the first page into words; `seconds` is the time for pictures, 0 for none."""
        shown = self if self._ids is not None and len(self._ids) <= self._size else self.page(1)
        ids, total, place = shown._ids or (), shown._total, shown._place  # noqa: SLF001 -- its own class
        rows = self._rows(ids)
        shell = origin.shell()
        base = None if shell is None else origin.notebook().folder
        pictures: dict[str, bytes] = {}
        remark = ""
        if seconds > 0:
            folder = posters.folder_of(self._engine.logs()[0].path)
            pictures = posters.posters(rows, folder, seconds=seconds)
            missing = posters.waiting(rows, pictures)
            remark = (
                f"{missing} picture(s) are not made yet; show the table again." if missing else ""
            )
        lines, common = runs_view.lines_of(rows, base=base, now=time.time(), posters=pictures)
        return RunsView(
            harmless(self._caption(place, len(ids), total)), lines, common,
            self._next(place, len(ids), total),
            remark,
        )  # fmt: skip

    def _caption(self, place: int, shown: int, total: int | None) -> str:
        order = _ORDERS[self._search.sort][self._search.ascending]
        if not shown:
            if place and total:
                return f"There is no such page; {total:,} run(s) were found ({self._where})."
            return f"No runs ({self._where})."
        found = f"more than {COUNTED:,}" if total is None else f"{total:,}"
        if place == 0 and shown == total:
            return f"{found} run{'s' if total != 1 else ''} ({self._where}, {order})"
        return f"Runs {place + 1:,} to {place + shown:,} of {found} ({self._where}, {order})"

    def _next(self, place: int, shown: int, total: int | None) -> str:
        if not shown or place % self._size or (total is not None and place + shown >= total):
            return ""
        page = place // self._size + 2
        return f"Next: page {page} (--page {page}, or .page({page}))."
