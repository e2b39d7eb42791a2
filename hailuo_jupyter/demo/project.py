"""The demo's folder; files that a person has changed are never overwritten."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hailuo_jupyter.errors import FolderNotWritable, HailuoError, NotebookError
from hailuo_jupyter.ipynb.document import joined, read
from hailuo_jupyter.ipynb.verify import verify
from hailuo_jupyter.settings import Hailuo

NOTEBOOK = "quickstart.ipynb"
PICTURE = "first-frame.jpg"


@dataclass(frozen=True)
class Place:
    """A folder for the demo.

    Parameters
    ----------
    folder
        The folder, absolute.
    again
        Whether the demo was completed there before.
    """

    folder: Path
    again: bool = False

    @property
    def notebook(self) -> Path:
        """The notebook in it."""
        return self.folder / NOTEBOOK

    @property
    def run_log(self) -> Path:
        """The demo's own run log, in a hidden folder."""
        return self.folder / ".hailuo" / "runs.sqlite3"

    def settings(self) -> Hailuo:
        """Return the settings that use this log."""
        return Hailuo(run_log=str(self.run_log), output_dir="hailuo")


def shipped() -> Path:
    """Return the folder with the original notebook: in the package, or next to it in a checkout.

    Raises
    ------
    NotebookError
        If the installation is incomplete.
    """
    package = Path(__file__).parent
    for folder in (package, package.parents[1] / "notebooks"):
        if (folder / NOTEBOOK).is_file():
            return folder
    raise NotebookError(
        "The quickstart notebook is not in this installation.",
        todo="Reinstall hailuo-jupyter.",
    )


def choose(where: Path, *, to_open: bool = False) -> Place:
    """Return the demo's folder, and copy the notebook there if it is new.

    A completed demo whose notebook is as shipped is used again, and buys nothing. One that a person
    has changed, or that was interrupted, stays as it is, and a numbered folder is used. To open the demo, the
    latest folder is used as it is.

    Parameters
    ----------
    where
        In which folder.
    to_open
        The notebook is opened, not run.

    Raises
    ------
    FolderNotWritable
        If nothing can be copied there.
    """
    latest: Place | None = None
    for number in itertools.count(1):
        folder = where.absolute() / ("hailuo-demo" if number == 1 else f"hailuo-demo-{number}")
        place = Place(folder)
        if not folder.exists():
            break
        if place.notebook.is_file():
            latest = Place(folder, again=True)
            if not to_open and _as_shipped(place) and _completed(place):
                return latest
    if to_open and latest is not None:
        return latest
    _copy(folder)
    return place


def _copy(folder: Path) -> None:
    source = shipped()
    try:
        folder.mkdir(parents=True)
        for name in (PICTURE, NOTEBOOK):
            shutil.copyfile(source / name, folder / name)
    except OSError as error:
        raise FolderNotWritable(
            f"The demo cannot be copied to {folder.name}: {error.strerror}.",
            todo="Change to a writable folder.",
        ) from error


def _as_shipped(place: Place) -> bool:
    try:
        same = _cells(place.notebook) == _cells(shipped() / NOTEBOOK)
        picture = (place.folder / PICTURE).read_bytes()
    except (HailuoError, OSError):
        return False
    return same and picture == (shipped() / PICTURE).read_bytes()


def _cells(path: Path) -> list[tuple[Any, str]]:
    cells = read(path).nb["cells"]
    return [
        (cell.get("cell_type"), joined(cell.get("source")))
        for cell in cells
        if isinstance(cell, dict)
    ]


def _completed(place: Place) -> bool:
    try:
        verdict = verify(place.notebook, settings=place.settings())
    except HailuoError:
        return False
    return verdict.ok and 0 < verdict.runs == verdict.clips
