"""``jupyter hailuo …``: notebooks and runs from the command line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from hailuo_jupyter import __version__
from hailuo_jupyter.cli import notebooks, probe, recovery, runs, storage
from hailuo_jupyter.cli.arguments import Parser, command
from hailuo_jupyter.cli.console import say, standard_streams
from hailuo_jupyter.errors import HailuoError, OptionError

__all__ = ["main", "parser"]

#: A shell's exit status for a program that an interrupt ended.
_INTERRUPTED = 130

_EXAMPLES = """\
examples:
  jupyter hailuo demo                          a first look: no key, no cost
  jupyter hailuo execute sweep.ipynb -o done.ipynb
  jupyter hailuo verify done.ipynb
  jupyter hailuo wait                          finish runs and download their clips

exit status: 0 success, 1 failure, 2 usage error
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process if None.

    Returns
    -------
    int
        Exit status: 0, or 1 if something failed or could not be printed; 2 after an invalid argument;
        130 after an interrupt. What argparse rejects exits with status 2 at once.
    """
    with standard_streams() as streams:
        try:
            return streams.status(_run(list(sys.argv[1:] if argv is None else argv)))
        except SystemExit as ended:  # argparse, after help or a wrong word
            ended.code = streams.status(ended.code)
            raise


def _run(words: list[str]) -> int:
    if words[:1] == ["simulator"]:
        from hailuo_jupyter.simulator.__main__ import main as simulator

        return simulator(words[1:], prog="jupyter hailuo simulator")
    reader = parser()
    arguments, more = reader.parse_known_args(words)
    if getattr(arguments, "lab", False):
        arguments.lab_options = [each for each in more if each != "--"]
    elif more:
        reader.error(f"unrecognized arguments: {' '.join(more)}")
    if arguments.command is None:
        reader.print_help()
        return 0
    try:
        return int(arguments.action(arguments))
    except HailuoError as error:
        sys.stderr.write(f"{type(error).__name__}: {' '.join(str(error).split())}\n")
        return 2 if isinstance(error, OptionError) else 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return _INTERRUPTED


def parser() -> Parser:
    """Return the parser of ``jupyter hailuo``."""
    top = Parser(
        prog="jupyter hailuo",
        description="MiniMax Hailuo video from notebooks: run them, check them, download their clips.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"hailuo-jupyter {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    adding = command(
        commands,
        "demo",
        demo,
        "run the quickstart notebook against simulated providers",
        "Copies the quickstart notebook to ./hailuo-demo and runs it there against a simulator on "
        "this machine. It needs no key and no network and costs nothing. Its runs are in a run log "
        "of their own: to list them, set HAILUO_RUN_LOG to hailuo-demo/.hailuo/runs.sqlite3. With "
        "--lab, other options go to JupyterLab, such as --no-browser, --port 8889 or --allow-root.",
    )
    adding.add_argument(
        "--lab", action="store_true", help="open it in JupyterLab instead; takes its options"
    )
    notebooks.add(commands)
    recovery.add(commands)
    storage.add(commands)
    runs.add(commands)
    probe.add(commands)
    adding = command(
        commands,
        "doctor",
        doctor,
        "check the installation: versions, lab extension, keys, folders, run log",
        "Checks what runs need, from this folder; changes nothing and sends nothing. The exit status "
        "is 0 only if there is no problem.",
    )
    adding.add_argument("--json", action="store_true", help="JSON output")
    command(
        commands,
        "simulator",
        None,
        "run the simulated providers on their own (--help: options)",
        "",
        add_help=False,
    )
    return top


def demo(arguments: argparse.Namespace) -> int:
    """Run ``demo``."""
    from hailuo_jupyter import demo as quickstart
    from hailuo_jupyter.cli.progress import Progress

    if arguments.lab:
        return quickstart.lab(Path.cwd(), say, arguments.lab_options)
    return quickstart.run(Path.cwd(), say, Progress)


def doctor(arguments: argparse.Namespace) -> int:
    """Run ``doctor``."""
    from hailuo_jupyter import startup
    from hailuo_jupyter.doctor import diagnose
    from hailuo_jupyter.settings import Hailuo

    found = diagnose(Hailuo.instance(), startup.folder())
    say(*([json.dumps(found.as_json(), indent=1)] if arguments.json else found.lines()))
    return 0 if found.ok else 1
