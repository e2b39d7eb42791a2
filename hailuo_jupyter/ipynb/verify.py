"""``jupyter hailuo verify``: check that a notebook's records match its clips.

Notebook, sidecar and run log each hold a record of a run; log and sidecar are authoritative, and the
notebook's metadata is a copy for sharing. Here they are compared with each other, with the files
and with the cells.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hailuo_jupyter.clip_file import Condition, clip_file
from hailuo_jupyter.errors import NotebookError
from hailuo_jupyter.files import sha256_of
from hailuo_jupyter.ipynb import records
from hailuo_jupyter.ipynb.document import joined, read
from hailuo_jupyter.ipynb.locate import RunLocator, Sidecar
from hailuo_jupyter.links import shared
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.parts import ClipRecord
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import FINAL, State

_SYNC = "use 'jupyter hailuo sync'."


@dataclass(frozen=True)
class Issue:
    """A problem, or something worth knowing.

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
        False if it is only worth knowing.
    """

    kind: str
    text: str
    run_id: str | None = None
    wrong: bool = True


@dataclass
class VerifyReport:
    """The result of `verify`.

    Parameters
    ----------
    notebook
        Name of the file.
    findings
        In the order of the notebook.
    runs, completed, clips
        Numbers of runs with a record, of completed ones, and of those whose clip has the right hash.
    """

    notebook: str
    findings: list[Issue] = field(default_factory=list)
    runs: int = 0
    completed: int = 0
    clips: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not any(finding.wrong for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {**asdict(self), "ok": self.ok}


def verify(path: Path, folder: Path | None = None, settings: Hailuo | None = None) -> VerifyReport:
    """Check a notebook's records. Nothing is changed.

    Parameters
    ----------
    path
        The notebook.
    folder
        The output folder, if neither the log nor a link names it.
    settings
        Contain the paths of the run logs; the settings in force if None.

    Raises
    ------
    NotebookError
        If the file cannot be read.
    RunLogError
        If a run log cannot be read.
    """
    document = read(path)
    nb, verdict = document.nb, VerifyReport(path.name)
    found = _stored(nb, verdict)
    _outputs(nb, found, verdict)
    _cells(nb, found, verdict)
    verdict.runs = len(found)
    verdict.completed = sum(record.state is State.COMPLETED for record in found.values())
    unknown = 0
    with RunLocator(document.base, nb, folder, settings) as places:
        for record in found.values():
            where = places.folder(record)
            issues = against_files(record, where)
            issues += against_sidecar(record, places.sidecar(record.run_id, where))
            row = places.row(record.run_id)
            unknown += row is None
            issues += against_log(record, row)
            verdict.findings += [
                Issue(kind, text, record.run_id, wrong) for kind, text, wrong in issues
            ]
            if record.clip is not None and not any(kind == "clip" for kind, _, _ in issues):
                verdict.clips += 1
        verdict.findings += [
            Issue(
                "metadata",
                f"This notebook has sent it, but the file does not have it; {_SYNC}",
                each.run_id,
            )
            for each in places.bought_in(path, records.written_id(nb))
            if each.run_id not in found
        ]
    if unknown:
        text = f"The run log does not know {unknown} of {len(found)} runs (made elsewhere; not a problem)."
        verdict.findings.append(Issue("log", text, wrong=False))
    if not found and verdict.ok:
        verdict.findings.append(Issue("metadata", "The notebook has no Hailuo runs.", wrong=False))
    return verdict


def _stored(nb: dict[str, Any], verdict: VerifyReport) -> dict[str, Record]:
    """Read the records in the notebook's metadata, and report invalid ones."""
    try:
        stored = records.stored(nb)
    except NotebookError as error:
        verdict.findings.append(Issue("metadata", error.what))
        return {}
    if stored and records.written_id(nb) is None:
        verdict.findings.append(
            Issue("metadata", "The notebook's metadata has records, but no notebook id.")
        )
    found: dict[str, Record] = {}
    for run_id, raw in stored.items():
        try:
            record = records.read(raw)
        except ValueError as error:
            text = f"The metadata's record {_short(run_id)} does not match the schema: {error}"
            verdict.findings.append(Issue("schema", text))
            continue
        if record.run_id != run_id:
            text = (
                f"The metadata has the record of run {record.run_id} under the id {_short(run_id)}."
            )
            verdict.findings.append(Issue("schema", text, record.run_id))
            continue
        found[run_id] = record
    return found


