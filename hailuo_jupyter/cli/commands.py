"""What each command does: it prints, and gives the exit status."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from hailuo_jupyter.cli import export, keep, log, money, rescue, scene
from hailuo_jupyter.cli.saying import complain, say

_INTERRUPTED = 130


def demo(arguments: argparse.Namespace) -> int:
    """Do ``demo``."""
    from hailuo_jupyter.cli.progress import Progress
    from hailuo_jupyter.demo import run

    if arguments.lab:
        return run.lab(Path.cwd(), say)
    return run.demo(Path.cwd(), say, Progress)


def execute(arguments: argparse.Namespace) -> int:
    """Do ``execute``."""
    from hailuo_jupyter.cli.progress import Progress
    from hailuo_jupyter.nbfile.execute import execute as run

    with Progress() as progress:
        outcome = run(
            arguments.notebook,
            arguments.output,
            kernel=arguments.kernel,
            timeout=arguments.timeout,
            allow_errors=arguments.allow_errors,
            tell=progress,
        )
    say(f"{outcome.path} is written; it has the records of {outcome.runs} run(s).")
    wanted = arguments.output or arguments.notebook
    if outcome.path != wanted:
        say(f"{wanted} was changed by somebody else meanwhile, and is left as it is.")
    if outcome.stopped:
        complain("Stopped.", *_collect(outcome.going_on, outcome.path))
        return _INTERRUPTED
    complain(*outcome.problems)
    if outcome.problems:
        complain(*_collect(outcome.going_on, outcome.path))
    return 1 if outcome.problems else 0


def _collect(going_on: tuple[str, ...], path: Path) -> list[str]:
    if not going_on:
        return []
    said = (
        f"{len(going_on)} clip(s) are still being made: {', '.join(going_on)}. "
        f"'jupyter hailuo wait' fetches them, 'jupyter hailuo sync {path}' then puts them into the "
        "notebook."
    )
    return [said]


def sync(arguments: argparse.Namespace) -> int:
    """Do ``sync``."""
    from hailuo_jupyter.nbfile.sync import sync as run

    done = run(arguments.notebook, arguments.clips)
    if not done.changed and not done.sidecars:
        say(f"{arguments.notebook}: up to date, {done.runs} run(s).")
    else:
        say(
            f"{arguments.notebook}: {done.runs} run(s); {done.lifted} record(s) new or newer, "
            f"{done.redrawn} output(s) drawn again, {done.sidecars} sidecar(s) written."
        )
    complain(*done.remarks)
    return 1 if done.remarks else 0


def verify(arguments: argparse.Namespace) -> int:
    """Do ``verify``."""
    from hailuo_jupyter.kernel.words import harmless
    from hailuo_jupyter.nbfile.verify import verify as run

    verdict = run(arguments.notebook, arguments.clips)
    if arguments.json:
        say(json.dumps(verdict.as_json(), indent=1))
        return 0 if verdict.ok else 1
    for finding in verdict.findings:
        about = f"run {finding.run_id}: " if finding.run_id else ""
        mark = "wrong" if finding.wrong else "note "
        say(harmless(" ".join(f"{mark}  {finding.kind:<8} {about}{finding.text}".split("\n"))))
    wrong = sum(finding.wrong for finding in verdict.findings)
    clips = f"{verdict.clips} of {verdict.completed} clip(s) there with the right hash"
    end = f"{wrong} finding(s)" if wrong else "nothing is wrong"
    say(f"{arguments.notebook}: {verdict.runs} run(s), {clips}, {end}.")
    return 0 if verdict.ok else 1


def wait(arguments: argparse.Namespace) -> int:
    """Do ``wait``."""
    from hailuo_jupyter.cli.progress import Progress
    from hailuo_jupyter.cli.waiting import wait as run

    try:
        with Progress() as progress:
            outcome = run(arguments.run, progress)
    except KeyboardInterrupt:
        complain("Stopped waiting. The runs go on; 'jupyter hailuo wait' waits again.")
        return _INTERRUPTED
    if not outcome.rows:
        say("Nothing waits to be watched or fetched.")
    say(*outcome.clips())
    complain(*outcome.problems)
    return 1 if outcome.problems else 0


def doctor(arguments: argparse.Namespace) -> int:
    """Do ``doctor``."""
    from hailuo_jupyter.doctor import diagnose
    from hailuo_jupyter.settings import Hailuo

    found = diagnose(Hailuo.instance(), Path.cwd())
    say(*([json.dumps(found.as_json(), indent=1)] if arguments.json else found.lines()))
    return 0 if found.ok else 1


DO: dict[str, Callable[[argparse.Namespace], int]] = {
    "demo": demo,
    "doctor": doctor,
    "execute": execute,
    "sync": sync,
    "verify": verify,
    "wait": wait,
    **rescue.DO,
    **keep.DO,
    **log.DO,
    **money.DO,
    **scene.DO,
    **export.DO,
}
