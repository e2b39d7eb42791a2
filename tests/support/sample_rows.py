"""Rows of the run log as the tests of the output need them: any state, at exact times."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hailuo_jupyter import catalogue
from hailuo_jupyter.catalogue.types import Cancellation
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.kernel.display.run_view import RunView
from hailuo_jupyter.record import prepare
from hailuo_jupyter.request import build
from hailuo_jupyter.runlog.log import Row
from hailuo_jupyter.states import State

#: Submitted then, in every row: 2026-11-20 12:03:00 UTC.
SUBMITTED = datetime(2026, 11, 20, 12, 3, tzinfo=UTC).timestamp()

FOLDER = Path("/notebooks/clips")
PROMPT = "A lighthouse at dusk, slow dolly in"

#: The way to each state, with the seconds after the submit at which it was entered.
_SENT = {"submitting": -1.0, "submitted": 0.0}
_MADE = {**_SENT, "generating": 9.0}
_DONE = {**_MADE, "downloading": 171.0}
WAYS: dict[State, dict[str, float]] = {
    State.PREPARED: {},
    State.UPLOADING: {"uploading": -2.0},
    State.SUBMITTING: {"submitting": -1.0},
    State.SUBMITTED: _SENT,
    State.QUEUED: {**_SENT, "queued": 4.0},
    State.GENERATING: _MADE,
    State.DOWNLOADING: _DONE,
    State.UNDOWNLOADED: {**_DONE, "undownloaded": 200.0},
    State.COMPLETED: {**_DONE, "completed": 4000.0},
    State.REJECTED: {"submitting": -1.0, "rejected": 0.0},
    State.FAILED: {**_MADE, "failed": 120.0},
    State.EXPIRED: {**_MADE, "expired": 4000.0},
    State.UNCONFIRMED: {"submitting": -1.0, "unconfirmed": 29.0},
}

CLIP = {
    "sha256": "c" * 64,
    "bytes": 5_312_000,
    "width": 1366,
    "height": 768,
    "fps": 24.0,
    "frames": 144,
    "duration_s": 6.0,
    "codec": "h264",
}


def shown_row(
    state: State,
    *,
    provider: str = "segmind",
    prompt: str = PROMPT,
    options: dict[str, Any] | None = None,
    problem: tuple[str, str, str, str] | None = None,
    clip: dict[str, Any] | None = None,
    folder: Path = FOLDER,
    watched: bool = True,
    **changes: Any,
) -> Row:
    """Make a row; `changes` are fields of its record."""
    offer = catalogue.provider(provider)
    request = build(prompt, offer, options=options or {}, base=folder)
    record = prepare(request, offer, at=SUBMITTED - 2)
    for name, seconds in WAYS[state].items():
        record = record.moved(State(name), at=SUBMITTED + seconds)
    if problem:
        changes["problem"] = dict(zip(("code", "what", "money", "todo"), problem, strict=True))
    if state is State.COMPLETED:
        changes["clip"] = {**CLIP, "path": f"{record.run_id}.mp4", **(clip or {})}
    if changes:
        record = record.changed(**changes)
    return Row(
        run_id=record.run_id,
        state=record.state,
        revision=record.revision,
        provider=provider,
        kind=request.kind,
        fingerprint=record.fingerprint,
        notebook_id=None,
        cell_id=None,
        folder=folder,
        job_id=None,
        owner="some process" if watched else None,
        created=SUBMITTED - 2,
        updated=SUBMITTED + 4000,
        record_json=record.to_json(),
    )


def shown(row: Row, after: float = 60.0, **how: Any) -> RunView:
    """Show a row so many seconds after its submit, in UTC, from the folder above its clips."""
    offer = catalogue.provider(row.provider)
    expected = offer.expected(row.record.request.options)
    if how.pop("can_cancel", False):
        offer = replace(offer, cancellation=Cancellation(False, None, "a page", "2026-11-01"))
    how = {"base": row.folder.parent, "tz": UTC, **how}
    timing = how.pop("timing", DurationEstimate(expected.median_s, expected.sigma))
    return RunView.from_facts(row, offer, timing, now=SUBMITTED + after, **how)
