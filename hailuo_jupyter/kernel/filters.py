"""From what a person writes to look for runs to a search in the run logs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path

from hailuo_jupyter import catalogue
from hailuo_jupyter.errors import NOTHING_SENT, NotebookError, OptionError
from hailuo_jupyter.kernel import origin
from hailuo_jupyter.runlog.search import Search, Sort
from hailuo_jupyter.states import State

#: How a person names an age: a number and a unit.
_AGE = re.compile(r"(\d{1,6})\s*([mhdw])", re.IGNORECASE)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Since = str | datetime | date | timedelta


def search(
    *,
    notebook_id: str | None = None,
    provider: str | None = None,
    state: str | Sequence[str] | None = None,
    tag: str | Sequence[str] | None = None,
    text: str | None = None,
    since: Since | None = None,
    sweep: str | None = None,
    rating: int | None = None,
    sort: str = "time",
    ascending: bool = False,
    now: float,
) -> Search:
    """Check what a person wrote, and make a search of it (see `hailuo_jupyter.runs`).

    Parameters
    ----------
    now
        Seconds since 1970, from which ages count back.

    Raises
    ------
    OptionError
        If something is written wrong; the closest right word is named.
    """
    known = [*(each.name for each in catalogue.providers()), "demo"]
    if rating is not None and not 0 <= rating <= 5:
        raise _wrong(f"The least rating is {rating}, and has to be from 0 to 5.")
    return Search(
        notebook_id=notebook_id,
        provider=None if provider is None else _one_of("provider", provider, known),
        states=[State(_one_of("state", each, [*State])) for each in _several(state)],
        tags=tuple(_several(tag)),
        text=text or "",
        since=None if since is None else moment(since, now),
        sweep=sweep,
        rating=rating,
        sort=Sort(_one_of("order", sort, [*Sort])),
        ascending=ascending,
    )


def moment(since: Since, now: float) -> float:
    """Give the moment that a person names, in seconds since 1970.

    Parameters
    ----------
    since
        An age (``"90m"``, ``"12h"``, ``"7d"``, ``"2w"`` or a timedelta), a day (``"2026-11-20"``,
        from its first minute in this machine's time zone) or a day and a time.
    now
        Seconds since 1970.

    Raises
    ------
    OptionError
        If it is none of these.
    """
    try:
        if isinstance(since, timedelta):
            return now - since.total_seconds()
        if isinstance(since, str):
            if found := _AGE.fullmatch(since.strip()):
                age = timedelta(**{_UNITS[found[2].lower()]: int(found[1])})
                return now - age.total_seconds()
            since = datetime.fromisoformat(since.strip())
        if not isinstance(since, datetime):
            since = datetime(since.year, since.month, since.day)  # noqa: DTZ001 -- local, by astimezone
        return since.astimezone(since.tzinfo or None).timestamp()
    except (ValueError, OverflowError, OSError, AttributeError):
        raise _wrong(
            f"The moment {str(since)[:40]!a} is neither an age nor a date.",
            "Write it as 90m, 12h, 7d, 2w, 2026-11-20 or 2026-11-20T14:30.",
        ) from None


def notebook(given: str | Path | None) -> tuple[str | None, str]:
    """Find the notebook whose runs are wanted.

    Parameters
    ----------
    given
        A path, relative to this notebook's folder; ``"all"``; None for this notebook, or for all
        where no notebook runs this.

    Returns
    -------
    notebook_id, words
        None stands for all. The words name it.

    Raises
    ------
    NotebookError
        If there is no such file.
    """
    everywhere = None, "all notebooks"
    if given is None:
        if origin.audience(origin.shell()) in {origin.Audience.SCRIPT, origin.Audience.TERMINAL}:
            return everywhere
        return origin.notebook().id, "this notebook"
    if str(given) == "all":
        return everywhere
    path = origin.notebook().folder / Path(given).expanduser()
    if not path.is_file():
        raise NotebookError(
            f"There is no notebook {str(given)[:200]!a}.",
            todo="Give its path from this folder, or 'all' for the runs of every notebook.",
        )
    return origin.notebook_at(path.resolve()).id, path.name


def iso(at: float) -> str:
    """Give a moment as exports have it: UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _several(given: str | Sequence[str] | None) -> list[str]:
    if given is None:
        return []
    return [given] if isinstance(given, str) else list(given)


def _one_of(what: str, given: str, known: Sequence[str]) -> str:
    word = str(given).strip().lower()
    if word in known:
        return word
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(map(str, known))}."
    raise _wrong(f"There is no {what} {word[:40]!a}.", hint)


def _wrong(what: str, todo: str = "") -> OptionError:
    return OptionError(what, money=NOTHING_SENT, todo=todo)
