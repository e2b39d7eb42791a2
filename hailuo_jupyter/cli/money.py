"""``jupyter hailuo cost``: what was spent and what the budget of the day leaves."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any


def add(commands: Any) -> None:
    """Add the words of this command to the command line's."""
    command = commands.add_parser(
        "cost",
        help="what clips did cost, by day, provider and notebook",
        description="Adds up what the runs in the run log did cost and may still cost: what the "
        "provider says it has charged, else the high end of the estimate. Sends nothing.",
        allow_abbrev=False,
    )
    command.add_argument("--json", action="store_true", help="print the sums as JSON")


def cost(arguments: argparse.Namespace) -> int:
    """Do ``cost``."""
    from hailuo_jupyter.kernel.costs import Report, report
    from hailuo_jupyter.runlog import RunLog
    from hailuo_jupyter.runlog.spending import Spending
    from hailuo_jupyter.settings import Hailuo

    settings = Hailuo.instance()
    path = settings.run_log_path()
    if path.is_file():
        with RunLog(path) as log:
            found = report(log, settings, time.time(), notebook=None)
    else:
        found = Report("all notebooks", Spending(), (), ())
    lines = [json.dumps(found.as_json(), indent=1)] if arguments.json else found.lines()
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


DO: dict[str, Callable[[argparse.Namespace], int]] = {"cost": cost}
