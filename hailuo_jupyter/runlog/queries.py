"""What is asked of the log. All use an index, and none parses a record."""

from __future__ import annotations

import difflib
import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from hailuo_jupyter.errors import RunNotFound
from hailuo_jupyter.runlog.schema import ROW_COLUMNS, Row, row
from hailuo_jupyter.states import State

_SELECT = f"SELECT {ROW_COLUMNS} FROM runs "  # noqa: S608 -- constants
_SHORTEST_PREFIX = 4
_NOTHING_BOUGHT = "Nothing was sent by this."


def peek_unfinished(path: Path) -> int:
    """Count the runs that are not finished, with nothing but SQLite; 0 if there is no readable log.

    Parameters
    ----------
    path
        The log's file; it is neither made nor changed.
    """
    if not path.is_file():
        return 0
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)
        try:
            found = connection.execute("SELECT count(*) FROM runs WHERE unfinished = 1").fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return 0  # told in words when the log is used; loading an extension is no time for it
    return int(found[0])


def find(connection: sqlite3.Connection, run_id: str) -> Row | None:
    """Give the run of exactly this id, or None."""
    found = _rows(connection, "WHERE run_id = ?", run_id)
    return found[0] if found else None


def get(connection: sqlite3.Connection, given: str) -> Row:
    """Find one run by its id, an unambiguous beginning of it, or its random tail."""
    found = fitting(connection, given)
    if len(found) == 1:
        return found[0]
    if found:
        raise several(given, [each.run_id for each in found])
    raise _not_found(connection, given)


def fitting(connection: sqlite3.Connection, given: str) -> list[Row]:
    """Give the run of this id, or those whose id begins or ends so; six at most."""
    run_id = given.strip()
    if exact := find(connection, run_id):
        return [exact]
    run_id = run_id.lower()
    if len(run_id) < _SHORTEST_PREFIX:
        return []
    end = f"{run_id}\U0010ffff"
    found = _rows(connection, "WHERE run_id >= ? AND run_id < ? LIMIT 6", run_id, end)
    return found or _rows(
        connection,
        "WHERE substr(run_id, -6) >= ? AND substr(run_id, -6) < ? LIMIT 6",
        run_id,
        end,
    )


def several(given: str, ids: Sequence[str]) -> RunNotFound:
    """Give the error for a part of an id that several runs have."""
    return RunNotFound(
        f"More than one run is called {given!a}: {', '.join(ids[:5])}"
        + (", …." if len(ids) > 5 else "."),
        money=_NOTHING_BOUGHT,
        todo="Give more of its id.",
    )


def _not_found(connection: sqlite3.Connection, given: str) -> RunNotFound:
    latest = [
        each
        for (each,) in connection.execute("SELECT run_id FROM runs ORDER BY created DESC LIMIT 500")
    ]
    tails = {each.rsplit("-", 1)[-1]: each for each in reversed(latest)}
    close = difflib.get_close_matches(given.lower(), [*latest, *tails], n=6)
    near = list(dict.fromkeys(str(tails.get(each, each)) for each in close))[:3]
    return RunNotFound(
        f"No run {given!a} is in the run log.",
        money=_NOTHING_BOUGHT,
        todo=f"Did you mean {' or '.join(near)}?" if near else "List the runs to see their ids.",
    )


def unfinished(connection: sqlite3.Connection) -> list[Row]:
    """Give runs that somebody has still to do something about, the oldest first."""
    return _rows(connection, "WHERE unfinished = 1 ORDER BY created, rowid")


def by_fingerprint(
    connection: sqlite3.Connection, notebook_id: str | None, fingerprint: str
) -> list[Row]:
    """Give the runs of one request in one notebook (None: in none), the newest first."""
    return _rows(
        connection,
        "WHERE fingerprint = ? AND notebook_id IS ? ORDER BY created DESC, rowid DESC",
        fingerprint,
        notebook_id,
    )


def by_request(connection: sqlite3.Connection, fingerprint: str) -> list[Row]:
    """Give the runs of one request in whatever notebook, the newest first."""
    return _rows(connection, "WHERE fingerprint = ? ORDER BY created DESC, rowid DESC", fingerprint)


def known(connection: sqlite3.Connection, run_ids: Iterable[str]) -> set[str]:
    """Give those of some ids that runs have."""
    found = connection.execute(
        "SELECT run_id FROM runs WHERE run_id IN (SELECT value FROM json_each(?))",
        (json.dumps([*run_ids]),),
    )
    return {str(run_id) for (run_id,) in found}


def recent(
    connection: sqlite3.Connection,
    limit: int,
    notebook_id: str | None,
    provider: str | None,
    states: Collection[State] | None,
) -> list[Row]:
    """Give the newest runs that pass all filters given."""
    where, values = _filters(notebook_id, provider, states)
    return _rows(connection, f"{where} ORDER BY created DESC, rowid DESC LIMIT ?", *values, limit)


def count(
    connection: sqlite3.Connection,
    notebook_id: str | None,
    provider: str | None,
    states: Collection[State] | None,
) -> int:
    """Count the runs that pass all filters given."""
    where, values = _filters(notebook_id, provider, states)
    found = connection.execute(f"SELECT count(*) FROM runs {where}", values)  # noqa: S608 -- constants
    return int(found.fetchone()[0])


def durations(connection: sqlite3.Connection, kind: str, limit: int) -> list[float]:
    """Give seconds from submit to the job's known end, the newest run first."""
    found = connection.execute(
        "SELECT duration FROM runs WHERE kind = ? AND duration IS NOT NULL AND interrupted = 0 "
        "ORDER BY created DESC LIMIT ?",
        (kind, limit),
    )
    return [seconds for (seconds,) in found]


def changed_since(connection: sqlite3.Connection, updated: float) -> list[Row]:
    """Give the rows whose `Row.updated` is greater, in the order of their changes."""
    return _rows(connection, "WHERE updated > ? ORDER BY updated", updated)


def _filters(
    notebook_id: str | None, provider: str | None, states: Collection[State] | None
) -> tuple[str, list[object]]:
    terms: list[str] = []
    values: list[object] = []
    for column, value in (("notebook_id", notebook_id), ("provider", provider)):
        if value is not None:
            terms.append(f"{column} = ?")
            values.append(value)
    if states is not None:
        terms.append(f"state IN ({', '.join('?' * len(states))})")
        values.extend(State(state).value for state in states)
    return (f"WHERE {' AND '.join(terms)}" if terms else ""), values


def _rows(connection: sqlite3.Connection, rest: str, *values: object) -> list[Row]:
    return [row(each) for each in connection.execute(_SELECT + rest, values)]
