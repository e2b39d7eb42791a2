"""A sweep's plan in the run log and back: each point as the record that its runs begin with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.order import Order
from hailuo_jupyter.engine.sweep import Part
from hailuo_jupyter.errors import NOTHING_SENT, FrameError, RunLogError
from hailuo_jupyter.frame import Frame, sha256
from hailuo_jupyter.kernel import generate, origin
from hailuo_jupyter.kernel.sweep.plan import Plan, Shape, log_for, look
from hailuo_jupyter.record import FrameRecord, OriginRecord, Record, prepare
from hailuo_jupyter.request import Request
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.sweeps import SweepRow
from hailuo_jupyter.settings import Hailuo

_FORMAT = 1

_AGAIN = "Run its cell again; that buys what is missing and nothing twice."


def keep(plan: Plan, engine: Engine) -> RunLog:
    """Write a plan down, before its first run is sent; gives the log that holds it.

    Raises
    ------
    RunLogError, DiskError
        If it cannot be; nothing was sent.
    """
    log = log_for(engine, all(part.provider == "demo" for part in plan.parts))
    first = plan.parts[0].order.origin
    log.keep_sweep(
        SweepRow(plan.sweep, first.notebook_id, plan.digest, engine.now(), False, _written(plan))
    )
    return log


def _written(plan: Plan) -> str:
    cells = [
        {"at": list(at), "record": _record(part.order), "frames": _identities(part.order.request)}
        for at, part in zip(plan.shape.places, plan.parts, strict=True)
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


def _record(order: Order) -> Any:
    record = prepare(
        order.request, order.provider, origin=order.origin, tags=order.tags, note=order.note,
        name=order.name, sweep=order.sweep, position=order.position, frames_kept=True,
    )  # fmt: skip
    return json.loads(record.to_json())


def _identities(request: Request) -> dict[str, str | None]:
    frames = {"first": request.first_frame, "last": request.last_frame}
    # A link is known by its text, which may be signed and is not kept.
    return {
        role: frame.identity
        for role, frame in frames.items()
        if frame is not None and frame.url is None
    }


def read(row: SweepRow, engine: Engine, settings: Hailuo) -> Plan:
    """Give the plan that the log holds, with what it lacks by now.

    Parameters
    ----------
    row
        As the log has it.
    engine
        Tells what each point lacks.
    settings
        In force now.

    Raises
    ------
    RunLogError
        If a newer version wrote it.
    FrameError
        If a frame is not at hand as it was chosen.
    """
    shape, count = shape_of(row)
    found = json.loads(row.plan_json)
    here = origin.notebook().folder
    folder = generate.output_folder(settings, found["output"], here)
    parts = []
    for cell in found["cells"]:
        record = Record.from_json(json.dumps(cell["record"]))
        provider = engine.wires.provider(record.provider, record.dialect)
        frames = cell["frames"]
        request = Request(
            prompt=record.request.prompt,
            provider=record.provider,
            model=record.model,
            dialect=record.dialect,
            wire=record.wire,
            options=record.request.options,
            prompt_optimizer=record.request.prompt_optimizer,
            first_frame=_frame(record.request.first_frame, frames.get("first"), folder),
            last_frame=_frame(record.request.last_frame, frames.get("last"), folder),
            kind=provider.kind(record.request.options),
        )
        if request.fingerprint != record.fingerprint:
            raise FrameError(
                f"A frame of sweep {row.sweep} was a link whose signature is not kept.",
                money=NOTHING_SENT,
                todo=_AGAIN,
            )
        order = Order(
            request, provider, folder,
            record.origin or OriginRecord(notebook_id=row.notebook_id),
            key_folder=here, count=count, new=bool(found["new"]), yes=True,
            tags=tuple(record.tags), note=record.note, name=record.name,
            sweep=row.sweep, position=record.position,
        )  # fmt: skip
        part = Part(order)
        look(engine, part)
        parts.append(part)
    return Plan(
        row.sweep, shape, tuple(parts), count, bool(found["new"]), found["output"], row.digest,
        settings.sweep_parallel,
    )  # fmt: skip


def shape_of(row: SweepRow) -> tuple[Shape, int]:
    """Give axes and places of a sweep, and how many runs each place wants.

    Raises
    ------
    RunLogError
        If a newer version wrote it.
    """
    found = json.loads(row.plan_json)
    if found.get("format") != _FORMAT:
        raise RunLogError(
            f"A newer version of hailuo-jupyter wrote sweep {row.sweep}.",
            money=NOTHING_SENT,
            todo="Update hailuo-jupyter.",
        )
    axes = tuple((axis["name"], tuple(axis["values"])) for axis in found["axes"])
    return Shape(axes, tuple(tuple(cell["at"]) for cell in found["cells"])), found["count"]


def _frame(frame: FrameRecord | None, identity: str | None, folder: Path) -> Frame | None:
    """Give a frame as it was chosen: its kept file, by its hash, or its address."""
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
