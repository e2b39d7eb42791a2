"""Small pictures of clips for the runs table, kept beside the run log and made a few at a time.

They are named by the clip's place, size and time, so that a picture is always of the file that is
there. All can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

from hailuo_jupyter import media
from hailuo_jupyter.clip_file import is_foreign_link
from hailuo_jupyter.errors import ClipError
from hailuo_jupyter.kernel.session import SessionState, session
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import State

#: Of one picture: shown half as wide, so that it is sharp on fine screens too.
WIDTH, MOST_BYTES = 200, 2800

_KEPT, _SPARE = 2000, 200
_WORKERS = 2


class _Thumbnails(SessionState):
    """What is remembered of the clips."""

    def __init__(self) -> None:
        #: Clips that are no video; nothing is gained by trying again and again.
        self.unreadable: set[str] = set()
        self.cleaning = threading.Lock()


def cache_folder(log_path: Path) -> Path:
    """Return the folder in which the pictures of a log's runs are kept."""
    return log_path.with_name(f"{log_path.name}.posters")


def thumbnails(rows: Iterable[Row], folder: Path, *, seconds: float) -> dict[str, bytes]:
    """Return pictures of clips: those that are kept, and as many new ones as time allows.

    Parameters
    ----------
    rows
        The runs.
    folder
        Where pictures are kept; made when there is the first one.
    seconds
        How long new ones may take. What is missing then is made when it is asked for again.

    Returns
    -------
    dict
        JPEGs by run id.
    """
    found: dict[str, bytes] = {}
    missing: dict[str, tuple[Path, str]] = {}
    for row in rows:
        if (clip := _clip(row)) is None or (name := _name(clip)) is None:
            continue
        try:
            found[row.run_id] = (folder / f"{name}.jpg").read_bytes()
        except OSError:
            if name not in session.state(_Thumbnails).unreadable:
                missing[row.run_id] = clip, name
    if not missing or seconds <= 0:
        return found
    pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="hailuo-posters")
    jobs = {run_id: pool.submit(_make, *each, folder) for run_id, each in missing.items()}
    done = wait(jobs.values(), timeout=seconds).done
    pool.shutdown(wait=False, cancel_futures=True)
    _drop_the_oldest(folder)
    made = {run_id: job.result() for run_id, job in jobs.items() if job in done}
    return found | {run_id: thumbnail for run_id, thumbnail in made.items() if thumbnail}


def missing_count(rows: Iterable[Row], found: Mapping[str, bytes]) -> int:
    """Count the runs whose picture can be made and was not, within the time it was given."""
    clips = [clip for row in rows if row.run_id not in found and (clip := _clip(row)) is not None]
    names = [name for clip in clips if (name := _name(clip)) is not None]
    return sum(name not in session.state(_Thumbnails).unreadable for name in names)


def _clip(row: Row) -> Path | None:
    clip = row.record.clip
    if row.state is not State.COMPLETED or clip is None:
        return None
    path = row.folder / clip.path
    return None if is_foreign_link(path, clip) else path


def _name(clip: Path) -> str | None:
    try:
        facts = clip.stat()
    except (OSError, ValueError):
        return None
    said = f"{os.fspath(clip)}\0{facts.st_size}\0{facts.st_mtime_ns}"
    return hashlib.sha256(said.encode(errors="surrogateescape")).hexdigest()


def thumbnail(clip: Path) -> bytes:
    """Make a small picture of a clip.

    Raises
    ------
    ClipError
        If it is no video.
    """
    return media.poster(clip, width=WIDTH, max_bytes=MOST_BYTES)


def _make(clip: Path, name: str, folder: Path) -> bytes | None:
    try:
        made = thumbnail(clip)
    except ClipError:
        session.state(_Thumbnails).unreadable.add(name)
        return None
    # A disk that takes no pictures is no reason to show none.
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = folder / f".{secrets.token_hex(8)}.tmp"
        part.write_bytes(made)
        part.replace(folder / f"{name}.jpg")
    return made


def _drop_the_oldest(folder: Path) -> None:
    with session.state(_Thumbnails).cleaning, suppress(OSError):
        kept = [each for each in os.scandir(folder) if each.name.endswith(".jpg")]
        if len(kept) > _KEPT:
            for each in sorted(kept, key=lambda one: one.stat().st_mtime)[
                : len(kept) - _KEPT + _SPARE
            ]:
                Path(each.path).unlink(missing_ok=True)
