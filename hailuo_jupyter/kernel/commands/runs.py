"""``%hailuo runs`` and ``show``: what the run log holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.kernel.commands.naming import run_of
from hailuo_jupyter.kernel.commands.saying import say
from hailuo_jupyter.kernel.display import show
from hailuo_jupyter.kernel.options import Line, Option, Takes, help_text, whole_number
from hailuo_jupyter.kernel.runs import PAGE_SIZES, Runs, runs
from hailuo_jupyter.runlog.search import Sort
from hailuo_jupyter.states import State

_MOST_PAGES = 1_000_000

USAGE = """%hailuo runs [options]
shows the runs of this notebook in a table, a page at a time"""

OPTIONS = {
    "runs": (
        Option("all", Takes.NOTHING, "of every notebook"),
        Option("notebook", Takes.FILE, "of another notebook", "PATH"),
        Option("provider", Takes.VALUE, "of one provider", "NAME", ("segmind", "aimlapi", "demo")),
        Option("state", Takes.MANY, "in this state; may be repeated", "STATE", tuple(State)),
        Option("tag", Takes.MANY, "with this tag; may be repeated, all have to be there", "TAG"),
        Option("text", Takes.VALUE, "with this text in prompt, name, note or tags", "TEXT"),
        Option("since", Takes.VALUE, "not older: 7d, 12h, or a date", "AGE|DATE"),
        Option("sweep", Takes.VALUE, "of one sweep", "ID"),
        Option("rating", Takes.VALUE, "rated so or better", "0..5"),
        Option("sort", Takes.VALUE, "by what (default: time)", "", tuple(Sort)),
        Option("ascending", Takes.NOTHING, "the oldest, cheapest, fastest or worst first"),
        Option("page", Takes.VALUE, "which page (default: 1)", "N"),
        Option(
            "size", Takes.VALUE, "runs on a page (default: 20)", "", tuple(map(str, PAGE_SIZES))
        ),
        Option("help", Takes.NOTHING, "this help"),
    ),
    "show": (Option("embed", Takes.NOTHING, "store the clip in the notebook too"),),
}


def found(read: Line) -> Runs:
    """Give the page of runs that an option line asks for."""
    rating, everywhere = read.text("rating"), read.flag("all")
    if everywhere and read.text("notebook"):
        raise OptionError("--all and --notebook exclude each other.", money=NOTHING_SENT)
    if rating is not None and rating not in {"0", "1", "2", "3", "4", "5"}:
        raise OptionError(
            f"--rating is {rating[:40]!a}, and has to be from 0 to 5.", money=NOTHING_SENT
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


def _runs(read: Line, ip: Any) -> None:
    from IPython.display import display

    if read.flag("help"):
        say(help_text(USAGE, OPTIONS["runs"]))
        return
    page = found(read)
    if not page:
        hint = (
            "" if read.flag("all") or read.text("notebook") else " --all looks in every notebook."
        )
        say(f"{page!r}{hint}")
    elif hasattr(ip, "kernel"):
        display(page)  # type: ignore[no-untyped-call]
    else:
        say(repr(page))


def _show(read: Line, ip: Any) -> None:
    show(process.engine(), [run_of(read.words[0], ip)], ip, embed=read.flag("embed"))


DO: dict[str, Callable[[Line, Any], None]] = {"runs": _runs, "show": _show}
