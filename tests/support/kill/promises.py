"""The promises, as sentences about what a killed engine left."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import Row, peek_unfinished
from hailuo_jupyter.states import State
from tests.support.kill.case import Outcome, Work
from tests.support.kill.provider import NO_HISTORY


def judged(work: Work, outcome: Outcome, before: Row | None, after: Row | None) -> list[str]:
    """Say which promise does not hold after the take-over."""
    wrong = []
    if outcome.bought > 1:
        wrong.append(f"{outcome.bought} jobs were bought for one run")
    if after is None:
        return [*wrong, "bought, and in no log"] if outcome.bought else wrong
    allowed = {State.COMPLETED} if outcome.known else {State.PREPARED}
    if before is not None and before.state is State.SUBMITTING:
        # The log cannot know; the provider's history may tell of what was really bought.
        settled = outcome.bought and work.settles
        allowed = {State.COMPLETED if settled else State.UNCONFIRMED}
        if NO_HISTORY not in work.key:
            allowed.add(State.COMPLETED if outcome.bought else State.PREPARED)
    if after.state not in allowed:
        wrong.append(f"the run is {after.state}, and not {' or '.join(sorted(allowed))}")
    if after.state is State.PREPARED and outcome.bought:
        wrong.append("said not to be sent, and bought")
    problem = after.record.problem
    if after.state in {State.UNCONFIRMED, State.PREPARED} and not (problem and problem.todo):
        wrong.append(f"{after.state}, and nothing is said to do")
    if after.state is State.COMPLETED:
        wrong += finished(after)
    if after.owner is not None:
        wrong.append("a dead process still holds the run")
    if peek_unfinished(work.log) and after.state is not State.PREPARED:
        wrong.append(f"{after.state}, and still unfinished")
    return wrong


def finished(row: Row) -> list[str]:
    """Say what is missing of a completed run: its clip, and the same record beside it."""
    clip, beside = row.record.clip, row.folder / f"{row.run_id}.json"
    wrong = []
    if clip is None or not (row.folder / clip.path).is_file():
        wrong.append("completed without a clip")
    elif hashlib.sha256((row.folder / clip.path).read_bytes()).hexdigest() != clip.sha256:
        wrong.append("the clip is not the one of the record")
    if not beside.is_file():
        wrong.append("completed without a sidecar")
    elif Record.from_json(beside.read_bytes()) != row.record:
        wrong.append("the sidecar and the log disagree")
    return wrong


def leftovers(clips: Path) -> list[str]:
    """Return the files in an output folder that are neither clip, sidecar nor frame."""
    return [
        path.name
        for path in clips.rglob("*")
        if path.is_file() and (path.name.startswith(".") or path.suffix in {".part", ".tmp"})
    ]
