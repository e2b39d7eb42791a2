"""Read and write the messages on the comm ``hailuo.sync``.

``comm_messages.schema.json`` defines what each side sends; the lab extension's types are generated
from it. A page's messages are untrusted: invalid parts are ignored one by one, so
that one wrong entry, or an extension of another version, does not discard the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hailuo_jupyter import __version__
from hailuo_jupyter.ids import PATTERN

TARGET = "hailuo.sync"
PROTOCOL = 1

#: What a page can have done with a run.
ACTIONS = ("delete", "watch", "copy", "cancel", "tag")

#: What a page can have done with a sweep.
SWEEP_ACTIONS = ("watch", "stop", "resume")

#: Operations of this kernel beyond the protocol's first ones.
CAN = ("rate", "price", "act", "tag", "sweep")

#: What a page says that can read references to records in its notebook's metadata (`record.reference`).
REFERENCES = "references"

_RUN_ID = re.compile(PATTERN)
_SWEEP_ID = re.compile(r"sweep-[0-9a-z]{8}")
_WORD = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,39}")

_MOST_STARS = 5

#: Runs of an output that an action brings up to date.
_MOST_SHOWN = 100

#: Tags of a request, and characters of one; longer than any valid tag.
_MOST_TAGS, _LONGEST_TAG = 20, 100

#: JavaScript's largest safe integer.
_MOST = 2**53

#: Longer than any subject of an answer.
_LONGEST_SUBJECT = 40

#: Longer than any valid path.
_LONGEST = 40_000


@dataclass(frozen=True)
class ShownOutput:
    """The runs of one output.

    Parameters
    ----------
    runs, revisions
        The runs and their revisions, in the output's order.
    embed
        Whether it contains the clips themselves.
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
        Of the lab extension; empty if not sent.
    id
        The notebook's id, or None.
    root, path
        Paths of the server's folder, and of the notebook in it; empty if not sent.
    known
        Revision of each run in the notebook.
    shown
        The runs in its outputs.
    can
        What it supports beyond the protocol's first operations.
    trusted
        Whether the notebook is trusted.
    """

    version: str
    id: str | None
    root: str
    path: str
    known: Mapping[str, int]
    shown: tuple[ShownOutput, ...]
    can: frozenset[str]
    trusted: bool = True


@dataclass(frozen=True)
class Rate:
    """A person's rating of a run: 0 to 5, or None to remove it."""

    run_id: str
    rating: int | None


@dataclass(frozen=True)
class AskPrice:
    """A request for what running a cell again would buy.

    Parameters
    ----------
    ask
        The number of the request.
    run_id
        The run that the cell shows.
    source
        The cell's current source.
    """

    ask: int
    run_id: str
    source: str


@dataclass(frozen=True)
class Act:
    """A request to do something with a run.

    Parameters
    ----------
    ask
        The number of the request.
    run_id
        The run.
    output
        The runs of the output that shows it, in order; empty if none does.
    action
        One of `ACTIONS`.
    confirmed
        Whether the user has agreed. If not, the answer describes what would be done.
    about
        What that description was about, as its answer said; empty before.
    tags
        What to tag the run with; only for the action ``tag``.
    """

    ask: int
    run_id: str
    output: tuple[str, ...]
    action: str
    confirmed: bool
    about: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnreadableRequest:
    """A request that this version cannot read, but that waits for an answer.

    Parameters
    ----------
    op
        Its operation: ``price``, ``act``, ``sweep`` or ``rate``.
    ask
        The number of the request; None for a rating, which has none.
    """

    op: str
    ask: int | None


@dataclass(frozen=True)
class ActOnSweep:
    """A request to do something with a sweep.

    Parameters
    ----------
    ask
        The number of the request.
    sweep
        The sweep's id.
    action
        One of `SWEEP_ACTIONS`.
    confirmed, about
        See `Act`.
    """

    ask: int
    sweep: str
    action: str
    confirmed: bool
    about: str = ""


@dataclass(frozen=True)
class UnknownMessage:
    """A front end that speaks another version of the protocol; its extension's version, or empty."""

    version: str


def message(op: str, **content: Any) -> dict[str, Any]:
    """Create a message of the kernel."""
    return {TARGET: PROTOCOL, "version": __version__, "op": op, **content}


#: What a front end can send.
PageMessage = Hello | Rate | AskPrice | Act | ActOnSweep | UnreadableRequest | UnknownMessage


