"""``%hailuo rate``, ``tag``, ``note`` and ``rerun``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.annotations import BEST
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.formatting import escape_control, shorten
from hailuo_jupyter.kernel import comm, consent
from hailuo_jupyter.kernel.cell_source import CELL_OPTIONS, options_from, prompt_of
from hailuo_jupyter.kernel.commands.echo import echo
from hailuo_jupyter.kernel.commands.resolve_run import resolve_run
from hailuo_jupyter.kernel.magic_args import Option, OptionLine, Takes
from hailuo_jupyter.kernel.prompt import fill

if TYPE_CHECKING:
    from hailuo_jupyter.kernel.rerun import RerunPlan

_OTHER_HELP = {
    "count": "total reruns wanted in this notebook; existing ones count",
    "new": "generate again even if this notebook already has this rerun",
}

RERUN_OPTIONS = (
    Option("prompt", Takes.VALUE, "new prompt, with {variables} filled in", "TEXT"),
    Option(
        "optimizer",
        Takes.NOTHING,
        "let the provider rewrite the prompt (default)",
        key="prompt_optimizer",
    ),
    *(replace(each, help=_OTHER_HELP.get(each.name, each.help)) for each in CELL_OPTIONS),
)

#: Values that remove a rating.
_NONE = "none"

OPTIONS = {
    "rate": (Option("clear", Takes.NOTHING, "remove the rating"),),
    "tag": (Option("remove", Takes.NOTHING, "remove the tags"),),
    "note": (Option("clear", Takes.NOTHING, "remove the note"),),
    "rerun": RERUN_OPTIONS,
}


def _run(word: str, ip: Any) -> Run:
    # A kernel that has not shown a run yet has sent the front end none.
    comm.follow(process.get_engine())
    return resolve_run(word, ip, strict=True)


def _rate(read: OptionLine, ip: Any) -> None:
    words = read.words[1:]
    if read.flag("clear") == bool(words):
        raise _written("rate RUN N, with N from 0 to 5; or: %hailuo rate RUN none")
    run = _run(read.words[0], ip)
    if not words or words[0].lower() == _NONE:
        run.rate(None)
        echo(f"Rating removed from run {run.run_id}.")
        return
    (text,) = words
    if not (text.isascii() and text.isdecimal()):
        raise OptionError(
            f"A rating must be a whole number from 0 to {BEST}, or none (got {text!a:.40}).",
            money="Nothing was changed.",
        )
    run.rate(int(text))
    echo(f"Rated run {run.run_id} {int(text)}/{BEST}.")


def _tag(read: OptionLine, ip: Any) -> None:
    run, tags = _run(read.words[0], ip), read.words[1:]
    if read.flag("remove"):
        run.untag(*tags)
    else:
        run.tag(*tags)
    kept = escape_control(", ".join(run.record.tags))
    echo(f"Tags of run {run.run_id}: {kept}." if kept else f"Run {run.run_id} has no tags.")


def _note(read: OptionLine, ip: Any) -> None:
    text = " ".join(read.words[1:])
    if read.flag("clear") == bool(text.strip()):
        raise _written("note RUN TEXT; or: %hailuo note RUN --clear")
    run = _run(read.words[0], ip)
    run.note(text or None)
    note = run.record.note
    message = "has no note now." if note is None else f"has the note: {shorten(note, 80)}"
    echo(escape_control(f"Run {run.run_id} {message}"))


def _rerun(read: OptionLine, ip: Any) -> None:
    from hailuo_jupyter.kernel import generate, rerun
    from hailuo_jupyter.settings import Hailuo

    began, agreed = time.monotonic(), consent.agreed_quote(ip)
    plan = planned(read, ip)
    if read.flag("dry-run"):
        generate.dry_run(plan.submission, plan.remark)
        return
    if agreed is not None:
        plan = replace(plan, submission=agreed.agreed(plan.submission))
    if lines := rerun.preview(plan):
        echo(*lines)
    generate.submit(plan.submission, began, plan.remark).show(
        ip, wait=read.flag("wait"), embed=read.flag("embed") or Hailuo.instance().embed
    )


def planned(read: OptionLine, ip: Any) -> RerunPlan:
    """Return the rerun for a command; nothing is sent.

    Parameters
    ----------
    read
        What follows ``%hailuo rerun``.
    ip
        The shell.

    Raises
    ------
    HailuoError
        If it is invalid, or the run or one of its frames is missing.
    """
    from hailuo_jupyter.kernel import rerun

    if not read.words:
        raise _written("rerun RUN [options]; --help lists them")
    run, prompt = resolve_run(read.words[0], ip, strict=True), read.text("prompt")
    if read.flag("optimizer") and read.flag("no-optimizer"):
        raise OptionError("--optimizer and --no-optimizer can't be combined.", money=NOTHING_SENT)
    # The record's own prompt is literal: its braces are not variables.
    text = None if prompt is None else fill(prompt_of(prompt), ip.user_ns)
    return rerun.plan(run, text, options_from(read, RERUN_OPTIONS, ip.user_ns))


def _written(how: str) -> OptionError:
    return OptionError(f"Usage: %hailuo {how}.", money="Nothing was changed.")


DO: dict[str, Callable[[OptionLine, Any], None]] = {
    "rate": _rate,
    "tag": _tag,
    "note": _note,
    "rerun": _rerun,
}
