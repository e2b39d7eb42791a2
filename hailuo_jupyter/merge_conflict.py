"""Git's markers of an unresolved merge conflict."""

from __future__ import annotations

_OURS, _MIDDLE, _THEIRS = "<" * 7, "=" * 7, ">" * 7


def conflict_line(text: str) -> int | None:
    """Return the number of the line where a conflict starts, from 1; None if there is none.

    Parameters
    ----------
    text
        A file's, or a cell's: ``<<<<<<< HEAD``, ``=======`` and ``>>>>>>> branch``, each on a line.
    """
    begins, middle = None, False
    for number, line in enumerate(text.split("\n"), 1):
        mark, _, name = line.rstrip("\r").partition(" ")
        if mark == _OURS:
            begins, middle = number, False
        elif mark == _MIDDLE and not name:
            middle = begins is not None
        elif mark == _THEIRS and middle:
            return begins
    return None
