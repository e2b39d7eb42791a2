"""Tab completion of ``%%hailuo`` and ``%hailuo``: options, choices, commands, run ids; files by IPython.

The context matcher is IPython's own interface (``IPython.core.completer``, matcher API v2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from hailuo_jupyter.kernel import run_source
from hailuo_jupyter.kernel.cell_options import CELL_OPTIONS
from hailuo_jupyter.kernel.commands.listing import COMMANDS
from hailuo_jupyter.kernel.options import Option, Takes

_MAGIC = re.compile(r"\s*(%%?)hailuo\b(.*)", re.DOTALL)

#: What every answer of a matcher is made of: (text, type shown in the pop-up).
Candidates = Sequence[tuple[str, str]]


def make_matcher(run_ids: Callable[[], Sequence[str]]) -> Callable[[CompletionContext], Any]:
    """Give the matcher.

    Parameters
    ----------
    run_ids
        Gives the ids of recent runs, the newest first.
    """

    @context_matcher(identifier="hailuo_jupyter", priority=100)  # type: ignore[untyped-decorator]
    def hailuo(context: CompletionContext) -> dict[str, Any]:
        found = _MAGIC.match(context.full_text)
        if not found:
            return {"completions": []}
        before = context.line_with_cursor[: context.cursor_position]
        if found[1] == "%%" and context.cursor_line > 0:
            return _in_prompt(before, context.token)
        candidates = (
            _of_options(before, CELL_OPTIONS) if found[1] == "%%" else _of_line(before, run_ids)
        )
        word = "" if before.endswith((" ", "=")) else before.split()[-1].rpartition("=")[2]
        if candidates is None and run_source.is_run(word):
            candidates = _of_clips(word, run_ids)
        if candidates is None:
            return {"completions": []}
        # IPython replaces its own token only, which ends at a dash or a dot.
        shared = len(word) - len(context.token) if word.endswith(context.token) else 0
        return {
            "completions": [
                SimpleCompletion(text[max(shared, 0) :], type=kind)
                for text, kind in candidates
                if text.startswith(word)
            ],
            "suppress": True,
            "ordered": True,
        }

    return hailuo  # type: ignore[no-any-return]


def _in_prompt(before: str, token: str) -> dict[str, Any]:
    """Leave the names between braces to IPython, and hold its names back from the prose."""
    if before.rfind("{") > before.rfind("}"):
        return {"completions": []}
    # The word itself changes nothing; an answer without any completion would hold nobody back.
    return {"completions": [SimpleCompletion(token, type="text")], "suppress": True}


def _of_options(before: str, options: Sequence[Option]) -> Candidates | None:
    """Give what may follow on an option line; None leaves it to IPython's own file matcher."""
    words = before.split()
    complete = words if before.endswith(" ") else words[:-1]
    partial = "" if before.endswith(" ") else words[-1]
    name = partial[2:].partition("=")[0] if partial.startswith("--") and "=" in partial else ""
    if not name and complete and complete[-1].startswith("--") and "=" not in complete[-1]:
        name = complete[-1][2:]
    option = next((each for each in options if each.name == name), None)
    if option is not None and option.takes is not Takes.NOTHING:
        return _values(option)
    written = {word[2:].partition("=")[0] for word in complete if word.startswith("--")}
    return [
        (f"--{each.name}", "param")
        for each in options
        if each.takes is Takes.MANY or each.name not in written
    ]


def _values(option: Option) -> Candidates | None:
    return None if option.takes is Takes.FILE else [(choice, "value") for choice in option.choices]


def _of_clips(word: str, run_ids: Callable[[], Sequence[str]]) -> Candidates:
    """Give what may follow ``run:``: a run, and which frame of its clip."""
    head, at, _ = word.partition("@")
    if at:
        return [(f"{head}@{where}", "value") for where in ("last", "first")]
    return [(f"{run_source.PREFIX}{run_id}@last", "value") for run_id in run_ids()]


def _of_line(before: str, run_ids: Callable[[], Sequence[str]]) -> Candidates | None:
    words = before.split()
    complete = words if before.endswith(" ") else words[:-1]
    if len(complete) <= 1:
        return [(name, "keyword") for name in COMMANDS]
    command = COMMANDS.get(complete[1])
    if command is None:
        return []
    named = len(complete) > 2 or not (command.takes_run or command.takes_provider)
    named = named and not command.takes_runs
    if named or words[-1].startswith("--"):
        home = import_module(f"hailuo_jupyter.kernel.commands.{command.home}")
        return _of_options(before, home.OPTIONS.get(complete[1], ()))
    if command.takes_run:
        return [(run_id, "value") for run_id in run_ids()]
    return [(name, "value") for name in ("segmind", "aimlapi")]
