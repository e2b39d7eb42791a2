"""Search runs by filters, sorted, a page at a time. Every query walks an index.

One filter drives: it chooses the index, and the others are checked on the index's rows. A unary
plus in front of a column prevents SQLite from choosing another one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from hailuo_jupyter.runlog import notebooks
from hailuo_jupyter.runlog.connection import LogReader
from hailuo_jupyter.states import State

#: Up to this many matches of a text, the runs are looked up one by one. A text with more matches
#: is found soon enough on a walk through all runs.
_FEW = 2000

#: A page shows the number of runs up to this one, and above it that there are more.
COUNTED = 1000

#: NULLS LAST is part of SQLite 3.30 and later.
_NULLS_LAST = sqlite3.sqlite_version_info >= (3, 30, 0)


class Sort(StrEnum):
    """The sort keys of runs; runs with an unknown value come last."""

    TIME = "time"
    COST = "cost"
    DURATION = "duration"
    RATING = "rating"


_KEYS = {
    Sort.TIME: "runs.created",
    # As in the index: the charge, else the upper bound of the estimate; none if nothing was bought.
    Sort.COST: "CASE WHEN runs.cost_actual IS NULL AND runs.state IN ('rejected', 'failed') THEN NULL "
    "ELSE coalesce(runs.cost_actual, runs.cost_high, runs.cost_low) END",
    Sort.DURATION: "runs.took",
    Sort.RATING: "runs.rating",
}


@dataclass(frozen=True)
class Search:
    """Which runs, in which order. A filter that is None or empty matches every run.

    Parameters
    ----------
    notebook_id, provider, sweep
        Exactly this one.
    states
        One of these.
    tags
        All of these.
    text
        Contained in prompt, name, note or a tag, ignoring case.
    since
        Created at this time or later, in seconds since 1970.
    rating
        The minimum rating, 1 to 5.
    sort, ascending
        The order; for equal values the newest comes first, or last if ascending.
    """

    notebook_id: str | None = None
    provider: str | None = None
    states: Collection[State] = ()
    tags: tuple[str, ...] = ()
    text: str = ""
    since: float | None = None
    sweep: str | None = None
    rating: int | None = None
    sort: Sort = Sort.TIME
    ascending: bool = False


@dataclass(frozen=True)
class Key:
    """A run's place in the order.

    Parameters
    ----------
    value
        The value of the sort key; None if unknown.
    created
        Seconds since 1970.
    run_id
        The run's id.
    """

    value: float | None
    created: float
    run_id: str


@dataclass(frozen=True)
class Page:
    """A part of the runs found.

    Parameters
    ----------
    keys
        The runs, in order.
    total
        The total number; None if more than `COUNTED`.
    """

    keys: tuple[Key, ...]
    total: int | None


class SearchQueries(LogReader):
    """Searches of runs."""

    def page(self, wanted: Search, *, offset: int = 0, limit: int = 20) -> Page:
        """Return a part of the runs that a search finds, and the total number.

        Parameters
        ----------
        wanted
            The search.
        offset, limit
            How many are skipped, and the maximum number returned.
        """
        with self._reading() as connection:
            plan = _plan(connection, wanted)
            found = _keys(connection, plan, wanted, offset, limit + 1)
            keys = tuple(found[:limit])
            if len(found) <= limit and (found or not offset):
                return Page(keys, offset + len(found))
            if plan.walks_text:
                return Page(keys, None)
            total = _count(connection, plan, COUNTED + 1)
            return Page(keys, None if total > COUNTED else total)

    def keys(self, wanted: Search, *, limit: int | None = None) -> list[Key]:
        """Return the places of the runs that a search finds, the first `limit` or all."""
        with self._reading() as connection:
            plan = _plan(connection, wanted)
            return _keys(connection, plan, wanted, 0, -1 if limit is None else limit)

    def found(self, wanted: Search) -> int:
        """Count the runs that a search finds, however many there are."""
        with self._reading() as connection:
            return _count(connection, _plan(connection, wanted), -1)


@dataclass(frozen=True)
class _Plan:
    """Tables and terms of a query, their values, and the column for the time of a run."""

    source: str
    terms: tuple[str, ...]
    values: tuple[object, ...]
    created: str = "runs.created"
    walks_text: bool = False

    @property
    def body(self) -> str:
        return f"FROM {self.source}" + (f" WHERE {' AND '.join(self.terms)}" if self.terms else "")


def _plan(connection: sqlite3.Connection, search: Search) -> _Plan:
    source, created, walks = "runs", "runs.created", False
    before: list[object] = []
    terms: list[str] = []
    values: list[object] = []
    tags = list(search.tags)
    free = "runs."  # for the first filter, which may choose the index
    if search.text:
        few = _matching(connection, search.text, _FEW + 1)
        if walks := len(few) > _FEW:
            holds, spellings = _like(search.text)
            ours = "SELECT 1 FROM texts WHERE texts.run_id = runs.run_id"
            terms.append(f"EXISTS ({ours} AND {holds})")
            values += spellings
        else:
            source = "json_each(?) AS found CROSS JOIN runs ON runs.run_id = found.value"
            before, free = [json.dumps(few)], "+runs."
    if tags and free == "runs.":
        source = "tags CROSS JOIN runs ON runs.run_id = tags.run_id"
        terms.append("tags.tag = ?")
        values.append(tags.pop(0))
        created, free = "tags.created", "+runs."
    for tag in tags:
        terms.append(
            "EXISTS (SELECT 1 FROM tags WHERE tags.tag = ? AND tags.created = runs.created "
            "AND tags.run_id = runs.run_id)"
        )
        values.append(tag)
    one_state = len(search.states) == 1
    # The most selective first. Without a notebook or sweep, another order than by time has its own index.
    by_time = search.sort is Sort.TIME
    for column, value, drives in (
        ("sweep", search.sweep, True),
        ("notebook_id", search.notebook_id, True),
        ("state", next(iter(search.states)) if one_state else None, by_time),
        ("provider", search.provider, by_time),
    ):
        if value is None:
            continue
        name = f"{free if drives else '+runs.'}{column}"
        if column == "notebook_id":
            ours, ids = notebooks.same(connection, name, search.notebook_id)
            terms.append(ours)
            values += ids
        else:
            terms.append(f"{name} = ?")
            values.append(State(value).value if column == "state" else value)
        free = "+runs." if drives else free
    if len(search.states) > 1:
        terms.append(f"+runs.state IN ({', '.join('?' * len(search.states))})")
        values += [State(state).value for state in search.states]
    if search.since is not None:
        terms.append(f"{created if by_time else '+' + created} >= ?")
        values.append(search.since)
    if search.rating is not None:
        terms.append(f"{free if search.sort is Sort.RATING else '+runs.'}rating >= ?")
        values.append(search.rating)
    return _Plan(source, tuple(terms), (*before, *values), created, walks)


def _keys(
    connection: sqlite3.Connection, plan: _Plan, search: Search, offset: int, limit: int
) -> list[Key]:
    key = plan.created if search.sort is Sort.TIME else _KEYS[search.sort]
    way = "ASC" if search.ascending else "DESC"
    order = [f"{plan.created} {way}", f"runs.rowid {way}"]
    if search.sort is not Sort.TIME:
        if not search.ascending:
            order.insert(0, f"{key} DESC")  # NULL sorts below all values
        elif _NULLS_LAST:
            order.insert(0, f"{key} ASC NULLS LAST")
        else:
            order[:0] = [f"({key}) IS NULL", f"{key} ASC"]
    sql = (
        f"SELECT {key}, {plan.created}, runs.run_id {plan.body} "
        f"ORDER BY {', '.join(order)} LIMIT ? OFFSET ?"
    )
    return [Key(*each) for each in connection.execute(sql, (*plan.values, limit, offset))]


def _count(connection: sqlite3.Connection, plan: _Plan, at_most: int) -> int:
    sql = f"SELECT count(*) FROM (SELECT 1 {plan.body} LIMIT ?)"  # noqa: S608 -- constants
    return int(connection.execute(sql, (*plan.values, at_most)).fetchone()[0])


def _matching(connection: sqlite3.Connection, text: str, limit: int) -> list[str]:
    """Return the ids of runs that contain a text, in no order.

    A scan of the table ``texts`` by LIKE, about 10 ms for 20,000 runs (`tests/benchmarks/runlog.py`).
    """
    terms, values = _like(text)
    sql = f"SELECT run_id FROM texts WHERE {terms} LIMIT ?"  # noqa: S608 -- constants
    return [run_id for (run_id,) in connection.execute(sql, (*values, limit))]


def _like(text: str) -> tuple[str, list[str]]:
    """Return a term over ``texts`` that is true if it contains a text, and the term's values.

    SQLite's LIKE folds the case of ASCII letters alone. Other letters are searched as typed, in
    lower and in upper case, and with a capital first letter.
    """
    spellings = [text]
    if not text.isascii():
        spellings = [*dict.fromkeys((text, text.lower(), text.upper(), text.capitalize()))]
    term = " OR ".join("texts.body LIKE ? ESCAPE '\\'" for _ in spellings)
    values = [f"%{_escaped(each)}%" for each in spellings]
    if len(spellings) > 1 and len({len(each) for each in spellings}) == 1:
        # `_` is any one character, so that most texts are compared once, not four times.
        any_case = "".join(each if each.isascii() else "_" for each in _escaped(text))
        term = f"texts.body LIKE ? ESCAPE '\\' AND ({term})"
        values.insert(0, f"%{any_case}%")
    # The plus prevents SQLite from walking all runs by the index of their ids.
    return f"(+texts.run_id IS NOT NULL AND ({term}))", values


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
