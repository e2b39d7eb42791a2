"""``jupyter hailuo probe``: check a provider account, and write a report."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.cli.arguments import command
from hailuo_jupyter.cli.console import say

if TYPE_CHECKING:
    from hailuo_jupyter.catalogue.types import Provider
    from hailuo_jupyter.probe.report import Report, Row

_LARGEST = 1024 * 1024


def add(commands: Any) -> None:
    """Add this command."""
    adding = command(
        commands,
        "probe",
        probe,
        "check a real account for free, and compare the provider's answers with what is expected",
        "Makes free calls to a provider (balance, prices, history, an upload, an unknown job) and "
        "compares each answer with what this version expects. Prints a table and writes a file "
        "for bug reports: names of fields and headers, types and states; never prompts, links, "
        "names, ids or balances. The exit status is 1 if something differs.",
    )
    adding.add_argument("provider", metavar="PROVIDER", help="for example segmind or demo")
    adding.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write the report here (default: hailuo-probe-PROVIDER-DATE.json in this folder)",
    )
    adding.add_argument(
        "--buy",
        action="store_true",
        help="also buy one clip, the cheapest, after asking; it answers what only a clip can",
    )


def probe(arguments: argparse.Namespace) -> int:
    """Run ``probe``."""
    from hailuo_jupyter.errors import NOTHING_SENT, NotConfirmed
    from hailuo_jupyter.probe.ask import ask
    from hailuo_jupyter.settings import Hailuo

    if arguments.buy and not _at_terminal():
        raise NotConfirmed(
            "--buy asks before it pays, which needs a terminal.",
            money=NOTHING_SENT,
            todo="Run it in a terminal, or omit --buy.",
        )
    date = time.strftime("%Y-%m-%d", time.gmtime())
    name = arguments.provider.strip().casefold()
    path = arguments.report or Path(f"hailuo-probe-{name}-{date}.json")
    _check_target(path)
    found = ask(Hailuo.instance(), name, Path.cwd())
    say(*found.lines())
    _write(path, found, date)
    if arguments.buy and _agreed(found.provider):
        found = _with_clip(found)
        say("", *found.lines())
        _write(path, found, date)
    say("", f"The report is in {path}. It has no prompts, links, names, ids or balances.")
    return 0 if found.ok else 1


def _at_terminal() -> bool:
    return bool(sys.stdin and sys.stdin.isatty() and sys.stdout.isatty())


def _agreed(provider: Provider) -> bool:
    """Show the price and ask."""
    from hailuo_jupyter.probe.buy import cheapest

    options = cheapest(provider)
    chosen = ", ".join(f"{name}={value}" for name, value in options.items())
    say("", f"One clip at {provider.title} ({chosen}). {provider.price(options).sentence()}")
    sys.stdout.write("Buy it? [y/N] ")
    sys.stdout.flush()
    answer = sys.stdin.readline().strip().lower()
    if answer not in {"y", "yes"}:
        say("No charge.")
    return answer in {"y", "yes"}


def _with_clip(report: Report) -> Report:
    """Buy the clip, wait for it, and return the report with its answers."""
    from dataclasses import replace

    from hailuo_jupyter.probe.ask import open_questions
    from hailuo_jupyter.probe.buy import buy, cheapest, rows

    run = buy(report.provider, cheapest(report.provider))
    say(
        f"Run {run.run_id} was sent. It takes a few minutes; if you stop, 'jupyter hailuo wait' downloads it."
    )
    clip_rows, answers = rows(run)
    if clip := run.clip:
        say(f"Clip: {clip}")
    before: Sequence[Row] = report.rows
    answered = {row.check: row.note for row in before if row.verdict == "answered"}
    done = [row for row in before if row.verdict != "not asked" and row.check not in answers]
    still = [
        row
        for row in open_questions(report.provider, {**answered, **answers})
        if row.check not in {each.check for each in done}
    ]
    return replace(report, rows=[*done, *clip_rows, *still])


def _check_target(path: Path) -> None:
    """Refuse to overwrite a file that is not a report.

    Raises
    ------
    FolderNotWritable
        If something else is there.
    """
    from hailuo_jupyter.errors import NOTHING_SENT, FolderNotWritable
    from hailuo_jupyter.probe.report import is_report

    try:
        if not path.exists():
            return
        ours = path.is_file() and path.stat().st_size < _LARGEST
        if ours and is_report(path.read_text(encoding="utf-8")):
            return
    except (OSError, ValueError):
        pass
    raise FolderNotWritable(
        f"{path} already exists and is not a probe report.",
        money=NOTHING_SENT,
        todo="Name another file with --report.",
    )


def _write(path: Path, report: Report, date: str) -> None:
    from hailuo_jupyter.errors import unwritten
    from hailuo_jupyter.files import atomic_write

    document = json.dumps(report.as_json(date), indent=1) + "\n"
    try:
        atomic_write(path, document.encode())
    except OSError as error:
        raise unwritten(error)(
            f"The report could not be written to {path}: {error.strerror or error}.",
            todo="Name another file with --report.",
        ) from error