def _outputs(nb: dict[str, Any], found: dict[str, Record], verdict: VerifyReport) -> None:
    """Compare what the outputs show with the metadata, which may lack a run or be outdated."""
    for output in records.outputs(nb):
        wrong = len(output.raw) - len(output.run_ids)
        if wrong:
            text = f"Records in an output that do not match the schema: {wrong}."
            verdict.findings.append(Issue("schema", text))
        for run_id in output.missing:
            text = f"An output refers to its record, which the metadata does not have; {_SYNC}"
            verdict.findings.append(Issue("metadata", text, run_id))
        for record, revision in zip(output.records, output.revisions, strict=True):
            run_id, have = record.run_id, found.get(record.run_id)
            if have is None:
                text = f"An output shows it, but the notebook's metadata does not have it; {_SYNC}"
                verdict.findings.append(Issue("metadata", text, run_id))
                found[run_id] = record
            elif have.revision < record.revision:
                text = (
                    f"The metadata has revision {have.revision}, an output has revision "
                    f"{record.revision}; {_SYNC}"
                )
                verdict.findings.append(Issue("metadata", text, run_id))
                found[run_id] = record
            elif have.revision > revision:
                text = f"An output still shows revision {revision} of {have.revision}; {_SYNC}"
                verdict.findings.append(Issue("output", text, run_id))
            elif have.to_json() != record.to_json():
                text = "Output and metadata have the same revision, but different content."
                verdict.findings.append(Issue("output", text, run_id))


def _cells(nb: dict[str, Any], found: dict[str, Record], verdict: VerifyReport) -> None:
    """Compare what each cell's metadata lists with its outputs, and its source with the records."""
    unnamed: dict[str, set[str]] = {}
    for number, cell in enumerate(records.code_cells(nb), 1):
        shown, listed = records.shown_ids(cell), records.listed_runs(cell)
        if shown != listed:
            text = (
                f"The metadata of code cell {number} does not list what its outputs show; {_SYNC}"
            )
            verdict.findings.append(Issue("metadata", text))
        source = joined(cell.get("source"))
        digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
        for run_id in dict.fromkeys([*shown, *listed]):
            record = found.get(run_id)
            if record is None:
                text = f"Code cell {number} lists it, but the notebook has no record of it."
                verdict.findings.append(Issue("metadata", text, _short(run_id)))
            elif record.origin is None or record.origin.source_sha256 is None:
                continue
            elif record.origin.cell_id is None:  # executors do not send the cell's id
                if source.startswith("%%hailuo"):
                    unnamed.setdefault(run_id, set()).add(digest)
            elif record.origin.cell_id == cell.get("id") and record.origin.source_sha256 != digest:
                text = f"Code cell {number} was changed after this run (drift)."
                verdict.findings.append(Issue("drift", text, run_id))
    for run_id, digests in unnamed.items():
        origin = found[run_id].origin
        if origin is not None and origin.source_sha256 not in digests:
            text = "Its cell was changed after this run (drift)."
            verdict.findings.append(Issue("drift", text, run_id))


def _short(text: str) -> str:
    return ascii(text if len(text) <= 60 else text[:59] + "…")


#: Kind of a finding, its sentence, and whether it is an error or only worth knowing.
Finding = tuple[str, str, bool]


