"""``jupyter hailuo runs``, ``show``, ``cost``, ``join`` and ``log-to``: runs of the run log."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter import catalogue
from hailuo_jupyter.cli.arguments import command
from hailuo_jupyter.cli.console import complain, say, say_json
from hailuo_jupyter.formatting import count
from hailuo_jupyter.states import State

if TYPE_CHECKING:
    from hailuo_jupyter.kernel.runs import Runs
    from hailuo_jupyter.kernel.runs.table_view import RunsView
    from hailuo_jupyter.runlog import Row, RunLog


def add(commands: Any) -> None:
    """Add these commands."""
    adding = command(
        commands,
        "runs",
        runs,
        "list, search and export runs",
        "Lists the runs of the run log, including those of --provider demo, one page at a time. Those "
        "of 'jupyter hailuo demo' are in its folder's own run log; set HAILUO_RUN_LOG to that file. "
        "--json and --csv return all matches (with --page: only that page).",
    )
    _filters(adding)
    adding.add_argument(
        "--sort",
        choices=("time", "cost", "duration", "rating"),
        default="time",
        help="sort key (default: time, newest first)",
    )
    adding.add_argument(
        "--ascending", action="store_true", help="oldest, cheapest, fastest or worst first"
    )
    adding.add_argument("--page", type=_page, metavar="N", help="page number (default: 1)")
    adding.add_argument(
        "--size", type=_size, default=20, metavar="N", help="runs per page, 1 to 50 (default: 20)"
    )
    form = adding.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON output")
    form.add_argument(
        "--csv", type=Path, metavar="FILE", help="write CSV to this file (-: print it)"
    )
    adding = command(
        commands,
        "show",
        show,
        "a run's status, request, cost and clip",
        "Shows a run. Changes nothing and sends nothing.",
    )
    adding.add_argument("run", metavar="RUN", help="run id, part of it, or the run's name")
    adding.add_argument("--json", action="store_true", help="print the record as JSON")
    adding = command(
        commands,
        "cost",
        cost,
        "what clips cost, by day, provider and notebook",
        "Adds up what the runs in the run log cost and may still cost: what the provider reports "
        "as charged, otherwise the upper estimate. Sends nothing.",
    )
    adding.add_argument("--json", action="store_true", help="JSON output")
    adding = command(
        commands,
        "join",
        join,
        "join clips into one file",
        "Joins the clips of runs, or MP4 files, in order. They are copied where their streams "
        "match, otherwise re-encoded. Writes a JSON file next to the result that lists its "
        "sources. Sends nothing; a run's clip is never overwritten.",
    )
    adding.add_argument(
        "clips",
        nargs="+",
        metavar="RUN|FILE.mp4",
        help="two or more: run ids, parts of them, or files",
    )
    adding.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE.mp4", help="the file to write"
    )
    adding.add_argument(
        "--replace", action="store_true", help="overwrite a file that this command did not make"
    )
    adding = command(
        commands,
        "log-to",
        log_to,
        "log earlier runs to a sink: mlflow, wandb, trackio",
        "Sends finished runs of the run log, with their clips, to a sink. Nothing is sent twice. "
        "The sink's own settings, such as MLFLOW_TRACKING_URI or WANDB_MODE, decide where it "
        "stores them.",
    )
    adding.add_argument("sink", metavar="SINK", help="mlflow, wandb, trackio or another package's")
    adding.add_argument(
        "run", nargs="*", metavar="RUN", help="only these runs: ids, or parts of them"
    )
    adding.add_argument(
        "--undelivered",
        action="store_true",
        help="only runs that finished while the sink was set, and did not reach it",
    )
    _filters(adding)


def _filters(adding: argparse.ArgumentParser) -> None:
    adding.add_argument(
        "--notebook", metavar="PATH", help="only this notebook's runs (default: all)"
    )
    adding.add_argument(
        "--provider", choices=(*catalogue.NAMES, "demo"), help="only this provider's runs"
    )
    adding.add_argument(
        "--state",
        action="append",
        choices=tuple(map(str, State)),
        metavar="STATE",
        help="only runs in this state; may be repeated",
    )
    adding.add_argument("--tag", action="append", metavar="TAG", help="only runs with this tag")
    adding.add_argument("--text", help="text in prompt, name, note or tags")
    adding.add_argument("--since", metavar="AGE|DATE", help="newer than: 7d, 12h or a date")
    adding.add_argument("--sweep", metavar="SWEEP", help="only this sweep's runs (id or name)")
    adding.add_argument("--rating", type=int, choices=range(6), help="minimum rating")


def _chosen(arguments: argparse.Namespace, **how: Any) -> Runs:
    """Return the runs that match the filters; `how` has their order and page."""
    from hailuo_jupyter.kernel.runs import runs as select

    return select(
        arguments.notebook or "all",
        provider=arguments.provider,
        state=arguments.state,
        tag=arguments.tag,
        text=arguments.text,
        since=arguments.since,
        sweep=arguments.sweep,
        rating=arguments.rating,
        **how,
    )


def runs(arguments: argparse.Namespace) -> int:
    """Run ``runs``."""
    from hailuo_jupyter import formatting
    from hailuo_jupyter.kernel.runs import export

    found = _chosen(
        arguments,
        sort=arguments.sort,
        ascending=arguments.ascending,
        page_size=arguments.size,
    )
    if arguments.page is not None:
        found = found.page(arguments.page)
    if arguments.json:
        say_json(export.json_text(found.to_dicts()).rstrip("\n"))
    elif arguments.csv is None:
        _table(found.view())
    elif str(arguments.csv) == "-":
        text = export.csv_text(found.to_dicts())
        _write(formatting.escape_control(text) if sys.stdout.isatty() else text)
    else:
        found.to_csv(arguments.csv)
        _write(f"Wrote {count(len(found), 'run')} to {arguments.csv}.\n")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Run ``show``."""
    from hailuo_jupyter import formatting
    from hailuo_jupyter.engine import process
    from hailuo_jupyter.kernel.run_names import find_run

    row = process.get_engine().row(find_run(arguments.run, strict=False, say=complain).run_id)
    if arguments.json:
        try:
            document = json.dumps(json.loads(row.record_json), ensure_ascii=False, indent=2)
        except (ValueError, RecursionError):
            document = row.record.to_json()  # raises an error that says what is wrong
        say_json(formatting.escape_control_json(document))
        return 0
    facts = _facts(row)
    width = max(len(name) for name, _ in facts)
    # A long text continues on the next line.
    lines = [f"{name:<{width}}  {value}" for name, value in facts]
    _write("".join(f"{line}\n" for line in lines))
    return 0


