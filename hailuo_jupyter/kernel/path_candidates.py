"""Folders and files of some kinds below a path that is being typed."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

#: Maximum entries of a folder that are looked at, and maximum results.
_MOST_SEEN, _MOST = 5000, 200


def below(typed: str, suffixes: Collection[str]) -> list[tuple[str, str]]:
    """Return what may complete a path: files, then folders, each with a description.

    Hidden ones are left out, unless a dot was typed. The working directory is the base.

    Parameters
    ----------
    typed
        The path so far.
    suffixes
        Endings of the files, in lower case, such as ``.png``.
    """
    head = typed[: max(map(typed.rfind, {"/", os.sep})) + 1]
    try:
        with os.scandir(Path(head).expanduser()) as entries:
            found = sorted(_fitting(islice(entries, _MOST_SEEN), typed[len(head) :], suffixes))
    except (OSError, ValueError, RuntimeError):  # no such folder, or no such user
        return []
    # Braces enclose variables in an option's value, and are written twice.
    return [
        (head + name.replace("{", "{{").replace("}", "}}"), kind) for _, name, kind in found[:_MOST]
    ]


def _fitting(
    entries: Iterator[os.DirEntry[str]], start: str, suffixes: Collection[str]
) -> Iterator[tuple[bool, str, str]]:
    for entry in entries:
        name, suffix = entry.name, os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
        hidden = name.startswith(".") and not start.startswith(".")
        if hidden or not name.startswith(start) or not name.isprintable():
            continue
        if _is_folder(entry):
            yield True, f"{name}/", "folder"
        elif suffix in suffixes:
            yield False, name, f"{suffix[1:].upper()} file"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a broken link
        return False
