"""From the line after ``%hailuo`` to the function that does it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.kernel import options
from hailuo_jupyter.kernel.commands.listing import COMMANDS
from hailuo_jupyter.kernel.commands.running import going_on
from hailuo_jupyter.kernel.commands.saying import say


def run(line: str, ip: Any) -> None:
    """Do one command.

    Parameters
    ----------
    line
        What follows ``%hailuo``.
    ip
        The shell.

    Raises
    ------
    HailuoError
        If there is no such command, or it cannot be done.
    """
    words = options.words_of(line)
    if not words or words[0] in {"--help", "help"}:
        _overview()
        return
    name, *rest = words
    if name not in COMMANDS:
        raise options.unknown(name, list(COMMANDS))
    command = COMMANDS[name]
    home = import_module(f"hailuo_jupyter.kernel.commands.{command.home}")
    read = options.read(rest, home.OPTIONS.get(name, ()))
    given = len(read.words)
    if given < command.least or (command.most is not None and given > command.most):
        raise OptionError(
            f"It is written: %hailuo {name} {command.words}".rstrip() + ".",
            money=NOTHING_SENT,
        )
    home.DO[name](read, ip)


def _overview() -> None:
    width = max(len(f"{name} {each.words}") for name, each in COMMANDS.items()) + 1
    say(
        "%%hailuo [options] with a prompt below makes a clip; %%hailuo --help lists the options.",
        "",
        *(
            f"  %hailuo {name + ' ' + each.words:<{width}} {each.help}"
            for name, each in COMMANDS.items()
        ),
        "",
        *going_on(),
    )
