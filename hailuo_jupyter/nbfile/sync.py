"""``jupyter hailuo sync``: bring a notebook, and the sidecars of its runs, up to date."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hailuo_jupyter.engine.sidecar import clear_folder
from hailuo_jupyter.errors import DiskError
from hailuo_jupyter.nbfile import records
from hailuo_jupyter.nbfile.document import read
from hailuo_jupyter.nbfile.files import sha256_of
from hailuo_jupyter.nbfile.places import Places
from hailuo_jupyter.nbfile.redraw import redraw
from hailuo_jupyter.notebook_id import made_of_path
from hailuo_jupyter.record import Record
from hailuo_jupyter.record_file import sidecar_name, write_sidecar
from hailuo_jupyter.settings import Hailuo


@dataclass(frozen=True)
class Synced:
    """What `sync` did.

    Parameters
    ----------
    runs
        How many runs the notebook's metadata holds.
    lifted
        Records that are new in the metadata, or newer than what stood there.
    redrawn
        Outputs that were drawn again.
    sidecars
        Sidecars that were written.
    remarks
        What could not be done, each in a sentence.
    changed
        Whether the file was written.
    """

    runs: int
    lifted: int
    redrawn: int
    sidecars: int
    remarks: tuple[str, ...]
    changed: bool


def sync(path: Path, folder: Path | None = None, settings: Hailuo | None = None) -> Synced:
    """Fill in a notebook's metadata from its outputs, the sidecars and the run log.

    Parameters
    ----------
    path
        The notebook. Nothing is written where nothing is new.
    folder
        The output folder, where neither the log nor a link tells it.
    settings
        Tell where the run logs lie; what is in force if None.

    Raises
    ------
    NotebookError
        If the file cannot be read, or its metadata holds something else in our place.
    DiskError, RunLogError
        If the file cannot be written, or the log not be read.
    """
    document = read(path)
    before = copy.deepcopy(document.nb)
    with Places(document.base, document.nb, folder, settings) as places:
        redrawn = redraw(document.nb, places, document.base, split=True)
        newer = newest(document.nb, places)
        lifted = records.lift(document.nb, made_of_path(path.absolute()), newer)
        written, remarks = _sidecars(document.nb, places)
    changed = document.nb != before
    if changed:
        document.save()
    count = len(records.stored(document.nb))
    return Synced(count, lifted, redrawn, written, tuple(remarks), changed)


def newest(nb: dict[str, Any], places: Places) -> list[Record]:
    """Give what log and sidecars hold of the runs that a notebook knows.

    Raises
    ------
    NotebookError
        If its metadata holds something else in our place.
    """
    found: list[Record] = []
    for record in _known(nb).values():
        if row := places.row(record.run_id):
            found.append(row.record)
        beside = places.sidecar(record.run_id, places.folder(record))
        if beside and beside.record:
            found.append(beside.record)
    return found


def _known(nb: dict[str, Any]) -> dict[str, Record]:
    """Give every run that a notebook has a readable record of, at its highest revision."""
    found: dict[str, Record] = {}
    stored = [record for raw in records.stored(nb).values() if (record := records.readable(raw))]
    shown = [record for output in records.outputs(nb) for record in output.records]
    for record in (*stored, *shown):
        if record.run_id not in found or found[record.run_id].revision < record.revision:
            found[record.run_id] = record
    return found


def _sidecars(nb: dict[str, Any], places: Places) -> tuple[int, list[str]]:
    written, remarks = 0, []
    ours: dict[Path, set[str]] = {}
    for run_id, known in _known(nb).items():
        row, folder = places.row(run_id), places.folder(known)
        # Log and sidecar are the truth, so the notebook's copy never replaces a sidecar.
        record = known if row is None else row.record
        if row is not None and folder is not None:
            ours.setdefault(folder, set()).add(sidecar_name(run_id))
        beside = places.sidecar(run_id, folder)
        behind = beside is None or (
            row is not None and (beside.record is None or beside.record.revision < row.revision)
        )
        if folder is None or not behind or record.clip is None:
            continue
        # A notebook may come from anybody: only beside the very clip that it tells of is written.
        here = record.clip.path == f"{run_id}.mp4"
        if not here or sha256_of(folder / record.clip.path) != record.clip.sha256:
            continue
        try:
            write_sidecar(record, folder)
        except DiskError as error:
            remarks.append(str(error))
        else:
            written += 1
    for folder, names in ours.items():
        clear_folder(folder, names)
    return written, remarks
