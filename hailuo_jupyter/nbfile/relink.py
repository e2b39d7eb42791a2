"""``jupyter hailuo relink``: tell the run log where clips lie after their folder was moved."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hailuo_jupyter.engine.whereabouts import clip_file, is_clip
from hailuo_jupyter.errors import FolderNotWritable
from hailuo_jupyter.runlog import Row, RunLog

_MP4 = ".mp4"


@dataclass(frozen=True)
class Move:
    """A clip that was found again.

    Parameters
    ----------
    row
        The run, with the folder that the log has.
    folder
        Where its clip lies now.
    log
        The log it is in.
    """

    row: Row
    folder: Path
    log: RunLog


@dataclass
class Found:
    """What a look into some folders gave.

    Parameters
    ----------
    moves
        Clips that lie elsewhere than the log says, and there no more.
    in_place
        How many lie where the log says.
    remarks
        Files that are left alone, each in a sentence.
    """

    moves: list[Move] = field(default_factory=list)
    in_place: int = 0
    remarks: list[str] = field(default_factory=list)


def look(folders: Iterable[Path], logs: list[RunLog]) -> Found:
    """Look for clips that the log misses, by run id and sha256. Nothing is changed.

    Parameters
    ----------
    folders
        Looked through with all folders in them; links are not followed.
    logs
        The run logs.

    Raises
    ------
    FolderNotWritable
        If one of them is no folder.
    """
    found, places = Found(), dict[str, list[Path]]()
    for folder in folders:
        if not folder.is_dir():
            raise FolderNotWritable(
                f"There is no folder {folder}.",
                money="Nothing was changed.",
                todo="Check its path.",
            )
        for path in _clips(folder.absolute()):
            if path not in places.setdefault(path.stem, []):
                places[path.stem].append(path)
    for run_id, paths in places.items():
        for log in logs:
            if (row := log.find(run_id)) is not None:
                _compare(row, paths, log, found)
                break
    return found


def relink(moves: Iterable[Move]) -> int:
    """Write into the log where clips lie now; gives how many it has there afterwards."""
    return sum(
        move.log.relocate(move.row.run_id, move.folder, was=move.row.folder).folder == move.folder
        for move in moves
    )


def _compare(row: Row, paths: list[Path], log: RunLog, found: Found) -> None:
    try:
        clip, known = row.record.clip, clip_file(row)
    except ValueError:
        found.remarks.append(f"Run {row.run_id} was written by a newer version.")
        return
    if clip is None or known is None:
        found.remarks.append(
            f"{paths[0].name} is left alone: the run has no clip by the log ({row.state.value})."
        )
        return
    if known.is_file():
        found.in_place += 1
        return
    right = [path for path in paths if path.name == clip.path and is_clip(path, clip)]
    if not right:
        found.remarks.append(
            f"{paths[0].name} is not the clip that the log tells of: its sha256 differs."
        )
    elif len(right) > 1:
        where = " and ".join(str(path.parent) for path in right)
        found.remarks.append(f"{clip.path} lies in {where}: name the one folder that counts.")
    else:
        found.moves.append(Move(row, right[0].parent, log))


def _clips(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        yield from (Path(place) / name for name in sorted(names) if name.endswith(_MP4))
