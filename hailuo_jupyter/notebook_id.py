"""The id of a notebook: the one written in its file, or else one made of where it lies."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

_NAMESPACE = uuid.UUID("6a1f8d6e-53b1-5f0a-9a0c-2a5d4f0c7b11")

#: Most characters of an id that was written by somebody else.
_LONGEST = 64


def made_of_path(path: Path) -> str:
    """Give the id that a notebook without one goes by."""
    return str(uuid.uuid5(_NAMESPACE, f"notebook:{path}"))


def made_of_folder(folder: Path) -> str:
    """Give the id that everything goes by which is run in a folder and tells of no notebook."""
    return str(uuid.uuid5(_NAMESPACE, f"folder:{folder}"))


def is_made(notebook_id: str) -> bool:
    """Tell whether an id was made of a path or a folder, whether or not it was written down since."""
    try:
        return uuid.UUID(notebook_id).version == 5
    except ValueError:
        return False


def written_in(path: Path) -> str | None:
    """Give the id in a notebook's own metadata; None where there is none, or no notebook."""
    try:
        return _given(path.read_bytes())
    except OSError:
        return None


def is_written_in(path: Path, made: str) -> bool:
    """Tell whether an id that was made here is the one in a notebook's own metadata.

    For many notebooks at once: one that does not hold the id at all, however long, is not parsed.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return False
    return made.encode() in data and _given(data) == made


def _given(data: bytes) -> str | None:
    try:
        found = json.loads(data)["metadata"]["hailuo"]["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if isinstance(found, str) and 0 < len(found) <= _LONGEST else None
