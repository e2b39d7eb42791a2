"""How the log's tables came to be, step by step; each step is applied once, in one transaction.

A step that has been released is never changed: a change of the tables is one more step at the end.
"""

from __future__ import annotations

import sqlite3

from hailuo_jupyter.errors import RunLogError
from hailuo_jupyter.runlog.connection import transaction

# A run's name, note and tags as lines of text, beside its prompt on one; of the row given.
_BODY = """
    replace({row}.prompt, char(10), ' ') || char(10) || coalesce({row}.name, '') || char(10) ||
    coalesce(replace({row}.note, char(10), ' '), '') || char(10) ||
    coalesce((SELECT group_concat(value, char(10)) FROM json_each({row}.tags)), '')
"""

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
    (
        # What the runs table filters, sorts and searches by. A row of runs fills a page of the
        # file, so its indexes hold all that is looked at before a run is chosen.
        "0004_search",
        (
            "ALTER TABLE runs ADD COLUMN took REAL",
            """
            UPDATE runs SET took = nullif(max(0, round(86400.0 * (
                julianday(json_extract(record_json, '$.times.downloading'))
                - julianday(json_extract(record_json, '$.times.submitted'))
            ), 3)), 0)
            """,
            "DROP INDEX runs_created",
            "DROP INDEX runs_notebook",
            "CREATE INDEX runs_created ON runs (created, state, provider, rating, run_id)",
            """
            CREATE INDEX runs_notebook ON runs (
                notebook_id, created, state, provider, rating, took,
                cost_actual, cost_high, cost_low, run_id
            )
            """,
            "CREATE INDEX runs_took ON runs (took, created)",
            "CREATE INDEX runs_rating ON runs (rating, created)",
            """
            CREATE INDEX runs_cost ON runs (
                CASE WHEN cost_actual IS NULL AND state IN ('rejected', 'failed') THEN NULL
                ELSE coalesce(cost_actual, cost_high, cost_low) END, created
            )
            """,
            """
            CREATE TABLE tags (
                tag TEXT NOT NULL,
                created REAL NOT NULL,
                run_id TEXT NOT NULL,
                PRIMARY KEY (tag, created, run_id)
            ) WITHOUT ROWID
            """,
            # Without a run it is one that was removed, and the text index has still to learn it.
            """
            CREATE TABLE texts (
                seq INTEGER PRIMARY KEY,
                run_id TEXT UNIQUE,
                body TEXT NOT NULL,
                indexed INTEGER NOT NULL DEFAULT 0
            )
            """,
            "CREATE INDEX texts_waiting ON texts (seq) WHERE indexed = 0",
            f"""
            INSERT INTO texts (run_id, body)
            SELECT run_id, {_BODY.format(row="runs")} FROM runs ORDER BY created, rowid
            """,  # noqa: S608 -- constants
            "INSERT OR IGNORE INTO tags SELECT value, created, run_id FROM runs, json_each(tags)",
            f"""
            CREATE TRIGGER runs_inserted AFTER INSERT ON runs BEGIN
                INSERT INTO texts (run_id, body) VALUES (new.run_id, {_BODY.format(row="new")});
                INSERT OR IGNORE INTO tags
                SELECT value, new.created, new.run_id FROM json_each(new.tags);
            END
            """,  # noqa: S608 -- constants
            f"""
            CREATE TRIGGER runs_reworded AFTER UPDATE OF prompt, name, note, tags ON runs BEGIN
                UPDATE texts SET body = {_BODY.format(row="new")}, indexed = 0
                WHERE run_id = new.run_id;
                DELETE FROM tags WHERE (tag, created, run_id) IN (
                    SELECT value, old.created, old.run_id FROM json_each(old.tags)
                );
                INSERT OR IGNORE INTO tags
                SELECT value, new.created, new.run_id FROM json_each(new.tags);
            END
            """,  # noqa: S608 -- constants
            """
            CREATE TRIGGER runs_redated AFTER UPDATE OF created ON runs BEGIN
                UPDATE OR REPLACE tags SET created = new.created
                WHERE (tag, created, run_id) IN (
                    SELECT value, old.created, old.run_id FROM json_each(old.tags)
                );
            END
            """,
            """
            CREATE TRIGGER runs_deleted AFTER DELETE ON runs BEGIN
                UPDATE texts SET run_id = NULL, body = '', indexed = 0 WHERE run_id = old.run_id;
                DELETE FROM tags WHERE (tag, created, run_id) IN (
                    SELECT value, old.created, old.run_id FROM json_each(old.tags)
                );
            END
            """,
        ),
    ),
    (
        # What budgets and costs add up, in the index itself, so that no sum reads a record; and the
        # runs of which a provider's history may still tell more (see runlog/spending.py).
        "0005_money",
        (
            """
            CREATE INDEX runs_money ON runs
            (created, provider, notebook_id, state, owner, cost_kind, cost_high, cost_actual)
            """,
            """
            CREATE INDEX runs_money_notebook ON runs
            (notebook_id, created, provider, state, owner, cost_kind, cost_high, cost_actual)
            """,
            "CREATE INDEX runs_job ON runs (job_id, provider, run_id) WHERE job_id IS NOT NULL",
            """
            CREATE INDEX runs_unsettled ON runs (created, run_id)
            WHERE (state = 'unconfirmed' OR (cost_actual IS NULL AND cost_kind <> 'free'
            AND state IN ('completed', 'failed', 'expired')))
            """,
        ),
    ),
    (
        # What a sweep is to buy in all, so that a later kernel can go on with it; see runlog/sweeps.py.
        "0006_sweeps",
        (
            """
            CREATE TABLE sweeps (
                sweep TEXT PRIMARY KEY,
                notebook_id TEXT,
                digest TEXT NOT NULL,
                created REAL NOT NULL,
                stopped INTEGER NOT NULL DEFAULT 0,
                plan_json TEXT NOT NULL
            )
            """,
            "CREATE INDEX sweeps_digest ON sweeps (digest, notebook_id, created)",
        ),
    ),
    (
        # What was paid for runs that were taken out of the log: money that was spent stays spent.
        "0007_forgotten",
        (
            """
            CREATE TABLE forgotten (
                run_id TEXT PRIMARY KEY,
                created REAL NOT NULL,
                provider TEXT NOT NULL,
                notebook_id TEXT,
                notebook_path TEXT,
                job_id TEXT,
                state TEXT NOT NULL,
                cost_kind TEXT NOT NULL,
                cost_high REAL,
                cost_actual REAL
            ) WITHOUT ROWID
            """,
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
