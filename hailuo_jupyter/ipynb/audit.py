"""A scanner for secrets: remains of keys, authorization headers and signed links in bytes.

It has separate patterns and does not use those of `hailuo_jupyter.redact`, whose gaps it is to
find. A finding contains the kind and never the secret.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hailuo_jupyter import catalogue, keys, path_hints
from hailuo_jupyter.errors import NotebookError
from hailuo_jupyter.json_depth import is_deeper
from hailuo_jupyter.keys import Key
from hailuo_jupyter.settings import Hailuo

#: This many consecutive characters of a key are a finding.
PART = 8

#: A masked key shows at least this many characters.
_ENDS = 4

#: Kinds of findings, in words.
KEY = "a key in use"
KEY_PART = "part of a key in use"
KEY_ENCODED = "a key in use, encoded"
KEY_MASKED = "a masked key"
KEY_SHAPED = "text that looks like a provider's key"
AUTHORIZATION = "an Authorization header"
KEY_HEADER = "an x-api-key header"
BEARER = "a Bearer token"
SIGNED = "a signed link's secret"
CELL_PATH = (
    "the notebook's absolute path, as VS Code's id of a cell ('jupyter hailuo sync' removes it)"
)

_VALUE = rb"[A-Za-z0-9._~+/=-]"
#: Between a header's name and its value, as written by JSON, Python, httpcore and curl.
_TO = rb"[\\\"']*\s*[:=,]\s*b?[\\\"']*"
#: Three of them are enough; with more, a long row of dots would take quadratic time.
_STARS = rb"(?:\*{3}|\.{3}|(?:\xe2\x80\xa2){3}|\xe2\x80\xa6|\\u2026|(?:\\u2022){3})"

#: Kind, pattern, and a lower-case text in every match, which is searched first because that is fast.
_FORMS: tuple[tuple[str, re.Pattern[bytes], tuple[bytes, ...]], ...] = (
    (
        AUTHORIZATION,
        re.compile(
            rb"\b(?:proxy-)?authorization" + _TO + rb"(?:(?:bearer|basic|token|key)\s+)?"
            rb"(?=[^\s\"']*[0-9])" + _VALUE + rb"{12,}",
            re.IGNORECASE,
        ),
        (b"authorization",),
    ),
    (
        KEY_HEADER,
        re.compile(
            rb"\b(?:x-api-key|x-auth-token|api[_-]?key)"
            + _TO
            + rb"(?=[^\s\"']*[0-9])"
            + _VALUE
            + rb"{12,}",
            re.IGNORECASE,
        ),
        (b"api-key", b"api_key", b"apikey", b"x-auth-token"),
    ),
    (
        BEARER,
        re.compile(rb"\bbearer\s+(?=[^\s\"']*[0-9])" + _VALUE + rb"{12,}", re.IGNORECASE),
        (b"bearer",),
    ),
    (
        SIGNED,
        re.compile(
            rb"(?:[?&;]|\\u0026|%26|%3F)(?:x-(?:amz|goog)-(?:signature|credential|security-token)"
            rb"|(?:oss|aws)accesskeyid|signature|sig|token|access_token|key-pair-id|policy)"
            rb"(?:=|%3D)[^\s\"'<>&\\\[]{6,}",
            re.IGNORECASE,
        ),
        (b"sig", b"token", b"credential", b"accesskeyid", b"key-pair-id", b"policy"),
    ),
    (
        KEY_SHAPED,
        re.compile(
            rb"\bSG_[A-Za-z0-9]{12,}|\bsk-[A-Za-z0-9_-]{20,}|\br8_[A-Za-z0-9]{20,}"
            # fal: an id and a secret
            rb"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f]{20,}"
        ),
        (b"sg_", b"sk-", b"r8_", b":"),
    ),
    (
        CELL_PATH,
        re.compile(rb"\bvscode-notebook-cell:/[^\s\"'<>&\\]+"),
        (b"vscode-notebook-cell:",),
    ),
    (KEY_MASKED, re.compile(rb"\bSG_[A-Za-z0-9]{1,12}" + _STARS), (b"sg_",)),
    (KEY_MASKED, re.compile(rb"\bsk-[A-Za-z0-9]{2,12}" + _STARS), (b"sk-",)),
    (KEY_MASKED, re.compile(rb"\br8_[A-Za-z0-9]{1,12}" + _STARS), (b"r8_",)),
)


def scan_bytes(data: bytes, secrets: Iterable[str] = ()) -> list[str]:
    """Find secrets in some bytes.

    Parameters
    ----------
    data
        Text in UTF-8, JSON, a log, a database's file.
    secrets
        Keys to look for: in full, in part (`PART` characters in a row), masked, percent- or
        JSON-encoded, and inside base64.

    Returns
    -------
    list of str
        The kinds of secrets found, each once; empty if none.
    """
    found = [kind for secret in secrets for kind in _known(data, secret)]
    lower = data.lower()
    found += [
        kind
        for kind, form, needs in _FORMS
        if any(each in lower for each in needs) and form.search(data)
    ]
    return list(dict.fromkeys(found))


def _known(data: bytes, secret: str) -> Iterator[str]:
    raw = secret.encode()
    if raw in data:
        yield KEY
    elif any(block in data for block in _blocks(raw)) and any(
        part in data for part in _parts(secret)
    ):
        yield KEY_PART
    if any(form in data for form in _encoded(secret)):
        yield KEY_ENCODED
    if (raw[:_ENDS] in data or raw[-_ENDS:] in data) and _masked(secret).search(data):
        yield KEY_MASKED


def _blocks(raw: bytes) -> Iterator[bytes]:
    """Return a few pieces of a key such that every part of it contains one: far less to search for."""
    size = PART // 2
    return (raw[start : start + size] for start in range(0, len(raw) - size + 1, size))


@lru_cache(maxsize=64)
def _parts(secret: str) -> tuple[bytes, ...]:
    raw = secret.encode()
    return tuple(raw[start : start + PART] for start in range(len(raw) - PART + 1))


@lru_cache(maxsize=64)
def _encoded(secret: str) -> tuple[bytes, ...]:
    raw = secret.encode()
    forms = {quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode(), raw.hex().encode()}
    for shift in range(3):
        # The characters that depend on the secret alone; the others also depend on adjacent bytes.
        first, last = -(-shift * 8 // 6), (shift + len(raw)) * 8 // 6
        whole = base64.b64encode(b"\0" * shift + raw)[first:last]
        forms |= {whole, base64.urlsafe_b64encode(b"\0" * shift + raw)[first:last]}
    return tuple(form for form in forms if form != raw and len(form) >= PART)


@lru_cache(maxsize=64)
def _masked(secret: str) -> re.Pattern[bytes]:
    raw = secret.encode()
    begins = b"|".join(re.escape(raw[:length]) for length in range(PART, _ENDS - 1, -1))
    ends = b"|".join(re.escape(raw[-length:]) for length in range(PART, _ENDS - 1, -1))
    return re.compile(rb"(?:%b)%b|%b(?:%b)" % (begins, _STARS, _STARS, ends))


#: A larger file is not scanned, in bytes; a notebook may contain clips.
_LARGEST = 256 * 1024 * 1024

#: Maximum files of a folder that are scanned.
_MOST_FILES = 50_000

#: Byte order marks of UTF-16, as Windows' shells write their outputs.
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

#: Maximum nesting of a notebook's JSON; deeper JSON is scanned as text.
_MOST_LEVELS = 200

#: Why a clip, for example, is skipped.
NOT_TEXT = "not text"

#: A file that starts with one of these bytes in it is not text.
_NO_TEXT, _BEGINNING = b"\0", 8192

_CHUNK, _OVERLAP = 8 * 1024 * 1024, 4096
_SKIPPED_FOLDERS = frozenset({".git", "node_modules", "__pycache__"})
_NOTEBOOK = ".ipynb"
_LOG = "run log "


@dataclass(frozen=True)
class SecretHit:
    """One secret, or its remains.

    Parameters
    ----------
    place
        Where it is, for a person to find it.
    kind
        Its kind; never the secret itself.
    """

    place: str
    kind: str


@dataclass(frozen=True)
class AuditReport:
    """The findings of `audit`, how many files it read, and which it skipped."""

    found: tuple[SecretHit, ...]
    files: int
    left_out: tuple[str, ...]


def known_keys(folder: Path) -> list[Key]:
    """Return every provider key available for a folder, from all sources."""
    return [
        key
        for provider in catalogue.providers()
        for key in keys.every(provider.name, provider.key_variables, folder)
    ]


def audit(
    path: Path, settings: Hailuo | None = None, secrets: list[str] | None = None
) -> AuditReport:
    """Look for secrets in a notebook and its folder's run log, or in all text files of a folder.

    Parameters
    ----------
    path
        A notebook, another text file, or a folder with everything below it.
    settings
        Contain the paths of the run logs; the settings in force if None.
    secrets
        Keys to look for; `known_keys` if None.

    Raises
    ------
    NotebookError
        If the file or folder does not exist.
    """
    if not path.exists():
        raise NotebookError(
            f"Not found: {path}.", todo=path_hints.hint(path, Path()) or "Check its path."
        )
    settings = settings or Hailuo.instance()
    base = path if path.is_dir() else path.parent
    wanted = known_keys(base) if secrets is None else [Key(each, "the caller") for each in secrets]
    found: list[SecretHit] = []
    left_out: list[str] = []
    count = 0
    files = _files(base, left_out) if path == base else iter([path])
    places = [(each, str(each.relative_to(base))) for each in files]
    for each, name in [*places, *_logs(settings)]:
        try:
            found += _scan_file(each, name, wanted)
        except _Skipped as skipped:
            left_out.append(f"{name}: {skipped}")
        except OSError as error:
            left_out.append(f"{name}: {error.strerror}")
        else:
            count += 1
    return AuditReport(tuple(dict.fromkeys(found)), count, tuple(left_out))


class _Skipped(Exception):
    """A file is skipped; the message says why."""


def _files(base: Path, left_out: list[str]) -> Iterator[Path]:
    """Yield the files of a folder; what is skipped is listed in `left_out`."""

    def skip(path: Path, why: str) -> None:
        left_out.append(f"{path.relative_to(base)}: {why}")

    def unreadable(error: OSError) -> None:
        skip(Path(error.filename), f"{error.strerror}")

    seen = 0
    for place, folders, names in os.walk(base, onerror=unreadable):
        here = Path(place)
        for name in sorted(folders):
            if name in _SKIPPED_FOLDERS:
                skip(here / name, "a folder of other programs' files")
            elif (here / name).is_symlink():
                skip(here / name, "a link to a folder")
        folders[:] = sorted(each for each in folders if each not in _SKIPPED_FOLDERS)
        for name in sorted(names):
            each = here / name
            seen += 1
            if seen > _MOST_FILES:
                skip(each, f"this file and all following ones: more than {_MOST_FILES:,} files")
                return
            if name == ".env":
                skip(each, "meant for keys")
            elif each.is_symlink():
                skip(each, "a link")
            elif not each.is_file():
                skip(each, "not a regular file")
            else:
                yield each


def _logs(settings: Hailuo) -> Iterator[tuple[Path, str]]:
    for path in settings.existing_run_logs():
        for name in (path.name, f"{path.name}-wal"):
            if (each := path.with_name(name)).is_file():
                yield each, f"{_LOG}{name}"


def _scan_file(path: Path, name: str, wanted: list[Key]) -> list[SecretHit]:
    """Return the content of a file.

    Raises
    ------
    _Skipped
        If it is skipped.
    """
    if path.stat().st_size > _LARGEST:
        raise _Skipped(f"larger than {_LARGEST // 1024 // 1024} MB")
    with path.open("rb") as file:
        begins = file.read(_BEGINNING)
        file.seek(0)
        if begins.startswith(_UTF16):
            text = file.read().decode("utf-16", "replace")
            return [SecretHit(name, kind) for kind in _scan(text.encode(), wanted)]
        if _NO_TEXT in begins and not name.startswith(_LOG):
            raise _Skipped(NOT_TEXT)
        if path.suffix == _NOTEBOOK and (nb := _json(file.read())) is not None:
            return list(_in_json(nb, name, wanted))
        file.seek(0)
        kinds: dict[str, None] = {}
        before = b""
        while chunk := file.read(_CHUNK):
            kinds |= dict.fromkeys(_scan(before + chunk, wanted))
            before = chunk[-_OVERLAP:]
    if name.startswith(_LOG):  # it contains the paths of output folders anyway, and is not shared
        kinds.pop(CELL_PATH, None)
    return [SecretHit(name, kind) for kind in kinds]


def _scan(data: bytes, wanted: list[Key]) -> list[str]:
    return scan_bytes(data, (key.reveal() for key in wanted))


def _json(data: bytes) -> Any:
    """Return a notebook's JSON; None if it is not JSON or nested too deeply: then it is scanned as text."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if is_deeper(found, _MOST_LEVELS):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("cells"), list) else None


def _in_json(nb: dict[str, Any], name: str, wanted: list[Key]) -> Iterator[SecretHit]:
    """Scan a notebook part by part, so that a finding names its cell."""
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
        yield from (SecretHit(place, kind) for kind in _scan(texts, wanted))


def _strings(value: Any) -> Iterator[str]:
    """Yield every text of some JSON: a list of lines as one, a name before its value."""
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
            # As in the file: a header's name precedes its value.
            yield f"{name}: {each}" if isinstance(each, str) else str(name)
            if not isinstance(each, str):
                yield from _strings(each)
