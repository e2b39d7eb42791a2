"""The options of a ``%%hailuo`` cell, and the wish that they make with the text below them.

The magics, their completion and whoever writes such a cell all read it by these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.kernel import options
from hailuo_jupyter.kernel.options import Option, Takes
from hailuo_jupyter.kernel.prompt import fill, value_of

if TYPE_CHECKING:
    from hailuo_jupyter.kernel.generate import Wish

CELL_OPTIONS = (
    Option("provider", Takes.VALUE, "who makes the clip", choices=("segmind", "aimlapi", "demo")),
    Option("mode", Takes.VALUE, "Segmind: quality", choices=("standard", "pro")),
    Option("resolution", Takes.VALUE, "AI/ML API: quality", choices=("768P", "1080P")),
    Option("duration", Takes.VALUE, "AI/ML API: seconds (10 at 768P only)", choices=("6", "10")),
    Option("image", Takes.FILE, "first frame: path, URL, {variable} or run:RUN@last", "X"),
    Option("last-frame", Takes.FILE, "last frame: path, URL, {variable} or run:RUN@last", "X"),
    Option(
        "no-optimizer", Takes.NOTHING, "send the prompt as it is, not rewritten by the provider"
    ),
    Option("name", Takes.VALUE, "bind the run (with --count a list) to this variable", "NAME"),
    Option(
        "count", Takes.VALUE, "runs wanted in this notebook; only what is missing is bought", "N"
    ),
    Option(
        "sweep", Takes.MANY, "a clip for each value: mode=standard,pro; may be repeated", "X=A,B"
    ),
    Option("grid", Takes.FILE, "a clip for each row: DataFrame, list of dicts or CSV file", "ROWS"),
    Option("wait", Takes.NOTHING, "return when the clip is there"),
    Option("new", Takes.NOTHING, "buy, even where the notebook has such a run already"),
    Option("yes", Takes.NOTHING, "send a large sweep, or under a budget though no price is known"),
    Option("embed", Takes.NOTHING, "store the clip in the notebook too (several MB)"),
    Option("output", Takes.FILE, "folder for clips and records", "DIR"),
    Option("tag", Takes.MANY, "a tag for the record; may be repeated", "T"),
    Option("note", Takes.VALUE, "a note for the record", "TEXT"),
    Option("dry-run", Takes.NOTHING, "show the request and its price, send nothing"),
    Option("help", Takes.NOTHING, "show this"),
)

CELL_USAGE = """%%hailuo [options]
prompt, over as many lines as it likes, with {variables} of the notebook filled in"""


def wish_of(read: options.Line, cell: str, namespace: dict[str, Any]) -> Wish:
    """Make a wish of an option line and the text below it.

    Raises
    ------
    PromptError, OptionError
        For an unknown variable, a count that is none, and a name that can be no variable's.
    """
    from hailuo_jupyter.kernel.generate import MOST_AT_ONCE, Wish

    def text(name: str) -> str | None:
        value = read.text(name)
        return None if value is None else fill(value, namespace)

    name = read.text("name")
    if name is not None and not name.isidentifier():
        raise OptionError(f"--name {name!r} can be no variable's name.", money=NOTHING_SENT)
    first, last = read.text("image"), read.text("last-frame")
    return Wish(
        fill(cell, namespace),
        text("provider"),
        {each: text(each) for each in ("mode", "resolution", "duration")},
        None if first is None else value_of(first, namespace),
        None if last is None else value_of(last, namespace),
        prompt_optimizer=not read.flag("no-optimizer"),
        output=text("output"),
        count=options.whole_number("count", text("count"), 1, most=MOST_AT_ONCE),
        new=read.flag("new"),
        yes=read.flag("yes"),
        name=name,
        tags=tuple(fill(tag, namespace) for tag in read.many("tag")),
        note=text("note"),
    )
