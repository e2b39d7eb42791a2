"""Convert a person's filters to a search in the run logs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path

from hailuo_jupyter import catalogue, home, path_hints
from hailuo_jupyter.errors import NotebookError, OptionError
from hailuo_jupyter.ids import notebook_at
from hailuo_jupyter.kernel import context
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.queries import no_such_sweep_error
from hailuo_jupyter.runlog.search import Search, Sort
from hailuo_jupyter.states import State

#: Format of an age: a number and a unit.
_AGE = re.compile(r"(\d{1,6})\s*([mhdw])", re.IGNORECASE)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Since = str | datetime | date | timedelta


def build_search(
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
    """Check a person's filters, and build a search (see `hailuo_jupyter.runs`).

    Parameters
    ----------
    now
        Seconds since 1970, from which ages are subtracted.

    Raises
    ------
    OptionError
        If a filter is invalid; the closest valid word is named.
    """
    providers = [*(each.name for each in catalogue.providers()), "demo"]
    if rating is not None and not 0 <= rating <= 5:
        raise _wrong(f"The minimum rating must be from 0 to 5 (got {rating}).")
    return Search(
        notebook_id=notebook_id,
        provider=None if provider is None else _one_of("provider", provider, providers),
        states=[State(_one_of("state", each, [*State])) for each in _several(state)],
        tags=tuple(_several(tag)),
        text=text or "",
        since=None if since is None else parse_since(since, now),
        sweep=sweep,
        rating=rating,
        sort=Sort(_one_of("order", sort, [*Sort])),
        ascending=ascending,
    )


def parse_since(since: Since, now: float) -> float:
    """Return a time written by a person, in seconds since 1970.

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
        If it is not one of these.
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
            f"{str(since)[:40]!a} is not an age or date.",
            "Examples: 90m, 12h, 7d, 2w, 2026-11-20, 2026-11-20T14:30.",
        ) from None


def notebook_filter(notebook: str | Path | None) -> tuple[str | None, str]:
    """Find the notebook of a search.

    Parameters
    ----------
    notebook
        A path, relative to the working directory; ``"all"``; None for this notebook, or for all
        if this does not run in a notebook.

    Returns
    -------
    notebook_id, words
        The id, or None for all; and a text that names it.

    Raises
    ------
    NotebookError
        If the file does not exist.
    """
    everywhere = None, "all notebooks"
    if notebook is None:
        if context.frontend(context.shell()) in {
            context.Frontend.SCRIPT,
            context.Frontend.TERMINAL,
        }:
            return everywhere
        return context.notebook().id, "this notebook"
    if str(notebook) == "all":
        return everywhere
    path = context.working_folder() / home.expand(context.written_path(notebook))
    if not path.is_file():
        raise NotebookError(
            f"There is no notebook {str(notebook)[:200]!a}.",
            todo=path_hints.hint(notebook, context.working_folder())
            or "Use its path relative to this folder, or 'all' for the runs of every notebook.",
        )
    return notebook_at(path.resolve()).id, path.name


def sweep_id(query: str, logs: Sequence[RunLog]) -> str:
    """Return the id of the sweep that an id, a part of it or a name fits.

    Raises
    ------
    RunNotFound
        If no log has it, or several match.
    """
    ids = list(dict.fromkeys(found for log in logs for found in log.sweep_ids(query)))
    if len(ids) != 1:
        raise no_such_sweep_error(query, ids)
    return ids[0]


def to_iso(timestamp: float) -> str:
    """Return a time for an export: UTC, to the second."""
    return (
        datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    )


def _several(value: str | Sequence[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _one_of(what: str, value: str, valid: Sequence[str]) -> str:
    word = str(value).strip().lower()
    if word in valid:
        return word
    near = get_close_matches(word, valid, n=1, cutoff=0.6)
    hint = f"Did you mean {near[0]}?" if near else f"Valid: {', '.join(map(str, valid))}."
    raise _wrong(f"Unknown {what} {word[:40]!a}.", hint)


def _wrong(what: str, todo: str = "") -> OptionError:
    return OptionError(what, todo=todo)