def read(data: Any) -> PageMessage | None:
    """Parse a front end's message.

    Parameters
    ----------
    data
        A comm message's data: any value.

    Returns
    -------
    PageMessage or None
        None for other messages, and for those that this version may ignore.
    """
    if not isinstance(data, dict) or TARGET not in data:
        return None
    version = data.get("version")
    version = version if isinstance(version, str) and _WORD.fullmatch(version) else ""
    if data[TARGET] != PROTOCOL:
        return UnknownMessage(version)
    if data.get("op") == "hello":
        return Hello(
            version=version,
            id=_text(data.get("id"), 64) or None,
            root=_text(data.get("root")),
            path=_text(data.get("path")),
            known=_known(data.get("known")),
            shown=tuple(_shown(data.get("shown"))),
            can=frozenset(each for each in _list(data.get("can")) if _is_word(each)),
            trusted=data.get("trusted") is not False,
        )
    if data.get("op") == "price":
        return _ask_price(data) or _unreadable(data)
    if data.get("op") == "act":
        return _act(data) or _unreadable(data)
    if data.get("op") == "sweep":
        return _act_on_sweep(data) or _unreadable(data)
    if data.get("op") == "rate":
        return _rate(data) or UnreadableRequest("rate", None)
    return None


def _unreadable(data: Mapping[Any, Any]) -> UnreadableRequest | None:
    ask = data.get("ask")
    return UnreadableRequest(data["op"], ask) if isinstance(ask, int) and _is_number(ask) else None


def _ask_price(data: Mapping[Any, Any]) -> AskPrice | None:
    ask, run_id, source = data.get("ask"), data.get("run_id"), data.get("source")
    if not isinstance(ask, int) or not isinstance(run_id, str) or not isinstance(source, str):
        return None
    return AskPrice(ask, run_id, source) if _is_number(ask) and _is_run(run_id) else None


def _act(data: Mapping[Any, Any]) -> Act | None:
    ask, run_id, action = data.get("ask"), data.get("run_id"), data.get("action")
    if not isinstance(ask, int) or not isinstance(run_id, str) or not isinstance(action, str):
        return None
    if not _is_number(ask) or not _is_run(run_id) or action not in ACTIONS:
        return None
    shown = tuple(each for each in _list(data.get("output"))[:_MOST_SHOWN] if _is_run(each))
    about = _text(data.get("about"), _LONGEST_SUBJECT)
    tags = tuple(
        tag for each in _list(data.get("tags"))[:_MOST_TAGS] if (tag := _text(each, _LONGEST_TAG))
    )
    return Act(ask, run_id, shown, action, data.get("confirmed") is True, about, tags)


def _act_on_sweep(data: Mapping[Any, Any]) -> ActOnSweep | None:
    ask, sweep, action = data.get("ask"), data.get("sweep"), data.get("action")
    if not isinstance(ask, int) or not isinstance(sweep, str) or not isinstance(action, str):
        return None
    if not _is_number(ask) or not _SWEEP_ID.fullmatch(sweep) or action not in SWEEP_ACTIONS:
        return None
    about = _text(data.get("about"), _LONGEST_SUBJECT)
    return ActOnSweep(ask, sweep, action, data.get("confirmed") is True, about)


def _rate(data: Mapping[Any, Any]) -> Rate | None:
    run_id, rating = data.get("run_id"), data.get("rating")
    if not isinstance(run_id, str) or not _is_run(run_id):
        return None
    if rating is None or (_is_number(rating) and rating <= _MOST_STARS):
        return Rate(run_id, rating)
    return None


def _text(value: Any, most: int = _LONGEST) -> str:
    """Return a text if it can be written to a file and used in a query; else an empty one."""
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
    return {
        run_id: revision
        for run_id, revision in value.items()
        if _is_run(run_id) and _is_number(revision)
    }


def _shown(value: Any) -> Iterator[ShownOutput]:
    for each in _list(value):
        if not isinstance(each, dict):
            continue
        runs = _list(each.get("runs"))
        if runs and all(
            isinstance(run, list) and len(run) == 2 and _is_run(run[0]) and _is_number(run[1])
            for run in runs
        ):
            ids, revisions = zip(*runs, strict=True)
            yield ShownOutput(ids, revisions, each.get("embed") is True)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_run(value: Any) -> bool:
    return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST
