"""A ``%%hailuo`` cell: the table of its options, its parser, and the text of a cell for a request.

`CELL_OPTIONS` is the one table. Parsing, help, Tab completion, sweeps and the text of a cell use it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from hailuo_jupyter import catalogue
from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.kernel.generate_options import DEFAULTS, MOST_AT_ONCE, GenerateOptions
from hailuo_jupyter.kernel.magic_args import (
    HELP,
    Option,
    OptionLine,
    Takes,
    asks_for_help,
    continued,
    parse_line,
    quoted,
    split,
    whole_number,
)
from hailuo_jupyter.kernel.prompt import fill, value_of


def _variable(text: str, _namespace: Mapping[str, Any]) -> str:
    if not text.isidentifier():
        raise OptionError(
            f"--name {text!r} is not a valid Python variable name.", money=NOTHING_SENT
        )
    return text


def _count(text: str, namespace: Mapping[str, Any]) -> int:
    return whole_number("count", fill(text, namespace), 1, most=MOST_AT_ONCE)


#: Endings of JPEG and PNG files, which are what providers take.
_PICTURES = (".png", ".jpg", ".jpeg")

CELL_OPTIONS = (
    Option(
        "provider",
        Takes.VALUE,
        "who generates the clip",
        "NAME",
        choices=(*catalogue.NAMES, "demo"),
        key="provider",
        varies=True,
    ),
    Option(
        "model",
        Takes.VALUE,
        "which model; not every provider has each",
        "MODEL",
        choices=("hailuo-02", "hailuo-02-fast", "hailuo-2.3", "hailuo-2.3-fast", "h3"),
        key="model",
        varies=True,
    ),
    Option(
        "mode",
        Takes.VALUE,
        "quality (Segmind's hailuo-02)",
        choices=("standard", "pro"),
        key="mode",
        varies=True,
    ),
    Option(
        "resolution",
        Takes.VALUE,
        "quality; see the model's table",
        choices=("768P", "1080P", "512P"),
        key="resolution",
        varies=True,
    ),
    Option(
        "duration",
        Takes.VALUE,
        "seconds: 6 or 10 (not at 1080P), h3 4 to 15",
        "SECONDS",
        choices=("6", "10", "4", "5", "7", "8", "9", "11", "12", "13", "14", "15"),
        key="duration",
        varies=True,
    ),
    Option(
        "ratio",
        Takes.VALUE,
        "width to height (h3)",
        "W:H",
        choices=("adaptive", "21:9", "16:9", "4:3", "1:1", "3:4", "9:16"),
        key="ratio",
        varies=True,
    ),
    Option(
        "image",
        Takes.FILE,
        "first frame: path, URL, {variable} or run:RUN@last",
        "X",
        key="image",
        convert=value_of,
        varies=True,
        suffixes=_PICTURES,
    ),
    Option(
        "last-frame",
        Takes.FILE,
        "last frame: path, URL, {variable} or run:RUN@last",
        "X",
        key="last_image",
        convert=value_of,
        varies=True,
        suffixes=_PICTURES,
    ),
    Option(
        "no-optimizer",
        Takes.NOTHING,
        "send the prompt unchanged (no rewriting by the provider)",
        key="prompt_optimizer",
        sets=False,
        varies=True,
    ),
    Option(
        "name",
        Takes.VALUE,
        "assign the run to this variable (a list with --count)",
        "NAME",
        key="name",
        convert=_variable,
    ),
    Option(
        "count",
        Takes.VALUE,
        "total takes wanted in this notebook; existing ones count",
        "N",
        key="count",
        convert=_count,
    ),
    Option("sweep", Takes.MANY, "one clip per value: mode=standard,pro; may be repeated", "X=A,B"),
    Option(
        "grid",
        Takes.FILE,
        "one clip per row: DataFrame, list of dicts or CSV file",
        "ROWS",
        suffixes=(".csv",),
    ),
    Option("wait", Takes.NOTHING, "wait until the clip is ready", key="wait"),
    Option("new", Takes.NOTHING, "generate again even if this notebook already has it", key="new"),
    Option(
        "yes",
        Takes.NOTHING,
        "skip the confirmation for large sweeps or unknown prices",
        key="yes",
    ),
    Option("embed", Takes.NOTHING, "also store the clip in the notebook (several MB)"),
    Option("output", Takes.FILE, "folder for clips and records", "DIR", key="output"),
    Option("tag", Takes.MANY, "a tag for the record; may be repeated", "T", key="tags"),
    Option("note", Takes.VALUE, "a note for the record", "TEXT", key="note"),
    Option("quote", Takes.NOTHING, "compare providers and models for this request, send nothing"),
    Option("dry-run", Takes.NOTHING, "show the request and its price, send nothing"),
    HELP,
)

CELL_USAGE = """%%hailuo [options]
prompt (any number of lines; {variables} are filled in)

