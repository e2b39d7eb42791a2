"""What goes into a notebook's RO-Crate: what its own records name, there with the right hash, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hailuo_jupyter.nbfile import records
from hailuo_jupyter.nbfile.document import Document, read
from hailuo_jupyter.nbfile.files import sha256_of
from hailuo_jupyter.nbfile.places import Places
from hailuo_jupyter.record import Record
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import FINAL, State

#: Names of files that go into a crate: one part, nothing that a shell or a URL takes for something else.
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,119}\.(mp4|png|jpe?g)")


@dataclass(frozen=True)
class Taken:
    """A run that goes in.

    Parameters
    ----------
    record
        The notebook's.
    folder
        Its folder in the crate, with ``/`` between parts.
    clip
        The clip's file; None where it is not there as the record says.
    frames
        Files of first and last frame, by role, as far as they are there.
    """

    record: Record
    folder: str
    clip: Path | None
    frames: dict[str, Path]


@dataclass
class Contents:
    """What goes into a crate, and in words what does not."""

    document: Document
    taken: list[Taken] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def collect(path: Path, folder: Path | None, settings: Hailuo | None) -> Contents:
    """Decide what goes in.

    Parameters
    ----------
    path
        The notebook; it is not changed.
    folder
        The output folder, where neither the log nor a link tells it.
    settings
        Tell where the run logs lie; what is in force if None.

    Raises
    ------
    NotebookError
        If the file cannot be read.
    """
    document = read(path)
    contents = Contents(document)
    found = _own(document.nb)
    with Places(document.base, document.nb, folder, settings) as places:
        for record in found.values():
            if record.state not in FINAL:
                words = record.state.words.lower()
                contents.remarks.append(f"Run {record.run_id} has not ended ({words}): left out.")
                continue
            if record.run_id.lower().startswith("ro-crate-"):  # its record would be the crate's own
                contents.remarks.append(f"{record.run_id} cannot be a run's id: left out.")
                continue
            contents.taken.append(_take(record, places, folder, contents))
    if str(Path.home()) in path.read_text(encoding="utf-8", errors="replace"):
        contents.remarks.append(
            "The notebook's own cells or outputs name your home folder; the crate has them as they are."
        )
    return contents


def _own(nb: dict[str, Any]) -> dict[str, Record]:
    """Give the notebook's records, from its metadata and its outputs, the latest of each run."""
    stored = (records.readable(each) for each in records.stored(nb).values())
    shown = (each for output in records.outputs(nb) for each in output.records)
    found: dict[str, Record] = {}
    for record in (*stored, *shown):
        if record is not None:
            known = found.get(record.run_id)
            if known is None or known.revision < record.revision:
                found[record.run_id] = record
    return found


def _take(record: Record, places: Places, named: Path | None, contents: Contents) -> Taken:
    base, row = contents.document.base, places.row(record.run_id)
    where = places.folder(record)
    # Only what lies below the notebook, or where this person's own log or word says that the run's
    # files are: a stranger's notebook may link to anywhere.
    own = row is not None and _same_notebook(record, row.record)
    allowed = [
        base,
        *([named] if named else []),
        *([row.folder] if row is not None and own else []),
    ]
    inside = "hailuo"
    if where is not None and where.absolute().is_relative_to(base):
        inside = where.absolute().relative_to(base).as_posix()
        inside = "" if inside == "." or ".." in inside.split("/") else inside
    clip = None
    if record.clip is not None:
        if record.clip.deleted is None or (where and (where / record.clip.path).is_file()):
            clip, problem = _file(where, record.clip.path, record.clip.sha256, allowed)
        else:
            problem = f"was deleted by 'jupyter hailuo prune' on {record.clip.deleted[:10]}"
        if problem:
            contents.remarks.append(f"Run {record.run_id}: its clip {problem}: left out.")
    elif record.state is State.COMPLETED:
        contents.remarks.append(f"Run {record.run_id} is completed, but its record names no clip.")
    frames: dict[str, Path] = {}
    request = record.request
    for role, frame in (("first frame", request.first_frame), ("last frame", request.last_frame)):
        if frame is None or not frame.kept or not frame.sha256:
            continue
        file, problem = _file(where, frame.kept, frame.sha256, allowed)
        if file is not None:
            frames[role] = file
        else:
            contents.remarks.append(f"Run {record.run_id}: its {role} {problem}: left out.")
    return Taken(record, inside, clip, frames)


def _same_notebook(record: Record, known: Record) -> bool:
    mine, theirs = record.origin, known.origin
    return mine is not None and theirs is not None and mine.notebook_id == theirs.notebook_id


def _file(
    folder: Path | None, name: str, sha256: str, allowed: Iterable[Path]
) -> tuple[Path | None, str]:
    """Give a file that may go in; or None, and why it may not."""
    if not _NAME.fullmatch(name.rpartition("/")[2]) or name.removeprefix("frames/").count("/"):
        return None, "has a name that no clip or frame has"
    if folder is None:
        return None, "was not found"
    try:
        path = (folder / name).resolve()
        if not any(path.is_relative_to(each.resolve()) for each in allowed):
            return None, "lies outside the notebook's folder"
    except (OSError, ValueError, RuntimeError):  # a zero byte, a link that leads to itself
        return None, "cannot be read"
    found = sha256_of(path)
    if found is None:
        return None, "is not in its folder"
    return (path, "") if found == sha256 else (None, "is not the file that the record tells of")
