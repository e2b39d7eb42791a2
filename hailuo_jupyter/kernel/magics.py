"""``%%hailuo`` and ``%hailuo``. Their dependencies are imported on first use."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any, TypeVar

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.formatting import print_safely
from hailuo_jupyter.kernel import consent
from hailuo_jupyter.kernel.cell_source import (
    CELL_OPTIONS,
    CELL_USAGE,
    options_from,
    parse_cell,
    prompt_of,
)
from hailuo_jupyter.kernel.magic_args import help_text
from hailuo_jupyter.kernel.prompt import fill
from hailuo_jupyter.settings import Hailuo

_Magic = TypeVar("_Magic", bound=Callable[..., Any])


def _with_options(magic: _Magic) -> _Magic:
    """Append the table of options to a magic's docstring, which IPython shows for ``%%hailuo?``."""
    magic.__doc__ = (
        f"{inspect.cleandoc(magic.__doc__ or '')}\n\n{help_text('', CELL_OPTIONS).strip()}"
    )
    return magic


@magics_class
class HailuoMagics(Magics):
    """The two magics; other modules do the work."""

    @no_var_expand
    @line_cell_magic
    @_with_options
    def hailuo(self, line: str, cell: str | None = None) -> None:
        """Generate a video clip with MiniMax Hailuo from a prompt.

        The cell returns within 2 s. The clip plays in its output when it is ready,
        which takes minutes (seconds with the demo). Running the cell again shows
        the clip it has and buys none.

        Example, free of charge and without a key::

            %%hailuo --provider demo --name heron
            A heron lifts off a lake at dawn. [Pan left]

        ``{variables}`` in the prompt are filled in. ``heron.clip`` is then the path
        of the clip, and ``heron?`` explains the rest. ``--dry-run`` shows the request
        and its price without sending it.

        ``%hailuo`` alone shows active runs and lists the commands,
        ``%hailuo COMMAND --help`` explains one.
        """
        if cell is None:
            from hailuo_jupyter.kernel.commands import dispatch

            dispatch.run(line, self.shell)
            return
        run_cell(line, cell, self.shell)


def run_cell(line: str, cell: str, ip: Any) -> None:
    """Run a ``%%hailuo`` cell.

    Raises
    ------
    HailuoError
        For any problem; IPython shows it as one line.
    """
    began = time.monotonic()
    parsed, cell = parse_cell(line, cell)
    if parsed.flag("help"):
        print_safely(help_text(CELL_USAGE, CELL_OPTIONS))
        return
    sweeps = bool(parsed.many("sweep")) or parsed.text("grid") is not None
    # The prompt of a sweep is filled in point by point.
    text = prompt_of(cell)
    prompt = text if sweeps else fill(text, ip.user_ns)
    options = options_from(parsed, CELL_OPTIONS, ip.user_ns)
    agreed = consent.agreed_quote(ip)
    if parsed.flag("quote"):
        if agreed is not None:
            raise agreed.other()
        if sweeps:
            raise OptionError(
                "--quote compares providers for one request, not for a sweep.",
                money=NOTHING_SENT,
                todo="Leave --sweep and --grid out; the plan of a sweep has its price.",
            )
        from IPython.display import display

        from hailuo_jupyter.kernel.quote import quote_of

        display(quote_of(prompt, options))  # type: ignore[no-untyped-call]
        return
    if sweeps:
        if agreed is not None:
            raise agreed.other()
        from hailuo_jupyter.kernel.sweep import magic as sweep_cell

        sweep_cell.run(parsed, options, prompt, ip, began)
        return
    from hailuo_jupyter.kernel import generate

    settings = Hailuo.instance()
    submission, remark = generate.submission_from(prompt, options, settings=settings)
    if parsed.flag("dry-run"):
        generate.dry_run(submission, remark)
        return
    if agreed is not None:
        submission = agreed.agreed(submission)
    generate.submit(submission, began, remark).show(
        ip, wait=parsed.flag("wait"), embed=parsed.flag("embed") or settings.embed
    )
