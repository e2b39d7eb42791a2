"""The log's tables: created from ``schema.sql``, and changed by migrations.

The table ``migrations`` lists what a log has. A new log starts with all of `BASE`; a migration is applied
once, in one transaction. A released one is never changed: a change of the tables is one more at the end of
`MIGRATIONS`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib.resources import files

from hailuo_jupyter.errors import RunLogError
from hailuo_jupyter.runlog.connection import transaction

#: What ``schema.sql`` contains: thirteen migrations of development versions, in one. All their names are
#: stored in a new log, so that it equals a migrated one.
BASE = (
    "0001_runs",
    "0002_pacing",
    "0003_columns",
    "0004_search",
    "0005_money",
    "0006_sweeps",
    "0007_forgotten",
    "0008_counted",
    "0009_rate_limits",
    "0010_notebooks",
    "0011_accounts",
    "0012_key_choices",
    "0013_heartbeats",
)

#: Name and statements of each later migration, in order; the names sort in this order.
MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = ()


def migrate(connection: sqlite3.Connection) -> None:
    """Create a new log's tables, or bring an older log's up to date; many processes may do so at once.

    Parameters
    ----------
    connection
        An open connection in autocommit mode.

    Raises
    ------
    RunLogError
        If the log is of another version that this one cannot read, or the file is
        another program's database.
    """
    if is_current(connection):
        return
    with transaction(connection):
        # Checked again inside the transaction: another process may have been faster.
        applied = _applied(connection)
        if not applied:
            _create(connection)
        for name, statements in MIGRATIONS:
            if name not in applied:
                for statement in statements:
                    connection.execute(statement)
                _note(connection, name)


def is_current(connection: sqlite3.Connection) -> bool:
    """Check whether a log has all tables; changes nothing, and raises like `migrate`."""
    return _applied(connection) >= {*BASE, *(name for name, _ in MIGRATIONS)}


def is_empty(connection: sqlite3.Connection) -> bool:
    """Check whether a log was just created and has no tables yet; raises like `migrate`."""
    return not _applied(connection)


def _applied(connection: sqlite3.Connection) -> set[str]:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if tables and "migrations" not in tables:
        raise RunLogError(
            "The run log file is another program's database.",
            money="It was not changed, and nothing was sent.",
            todo="Set HAILUO_RUN_LOG to another file.",
        )
    found = connection.execute("SELECT name FROM migrations").fetchall() if tables else []
    applied = {str(name) for (name,) in found}
    if newer := sorted(applied - {*BASE, *(name for name, _ in MIGRATIONS)}):
        raise RunLogError(
            f"A newer version wrote this run log (it has {', '.join(newer)}).",
            money="It was not changed, and nothing was sent; the clips are in their folders.",
            todo="Update hailuo-jupyter, or set HAILUO_RUN_LOG to another file.",
        )
    if applied and (lacking := [name for name in BASE if name not in applied]):
        raise RunLogError(
            f"A version before 0.1.0 wrote this run log (it lacks {lacking[0]}).",
            money="It was not changed, and nothing was sent; the clips are in their folders.",
            todo="Move it away, then run 'jupyter hailuo import FOLDER' for each folder.",
        )
    return applied


def _create(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied TEXT NOT NULL)"
    )
    for statement in _statements((files(__package__) / "schema.sql").read_text(encoding="utf-8")):
        connection.execute(statement)
    for name in BASE:
        _note(connection, name)


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; `sqlite3.Connection.executescript` would end the transaction."""
    statement = ""
    for line in script.splitlines():
        if line.startswith("--"):
            continue
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""


def _note(connection: sqlite3.Connection, name: str) -> None:
    connection.execute(
        "INSERT INTO migrations VALUES (?, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))", (name,)
    )
