"""What a person asks for in one act, and what is done for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hailuo_jupyter.engine.annotate import record_of
from hailuo_jupyter.engine.decide import Act, Known
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.record import OriginRecord
from hailuo_jupyter.request import Request
from hailuo_jupyter.runlog import Row, RunLog


@dataclass(frozen=True)
class Order:
    """A request, and how it is wanted.

    Parameters
    ----------
    request, provider
        What, and from whom.
    folder
        Output folder, absolute.
    origin
        Where it was asked for; its notebook id is the scope in which runs are looked for again.
    key_folder
        The notebook's folder, where a ``.env`` may lie.
    count
        Runs of this request that are wanted.
    new
        Buy them even where the notebook has them.
    yes
        Buy under a budget, though nobody knows the price.
    most
        Buy at most so many of them now; None for all that are missing.
    tags, note, name, parent, sweep, position
        Kept in the record; see `hailuo_jupyter.record.prepare`. With `new`, runs of the same sweep
        serve all the same, so that a sweep can be gone on with.
    found
        Runs that serve it though their notebook went by another id, and what is to be said of each;
        filled in by `hailuo_jupyter.engine.placing.looked_for`.
    """

    request: Request
    provider: Provider
    folder: Path
    origin: OriginRecord
    key_folder: Path
    count: int = 1
    new: bool = False
    yes: bool = False
    most: int | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None
    name: str | None = None
    parent: str | None = None
    sweep: str | None = None
    position: int | None = None
    found: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Placed:
    """One run that serves an order, what was done for it, and what has to be said of it, if anything."""

    act: Act
    run: Run
    remark: str = ""


def earlier(order: Order, log: RunLog) -> list[Row]:
    """Give the earlier runs that may serve an order, those that serve it best first.

    A rerun is served by reruns of the same run alone. An ordinary cell shows the takes that it asked
    for itself before those that a rerun made; but it does not buy what one of them has bought.

    Parameters
    ----------
    order
        What is asked for; its notebook is the scope, with what was found for it beyond that.
    log
        The log of its provider's runs.

    Raises
    ------
    RunLogError
        If a newer version wrote one of them: nobody here can tell whether it serves.
    """
    rows = log.by_fingerprint(order.origin.notebook_id, order.request.fingerprint)
    own = {row.run_id for row in rows}
    rows += log.rows([run_id for run_id in order.found if run_id not in own])
    if order.new and order.sweep is not None:
        return [row for row in rows if record_of(row).sweep == order.sweep]
    if order.parent is not None:
        return [row for row in rows if record_of(row).parent == order.parent]
    return sorted(rows, key=lambda row: record_of(row).parent is not None)


def known(row: Row, log: RunLog, retention_s: float, now: float) -> Known:
    """Give what `decide` has to know of an earlier run.

    Parameters
    ----------
    row, log
        The run, and the log it is in.
    retention_s
        Seconds for which its provider keeps a clip.
    now
        Seconds since 1970.
    """
    clip, problem = row.record.clip, row.record.problem
    return Known(
        row.run_id,
        row.state,
        in_hand=row.owner is not None and log.alive(row.owner),
        clip_here=clip is not None and (row.folder / clip.path).is_file(),
        provider_keeps=now - row.created < retention_s,
        told=problem.what if problem else "",
        folder=row.folder.name,
        deleted=clip.deleted[:10] if clip and clip.deleted else "",
    )
