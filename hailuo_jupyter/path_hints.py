"""Hints for paths with backslashes, which a system or Python may misread."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

#: Python's escape sequences of a backslash and a letter in a text without r before it.
_ESCAPES = {"\a": "/a", "\b": "/b", "\t": "/t", "\n": "/n", "\v": "/v", "\f": "/f", "\r": "/r"}


def with_slashes(path: str | os.PathLike[str]) -> str:
    r"""Return a path with forward slashes if it has backslashes that do not separate folders; else empty.

    Parameters
    ----------
    path
        As written by a person. A Windows path on another system, or ``"stills\first.png"`` in Python code,
        which contains a form feed in place of ``\f``.
    """
    text = os.fspath(path)
    meant = "".join(_ESCAPES.get(char, char) for char in text)
    if os.sep != "\\":
        meant = meant.replace("\\", "/")
    return "" if meant == text else meant


def hint(path: str | os.PathLike[str], base: Path) -> str:
    """Return what to do about a missing file, if backslashes in its path are the reason; else empty.

    Parameters
    ----------
    path
        As written by a person.
    base
        Folder to which a relative path refers.
    """
    meant = with_slashes(path)
    if not meant or not meant.isprintable():
        return ""
    if os.sep != "\\" and PureWindowsPath(meant).drive:
        return "That is a Windows path: use the file's path on this system."
    try:
        found = (base / meant).exists()
    except (OSError, ValueError):
        return ""
    if found:
        return f"Write it with forward slashes: {meant}."
    return f"Write it with forward slashes, as every system understands them, such as {meant}."