Options continue on the next line after a space and a backslash."""


_OUR_LINE = re.compile(r"%%hailuo(?![\w?])")


def with_body(lines: list[str]) -> list[str]:
    """Return the lines of a cell, with an empty prompt if it is a ``%%hailuo`` cell without one.

    IPython refuses a cell magic with an empty body before it calls our code, so ``%%hailuo --help`` alone in
    a cell would be an error (`IPython.core.interactiveshell.InteractiveShell.run_cell_magic`).

    Parameters
    ----------
    lines
        With their ends, as IPython gives them to a transformer of ``input_transformers_cleanup``.
    """
    if len(lines) == 1 and _OUR_LINE.match(lines[0]):
        return [f"{lines[0].rstrip()}\n", "\n"]
    return lines


def parse_cell(line: str, cell: str) -> tuple[OptionLine, str]:
    """Return the options of a cell, and the text below its option line.

    Parameters
    ----------
    line
        What follows ``%%hailuo`` on its line.
    cell
        The lines below.

    Raises
    ------
    OptionError
        If an option is invalid, or a word belongs to no option.
    """
    line, cell = continued(line, cell)
    words = split(line)
    if asks_for_help(words):
        return OptionLine({HELP.name: True}), cell
    read = parse_line(words, CELL_OPTIONS)
    if read.words:
        raise OptionError(
            f"Unexpected {read.words[0]!r} on the first line.",
            money=NOTHING_SENT,
            todo="Put the prompt on the next line; quote values with spaces.",
        )
    return read, cell


#: Start of a line that was probably meant for the option line.
_LIKE_AN_OPTION = re.compile(r"\s*(--[A-Za-z][\w-]*)")


def prompt_of(cell: str) -> str:
    """Return the prompt of the text below the option line.

    Raises
    ------
    OptionError
        If its first line begins like an option: it would be sent, and paid, as a part of the prompt.
    """
    first, _, rest = cell.partition("\n")
    if found := _LIKE_AN_OPTION.match(first):
        raise OptionError(
            f"The prompt starts with {found[1]}, like an option.",
            money=NOTHING_SENT,
            todo="Put it on the first line; if it is text, put an empty line above it.",
        )
    return rest if not first.strip() and _LIKE_AN_OPTION.match(rest) else cell


def as_cell(prompt: str) -> str:
    """Write a prompt so that `prompt_of` returns it."""
    return f"\n{prompt}" if _LIKE_AN_OPTION.match(prompt) else prompt


def options_from(
    line: OptionLine, table: Sequence[Option], namespace: Mapping[str, Any]
) -> GenerateOptions:
    """Return only the options that are set on a line.

    Parameters
    ----------
    line
        The line.
    table
        The options that it was parsed with.
    namespace
        The notebook's variables, which values may reference.

    Raises
    ------
    PromptError, OptionError
        For an unknown variable or one that is None, and for an invalid value.
    """
    options: dict[str, Any] = {}
    for option in table:
        value = line.values.get(option.name) if option.key else None
        if value is True:
            options[option.key] = option.sets
        elif isinstance(value, tuple):
            options[option.key] = tuple(option.convert(each, namespace) for each in value)
        elif isinstance(value, str):
            options[option.key] = option.convert(value, namespace)
    return cast("GenerateOptions", options)


def write_cell(
    prompt: str, options: GenerateOptions, variables: Mapping[str, str] | None = None
) -> str:
    """Return a request as the text of a cell.

    Parameters
    ----------
    prompt, options
        The request.
    variables
        The notebook's variables that contain frames in memory, by ``image`` and ``last_image``.

    Returns
    -------
    str
        ``%%hailuo`` with its option line, and the prompt below.

    Raises
    ------
    OptionError
        If the option line cannot contain a value: one with a line break, or a frame in memory that no
        variable contains.
    """
    words = ["%%hailuo"]
    for option in CELL_OPTIONS:
        variable = (variables or {}).get(option.key)
        if variable is not None:
            words.append(f"--{option.name} {{{variable}}}")
        elif option.key in options:
            words += _written(option, cast("Mapping[str, Any]", options)[option.key])
    return f"{' '.join(words)}\n{as_cell(_literal(prompt))}"


def _written(option: Option, value: Any) -> Iterator[str]:
    if option.takes is Takes.NOTHING:
        if value is option.sets:
            yield f"--{option.name}"
        return
    if option.convert is value_of and not isinstance(value, str | os.PathLike | None):
        raise OptionError(
            f"The frame of --{option.name} is in memory, but no variable refers to it.",
            money=NOTHING_SENT,
            todo="Save it as a file or assign it to a variable.",
        )
    if value == DEFAULTS.get(option.key):
        return
    for each in value if option.takes is Takes.MANY else [value]:
        text = os.fspath(each) if isinstance(each, os.PathLike) else str(each)
        # A word that starts with dashes would be the next option.
        joint = "=" if text.startswith("--") else " "
        yield f"--{option.name}{joint}{quoted(_literal(text))}"


def _literal(text: str) -> str:
    """Write braces twice, since single ones enclose variables."""
    return re.sub(r"[{}]", r"\g<0>\g<0>", text)
