"""Remove VS Code's cell ids from records: each contains the absolute path of the notebook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hailuo_jupyter.ipynb.records import code_cells, outputs, stored
from hailuo_jupyter.record.sidecar import read_file, read_sidecar, write_sidecar

#: As a URI it contains no space and no quote; in HTML a quote is written with an ampersand.
_ID = re.compile(r"""vscode-notebook-cell:[^\s"'<>&\\]*""")


def clean(nb: dict[str, Any]) -> bool:
    """Remove these ids from our parts of a notebook: its metadata, and the outputs that show runs.

    Parameters
    ----------
    nb
        The notebook; changed in place.

    Returns
    -------
    bool
        Whether there were any.

    Raises
    ------
    NotebookError
        If its metadata has something else under our key.
    """
    stored(nb)
    ours: list[tuple[dict[str, Any], str]] = [(nb["metadata"], "hailuo")]
    ours += [(cell["metadata"], "hailuo") for cell in code_cells(nb) if _has_metadata(cell)]
    ours += [(each.output, "data") for each in outputs(nb)]
    changed = False
    for place, name in ours:
        if name in place and (cleaned := _without(place[name])) != place[name]:
            place[name], changed = cleaned, True
    return changed


def _has_metadata(cell: dict[str, Any]) -> bool:
    return isinstance(cell.get("metadata"), dict)


def _without(value: Any) -> Any:
    if isinstance(value, str):
        # A value that is only such an id becomes empty.
        return None if _ID.fullmatch(value) else _ID.sub("", value)
    if isinstance(value, list):
        return [
            _without(each) if not isinstance(each, str) else _ID.sub("", each) for each in value
        ]
    if isinstance(value, dict):
        return {name: _without(each) for name, each in value.items()}
    return value


def clean_sidecar(path: Path) -> bool:
    """Remove these ids from a record next to a clip; return whether there was one.

    Raises
    ------
    DiskError
        If it cannot be written.
    """
    try:
        data = read_file(path)
        if b"vscode-notebook-cell:" not in data:
            return False
        record = read_sidecar(path, data)
    except (OSError, ValueError):
        return False  # not a record
    write_sidecar(record, path.parent)
    return True
