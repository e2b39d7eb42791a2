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
from dataclasses import dataclass
from pathlib import Path

from hailuo_jupyter.container import SUFFIXES
from hailuo_jupyter.engine.clip_location import is_clip
from hailuo_jupyter.engine.notebook_scope import EarlierRequest, Scope
from hailuo_jupyter.engine.sidecar_sync import write_what_was_left_out
from hailuo_jupyter.errors import AnswerLost, HailuoError, NotSent
from hailuo_jupyter.record import OriginRecord, Record
from hailuo_jupyter.record.paths import clip_names, is_sidecar_name, is_stem, sidecar_name, stem_of
from hailuo_jupyter.record.sidecar import read_file
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.runlog.adopt import adopt
from hailuo_jupyter.states import AT_PROVIDER, BOUGHT, State

#: States in which the clip is paid for, or may be.
_COUNT = BOUGHT | {State.SUBMITTING, State.UNCONFIRMED, State.EXPIRED}

_FINGERPRINT = re.compile(rb'"fingerprint"\s*:\s*"([^"\\]{1,200})"')
_RUN_ID = re.compile(rb'"run_id"\s*:\s*"([0-9a-z-]{1,40})"')


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
        # All of them, however many: one that is not read may be a clip that is bought again.
        fresh = sorted(names - self._read, reverse=True)
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
        stat = path.stat()
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
        data = read_file(path, through_link=True)
    except (OSError, ValueError):
        return []
    return [each.decode("utf-8", "replace") for each in set(_FINGERPRINT.findall(data))]


@dataclass(frozen=True)
class Recovered:
    """The runs of a request that were found as records.

    Parameters
    ----------
    run_ids
        Those added to the log.
    unusable
        Sidecars that name the request but cannot be added, each with the reason.
    """

    run_ids: tuple[str, ...] = ()
    unusable: tuple[tuple[Path, str], ...] = ()


def recover(
    fingerprint: str,
    provider: str,
    folder: Path,
    *,
    log: RunLog,
    scope: Scope,
    sidecars: Sidecars,
) -> Recovered:
    """Add runs of a request to the log that exist only as records.

    A record that cannot be added may be of a clip that is paid for, so it is reported.

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

    Raises
    ------
    RunLogError, DiskError
        If the log cannot be used.
    """
    paths = sidecars.of(folder, fingerprint, log)
    logged = log.fingerprints(stem_of(path.name) for path in paths)
    adopted: list[str] = []
    unusable: list[tuple[Path, str]] = []
    for path in paths:
        if stem_of(path.name) in logged:
            continue
        try:
            data = read_file(path, through_link=True)
            # Its name is not checked: a copied or renamed sidecar is still the record of a paid clip.
            record = _read(path, data)
            if record is None or (record.fingerprint, record.provider) != (fingerprint, provider):
                continue
            if record.state not in _COUNT or log.find(record.run_id) is not None:
                continue
            if scope.whose(_earlier_request(record)) is None:
                continue
            _check(record, folder)
            adopt(record, folder, log, clip_here=clip_here(record, folder))
        except OSError as error:
            unusable.append((path, error.strerror or type(error).__name__))
            continue
        except ValueError as error:
            unusable.append((path, str(error)))
            continue
        if record.state in AT_PROVIDER and any(each.is_file() for each in _clips(record, folder)):
            # Its process was killed between clip and record: the clip is checked, the provider is not asked.
            log.update(record.run_id, lambda each: each.moved(State.DOWNLOADING))
        adopted.append(record.run_id)
    return Recovered(tuple(adopted), tuple(unusable))


def _read(path: Path, data: bytes) -> Record | None:
    """Return the record in a file; None if it is no run's sidecar.

    Raises
    ------
    ValueError
        If it is one by its name, but not readable.
    """
    try:
        return Record.from_json(data)
    except ValueError:
        # Other files name requests, too, such as an export of several runs.
        ids = {each.decode() for each in _RUN_ID.findall(data)}
        if any(is_stem(stem_of(path.name), each) for each in ids):
            raise
        return None


def _check(record: Record, folder: Path) -> None:
    """Check what only a folder's own record has to fulfill.

    Raises
    ------
    ValueError
        If it does not.
    """
    if record.state in BOUGHT and not record.job.id:
        raise ValueError("It has no job id, which every bought run has.")
    # What a stranger's link leads to would be shown, and embedded, as the clip.
    if linked := [each.name for each in _clips(record, folder) if each.is_symlink()]:
        raise ValueError(f"{linked[0]} is a link; only a file counts as its clip.")


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
    """Return whether exactly the clip of a record is in a folder, as a file and not as a link.

    It may have been renamed, but not to the name of another run's clip.
    """
    clip = record.clip
    if clip is None or not clip.path.endswith(SUFFIXES) or {"/", "\\"} & set(clip.path):
        return False
    usual = clip.path in clip_names(record.file_stem)
    others = not usual and (folder / sidecar_name(stem_of(clip.path))).exists()
    return not others and is_clip(folder / clip.path, clip)


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