def _facts(row: Row) -> list[tuple[str, str]]:
    from hailuo_jupyter import formatting
    from hailuo_jupyter.kernel.runs import table_view

    record = row.record
    ((line,), _) = table_view.build_lines([row], base=None, now=0.0)
    requested = table_view.requested_values(record)
    problem = record.problem
    clip = record.clip
    found = [
        ("Run", f"{row.run_id}, revision {row.revision}"),
        ("State", line.state),
        ("Problem", f"{problem.what} {problem.money} {problem.todo}" if problem else ""),
        ("Prompt", " ".join(record.request.prompt.split())),
        ("Provider", f"{row.provider}{' (simulated)' if line.demo else ''}, {record.model}"),
        ("Options", ", ".join(requested.values())),
        ("Job", record.job.id or ""),
        ("Started", line.when),
        ("Time", line.took),
        ("Cost", line.cost),
        ("Notebook", line.notebook),
        ("Name", line.name),
        ("Tags", ", ".join(line.tags)),
        ("Rating", line.rating),
        ("Note", record.note or ""),
        ("Clip", str(row.folder / clip.path) if clip and not line.absent else line.absent),
        ("Measured", clip.measured(record.request.options) if clip else ""),
    ]
    return [
        (name, formatting.escape_control(" ".join(value.split()))) for name, value in found if value
    ]


