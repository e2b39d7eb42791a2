"""The plans of sweeps: what each is to buy in all, and whether the person has stopped it.

A run that waits for its turn is no row among the runs, where it would look bought and count against
budgets; it stands here, in its sweep's plan.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from hailuo_jupyter.errors import RunNotFound

_SELECT = "SELECT sweep, notebook_id, digest, created, stopped, plan_json FROM sweeps "
_SHORTEST = 4


@dataclass(frozen=True)
class SweepRow:
    """One sweep as the log holds it.

    Parameters
    ----------
    sweep
        Its id.
    notebook_id
        The notebook that it belongs to, if any.
    digest
        Equal for equal plans.
    created
        Seconds since 1970.
    stopped
        Whether nothing more is to be sent.
    plan_json
        The plan, as text.
    """

    sweep: str
    notebook_id: str | None
    digest: str
    created: float
    stopped: bool
    plan_json: str


def keep(connection: sqlite3.Connection, row: SweepRow) -> None:
    """Write a sweep down; one of the same id is replaced."""
    connection.execute(
        "INSERT OR REPLACE INTO sweeps (sweep, notebook_id, digest, created, stopped, plan_json) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (row.sweep, row.notebook_id, row.digest, row.created, int(row.stopped), row.plan_json),
    )


def stop(connection: sqlite3.Connection, sweep: str, *, stopped: bool) -> None:
    """Note whether anything more of a sweep is to be sent."""
    connection.execute("UPDATE sweeps SET stopped = ? WHERE sweep = ?", (int(stopped), sweep))


def find(connection: sqlite3.Connection, sweep: str) -> SweepRow | None:
    """Give the sweep of exactly this id, or None."""
    found = _rows(connection, "WHERE sweep = ?", sweep)
    return found[0] if found else None


def is_stopped(connection: sqlite3.Connection, sweep: str) -> bool:
    """Tell whether nothing more of a sweep is to be sent; also where the log does not know it."""
    found = connection.execute("SELECT stopped FROM sweeps WHERE sweep = ?", (sweep,)).fetchone()
    return found is None or bool(found[0])


def fitting(connection: sqlite3.Connection, given: str) -> list[SweepRow]:
    """Give the sweep of this id, or those whose id begins or ends so; six at most."""
    text = given.strip().lower()
    if exact := find(connection, text):
        return [exact]
    if len(text.removeprefix("sweep-")) < _SHORTEST:
        return []
    fits = "WHERE substr(sweep, 1, ?) = ? OR substr(sweep, -?) = ? ORDER BY created DESC LIMIT 6"
    return _rows(connection, fits, len(text), text, len(text), text)


def latest(connection: sqlite3.Connection, notebook_id: str | None, digest: str) -> SweepRow | None:
    """Give the newest sweep of a notebook (None: of none) that has this plan, or None."""
    where = "WHERE digest = ? AND notebook_id IS ? ORDER BY created DESC LIMIT 1"
    found = _rows(connection, where, digest, notebook_id)
    return found[0] if found else None


def recent(connection: sqlite3.Connection, notebook_id: str | None, limit: int) -> list[SweepRow]:
    """Give the newest sweeps of a notebook (None: of none), the newest first."""
    where = "WHERE notebook_id IS ? ORDER BY created DESC LIMIT ?"
    return _rows(connection, where, notebook_id, limit)


def none_fits(given: str, found: list[SweepRow]) -> RunNotFound:
    """Give the error for words that name no sweep, or several."""
    if found:
        return RunNotFound(
            f"More than one sweep is called {given!a}: {', '.join(each.sweep for each in found)}.",
            money="Nothing was sent by this.",
            todo="Give more of its id.",
        )
    return RunNotFound(
        f"No sweep {given!a} is in the run log.",
        money="Nothing was sent by this.",
        todo="'%hailuo sweep' lists this notebook's sweeps.",
    )


def _rows(connection: sqlite3.Connection, rest: str, *values: object) -> list[SweepRow]:
    return [
        SweepRow(sweep, notebook_id, digest, created, bool(stopped), plan)
        for sweep, notebook_id, digest, created, stopped, plan in connection.execute(
            _SELECT + rest, values
        )
    ]