def against_files(record: Record, folder: Path | None) -> list[Finding]:
    """Check that clip and frames exist, with the hashes in the record.

    Parameters
    ----------
    record
        The record.
    folder
        The output folder; None if unknown.
    """
    issues: list[Finding] = []
    if record.clip is not None and record.clip.deleted is not None:
        if folder is None or sha256_of(folder / record.clip.path) != record.clip.sha256:
            day = record.clip.deleted[:10]
            issues.append(("clip", f"It was deleted on {day}.", False))
    elif record.clip is not None:
        issues += _clip(record.clip, folder)
    elif record.state is State.COMPLETED:
        issues.append(("clip", "It is completed, but its record does not name a clip.", True))
    for role, frame in (
        ("first frame", record.request.first_frame),
        ("last frame", record.request.last_frame),
    ):
        if frame is not None and frame.kept is not None and frame.sha256 is not None:
            issues += [
                ("frame", f"{text} ({role})", wrong)
                for _, text, wrong in _file("frame", frame.kept, frame.sha256, folder)
            ]
    return issues


def _clip(clip: ClipRecord, folder: Path | None) -> list[Finding]:
    if folder is not None:
        file = clip_file(folder / clip.path, clip)
        if file.condition is Condition.DAMAGED:
            text = f"{clip.path} is damaged: it {file.why}. Rerun its cell to download it again."
            return [("clip", text, True)]
    return _file("clip", clip.path, clip.sha256, folder)


def _file(kind: str, name: str, sha256: str, folder: Path | None) -> list[Finding]:
    if folder is None:
        return [(kind, f"{name} was not found, nor its folder.", True)]
    found = sha256_of(folder / name)
    if found is None:
        return [(kind, f"{name} is not in its folder.", True)]
    if found != sha256:
        return [(kind, f"{name} does not match its record (sha256 differs).", True)]
    return []


def against_sidecar(record: Record, sidecar: Sidecar | None) -> list[Finding]:
    """Compare a notebook's record with the one next to the clip."""
    if sidecar is None:
        if record.state in FINAL and record.clip is not None and record.clip.deleted is None:
            return [("sidecar", f"There is no record next to its clip; {_SYNC}", True)]
        return []
    if sidecar.record is None:
        return [("sidecar", f"{sidecar.path.name} {sidecar.wrong}", True)]
    return _compared("sidecar", "the record next to its clip", record, sidecar.record)


def against_log(record: Record, row: Row | None) -> list[Finding]:
    """Compare a notebook's record with the run log's; a missing one is not an error."""
    if row is None:
        return []
    issues = _compared("log", "the run log", record, row.record)
    if not issues and row.state not in FINAL:
        issues.append(("log", f"Not finished: {row.state.words.lower()}.", False))
    return issues


def _cost_alone(record: Record, other: Record) -> bool:
    """Return whether two revisions differ only in the cost, which a provider may report days later."""
    if record.cost == other.cost:
        return False
    mine, theirs = _document(record), _document(other)
    for each in (mine, theirs):
        each["problem"] = {**(each["problem"] or {}), "money": ""}
        del each["revision"], each["cost"]
    return mine == theirs


def _document(record: Record) -> dict[str, Any]:
    # A notebook contains less of the provider's links than log and sidecar.
    return shared(record.model_dump(mode="json", by_alias=True))


def _compared(kind: str, where: str, record: Record, other: Record) -> list[Finding]:
    if other.revision > record.revision:
        text = f"The notebook has revision {record.revision}, {where} has {other.revision}; {_SYNC}"
        return [(kind, text, not _cost_alone(record, other))]
    if other.revision < record.revision:
        text = f"The notebook has revision {record.revision}, {where} has only {other.revision}."
        return [(kind, text, True)]
    mine, theirs = _document(record), _document(other)
    if mine != theirs:
        names = sorted(n for n in {*mine, *theirs} if mine.get(n) != theirs.get(n))
        text = f"The notebook and {where} disagree about: {', '.join(names)}."
        return [(kind, text, True)]
    return []