def _table(view: RunsView) -> None:
    from hailuo_jupyter.kernel.runs import table_view

    if not sys.stdout.isatty() or not view.lines:
        _write(table_view.render_text(view) + "\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from hailuo_jupyter.kernel.display.run_status import MARKS, Severity

    colours = {
        Severity.DONE: "green",
        Severity.WORKING: "cyan",
        Severity.WAITING: "yellow",
        Severity.BROKEN: "red",
    }
    table = Table(box=None, padding=(0, 2, 0, 0), title=view.caption, title_justify="left")
    for name in ("Run", "State", "Provider", "Time", "Cost", "Submitted", "Prompt"):
        table.add_column(name, no_wrap=name == "Run", overflow="fold")
    for line in view.lines:
        state = Text(f"{MARKS[line.severity]} {line.state}", style=colours[line.severity])
        prompt = Text(line.prompt)
        if more := table_view.remarks(line):
            prompt.append(f"\n{' · '.join(more)}", style="dim")
        cells = (line.run_id, table_view.provider(line), line.took, line.cost, line.when)
        run_id, provider, took, cost, when = map(Text, cells)
        table.add_row(run_id, state, provider, took, cost, when, prompt)
    console = Console(highlight=False)
    console.print(table)
    for text in table_view.footer(view):
        console.print(Text(text, style="dim"))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _page(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"page must be 1 or greater: {text!r}")
    return int(text)


def _size(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 50:
        raise argparse.ArgumentTypeError(f"size must be from 1 to 50: {text!r}")
    return int(text)


def cost(arguments: argparse.Namespace) -> int:
    """Run ``cost``."""
    from hailuo_jupyter.kernel.runs.costs import CostReport, cost_report
    from hailuo_jupyter.runlog import RunLog
    from hailuo_jupyter.runlog.connection import is_there
    from hailuo_jupyter.runlog.spending import Spending
    from hailuo_jupyter.settings import Hailuo

    settings = Hailuo.instance()
    path = settings.run_log_path()
    if is_there(path):
        with RunLog(path) as log:
            found = cost_report(log, settings, time.time(), notebook=None)
    else:
        found = CostReport("all notebooks", Spending(), (), ())
    lines = [json.dumps(found.as_json(), indent=1)] if arguments.json else found.lines()
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def join(arguments: argparse.Namespace) -> int:
    """Run ``join``."""
    from hailuo_jupyter.formatting import escape_control
    from hailuo_jupyter.kernel import join as joining

    made = joining.join(arguments.clips, arguments.output, replace=arguments.replace)
    sys.stdout.write("".join(f"{escape_control(line)}\n" for line in made.lines()))
    return 0


def log_to(arguments: argparse.Namespace) -> int:
    """Run ``log-to``, which a kernel also starts for each run that finishes (`sinks.dispatch`)."""
    from hailuo_jupyter.ipynb.locate import existing_logs
    from hailuo_jupyter.settings import Hailuo
    from hailuo_jupyter.sinks import registry
    from hailuo_jupyter.sinks.delivery import Delivery, key_variables
    from hailuo_jupyter.states import FINAL

    name = arguments.sink
    registry.check(name)
    for variable in key_variables():  # sinks' libraries must not see them
        os.environ.pop(variable, None)
    settings = Hailuo.instance()
    sent = failed = going_on = 0
    unattended = arguments.undelivered
    with (
        existing_logs(settings) as logs,
        Delivery(name, settings, unattended=unattended) as delivery,
    ):
        for row, log in _to_log(arguments, logs):
            if row.state not in FINAL:
                going_on += 1
            elif problem := delivery.send(row, log):
                failed += 1
                complain(f"Run {row.run_id}: {problem}")
            else:
                sent += 1
    rejected = f", {failed} failed" if failed else ""
    later = f", {going_on} not finished yet" if going_on else ""
    say(f"{name}: {count(sent, 'run')} logged{rejected}{later}.")
    return 1 if failed else 0


def _to_log(arguments: argparse.Namespace, logs: list[RunLog]) -> Iterator[tuple[Row, RunLog]]:
    """Yield the selected runs, each with its log. Does not start an engine if only ids are given."""
    if arguments.undelivered:
        wanted = set(arguments.run)
        for log in logs:
            for row in log.undelivered(arguments.sink):
                if not wanted or row.run_id in wanted:
                    yield row, log
        return
    ids = arguments.run or [run.run_id for run in _chosen(arguments, ascending=True)]
    for run_id in ids:
        fitting = [(row, log) for log in logs for row in log.fitting(run_id)]
        if len(fitting) == 1:
            yield fitting[0]
        elif logs:
            yield logs[0].get(run_id), logs[0]  # raises the error for a missing run
