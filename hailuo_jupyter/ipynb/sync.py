"""``jupyter hailuo sync``: bring a notebook, and the sidecars of its runs, up to date."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hailuo_jupyter.engine.sidecar_sync import clear_folder
from hailuo_jupyter.errors import DiskError
from hailuo_jupyter.files import sha256_of
from hailuo_jupyter.ids import made_of_path
from hailuo_jupyter.ipynb import records, trust
from hailuo_jupyter.ipynb.cell_ids import clean, clean_sidecar
from hailuo_jupyter.ipynb.document import read, text_of
from hailuo_jupyter.ipynb.locate import RunLocator
from hailuo_jupyter.ipynb.redraw import redraw
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.paths import sidecar_name
from hailuo_jupyter.record.sidecar import write_sidecar
from hailuo_jupyter.settings import Hailuo


@dataclass(frozen=True)
class SyncReport:
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


def sync(path: Path, folder: Path | None = None, settings: Hailuo | None = None) -> SyncReport:
    """Fill in a notebook's metadata from its outputs, the sidecars and the run log.

    A run that this notebook has sent is added even if no cell shows it.

    A notebook that was trusted stays so: it is signed again. One that was not stays untrusted.

    Parameters
    ----------
    path
        The notebook. Nothing is written where nothing is new.
    folder
        The output folder, where neither the log nor a link tells it.
    settings
        Tell where the run logs are; what is in force if None.

    Raises
    ------
    NotebookError
        If the file cannot be read, or its metadata holds something else in our place.
    DiskError, RunLogError
        If the file cannot be written, or the log not be read.
    """
    document = read(path)
    trusted = trust.is_trusted(text_of(document.nb, path.name))
    before = copy.deepcopy(document.nb)
    with RunLocator(document.base, document.nb, folder, settings) as places:
        # First the records, since what is drawn refers to them.
        newer = newest(document.nb, places)
        # A cell may have been lost before it was saved; what it bought was not.
        newer += places.bought_in(path, records.written_id(document.nb))
        lifted = records.lift_records(document.nb, made_of_path(path.absolute()), newer)
        redrawn = redraw(document.nb, places, document.base, split=True)
        clean(document.nb)
        written, remarks = _sidecars(document.nb, places)
    changed = document.nb != before
    if changed:
        document.save()
        if trusted and not trust.sign(text_of(document.nb, path.name)):
            remarks.append(trust.NOT_SIGNED)
    count = len(records.stored(document.nb))
    return SyncReport(count, lifted, redrawn, written, tuple(remarks), changed)


def newest(nb: dict[str, Any], places: RunLocator) -> list[Record]:
    """Return what log and sidecars hold of the runs that a notebook knows.

    Raises
    ------
    NotebookError
        If its metadata holds something else in our place.
    """
    found: list[Record] = []
    known = _known(nb)
    folders = {run_id: places.folder(record) for run_id, record in known.items()}
    for output in records.outputs(nb):
        for run_id in output.missing:
            if run_id not in folders:
                folders[run_id] = places.sidecar_folder(run_id)
    for run_id, folder in folders.items():
        if row := places.row(run_id):
            found.append(row.record)
        beside = places.sidecar(run_id, folder)
        if beside and beside.record:
            found.append(beside.record)
    return found


def _known(nb: dict[str, Any]) -> dict[str, Record]:
    """Return every run that a notebook has a readable record of, at its highest revision."""
    found: dict[str, Record] = {}
    stored = [record for raw in records.stored(nb).values() if (record := records.readable(raw))]
    shown = [record for output in records.outputs(nb) for record in output.records]
    for record in (*stored, *shown):
        if record.run_id not in found or found[record.run_id].revision < record.revision:
            found[record.run_id] = record
    return found


def _sidecars(nb: dict[str, Any], places: RunLocator) -> tuple[int, list[str]]:
    written, remarks = 0, []
    ours: dict[Path, set[str]] = {}
    for run_id, known in _known(nb).items():
        row, folder = places.row(run_id), places.folder(known)
        # Log and sidecar are the truth, so the notebook's copy never replaces a sidecar.
        record = known if row is None else row.record
        if row is not None and folder is not None:
            ours.setdefault(folder, set()).add(sidecar_name(row.record.file_stem))
        beside = places.sidecar(run_id, folder)
        if beside is not None and places.trusts(beside.path.parent, run_id):
            try:
                written += clean_sidecar(beside.path)
            except DiskError as error:
                remarks.append(str(error))
        behind = beside is None or (
            row is not None and (beside.record is None or beside.record.revision < row.revision)
        )
        if folder is None or not behind or record.clip is None:
            continue
        # A notebook may come from anybody: only beside the very clip that it tells of is written.
        if (
            not places.has_clip_of(record)
            or sha256_of(folder / record.clip.path) != record.clip.sha256
        ):
            continue
        if not places.trusts(folder, run_id):
            remarks.append(
                f"Run {run_id} has no record next to its clip, whose folder is outside the "
                f"notebook's. To write one there, use --clips {folder}"
            )
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
