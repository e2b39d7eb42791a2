"""The metadata of an RO-Crate by the profile Process Run Crate 0.5: each run a ``CreateAction``.

The profile: https://w3id.org/ro/wfrun/process/0.5. Names of software and files are the only facts of
the machine; whose runs they are is not said, since records do not tell.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.model import ContextEntity
from rocrate.rocrate import ROCrate

from hailuo_jupyter import catalogue
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.nbfile.crate_contents import Contents, Taken
from hailuo_jupyter.plain import harmless
from hailuo_jupyter.record import Record
from hailuo_jupyter.record_file import sidecar_name
from hailuo_jupyter.sinks import facts
from hailuo_jupyter.states import State

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_PROJECT = "https://pypi.org/project/hailuo-jupyter/"
_STATUS = "http://schema.org/{}ActionStatus"
_MOST_NAME = 80


def build(contents: Contents, licence: str) -> Any:
    """Give the crate, ready to be written.

    Parameters
    ----------
    contents
        What goes in.
    licence
        A link or a name; empty where none was chosen.
    """
    crate: Any = ROCrate(version="1.1")
    # Not in the context of RO-Crate 1.1.
    crate.metadata.extra_terms["sha256"] = "https://schema.org/sha256"
    name = contents.document.path.name
    root = crate.root_dataset
    root["name"] = f"Clips of {harmless(name)}"
    root["description"] = (
        f"The notebook {harmless(name)} with the clips that its {len(contents.taken)} run(s) of "
        "MiniMax Hailuo-02 made, their frames and records. No seed exists: a run can be repeated, "
        "and will not give the same clip again."
    )
    _license(crate, licence)
    profile = _entity(
        crate, PROFILE, "CreativeWork", {"name": "Process Run Crate", "version": "0.5"}
    )
    root["conformsTo"] = profile
    notebook = crate.add_file(
        contents.document.path,
        dest_path=name,
        properties={"name": harmless(name), "encodingFormat": "application/x-ipynb+json"},
    )
    for taken in contents.taken:
        root.append_to("mentions", _run(crate, taken, notebook))
    return crate


def _license(crate: Any, licence: str) -> None:
    if licence.startswith(("https://", "http://")):
        known = _entity(crate, licence, "CreativeWork", {"name": licence})
        crate.root_dataset["license"] = known
    else:
        crate.root_dataset["license"] = licence or "None has been chosen; all rights reserved."


def _run(crate: Any, taken: Taken, notebook: Any) -> Any:
    record = taken.record
    completed = record.state is State.COMPLETED
    prompt = " ".join(harmless(record.request.prompt).split())
    short = prompt if len(prompt) <= _MOST_NAME else prompt[: _MOST_NAME - 1] + "…"
    properties: dict[str, Any] = {
        "name": harmless(record.name or "") or f"Clip of: {short}",
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
        properties["error"] = harmless(record.problem.what)
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
        {"name": "hailuo-jupyter", "url": _PROJECT, "softwareVersion": harmless(version)},
    )


def _model(crate: Any, record: Record) -> Any:
    parts = (quote(each, safe="") for each in (record.provider, record.wire, record.model))
    title, url = harmless(record.provider), _PROJECT
    if record.provider == "demo":
        title = "a simulator that makes no real clips"
    else:
        try:
            known = catalogue.provider(record.provider)
            title, url = known.title, known.sources[0]
        except (HailuoError, IndexError):  # a provider of a newer version
            pass
    return _entity(
        crate,
        f"urn:hailuo-jupyter:service:{':'.join(parts)}",
        "SoftwareApplication",
        {
            "name": f"{harmless(record.model)} (MiniMax Hailuo-02), by {title}",
            "url": url,
            "softwareVersion": "not told by the provider",
        },
    )


def _parameters(crate: Any, record: Record) -> list[Any]:
    asked = facts.parameters(record)
    return [
        _entity(
            crate,
            f"#run-{record.run_id}-{quote(name, safe='')}",
            "PropertyValue",
            {"name": harmless(name), "value": harmless(v) if isinstance(v, str) else v},
        )
        for name, v in asked.items()
    ]


def _frames(crate: Any, taken: Taken) -> list[Any]:
    request = taken.record.request
    found = []
    for role, frame in (("first frame", request.first_frame), ("last frame", request.last_frame)):
        path = taken.frames.get(role)
        if frame is not None and frame.kept and path is not None:
            kind = "image/png" if frame.kept.endswith(".png") else "image/jpeg"
            facts_of_it = {"encodingFormat": kind, "sha256": frame.sha256}
            found.append(_file(crate, path, _inside(taken, frame.kept), facts_of_it))
    return found


def _clip(crate: Any, taken: Taken) -> list[Any]:
    clip = taken.record.clip
    if clip is None or taken.clip is None:
        return []
    properties = {"encodingFormat": "video/mp4", "sha256": clip.sha256}
    return [_file(crate, taken.clip, _inside(taken, clip.path), properties)]


def _sidecar(crate: Any, taken: Taken) -> Any:
    text = io.StringIO(taken.record.to_json(indent=2) + "\n")
    inside = _inside(taken, sidecar_name(taken.record.run_id))
    properties = {
        "name": f"Record of run {taken.record.run_id}",
        "encodingFormat": "application/json",
        "about": {"@id": f"#run-{taken.record.run_id}"},
    }
    return crate.add_file(text, dest_path=inside, properties=properties)


def _inside(taken: Taken, name: str) -> str:
    return f"{taken.folder}/{name}" if taken.folder else name


def _file(crate: Any, path: Path, inside: str, properties: dict[str, Any]) -> Any:
    size = {"name": inside.rpartition("/")[2], "contentSize": str(path.stat().st_size)}
    known = crate.dereference(quote(inside))  # several runs may share a frame
    return known or crate.add_file(path, dest_path=inside, properties={**size, **properties})


def _entity(crate: Any, identifier: str, kind: str, properties: dict[str, Any]) -> Any:
    known = crate.dereference(identifier)
    made = ContextEntity(crate, identifier, properties={"@type": kind, **properties})
    return known or crate.add(made)
