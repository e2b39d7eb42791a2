"""``jupyter hailuo export``: a notebook with its clips, frames and records as an RO-Crate.

`collect_runs` decides what is included, `build_graph` describes it.
"""

from __future__ import annotations

import io
import json
import re
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.model import ContextEntity
from rocrate.rocrate import ROCrate

from hailuo_jupyter import catalogue, home
from hailuo_jupyter.container import SUFFIXES, media_type
from hailuo_jupyter.errors import CrateError, HailuoError
from hailuo_jupyter.files import sha256_of
from hailuo_jupyter.formatting import count, escape_control
from hailuo_jupyter.ipynb import records
from hailuo_jupyter.ipynb.document import Document, read
from hailuo_jupyter.ipynb.locate import RunLocator
from hailuo_jupyter.links import shared
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.paths import sidecar_name
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.sinks import mapping
from hailuo_jupyter.states import FINAL, State

_UNCHANGED = "Nothing was written."


@dataclass(frozen=True)
class Exported:
    """What was written."""

    path: Path
    runs: int
    clips: int
    remarks: tuple[str, ...]


def export(
    path: Path,
    target: Path,
    folder: Path | None = None,
    *,
    licence: str = "",
    settings: Hailuo | None = None,
) -> Exported:
    """Write a notebook as a crate.

    Parameters
    ----------
    path
        The notebook; it is not changed.
    target
        A folder that does not exist or is empty, or a file that does not exist and ends in ``.zip``.
    folder
        The output folder, if neither the log nor a link names it.
    licence
        Link to the licence of the crate, or its name; empty if none was chosen.
    settings
        Contain the paths of the run logs; the settings in force if None.

    Raises
    ------
    NotebookError
        If the file cannot be read.
    CrateError
        If the target already exists, or cannot be written.
    """
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise CrateError(
            f"The name {path.name} is not valid UTF-8, as names in a crate must be.",
            money=_UNCHANGED,
            todo="Rename the notebook.",
        ) from None
    zipped = target.suffix.lower() == ".zip"
    if target.exists() and (zipped or not target.is_dir() or any(target.iterdir())):
        raise CrateError(
            f"{target.name} already exists.",
            money=_UNCHANGED,
            todo="Choose another name, or remove it first.",
        )
    contents = collect_runs(path, folder, settings)
    crate = build_graph(contents, licence)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if zipped:
            crate.write_zip(part)
        else:
            crate.write(part)
            if target.is_dir():
                target.rmdir()
        part.replace(target)
    except OSError as error:
        raise CrateError(
            f"{target.name} could not be written: {error.strerror}.",
            money="Notebook, clips and run log are unchanged.",
        ) from error
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
    clips = sum(each.clip is not None for each in contents.taken)
    return Exported(target, len(contents.taken), clips, tuple(contents.remarks))


#: File names that are allowed in a crate: one path component, without characters that are special in
#: a shell or a URL.
_NAME = re.compile(
    r"[0-9A-Za-z][0-9A-Za-z._-]{0,119}(" + "|".join(map(re.escape, SUFFIXES)) + r"|\.png|\.jpe?g)"
)


@dataclass(frozen=True)
class IncludedRun:
    """A run that is included.

    Parameters
    ----------
    record
        Its record in the notebook.
    folder
        Its folder in the crate, with ``/`` between parts.
    clip
        The clip's file; None if it does not match the record.
    frames
        Files of first and last frame, by role, as far as they exist.
    """

    record: Record
    folder: str
    clip: Path | None
    frames: dict[str, Path]


@dataclass
class CrateFiles:
    """The contents of a crate, and sentences about what is left out."""

    document: Document
    taken: list[IncludedRun] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def collect_runs(path: Path, folder: Path | None, settings: Hailuo | None) -> CrateFiles:
    """Decide what is included.

    Parameters
    ----------
    path
        The notebook; it is not changed.
    folder
        The output folder, if neither the log nor a link names it.
    settings
        Contain the paths of the run logs; the settings in force if None.

    Raises
    ------
    NotebookError
        If the file cannot be read.
    """
    document = read(path)
    contents = CrateFiles(document)
    found = _own(document.nb)
    with RunLocator(document.base, document.nb, folder, settings) as places:
        for record in found.values():
            if record.state not in FINAL:
                words = record.state.words.lower()
                contents.remarks.append(f"Run {record.run_id} has not finished ({words}); skipped.")
                continue
            contents.taken.append(_include(record, places, folder, contents))
    home_folder = home.folder()
    if home_folder and str(home_folder) in path.read_text(encoding="utf-8", errors="replace"):
        contents.remarks.append(
            "The notebook's cells or outputs contain your home folder's path; the crate has them "
            "unchanged."
        )
    return contents


