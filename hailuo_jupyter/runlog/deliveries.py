"""Which sink gets which run, and the revision that it has: a list that survives every process.

A run is on a sink's list from its first change while the sink is set. That is minutes before it ends, so no
run is lost if a process is killed then. *Undelivered* runs are not stored: they are
the listed runs that have finished in a later revision than the sink has, whichever process wrote it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

#: Created when a sink is first used: a log without sinks is not changed. Rows outlive their runs, so that one
#: that is imported again is not logged twice.
_TABLE = """
CREATE TABLE IF NOT EXISTS deliveries (
    sink TEXT NOT NULL,
    run_id TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (sink, run_id)
) WITHOUT ROWID
"""

#: A condition on runs; its parameter is the sink.
UNDELIVERED = (
    "EXISTS (SELECT 1 FROM deliveries AS one WHERE one.sink = ? AND one.run_id = runs.run_id "
    "AND one.revision < runs.revision)"
)


def exist(connection: sqlite3.Connection) -> bool:
    """Check whether a sink was ever used with this log."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'deliveries'"
    return connection.execute(query).fetchone() is not None


def put_on_list(connection: sqlite3.Connection, sink: str, run_ids: Iterable[str]) -> None:
    """Add runs to a sink's list; existing ones are unchanged."""
    connection.execute(_TABLE)
    connection.executemany(
        "INSERT OR IGNORE INTO deliveries (sink, run_id) VALUES (?, ?)",
        [(sink, run_id) for run_id in run_ids],
    )


def note_delivery(connection: sqlite3.Connection, sink: str, run_id: str, revision: int) -> None:
    """Record that a sink has a revision of a run."""
    connection.execute(_TABLE)
    connection.execute(
        "INSERT INTO deliveries VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
        "revision = max(revision, excluded.revision)",
        (sink, run_id, revision),
    )
