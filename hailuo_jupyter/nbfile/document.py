"""A notebook file as plain JSON: read without judging, written whole or not at all."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hailuo_jupyter.errors import DiskError, NotebookError
from hailuo_jupyter.whole import write_whole

_UNTOUCHED = "Nothing was changed."


@dataclass
class Document:
    """A notebook that was read.

    Parameters
    ----------
    path
        The file.
    nb
        Its JSON; strings over several lines stay the lists of lines that the file holds.
    stamp
        Size and time of change of the file when it was read.
    """

    path: Path
    nb: dict[str, Any]
    stamp: tuple[int, int]

    @property
    def base(self) -> Path:
        """The notebook's folder, which links are relative to."""
        return self.path.absolute().parent

    def unchanged(self) -> bool:
        """Tell whether the file is as it was when it was read."""
        try:
            return _stamp(self.path) == self.stamp
        except OSError:
            return False

    def save(self) -> None:
        """Write the notebook back.

        Raises
        ------
        NotebookError
            If somebody else wrote the file meanwhile, or it holds what JSON cannot.
        DiskError
            If it cannot be written.
        """
        if not self.unchanged():
            raise NotebookError(
                f"{self.path.name} was changed by somebody else meanwhile.",
                money=_UNTOUCHED,
                todo="Save and close it where it is open, then try again.",
            )
        write(self.path, text_of(self.nb, self.path.name))
        self.stamp = _stamp(self.path)


def read(path: Path) -> Document:
    """Read a notebook file.

    Raises
    ------
    NotebookError
        If there is none, it is no notebook, or one in a format before 4.
    """
    try:
        stamp = _stamp(path)
        nb = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NotebookError(f"There is no notebook {path.name}.", todo="Check its path.") from None
    except OSError as error:
        raise NotebookError(f"{path.name} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise NotebookError(f"{path.name} is no notebook: it holds no JSON.") from None
    if not isinstance(nb, dict) or not isinstance(nb.get("nbformat"), int):
        raise NotebookError(f"{path.name} is no notebook.")
    if nb["nbformat"] != 4:  # the format of every Jupyter since 2014
        raise NotebookError(
            f"{path.name} is in notebook format {nb['nbformat']}; only format 4 is known.",
            todo="Open it in Jupyter and save it.",
        )
    if not isinstance(nb.get("metadata"), dict) or not isinstance(nb.get("cells"), list):
        raise NotebookError(f"{path.name} is no valid notebook: it has no metadata or no cells.")
    return Document(path, nb, stamp)


def text_of(nb: dict[str, Any], name: str) -> str:
    """Give a notebook's text as Jupyter writes it: sorted names, indented by one space.

    Raises
    ------
    NotebookError
        If it holds numbers that JSON does not have.
    """
    kwargs: dict[str, Any] = {"indent": 1, "sort_keys": True, "allow_nan": False}
    try:
        text = json.dumps(nb, ensure_ascii=False, separators=(",", ": "), **kwargs)
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: only its escape can be stored
        text = json.dumps(nb, ensure_ascii=True, separators=(",", ": "), **kwargs)
    except (ValueError, RecursionError):
        raise NotebookError(
            f"{name} holds a number that is too large for JSON, or not one.", money=_UNTOUCHED
        ) from None
    return text + "\n"


def write(path: Path, text: str) -> None:
    """Write a notebook's text in one step; a link stays a link, and the file keeps its mode.

    Raises
    ------
    DiskError
        If it cannot be written; the file is as it was.
    """
    target = Path(os.path.realpath(path))
    try:
        write_whole(target, text.encode(), keep_mode=True)
    except OSError as error:
        raise DiskError(
            f"{path.name} could not be written: {error.strerror}.",
            money="The clips and the run log are as they were.",
            todo="Make room or make the folder writable; 'jupyter hailuo sync' does the rest.",
        ) from error


def lines(text: str) -> list[str]:
    """Give a text as a notebook file holds it."""
    return text.splitlines(keepends=True)


def joined(value: object) -> str:
    """Give a source or text of a notebook file as one string; empty where it is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(each for each in value if isinstance(each, str))
    return ""


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
