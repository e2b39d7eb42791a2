"""``%%hailuo`` and ``%hailuo``. What they need is imported when they are first used."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.kernel import options, origin
from hailuo_jupyter.kernel.cell_options import CELL_OPTIONS, CELL_USAGE, wish_of
from hailuo_jupyter.settings import Hailuo


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
