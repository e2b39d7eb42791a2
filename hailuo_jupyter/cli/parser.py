"""The command line's words. Nothing slow is imported here, so that ``--help`` is quick."""

from __future__ import annotations

import argparse
import difflib
import re
from pathlib import Path
from typing import Any, NoReturn

from hailuo_jupyter import __version__
from hailuo_jupyter.cli import export, keep, log, money, rescue, scene

_CHOICE = re.compile(r"invalid choice: '(?P<typed>.*?)' \(choose from (?P<known>.*)\)")

_EXAMPLES = """\
examples:
  jupyter hailuo demo                          a first look: no key, nothing to pay
  jupyter hailuo execute sweep.ipynb -o done.ipynb
  jupyter hailuo verify done.ipynb
  jupyter hailuo wait                          fetch what was bought and is not here yet

exit status: 0 all is well; 1 something failed, told in one line; 2 the command is written wrong
"""


class Parser(argparse.ArgumentParser):
    """argparse with errors on one line, and with the closest word for one that does not exist."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with status 2."""
        if found := _CHOICE.search(message):
            typed = found["typed"]
            known = re.findall(r"[\w-]+", found["known"])
            near = difflib.get_close_matches(typed, known, n=1, cutoff=0.4)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
            message = f"There is no {typed!r}. {hint}"
        self.exit(2, f"{self.prog}: {message}\n")


def parser() -> Parser:
    """Give the parser of ``jupyter hailuo``."""
    top = Parser(
        prog="jupyter hailuo",
        description="MiniMax Hailuo-02 video from notebooks: run them, check them, fetch their clips.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"hailuo-jupyter {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    demo = _command(
        commands,
        "demo",
        "run the quickstart notebook against simulated providers",
        "Copies the quickstart notebook to ./hailuo-demo and runs it there against a simulator on "
        "this machine. It needs no key and no network and costs nothing.",
    )
    demo.add_argument("--lab", action="store_true", help="open it in JupyterLab instead")

    execute = _command(
        commands,
        "execute",
        "run a notebook without a browser; its clips are made at the same time",
        "Runs a notebook's cells, waits for all its clips, and writes outputs and records into the "
        "file. Requests that the notebook's earlier runs have answered are not bought again.",
    )
    _notebook(execute)
    execute.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="write here instead of into NOTEBOOK"
    )
    execute.add_argument("--kernel", metavar="NAME", help="kernel to use (default: the notebook's)")
    execute.add_argument(
        "--timeout",
        type=_seconds,
        metavar="S",
        help="seconds that a cell may take (the wait for clips at the end has no limit)",
    )
    execute.add_argument(
        "--allow-errors", action="store_true", help="go on after a cell that fails"
    )

    sync = _command(
        commands,
        "sync",
        "bring a notebook's records up to date",
        "Puts the records of a notebook's outputs into its metadata, takes newer ones from the run "
        "log and from the files beside the clips, and draws outputs again that are behind.",
    )
    _notebook(sync)
    _clips(sync)

    verify = _command(
        commands,
        "verify",
        "check a notebook's records against clips, frames, sidecars, run log and cells",
        "Checks a notebook's records; changes nothing. The exit status is 0 only if nothing is wrong.",
    )
    _notebook(verify)
    _clips(verify)
    verify.add_argument("--json", action="store_true", help="print the findings as JSON")

    wait = _command(
        commands,
        "wait",
        "watch and fetch what was bought and is not here yet",
        "Takes over unfinished runs, waits for their clips and fetches them. Nothing is sent.",
    )
    wait.add_argument("run", nargs="?", metavar="RUN", help="only this run (its id, or part of it)")
    rescue.add(commands)
    keep.add(commands)
    log.add(commands)
    money.add(commands)
    scene.add(commands)
    export.add(commands)

    doctor = _command(
        commands,
        "doctor",
        "see whether all is there: versions, lab extension, keys, folders, run log",
        "Looks at what runs need, from this folder; changes nothing and sends nothing. The exit "
        "status is 0 only if nothing needs to be done.",
    )
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")

    _command(
        commands,
        "simulator",
        "run the simulated providers by themselves (--help: its options)",
        "",
        add_help=False,
    )
    return top


def _command(
    commands: Any, name: str, line: str, text: str, **options: Any
) -> argparse.ArgumentParser:
    found: argparse.ArgumentParser = commands.add_parser(
        name, help=line, description=text, allow_abbrev=False, **options
    )
    return found


def _notebook(command: argparse.ArgumentParser) -> None:
    command.add_argument("notebook", type=Path, metavar="NOTEBOOK", help="an .ipynb file")


def _clips(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--clips",
        type=Path,
        metavar="DIR",
        help="folder of the clips, where neither the run log nor a link in the notebook tells it",
    )


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of seconds above 0")
    return int(text)
