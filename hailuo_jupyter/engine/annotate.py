"""A person's own words about a run, rating, tags and note: each as a change of its record."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from hailuo_jupyter.errors import OptionError, RunLogError

if TYPE_CHECKING:
    from hailuo_jupyter.record import Record
    from hailuo_jupyter.runlog import Row

#: The best rating; 0 is the worst.
BEST = 5

#: Most characters of a tag and of a note.
MOST_TAG, MOST_NOTE = 60, 2000

Change = Callable[["Record"], "Record"]


def record_of(row: Row) -> Record:
    """Give a run's record.

    Raises
    ------
    RunLogError
        If a newer version wrote it, so that it can neither be read nor changed here.
    """
    try:
        return row.record
    except ValueError:
        raise RunLogError(
            f"Run {row.run_id} was written by a newer version of hailuo-jupyter.",
            money="Nothing was changed, and nothing was sent.",
            todo="Install the newest version.",
        ) from None


def rated(rating: int | None) -> Change:
    """Give the change that rates a run.

    Parameters
    ----------
    rating
        A whole number from 0 to 5; None takes the rating away.

    Raises
    ------
    OptionError
        If it is anything else.
    """
    whole = isinstance(rating, int) and not isinstance(rating, bool)
    if rating is not None and not (whole and 0 <= rating <= BEST):
        raise _refused(f"A rating is a whole number from 0 to {BEST}, and not {rating!a:.40}.")
    return lambda record: _with(record, "rating", rating)


def tagged(add: Iterable[str] = (), remove: Iterable[str] = ()) -> Change:
    """Give the change that adds tags to a run and takes others away.

    Parameters
    ----------
    add, remove
        Tags of 1 to 60 characters on one line. One that is there already, or is not there, changes
        nothing.

    Raises
    ------
    OptionError
        If one can be no tag.
    """
    new, old = [_tag(each) for each in add], {_tag(each) for each in remove}

    def change(record: Record) -> Record:
        # In the change itself, so that two who tag at once both find what the other has left.
        kept = [tag for tag in dict.fromkeys([*record.tags, *new]) if tag not in old]
        return _with(record, "tags", kept)

    return change


def noted(text: str | None) -> Change:
    """Give the change that puts a note on a run, in place of the one that it has.

    Parameters
    ----------
    text
        At most 2000 characters; None or white space takes the note away.

    Raises
    ------
    OptionError
        If it is no text, or too long.
    """
    if text is not None and not isinstance(text, str):
        raise _refused(f"A note is a text, and not of type {type(text).__name__}.")
    note = (text or "").strip() or None
    if note is not None and len(note) > MOST_NOTE:
        raise _refused(f"The note has {len(note)} characters; the limit is {MOST_NOTE}.")
    return lambda record: _with(record, "note", note)


def _with(record: Record, name: str, value: object) -> Record:
    # The same record where nothing is new: then there is no new revision to tell anybody of.
    return record if getattr(record, name) == value else record.changed(**{name: value})


def _tag(given: str) -> str:
    if not isinstance(given, str):
        raise _refused(f"A tag is a text, and not of type {type(given).__name__}.")
    tag = given.strip()
    if any(unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in tag):
        raise _refused(f"A tag stands on one line, without control characters: {tag!a:.40}.")
    if not 1 <= len(tag) <= MOST_TAG:
        raise _refused(f"A tag has from 1 to {MOST_TAG} characters; this one has {len(tag)}.")
    return tag


def _refused(what: str) -> OptionError:
    return OptionError(what, money="Nothing was changed.")
