"""Find runs by the records in their output folder, before one is bought again.

The log may not have them: the home folder may be new (a new machine, a container) while the clips are
there. What a forged record could do is described in `hailuo_jupyter.runlog.adopt`.
The rule here is stricter: a record counts for this exact request, and only if the current notebook is, or
may be, the one that it names (see `hailuo_jupyter.engine.notebook_scope`). Finding a run requests, fetches
and sends nothing; a job that is still running is polled once its cell runs.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

from hailuo_jupyter.engine.clip_location import is_clip
from hailuo_jupyter.engine.notebook_scope import EarlierRequest, Scope
from hailuo_jupyter.engine.sidecar_sync import write_what_was_left_out
from hailuo_jupyter.errors import AnswerLost, HailuoError, NotSent
from hailuo_jupyter.record import OriginRecord, Record
from hailuo_jupyter.record.paths import clip_names, is_sidecar_name, stem_of
from hailuo_jupyter.record.sidecar import read_file, read_sidecar
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.runlog.adopt import adopt
from hailuo_jupyter.states import AT_PROVIDER, BOUGHT, State

#: Maximum sidecars of a folder that are read, the newest first by name.
_MOST = 5000

#: Maximum runs taken from a folder for one request.
_MOST_ADOPTED = 50

#: States in which the clip is paid for, or may be.
_COUNT = BOUGHT | {State.SUBMITTING, State.UNCONFIRMED, State.EXPIRED}

_FINGERPRINT = re.compile(rb'"fingerprint"\s*:\s*"([^"\\]{1,200})"')


class Sidecars:
    """The sidecars of output folders, by request. Thread-safe.

    Each is read once: only a later revision of the same run replaces it, which has the same request.
    """

    def __init__(self) -> None:
        self._folders: dict[Path, _Folder] = {}
        self._lock = threading.Lock()

    def of(self, folder: Path, fingerprint: str, log: RunLog) -> list[Path]:
        """Return the sidecars in a folder that may belong to a request, the newest first. Blocks."""
        names = _names(folder)
        with self._lock:
            read = self._folders.setdefault(folder, _Folder())
            read.read(folder, names, log)
            ours = read.by_request.get(fingerprint, set()) & names
        return [folder / name for name in sorted(ours, reverse=True)]


class _Folder:
    def __init__(self) -> None:
        self.by_request: dict[str, set[str]] = {}
        self._read: set[str] = set()
        # A sidecar without a request may be half copied, and is read again when it has changed.
        self._unclear: dict[str, tuple[int, int]] = {}

    def read(self, folder: Path, names: set[str], log: RunLog) -> None:
        fresh = sorted(names - self._read, reverse=True)[:_MOST]
        fresh += [each for each, was in self._unclear.items() if _changed(folder / each) != was]
        if not fresh:
            return
        # One query for all: there may be thousands, and most are in the log.
        logged = log.fingerprints(stem_of(name) for name in fresh)
        for name in fresh:
            fingerprint, changed = logged.get(stem_of(name)), _changed(folder / name)
            requests = _requests(folder / name) if fingerprint is None else [fingerprint]
            for each in requests:
                self.by_request.setdefault(each, set()).add(name)
            self._unclear.pop(name, None)
            if not requests:
                self._unclear[name] = changed
        self._read.update(fresh)


def _changed(path: Path) -> tuple[int, int]:
    try:
        stat = path.lstat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def _names(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:  # `Path.glob` takes twice as long
            return {each.name for each in entries if is_sidecar_name(each.name)}
    except OSError:
        return set()


def _requests(path: Path) -> list[str]:
    """Return the fingerprint in a sidecar, unverified; empty if it is unreadable."""
    try:
        data = read_file(path)
    except (OSError, ValueError):
        return []
    return [each.decode("utf-8", "replace") for each in set(_FINGERPRINT.findall(data))]


def recover(
    fingerprint: str,
    provider: str,
    folder: Path,
    *,
    log: RunLog,
    scope: Scope,
    sidecars: Sidecars,
) -> list[str]:
    """Add runs of a request to the log that exist only as records.

    Parameters
    ----------
    fingerprint, provider
        The request that is about to be bought, and its provider.
    folder
        The output folder.
    log
        The log for its runs.
    scope
        Decides which of them count.
    sidecars
        The sidecars read so far.

    Returns
    -------
    list of str
        Their ids.
    """
    paths = sidecars.of(folder, fingerprint, log)
    logged = log.fingerprints(stem_of(path.name) for path in paths)
    adopted: list[str] = []
    for path in paths:
        if stem_of(path.name) in logged:
            continue
        if len(adopted) == _MOST_ADOPTED:
            break
        try:
            record = _wanted(path, fingerprint, provider)
            if record is None or log.find(record.run_id) is not None:
                continue
            if scope.whose(_earlier_request(record)) is None:
                continue
            adopt(record, folder, log, clip_here=clip_here(record, folder))
        except (OSError, ValueError):
            continue  # not ours, or not true: `jupyter hailuo import` reports why
        if record.state in AT_PROVIDER and any(each.is_file() for each in _clips(record, folder)):
            # Its process was killed between clip and record: the clip is checked, the provider is not asked.
            log.update(record.run_id, lambda each: each.moved(State.DOWNLOADING))
        adopted.append(record.run_id)
    return adopted


def _wanted(path: Path, fingerprint: str, provider: str) -> Record | None:
    """Return the record of a sidecar if it is of this request, in any notebook."""
    record = read_sidecar(path, read_file(path))
    same = (record.fingerprint, record.provider) == (fingerprint, provider)
    if not same or record.state not in _COUNT:
        return None
    if record.state in BOUGHT and not record.job.id:
        return None  # every bought run has its provider's job id
    named_so = record.clip is None or record.clip.path in clip_names(record.file_stem)
    linked = any(each.is_symlink() for each in _clips(record, path.parent))
    return record if named_so and not linked else None


def _clips(record: Record, folder: Path) -> list[Path]:
    return [folder / name for name in clip_names(record.file_stem)]


def _earlier_request(record: Record) -> EarlierRequest:
    origin = record.origin or OriginRecord()
    return EarlierRequest(
        origin.notebook_id,
        origin.notebook_path,
        record.state,
        None,
        record.clip_paths,
        True,
    )


def clip_here(record: Record, folder: Path) -> bool:
    """Return whether exactly the clip of a record is in a folder, as a file and not as a link."""
    clip = record.clip
    return (
        clip is not None
        and clip.path in clip_names(record.file_stem)
        and not (folder / clip.path).is_symlink()
        and is_clip(folder / clip.path, clip)
    )


def mark_interrupted(row: Row, log: RunLog, *, timestamp: float, died: bool) -> None:
    """Commit the state of a run that was interrupted before its job was known; called by its owner.

    Parameters
    ----------
    row, log
        The run, and the log it is in.
    timestamp
        Seconds since 1970.
    died
        See `interrupted_state`.
    """
    if (interrupted := interrupted_state(row, died=died)) is not None:
        state, problem = interrupted
        row = log.update(
            row.run_id,
            lambda record: record.moved(state, at=timestamp, problem=problem.as_problem()),
            only_from={row.state},
        )
    if died:
        write_what_was_left_out(row, log)


def interrupted_state(row: Row, *, died: bool) -> tuple[State, HailuoError] | None:
    """Return the state and the problem of a run that was interrupted before its job was known.

    Parameters
    ----------
    row
        The run's row.
    died
        Whether its process died while working on it. The problem of a run that was being submitted again
        says that this continues automatically, which is no longer true.

    Returns
    -------
    state, problem or None
        None if the run needs no change.
    """
    if row.state is State.SUBMITTING:
        return State.UNCONFIRMED, AnswerLost(
            "The kernel ended while the request was being sent.",
            money="You may have been charged.",
            todo="Check the provider's request history before resending with --new.",
        )
    waits = row.state is State.PREPARED and (died or row.record.problem is None)
    if row.state is State.UPLOADING or waits:
        return State.PREPARED, NotSent(
            "The kernel ended before the request was sent.",
            money="No charge.",
            todo="Rerun the cell to send it.",
        )
    return None
