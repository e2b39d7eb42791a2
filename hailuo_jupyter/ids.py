"""Ids of runs, notebooks and cells.

A run's id sorts by time and is safe in file names. A notebook's id is written in its file, or derived from
its path.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

#: The format of every id, as a regular expression. The names of a run's files begin with it.
PATTERN = r"^[0-9]{8}-[0-9]{6}-[0-9a-hjkmnp-tv-z]{6}$"

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_CLOCK_STEP_S = 3600
_lock = threading.Lock()
_last = (-_CLOCK_STEP_S, 0)


def new_run_id(now: float | None = None) -> str:
    """Create an id that sorts by time, is safe in file names, and can be read out loud.

    Parameters
    ----------
    now
        Seconds since 1970; the wall clock if None.

    Returns
    -------
    str
        Such as ``20261120-140312-7f3kq9``: UTC, and 30 random bits without the letters i, l, o, u.
        Later calls in one process give ids that sort later, unless the clock is set back by more
        than an hour.
    """
    global _last  # noqa: PLW0603
    second = int(time.time() if now is None else now)
    with _lock:
        last_second, last_tail = _last
        if 0 <= last_second - second < _CLOCK_STEP_S:
            second, tail = last_second, last_tail + 1 + secrets.randbelow(1 << 18)
            if tail >= 1 << 30:
                second, tail = second + 1, secrets.randbelow(1 << 29)
        else:
            tail = secrets.randbelow(1 << 29)  # the upper half is for later ids in this second
        _last = (second, tail)
    digits = "".join(_ALPHABET[tail >> shift & 31] for shift in range(25, -1, -5))
    return f"{datetime.fromtimestamp(second, UTC):%Y%m%d-%H%M%S}-{digits}"


_NAMESPACE = uuid.UUID("6a1f8d6e-53b1-5f0a-9a0c-2a5d4f0c7b11")

_SURROGATE = re.compile("[\ud800-\udfff]")

#: nbformat's pattern. VS Code sends the notebook's absolute path instead, and a counter.
_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")

#: Maximum characters of an id that another program wrote.
_LONGEST = 64


@dataclass(frozen=True)
class Notebook:
    """A notebook's identity, as far as known.

    Parameters
    ----------
    id
        The scope of the search for earlier runs.
    path
        Absolute path of its file on this machine, or None.
    folder
        The folder of its output folder and its ``.env``.
    name
        Its file's name; None if no front end or executor names a file.
    aliases
        Its earlier ids: runs requested under them belong to it.
    """

    id: str
    path: Path | None
    folder: Path
    name: str | None = None
    aliases: tuple[str, ...] = ()

    def after(self, earlier: Notebook) -> Notebook:
        """Return this identity, replacing an earlier one of the same session.

        It includes the earlier one, unless both files exist: then they are two notebooks.
        """
        two = earlier.path is not None and self.path is not None and earlier.path != self.path
        if two and self.id != earlier.id and is_file(earlier.path):
            return self
        ids = dict.fromkeys((*self.aliases, *earlier.aliases, earlier.id))
        return replace(self, aliases=tuple(each for each in ids if each != self.id))


def notebook_at(path: Path) -> Notebook:
    """Return the notebook in a file: by the id written in it, or by its path."""
    return Notebook(written_in(path) or made_of_path(path), path, path.parent, path.name)


def notebook_path(text: str) -> Path | None:
    """Return a text as the absolute path of a notebook; None if it is not one."""
    path = Path(text)
    return path if path.suffix == ".ipynb" and path.is_absolute() else None


def made_of_path(path: Path) -> str:
    """Return the id of a notebook without one in its file."""
    return str(uuid.uuid5(_NAMESPACE, f"notebook:{_as_utf8(path)}"))


def made_of_folder(folder: Path) -> str:
    """Return the id for code in a folder that runs without a notebook."""
    return str(uuid.uuid5(_NAMESPACE, f"folder:{_as_utf8(folder)}"))


def _as_utf8(path: Path) -> str:
    """Return a path in UTF-8, independent of the locale; bytes that are not UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def made_of_colab(colab_id: str) -> str:
    """Return the id of a notebook in Google Colab; hashed, since Colab's own id opens it."""
    return str(uuid.uuid5(_NAMESPACE, f"colab:{colab_id}"))


def recorded(name: str | None) -> str | None:
    """Return a file's name for a record, without characters that are not UTF-8."""
    return None if name is None else _SURROGATE.sub("\ufffd", name)


def is_cell_id(value: object) -> bool:
    """Return whether a value is a valid cell id of nbformat."""
    return isinstance(value, str) and _CELL_ID.fullmatch(value) is not None


def is_file(path: Path | None) -> bool:
    """Return whether a path names a file; False if the path is invalid."""
    try:
        return path is not None and path.is_file()
    except (OSError, ValueError):  # too long, or with a zero byte
        return False


def written_in(path: Path) -> str | None:
    """Return the id in a notebook's own metadata; None if it has none, or is not a notebook."""
    if not is_file(path):
        return None
    try:
        found = path.stat()
        return _written(path, found.st_mtime_ns, found.st_size)
    except OSError:
        return None


@lru_cache(maxsize=64)  # called for each cell, and a notebook may contain clips
def _written(path: Path, _changed_ns: int, _size: int) -> str | None:
    return _id_in(path.read_bytes())


def is_written_in(path: Path, made: str) -> bool:
    """Return whether an id is the one in a notebook's own metadata.

    For many notebooks at once: one that does not contain the id is not parsed.
    """
    if not is_file(path):
        return False  # a pipe of a notebook's name would block forever
    try:
        data = path.read_bytes()
    except OSError:
        return False
    return made.encode() in data and _id_in(data) == made


def _id_in(data: bytes) -> str | None:
    try:
        found = json.loads(data)["metadata"]["hailuo"]["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if isinstance(found, str) and 0 < len(found) <= _LONGEST else None
