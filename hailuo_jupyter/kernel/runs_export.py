"""Runs as data: dictionaries, CSV, JSON and pandas, with columns whose names stay.

No column holds a name of a user or an absolute path.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hailuo_jupyter import catalogue
from hailuo_jupyter.errors import HailuoError, unwritten
from hailuo_jupyter.kernel import words
from hailuo_jupyter.kernel.filters import iso
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.runlog.schema import took_s
from hailuo_jupyter.states import State
from hailuo_jupyter.whole import write_whole

#: What each column holds. New ones are put at the end, and none is renamed.
COLUMNS = {
    "run_id": "the run's id",
    "created": "when it was asked for, UTC (ISO 8601)",
    "submitted": "when the provider accepted it, UTC; empty if it never did",
    "state": "its state, as in the record",
    "provider": "whom it asked; 'demo' for simulated clips",
    "model": "the provider's name of the model",
    "prompt": "as asked",
    "options": "the provider's options, by name",
    "prompt_optimizer": "whether the provider was asked to rewrite the prompt",
    "first_frame": "name of the first frame's file, 'url' or 'memory'",
    "last_frame": "the same of the last frame",
    "took_s": "seconds from the submit's answer to the job's known end",
    "cost_usd": "what the provider says it charged; empty where it does not tell",
    "cost_low_usd": "the estimate, from",
    "cost_high_usd": "the estimate, to",
    "cost_kind": "of the estimate: published, inferred, free or unknown",
    "notebook": "name of the notebook's file",
    "name": "the variable that the run was given to",
    "tags": "the person's tags",
    "note": "the person's note",
    "rating": "0 to 5",
    "parent": "id of the run that this one repeats with changes",
    "sweep": "id of its sweep",
    "position": "its place in the sweep, from 0",
    "clip": "the clip's path within its output folder",
    "clip_sha256": "of the file",
    "clip_bytes": "of the file",
    "clip_width": "pixels, as read from the file",
    "clip_height": "pixels, as read from the file",
    "clip_fps": "frames a second, as read from the file",
    "clip_duration_s": "seconds, as read from the file",
    "problem": "why it did not go on",
    "fingerprint": "of the request: equal requests have equal ones",
}

_EMPTY: dict[str, Any] = dict.fromkeys(COLUMNS) | {"options": {}, "tags": []}

#: At the start of a cell a spreadsheet takes these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def dicts(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Give a dictionary for each run, with the keys of `COLUMNS` in their order."""
    return [_values(row) for row in rows]


def option_names() -> list[str]:
    """Give the providers' options, each of which has a column of its own in a table."""
    choices = (choice.name for each in catalogue.providers() for choice in each.choices)
    return list(dict.fromkeys(choices))


def csv_text(found: Sequence[dict[str, Any]]) -> str:
    """Give runs as CSV (RFC 4180) with a head line; no cell of it is a formula.

    Each option has a column ``option_…``; tags are joined by commas. A text that a spreadsheet would
    take for a formula gets an apostrophe in front.
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
    """Give a run's values with a column for each option, and its tags as one text."""
    options = values["options"]
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name == "options":
            found |= {f"option_{option}": options.get(option) for option in names}
        else:
            found[name] = ", ".join(value) if name == "tags" else value
    return found


def json_text(found: Sequence[dict[str, Any]]) -> str:
    """Give runs as a JSON list of objects, which does no harm to a terminal."""
    document = json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False)
    return words.harmless_json(document) + "\n"


def frame(found: Sequence[dict[str, Any]]) -> Any:
    """Give runs as a pandas DataFrame; times are datetimes.

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


def write(path: str | Path, text: str) -> None:
    """Write a file, whole or not at all.

    Raises
    ------
    DiskFull, FolderNotWritable
        If it cannot be written.
    """
    target = Path(path).expanduser()
    try:
        write_whole(target, text.encode())
    except OSError as error:
        raise unwritten(error)(
            f"{target.name} could not be written: {error.strerror or os.strerror(error.errno or 0)}.",
            money="The run log has all runs; nothing is lost.",
            todo="Give another path, or make room.",
        ) from error


def _cell(value: object) -> object:
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value


def _values(row: Row) -> dict[str, Any]:
    record = row.record
    request, cost, clip = record.request, record.cost, record.clip
    submitted = record.entered(State.SUBMITTED)
    values = (
        row.run_id,
        iso(row.created),
        None if submitted is None else iso(submitted),
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
