"""``%hailuo rate``, ``tag``, ``note`` and ``rerun``: what a person thinks of a run, and doing it again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hailuo_jupyter.engine.annotate import BEST
from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.kernel import annotate, origin
from hailuo_jupyter.kernel.cell_options import CELL_OPTIONS, wish_of
from hailuo_jupyter.kernel.commands.naming import run_of
from hailuo_jupyter.kernel.commands.saying import say
from hailuo_jupyter.kernel.options import Line, Option, Takes, help_text
from hailuo_jupyter.kernel.words import harmless, shortened

_OTHER_HELP = {
    "count": "reruns wanted in this notebook; only what is missing is bought",
    "new": "buy, even where this notebook has made this rerun already",
}

RERUN_USAGE = """%hailuo rerun RUN [options]
asks again for what a run asked for, with the changes that the options name: the same as %%hailuo's"""

RERUN_OPTIONS = (
    Option("prompt", Takes.VALUE, "another prompt, with {variables} filled in", "TEXT"),
    Option("optimizer", Takes.NOTHING, "let the provider rewrite the prompt, as by default"),
    *(
        Option(
            each.name, each.takes, _OTHER_HELP.get(each.name, each.help), each.metavar, each.choices
        )
        for each in CELL_OPTIONS
    ),
)

#: In place of a rating: that it be taken away.
_NONE = "none"

OPTIONS = {
    "rate": (Option("clear", Takes.NOTHING, "take the rating away"),),
    "tag": (Option("remove", Takes.NOTHING, "take the tags away"),),
    "note": (Option("clear", Takes.NOTHING, "take the note away"),),
    "rerun": RERUN_OPTIONS,
}


def _rate(read: Line, ip: Any) -> None:
    given = read.words[1:]
    if read.flag("clear") == bool(given):
        raise _written("rate RUN N, with N from 0 to 5; or: %hailuo rate RUN none")
    run = run_of(read.words[0], ip)
    if not given or given[0].lower() == _NONE:
        annotate.rate(run.run_id, None)
        say(f"Run {run.run_id} has no rating any more.")
        return
    (text,) = given
    if not (text.isascii() and text.isdecimal()):
        raise OptionError(
            f"A rating is a whole number from 0 to {BEST}, or none, and not {text!a:.40}.",
            money="Nothing was changed.",
        )
    annotate.rate(run.run_id, int(text))
    say(f"Run {run.run_id} is rated {int(text)} of {BEST}.")


def _tag(read: Line, ip: Any) -> None:
    run, tags = run_of(read.words[0], ip), read.words[1:]
    if read.flag("remove"):
        annotate.tag(run.run_id, remove=tags)
    else:
        annotate.tag(run.run_id, tags)
    kept = harmless(", ".join(run.record.tags))
    say(f"Run {run.run_id} has the tags: {kept}." if kept else f"Run {run.run_id} has no tags.")


def _note(read: Line, ip: Any) -> None:
    text = " ".join(read.words[1:])
    if read.flag("clear") == bool(text.strip()):
        raise _written("note RUN TEXT; or: %hailuo note RUN --clear")
    run = run_of(read.words[0], ip)
    annotate.note(run.run_id, text or None)
    note = run.record.note
    said = "has no note any more." if note is None else f"has the note: {shortened(note, 80)}"
    say(harmless(f"Run {run.run_id} {said}"))


def _rerun(read: Line, ip: Any) -> None:
    from hailuo_jupyter.kernel import magics, rerun

    if read.flag("help"):
        say(help_text(RERUN_USAGE, RERUN_OPTIONS))
        return
    if not read.words:
        raise _written("rerun RUN [options]; --help lists them")
    began = time.monotonic()
    run, prompt = run_of(read.words[0], ip), read.text("prompt")
    if read.flag("optimizer") and read.flag("no-optimizer"):
        raise OptionError("--optimizer and --no-optimizer exclude each other.", money=NOTHING_SENT)
    # The record's own prompt is no text to be filled in: its braces are just braces.
    wish = wish_of(read, "" if prompt is None else prompt, ip.user_ns)
    keep = {
        "prompt": prompt is None,
        "prompt_optimizer": not (read.flag("optimizer") or read.flag("no-optimizer")),
        "image": read.text("image") is None,
        "last_image": read.text("last-frame") is None,
    }
    wish = replace(wish, new=wish.new or origin.new_take(ip))
    again = rerun.plan(run, wish, keep=[name for name, same in keep.items() if same])
    if read.flag("dry-run"):
        from hailuo_jupyter.kernel import dry_run

        dry_run.show(again.wish, again.settings)
        return
    if told := rerun.beforehand(again):
        say(*told)
    magics.place(again.wish, again.settings, read, ip, began)


def _written(how: str) -> OptionError:
    return OptionError(f"It is written: %hailuo {how}.", money="Nothing was changed.")


DO: dict[str, Callable[[Line, Any], None]] = {
    "rate": _rate,
    "tag": _tag,
    "note": _note,
    "rerun": _rerun,
}
