"""Which key counts in a folder whose ``.env`` and keyring have different keys.

Only the place that the person has chosen is stored, for each folder and provider; never a key.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from hailuo_jupyter.runlog.row import folder_value


def keep(connection: sqlite3.Connection, folder: Path, provider: str, place: str) -> None:
    """Save a choice; it replaces an earlier one."""
    connection.execute(
        "INSERT OR REPLACE INTO key_choices VALUES (?, ?, ?)", (_named(folder), provider, place)
    )


def chosen(path: Path, folder: Path, provider: str) -> str | None:
    """Return the chosen place, or None; nothing is created or changed.

    Parameters
    ----------
    path
        The log's file. If it is unreadable now, there is no choice: the error is reported when the log
        is used.
    folder, provider
        The notebook's folder, and the provider of the key.
    """
    if not os.path.isfile(path):  # noqa: PTH113 - pathlib raises where the folder cannot be entered
        return None
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=1.0)) as connection:
            found = connection.execute(
                "SELECT place FROM key_choices WHERE folder = ? AND provider = ?",
                (_named(folder), provider),
            ).fetchone()
    except sqlite3.Error:
        return None
    return None if found is None else str(found[0])


def _named(folder: Path) -> str | bytes:
    return folder_value(Path(os.path.realpath(folder)))
