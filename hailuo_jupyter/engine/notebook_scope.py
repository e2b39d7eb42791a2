"""Whether an earlier run of the same request counts for the current notebook.

A run belongs to the notebook by whose id, or by one of whose earlier ids, it was requested. Beyond that, it
counts if the notebook that requested it may be the current one: its record or clip is in this notebook's
output folder, and either one of the two notebooks has no name (a script, an executor), or the other notebook
no longer exists. A clip that was saved next to the run log, since its own folder was not writable, counts as
if it were in that folder. Two notebooks that both exist and both have a known name never share a run. In
doubt a run counts: it is reused, with a note on its origin, and ``--new`` buys another; a clip that was
bought twice is never refunded.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hailuo_jupyter.engine.clip_location import saved_clips
from hailuo_jupyter.ids import (
    Notebook,
    is_file,
    is_written_in,
    made_of_folder,
    made_of_path,
    recorded,
)
from hailuo_jupyter.record.paths import clip_names, sidecar_name
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import BOUGHT, UNSENT, State

#: Unresolved states: the clip may be paid for, or is about to be.
_OPEN = UNSENT | (BOUGHT - {State.COMPLETED}) | {State.SUBMITTING, State.UNCONFIRMED}


@dataclass(frozen=True)
class Whose:
    """The origin of a reusable earlier run.

    Parameters
    ----------
    whence
        Where it was requested, in words; empty for one of the notebook's own.
    inherits
        Whether it was requested by this notebook under an earlier id or name.
    """

    whence: str = ""
    inherits: bool = False


@dataclass(frozen=True)
class EarlierRequest:
    """An earlier run of the same request: its notebook and its folder.

    Parameters
    ----------
    notebook_id, name
        The notebook's id and the name of its file, if known.
    state
        Its state.
    folder
        Its output folder in the log; None if only its record is known.
    clips
        Possible names of its clip's file.
    in_folder
        Whether its record or clip is in the output folder of the current notebook.
    """

    notebook_id: str | None
    name: str | None
    state: State
    folder: Path | None
    clips: tuple[str, ...]
    in_folder: bool


def earlier_request(row: Row, folder: Path) -> EarlierRequest:
    """Return the origin of a run in the log. Looks into the output folder `folder`."""
    stem = row.record.file_stem if row.is_readable else row.run_id
    clips = row.record.clip_paths if row.is_readable else clip_names(stem)
    in_folder = row.folder == folder or any(
        is_file(folder / name) for name in (sidecar_name(stem), *clips)
    )
    return EarlierRequest(
        row.notebook_id, row.notebook_path, row.state, row.folder, clips, in_folder
    )


class Scope:
    """Decides which runs count for one request of a notebook.

    Parameters
    ----------
    asker
        The current notebook.
    folder
        Its output folder.
    log
        Has the notebooks' earlier ids and paths.
    """

    def __init__(self, asker: Notebook, folder: Path, log: RunLog) -> None:
        self._folder, self._log = folder, log
        self._path, self._name = asker.path, recorded(asker.name)
        self._home = asker.folder if asker.path is None else asker.path.parent
        self._ids: frozenset[str | None] = frozenset(
            log.notebook_ids((asker.id, *asker.aliases)) if asker.id else [None]
        )
        # An output folder outside the notebook's folder may have clips of other folders.
        homes = {self._home.resolve(), asker.folder.resolve()}
        self._inside = any(folder.is_relative_to(each) for each in homes)

    def whose(self, run: EarlierRequest) -> Whose | None:
        """Return the origin of a run, or None if it does not count. Checks files."""
        if run.notebook_id in self._ids:
            return Whose()
        if run.in_folder and self._inside:
            return self._in_folder(run)
        # A folder outside, and the one next to the run log, have clips of many notebooks.
        if (run.in_folder or self._is_saved(run)) and self._was_here(run):
            return self._in_folder(run)
        return self._of_moved_notebook(run)

    def at_a_glance(self, row: Row) -> Whose | None:
        """Return the same for a run that was just created. Checks no files.

        Its notebook has just requested it, so it exists.
        """
        if row.notebook_id in self._ids:
            return Whose()
        if row.folder != self._folder or not self._inside:
            return None
        if self._name is None or row.notebook_path is None:
            return Whose(self._whence(row.notebook_path))
        return Whose(_SAME) if row.notebook_path == self._name else None

    # ── in the notebook's output folder ────────────────────────────────────────────────────────

    def _in_folder(self, run: EarlierRequest) -> Whose | None:
        if self._name is None:
            return Whose(self._whence(run.name))
        if self._belongs_to_other(run):
            return None
        if run.name is None:
            return Whose(self._whence(None))
        if run.name == self._name:
            return Whose(_SAME, inherits=not self._exists_elsewhere(run))
        return Whose(f"in {run.name}, which no longer exists", inherits=True)

    def _belongs_to_other(self, run: EarlierRequest) -> bool:
        """Return whether a run belongs to another, existing notebook."""
        names = (recorded(each.name) for each in self._others if is_file(each))
        if run.name not in {None, self._name} and run.name in names:
            return True
        if run.notebook_id is None:
            return False
        if any(made_of_path(each) == run.notebook_id for each in self._others):
            return True
        if self._exists_elsewhere(run) and not self._has_copy(run):
            return True
        # Last, since it reads them.
        return any(is_written_in(each, run.notebook_id) for each in self._others)

    def _exists_elsewhere(self, run: EarlierRequest) -> bool:
        """Return whether a run's notebook, or one with its earlier id, exists as another notebook."""
        if run.notebook_id is None:
            return False
        heirs = set(self._log.notebooks_including(run.notebook_id)) - self._ids
        places = (
            place for each in (run.notebook_id, *heirs) for place in self._log.notebook_places(each)
        )
        return any(
            place != self._path and place.suffix == ".ipynb" and is_file(place) for place in places
        )

    def _has_copy(self, run: EarlierRequest) -> bool:
        """Return whether a run's clip was copied here, for example with its notebook's folder."""
        return (
            run.state is State.COMPLETED
            and run.folder not in {None, self._folder}
            and any(is_file(self._folder / name) for name in run.clips)
        )

    @cached_property
    def _others(self) -> list[Path]:
        """The other notebooks of the notebook's folder."""
        return [each for each in sorted(self._home.glob("*.ipynb")) if each != self._path]

    def _was_here(self, run: EarlierRequest) -> bool:
        """Return whether a run was requested in this folder, whose clips are stored in a shared folder."""
        made_here = {made_of_folder(self._home)}
        if run.name is not None:
            made_here.add(made_of_path(self._home / run.name))
        if run.notebook_id in made_here:
            return True
        if run.notebook_id is None:
            return False
        places = self._log.notebook_places(run.notebook_id)
        if any(self._home in {place, place.parent} for place in places):
            return True
        return run.name is not None and is_written_in(self._home / run.name, run.notebook_id)

    def _whence(self, name: str | None) -> str:
        if name is None:
            return "in this folder, by a script or an unnamed notebook"
        if name == self._name:
            return _SAME
        return f"in {name}" + (", which may be this notebook" if self._name is None else "")

    # ── in other folders ─────────────────────────────────────────────────────────────────────────

    def _of_moved_notebook(self, run: EarlierRequest) -> Whose | None:
        """Return the origin of a run whose notebook is no longer at its path, for example after a move."""
        if run.notebook_id is None or not (places := self._log.notebook_places(run.notebook_id)):
            return None
        if any(os.path.exists(place) for place in places):  # noqa: PTH110 -- it never raises
            return None
        if not (run.in_folder or run.state in _OPEN or self._has_clip_there(run)):
            return None  # a folder that was deleted with its contents
        if run.name is None:
            fits = run.state in _OPEN or self._is_saved(run)
        elif self._name is None:
            fits = is_file(self._home / run.name)
        else:
            fits = run.name == self._name and not self._belongs_to_other(run)
        if not fits:
            return None
        inherits = run.name is not None and self._name is not None
        return Whose(f"in {run.name or 'a folder'}, which was moved or deleted", inherits=inherits)

    def _is_saved(self, run: EarlierRequest) -> bool:
        """Return whether a run's clip was saved next to the run log."""
        return run.folder == saved_clips(self._log)

    def _has_clip_there(self, run: EarlierRequest) -> bool:
        return (
            run.state is State.COMPLETED
            and run.folder is not None
            and any(is_file(run.folder / name) for name in run.clips)
        )


_SAME = "under an earlier id of this notebook"
