"""Records in a notebook: in its outputs, in its metadata, in its cells' metadata.

A notebook may come from anybody, so whatever stands where a record should be is looked at before it
is believed, and what is not ours is left as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hailuo_jupyter.errors import NotebookError
from hailuo_jupyter.kernel.bundle import MIME
from hailuo_jupyter.record import Record

#: The form of ``metadata.hailuo`` that this version writes.
SCHEMA = 1

_ID_LENGTH = 64


@dataclass
class Output:
    """One output that shows runs, and the cell it is in."""

    cell: dict[str, Any]
    output: dict[str, Any]
    raw: list[dict[str, Any]]
    records: list[Record] = field(default_factory=list)


def outputs(nb: dict[str, Any]) -> Iterator[Output]:
    """Give every output that shows runs, in order."""
    for cell in code_cells(nb):
        found = cell.get("outputs")
        for output in found if isinstance(found, list) else ():
            if isinstance(output, dict) and (raw := _shown(output)):
                records = [record for each in raw if (record := readable(each))]
                yield Output(cell, output, raw, records)


def code_cells(nb: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give every code cell, in order."""
    for cell in nb.get("cells", ()):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            yield cell


def _shown(output: dict[str, Any]) -> list[dict[str, Any]]:
    data = output.get("data")
    value = data.get(MIME) if isinstance(data, dict) else None
    if not isinstance(value, dict):
        return []
    several = value.get("runs")
    if "run_id" not in value and isinstance(several, list):
        return [each for each in several if isinstance(each, dict)]
    return [value]


def readable(value: object) -> Record | None:
    """Give the record that some JSON holds, checked; None where it holds none."""
    try:
        return read(value)
    except ValueError:
        return None


def read(value: object) -> Record:
    """Give the record that some JSON holds.

    Raises
    ------
    ValueError
        In one line, if it holds none.
    """
    try:
        text = json.dumps(value)
    except (TypeError, RecursionError) as error:
        raise ValueError("This is no record of a run: it is no JSON") from error
    return Record.from_json(text)


def revision(value: object) -> int:
    """Give the revision that a stored record claims; -1 where it claims none."""
    found = value.get("revision") if isinstance(value, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else -1


def home(nb: dict[str, Any]) -> dict[str, Any] | None:
    """Give ``metadata.hailuo``; None where there is none.

    Raises
    ------
    NotebookError
        If something else stands there, or what a newer version wrote.
    """
    found = nb["metadata"].get("hailuo")
    if found is None:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("runs", {}), dict):
        raise NotebookError(
            "The notebook's metadata has something under 'hailuo' that is not ours.",
            money="Nothing was changed.",
            todo="Remove it, and run 'jupyter hailuo sync' again.",
        )
    if found.get("schema", SCHEMA) != SCHEMA:
        raise NotebookError(
            f"The notebook's metadata is in a form that is not known here: "
            f"schema {found.get('schema')!a}.",
            money="Nothing was changed.",
            todo="Install the newest hailuo-jupyter.",
        )
    return found


def stored(nb: dict[str, Any]) -> dict[str, Any]:
    """Give the runs in the notebook's metadata by id, as they stand there.

    Raises
    ------
    NotebookError
        As `home`.
    """
    found = (home(nb) or {}).get("runs", {})
    return dict(found)


def written_id(nb: dict[str, Any]) -> str | None:
    """Give the notebook's id in its metadata; None where there is none that could be one."""
    found = nb["metadata"].get("hailuo")
    given = found.get("id") if isinstance(found, dict) else None
    return given if isinstance(given, str) and 0 < len(given) <= _ID_LENGTH else None


def listed(cell: dict[str, Any]) -> list[str]:
    """Give the run ids that a cell's metadata lists."""
    metadata = cell.get("metadata")
    ours = metadata.get("hailuo") if isinstance(metadata, dict) else None
    found = ours.get("runs") if isinstance(ours, dict) else None
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def shown_ids(cell: dict[str, Any]) -> list[str]:
    """Give the ids of the runs that a cell's outputs show, each once, in order."""
    ids = [record.run_id for output in outputs({"cells": [cell]}) for record in output.records]
    return list(dict.fromkeys(ids))


def lift(nb: dict[str, Any], notebook_id: str, more: Iterable[Record] = ()) -> int:
    """Bring the notebook's metadata up to date with the records that its outputs show.

    A record with a lower revision never replaces one with a higher, so that this may be repeated.

    Parameters
    ----------
    nb
        The notebook; changed in place.
    notebook_id
        Its id, written where it has none.
    more
        Further records that belong to it.

    Returns
    -------
    int
        How many records are new or newer.

    Raises
    ------
    NotebookError
        As `home`; nothing is changed then.
    """
    ours, runs = home(nb), stored(nb)
    found = [record for output in outputs(nb) for record in output.records]
    changed = 0
    for record in (*found, *more):
        if revision(runs.get(record.run_id)) < record.revision:
            runs[record.run_id] = json.loads(record.to_json())
            changed += 1
    if runs or ours is not None:
        # A node of nbformat's has to stay one, so its kind of mapping is asked for.
        kept = ours if ours is not None else {}
        kept |= {"schema": SCHEMA, "id": written_id(nb) or notebook_id, "runs": runs}
        nb["metadata"]["hailuo"] = kept
    for cell in code_cells(nb):
        _list_runs(cell)
    return changed


def name(nb: dict[str, Any], notebook_id: str) -> None:
    """Write the notebook's id into its metadata where there is none.

    Raises
    ------
    NotebookError
        As `home`.
    """
    ours = home(nb)
    if written_id(nb) is None:
        nb["metadata"]["hailuo"] = {
            "schema": SCHEMA,
            "runs": {},
            **(ours or {}),
            "id": notebook_id,
        }


def _list_runs(cell: dict[str, Any]) -> None:
    ids, metadata = shown_ids(cell), cell.get("metadata")
    if not isinstance(metadata, dict):
        return
    ours = metadata.get("hailuo")
    if ours is not None and not isinstance(ours, dict):
        return  # somebody else's
    if ids:
        metadata["hailuo"] = {**(ours or {}), "runs": ids}
    elif ours and "runs" in ours:
        rest = {key: value for key, value in ours.items() if key != "runs"}
        if rest:
            metadata["hailuo"] = rest
        else:
            del metadata["hailuo"]
