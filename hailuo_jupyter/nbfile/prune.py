"""``jupyter hailuo prune``: deleting what was planned, as far as it is still what it was.

The run stays in the log, with the day on which its clip was deleted, so that running its cell again
does not buy the clip anew without a word.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from pathlib import Path

from hailuo_jupyter.nbfile.logs import all_rows
from hailuo_jupyter.nbfile.prune_plan import Candidate, Doomed, kept_frames, needed_frames
from hailuo_jupyter.record import Record


@dataclass
class Pruned:
    """What was deleted: runs, files, bytes; and what could not be, each in a sentence."""

    runs: int = 0
    files: int = 0
    bytes: int = 0
    forgotten: int = 0
    remarks: list[str] = field(default_factory=list)


def prune(candidates: Iterable[Candidate], *, forget: bool, now: float | None = None) -> Pruned:
    """Delete what was planned, as far as it is still what it was.

    Parameters
    ----------
    candidates
        Of `plan`.
    forget
        Take the runs out of the log, too: then nothing keeps their cells from buying anew. What was
        paid for them still counts.
    now
        Seconds since 1970; this machine's clock if None.

    Raises
    ------
    RunLogError, DiskError
        If a log cannot be changed; what was deleted before is deleted.
    """
    at = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    moment = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    done, pruned = Pruned(), set[str]()
    everything = list(candidates)
    for each in everything:
        if _prune_one(each, done, forget=forget, moment=moment):
            pruned.add(each.row.run_id)
    _prune_frames(everything, pruned, done, moment)
    return done


def _prune_one(candidate: Candidate, done: Pruned, *, forget: bool, moment: str) -> bool:
    """Delete a run's clip and sidecar; False where its clip stays."""
    row, log, clip = candidate.row, candidate.log, candidate.clip
    files = [each for each in (clip, candidate.sidecar) if each]
    # One step for all processes: nobody begins to fetch this clip anew meanwhile. The files go
    # first, since a full disk may be why this is done, and then the log takes nothing before.
    with log.exclusive():
        latest = log.find(row.run_id)
        if latest is None or (latest.revision, latest.folder) != (row.revision, row.folder):
            done.remarks.append(f"Run {row.run_id} has changed meanwhile, and stays.")
            return False
        # The clip first: where it stays, so does all that belongs to it.
        gone = {each.path for each in takewhile(lambda each: _delete(each, done), files)}
        if forget and len(gone) == len(files):
            done.forgotten += log.forget(row.run_id)
        elif gone:
            change = partial(_without, folder=row.folder, gone=gone, moment=moment)
            log.update(row.run_id, change)
    done.runs += bool(gone)
    return clip is None or clip.path in gone


def _prune_frames(candidates: list[Candidate], pruned: set[str], done: Pruned, moment: str) -> None:
    """Delete frames that still no other run needs, and have every record that names one say so."""
    frames = {each.path: each for one in candidates for each in one.frames.values()}
    logs = {each.log.path: each.log for each in candidates if frames}
    with ExitStack() as stack:
        # Looked at anew, and as one step: a run may have been begun meanwhile that has one of them.
        for path in sorted(logs):
            stack.enter_context(logs[path].exclusive())
        rows = [(row, log) for log in logs.values() for row in all_rows(log)]
        needed = needed_frames([row for row, _ in rows], pruned)
        gone = {
            path for path, doomed in frames.items() if path not in needed and _delete(doomed, done)
        }
        for row, log in rows:
            if gone.intersection(path for _, path in kept_frames(row.record, row.folder)):
                change = partial(_without, folder=row.folder, gone=gone, moment=moment)
                log.update(row.run_id, change)


def _without(record: Record, *, folder: Path, gone: set[Path], moment: str) -> Record:
    changes: dict[str, object] = {}
    if record.clip is not None and folder / record.clip.path in gone:
        changes["clip"] = {"deleted": moment}
    frames = {
        role: getattr(record.request, role).model_copy(update={"kept": None})
        for role, path in kept_frames(record, folder)
        if path in gone
    }
    if frames:  # what can be repeated is told anew, too
        changes["request"] = frames
    return record.changed(**changes) if changes else record


def _delete(doomed: Doomed, done: Pruned) -> bool:
    try:
        found = doomed.path.lstat()
        if (found.st_ino, found.st_size, found.st_mtime_ns) != doomed.seen:
            done.remarks.append(f"{doomed.path.name} was changed meanwhile, and stays.")
            return False
        doomed.path.unlink()
    except FileNotFoundError:
        return True
    except OSError as error:
        done.remarks.append(f"{doomed.path.name} could not be deleted: {error.strerror}.")
        return False
    done.files += 1
    done.bytes += doomed.bytes
    return True
