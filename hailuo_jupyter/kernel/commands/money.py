"""``%hailuo cost``: what was spent, what is reserved, and what the budgets leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.kernel import costs, origin
from hailuo_jupyter.kernel.commands.saying import say
from hailuo_jupyter.kernel.options import Line, Option, Takes
from hailuo_jupyter.settings import Hailuo

OPTIONS = {"cost": (Option("all", Takes.NOTHING, "of every notebook"),)}


def _cost(read: Line, ip: Any) -> None:
    engine = process.engine()
    report = costs.report(
        engine.logs()[0],  # the demo's runs, which cost nothing, have a log of their own
        Hailuo.instance(),
        engine.now(),
        notebook=None if read.flag("all") else (origin.notebook().id,),
    )
    text = "\n".join(report.lines())
    if origin.audience(ip) in {origin.Audience.SCRIPT, origin.Audience.TERMINAL}:
        say(text)
        return
    from IPython.display import display

    display({"text/plain": text, "text/html": report.html()}, raw=True)  # type: ignore[no-untyped-call]


DO: dict[str, Callable[[Line, Any], None]] = {"cost": _cost}
