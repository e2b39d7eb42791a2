"""``jupyter hailuo verify``: does a notebook still say the truth about its clips.

Notebook, sidecar and run log each hold a record of a run; log and sidecar are the truth, and the
notebook's metadata is the copy that travels. Here they are compared with each other, with the files
and with the cells.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hailuo_jupyter.errors import NotebookError
from hailuo_jupyter.nbfile import records
from hailuo_jupyter.nbfile.compare import against_files, against_log, against_sidecar
from hailuo_jupyter.nbfile.document import joined, read
from hailuo_jupyter.nbfile.places import Places
from hailuo_jupyter.record import Record
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be, or worth knowing.

    Parameters
    ----------
    kind
        Short name, for programs: ``metadata``, ``schema``, ``clip``, ``frame``, ``sidecar``,
        ``log``, ``output`` or ``drift``.
    text
        A sentence.
    run_id
        The run it is about, if any.
    wrong
        False for what is only worth knowing.
    """

    kind: str
    text: str
    run_id: str | None = None
    wrong: bool = True


@dataclass
class Verdict:
    """What `verify` found.

    Parameters
    ----------
    notebook
        Name of the file.
    findings
        In the order of the notebook.
    runs, completed, clips
        Runs with a record; of them completed; of them with a clip whose hash is right.
    """

    notebook: str
    findings: list[Finding] = field(default_factory=list)
    runs: int = 0
    completed: int = 0
    clips: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not any(finding.wrong for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON."""
        return {**asdict(self), "ok": self.ok}


def verify(path: Path, folder: Path | None = None, settings: Hailuo | None = None) -> Verdict:
    """Check a notebook's records. Nothing is changed.

    Parameters
    ----------
    path
        The notebook.
    folder
        The output folder, where neither the log nor a link tells it.
    settings
        Tell where the run logs lie; what is in force if None.

    Raises
    ------
    NotebookError
        If the file cannot be read.
    RunLogError
        If a run log cannot be read.
    """
    document = read(path)
    nb, verdict = document.nb, Verdict(path.name)
    found = _stored(nb, verdict)
    _outputs(nb, found, verdict)
    _cells(nb, found, verdict)
    verdict.runs = len(found)
    verdict.completed = sum(record.state is State.COMPLETED for record in found.values())
    unknown = 0
    with Places(document.base, nb, folder, settings) as places:
        for record in found.values():
            where = places.folder(record)
            told = against_files(record, where)
            told += against_sidecar(record, places.sidecar(record.run_id, where))
            row = places.row(record.run_id)
            unknown += row is None
            told += against_log(record, row)
            verdict.findings += [
                Finding(kind, text, record.run_id, wrong) for kind, text, wrong in told
            ]
            if record.clip is not None and not any(kind == "clip" for kind, _, _ in told):
                verdict.clips += 1
    if unknown:
        text = (
            f"The run log does not know {unknown} of {len(found)} run(s): made elsewhere, no fault."
        )
        verdict.findings.append(Finding("log", text, wrong=False))
    if not found and verdict.ok:
        verdict.findings.append(
            Finding("metadata", "The notebook has no runs of Hailuo.", wrong=False)
        )
    return verdict


def _stored(nb: dict[str, Any], verdict: Verdict) -> dict[str, Record]:
    """Read the records in the notebook's metadata, and tell of those that are none."""
    try:
        stored = records.stored(nb)
    except NotebookError as error:
        verdict.findings.append(Finding("metadata", error.what))
        return {}
    if stored and records.written_id(nb) is None:
        verdict.findings.append(
            Finding("metadata", "The notebook's metadata has records, but no id of the notebook.")
        )
    found: dict[str, Record] = {}
    for run_id, raw in stored.items():
        try:
            record = records.read(raw)
        except ValueError as error:
            text = f"The metadata's record {_short(run_id)} does not fit the schema: {error}"
            verdict.findings.append(Finding("schema", text))
            continue
        if record.run_id != run_id:
            text = f"The metadata has the record of run {record.run_id} under {_short(run_id)}."
            verdict.findings.append(Finding("schema", text, record.run_id))
            continue
        found[run_id] = record
    return found


def _outputs(nb: dict[str, Any], found: dict[str, Record], verdict: Verdict) -> None:
    """Compare what the outputs show with the metadata, which may lack a run or be behind."""
    for output in records.outputs(nb):
        wrong = len(output.raw) - len(output.records)
        if wrong:
            text = f"An output holds {wrong} record(s) that do not fit the schema."
            verdict.findings.append(Finding("schema", text))
        for record in output.records:
            run_id, have = record.run_id, found.get(record.run_id)
            if have is None:
                text = "An output shows it, but the notebook's metadata does not have it; run sync."
                verdict.findings.append(Finding("metadata", text, run_id))
                found[run_id] = record
            elif have.revision < record.revision:
                text = (
                    f"The metadata has revision {have.revision}, an output already revision "
                    f"{record.revision}; run sync."
                )
                verdict.findings.append(Finding("metadata", text, run_id))
                found[run_id] = record
            elif have.revision > record.revision:
                text = f"An output still shows revision {record.revision} of {have.revision}; run sync."
                verdict.findings.append(Finding("output", text, run_id))
            elif have.to_json() != record.to_json():
                text = "Output and metadata have the same revision, but not the same content."
                verdict.findings.append(Finding("output", text, run_id))


def _cells(nb: dict[str, Any], found: dict[str, Record], verdict: Verdict) -> None:
    """Compare what each cell's metadata lists with its outputs, and its source with the records."""
    unnamed: dict[str, set[str]] = {}
    for number, cell in enumerate(records.code_cells(nb), 1):
        shown, listed = records.shown_ids(cell), records.listed(cell)
        if shown != listed:
            text = (
                f"The metadata of code cell {number} does not list what its outputs show; run sync."
            )
            verdict.findings.append(Finding("metadata", text))
        source = joined(cell.get("source"))
        digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
        for run_id in dict.fromkeys([*shown, *listed]):
            record = found.get(run_id)
            if record is None:
                text = f"Code cell {number} lists it, but the notebook has no record of it."
                verdict.findings.append(Finding("metadata", text, _short(run_id)))
            elif record.origin is None or record.origin.source_sha256 is None:
                continue
            elif record.origin.cell_id is None:  # executors do not tell the cell's id
                if source.startswith("%%hailuo"):
                    unnamed.setdefault(run_id, set()).add(digest)
            elif record.origin.cell_id == cell.get("id") and record.origin.source_sha256 != digest:
                text = f"Code cell {number} was changed after this run was made (drift)."
                verdict.findings.append(Finding("drift", text, run_id))
    for run_id, digests in unnamed.items():
        origin = found[run_id].origin
        if origin is not None and origin.source_sha256 not in digests:
            text = "The cell that shows it was changed after this run was made (drift)."
            verdict.findings.append(Finding("drift", text, run_id))


def _short(text: str) -> str:
    return ascii(text if len(text) <= 60 else text[:59] + "…")
