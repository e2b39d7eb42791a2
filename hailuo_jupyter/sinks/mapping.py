"""A record as flat parameters, figures and labels, with the same names in every sink."""

from __future__ import annotations

from hailuo_jupyter.record import FrameRecord, Record
from hailuo_jupyter.runlog.row import took_s
from hailuo_jupyter.states import State


def parameters(record: Record) -> dict[str, str | int | bool]:
    """Return the request's values, which never change."""
    request = record.request
    found: dict[str, str | int | bool] = {
        "prompt": request.prompt,
        "provider": record.provider,
        "model": record.model,
        "wire": record.wire,
        **request.options,
        "prompt_optimizer": request.prompt_optimizer,
    }
    for name, frame in (
        ("first_frame", request.first_frame),
        ("last_frame", request.last_frame),
    ):
        if frame is not None:
            found[name] = _frame(frame)
    return found


def figures(record: Record) -> dict[str, float]:
    """Return the comparable values: cost, time, the clip as read from its file, the rating."""
    clip, cost = record.clip, record.cost
    found: dict[str, float | None] = {
        "cost_usd": cost.actual,
        "cost_low_usd": cost.estimate_low,
        "cost_high_usd": cost.estimate_high,
        "seconds": took_s(record),
        "rating": record.rating,
        "clip_width": clip.width if clip else None,
        "clip_height": clip.height if clip else None,
        "clip_fps": clip.fps if clip else None,
        "clip_seconds": clip.duration_s if clip else None,
        "clip_bytes": clip.bytes if clip else None,
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def labels(record: Record) -> dict[str, str]:
    """Return other useful values: state, sweep, annotations, why it failed."""
    origin, problem = record.origin, record.problem
    found = {
        "run_id": record.run_id,
        "state": record.state.value,
        "provider": record.provider,
        "simulated": "true" if record.provider == "demo" else None,
        "fingerprint": record.fingerprint,
        "cost_kind": record.cost.kind,
        "sweep": record.sweep,
        "position": None if record.position is None else str(record.position),
        "parent": record.parent,
        "name": record.name,
        "tags": ", ".join(record.tags),
        "note": record.note,
        "notebook": origin.notebook_path if origin else None,
        "clip_sha256": record.clip.sha256 if record.clip else None,
        "problem": problem.what if problem and record.state is not State.COMPLETED else None,
        "repeatable": str(record.reproducibility.repeatable).lower(),
    }
    return {name: value for name, value in found.items() if value}


def began(record: Record) -> float:
    """Return when the run was created, in seconds since 1970."""
    return record.entered(State.PREPARED) or 0.0


def ended(record: Record) -> float:
    """Return when the run ended, in seconds since 1970."""
    return record.entered(record.state) or began(record)


def _frame(frame: FrameRecord) -> str:
    return f"{frame.source} sha256:{frame.sha256}" if frame.sha256 else frame.url or frame.source
