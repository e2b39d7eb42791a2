"""Clips put together into one file, with a record beside it of what it is made of."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hailuo_jupyter import __version__, splice
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import ClipError, DiskError, RunNotFound
from hailuo_jupyter.kernel import origin, words
from hailuo_jupyter.kernel.words import harmless
from hailuo_jupyter.splice import Scene
from hailuo_jupyter.whole import write_whole

SCHEMA = "hailuo-scene/1"

_STAYS = "Nothing was written."
_ANOTHER = "Name another file after -o."


@dataclass(frozen=True)
class Part:
    """One clip of a scene: its file, and its run where it is one's."""

    path: Path
    run_id: str | None = None


@dataclass(frozen=True)
class Joined:
    """A scene, as a notebook shows it.

    Parameters
    ----------
    scene
        The file, and what it is.
    sidecar
        The JSON beside it.
    parts
        The clips, in order.
    base
        The notebook's folder, which links are relative to.
    """

    scene: Scene
    sidecar: Path
    parts: tuple[Part, ...]
    base: Path

    @property
    def path(self) -> Path:
        """The file."""
        return self.scene.path

    def lines(self) -> list[str]:
        """Say what was made, and how."""
        facts = self.scene.facts
        size = words.pixels(facts.width, facts.height)
        how = self.scene.encoded_anew or "The clips' pictures were copied as they are."
        made = f"{len(self.parts)} clips are joined in {self.path.name}: {size}, "
        made += f"{facts.duration_s:.2f} s, {facts.bytes / 1e6:.1f} MB."
        return [made, how, *filter(None, (self.scene.silent,))]

    def __repr__(self) -> str:
        return harmless(" ".join(self.lines()))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Show it in a notebook: the clip by its link, relative to the notebook."""
        del include, exclude
        from hailuo_jupyter.kernel.bundle import templates
        from hailuo_jupyter.kernel.clip_view import href_of

        html = (
            templates()
            .get_template("scene.html.j2")
            .render(
                href=href_of(self.path, self.base),
                sidecar=href_of(self.sidecar, self.base),
                name=harmless(self.path.name),
                facts=self.scene.facts,
                lines=[harmless(each) for each in self.lines()],
                parts=[harmless(each.run_id or each.path.name) for each in self.parts],
            )
        )
        return {"text/plain": repr(self), "text/html": html}


def is_file(word: str) -> bool:
    """Tell whether a word names a clip by its file: no id of a run ends so."""
    return word.casefold().endswith(".mp4")


def join(
    runs_or_paths: Sequence[Run | str | os.PathLike[str]],
    path: str | os.PathLike[str],
    *,
    replace: bool = False,
) -> Joined:
    """Put clips together, in order, into one MP4, with a JSON beside it of what it is made of.

    Pictures are copied as they are where the clips' streams agree, else encoded anew; the result
    says which. Sound is left out. Blocks while it reads and writes.

    Parameters
    ----------
    runs_or_paths
        Two or more: runs, ids of runs or parts of these, or paths of MP4 files (with that suffix).
    path
        The file to write, ending in ``.mp4``; relative to the notebook's folder.
    replace
        Write in place of a file that `join` did not make. A run's clip is never written over.

    Returns
    -------
    Joined
        Shows itself in a notebook.

    Raises
    ------
    ClipError
        If a clip is not here or cannot be read, or the file stands in the way.
    RunNotFound
        If there is no such run.
    DiskError
        If it cannot be written.
    """
    base = origin.notebook().folder
    parts = tuple(_part(each, base) for each in runs_or_paths)
    target = base / Path(path).expanduser()
    _check_target(target, replace=replace)
    scene = splice.join([part.path for part in parts], target)
    sidecar = scene.path.with_suffix(".json")
    _write(sidecar, _document(scene, parts))
    return Joined(scene, sidecar, parts, base)


def _part(given: Run | str | os.PathLike[str], base: Path) -> Part:
    if not isinstance(given, Run) and (not isinstance(given, str) or is_file(given)):
        return Part(base / Path(given).expanduser())
    engine = process.engine()
    run = engine.run(given.run_id if isinstance(given, Run) else given)
    clip = run.clip
    if clip is None:
        row = engine.row(run.run_id)
        raise ClipError(
            f"The clip of run {run.run_id} is not here ({row.state.words.lower()}, "
            f"folder {row.folder.name}).",
            money=_STAYS,
            todo=f"Wait for it with '%hailuo wait {run.run_id}'. If its folder was moved, 'jupyter "
            "hailuo relink FOLDER' finds it; else run its cell again, to fetch it while the "
            "provider keeps it.",
        )
    return Part(clip, run.run_id)


def _check_target(target: Path, *, replace: bool) -> None:
    """Refuse to write where something stands that is not to be lost.

    Raises
    ------
    ClipError
        If the file is a run's clip, or there and not made by `join`.
    """
    if not is_file(target.name) or "\0" in str(target):
        raise ClipError("A scene's file ends in .mp4.", money=_STAYS, todo=_ANOTHER)
    beside = _read(target.with_suffix(".json"))
    schema = str(beside.get("schema", "")) if beside else ""
    if schema.startswith("hailuo-run/") or _is_run(target.stem):
        raise ClipError(
            f"{target.name} is the name of a run's clip, which is never written over.",
            money=_STAYS,
            todo=_ANOTHER,
        )
    if replace:
        return
    if target.exists() and not (
        schema == SCHEMA and beside is not None and beside.get("sha256") == _sha256(target)
    ):
        raise ClipError(
            f"{target.name} is there, and is no scene as 'join' made it.",
            money=_STAYS,
            todo=f"--replace (replace=True in Python) writes in its place. Or: {_ANOTHER}",
        )
    if not target.exists() and target.with_suffix(".json").exists() and schema != SCHEMA:
        raise ClipError(
            f"{target.with_suffix('.json').name} is there, where the scene's record belongs.",
            money=_STAYS,
            todo=f"--replace (replace=True in Python) writes in its place. Or: {_ANOTHER}",
        )


def _is_run(stem: str) -> bool:
    # The name of a clip is its run's id. Some file systems take upper and lower case as one.
    try:
        return process.engine().row(stem.lower()).run_id == stem.lower()
    except RunNotFound:
        return False


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _document(scene: Scene, parts: Sequence[Part]) -> Mapping[str, object]:
    made = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
    return {
        "schema": SCHEMA,
        "file": harmless(scene.path.name),
        **asdict(scene.facts),
        # Names alone: a file that travels tells nobody how a disk is laid out.
        "clips": [
            {"run": part.run_id, "file": harmless(part.path.name), "sha256": _sha256(part.path)}
            for part in parts
        ],
        "encoded_anew": bool(scene.encoded_anew),
        "why": scene.encoded_anew,
        "sound": scene.silent,
        "made": made.replace("+00:00", "Z"),
        "hailuo_jupyter": __version__,
    }


def _write(path: Path, document: Mapping[str, object]) -> None:
    text = json.dumps(document, ensure_ascii=False, indent=2)
    try:
        write_whole(path, f"{text}\n".encode())
    except OSError as error:
        raise DiskError(
            f"{path.name} could not be written: {error.strerror or error}.",
            money="The scene itself is written.",
            todo="Make room, and join the clips again.",
        ) from error
