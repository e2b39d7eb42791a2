"""The file names of a run: this module alone derives them from the run's stem.

A run's clip is ``<stem>.mp4`` (or another suffix of `hailuo_jupyter.container.SUFFIXES`), its sidecar
``<stem>.json``; data that could not be verified as its complete clip is ``<stem>.unchecked``. The stem is
the run's id, or ``<slug>-<last six of the id>`` for a run with a name. It is chosen when the run is created,
stored in its record, and never changes. A clip that is being downloaded has its own hidden name.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import PurePath

from hailuo_jupyter import ids
from hailuo_jupyter.container import DEFAULT_SUFFIX, SUFFIXES

_SIDECAR = ".json"
_UNCHECKED = ".unchecked"
_PART = re.compile(
    rf"\.(?P<run_id>{ids.PATTERN.strip('^$')})\.(?P<owner>\d+-[0-9a-f]{{8}}|none)\.(?P<host>[0-9a-f]{{8}})"
    r"\.[0-9a-f]{16}\.part"
)


#: Maximum characters of a name in a stem.
_LONGEST_SLUG = 40
_TAIL = 6
_SLUG = re.compile(rf"[a-z0-9](?:[a-z0-9-]{{0,{_LONGEST_SLUG - 2}}}[a-z0-9])?")


def named_stem(name: str | None, run_id: str) -> str | None:
    """Return the stem of a run with a name, such as ``fox-8x5ppr``.

    Parameters
    ----------
    name
        The run's name; letters with accents lose them, and other characters become hyphens.
    run_id
        The run.

    Returns
    -------
    str or None
        None if it has no name, or one without an ASCII letter or digit.
    """
    plain = unicodedata.normalize("NFKD", name or "").encode("ascii", "ignore").decode().lower()
    slug = re.sub("[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_SLUG].rstrip("-")
    return f"{slug}-{run_id[-_TAIL:]}" if slug else None


def is_stem(stem: str, run_id: str) -> bool:
    """Check whether a run's files may have a stem: its id, or a slug and the end of its id."""
    slug, _, tail = stem.rpartition("-")
    return stem == run_id or (tail == run_id[-_TAIL:] and _SLUG.fullmatch(slug) is not None)


def clip_name(stem: str, suffix: str = DEFAULT_SUFFIX) -> str:
    """Return the name of a run's clip with one suffix."""
    return f"{stem}{suffix}"


def clip_names(stem: str) -> tuple[str, ...]:
    """Return all names that a run's clip may have, the usual one first."""
    return tuple(clip_name(stem, suffix) for suffix in SUFFIXES)


def unchecked_name(stem: str) -> str:
    """Return the name for data of a run that could not be verified as its complete clip."""
    return f"{stem}{_UNCHECKED}"


def sidecar_name(stem: str) -> str:
    """Return the name of a run's sidecar."""
    return f"{stem}{_SIDECAR}"


def is_sidecar_name(name: str) -> bool:
    """Check whether a file may be a sidecar by its name, which need not be a run's stem."""
    return name.endswith(_SIDECAR)


def stem_of(name: str) -> str:
    """Return the stem of the run whose clip or sidecar has this name, if it is a run's file at all."""
    return PurePath(name).stem


@dataclass(frozen=True)
class PartName:
    """The parts of the name of a clip that is being downloaded.

    Parameters
    ----------
    run_id
        The clip's run.
    owner
        Id of the process that downloads it, or ``"none"``.
    host
        The machine, as passed to `part_name`.
    """

    run_id: str
    owner: str
    host: str


def part_name(run_id: str, owner: str, host: str) -> str:
    """Return a new name for a clip that is being downloaded; unique among downloads."""
    return f".{run_id}.{owner or 'none'}.{host}.{secrets.token_hex(8)}.part"


def read_part_name(name: str) -> PartName | None:
    """Parse the name of a clip that is being downloaded; None for any other name."""
    found = _PART.fullmatch(name)
    return None if found is None else PartName(**found.groupdict())
