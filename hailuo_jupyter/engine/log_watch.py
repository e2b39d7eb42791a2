"""Processes that share a run log: changes by others, and this process's heartbeat.

An owner that is alive but whose heartbeat does not advance (see `hailuo_jupyter.runlog.heartbeats`) is
stopped, for example by a debugger or in a paused container. This process claims what such an owner has
bought.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from hailuo_jupyter.engine.resources import OwnedLog, Resources
from hailuo_jupyter.engine.supervisor import RunSupervisor
from hailuo_jupyter.errors import HailuoError, OwnerStopped
from hailuo_jupyter.runlog import Row, heartbeats, ownership
from hailuo_jupyter.runlog.heartbeats import OwnerWatch
from hailuo_jupyter.states import RESUMABLE, SETTLED

logger = logging.getLogger(__name__)


async def keep_beating(resources: Resources, supervisor: RunSupervisor) -> None:
    """Advance the heartbeat in the logs while this process has active runs, until cancelled.

    Runs on the engine's loop: if that is blocked, nothing is polled, and the heartbeat must stop too.
    """
    while True:
        if supervisor.active_ids():
            for owned in resources.logs.opened():
                try:
                    owned.log.beat(owned.owner.id)
                except HailuoError:
                    logger.debug("no heartbeat could be written", exc_info=True)
        await resources.clock.sleep(heartbeats.LIMITS.beat_s)


async def watch_log(resources: Resources, supervisor: RunSupervisor) -> None:
    """Publish what changes in the log, and claim runs of dead and stopped processes, until cancelled."""
    events = resources.events
    watches = {demo: OwnerWatch(resources.clock.monotonic) for demo in (False, True)}
    while True:
        await asyncio.sleep(resources.timings.log_watch_s)
        others: dict[bool, list[Row]] = {}
        for row in events.rows():
            if row.state not in SETTLED and not supervisor.is_active(row.run_id):
                others.setdefault(row.provider == "demo", []).append(row)
        held: dict[str, OwnerStopped] = {}
        for demo, rows in others.items():
            try:
                owned = resources.logs.of(rows[0].provider)
                held |= _catch_up(rows, owned, resources, supervisor, watches[demo])
            except HailuoError:
                logger.warning("the run log could not be read", exc_info=True)
        changed = supervisor.held.keys() ^ held.keys()
        supervisor.held = held
        for run_id in changed:
            if (latest := events.get(run_id)) is not None:
                events.publish(latest)  # views and waiters check it again


def _catch_up(
    rows: Sequence[Row],
    owned: OwnedLog,
    resources: Resources,
    supervisor: RunSupervisor,
    watch: OwnerWatch,
) -> dict[str, OwnerStopped]:
    """Publish the new state of some runs of a log; return those that only a stopped process may send."""
    versions = {row.run_id: (row.revision, row.owner) for row in rows}
    current = owned.log.rows([*versions])
    for row in current:
        if (row.revision, row.owner) != versions[row.run_id]:
            resources.events.publish(row)
    owners = {row.owner for row in current if row.owner is not None} - {owned.owner.id}
    beats = owned.log.beats([owner for owner in owners if owned.log.alive(owner)])
    watch.see(beats)
    stopped = watch.stopped
    held = {
        row.run_id: ownership.stopped_owner_error(row, beats[row.owner])
        for row in current
        if row.owner in stopped and row.state not in RESUMABLE
    }
    abandoned = [row for row in current if row.owner in (owners - beats.keys()) | stopped.keys()]
    orphans = [
        row
        for row in abandoned
        if row.run_id not in held and not supervisor.account_checks.is_waiting(row.run_id)
    ]
    if orphans:
        supervisor.claim(orphans, owned, stopped)
    return held
