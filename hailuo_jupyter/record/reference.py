"""What an output may hold of a run instead of its record, which is in the notebook's metadata then.

A reference has the run's id and revision, and what the lab extension draws without the record. Who writes
one has the record in the metadata already, or writes it there at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: A reference has it, set to true, and no record has it.
_MARK = "reference"


def is_reference(value: object) -> bool:
    """Return whether some JSON in the place of a record is a reference to one."""
    return isinstance(value, dict) and value.get(_MARK) is True


def with_references(shown: Mapping[str, Any], known: Mapping[str, int]) -> dict[str, Any]:
    """Return what an output holds of its runs, with references where the metadata has the record.

    Parameters
    ----------
    shown
        One record, or ``{"runs": [record, …]}`` with whatever else the output holds.
    known
        The revision of each run's record in the notebook's metadata. One that is older than the output's
        does not count.
    """
    if "run_id" in shown:
        return _referred(shown, known)
    runs = [_referred(each, known) for each in shown.get("runs", ())]
    return {**shown, "runs": runs}


def _referred(record: Mapping[str, Any], known: Mapping[str, int]) -> dict[str, Any]:
    if known.get(record["run_id"], -1) < record["revision"]:
        return dict(record)
    clip = record.get("clip")
    return {
        _MARK: True,
        "run_id": record["run_id"],
        "revision": record["revision"],
        "state": record["state"],
        "rating": record.get("rating"),
        # Its path: the page finds the clip's link by it, even where the metadata lacks the record.
        "clip": clip and {"duration_s": clip["duration_s"], "path": clip["path"]},
    }
