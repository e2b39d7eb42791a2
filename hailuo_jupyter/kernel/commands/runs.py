"""``%hailuo runs`` and ``show``: the contents of the run log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hailuo_jupyter import catalogue
from hailuo_jupyter.engine import process
from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.kernel import context
from hailuo_jupyter.kernel.commands.echo import echo
from hailuo_jupyter.kernel.commands.resolve_run import resolve_run
from hailuo_jupyter.kernel.display.run_output import show
from hailuo_jupyter.kernel.magic_args import Option, OptionLine, Takes, whole_number
from hailuo_jupyter.kernel.runs import PAGE_SIZES, Runs, costs, runs
from hailuo_jupyter.runlog.search import Sort
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State

_MOST_PAGES = 1_000_000

OPTIONS = {
    "runs": (
        Option("all", Takes.NOTHING, "runs of every notebook"),
        Option("notebook", Takes.FILE, "only this notebook's runs", "PATH", suffixes=(".ipynb",)),
        Option(
            "provider",
            Takes.VALUE,
            "only this provider's runs",
            "NAME",
            (*catalogue.NAMES, "demo"),
        ),
        Option(
            "state", Takes.MANY, "only runs in this state; may be repeated", "STATE", tuple(State)
        ),
        Option(
            "tag", Takes.MANY, "only runs with this tag; may be repeated (all must match)", "TAG"
        ),
        Option("text", Takes.VALUE, "text in prompt, name, note or tags", "TEXT"),
        Option("since", Takes.VALUE, "newer than: 7d, 12h or a date", "AGE|DATE"),
        Option("sweep", Takes.VALUE, "only this sweep's runs (id or name)", "SWEEP"),
        Option("rating", Takes.VALUE, "minimum rating", "0..5"),
        Option("sort", Takes.VALUE, "sort key (default: time)", "", tuple(Sort)),
        Option("ascending", Takes.NOTHING, "oldest, cheapest, fastest or worst first"),
        Option("page", Takes.VALUE, "page number (default: 1)", "N"),
        Option("size", Takes.VALUE, "runs per page, 1 to 50 (default: 20)", "N"),
    ),
    "cost": (Option("all", Takes.NOTHING, "runs of every notebook"),),
    "show": (Option("embed", Takes.NOTHING, "also store the clip in the notebook"),),
}


def found(read: OptionLine) -> Runs:
    """Return the page of runs that an option line requests."""
    rating, everywhere = read.text("rating"), read.flag("all")
    if everywhere and read.text("notebook"):
        raise OptionError("--all and --notebook can't be combined.", money=NOTHING_SENT)
    if rating is not None and rating not in {"0", "1", "2", "3", "4", "5"}:
        raise OptionError(
            f"--rating must be from 0 to 5 (got {rating[:40]!a}).", money=NOTHING_SENT
        )
    size = whole_number("size", read.text("size"), PAGE_SIZES[0], most=PAGE_SIZES[-1])
    wanted = runs(
        "all" if everywhere else read.text("notebook"),
        provider=read.text("provider"),
        state=read.many("state"),
        tag=read.many("tag"),
        text=read.text("text"),
        since=read.text("since"),
        sweep=read.text("sweep"),
        rating=None if rating is None else int(rating),
        sort=read.text("sort") or Sort.TIME,
        ascending=read.flag("ascending"),
        page_size=size,
    )
    return wanted.page(whole_number("page", read.text("page"), 1, most=_MOST_PAGES))


def _runs(read: OptionLine, ip: Any) -> None:
    from IPython.display import display

    page = found(read)
    if not page:
        hint = (
            "" if read.flag("all") or read.text("notebook") else " --all looks in every notebook."
        )
        echo(f"{page!r}{hint}")
    elif hasattr(ip, "kernel"):
        display(page)  # type: ignore[no-untyped-call]
    else:
        echo(repr(page))


def _show(read: OptionLine, ip: Any) -> None:
    show(process.get_engine(), [resolve_run(read.words[0], ip)], ip, embed=read.flag("embed"))


def _cost(read: OptionLine, ip: Any) -> None:
    engine = process.get_engine()
    report = costs.cost_report(
        engine.logs()[0],  # the demo's runs, which cost nothing, have a separate log
        Hailuo.instance(),
        engine.now(),
        notebook=None if read.flag("all") else (context.notebook().id,),
        present=context.notebook(),
    )
    text = "\n".join(report.lines())
    if context.frontend(ip) in {context.Frontend.SCRIPT, context.Frontend.TERMINAL}:
        echo(text)
        return
    from IPython.display import display

    display({"text/plain": text, "text/html": report.html()}, raw=True)  # type: ignore[no-untyped-call]


DO: dict[str, Callable[[OptionLine, Any], None]] = {
    "runs": _runs,
    "show": _show,
    "cost": _cost,
}
