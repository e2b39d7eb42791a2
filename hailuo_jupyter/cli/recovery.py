"""``jupyter hailuo wait``, ``collect``, ``import`` and ``audit``: recovery when something went wrong."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hailuo_jupyter.cli.arguments import command
from hailuo_jupyter.cli.console import complain, say
from hailuo_jupyter.formatting import count

_INTERRUPTED = 130

#: Most files that are not text which `audit` lists by name.
_LISTED = 3


def add(commands: Any) -> None:
    """Add these commands."""
    adding = command(
        commands,
        "wait",
        wait,
        "wait for unfinished runs and download their clips",
        "Takes over unfinished runs, waits for their clips and downloads them. Nothing is sent.",
    )
    adding.add_argument("run", nargs="?", metavar="RUN", help="only this run (id, or part of it)")
    adding = command(
        commands,
        "collect",
        collect,
        "finish runs whose kernel is gone, without a notebook (after a crash, from cron)",
        "Takes over every unfinished run that no live process is working on, polls it and downloads "
        "its clip. Nothing is sent. Ends when all of them are finished; runs without a key are left "
        "waiting. 'wait' also waits for runs that a kernel is working on.",
    )
    adding.add_argument(
        "--watch", action="store_true", help="keep looking for such runs until interrupted"
    )
    adding.add_argument(
        "--max-minutes",
        type=_minutes,
        metavar="M",
        help="end after this many minutes; unfinished runs stay in the run log",
    )
    adding = command(
        commands,
        "import",
        import_runs,
        "restore runs from the records next to clips and in notebooks",
        "For a run log that was lost. Adds the records of sidecars and notebooks that the log does "
        "not have, or has in an older revision. Nothing is sent or downloaded.",
    )
    adding.add_argument(
        "paths", type=Path, nargs="+", metavar="FOLDER|NOTEBOOK", help="where the records are"
    )
    adding = command(
        commands,
        "audit",
        audit,
        "search notebooks, records, texts and the run log for keys and other secrets",
        "Searches for the keys that are in use here, complete or partial, for authorization headers, "
        "signed links and anything that looks like a key. Reports place and kind, never the secret. "
        "The exit status is 1 if something was found.",
    )
    adding.add_argument("path", type=Path, metavar="NOTEBOOK|FOLDER", help="what to search")


def _minutes(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < 1e6:
        raise argparse.ArgumentTypeError(f"must be a number of minutes above 0: {text!r}")
    return found


def wait(arguments: argparse.Namespace) -> int:
    """Run ``wait``."""
    from hailuo_jupyter.cli.progress import Progress
    from hailuo_jupyter.cli.wait import wait as run

    try:
        with Progress() as progress:
            outcome = run(arguments.run, progress, complain)
    except KeyboardInterrupt:
        complain("Stopped waiting. The runs continue; use 'jupyter hailuo wait' to wait again.")
        return _INTERRUPTED
    if not outcome.rows:
        say("No runs to wait for.")
    say(*outcome.clips())
    complain(*outcome.problems)
    return 1 if outcome.problems else 0


def collect(arguments: argparse.Namespace) -> int:
    """Run ``collect``."""
    from hailuo_jupyter.cli.progress import Progress
    from hailuo_jupyter.cli.wait import collect as run

    reported: set[str] = set()

    def once(text: str) -> None:
        if text not in reported:
            reported.add(text)
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
            "Stopped. Unfinished runs stay in the run log; 'jupyter hailuo collect' continues them."
        )
        return _INTERRUPTED
    complain(*outcome.held)
    if not outcome.rows and not outcome.problems and not outcome.held:
        say("No runs to collect.")
    say(*outcome.clips())
    for problem in outcome.problems:
        once(problem)
    return 1 if outcome.problems else 0


def import_runs(arguments: argparse.Namespace) -> int:
    """Run ``import``."""
    from hailuo_jupyter.formatting import escape_control
    from hailuo_jupyter.ipynb.import_runs import import_runs as run
    from hailuo_jupyter.runlog.adopt import Adopted

    done = run(arguments.paths)
    counts = done.counts
    say(
        f"{count(counts[Adopted.NEW], 'run')} added, {counts[Adopted.NEWER]} updated, "
        f"{counts[Adopted.MOVED]} found in another folder, {counts[Adopted.KNOWN]} already known."
    )
    for run_id in done.unfinished:
        say(f"Run {run_id} has not finished; use 'jupyter hailuo wait {run_id}'.")
    complain(*(escape_control(f"Skipped: {each}") for each in done.skipped))
    return 1 if done.skipped else 0


def audit(arguments: argparse.Namespace) -> int:
    """Run ``audit``."""
    from hailuo_jupyter.formatting import escape_control
    from hailuo_jupyter.ipynb.audit import NOT_TEXT
    from hailuo_jupyter.ipynb.audit import audit as run

    done = run(arguments.path)
    for each in done.found:
        say(escape_control(f"{each.place}: {each.kind}"))
    # A notebook's folder has many clips and frames, which are not text.
    left_out = [*done.left_out]
    binary = [each for each in left_out if each.endswith(f": {NOT_TEXT}")]
    if len(binary) > _LISTED:
        first = binary[0].removesuffix(f": {NOT_TEXT}")
        complain(
            escape_control(f"Skipped: {len(binary)} files that are {NOT_TEXT}, such as {first}")
        )
        left_out = [each for each in left_out if each not in binary]
    complain(*(escape_control(f"Skipped: {each}") for each in left_out))
    found = f"{count(len(done.found), 'secret')} found" if done.found else "no secrets found"
    skipped = f"{len(done.left_out)} skipped, " if done.left_out else ""
    say(f"{count(done.files, 'file')} searched, {skipped}{found}.")
    return 1 if done.found else 0
