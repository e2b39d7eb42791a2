"""``jupyter hailuo audit``: look for secrets in notebooks, sidecars, texts and the run logs.

A ``.env`` file is the one place where a key may stand.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hailuo_jupyter import catalogue, keys
from hailuo_jupyter.errors import NotebookError
from hailuo_jupyter.nbfile.audit import scan_bytes
from hailuo_jupyter.settings import Hailuo

#: A larger file is not looked into, in bytes; a notebook may hold clips.
_LARGEST = 256 * 1024 * 1024

#: Files of a folder that are looked at.
_MOST_FILES = 50_000

#: A byte of this in a file's beginning makes it no text.
_NO_TEXT, _BEGINNING = b"\0", 8192

_CHUNK, _OVERLAP = 8 * 1024 * 1024, 4096
_SKIPPED_FOLDERS = frozenset({".git", "node_modules", "__pycache__"})
_NOTEBOOK = ".ipynb"


@dataclass(frozen=True)
class Found:
    """One secret, or its remains.

    Parameters
    ----------
    place
        Where it stands, as a person finds it again.
    kind
        What it is; never the secret itself.
    """

    place: str
    kind: str


@dataclass(frozen=True)
class Audit:
    """What `audit` found, how many files it read, and which it did not look into."""

    found: tuple[Found, ...]
    files: int
    left_out: tuple[str, ...]


def known_keys(folder: Path) -> list[str]:
    """Give every key of a provider that is to be had in a folder, from all sources."""
    return [
        key.reveal()
        for provider in catalogue.providers()
        for key in keys.every(provider.name, provider.key_variables, folder)
    ]


def audit(path: Path, settings: Hailuo | None = None, secrets: list[str] | None = None) -> Audit:
    """Look for secrets in a notebook and its folder's run log, or in all texts of a folder.

    Parameters
    ----------
    path
        A notebook, another text file, or a folder with all that lies below it.
    settings
        Tell where the run logs lie; what is in force if None.
    secrets
        Keys to look for; `known_keys` if None.

    Raises
    ------
    NotebookError
        If there is no such file or folder.
    """
    if not path.exists():
        raise NotebookError(f"There is no {path}.", todo="Check its path.")
    settings = settings or Hailuo.instance()
    base = path if path.is_dir() else path.parent
    secrets = known_keys(base) if secrets is None else secrets
    found: list[Found] = []
    left_out: list[str] = []
    count = 0
    places = [
        (each, str(each.relative_to(base))) for each in _texts(base if path == base else path)
    ]
    for each, name in [*places, *_logs(settings)]:
        try:
            read = _scan_file(each, name, secrets)
        except OSError as error:
            left_out.append(f"{name}: {error.strerror}")
            continue
        if read is None:
            left_out.append(f"{name}: larger than {_LARGEST // 1024 // 1024} MB")
            continue
        count += 1
        found += read
    return Audit(tuple(dict.fromkeys(found)), count, tuple(left_out))


def _texts(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    seen = 0
    for place, folders, names in os.walk(path):
        folders[:] = sorted(each for each in folders if each not in _SKIPPED_FOLDERS)
        for name in sorted(names):
            each = Path(place) / name
            seen += 1
            if seen > _MOST_FILES:
                return
            if name != ".env" and each.is_file() and not each.is_symlink():
                yield each


def _logs(settings: Hailuo) -> Iterator[tuple[Path, str]]:
    for demo in (False, True):
        path = settings.run_log_path(demo=demo)
        for name in (path.name, f"{path.name}-wal"):
            if (each := path.with_name(name)).is_file():
                yield each, f"run log {name}"


def _scan_file(path: Path, name: str, secrets: list[str]) -> list[Found] | None:
    if path.stat().st_size > _LARGEST:
        return None
    with path.open("rb") as file:
        begins = file.read(_BEGINNING)
        if _NO_TEXT in begins and not name.startswith("run log "):
            return []
        file.seek(0)
        if path.suffix == _NOTEBOOK and (nb := _json(file.read())) is not None:
            return list(_in_json(nb, name, secrets))
        file.seek(0)
        kinds: dict[str, None] = {}
        before = b""
        while chunk := file.read(_CHUNK):
            kinds |= dict.fromkeys(scan_bytes(before + chunk, secrets))
            before = chunk[-_OVERLAP:]
    return [Found(name, kind) for kind in kinds]


def _json(data: bytes) -> Any:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("cells"), list) else None


def _in_json(nb: dict[str, Any], name: str, secrets: list[str]) -> Iterator[Found]:
    """Scan a notebook part by part, so that a finding names the cell that a person looks for."""
    parts = [(f"{name}, metadata", {each: nb[each] for each in nb if each != "cells"})]
    for number, cell in enumerate(nb["cells"], 1):
        outputs = cell.get("outputs") if isinstance(cell, dict) else None
        if isinstance(cell, dict):
            rest = {each: cell[each] for each in cell if each != "outputs"}
            parts.append((f"{name}, cell {number}", rest))
        else:
            parts.append((f"{name}, cell {number}", cell))
        for count, output in enumerate(outputs if isinstance(outputs, list) else (), 1):
            parts.append((f"{name}, cell {number}, output {count}", output))
    for place, part in parts:
        texts = "\n".join(_strings(part)).encode("utf-8", "surrogatepass")
        yield from (Found(place, kind) for kind in scan_bytes(texts, secrets))


def _strings(value: Any) -> Iterator[str]:
    """Give every text of some JSON: a list of lines as one, a name before its value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if value and all(isinstance(each, str) for each in value):
            yield "".join(value)
        else:
            for each in value:
                yield from _strings(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            # As in the file: a header's name stands before its value.
            yield f"{name}: {each}" if isinstance(each, str) else str(name)
            if not isinstance(each, str):
                yield from _strings(each)
