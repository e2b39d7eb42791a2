"""How the log's tables came to be, step by step; each step is applied once, in one transaction.

A step that has been released is never changed: a change of the tables is one more step at the end.
"""

from __future__ import annotations

import sqlite3

from hailuo_jupyter.errors import RunLogError
from hailuo_jupyter.runlog.connection import transaction

#: Name and statements of each step, in the order in which they are applied.
MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "0001_runs",
        (
            """
            CREATE TABLE runs (
                run_id TEXT PRIMARY KEY,
                state TEXT NOT NULL,
                revision INTEGER NOT NULL,
                provider TEXT NOT NULL,
                kind TEXT NOT NULL,
                fingerprint TEXT NOT NULL,
                notebook_id TEXT,
                cell_id TEXT,
                folder NOT NULL,
                job_id TEXT,
                owner TEXT,
                created REAL NOT NULL,
                updated REAL NOT NULL,
                unfinished INTEGER NOT NULL,
                duration REAL,
                interrupted INTEGER NOT NULL DEFAULT 0,
                record_json TEXT NOT NULL
            )
            """,
            "CREATE INDEX runs_fingerprint ON runs (fingerprint, notebook_id, created)",
            "CREATE INDEX runs_state ON runs (state, created)",
            "CREATE INDEX runs_created ON runs (created)",
            "CREATE INDEX runs_notebook ON runs (notebook_id, created)",
            "CREATE INDEX runs_provider ON runs (provider, created)",
            "CREATE INDEX runs_updated ON runs (updated)",
            "CREATE INDEX runs_tail ON runs (substr(run_id, -6))",
            "CREATE INDEX runs_unfinished ON runs (created) WHERE unfinished = 1",
            """
            CREATE INDEX runs_kind ON runs (kind, created, duration)
            WHERE duration IS NOT NULL AND interrupted = 0
            """,
        ),
    ),
    (
        "0002_pacing",
        (
            "CREATE TABLE slots (provider TEXT NOT NULL, at REAL NOT NULL)",
            "CREATE INDEX slots_provider ON slots (provider, at)",
            """
            CREATE TABLE blocks (
                provider TEXT PRIMARY KEY,
                since REAL NOT NULL,
                until REAL NOT NULL
            )
            """,
        ),
    ),
    (
        # What the runs table and the budgets ask for, so that no query has to parse a record.
        "0003_columns",
        (
            "ALTER TABLE runs ADD COLUMN prompt TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE runs ADD COLUMN note TEXT",
            "ALTER TABLE runs ADD COLUMN name TEXT",
            "ALTER TABLE runs ADD COLUMN tags TEXT NOT NULL DEFAULT '[]'",
            "ALTER TABLE runs ADD COLUMN rating INTEGER",
            "ALTER TABLE runs ADD COLUMN sweep TEXT",
            "ALTER TABLE runs ADD COLUMN notebook_path TEXT",
            "ALTER TABLE runs ADD COLUMN cost_kind TEXT NOT NULL DEFAULT 'unknown'",
            "ALTER TABLE runs ADD COLUMN cost_low REAL",
            "ALTER TABLE runs ADD COLUMN cost_high REAL",
            "ALTER TABLE runs ADD COLUMN cost_actual REAL",
            """
            UPDATE runs SET
                prompt = coalesce(json_extract(record_json, '$.request.prompt'), ''),
                note = json_extract(record_json, '$.note'),
                name = json_extract(record_json, '$.name'),
                tags = coalesce(json_extract(record_json, '$.tags'), '[]'),
                rating = json_extract(record_json, '$.rating'),
                sweep = json_extract(record_json, '$.sweep'),
                notebook_path = json_extract(record_json, '$.origin.notebook_path'),
                cost_kind = coalesce(json_extract(record_json, '$.cost.kind'), 'unknown'),
                cost_low = json_extract(record_json, '$.cost.estimate_low'),
                cost_high = json_extract(record_json, '$.cost.estimate_high'),
                cost_actual = json_extract(record_json, '$.cost.actual')
            """,
            "CREATE INDEX runs_sweep ON runs (sweep) WHERE sweep IS NOT NULL",
        ),
    ),
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a log, new or old, to the present tables; many processes may do so at once.

    Parameters
    ----------
    connection
        An open connection in autocommit mode.

    Raises
    ------
    RunLogError
        If a newer version of this package wrote the log, or the file is another program's database.
    """
    if not missing(connection):
        return
    for name, statements in MIGRATIONS:
        with transaction(connection):
            # Asked again inside of the transaction: another process may have been faster.
            if name not in missing(connection):
                continue
            connection.execute(
                "CREATE TABLE IF NOT EXISTS migrations "
                "(name TEXT PRIMARY KEY, applied TEXT NOT NULL)"
            )
            for statement in statements:
                connection.execute(statement)
            connection.execute(
                "INSERT INTO migrations VALUES (?, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))", (name,)
            )


def missing(connection: sqlite3.Connection) -> list[str]:
    """Give the steps that a log lacks; changes nothing, and raises as `migrate` does."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if tables and "migrations" not in tables:
        raise RunLogError(
            "The file given as run log is another program's database.",
            money="It was not changed, and nothing was sent.",
            todo="Set HAILUO_RUN_LOG to another file.",
        )
    applied = (
        {name for (name,) in connection.execute("SELECT name FROM migrations")} if tables else set()
    )
    if newer := sorted(applied - {name for name, _ in MIGRATIONS}):
        raise RunLogError(
            f"A newer version of hailuo-jupyter wrote this run log (it has {', '.join(newer)}).",
            money="It was not changed, and nothing was sent; the clips are in their folders.",
            todo="Update hailuo-jupyter, or set HAILUO_RUN_LOG to another file.",
        )
    return [name for name, _ in MIGRATIONS if name not in applied]
