"""A person's annotations of a run (rating, tags and note), each as a change of its record."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from hailuo_jupyter.errors import OptionError

if TYPE_CHECKING:
    from hailuo_jupyter.record import Record
    from hailuo_jupyter.runlog import Row

#: The best rating; 0 is the worst.
BEST = 5

#: Most characters of a tag and of a note.
MOST_TAG, MOST_NOTE = 60, 2000

Change = Callable[["Record"], "Record"]


def record_of(row: Row) -> Record:
    """Return a run's record.

    Raises
    ------
    RecordUnreadable
        If a newer version wrote it, so that it can neither be read nor changed here.
    """
    return row.record


def rated(rating: int | None) -> Change:
    """Return the change that rates a run.

    Parameters
    ----------
    rating
        A whole number from 0 to 5; None removes the rating.

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
    """Return the change that adds tags to a run and removes others.

    Parameters
    ----------
    add, remove
        Tags of 1 to 60 characters on one line. Adding a present tag or removing a missing one changes
        nothing.

    Raises
    ------
    OptionError
        If one is not a valid tag.
    """
    new, old = [_tag(each) for each in add], {_tag(each) for each in remove}

    def change(record: Record) -> Record:
        # In the change itself, so that concurrent changes of tags are both kept.
        kept = [tag for tag in dict.fromkeys([*record.tags, *new]) if tag not in old]
        return _with(record, "tags", kept)

    return change


def noted(text: str | None) -> Change:
    """Return the change that puts a note on a run, replacing the present one.

    Parameters
    ----------
    text
        At most 2000 characters; None or white space removes the note.

    Raises
    ------
    OptionError
        If it is not text, or too long.
    """
    if text is not None and not isinstance(text, str):
        raise _refused(f"A note must be text, not {type(text).__name__}.")
    note = (text or "").strip() or None
    if note is not None and len(note) > MOST_NOTE:
        raise _refused(f"The note has {len(note)} characters; the limit is {MOST_NOTE}.")
    return lambda record: _with(record, "note", note)


def _with(record: Record, name: str, value: object) -> Record:
    # The same object if nothing changes: then no new revision is stored or reported.
    return record if getattr(record, name) == value else record.changed(**{name: value})


def _tag(value: str) -> str:
    if not isinstance(value, str):
        raise _refused(f"A tag must be text, not {type(value).__name__}.")
    tag = value.strip()
    if any(unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in tag):
        raise _refused(f"A tag must be one line without control characters: {tag!a:.40}.")
    if not 1 <= len(tag) <= MOST_TAG:
        raise _refused(f"A tag must have 1 to {MOST_TAG} characters (got {len(tag)}).")
    return tag


def _refused(what: str) -> OptionError:
    return OptionError(what, money="Nothing was changed.")