def _own(nb: dict[str, Any]) -> dict[str, Record]:
    """Return the notebook's records, from its metadata and its outputs, the latest one of each run."""
    stored = (records.readable(each) for each in records.stored(nb).values())
    shown = (each for output in records.outputs(nb) for each in output.records)
    found: dict[str, Record] = {}
    for record in (*stored, *shown):
        if record is not None:
            newest = found.get(record.run_id)
            if newest is None or newest.revision < record.revision:
                found[record.run_id] = record
    return found


def _include(
    record: Record, places: RunLocator, named: Path | None, contents: CrateFiles
) -> IncludedRun:
    base, row = contents.document.base, places.row(record.run_id)
    where = places.folder(record)
    # Only files below the notebook, or where this person's own log or option says that the run's
    # files are: a foreign notebook may link to anywhere.
    own = row is not None and _same_notebook(record, row.record)
    allowed = [
        base,
        *([named] if named else []),
        *([row.folder] if row is not None and own else []),
    ]
    inside = "hailuo"
    if where is not None and where.absolute().is_relative_to(base):
        inside = where.absolute().relative_to(base).as_posix()
        inside = "" if inside == "." or ".." in inside.split("/") else inside
    clip = None
    if record.clip is not None:
        if record.clip.deleted is None or (where and (where / record.clip.path).is_file()):
            clip, problem = _included_file(where, record.clip.path, record.clip.sha256, allowed)
        else:
            problem = f"was deleted on {record.clip.deleted[:10]}"
        if problem:
            contents.remarks.append(f"Run {record.run_id}: its clip {problem}; skipped.")
    elif record.state is State.COMPLETED:
        contents.remarks.append(
            f"Run {record.run_id} is completed, but its record does not name a clip."
        )
    frames: dict[str, Path] = {}
    request = record.request
    for role, frame in (("first frame", request.first_frame), ("last frame", request.last_frame)):
        if frame is None or not frame.kept or not frame.sha256:
            continue
        file, problem = _included_file(where, frame.kept, frame.sha256, allowed)
        if file is not None:
            frames[role] = file
        else:
            contents.remarks.append(f"Run {record.run_id}: its {role} {problem}; skipped.")
    return IncludedRun(record, inside, clip, frames)


def _same_notebook(record: Record, other: Record) -> bool:
    mine, theirs = record.origin, other.origin
    return mine is not None and theirs is not None and mine.notebook_id == theirs.notebook_id


def _included_file(
    folder: Path | None, name: str, sha256: str, allowed: Iterable[Path]
) -> tuple[Path | None, str]:
    """Return a file that may be included; or None, and the reason."""
    if not _NAME.fullmatch(name.rpartition("/")[2]) or name.removeprefix("frames/").count("/"):
        return None, "does not have the name of a clip or frame"
    if folder is None:
        return None, "was not found"
    try:
        path = (folder / name).resolve()
        if not any(path.is_relative_to(each.resolve()) for each in allowed):
            return None, "is outside the notebook's folder"
    except (OSError, ValueError, RuntimeError):  # a zero byte, a circular link
        return None, "cannot be read"
    found = sha256_of(path)
    if found is None:
        return None, "is not in its folder"
    return (path, "") if found == sha256 else (None, "does not match its record")


PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_PROJECT = "https://pypi.org/project/hailuo-jupyter/"
_STATUS = "http://schema.org/{}ActionStatus"
_MOST_NAME = 80


def build_graph(contents: CrateFiles, licence: str) -> Any:
    """Return the crate, ready to be written.

    Parameters
    ----------
    contents
        The contents of the crate.
    licence
        A link or a name; empty if none was chosen.
    """
    crate: Any = ROCrate(version="1.1")
    # Not in the JSON-LD context of RO-Crate 1.1.
    crate.metadata.extra_terms["sha256"] = "https://schema.org/sha256"
    name = contents.document.path.name
    root = crate.root_dataset
    root["name"] = f"Clips of {escape_control(name)}"
    root["description"] = (
        f"The notebook {escape_control(name)} with the clips that its {count(len(contents.taken), 'run')} "
        "of MiniMax Hailuo-02 made, their frames and records. There is no seed: repeating a run "
        "produces a different clip."
    )
    _license(crate, licence)
    profile = _entity(
        crate, PROFILE, "CreativeWork", {"name": "Process Run Crate", "version": "0.5"}
    )
    root["conformsTo"] = profile
    notebook = crate.add_file(
        contents.document.path,
        dest_path=name,
        properties={"name": escape_control(name), "encodingFormat": "application/x-ipynb+json"},
    )
    for taken in contents.taken:
        root.append_to("mentions", _run(crate, taken, notebook))
    return crate


def _license(crate: Any, licence: str) -> None:
    if licence.startswith(("https://", "http://")):
        entity = _entity(crate, licence, "CreativeWork", {"name": licence})
        crate.root_dataset["license"] = entity
    else:
        crate.root_dataset["license"] = licence or "None has been chosen; all rights reserved."


