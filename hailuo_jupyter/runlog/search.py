"""The runs that pass some filters, sorted, a page at a time. Every query walks an index.

One filter drives: it chooses the index, and the others are checked on what the index gives. A unary
plus in front of a column keeps SQLite from choosing another one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hailuo_jupyter.runlog import text
from hailuo_jupyter.runlog.schema import ROW_COLUMNS, Row, row
from hailuo_jupyter.states import State

#: Up to so many runs that hold a text, they are looked up one by one. A text that more of them hold
#: is met soon enough on a walk through all.
_FEW = 2000

#: A page tells how many runs there are up to this number, and beyond that there are more.
COUNTED = 1000

#: NULLS LAST is part of SQLite 3.30 and later.
_NULLS_LAST = sqlite3.sqlite_version_info >= (3, 30, 0)


class Sort(StrEnum):
    """What runs are sorted by; those for which it is not known come last."""

    TIME = "time"
    COST = "cost"
    DURATION = "duration"
    RATING = "rating"


_KEYS = {
    Sort.TIME: "runs.created",
    # As the index has it: the fact, else the upper end of the estimate; none where nothing was bought.
    Sort.COST: "CASE WHEN runs.cost_actual IS NULL AND runs.state IN ('rejected', 'failed') THEN NULL "
    "ELSE coalesce(runs.cost_actual, runs.cost_high, runs.cost_low) END",
    Sort.DURATION: "runs.took",
    Sort.RATING: "runs.rating",
}


@dataclass(frozen=True)
class Search:
    """Which runs, in which order. A filter that is None or empty lets every run pass.

    Parameters
    ----------
    notebook_id, provider, sweep
        Exactly this one.
    states
        One of these.
    tags
        All of these.
    text
        Held, in any case, by prompt, name, note or a tag.
    since
        Made at this moment or later, in seconds since 1970.
    rating
        Rated at least so, 1 to 5.
    sort, ascending
        The order; of equal ones the newest comes first, or last where it is ascending.
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
        What is sorted by; None where it is not known.
    created
        Seconds since 1970.
    run_id
        Which run.
    """

    value: float | None
    created: float
    run_id: str


@dataclass(frozen=True)
class Page:
    """A part of what was found.

    Parameters
    ----------
    keys
        The runs, in order.
    total
        How many there are in all; None if more than `COUNTED`.
    """

    keys: tuple[Key, ...]
    total: int | None


def page(
    connection: sqlite3.Connection, search: Search, *, offset: int, limit: int, indexed: bool
) -> Page:
    """Give some of the runs found, and how many there are.

    Parameters
    ----------
    offset, limit
        How many are left out at the beginning, and how many are given at most.
    indexed
        Whether the connection can use the text index.
    """
    plan = _plan(connection, search, indexed)
    found = _keys(connection, plan, search, offset, limit + 1)
    keys = tuple(found[:limit])
    if len(found) <= limit and (found or not offset):
        return Page(keys, offset + len(found))
    if plan.walks_text:
        return Page(keys, None)
    return Page(keys, None if (total := _count(connection, plan, COUNTED + 1)) > COUNTED else total)


def keys(
    connection: sqlite3.Connection,
    search: Search,
    *,
    offset: int = 0,
    limit: int | None = None,
    indexed: bool,
) -> list[Key]:
    """Give the places of the runs found; all if `limit` is None."""
    plan = _plan(connection, search, indexed)
    return _keys(connection, plan, search, offset, -1 if limit is None else limit)


def count(connection: sqlite3.Connection, search: Search, *, indexed: bool) -> int:
    """Count the runs found, however many there are."""
    return _count(connection, _plan(connection, search, indexed), -1)


def rows(connection: sqlite3.Connection, run_ids: Sequence[str]) -> list[Row]:
    """Give runs by their ids, in this order; those that are gone are left out."""
    found = connection.execute(
        f"SELECT {ROW_COLUMNS} FROM runs WHERE run_id IN (SELECT value FROM json_each(?))",  # noqa: S608
        (json.dumps(run_ids),),
    )
    known = {each.run_id: each for each in map(row, found)}
    return [known[run_id] for run_id in run_ids if run_id in known]


@dataclass(frozen=True)
class _Plan:
    """Tables and terms of a query, their values, and what stands for the time of a run."""

    source: str
    terms: tuple[str, ...]
    values: tuple[object, ...]
    created: str = "runs.created"
    walks_text: bool = False

    @property
    def body(self) -> str:
        return f"FROM {self.source}" + (f" WHERE {' AND '.join(self.terms)}" if self.terms else "")


def _plan(connection: sqlite3.Connection, search: Search, indexed: bool) -> _Plan:
    source, created, walks = "runs", "runs.created", False
    before: list[object] = []
    terms: list[str] = []
    values: list[object] = []
    tags = list(search.tags)
    free = "runs."  # of the first filter, which may choose the index
    if search.text:
        few = text.matching(connection, search.text, indexed=indexed, limit=_FEW + 1)
        if walks := len(few) > _FEW:
            holds, spellings = text.like(search.text)
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
    # The narrowest first. Without a notebook or sweep, another order than by time has its own index.
    by_time = search.sort is Sort.TIME
    for column, given, drives in (
        ("sweep", search.sweep, True),
        ("notebook_id", search.notebook_id, True),
        ("state", next(iter(search.states)) if one_state else None, by_time),
        ("provider", search.provider, by_time),
    ):
        if given is None:
            continue
        terms.append(f"{free if drives else '+runs.'}{column} = ?")
        values.append(State(given).value if column == "state" else given)
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
            order.insert(0, f"{key} DESC")  # NULL is the least of all
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
