"""What `jupyter hailuo prune` could delete of runs that have ended. Nothing is changed here.

Only files that are surely a run's own are meant: in its output folder, under the names that it gave
them, with the bytes that its record tells of.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hailuo_jupyter.nbfile.files import sha256_of
from hailuo_jupyter.nbfile.logs import all_rows
from hailuo_jupyter.record import Record
from hailuo_jupyter.record_file import read_file, read_sidecar, sidecar_name
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import FINAL, State

_ROLES = ("first_frame", "last_frame")


@dataclass(frozen=True)
class Filter:
    """Which runs are meant; all that is given has to hold.

    Parameters
    ----------
    older_than_s
        Made longer ago than so many seconds.
    states
        In one of these states; of those that have ended.
    notebook_ids
        Asked for in a notebook with one of these ids.
    tags
        With all of these tags.
    rating_below
        Rated, and lower than this.
    keep_rated
        None that is rated.
    """

    older_than_s: float | None = None
    states: frozenset[State] = FINAL
    notebook_ids: frozenset[str] | None = None
    tags: frozenset[str] = frozenset()
    rating_below: int | None = None
    keep_rated: bool = False

    def takes(self, row: Row, now: float) -> bool:
        """Tell whether a run is meant."""
        rating = row.record.rating
        return (
            row.state in FINAL & self.states
            and (self.older_than_s is None or now - row.created > self.older_than_s)
            and (self.notebook_ids is None or row.notebook_id in self.notebook_ids)
            and self.tags <= set(row.record.tags)
            and (self.rating_below is None or (rating is not None and rating < self.rating_below))
            and not (self.keep_rated and rating is not None)
        )


@dataclass(frozen=True)
class Doomed:
    """A file that may go, and what it was when it was looked at."""

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
        Its files, as far as they are there and its own.
    frames
        Kept frames that no other run needs, by their roles.
    """

    row: Row
    log: RunLog
    clip: Doomed | None = None
    sidecar: Doomed | None = None
    frames: dict[str, Doomed] = field(default_factory=dict)

    @property
    def files(self) -> list[Doomed]:
        """All that would go, the clip first."""
        return [each for each in (self.clip, *self.frames.values(), self.sidecar) if each]

    @property
    def bytes(self) -> int:
        """How much that is."""
        return sum(each.bytes for each in self.files)


@dataclass
class Plan:
    """What could be deleted, and what is left alone, each in a sentence."""

    candidates: list[Candidate] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """How much would be deleted."""
        return sum(each.bytes for each in self.candidates)


def plan(which: Filter, logs: Iterable[RunLog], *, forget: bool, now: float | None = None) -> Plan:
    """Find what could be deleted. Nothing is changed.

    Parameters
    ----------
    which
        Which runs are meant.
    logs
        The run logs.
    forget
        Whether runs without any file are meant too, to be taken out of the log.
    now
        Seconds since 1970; this machine's clock if None.
    """
    now = time.time() if now is None else now
    rows = [(row, log) for log in logs for row in all_rows(log)]
    found, meant = Plan(), {row.run_id for row, _ in rows if which.takes(row, now)}
    needed = needed_frames([row for row, _ in rows], meant)
    counted: set[Path] = set()
    for row, log in sorted(rows, key=lambda each: each[0].run_id):
        if row.run_id not in meant or (row.owner is not None and log.alive(row.owner)):
            continue
        candidate = Candidate(row, log)
        clip = row.record.clip
        if clip is not None and clip.path == f"{row.run_id}.mp4":
            path = row.folder / clip.path
            candidate.clip = _doomed(path, row.folder)
            if candidate.clip is not None and sha256_of(path) != clip.sha256:
                found.remarks.append(
                    f"{path.name} is not the file that the record tells of; it and its run stay."
                )
                continue
        candidate.sidecar = _own_sidecar(row)
        for role, path in kept_frames(row.record, row.folder):
            doomed = None if path in needed or path in counted else _doomed(path, row.folder)
            if doomed is not None and sha256_of(path) == path.stem:
                candidate.frames[role] = doomed
                counted.add(path)
        if candidate.files or forget:
            found.candidates.append(candidate)
    return found


def needed_frames(rows: list[Row], meant: set[str]) -> set[Path]:
    """Give the frames that runs need which stay: the log's, and those of foreign sidecars."""
    found = {
        path
        for row in rows
        if row.run_id not in meant
        if row.record.clip is None or row.record.clip.deleted is None
        for _, path in kept_frames(row.record, row.folder)
    }
    known = {row.run_id for row in rows}
    for folder in {row.folder for row in rows if row.run_id in meant}:
        found |= _of_strangers(folder, known)
    return found


def _of_strangers(folder: Path, known: set[str]) -> set[Path]:
    found: set[Path] = set()
    for path in folder.glob("*.json"):
        if path.stem not in known:
            try:
                record = Record.from_json(read_file(path))
            except (OSError, ValueError):
                continue
            found |= {frame for _, frame in kept_frames(record, folder)}
    return found


def kept_frames(record: Record, folder: Path) -> Iterator[tuple[str, Path]]:
    """Give the kept frames of a run that lie where frames lie, under their hashes."""
    for role in _ROLES:
        frame = getattr(record.request, role)
        if frame is not None and frame.kept and frame.sha256:
            path = Path(frame.kept)
            if path.parts[:-1] == ("frames",) and path.stem == frame.sha256:
                yield role, folder / path


def _own_sidecar(row: Row) -> Doomed | None:
    """Give a run's sidecar; None where the file of that name is not it, or knows more than the log."""
    path = row.folder / sidecar_name(row.run_id)
    doomed = _doomed(path, row.folder)
    try:
        record = read_sidecar(path, read_file(path))
    except (OSError, ValueError):
        return None
    return doomed if record.revision <= row.revision else None


def _doomed(path: Path, folder: Path) -> Doomed | None:
    """Look at a file; None for what is no ordinary file in the folder itself, links among them."""
    try:
        found = path.lstat()
        inside = path.resolve().is_relative_to(folder.resolve())
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode) or not inside:
        return None
    return Doomed(path, found.st_size, (found.st_ino, found.st_size, found.st_mtime_ns))
