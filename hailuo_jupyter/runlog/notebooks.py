"""The ids and paths of each notebook, so that it keeps the runs that it requested.

A notebook's id changes once a better source names it, once it is renamed and no id can be written
into it, or once it gets its own id. Its later id includes the earlier ones (``aliases``), but
not the other way round. Paths are stored in this log only; a record has none.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from hailuo_jupyter.ids import Notebook
from hailuo_jupyter.runlog.connection import LogReader


class NotebookQueries(LogReader):
    """The notebooks in a log."""

    def notebook_ids(self, ids: Iterable[str]) -> list[str]:
        """Return these ids of a notebook and its earlier ids, these first."""
        with self._reading() as connection:
            return included(connection, ids)

    def notebooks_including(self, notebook_id: str) -> list[str]:
        """Return the ids of notebooks that had this one before."""
        query = "SELECT notebook_id FROM notebook_aliases WHERE alias = ?"
        with self._reading() as connection:
            return _reached(connection, query, [notebook_id])[1:]

    def notebook_places(self, notebook_id: str) -> list[Path]:
        """Return the known paths of a notebook; for runs without a notebook, their folders."""
        query = "SELECT place FROM notebooks WHERE notebook_id = ?"
        with self._reading() as connection:
            found = connection.execute(query, (notebook_id,)).fetchall()
        return [Path(os.fsdecode(place)) for (place,) in found]


def included(connection: sqlite3.Connection, ids: Iterable[str]) -> list[str]:
    """Return these ids and all that they include, these first."""
    query = "SELECT alias FROM notebook_aliases WHERE notebook_id = ?"
    return _reached(connection, query, ids)


def _reached(connection: sqlite3.Connection, query: str, ids: Iterable[str]) -> list[str]:
    found = [*dict.fromkeys(ids)]
    for each in found:  # which grows meanwhile
        more = connection.execute(query, (each,)).fetchall()
        found += [str(other) for (other,) in more if other not in found]
    return found


def same(
    connection: sqlite3.Connection, column: str, notebook_id: str | None
) -> tuple[str, list[object]]:
    """Return the condition that a column has an id of a notebook, and its values.

    Parameters
    ----------
    connection
        The log with the earlier ids.
    column
        The column, as written in the query.
    notebook_id
        The notebook; None for none.
    """
    ids: list[object] = [notebook_id]
    if notebook_id is not None:
        ids = [*included(connection, (notebook_id,))]
    if len(ids) == 1:  # an index can give the order, too
        return f"{column} IS ?", ids
    return f"{column} IN ({', '.join('?' * len(ids))})", ids


def keep(connection: sqlite3.Connection, notebook: Notebook) -> None:
    """Save where a notebook is, and its earlier ids."""
    place = notebook.path
    if place is None and notebook.name is None:
        place = notebook.folder
    if place is not None:
        connection.execute(
            "INSERT OR IGNORE INTO notebooks (notebook_id, place) VALUES (?, ?)",
            (notebook.id, os.fsencode(place)),
        )
    include(connection, notebook.id, notebook.aliases)


def include(connection: sqlite3.Connection, notebook_id: str, aliases: Iterable[str]) -> None:
    """Record that a notebook had other ids before."""
    connection.executemany(
        "INSERT OR IGNORE INTO notebook_aliases (notebook_id, alias) VALUES (?, ?)",
        [(notebook_id, alias) for alias in aliases if alias != notebook_id],
    )
