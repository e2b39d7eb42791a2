"""Parse the line after ``%hailuo`` and call the command's function."""

from __future__ import annotations

import textwrap
from importlib import import_module
from typing import Any

from hailuo_jupyter.errors import LINE, NOTHING_SENT, OptionError
from hailuo_jupyter.formatting import sentence
from hailuo_jupyter.kernel.commands.control import active_runs
from hailuo_jupyter.kernel.commands.echo import echo
from hailuo_jupyter.kernel.commands.registry import COMMANDS, GROUPS, Command, options_of
from hailuo_jupyter.kernel.magic_args import (
    HELP,
    Option,
    asks_for_help,
    help_text,
    parse_line,
    split,
    unknown,
)

#: Where the descriptions of commands begin.
_COLUMN = 30


def run(line: str, ip: Any) -> None:
    """Run one command.

    Parameters
    ----------
    line
        What follows ``%hailuo``.
    ip
        The shell.

    Raises
    ------
    HailuoError
        If the command does not exist, or fails.
    """
    words = split(line)
    if not words or words[0] in {"--help", "-h", "help"}:
        _overview()
        return
    name, *rest = words
    if name not in COMMANDS:
        raise unknown(name, list(COMMANDS))
    command, options = COMMANDS[name], options_of(name)
    if asks_for_help(rest):
        echo(_help(name, command, options))
        return
    home = import_module(f"hailuo_jupyter.kernel.commands.{command.home}")
    read = parse_line(rest, options)
    word_count = len(read.words)
    if word_count < command.least or (command.most is not None and word_count > command.most):
        raise OptionError(
            sentence(f"Usage: %hailuo {name} {command.words}".rstrip()),
            money=NOTHING_SENT if name == "rerun" else "",
            todo=f"'%hailuo {name} --help' lists its options.",
        )
    home.DO[name](read, ip)


def _help(name: str, command: Command, options: tuple[Option, ...]) -> str:
    own = "[options]" if options != (HELP,) else ""
    usage = " ".join(filter(None, ("%hailuo", name, command.words, own)))
    return help_text(f"{usage}\n{command.help}", options)


def _row(usage: str, text: str) -> list[str]:
    """Return a command and what it does, in lines that fit below a cell."""
    wrapped = textwrap.wrap(text, LINE - _COLUMN, break_on_hyphens=False)
    if len(usage) + 2 > _COLUMN:
        return [usage, *(" " * _COLUMN + line for line in wrapped)]
    return [f"{usage:<{_COLUMN}}{wrapped[0]}", *(" " * _COLUMN + line for line in wrapped[1:])]


def _overview() -> None:
    lines = [*active_runs(), "", "%%hailuo [options], with a prompt below: generate a clip"]
    lines += ["%%hailuo --help, or %hailuo COMMAND --help: options"]
    for group, commands in GROUPS.items():
        lines += ["", group]
        for name, each in commands.items():
            hint = f" ({each.hint})" if each.hint else ""
            lines += _row(f"  %hailuo {name} {each.words}".rstrip(), each.help + hint)
    echo(*lines)
