"""``jupyter hailuo export`` and ``log-to``: runs for other tools."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hailuo_jupyter.cli import choosing
from hailuo_jupyter.cli.saying import complain, say


def add(commands: Any) -> None:
    """Add the words of these commands to the command line's."""
    export = commands.add_parser(
        "export",
        help="write a notebook with its clips and records as an RO-Crate",
        description="Writes an RO-Crate (profile Process Run Crate): the notebook, its clips, frames "
        "and records, and what made them. A clip that is missing or not the one that its record "
        "tells of is left out, and told; the exit status is 1 then.",
        allow_abbrev=False,
    )
    export.add_argument("notebook", type=Path, metavar="NOTEBOOK", help="an .ipynb file")
    export.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="a new folder, or a new file that ends in .zip",
    )
    export.add_argument(
        "--license", default="", metavar="LINK", help="the licence of the whole, as a link or name"
    )
    export.add_argument(
        "--clips",
        type=Path,
        metavar="DIR",
        help="folder of the clips, where neither the run log nor a link in the notebook tells it",
    )
    log_to = commands.add_parser(
        "log-to",
        help="send earlier runs to a sink: mlflow, wandb, trackio",
        description="Sends runs of the run log that have ended, with their clips, to a sink. What is "
        "there already is not sent twice. Where the sink keeps them is for its own settings to say, "
        "such as MLFLOW_TRACKING_URI or WANDB_MODE.",
        allow_abbrev=False,
    )
    log_to.add_argument("sink", metavar="SINK", help="mlflow, wandb, trackio or another package's")
    choosing.add(log_to)


def export(arguments: argparse.Namespace) -> int:
    """Do ``export``."""
    from hailuo_jupyter.nbfile.crate import export as write

    done = write(arguments.notebook, arguments.output, arguments.clips, licence=arguments.license)
    say(f"{done.path} is written: {done.runs} run(s), {done.clips} clip(s).")
    complain(*done.remarks)
    return 1 if done.remarks else 0


def log_to(arguments: argparse.Namespace) -> int:
    """Do ``log-to``."""
    from hailuo_jupyter.engine import process
    from hailuo_jupyter.settings import Hailuo
    from hailuo_jupyter.sinks import offered
    from hailuo_jupyter.sinks.courier import Courier
    from hailuo_jupyter.sinks.relay import lock_of
    from hailuo_jupyter.states import FINAL

    name = arguments.sink
    offered.check(name)
    found = choosing.chosen(arguments, ascending=True)
    engine, courier = process.engine(), Courier(name, lock_of(Hailuo.instance(), name))
    sent = failed = going_on = 0
    for run in found:
        row = engine.row(run.run_id)
        if row.state not in FINAL:
            going_on += 1
        elif problem := courier.bring(row):
            failed += 1
            complain(f"Run {run.run_id}: {problem}")
        else:
            sent += 1
    courier.leave(wait_s=30.0)
    later = f", {going_on} have not ended" if going_on else ""
    say(f"{name} has {sent} run(s){f', {failed} not taken' if failed else ''}{later}.")
    return 1 if failed else 0


DO: dict[str, Callable[[argparse.Namespace], int]] = {"export": export, "log-to": log_to}
