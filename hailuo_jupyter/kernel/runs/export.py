"""Runs as data: dictionaries, CSV, JSON and pandas, with stable column names.

No column contains a user name or an absolute path.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hailuo_jupyter import catalogue, formatting, home
from hailuo_jupyter.errors import HailuoError, RecordUnreadable, unwritten
from hailuo_jupyter.files import atomic_write
from hailuo_jupyter.kernel.runs.filters import to_iso
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.runlog.row import took_s
from hailuo_jupyter.states import State

#: The columns and their content. New ones are added at the end, and none is renamed.
COLUMNS = {
    "run_id": "the run's id",
    "created": "when it was requested, UTC (ISO 8601)",
    "submitted": "when the provider accepted it, UTC; empty if it did not",
    "state": "state, as in the record",
    "provider": "provider; 'demo' for simulated clips",
    "model": "the provider's name for the model",
    "prompt": "prompt as requested",
    "options": "the provider's options, by name",
    "prompt_optimizer": "whether the prompt optimizer was on",
    "first_frame": "name of the first frame's file, 'url' or 'memory'",
    "last_frame": "same for the last frame",
    "took_s": "seconds from submission to the known end of the job",
    "cost_usd": "amount charged, if the provider reports it",
    "cost_low_usd": "lower estimate, USD",
    "cost_high_usd": "upper estimate, USD",
    "cost_kind": "kind of estimate: published, inferred, free or unknown",
    "notebook": "name of the notebook's file",
    "name": "variable that the run was assigned to",
    "tags": "tags",
    "note": "note",
    "rating": "0 to 5",
    "parent": "id of the run that this one is a rerun of",
    "sweep": "id of its sweep",
    "position": "position in the sweep, from 0",
    "clip": "the clip's path within its output folder",
    "clip_sha256": "of the file",
    "clip_bytes": "of the file",
    "clip_width": "pixels, as read from the file",
    "clip_height": "pixels, as read from the file",
    "clip_fps": "frames a second, as read from the file",
    "clip_duration_s": "seconds, as read from the file",
    "problem": "why it stopped",
    "fingerprint": "hash of the request; equal for equal requests",
}

_EMPTY: dict[str, Any] = dict.fromkeys(COLUMNS) | {"options": {}, "tags": []}

#: A spreadsheet reads a cell that starts with one of these as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def dicts(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return a dictionary for each run, with the keys of `COLUMNS` in their order."""
    return [_values(row) for row in rows]


def option_names() -> list[str]:
    """Return the providers' options, each of which has its own column in a table."""
    return list(catalogue.option_names())


def csv_text(found: Sequence[dict[str, Any]]) -> str:
    """Return runs as CSV (RFC 4180) with a header line; no cell of it is a formula.

    Each option has a column ``option_…``; tags are joined by commas. A text that a spreadsheet would
    read as a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    names = option_names()
    head = list(flat(_EMPTY, names))
    writer = csv.DictWriter(out, head)
    writer.writeheader()
    for each in found:
        writer.writerow({name: _cell(value) for name, value in flat(each, names).items()})
    return out.getvalue()


def flat(values: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return a run's values with a column for each option, and its tags as one text."""
    options = values["options"]
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name == "options":
            found |= {f"option_{option}": options.get(option) for option in names}
        else:
            found[name] = ", ".join(value) if name == "tags" else value
    return found


def json_text(found: Sequence[dict[str, Any]]) -> str:
    """Return runs as a JSON list of objects, safe to print in a terminal."""
    document = json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False)
    return formatting.escape_control_json(document) + "\n"


def to_dataframe(found: Sequence[dict[str, Any]]) -> Any:
    """Return runs as a pandas DataFrame; times are datetimes.

    Raises
    ------
    HailuoError
        If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise HailuoError(
            "pandas is not installed.",
            todo="Run '%pip install pandas', or use to_dicts(), to_csv(path) or to_json(path).",
        ) from error
    names = option_names()
    table = pd.DataFrame.from_records(
        [flat(each, names) for each in found], columns=list(flat(_EMPTY, names))
    )
    for name in ("created", "submitted"):
        table[name] = pd.to_datetime(table[name], utc=True)
    return table


def write_file(path: str | Path, text: str) -> None:
    """Write a file atomically.

    Raises
    ------
    DiskFull, FolderNotWritable
        If it cannot be written.
    """
    target = home.expand(path)
    try:
        atomic_write(target, text.encode())
    except OSError as error:
        raise unwritten(error)(
            f"{target.name} could not be written: {error.strerror or os.strerror(error.errno or 0)}.",
            money="The run log has all runs; nothing is lost.",
            todo="Use another path, or free some space.",
        ) from error


def _cell(value: object) -> object:
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value


def _values(row: Row) -> dict[str, Any]:
    try:
        record = row.record
    except RecordUnreadable as error:
        present = {
            "run_id": row.run_id,
            "created": to_iso(row.created),
            "state": row.state.value,
            "provider": row.provider,
            "problem": error.what,
            "fingerprint": row.fingerprint,
        }
        return {**_EMPTY, **present}
    request, cost, clip = record.request, record.cost, record.clip
    submitted = record.entered(State.SUBMITTED)
    values = (
        row.run_id,
        to_iso(row.created),
        None if submitted is None else to_iso(submitted),
        row.state.value,
        row.provider,
        record.model,
        request.prompt,
        dict(request.options),
        request.prompt_optimizer,
        request.first_frame.source if request.first_frame else None,
        request.last_frame.source if request.last_frame else None,
        took_s(record),
        cost.actual,
        cost.estimate_low,
        cost.estimate_high,
        cost.kind,
        record.origin.notebook_path if record.origin else None,
        record.name,
        list(record.tags),
        record.note,
        record.rating,
        record.parent,
        record.sweep,
        record.position,
        *((clip.path, clip.sha256, clip.bytes, clip.width, clip.height, clip.fps, clip.duration_s)
          if clip else (None,) * 7),
        record.problem.what if record.problem else None,
        row.fingerprint,
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))
