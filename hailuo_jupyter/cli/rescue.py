"""``jupyter hailuo collect``, ``import`` and ``audit``: what is done when something went wrong."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hailuo_jupyter.cli.saying import complain, say

_INTERRUPTED = 130


def add(commands: Any) -> None:
    """Add the words of these commands to the command line's."""
    collect = _command(
        commands,
        "collect",
        "go on with runs that their kernel has left, without a notebook (after a crash, from cron)",
        "Takes over every unfinished run that no living process works on, watches it and fetches its "
        "clip. Nothing is sent. Ends when nothing is left in its hands; runs without a key wait, the "
        "others go on. 'wait' also waits for runs that a kernel is working on.",
    )
    collect.add_argument(
        "--watch", action="store_true", help="go on looking for such runs until interrupted"
    )
    collect.add_argument(
        "--max-minutes",
        type=_minutes,
        metavar="M",
        help="end after so many minutes; what is not done stays in the run log",
    )
    bring = _command(
        commands,
        "import",
        "bring runs back into the run log, from the records beside clips and in notebooks",
        "For a run log that was lost. Takes the records of sidecars and notebooks that the log does "
        "not have, or has in an older revision. Nothing is sent or fetched.",
    )
    bring.add_argument(
        "paths", type=Path, nargs="+", metavar="FOLDER|NOTEBOOK", help="where the records are"
    )
    audit = _command(
        commands,
        "audit",
        "look for keys and other secrets in notebooks, records, texts and the run log",
        "Looks for the keys that are in use here, whole or in part, for authorization headers, for "
        "signed links and for whatever looks like a key. Tells place and kind, never the secret. The "
        "exit status is 1 if something was found.",
    )
    audit.add_argument("path", type=Path, metavar="NOTEBOOK|FOLDER", help="what to look through")


def _command(commands: Any, name: str, line: str, text: str) -> argparse.ArgumentParser:
    found: argparse.ArgumentParser = commands.add_parser(
        name, help=line, description=text, allow_abbrev=False
    )
    return found


def _minutes(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes above 0")
    return found


def collect(arguments: argparse.Namespace) -> int:
    """Do ``collect``."""
    from hailuo_jupyter.cli.progress import Progress
    from hailuo_jupyter.cli.waiting import collect as run

    told: set[str] = set()

    def once(text: str) -> None:
        if text not in told:
            told.add(text)
            complain(text)

    minutes = arguments.max_minutes
    try:
        with Progress() as progress:
            outcome = run(
                progress,
                once,
                watch=arguments.watch,
                seconds=None if minutes is None else minutes * 60.0,
            )
    except KeyboardInterrupt:
        complain(
            "Stopped. What was in hand stays in the run log; 'jupyter hailuo collect' goes on."
        )
        return _INTERRUPTED
    if not outcome.rows and not outcome.problems:
        say("Nothing waits to be collected.")
    say(*outcome.clips())
    for problem in outcome.problems:
        once(problem)
    return 1 if outcome.problems else 0


def bring(arguments: argparse.Namespace) -> int:
    """Do ``import``."""
    from hailuo_jupyter.kernel.words import harmless
    from hailuo_jupyter.nbfile.importing import import_runs
    from hailuo_jupyter.runlog.imports import Adopted

    done = import_runs(arguments.paths)
    counts = done.counts
    say(
        f"{counts[Adopted.NEW]} run(s) new to the log, {counts[Adopted.NEWER]} newer than it had, "
        f"{counts[Adopted.MOVED]} found in another folder, {counts[Adopted.KNOWN]} known."
    )
    for run_id in done.unfinished:
        say(f"Run {run_id} is not at its end; 'jupyter hailuo wait {run_id}' asks for it.")
    complain(*(harmless(f"Left out: {each}") for each in done.skipped))
    return 1 if done.skipped else 0


def audit(arguments: argparse.Namespace) -> int:
    """Do ``audit``."""
    from hailuo_jupyter.kernel.words import harmless
    from hailuo_jupyter.nbfile.audit_places import audit as run

    done = run(arguments.path)
    for each in done.found:
        say(harmless(f"{each.place}: {each.kind}"))
    complain(*(harmless(f"Not looked into: {each}") for each in done.left_out))
    found = f"{len(done.found)} finding(s)" if done.found else "no secret was found"
    say(f"{done.files} file(s) looked through, {found}.")
    return 1 if done.found else 0


DO: dict[str, Callable[[argparse.Namespace], int]] = {
    "audit": audit,
    "collect": collect,
    "import": bring,
}
