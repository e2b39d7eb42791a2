"""Delete files of runs, if they are unchanged: ``jupyter hailuo prune``, and a card's "Delete clip".

The run stays in the log, with the day on which its clip was deleted, so that running its cell again
does not silently buy the clip again.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from pathlib import Path

from hailuo_jupyter.engine.clip_location import clip_path, is_clip
from hailuo_jupyter.files import sha256_of
from hailuo_jupyter.ipynb.locate import all_rows, unreadable_message
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.paths import is_sidecar_name, sidecar_name, stem_of
from hailuo_jupyter.record.sidecar import read_file, read_sidecar
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import FINAL, State


@dataclass
class Pruned:
    """What was deleted: runs, files, bytes; and a sentence for each file that could not be."""

    runs: int = 0
    files: int = 0
    bytes: int = 0
    forgotten: int = 0
    remarks: list[str] = field(default_factory=list)


def prune(candidates: Iterable[Candidate], *, forget: bool, now: float | None = None) -> Pruned:
    """Delete the planned files, if they are unchanged.

    Parameters
    ----------
    candidates
        From `plan`.
    forget
        Remove the runs from the log, too: then their cells buy again. Their cost
        still counts.
    now
        Seconds since 1970; the system clock if None.

    Raises
    ------
    RunLogError, DiskError
        If a log cannot be changed; what was deleted before is deleted.
    """
    deleted_at = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    moment = deleted_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    done, pruned = Pruned(), set[str]()
    everything = list(candidates)
    for each in everything:
        if _prune_one(each, done, forget=forget, moment=moment):
            pruned.add(each.row.run_id)
    _prune_frames(everything, pruned, done, moment)
    return done


def _prune_one(candidate: Candidate, done: Pruned, *, forget: bool, moment: str) -> bool:
    """Delete a run's clip and sidecar; False if its clip stays."""
    row, log, clip = candidate.row, candidate.log, candidate.clip
    files = [each for each in (clip, candidate.sidecar) if each]
    # One step for all processes: no process starts to download this clip again meanwhile. The files go
    # first, since a full disk may be the reason for this, and then the log cannot be written before.
    with log.exclusive():
        latest = log.find(row.run_id)
        if latest is None or (latest.revision, latest.folder) != (row.revision, row.folder):
            done.remarks.append(f"Run {row.run_id} has changed in the meantime and was kept.")
            return False
        # The clip first: if it stays, so does everything that belongs to it.
        gone = {each.path for each in takewhile(lambda each: _delete(each, done), files)}
        if forget and len(gone) == len(files):
            done.forgotten += log.forget(row.run_id)
        elif gone:
            change = partial(_without, folder=row.folder, gone=gone, moment=moment)
            log.update(row.run_id, change)
    done.runs += bool(gone)
    return clip is None or clip.path in gone


def _prune_frames(candidates: list[Candidate], pruned: set[str], done: Pruned, moment: str) -> None:
    """Delete frames that no other run needs, and record that in every record that names one."""
    frames = {each.path: each for one in candidates for each in one.frames.values()}
    logs = {each.log.path: each.log for each in candidates if frames}
    with ExitStack() as stack:
        # Checked again, and in one transaction: a new run may use one of them meanwhile.
        for path in sorted(logs):
            stack.enter_context(logs[path].exclusive())
        read = [(log, *all_rows(log)) for log in logs.values()]
        rows = [(row, log) for log, readable, _ in read for row in readable]
        needed = needed_frames([row for row, _ in rows], pruned)
        needed |= frames_beside(row for _, _, others in read for row in others)
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
    if frames:  # whether the run can be repeated has to be updated, too
        changes["request"] = frames
    return record.changed(**changes) if changes else record


def _delete(doomed: DeletableFile, done: Pruned) -> bool:
    try:
        found = doomed.path.lstat()
        if (found.st_ino, found.st_size, found.st_mtime_ns) != doomed.seen:
            done.remarks.append(f"{doomed.path.name} was changed in the meantime and was kept.")
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


_ROLES = ("first_frame", "last_frame")


@dataclass(frozen=True)
class PruneFilter:
    """Filters for runs; all that are set must match.

    Parameters
    ----------
    older_than_s
        Created longer ago than this many seconds.
    states
        In one of these final states.
    notebook_ids
        Requested in a notebook with one of these ids.
    tags
        With all of these tags.
    rating_below
        Rated lower than this.
    keep_rated
        Without rated runs.
    run_ids
        With one of these ids.
    """

    older_than_s: float | None = None
    states: frozenset[State] = FINAL
    notebook_ids: frozenset[str] | None = None
    tags: frozenset[str] = frozenset()
    rating_below: int | None = None
    keep_rated: bool = False
    run_ids: frozenset[str] | None = None

    def takes(self, row: Row, now: float) -> bool:
        """Return whether a run is selected."""
        rating = row.record.rating
        return (
            row.state in FINAL & self.states
            and (self.run_ids is None or row.run_id in self.run_ids)
            and (self.older_than_s is None or now - row.created > self.older_than_s)
            and (self.notebook_ids is None or row.notebook_id in self.notebook_ids)
            and self.tags <= set(row.record.tags)
            and (self.rating_below is None or (rating is not None and rating < self.rating_below))
            and not (self.keep_rated and rating is not None)
        )


@dataclass(frozen=True)
class DeletableFile:
    """A file that may be deleted, and its state when it was checked."""

    path: Path
    bytes: int
    seen: tuple[int, int, int]


