"""``jupyter hailuo relink``: update the run log after a folder of clips was moved."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hailuo_jupyter import path_hints
from hailuo_jupyter.container import SUFFIXES
from hailuo_jupyter.engine.clip_location import clip_path, is_clip
from hailuo_jupyter.errors import FolderNotWritable
from hailuo_jupyter.ipynb.locate import all_rows
from hailuo_jupyter.record.paths import stem_of
from hailuo_jupyter.runlog import Row, RunLog


@dataclass(frozen=True)
class MovedClip:
    """A clip that was moved or renamed.

    Parameters
    ----------
    row
        The run, with the folder in the log.
    path
        Where its clip is now.
    log
        The log it is in.
    """

    row: Row
    path: Path
    log: RunLog


@dataclass
class RelinkPlan:
    """The result of a search in some folders.

    Parameters
    ----------
    moves
        Clips that are not where the log says, but in these folders.
    in_place
        How many are where the log says.
    remarks
        A sentence for each file that is skipped.
    """

    moves: list[MovedClip] = field(default_factory=list)
    in_place: int = 0
    remarks: list[str] = field(default_factory=list)


def find_moved(folders: Iterable[Path], logs: list[RunLog]) -> RelinkPlan:
    """Find missing clips by their sha256, whatever their files are called. Nothing is changed.

    Parameters
    ----------
    folders
        Searched with their subfolders; links are not followed.
    logs
        The run logs.

    Raises
    ------
    FolderNotWritable
        If one of them is not a folder.
    """
    paths: dict[Path, None] = {}
    for folder in folders:
        if not folder.is_dir():
            raise FolderNotWritable(
                f"Folder not found: {folder}.",
                money="Nothing was changed.",
                todo=path_hints.hint(folder, Path()) or "Check its path.",
            )
        paths |= dict.fromkeys(_clips(folder.absolute()))
    found, runs = RelinkPlan(), _Runs(logs)
    places: dict[str, list[Path]] = defaultdict(list)
    seen: set[str] = set()
    for path in paths:
        run_ids = runs.missing_with(path)
        for run_id in run_ids:
            places[run_id].append(path)
        row = None if run_ids else runs.named(path)
        if row is not None and row.run_id not in seen:
            seen.add(row.run_id)
            _explain(row, path, found)
    for run_id, ours in places.items():
        row, log = runs.missing[run_id]
        clip = row.record.clip
        right = [path for path in ours if clip is not None and path.name == clip.path] or ours
        if len(right) > 1:
            where = " and ".join(str(path.parent) for path in right)
            found.remarks.append(f"{right[0].name} is in {where}; name only the folder to use.")
        elif not _can_be_stored(row, right[0].name):
            found.remarks.append(
                f"{right[0].name!a} cannot be stored as a clip's name; rename the file."
            )
        else:
            found.moves.append(MovedClip(row, right[0], log))
    return found


def _can_be_stored(row: Row, name: str) -> bool:
    """Return whether a record can have a clip of this name: it is UTF-8, and no path elsewhere."""
    try:
        name.encode()
        row.record.changed(clip={"path": name})
    except ValueError:
        return False
    return True


def relink(moves: Iterable[MovedClip]) -> int:
    """Write the clips' new places to the log; return how many were updated."""
    return sum(_relink(move) for move in moves)


def _relink(move: MovedClip) -> bool:
    folder, name = move.path.parent, move.path.name
    with move.log.exclusive():
        row = move.log.relocate(move.row.run_id, folder, was=move.row.folder)
        if row.folder != folder:
            return False
        clip = row.record.clip
        if clip is not None and clip.path != name:
            move.log.update(row.run_id, lambda record: record.changed(clip={"path": name}))
        return True


class _Runs:
    """The runs of some logs: those whose clip is missing, and all by the names of their files."""

    def __init__(self, logs: Iterable[RunLog]) -> None:
        self.missing: dict[str, tuple[Row, RunLog]] = {}
        self._by_size: dict[int, list[str]] = defaultdict(list)
        self._by_stem: dict[str, Row] = {}
        for log in logs:
            readable, others = all_rows(log)
            self._by_stem |= {row.run_id: row for row in others}
            for row in readable:
                self._by_stem[row.record.file_stem] = row
                clip, path = row.record.clip, clip_path(row)
                if clip is not None and path is not None and not path.is_file():
                    self.missing[row.run_id] = (row, log)
                    self._by_size[clip.bytes].append(row.run_id)

    def missing_with(self, path: Path) -> list[str]:
        """Return the ids of the runs whose missing clip is this file."""
        try:
            run_ids = self._by_size.get(path.stat().st_size, [])
        except OSError:
            return []
        clips = ((run_id, self.missing[run_id][0].record.clip) for run_id in run_ids)
        return [run_id for run_id, clip in clips if clip is not None and is_clip(path, clip)]

    def named(self, path: Path) -> Row | None:
        """Return the run to which a file belongs by its name."""
        return self._by_stem.get(stem_of(path.name))


def _explain(row: Row, path: Path, found: RelinkPlan) -> None:
    """Count a file that is not a missing clip, or say why it is skipped."""
    if not row.is_readable:
        found.remarks.append(f"Run {row.run_id} was written by a newer version.")
        return
    logged = clip_path(row)
    if logged is None:
        found.remarks.append(
            f"{path.name} was skipped: the run log has no clip for it ({row.state.value})."
        )
    elif logged.is_file():
        found.in_place += 1
    else:
        found.remarks.append(f"{path.name} does not match the run log (sha256 differs).")


def _clips(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        yield from (Path(place) / name for name in sorted(names) if name.endswith(SUFFIXES))
