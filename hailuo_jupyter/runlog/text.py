"""Substring search in prompts, names, notes and tags: SQLite's FTS5 by trigrams, LIKE where it lacks.

Triggers keep ``texts``, a plain table that every SQLite can write, in the transaction of the change
itself: one line each for prompt, name, note and tags of a run. ``texts_index`` is the FTS5 table over
it. It is written afterwards, many texts at once, by connections that have FTS5: whatever is wrong
with it (it may be broken, and then FTS5 fails at the commit), no run's state is lost with it. Rows of
``texts`` say whether they are in it, and the search reads the others directly: so it is exact at
every moment, also where a process without FTS5 wrote.

The trigram tokenizer is part of SQLite 3.34 and later (https://www.sqlite.org/fts5.html).
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from hailuo_jupyter.runlog.connection import transaction

#: So many texts wait before the index takes them in, and so many it takes in after one change, so that
#: nobody waits long: some 10 ms.
_WAITING, _AT_ONCE = 50, 100

_TRIGRAM_SINCE = (3, 34, 0)
_TRIGRAM = 3

#: Somebody else has the log, or the disk is full: the index is as good as it was.
_NOT_ITS_FAULT = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})


def prepare(connection: sqlite3.Connection) -> bool:
    """Make the index where there is none and SQLite can.

    Returns
    -------
    bool
        Whether this connection can use it.
    """
    if not _has_trigrams(connection) or not _is_there(connection, "texts"):
        return False
    if not _is_there(connection, "texts_index"):
        with transaction(connection):
            if not _is_there(connection, "texts_index"):  # another process may have been faster
                # A run's rank is never asked for, so the sizes that it would need are not kept.
                connection.execute(
                    "CREATE VIRTUAL TABLE texts_index "
                    "USING fts5 (body, tokenize = 'trigram', columnsize = 0)"
                )
                connection.execute("UPDATE texts SET indexed = 0 WHERE indexed = 1")
    return True


def keep_up(connection: sqlite3.Connection) -> bool:
    """Take texts into the index, if enough of them wait; a transaction of its own.

    Returns
    -------
    bool
        False if the index is broken. It is thrown away then, and the next connection makes it anew.
    """
    waiting = "SELECT seq, run_id, body FROM texts WHERE indexed = 0 LIMIT ?"
    if len(connection.execute(waiting, (_WAITING,)).fetchall()) < _WAITING:
        return True
    try:
        with transaction(connection):
            for seq, run_id, body in connection.execute(waiting, (_AT_ONCE,)).fetchall():
                _take_in(connection, seq, run_id, body)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_ITS_FAULT:
            return True
        _throw_away(connection)
        return False
    return True


def _take_in(connection: sqlite3.Connection, seq: int, run_id: str | None, body: str) -> None:
    connection.execute("DELETE FROM texts_index WHERE rowid = ?", (seq,))
    if run_id is None:  # the run was removed
        connection.execute("DELETE FROM texts WHERE seq = ?", (seq,))
        return
    connection.execute("INSERT INTO texts_index (rowid, body) VALUES (?, ?)", (seq, body))
    connection.execute("UPDATE texts SET indexed = 1 WHERE seq = ?", (seq,))


def _throw_away(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error), transaction(connection):
        connection.execute("DROP TABLE texts_index")


def matching(connection: sqlite3.Connection, text: str, *, indexed: bool, limit: int) -> list[str]:
    """Give ids of runs that hold a text, in no order.

    Parameters
    ----------
    text
        Taken literally; case does not matter.
    indexed
        What `prepare` gave.
    limit
        Most ids to give.
    """
    terms, values = like(text)
    if indexed and len(text) >= _TRIGRAM:
        # CROSS JOIN keeps SQLite to this order of tables.
        sql = (
            "SELECT texts.run_id FROM texts_index CROSS JOIN texts "  # noqa: S608 -- constants
            "ON texts.seq = texts_index.rowid AND texts.indexed = 1 "
            "WHERE texts_index MATCH ? AND texts.run_id IS NOT NULL "
            f"UNION ALL SELECT run_id FROM texts WHERE indexed = 0 AND {terms} LIMIT ?"
        )
        phrase = '"' + text.replace('"', '""') + '"'
        # A broken index, or one that another process has thrown away, is no reason to find nothing.
        with suppress(sqlite3.DatabaseError):
            return [run_id for (run_id,) in connection.execute(sql, (phrase, *values, limit))]
    sql = f"SELECT run_id FROM texts WHERE {terms} LIMIT ?"  # noqa: S608 -- constants
    return [run_id for (run_id,) in connection.execute(sql, (*values, limit))]


def like(text: str) -> tuple[str, list[str]]:
    """Give a term over ``texts`` that is true where it holds a text, and the term's values.

    SQLite's LIKE folds the case of ASCII letters alone; other letters are looked for as they were
    typed, in lower and in upper case, and with a capital first letter.
    """
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    spellings = [escaped]
    if not escaped.isascii():
        more = (escaped, escaped.lower(), escaped.upper(), escaped.capitalize())
        spellings = list(dict.fromkeys(more))
    term = " OR ".join("texts.body LIKE ? ESCAPE '\\'" for _ in spellings)
    # The plus keeps SQLite from walking all runs by the index of their ids.
    return f"(+texts.run_id IS NOT NULL AND ({term}))", [f"%{each}%" for each in spellings]


def _has_trigrams(connection: sqlite3.Connection) -> bool:
    if sqlite3.sqlite_version_info < _TRIGRAM_SINCE:
        return False
    found = connection.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'")
    return found.fetchone() is not None


def _is_there(connection: sqlite3.Connection, table: str) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,))
    return found.fetchone() is not None
