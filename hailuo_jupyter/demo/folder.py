"""Where the demo lives: a folder of its own, never over what a person has changed."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hailuo_jupyter.errors import FolderNotWritable, HailuoError, NotebookError
from hailuo_jupyter.nbfile.document import joined, read
from hailuo_jupyter.nbfile.verify import verify
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
        """The demo's own run log, out of sight."""
        return self.folder / ".hailuo" / "runs.sqlite3"

    def settings(self) -> Hailuo:
        """Give the settings that lead to this log."""
        return Hailuo(run_log=str(self.run_log), output_dir="hailuo")


def shipped() -> Path:
    """Give the folder with the notebook as it comes: in the package, or in a checkout beside it.

    Raises
    ------
    NotebookError
        If the installation is not whole.
    """
    package = Path(__file__).parent
    for folder in (package, package.parents[1] / "notebooks"):
        if (folder / NOTEBOOK).is_file():
            return folder
    raise NotebookError(
        "The quickstart notebook is not in this installation.",
        todo="Install hailuo-jupyter again.",
    )


def choose(where: Path, *, to_open: bool = False) -> Place:
    """Give the demo's folder, and copy the notebook there where it is new.

    A completed demo whose notebook is as shipped is used again, and buys nothing. One that a person
    has changed, or that was broken off, stays as it is: a numbered folder is taken. To open it, the
    latest is taken as it is.

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
            todo="Go to a folder that you can write to.",
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