def _run(crate: Any, taken: IncludedRun, notebook: Any) -> Any:
    record = taken.record
    completed = record.state is State.COMPLETED
    prompt = " ".join(escape_control(record.request.prompt).split())
    short = prompt if len(prompt) <= _MOST_NAME else prompt[: _MOST_NAME - 1] + "…"
    properties: dict[str, Any] = {
        "name": escape_control(record.name or "") or f"Clip of: {short}",
        "description": (
            f"{record.state.words} run {record.run_id} by {record.provider} ({record.model}). "
            f"{record.reproducibility.statement}"
        ),
        "identifier": record.run_id,
        "startTime": record.times.get(State.PREPARED.value),
        "endTime": record.times.get(record.state.value),
        "actionStatus": {"@id": _STATUS.format("Completed" if completed else "Failed")},
    }
    if not completed and record.problem is not None:
        properties["error"] = escape_control(record.problem.what)
    return crate.add_action(
        [_software(crate, record), _model(crate, record)],
        identifier=f"#run-{record.run_id}",
        object=[*_frames(crate, taken), *_parameters(crate, record), notebook],
        result=[*_clip(crate, taken), _sidecar(crate, taken)],
        properties={name: value for name, value in properties.items() if value is not None},
    )


def _software(crate: Any, record: Record) -> Any:
    version = record.versions.hailuo_jupyter
    return _entity(
        crate,
        f"{_PROJECT}{quote(version, safe='')}/",
        "SoftwareApplication",
        {"name": "hailuo-jupyter", "url": _PROJECT, "softwareVersion": escape_control(version)},
    )


def _model(crate: Any, record: Record) -> Any:
    parts = (quote(each, safe="") for each in (record.provider, record.wire, record.model))
    title, url, family = escape_control(record.provider), _PROJECT, "a MiniMax video model"
    if record.provider == "demo":
        title = "a simulator that makes no real clips"
    try:
        provider = catalogue.recorded_provider(
            record.provider, record.model, demo_dialect=record.dialect
        )
        family = f"MiniMax {provider.model_name.capitalize()}"
        if record.provider != "demo":
            title, url = provider.title, provider.sources[0]
    except (HailuoError, IndexError):  # a provider of a newer version
        pass
    return _entity(
        crate,
        f"urn:hailuo-jupyter:service:{':'.join(parts)}",
        "SoftwareApplication",
        {
            "name": f"{escape_control(record.model)} ({family}), by {title}",
            "url": url,
            "softwareVersion": "not disclosed by the provider",
        },
    )


def _parameters(crate: Any, record: Record) -> list[Any]:
    parameters = mapping.parameters(record)
    return [
        _entity(
            crate,
            f"#run-{record.run_id}-{quote(name, safe='')}",
            "PropertyValue",
            {"name": escape_control(name), "value": escape_control(v) if isinstance(v, str) else v},
        )
        for name, v in parameters.items()
    ]


def _frames(crate: Any, taken: IncludedRun) -> list[Any]:
    request = taken.record.request
    found = []
    for role, frame in (("first frame", request.first_frame), ("last frame", request.last_frame)):
        path = taken.frames.get(role)
        if frame is not None and frame.kept and path is not None:
            kind = "image/png" if frame.kept.endswith(".png") else "image/jpeg"
            facts_of_it = {"encodingFormat": kind, "sha256": frame.sha256}
            found.append(_file(crate, path, _inside(taken, frame.kept), facts_of_it))
    return found


def _clip(crate: Any, taken: IncludedRun) -> list[Any]:
    clip = taken.record.clip
    if clip is None or taken.clip is None:
        return []
    properties = {"encodingFormat": media_type(clip.path), "sha256": clip.sha256}
    return [_file(crate, taken.clip, _inside(taken, clip.path), properties)]


def _sidecar(crate: Any, taken: IncludedRun) -> Any:
    document = shared(json.loads(taken.record.to_json()))
    text = io.StringIO(json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n")
    inside = _inside(taken, sidecar_name(taken.record.file_stem))
    properties = {
        "name": f"Record of run {taken.record.run_id}",
        "encodingFormat": "application/json",
        "about": {"@id": f"#run-{taken.record.run_id}"},
    }
    return crate.add_file(text, dest_path=inside, properties=properties)


def _inside(taken: IncludedRun, name: str) -> str:
    return f"{taken.folder}/{name}" if taken.folder else name


def _file(crate: Any, path: Path, inside: str, properties: dict[str, Any]) -> Any:
    size = {"name": inside.rpartition("/")[2], "contentSize": str(path.stat().st_size)}
    existing = crate.dereference(quote(inside))  # several runs may share a frame
    return existing or crate.add_file(path, dest_path=inside, properties={**size, **properties})


def _entity(crate: Any, identifier: str, kind: str, properties: dict[str, Any]) -> Any:
    existing = crate.dereference(identifier)
    made = ContextEntity(crate, identifier, properties={"@type": kind, **properties})
    return existing or crate.add(made)
