"""Remove traceback frames that contain a key."""

from __future__ import annotations

import traceback
from pathlib import Path


def without_inner_frames(error: BaseException) -> BaseException:
    """Return an error without the frames below the HTTP seam.

    httpx, httpcore and h11 have the key in their local variables, and a tool that shows a traceback with
    local variables (``%xmode Verbose``, rich, cgitb) would show it. The place of the error is kept
    as a note.

    Parameters
    ----------
    error
        An error other than a network error. Changed in place.
    """
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        each = queue.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, Exception) and (frames := traceback.extract_tb(each.__traceback__)):
            where = frames[-1]
            each.add_note(f"Raised in {Path(where.filename).name}, line {where.lineno}.")
        queue += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            queue += each.exceptions
        each.__traceback__ = None
    return error
