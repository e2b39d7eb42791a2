"""``jupyter hailuo runs`` and ``show``: what the run log holds, for people and for programs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.cli import choosing

if TYPE_CHECKING:
    from hailuo_jupyter.kernel.runs_view import RunsView
    from hailuo_jupyter.runlog import Row


def add(commands: Any) -> None:
    """Add both to the parser of ``jupyter hailuo``."""
    runs = commands.add_parser(
        "runs",
        help="list, search and export runs",
        description="Lists the runs of the run log, the demo's among them, a page at a time. With "
        "--json or --csv it gives all that are found (with --page: that page).",
        allow_abbrev=False,
    )
    choosing.add(runs)
    runs.add_argument(
        "--sort",
        choices=("time", "cost", "duration", "rating"),
        default="time",
        help="by what (default: time, the newest first)",
    )
    runs.add_argument(
        "--ascending", action="store_true", help="the oldest, cheapest, fastest or worst first"
    )
    runs.add_argument("--page", type=_page, metavar="N", help="which page (default: 1)")
    runs.add_argument("--size", type=int, choices=(20, 50), default=20, help="runs on a page")
    form = runs.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print them as JSON")
    form.add_argument("--csv", type=Path, metavar="FILE", help="write them as CSV (-: print them)")

    show = commands.add_parser(
        "show",
        help="a run's status, request, cost and clip",
        description="Says how a run stands. Changes nothing and sends nothing.",
        allow_abbrev=False,
    )
    show.add_argument("run", metavar="RUN", help="its id, or part of it")
    show.add_argument("--json", action="store_true", help="print its record as JSON")


def runs(arguments: argparse.Namespace) -> int:
    """Do ``runs``."""
    from hailuo_jupyter.kernel import runs_export, words

    found = choosing.chosen(
        arguments,
        sort=arguments.sort,
        ascending=arguments.ascending,
        page_size=arguments.size,
    )
    if arguments.page is not None:
        found = found.page(arguments.page)
    if arguments.json:
        _write(runs_export.json_text(found.to_dicts()))
    elif arguments.csv is None:
        _table(found.view())
    elif str(arguments.csv) == "-":
        text = runs_export.csv_text(found.to_dicts())
        _write(words.harmless(text) if sys.stdout.isatty() else text)
    else:
        found.to_csv(arguments.csv)
        _write(f"{len(found)} run(s) are written to {arguments.csv}.\n")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Do ``show``."""
    from hailuo_jupyter.engine import process
    from hailuo_jupyter.kernel import words

    engine = process.engine()
    row = engine.row(arguments.run)
    if arguments.json:
        document = json.dumps(json.loads(row.record_json), ensure_ascii=False, indent=2)
        _write(words.harmless_json(document) + "\n")
        return 0
    facts = _facts(row)
    width = max(len(name) for name, _ in facts)
    # A long text goes on below itself.
    lines = [f"{name:<{width}}  {value}" for name, value in facts]
    _write("".join(f"{line}\n" for line in lines))
    return 0


def _facts(row: Row) -> list[tuple[str, str]]:
    from hailuo_jupyter.kernel import runs_view, words

    record = row.record
    ((line,), _) = runs_view.lines_of([row], base=None, now=0.0)
    asked = runs_view.asked(record)
    problem = record.problem
    clip = record.clip
    found = [
        ("Run", f"{row.run_id}, revision {row.revision}"),
        ("State", line.state),
        ("Problem", f"{problem.what} {problem.money} {problem.todo}" if problem else ""),
        ("Prompt", " ".join(record.request.prompt.split())),
        ("Provider", f"{row.provider}{' (simulated)' if line.demo else ''}, {record.model}"),
        ("Asked for", ", ".join(asked.values())),
        ("Job", record.job.id or ""),
        ("Begun", line.when),
        ("Took", line.took),
        ("Cost", line.cost),
        ("Notebook", line.notebook),
        ("Name", line.name),
        ("Tags", ", ".join(line.tags)),
        ("Rating", line.rating),
        ("Note", record.note or ""),
        ("Clip", str(row.folder / clip.path) if clip and not line.absent else line.absent),
        ("Measured", words.measured(clip, record.request.options) if clip else ""),
    ]
    return [(name, words.harmless(" ".join(value.split()))) for name, value in found if value]


def _table(view: RunsView) -> None:
    from hailuo_jupyter.kernel import runs_view

    if not sys.stdout.isatty() or not view.lines:
        _write(runs_view.text(view) + "\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from hailuo_jupyter.kernel.standing import Tone

    colours = {Tone.DONE: "green", Tone.WORKING: "cyan", Tone.WAITING: "yellow", Tone.BROKEN: "red"}
    table = Table(box=None, padding=(0, 2, 0, 0), title=view.caption, title_justify="left")
    for name in ("Run", "State", "Provider", "Took", "Cost", "Asked for", "Prompt"):
        table.add_column(name, no_wrap=name == "Run", overflow="fold")
    for line in view.lines:
        state = Text(f"{runs_view.MARKS[line.tone]} {line.state}", style=colours[line.tone])
        prompt = Text(line.prompt)
        if more := runs_view.remarks(line):
            prompt.append(f"\n{' · '.join(more)}", style="dim")
        cells = (line.run_id, runs_view.provider(line), line.took, line.cost, line.when)
        run_id, provider, took, cost, when = map(Text, cells)
        table.add_row(run_id, state, provider, took, cost, when, prompt)
    console = Console(highlight=False)
    console.print(table)
    for said in runs_view.closing(view):
        console.print(Text(said, style="dim"))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _page(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no page; the first one is 1")
    return int(text)


DO: dict[str, Callable[[argparse.Namespace], int]] = {"runs": runs, "show": show}
