"""What the commands' parsers share. Nothing slow is imported here, so that ``--help`` is quick."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable
from typing import Any, NoReturn

#: Runs a command with its arguments, and returns the exit status.
Action = Callable[[argparse.Namespace], int]

_CHOICE = re.compile(
    r"argument (?P<name>.+?): invalid choice: '(?P<typed>.*?)' \(choose from (?P<choices>.*)\)"
)


class Parser(argparse.ArgumentParser):
    """argparse with errors on one line, and a suggestion for a misspelled word."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and end with status 2."""
        if match := _CHOICE.search(message):
            typed = match["typed"]
            choices = re.findall(r"[\w-]+", match["choices"])
            near = difflib.get_close_matches(typed, choices, n=1, cutoff=0.6)
            hint = f"Did you mean {near[0]!r}?" if near else f"Choose from {', '.join(choices)}."
            noun = match["name"].lstrip("-").replace("-", " ").lower()
            message = f"Unknown {noun} {typed!r}. {hint}"
        self.exit(2, f"{self.prog}: {message}\n")


def command(
    commands: Any, name: str, action: Action | None, summary: str, description: str, **options: Any
) -> argparse.ArgumentParser:
    """Add a command, and return its parser.

    Parameters
    ----------
    commands
        The subparsers of ``jupyter hailuo``.
    name
        The command.
    action
        The function that runs it; None if it is handled before the arguments are read.
    summary
        Its line in the list of commands.
    description
        The text of the command's ``--help``.
    **options
        More for `argparse`.
    """
    added: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=description, allow_abbrev=False, **options
    )
    added.set_defaults(action=action)
    return added
