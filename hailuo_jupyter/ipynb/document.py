"""A notebook file as plain JSON: read without validation, written atomically."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hailuo_jupyter import path_hints
from hailuo_jupyter.errors import DiskError, NotebookError
from hailuo_jupyter.files import atomic_write
from hailuo_jupyter.json_depth import is_deeper
from hailuo_jupyter.merge_conflict import conflict_line

#: The deepest outputs, such as interactive charts, have about 30 levels. Our own code processes them
#: recursively, and so do the libraries that write notebooks.
_MOST_LEVELS = 200

_UNTOUCHED = "Nothing was changed."


@dataclass
class Document:
    """A notebook that was read.

    Parameters
    ----------
    path
        The file.
    nb
        Its JSON; multi-line strings stay lists of lines, as in the file.
    stamp
        Size and modification time of the file when it was read.
    """

    path: Path
    nb: dict[str, Any]
    stamp: tuple[int, int]

    @property
    def base(self) -> Path:
        """The notebook's folder, to which links are relative."""
        return self.path.absolute().parent

    def unchanged(self) -> bool:
        """Return whether the file is unchanged since it was read."""
        try:
            return _stamp(self.path) == self.stamp
        except OSError:
            return False

    def save(self) -> None:
        """Write the notebook back.

        Raises
        ------
        NotebookError
            If another program changed the file meanwhile, or the notebook is not valid JSON.
        DiskError
            If it cannot be written.
        """
        if not self.unchanged():
            raise NotebookError(
                f"{self.path.name} was changed by another program.",
                money=_UNTOUCHED,
                todo="Save and close it, then try again.",
            )
        write(self.path, text_of(self.nb, self.path.name))
        self.stamp = _stamp(self.path)


def read(path: Path) -> Document:
    """Read a notebook file.

    Raises
    ------
    NotebookError
        If it does not exist, is not a notebook, or has a format before 4.
    """
    data = b""
    try:
        stamp = _stamp(path)
        data = path.read_bytes()
        nb = json.loads(data)
        deep = is_deeper(nb, _MOST_LEVELS)
    except FileNotFoundError:
        todo = path_hints.hint(path, Path()) or "Check its path."
        raise NotebookError(f"Notebook not found: {path.name}.", todo=todo) from None
    except OSError as error:
        raise NotebookError(f"{path.name} cannot be read: {error.strerror}.") from None
    except RecursionError:
        deep = True
    except ValueError:
        if line := conflict_line(data.decode("utf-8", "replace")):
            raise NotebookError(
                f"{path.name} has an unresolved merge conflict in line {line}.",
                money=_UNTOUCHED,
                todo="Resolve it: 'git checkout --ours PATH' or '--theirs' keeps one version.",
            ) from None
        raise NotebookError(f"{path.name} is not a notebook: it is not JSON.") from None
    if deep:
        raise NotebookError(
            f"{path.name} is nested too deeply: over {_MOST_LEVELS} levels.",
            money=_UNTOUCHED,
            todo="Normal notebooks have far fewer. Check its metadata and outputs.",
        )
    if not isinstance(nb, dict) or not isinstance(nb.get("nbformat"), int):
        raise NotebookError(f"{path.name} is not a notebook.")
    if nb["nbformat"] != 4:  # the format of every Jupyter since 2014
        raise NotebookError(
            f"{path.name} is in notebook format {nb['nbformat']}; only format 4 is known.",
            todo="Open it in Jupyter and save it.",
        )
    if not isinstance(nb.get("metadata"), dict) or not isinstance(nb.get("cells"), list):
        raise NotebookError(f"{path.name} is not a valid notebook: it has no metadata or no cells.")
    return Document(path, nb, stamp)


def text_of(nb: dict[str, Any], name: str) -> str:
    """Return a notebook's text as Jupyter writes it: sorted keys, indented by one space.

    Raises
    ------
    NotebookError
        If it contains numbers that JSON does not have.
    """
    kwargs: dict[str, Any] = {"indent": 1, "sort_keys": True, "allow_nan": False}
    try:
        text = json.dumps(nb, ensure_ascii=False, separators=(",", ": "), **kwargs)
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: only its escape can be stored
        text = json.dumps(nb, ensure_ascii=True, separators=(",", ": "), **kwargs)
    except (ValueError, RecursionError):
        raise NotebookError(
            f"{name} contains a number that JSON cannot represent.", money=_UNTOUCHED
        ) from None
    return text + "\n"


def write(path: Path, text: str) -> None:
    """Write a notebook's text atomically; a link stays a link, and the file keeps its mode.

    Raises
    ------
    DiskError
        If it cannot be written, or is a device or a pipe, which a new file would replace; it is unchanged.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise DiskError(
            f"{path.name} is not a regular file.",
            money="Nothing was written.",
            todo="Choose another name.",
        )
    try:
        atomic_write(target, text.encode(), keep_mode=True)
    except OSError as error:
        raise DiskError(
            f"{path.name} could not be written: {error.strerror}.",
            money="The clips and the run log are unchanged.",
            todo="Free some space or make the folder writable, then run 'jupyter hailuo sync'.",
        ) from error


def lines(text: str) -> list[str]:
    """Return a text as stored in a notebook file."""
    return text.splitlines(keepends=True)


def joined(value: object) -> str:
    """Return a source or text of a notebook file as one string; empty if it is not text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(each for each in value if isinstance(each, str))
    return ""


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
