"""Tab completion of ``%%hailuo`` and ``%hailuo``, each candidate with a description.

The context matcher is IPython's own interface (``IPython.core.completer``, matcher API v2). It has no field
for a description, so that is in the type, which JupyterLab shows next to the text. Nothing here may block: no
network, and only limited queries of the run log.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from hailuo_jupyter.errors import OptionError
from hailuo_jupyter.kernel import clip_source, path_candidates
from hailuo_jupyter.kernel.cell_source import CELL_OPTIONS
from hailuo_jupyter.kernel.commands.registry import COMMANDS, options_of
from hailuo_jupyter.kernel.magic_args import Option, Takes, goes_on, quoted, split
from hailuo_jupyter.kernel.prompt import value_of

_CELL, _LINE = re.compile(r"\s*%%hailuo\s"), re.compile(r"\s*%hailuo\s")

#: JupyterLab would break a description at spaces and hyphens, over the candidates below it.
_UNBROKEN = {ord(" "): "\u00a0", ord("-"): "\u2011"}

#: Candidates, each with its description.
Candidates = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Sources:
    """What the completer asks for; each returns candidates with descriptions, the best first.

    Parameters
    ----------
    runs, sweeps
        Recent ones, and variables that hold a run.
    pictures
        Variables that hold one.
    """

    runs: Callable[[], Candidates]
    sweeps: Callable[[], Candidates]
    pictures: Callable[[], Candidates]


def make_matcher(sources: Sources) -> Callable[[CompletionContext], Any]:
    """Return the matcher."""

    @context_matcher(identifier="hailuo_jupyter", priority=100)  # type: ignore[untyped-decorator]
    def hailuo(context: CompletionContext) -> dict[str, Any]:
        line = context.line_with_cursor
        before, after = line[: context.cursor_position], line[context.cursor_position :]
        if _CELL.match(context.full_text):
            lines = context.full_text.split("\n")[: context.cursor_line]
            above = list(dropwhile(lambda each: not each.strip(), lines))
            if not all(map(goes_on, above)):
                return _in_prompt(before, after)
            typed = _typed(" ".join([*(each.rstrip()[:-1] for each in above), before]))
            candidates = _of_options(typed, CELL_OPTIONS, sources)
        elif _LINE.match(before):
            typed = _typed(before)
            candidates = _of_line(typed, sources)
        else:
            return {"completions": []}
        return {"completions": []} if candidates is None else _answer(typed, candidates)

    return hailuo  # type: ignore[no-any-return]


@dataclass(frozen=True)
class _Typed:
    """An option line up to the cursor.

    Parameters
    ----------
    words
        The words before the one at the cursor, with the magic's name.
    option
        Name of the option whose value is at the cursor, if it can have one.
    raw
        The value at the cursor as written, perhaps with a quote that is open.
    value
        The same without the quote.
    """

    words: tuple[str, ...]
    option: str
    raw: str
    value: str

    @property
    def quote(self) -> str:
        """The open quote, if any."""
        return self.raw[: len(self.raw) - len(self.value)]

    def written(self, text: str) -> str:
        """Return a candidate as it is written here; the quote of a folder stays open."""
        quote = self.quote or quoted(text)[0]
        if quote not in {'"', "'"}:
            return text
        inner = quote + text.replace(quote, quote * 2)
        return inner if text.endswith("/") else inner + quote


def _typed(text: str) -> _Typed:
    at = _open_quote(text)
    tail = re.search(r"\S*\Z", text if at is None else text[:at])
    lead = tail[0] if tail else ""
    raw = "" if at is None else text[at:]
    if at is None:
        head, equals, value = lead.partition("=")
        lead, raw = (head + equals, value) if equals and head.startswith("--") else ("", lead)
    words = _words(text[: len(text) - len(lead) - len(raw)])
    last = words[-1] if words else ""
    option = last[2:] if last.startswith("--") and "=" not in last else ""
    return _Typed(words, lead[2:-1] if lead else option, raw, raw if at is None else raw[1:])


def _words(text: str) -> tuple[str, ...]:
    try:
        return tuple(split(text))
    except OptionError:
        return tuple(text.split())


def _open_quote(text: str) -> int | None:
    """Return the position of the quote that is not closed, or None."""
    if _closed(text):
        return None
    quotes = [at for at, char in enumerate(text) if char in "\"'"]
    return next((at for at in reversed(quotes) if _closed(text[:at])), None)


def _closed(text: str) -> bool:
    try:
        split(text)
    except OptionError:
        return False
    return True


def _answer(typed: _Typed, candidates: Candidates) -> dict[str, Any]:
    fitting = [
        SimpleCompletion(typed.written(text), type=about.translate(_UNBROKEN))
        for text, about in candidates
        if text.startswith(typed.value)
    ]
    return _only(fitting, typed.raw)


def _only(completions: list[SimpleCompletion], fragment: str) -> dict[str, Any]:
    """Return an answer that replaces a fragment and suppresses IPython's own candidates.

    Without candidates it has one that changes nothing: an empty answer would not suppress them.
    """
    return {
        "completions": completions or [SimpleCompletion(fragment, type="text")],
        "matched_fragment": fragment,
        "suppress": True,
        "ordered": True,
    }


def _in_prompt(before: str, after: str) -> dict[str, Any]:
    """Offer camera commands between brackets; names between braces are left to IPython, and only these."""
    if before.rfind("{") > before.rfind("}"):
        return {"completions": []}
    at = before.rfind("[")
    if at > before.rfind("]"):
        from hailuo_jupyter import catalogue  # it reads files

        fragment = before[max(at, before.rfind(",")) + 1 :].lstrip()
        end = "" if after.startswith("]") else "]"
        commands = [
            SimpleCompletion(f"{each}{end}", type="camera command".translate(_UNBROKEN))
            for each in catalogue.camera().commands
            if each.casefold().startswith(fragment.casefold())
        ]
        return _only(commands, fragment)
    word = re.search(r"\S*\Z", before)
    return _only([], word[0] if word else "")


def _of_options(typed: _Typed, options: Sequence[Option], sources: Sources) -> Candidates | None:
    """Return what may follow on an option line; None to leave it to IPython."""
    option = next((each for each in options if each.name == typed.option), None)
    if option is not None and option.takes is not Takes.NOTHING:
        return _values(option, typed.value, sources)
    written = {word[2:].partition("=")[0] for word in typed.words if word.startswith("--")}
    return [
        (f"--{each.name}", each.help)
        for each in options
        if each.takes is Takes.MANY or each.name not in written
    ]


def _values(option: Option, value: str, sources: Sources) -> Candidates | None:
    if option.takes is not Takes.FILE:
        return [(choice, option.help) for choice in option.choices]
    if value.rfind("{") > value.rfind("}"):
        return None  # a variable
    if option.convert is not value_of:
        return path_candidates.below(value, option.suffixes)
    if clip_source.is_run(value):
        return list(_clips(value, sources))
    found = path_candidates.below(value, option.suffixes)
    return [*found, *sources.pictures(), (clip_source.PREFIX, "frame of an earlier clip")]


def _clips(value: str, sources: Sources) -> Iterator[tuple[str, str]]:
    """Yield what may follow ``run:``: a run, and which frame of its clip."""
    head, at, _ = value.partition("@")
    if at:
        yield f"{head}@last", "last frame"
        yield f"{head}@first", "first frame"
        return
    for name, about in sources.runs():
        yield f"{clip_source.PREFIX}{name}@last", about


def _of_line(typed: _Typed, sources: Sources) -> Candidates | None:
    name, *rest = typed.words[1:] or ("",)
    if not name:
        return [(each, command.help) for each, command in COMMANDS.items()]
    command = COMMANDS.get(name)
    if command is None:
        return []
    options = options_of(name)
    valued = any(each.name == typed.option and each.takes is not Takes.NOTHING for each in options)
    first = all(word.startswith("--") for word in rest)
    if not typed.raw.startswith("-") and not valued:
        if command.takes_runs or (first and command.takes_run):
            return sources.runs()
        if first and command.takes_sweep:
            return sources.sweeps()
        if first and command.takes_provider:
            from hailuo_jupyter import catalogue

            return [(each.name, each.title) for each in catalogue.providers()]
    return _of_options(typed, options, sources)
