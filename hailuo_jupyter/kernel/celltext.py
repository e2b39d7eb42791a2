"""A wish written as the ``%%hailuo`` cell that asks for the same, and read back from it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.kernel import options
from hailuo_jupyter.kernel.cell_options import CELL_OPTIONS, wish_of
from hailuo_jupyter.kernel.generate import Wish

_MAGIC = "%%hailuo"
_ORDER = {option.name: place for place, option in enumerate(CELL_OPTIONS)}


def write(wish: Wish, *, image: str | None = None, last_image: str | None = None) -> str:
    """Write a wish as a cell.

    A cell has no place for `Wish.parent`, `Wish.sweep` and `Wish.position`: these are left out.

    Parameters
    ----------
    wish
        What is asked for.
    image, last_image
        The variables of the notebook that hold the frames, for frames that are in memory.

    Returns
    -------
    str
        ``%%hailuo`` with its option line, and the prompt below.

    Raises
    ------
    OptionError
        If the option line cannot hold a value: one with a line break, or a frame in memory that no
        variable holds.
    """
    words = [_MAGIC, *_line(wish, image, last_image)]
    return f"{' '.join(words)}\n{_literal(wish.prompt)}"


def read(text: str, namespace: Mapping[str, Any]) -> Wish:
    """Read a cell as the magic does.

    Parameters
    ----------
    text
        The whole cell.
    namespace
        The notebook's variables, for ``{fields}``.

    Returns
    -------
    Wish
        Its options are those that the line names.

    Raises
    ------
    OptionError, PromptError
        If the text is no such cell, or one that the magic refuses.
    """
    first, _, body = text.partition("\n")
    magic, _, line = first.rstrip().partition(" ")
    if magic != _MAGIC:
        raise OptionError(f"The text does not begin with {_MAGIC}.", money=NOTHING_SENT)
    found = options.read(options.words_of(line), CELL_OPTIONS)
    wish = wish_of(found, body, dict(namespace))
    return replace(wish, options={k: v for k, v in wish.options.items() if v is not None})


def _line(wish: Wish, image: str | None, last_image: str | None) -> Iterator[str]:
    yield from _option("provider", wish.provider)
    for name in sorted(wish.options, key=lambda name: _ORDER.get(name, len(_ORDER))):
        value = wish.options[name]
        yield from _option(name, None if value is None else str(value))
    yield from _frame("image", wish.image, image)
    yield from _frame("last-frame", wish.last_image, last_image)
    if not wish.prompt_optimizer:
        yield "--no-optimizer"
    if wish.name is not None:
        yield f"--name {wish.name}"
    if wish.count != 1:
        yield f"--count {wish.count}"
    if wish.new:
        yield "--new"
    if wish.yes:
        yield "--yes"
    yield from _option("output", None if wish.output is None else os.fspath(wish.output))
    for tag in wish.tags:
        yield from _option("tag", tag)
    yield from _option("note", wish.note)


def _frame(name: str, source: Any, variable: str | None) -> Iterator[str]:
    if variable is not None:
        yield f"--{name} {{{variable}}}"
    elif source is None or isinstance(source, str | os.PathLike):
        yield from _option(name, None if source is None else os.fspath(source))
    else:
        raise OptionError(
            f"The frame of --{name} is in memory, and no variable holds it.",
            money=NOTHING_SENT,
            todo="Save it as a file, or put it into a variable.",
        )


def _option(name: str, value: str | None) -> Iterator[str]:
    if value is None:
        return
    written = options.quoted(_literal(value))
    # A word with dashes in front would be the next option.
    yield f"--{name}={written}" if value.startswith("--") else f"--{name} {written}"


def _literal(text: str) -> str:
    """Write braces twice, since single ones hold variables."""
    return re.sub(r"[{}]", r"\g<0>\g<0>", text)
