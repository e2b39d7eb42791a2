"""A sweep's plan in the run log and back: each point as the record that its runs begin with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.submission import Submission
from hailuo_jupyter.engine.sweep_runner import SweepItem
from hailuo_jupyter.errors import NOTHING_SENT, FrameError, RunLogError
from hailuo_jupyter.files import sha256
from hailuo_jupyter.kernel import context, generate
from hailuo_jupyter.kernel.rerun import recorded_request
from hailuo_jupyter.kernel.sweep.plan import Plan, Shape, log_for, preflight
from hailuo_jupyter.record import FrameRecord, Labels, OriginRecord, Record
from hailuo_jupyter.request import Request
from hailuo_jupyter.request.frames import Frame
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.queries import SweepRow
from hailuo_jupyter.settings import Hailuo

_FORMAT = 1

_AGAIN = "Rerun its cell; existing clips are reused."


def store(plan: Plan, engine: Engine) -> RunLog:
    """Store a plan before its first run is sent; return its log.

    Raises
    ------
    RunLogError, DiskError
        If it cannot be stored; nothing was sent.
    """
    log = log_for(engine, all(part.provider == "demo" for part in plan.parts))
    first = plan.parts[0].submission.origin
    log.keep_sweep(
        SweepRow(plan.sweep, first.notebook_id, plan.digest, engine.now(), False, _written(plan))
    )
    return log


def _written(plan: Plan) -> str:
    cells = [
        {
            "at": list(place),
            "record": json.loads(part.submission.record().to_json()),
            "frames": _identities(part.submission.request),
        }
        for place, part in zip(plan.shape.places, plan.parts, strict=True)
    ]
    return json.dumps(
        {
            "format": _FORMAT,
            "axes": [{"name": name, "values": list(values)} for name, values in plan.shape.axes],
            "count": plan.count,
            "new": plan.new,
            "output": plan.output,
            "cells": cells,
        },
        ensure_ascii=True,
    )


def _identities(request: Request) -> dict[str, str | None]:
    frames = {"first": request.first_frame, "last": request.last_frame}
    # A link is identified by its text, which may be signed and is not stored.
    return {
        role: frame.identity
        for role, frame in frames.items()
        if frame is not None and frame.url is None
    }


def load(row: SweepRow, engine: Engine, settings: Hailuo) -> Plan:
    """Return a stored plan, with the runs now missing.

    Parameters
    ----------
    row
        The sweep's row in the log.
    engine
        The engine with the logs.
    settings
        The settings in force now.

    Raises
    ------
    RunLogError
        If a newer version wrote it.
    FrameError
        If a frame is not available as it was chosen.
    """
    shape, count = shape_of(row)
    found = json.loads(row.plan_json)
    here = context.notebook().folder
    named = None if found["output"] is None else here / found["output"]
    folder = generate.output_folder(settings, named, here)
    parts = []
    for cell in found["cells"]:
        record = Record.from_json(json.dumps(cell["record"]))
        provider = engine.providers.of_record(record)
        frames = cell["frames"]
        request = recorded_request(
            record,
            _frame(record.request.first_frame, frames.get("first"), folder),
            _frame(record.request.last_frame, frames.get("last"), folder),
            kind=provider.kind(record.request.options),
        )
        if request.fingerprint != record.fingerprint:
            raise FrameError(
                f"A frame of sweep {row.sweep} was a signed link, and signatures are not saved.",
                money=NOTHING_SENT,
                todo=_AGAIN,
            )
        submission = Submission(
            request, provider, folder,
            record.origin or OriginRecord(notebook_id=row.notebook_id),
            key_folder=here, count=count, new=bool(found["new"]), yes=True,
            labels=Labels(tags=record.tags, note=record.note, name=record.name),
            sweep=row.sweep, position=record.position,
        )  # fmt: skip
        part = SweepItem(submission)
        preflight(engine, part)
        parts.append(part)
    return Plan(
        row.sweep, shape, tuple(parts), count, bool(found["new"]), found["output"], row.digest,
        settings.sweep_parallel,
    )  # fmt: skip


def shape_of(row: SweepRow) -> tuple[Shape, int]:
    """Return axes and positions of a sweep, and how many runs each point has.

    Raises
    ------
    RunLogError
        If a newer version wrote it.
    """
    found = json.loads(row.plan_json)
    if found.get("format") != _FORMAT:
        raise RunLogError(
            f"Sweep {row.sweep} was written by a newer version of hailuo-jupyter.",
            money=NOTHING_SENT,
            todo="Update hailuo-jupyter.",
        )
    axes = tuple((axis["name"], tuple(axis["values"])) for axis in found["axes"])
    return Shape(axes, tuple(tuple(cell["at"]) for cell in found["cells"])), found["count"]


def _frame(frame: FrameRecord | None, identity: str | None, folder: Path) -> Frame | None:
    """Return a frame as it was chosen: its stored file, by its hash, or its address."""
    if frame is None:
        return None
    if frame.url is not None:
        return Frame(f"url:{frame.url}", source=frame.source, url=frame.url)
    try:
        data = (folder / str(frame.kept)).read_bytes()
    except OSError:
        data = b""
    if identity is None or sha256(data) != frame.sha256:
        raise FrameError(
            f"The frame {frame.source} is no longer in {folder.name}/frames as it was chosen.",
            money=NOTHING_SENT,
            todo=_AGAIN,
        )
    made = Frame(identity, source=frame.source, data=data, sha256=frame.sha256)
    return replace(
        made, source_sha256=frame.source_sha256, format=frame.format,
        width=frame.width, height=frame.height, turned=frame.turned,
    )  # fmt: skip
