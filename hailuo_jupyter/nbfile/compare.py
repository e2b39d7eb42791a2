"""One record against its files, its sidecar and its row in the run log."""

from __future__ import annotations

from pathlib import Path

from hailuo_jupyter.nbfile.files import sha256_of
from hailuo_jupyter.nbfile.places import Sidecar
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import FINAL, State

#: Kind of a finding, its sentence, and whether it is wrong or only worth knowing.
Told = tuple[str, str, bool]


def against_files(record: Record, folder: Path | None) -> list[Told]:
    """Check that clip and frames are there, with the bytes that the record says.

    Parameters
    ----------
    record
        The record.
    folder
        The output folder; None where nobody knows it.
    """
    told: list[Told] = []
    if record.clip is not None and record.clip.deleted is not None:
        if folder is None or sha256_of(folder / record.clip.path) != record.clip.sha256:
            day = record.clip.deleted[:10]
            told.append(("clip", f"It was deleted by 'jupyter hailuo prune' on {day}.", False))
    elif record.clip is not None:
        told += _file("clip", record.clip.path, record.clip.sha256, folder)
    elif record.state is State.COMPLETED:
        told.append(("clip", "It is completed, but its record names no clip.", True))
    for role, frame in (
        ("first frame", record.request.first_frame),
        ("last frame", record.request.last_frame),
    ):
        if frame is not None and frame.kept is not None and frame.sha256 is not None:
            told += [
                ("frame", f"{text} ({role})", wrong)
                for _, text, wrong in _file("frame", frame.kept, frame.sha256, folder)
            ]
    return told


def _file(kind: str, name: str, sha256: str, folder: Path | None) -> list[Told]:
    if folder is None:
        return [(kind, f"{name} was not found, nor its folder.", True)]
    found = sha256_of(folder / name)
    if found is None:
        return [(kind, f"{name} is not in its folder.", True)]
    if found != sha256:
        return [
            (kind, f"{name} is not the file that the record tells of: its sha256 differs.", True)
        ]
    return []


def against_sidecar(record: Record, beside: Sidecar | None) -> list[Told]:
    """Compare a notebook's record with the one beside the clip."""
    if beside is None:
        if record.state in FINAL and record.clip is not None and record.clip.deleted is None:
            return [("sidecar", "There is no record beside its clip; run sync.", True)]
        return []
    if beside.record is None:
        return [("sidecar", f"{beside.path.name} {beside.wrong}", True)]
    return _compared("sidecar", "the record beside its clip", record, beside.record)


def against_log(record: Record, row: Row | None) -> list[Told]:
    """Compare a notebook's record with the run log's; that there is none is no fault."""
    if row is None:
        return []
    told = _compared("log", "the run log", record, row.record)
    if not told and row.state not in FINAL:
        told.append(("log", f"It has not ended: {row.state.words.lower()}.", False))
    return told


def _cost_alone(record: Record, other: Record) -> bool:
    """Tell whether two revisions differ in the cost alone, which a provider may tell days later."""
    if record.cost == other.cost:
        return False
    mine, theirs = (each.model_dump(mode="json") for each in (record, other))
    for each in (mine, theirs):
        each["problem"] = {**(each["problem"] or {}), "money": ""}
        del each["revision"], each["cost"]
    return mine == theirs


def _compared(kind: str, where: str, record: Record, other: Record) -> list[Told]:
    if other.revision > record.revision:
        text = f"The notebook has revision {record.revision}, {where} {other.revision}; run sync."
        return [(kind, text, not _cost_alone(record, other))]
    if other.revision < record.revision:
        text = f"The notebook has revision {record.revision}, {where} only {other.revision}."
        return [(kind, text, True)]
    if other.to_json() != record.to_json():
        mine, theirs = record.model_dump(mode="json"), other.model_dump(mode="json")
        names = sorted(n for n in {*mine, *theirs} if mine.get(n) != theirs.get(n))
        text = f"The notebook and {where} disagree about: {', '.join(names)}."
        return [(kind, text, True)]
    return []
