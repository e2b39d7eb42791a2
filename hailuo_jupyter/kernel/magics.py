"""``%%hailuo`` and ``%hailuo``. What they need is imported when they are first used."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.kernel import options, origin
from hailuo_jupyter.kernel.options import Option, Takes
from hailuo_jupyter.kernel.prompt import fill, value_of
from hailuo_jupyter.settings import Hailuo

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


@magics_class
class HailuoMagics(Magics):
    """The two magics; the work is done elsewhere."""

    @no_var_expand
    @line_cell_magic
    def hailuo(self, line: str, cell: str | None = None) -> None:
        """Make a video with MiniMax Hailuo-02.

        ``%%hailuo [options]`` with a prompt below sends a request and returns at once;
        ``%%hailuo --help`` lists the options. ``%hailuo`` alone shows what is going on and which
        commands there are.
        """
        if cell is None:
            from hailuo_jupyter.kernel.commands import dispatch

            dispatch.run(line, self.shell)
            return
        run_cell(line, cell, self.shell)


def run_cell(line: str, cell: str, ip: Any) -> None:
    """Do what a ``%%hailuo`` cell asks for.

    Raises
    ------
    HailuoError
        Whatever is wrong, in words; IPython shows it as one line.
    """
    began = time.monotonic()
    read = options.read(options.words_of(line), CELL_OPTIONS)
    if read.words:
        raise OptionError(
            f"{read.words[0]!r} on the option line belongs to no option.",
            money=NOTHING_SENT,
            todo="The prompt goes below the first line; a value with spaces needs quotes.",
        )
    if read.flag("help"):
        print(options.help_text(CELL_USAGE, CELL_OPTIONS))  # noqa: T201
        return

    sweeps = bool(read.many("sweep")) or read.text("grid") is not None
    # The prompt of a sweep is filled in point by point.
    wish = wish_of(read, "" if sweeps else cell, ip.user_ns)
    settings = Hailuo.instance()
    if origin.new_take(ip):
        wish = replace(wish, new=True)
    if sweeps:
        from hailuo_jupyter.kernel.sweep import cell as sweep_cell

        sweep_cell.run(read, wish, cell, ip, began)
        return
    if read.flag("dry-run"):
        from hailuo_jupyter.kernel import dry_run

        dry_run.show(wish, settings)
        return
    place(wish, settings, read, ip, began)


def place(wish: Any, settings: Hailuo, read: options.Line, ip: Any, began: float) -> None:
    """Set a wish going and show its runs, as the option line wants it.

    Parameters
    ----------
    wish
        A `generate.Wish`.
    settings
        What is in force for it.
    read
        The option line: ``--wait`` and ``--embed``.
    ip
        The shell.
    began
        `time.monotonic` at the start of the cell.

    Raises
    ------
    HailuoError
        Whatever stands in the way, or a refusal.
    """
    from hailuo_jupyter.kernel import generate

    engine, placed, remark = generate.place(wish, settings=settings)
    if remark:
        print(remark)  # noqa: T201
    error = generate.answered(engine, placed, began)
    runs = [each.run for each in placed]
    if wish.name:
        ip.user_ns[wish.name] = runs if wish.count > 1 else runs[0]

    # One refused run is told by its error alone; beside others it shows its place.
    if error is None or len(runs) > 1:
        from hailuo_jupyter.engine.decide import Act
        from hailuo_jupyter.kernel.display import show

        show(
            engine,
            runs,
            ip,
            wait=read.flag("wait") and error is None,
            embed=read.flag("embed") or settings.embed,
            saved=frozenset(each.run.run_id for each in placed if each.act is Act.SHOW),
        )
    if error is not None:
        raise error
    if read.flag("wait") or origin.audience(ip) is origin.Audience.HEADLESS:
        for run in runs:
            run.wait()


def wish_of(read: options.Line, cell: str, namespace: dict[str, Any]) -> Any:
    """Make a `generate.Wish` of an option line and the text below it.

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