@dataclass
class Candidate:
    """A run of which something can be deleted.

    Parameters
    ----------
    row, log
        The run, and the log it is in.
    clip, sidecar
        Its files, as far as they exist and belong to the run.
    frames
        Kept frames that no other run needs, by their roles.
    """

    row: Row
    log: RunLog
    clip: DeletableFile | None = None
    sidecar: DeletableFile | None = None
    frames: dict[str, DeletableFile] = field(default_factory=dict)

    @property
    def files(self) -> list[DeletableFile]:
        """All files that would be deleted, the clip first."""
        return [each for each in (self.clip, *self.frames.values(), self.sidecar) if each]

    @property
    def bytes(self) -> int:
        """Their total size."""
        return sum(each.bytes for each in self.files)


@dataclass
class PrunePlan:
    """What could be deleted, and a sentence for each file that is kept."""

    candidates: list[Candidate] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """The total size that would be deleted."""
        return sum(each.bytes for each in self.candidates)


def plan_prune(
    which: PruneFilter, logs: Iterable[RunLog], *, forget: bool, now: float | None = None
) -> PrunePlan:
    """Find files that could be deleted. Nothing is changed.

    Parameters
    ----------
    which
        Filters for the runs.
    logs
        The run logs.
    forget
        Whether to include runs without files, to be removed from the log.
    now
        Seconds since 1970; the system clock if None.
    """
    now = time.time() if now is None else now
    read = [(log, *all_rows(log)) for log in logs]
    rows = [(row, log) for log, readable, _ in read for row in readable]
    unreadable = [row for _, _, others in read for row in others]
    found, meant = PrunePlan(), {row.run_id for row, _ in rows if which.takes(row, now)}
    found.remarks += [
        f"{unreadable_message(row)} The run and all frames in its folder are kept."
        for row in unreadable
        if which.run_ids is None or row.run_id in which.run_ids
    ]
    needed = needed_frames([row for row, _ in rows], meant)
    needed |= frames_beside(unreadable)
    counted: set[Path] = set()
    for row, log in sorted(rows, key=lambda each: each[0].run_id):
        if row.run_id not in meant or (row.owner is not None and log.alive(row.owner)):
            continue
        candidate = Candidate(row, log)
        clip, path = row.record.clip, clip_path(row)
        if clip is not None and path is not None:
            candidate.clip = _deletable(path, row.folder)
            if candidate.clip is not None and sha256_of(path) != clip.sha256:
                found.remarks.append(
                    f"{path.name} does not match its record; the file and its run are kept."
                )
                continue
        candidate.sidecar = _own_sidecar(row)
        for role, path in kept_frames(row.record, row.folder):
            doomed = None if path in needed or path in counted else _deletable(path, row.folder)
            if doomed is not None and sha256_of(path) == path.stem:
                candidate.frames[role] = doomed
                counted.add(path)
        if candidate.files or forget:
            found.candidates.append(candidate)
    return found


def copied_files(row: Row, folder: Path) -> list[DeletableFile]:
    """Return the files of a run's copy in another folder, the clip first; none if it is not the clip.

    Parameters
    ----------
    row
        The run, with the folder in the log.
    folder
        The other folder.
    """
    clip = row.record.clip
    if clip is None or not is_clip(folder / clip.path, clip):
        return []
    found = _deletable(folder / clip.path, folder)
    sidecar = _own_sidecar(replace(row, folder=folder))
    return [] if found is None else [found, *([sidecar] if sidecar else [])]


def delete_files(files: Iterable[DeletableFile]) -> Pruned:
    """Delete files in order, if they are unchanged, up to the first that stays. No log is changed."""
    done = Pruned()
    all(_delete(each, done) for each in files)
    return done


def needed_frames(rows: list[Row], meant: set[str]) -> set[Path]:
    """Return the frames needed by runs that stay: those of the log, and of foreign sidecars."""
    found = {
        path
        for row in rows
        if row.run_id not in meant
        if row.record.clip is None or row.record.clip.deleted is None
        for _, path in kept_frames(row.record, row.folder)
    }
    logged = {row.record.file_stem for row in rows}
    for folder in {row.folder for row in rows if row.run_id in meant}:
        found |= _frames_of_unknown_runs(folder, logged)
    return found


def frames_beside(unreadable: Iterable[Row]) -> set[Path]:
    """Return all stored frames in the folders of unreadable runs: they may need any of them."""
    folders = {row.folder for row in unreadable}
    return {path for folder in folders for path in (folder / "frames").glob("*")}


def _frames_of_unknown_runs(folder: Path, logged: set[str]) -> set[Path]:
    found: set[Path] = set()
    for path in folder.glob("*"):
        if is_sidecar_name(path.name) and stem_of(path.name) not in logged:
            try:
                record = Record.from_json(read_file(path))
            except (OSError, ValueError):
                continue
            found |= {frame for _, frame in kept_frames(record, folder)}
    return found


def kept_frames(record: Record, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the stored frames of a run that are in the frames folder, named by their hashes."""
    for role in _ROLES:
        frame = getattr(record.request, role)
        if frame is not None and frame.kept and frame.sha256:
            path = Path(frame.kept)
            if path.parts[:-1] == ("frames",) and path.stem == frame.sha256:
                yield role, folder / path


def _own_sidecar(row: Row) -> DeletableFile | None:
    """Return a run's sidecar; None if the file of that name is not its sidecar, or is newer than the log."""
    path = row.folder / sidecar_name(row.record.file_stem)
    doomed = _deletable(path, row.folder)
    try:
        record = read_sidecar(path, read_file(path))
    except (OSError, ValueError):
        return None
    return doomed if record.revision <= row.revision else None


def _deletable(path: Path, folder: Path) -> DeletableFile | None:
    """Return a file; None if it isn't an ordinary file in the folder itself (links among them)."""
    try:
        found = path.lstat()
        inside = path.resolve().is_relative_to(folder.resolve())
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode) or not inside:
        return None
    return DeletableFile(path, found.st_size, (found.st_ino, found.st_size, found.st_mtime_ns))
