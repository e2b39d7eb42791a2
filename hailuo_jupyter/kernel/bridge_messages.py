"""The messages on the comm ``hailuo.sync``, as plain data: read without trust, and written.

Each carries ``{"hailuo.sync": PROTOCOL, "version": …, "op": …}``. From a front end:

- ``hello`` on every connect and rename: ``id`` (the notebook's, or null), ``root`` and ``path``,
  ``known`` (revision by run id), ``shown`` (the runs of each output), ``can`` (see below).
- ``rate``: ``run_id`` and ``rating``, 0 to 5 or null.

From the kernel:

- ``welcome`` to the front end whose session is ``client``, ``news`` to all that have ``notebook``
  open: ``records``, and ``bundles`` for outputs that are behind. A welcome says what this kernel
  ``can``.
- ``insert`` to ``client``: a code cell with ``text``, below the cell with id ``cell`` or, if that is
  null, below the active one. It is never run by that.
- ``notice`` to ``client``: a ``sentence`` for the person.
- ``other``: an answer to another version of the protocol.

Whatever a side does not know it ignores. So an op that is new needs no new version of the protocol:
its name stands under ``can`` of the side that understands it, and the other side sends it only then.
The version is for changes after which the two would misunderstand each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hailuo_jupyter import __version__

TARGET = "hailuo.sync"
PROTOCOL = 1

#: What a front end may ask this kernel to do.
CAN = ("rate",)

_RUN_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}")
_WORD = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,39}")

_MOST_STARS = 5

#: JavaScript's largest whole number.
_MOST = 2**53

#: Longer than any path that a file system takes.
_LONGEST = 40_000


@dataclass(frozen=True)
class Shown:
    """The runs of one output.

    Parameters
    ----------
    runs, revisions
        In the output's order.
    embed
        Whether it holds the clips themselves.
    """

    runs: tuple[str, ...]
    revisions: tuple[int, ...]
    embed: bool


@dataclass(frozen=True)
class Hello:
    """A front end that has a notebook open.

    Parameters
    ----------
    version
        Of the lab extension; empty if it is not told.
    id
        The notebook's, or None.
    root, path
        Of the server's folder, and of the notebook in it; empty if they are not told.
    known
        Revision of each run that the notebook knows.
    shown
        What its outputs show.
    can
        The ops that it understands beyond the protocol's first ones.
    """

    version: str
    id: str | None
    root: str
    path: str
    known: Mapping[str, int]
    shown: tuple[Shown, ...]
    can: frozenset[str]


@dataclass(frozen=True)
class Rate:
    """A person's rating of a run: 0 to 5, or None to take it back."""

    run_id: str
    rating: int | None


@dataclass(frozen=True)
class Other:
    """A front end that speaks another version of the protocol; its extension's version, or empty."""

    version: str


def message(op: str, **content: Any) -> dict[str, Any]:
    """Make a message of the kernel's."""
    return {TARGET: PROTOCOL, "version": __version__, "op": op, **content}


def read(data: Any) -> Hello | Rate | Other | None:
    """Read what a front end has sent.

    Parameters
    ----------
    data
        A comm message's data: anything at all.

    Returns
    -------
    Hello, Rate, Other or None
        None for what is not ours, and for what this version need not understand.
    """
    if not isinstance(data, dict) or TARGET not in data:
        return None
    version = data.get("version")
    version = version if isinstance(version, str) and _WORD.fullmatch(version) else ""
    if data[TARGET] != PROTOCOL:
        return Other(version)
    if data.get("op") == "hello":
        return Hello(
            version=version,
            id=_text(data.get("id"), 64) or None,
            root=_text(data.get("root")),
            path=_text(data.get("path")),
            known=_known(data.get("known")),
            shown=tuple(_shown(data.get("shown"))),
            can=frozenset(each for each in _list(data.get("can")) if _is_word(each)),
        )
    return _rate(data) if data.get("op") == "rate" else None


def _rate(data: Mapping[Any, Any]) -> Rate | None:
    run_id, rating = data.get("run_id"), data.get("rating")
    if not isinstance(run_id, str) or not _is_run(run_id):
        return None
    if rating is None or (_is_number(rating) and rating <= _MOST_STARS):
        return Rate(run_id, rating)
    return None


def _text(value: Any, most: int = _LONGEST) -> str:
    """Give a text that can be written to a file and asked of a database, or an empty one."""
    if not isinstance(value, str) or len(value) > most or "\0" in value:
        return ""
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return ""
    return value


def _known(value: Any) -> dict[str, int]:
    if not isinstance(value, dict):
        return {}
    return {run_id: at for run_id, at in value.items() if _is_run(run_id) and _is_number(at)}


def _shown(value: Any) -> Iterator[Shown]:
    for each in _list(value):
        if not isinstance(each, dict):
            continue
        runs = _list(each.get("runs"))
        if runs and all(
            isinstance(run, list) and len(run) == 2 and _is_run(run[0]) and _is_number(run[1])
            for run in runs
        ):
            ids, revisions = zip(*runs, strict=True)
            yield Shown(ids, revisions, each.get("embed") is True)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_run(value: Any) -> bool:
    return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST
