"""The way from the command line to what it asks for, and from errors to one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from hailuo_jupyter.cli.parser import parser
from hailuo_jupyter.errors import HailuoError

#: What a shell gives for a program that an interrupt ended.
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Do what a command line says.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process if None.

    Returns
    -------
    int
        Exit status: 0, or 1 if something failed; 130 after an interrupt. A command that is written
        wrong ends with status 2 at once.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["simulator"]:
        from hailuo_jupyter.simulator.commandline import main as simulator

        return simulator(words[1:])
    reader = parser()
    arguments = reader.parse_args(words)
    if arguments.command is None:
        reader.print_help()
        return 0
    try:
        from hailuo_jupyter.cli import commands

        return commands.DO[arguments.command](arguments)
    except HailuoError as error:
        sys.stderr.write(f"{type(error).__name__}: {' '.join(str(error).split())}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output (head, less) has ended; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
