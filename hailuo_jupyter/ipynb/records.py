"""Records in a notebook: in its outputs, in its metadata, in its cells' metadata.

A notebook may come from anybody, so whatever is in the place of a record is looked at before it
is believed, and what is not ours is left as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hailuo_jupyter.errors import NotebookError
from hailuo_jupyter.ids import PATTERN
from hailuo_jupyter.kernel.display.bundle import MIME
from hailuo_jupyter.links import shared
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.reference import is_reference

#: The form of ``metadata.hailuo`` that this version writes.
SCHEMA = 1

_ID_LENGTH = 64

_RUN_ID = re.compile(PATTERN)


@dataclass
class Output:
    """One output that shows runs, and the cell it is in.

    Parameters
    ----------
    cell, output
        As they are in the notebook.
    raw
        What the output holds of each run: its record, or a reference to it.
    records
        The records that can be read, in order. In place of a reference it is the metadata's, which may
        be a later one.
    revisions
        The revision of each of `records` that the output shows.
    missing
        Ids of runs to whose records it refers, and that the notebook's metadata does not have.
    run_ids
        The ids of all of these, in order.
    """

    cell: dict[str, Any]
    output: dict[str, Any]
    raw: list[dict[str, Any]]
    records: list[Record] = field(default_factory=list)
    revisions: list[int] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    run_ids: list[str] = field(default_factory=list)


def outputs(nb: dict[str, Any]) -> Iterator[Output]:
    """Yield every output that shows runs, in order."""
    kept = _kept(nb)
    for cell in code_cells(nb):
        found = cell.get("outputs")
        for output in found if isinstance(found, list) else ():
            if isinstance(output, dict) and (raw := _shown(output)):
                yield _read_output(cell, output, raw, kept)


def _read_output(
    cell: dict[str, Any],
    output: dict[str, Any],
    raw: list[dict[str, Any]],
    kept: Mapping[str, object],
) -> Output:
    made = Output(cell, output, raw)
    for each in raw:
        if not is_reference(each):
            if record := readable(each):
                made.records.append(record)
                made.revisions.append(record.revision)
                made.run_ids.append(record.run_id)
            continue
        run_id, shown = each.get("run_id"), revision(each)
        if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id) or shown < 0:
            continue  # as unreadable as a record may be
        made.run_ids.append(run_id)
        referred = readable(kept.get(run_id))
        if referred and referred.run_id == run_id and referred.revision >= shown:
            made.records.append(referred)
            made.revisions.append(shown)
        else:
            made.missing.append(run_id)
    return made


def _kept(nb: dict[str, Any]) -> Mapping[str, object]:
    """Return the runs in the notebook's metadata; none where something else is there."""
    found: Any = nb
    for name in ("metadata", "hailuo", "runs"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def code_cells(nb: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every code cell, in order."""
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
    """Return the record that some JSON holds, checked; None where it holds none."""
    try:
        return read(value)
    except ValueError:
        return None


def read(value: object) -> Record:
    """Return the record that some JSON holds.

    Raises
    ------
    ValueError
        In one line, if it holds none.
    """
    try:
        text = json.dumps(value)
    except RecursionError:
        raise ValueError("This is not a record of a run: it is nested too deeply") from None
    except TypeError as error:
        raise ValueError("This is not a record of a run: it is not JSON") from error
    return Record.from_json(text)


def revision(value: object) -> int:
    """Return the revision that a stored record claims; -1 where it claims none."""
    found = value.get("revision") if isinstance(value, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else -1


def hailuo_metadata(nb: dict[str, Any]) -> dict[str, Any] | None:
    """Return ``metadata.hailuo``; None where there is none.

    Raises
    ------
    NotebookError
        If something else is there, or what a newer version wrote.
    """
    found = nb["metadata"].get("hailuo")
    if found is None:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("runs", {}), dict):
        raise NotebookError(
            "The notebook's metadata has unknown content under 'hailuo'.",
            money="Nothing was changed.",
            todo="Remove it, and run 'jupyter hailuo sync' again.",
        )
    if found.get("schema", SCHEMA) != SCHEMA:
        raise NotebookError(
            f"The notebook's metadata has an unknown form: schema {found.get('schema')!a}.",
            money="Nothing was changed.",
            todo="Install the newest hailuo-jupyter.",
        )
    return found


def stored(nb: dict[str, Any]) -> dict[str, Any]:
    """Return the runs in the notebook's metadata by id, as they stand there.

    Raises
    ------
    NotebookError
        As `home`.
    """
    found = (hailuo_metadata(nb) or {}).get("runs", {})
    return dict(found)


def written_id(nb: dict[str, Any]) -> str | None:
    """Return the notebook's id in its metadata; None where there is none that could be one."""
    found = nb["metadata"].get("hailuo")
    given = found.get("id") if isinstance(found, dict) else None
    return given if isinstance(given, str) and 0 < len(given) <= _ID_LENGTH else None


def listed_runs(cell: dict[str, Any]) -> list[str]:
    """Return the run ids that a cell's metadata lists."""
    metadata = cell.get("metadata")
    ours = metadata.get("hailuo") if isinstance(metadata, dict) else None
    found = ours.get("runs") if isinstance(ours, dict) else None
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def shown_ids(cell: dict[str, Any]) -> list[str]:
    """Return the ids of the runs that a cell's outputs show, each once, in order."""
    ids = [run_id for output in outputs({"cells": [cell]}) for run_id in output.run_ids]
    return list(dict.fromkeys(ids))


def kept_revisions(nb: dict[str, Any]) -> dict[str, int]:
    """Return the revision of each run whose record the notebook's metadata has, and that can be read."""
    found = ((run_id, readable(value)) for run_id, value in _kept(nb).items())
    # Under another run's id no reference finds it.
    return {
        run_id: record.revision for run_id, record in found if record and record.run_id == run_id
    }


def lift_records(nb: dict[str, Any], notebook_id: str, more: Iterable[Record] = ()) -> int:
    """Update the notebook's metadata with the records that its outputs show.

    A record with a lower revision never replaces one with a higher, so that this may be repeated. One that
    is under another run's id moves to its own.

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
    ours, runs = hailuo_metadata(nb), stored(nb)
    found = [record for output in outputs(nb) for record in output.records]
    changed: set[str] = set()
    for run_id, value in list(runs.items()):
        record = readable(value)
        if record and record.run_id != run_id:
            found.append(record)
            del runs[run_id]
    for record in (*found, *more):
        if revision(runs.get(record.run_id)) < record.revision:
            runs[record.run_id] = shared(json.loads(record.to_json()))
            changed.add(record.run_id)
    if runs or ours is not None:
        # A node of nbformat's has to stay one, so its kind of mapping is asked for.
        kept = ours if ours is not None else {}
        kept |= {"schema": SCHEMA, "id": written_id(nb) or notebook_id, "runs": runs}
        nb["metadata"]["hailuo"] = kept
    for cell in code_cells(nb):
        _list_runs(cell)
    return len(changed)


def write_id(nb: dict[str, Any], notebook_id: str) -> None:
    """Write the notebook's id into its metadata where there is none.

    Raises
    ------
    NotebookError
        As `home`.
    """
    ours = hailuo_metadata(nb)
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
