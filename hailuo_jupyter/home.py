"""The home folder, which may not exist, and paths in it."""

from __future__ import annotations

import os
from pathlib import Path

from hailuo_jupyter.errors import NOTHING_SENT, SettingsError


def folder() -> Path | None:
    """Return the home folder; None if neither HOME nor the user database has one."""
    path = os.path.expanduser("~")  # noqa: PTH111 - pathlib raises if there is none
    return Path(path) if os.path.isabs(path) else None  # noqa: PTH117


def expand(path: str | os.PathLike[str]) -> Path:
    """Expand ``~`` at the start of a path.

    Raises
    ------
    SettingsError
        If that home folder is not known: HOME is not set and this user is not in the user database,
        as in containers, or the named user does not exist.
    """
    expanded = os.path.expanduser(os.fspath(path))  # noqa: PTH111 - as above
    if expanded.startswith("~"):
        raise SettingsError(
            f"{os.fspath(path)!r} cannot be used: {_why_not(os.fspath(path))}.",
            money=NOTHING_SENT,
            todo="Write the path without ~, or set HOME.",
        )
    return Path(expanded)


def shorten(path: Path) -> str:
    """Return a path with ``~`` for the home folder, so that a user's name is not shown needlessly."""
    home = folder()
    if home is not None and home != Path(home.anchor) and path.is_relative_to(home):
        return str(Path("~") / path.relative_to(home))
    return str(path)


def missing() -> str:
    """Return why there is no home folder."""
    user = f"user {os.getuid()}" if hasattr(os, "getuid") else "this user"
    return f"HOME is not set, and the system has no home folder for {user}"


def _why_not(path: str) -> str:
    named = path[1:].replace("\\", "/").partition("/")[0]
    return f"unknown user {named!r}" if named else missing()
