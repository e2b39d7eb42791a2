"""The option line of ``%%hailuo`` and ``%hailuo``: its words, its options, its help."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum, auto
from typing import Any, Self

from hailuo_jupyter.errors import LINE, NOTHING_SENT, OptionError
from hailuo_jupyter.kernel.prompt import fill

#: Longest usage of an option in help.
_WIDEST = 34


class Takes(Enum):
    """The kinds of option values."""

    NOTHING = auto()
    VALUE = auto()
    MANY = auto()  # a value, and the option may be repeated
    FILE = auto()  # a value that is a path, a URL or a {variable}


@dataclass(frozen=True)
class Option:
    """One option of an option line.

    Parameters
    ----------
    name
        Without dashes.
    takes
        The kind of its value.
    help
        One line.
    metavar
        Placeholder for its value in help.
    choices
        Its values, if there are only a few.
    key
        The key of `hailuo_jupyter.kernel.generate_options.GenerateOptions` that it sets; empty for an option
        of the line alone.
    convert
        Converts its text and the notebook's variables to its value.
    sets
        The value of a flag.
    varies
        Whether it is part of the request, so that a sweep can vary it.
    suffixes
        Endings of the files that Tab offers, besides folders.
    """

    name: str
    takes: Takes
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    key: str = ""
    convert: Callable[[str, Mapping[str, Any]], Any] = fill
    sets: bool = True
    varies: bool = False
    suffixes: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """Its usage text."""
        value = "|".join(self.choices) or self.metavar
        return f"--{self.name}" + (f" {value}" if self.takes is not Takes.NOTHING else "")

    @property
    def axis(self) -> str:
        """Its name as the axis of a sweep."""
        return self.name.removeprefix("no-")


#: Every cell and command has it.
HELP = Option("help", Takes.NOTHING, "show this help (same as -h)")


@dataclass(frozen=True)
class OptionLine:
    """A parsed option line: values by option, and the words that belong to no option."""

    values: Mapping[str, str | bool | tuple[str, ...]] = field(default_factory=dict)
    words: tuple[str, ...] = ()

    def text(self, name: str) -> str | None:
        """Return an option's value; None if not set."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def many(self, name: str) -> tuple[str, ...]:
        """Return the values of an option that may be repeated."""
        value = self.values.get(name)
        return value if isinstance(value, tuple) else ()

    def flag(self, name: str) -> bool:
        """Return whether a flag is set."""
        return self.values.get(name) is True


class Word(str):
    """A word of an option line, with its parts between unquoted commas."""

    __slots__ = ("parts",)
    parts: tuple[str, ...]

    def __new__(cls, parts: Sequence[str]) -> Self:
        """Return the word made of its parts."""
        made = super().__new__(cls, ",".join(parts))
        made.parts = tuple(parts)
        return made

    def without(self, head: str) -> Word:
        """Return the word without a prefix of its first part."""
        return Word((self.parts[0].removeprefix(head), *self.parts[1:]))


def split(line: str) -> list[Word]:
    """Split an option line into words.

    Quotes, single or double, keep spaces together and are removed; a backslash stays, since it
    belongs to Windows paths. ``"a b"`` and ``--note="a b"`` both mean ``a b``. Within quotes the
    same quote written twice stands for itself: ``'it''s so'`` means ``it's so``. In a list such as
    ``style="ink wash","35mm film"`` each value may have its own quotes, which also protect commas.

    Raises
    ------
    OptionError
        If a quote is not closed.
    """
    words: list[Word] = []
    parts: list[str] = []
    word, quote, started, equals = "", "", False, False
    rest = iter(enumerate(line, 1))
    for position, char in rest:
        if quote:
            if char != quote:
                word += char
            elif line[position : position + 1] == quote:
                word += char
                next(rest)
            else:
                quote = ""
        elif char in "\"'" and (word.endswith("=") or (not word and (equals or not parts))):
            # A quote inside a word is an apostrophe.
            quote, started = char, True
        elif char.isspace():
            if word or started or parts:
                words.append(Word([*parts, word]))
            parts, word, started, equals = [], "", False, False
        elif char == ",":
            parts.append(word)
            word = ""
        else:
            word, equals = word + char, equals or char == "="
    if quote:
        raise OptionError(
            f"Unclosed quote {quote} on the first line.",
            money=NOTHING_SENT,
            todo="Close or remove it; only values with spaces need quotes.",
        )
    if word or started or parts:
        words.append(Word([*parts, word]))
    return words


def quoted(value: str) -> str:
    """Quote a value so that `split` returns it as one word.

    Raises
    ------
    OptionError
        If it contains a line break: the option line is one line.
    """
    if value.splitlines() not in ([], [value]):
        raise OptionError(
            f"The value {value[:40]!a} contains a line break.",
            money=NOTHING_SENT,
            todo="Write it on one line.",
        )
    # A lone backslash at the line's end would continue the line.
    if value not in {"", "\\"} and not any(char.isspace() or char in "\"'" for char in value):
        return value
    quote = "'" if '"' in value and "'" not in value else '"'
    return quote + value.replace(quote, quote * 2) + quote


def continued(line: str, cell: str) -> tuple[str, str]:
    """Return a cell's whole option line, and the text below it.

    A line that ends with a space and a backslash continues on the next one. A backslash that ends a word,
    such as a Windows folder, does not count.

    Parameters
    ----------
    line
        What follows the magic's name on its line.
    cell
        The lines below.

    Raises
    ------
    OptionError
        If no line follows.
    """
    while goes_on(line):
        if not cell.strip():
            raise OptionError(
                "The option line ends with a backslash, but no line follows.",
                money=NOTHING_SENT,
                todo="Remove the backslash.",
            )
        below, _, cell = cell.partition("\n")
        line = f"{line.rstrip()[:-1]}{below.strip()}"
    return line, cell


def goes_on(line: str) -> bool:
    """Return whether an option line continues on the next one."""
    return line.rstrip() == "\\" or re.search(r"\s\\\s*$", line) is not None


def parse_line(words: Sequence[str], options: Sequence[Option]) -> OptionLine:
    """Parse the words of an option line.

    Parameters
    ----------
    words
        As `split` returns them.
    options
        The valid options.

    Raises
    ------
    OptionError
        For an unknown option (the closest one is named), one that lacks its value or
        has one too many, a value that is not among the choices, and a repeated one.
    """
    by_name = {option.name: option for option in options}
    values: dict[str, str | bool | tuple[str, ...]] = {}
    rest: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("--") or word == "--":
            rest.append(word)
            continue
        name, has_value, value = word[2:].partition("=")
        if isinstance(word, Word):
            value = word.without(f"--{name}=")
        option = by_name.get(name)
        if option is None:
            raise _unknown_option(name, by_name)
        if option.takes is Takes.NOTHING:
            if has_value:
                raise OptionError(f"--{name} takes no value.", money=NOTHING_SENT)
            values[name] = True
            continue
        if not has_value:
            if not queue or queue[0].startswith("--"):
                raise OptionError(f"--{name} needs a value: {option.usage}.", money=NOTHING_SENT)
            value = queue.pop(0)
        if option.takes is Takes.MANY:
            values[name] = (*(values.get(name) or ()), value)  # type: ignore[misc]
        elif name in values:
            raise OptionError(f"--{name} was given twice.", money=NOTHING_SENT, todo="Keep one.")
        else:
            values[name] = value
    return OptionLine(values, tuple(rest))


def _unknown_option(name: str, names: Collection[str]) -> OptionError:
    from hailuo_jupyter.catalogue import (
        unsupported_option_error,  # loaded for errors only
    )

    return unsupported_option_error(name) or unknown(f"--{name}", [f"--{each}" for each in names])


def unknown(typed: str, valid: Sequence[str]) -> OptionError:
    """Return the error for an unknown word, with the closest known one."""
    near = get_close_matches(typed, valid, n=1, cutoff=0.5)
    return OptionError(
        f"Unknown {'option' if typed.startswith('--') else 'command'} {typed}.",
        money=NOTHING_SENT,
        todo=f"Did you mean {near[0]}?" if near else f"Available: {', '.join(valid)}.",
    )


def whole_number(name: str, value: str | None, default: int, *, most: int) -> int:
    """Read a whole number from 1 to `most`.

    Raises
    ------
    OptionError
        If it is anything else.
    """
    if value is None:
        return default
    if value.isdecimal() and 1 <= int(value) <= most:
        return int(value)
    raise OptionError(
        f"--{name} must be a whole number from 1 to {most}, not {value!r}.",
        money=NOTHING_SENT,
    )


def asks_for_help(words: Sequence[str]) -> bool:
    """Return whether the words of an option line ask for help: by ``--help``, or ``-h`` as the first one."""
    return f"--{HELP.name}" in words or list(words[:1]) == ["-h"]


def help_text(usage: str, options: Sequence[Option]) -> str:
    """Return the help of a magic: its usage, and a line for each option."""
    rows = [_row(option) for option in options]
    width = max((len(usage) for usage, _ in rows), default=0)
    lines = [usage, "", "Options:"]
    for head, text in rows:
        first, *more = textwrap.wrap(text, LINE - width - 4, break_on_hyphens=False)
        lines.append(f"  {head:<{width}}  {first}")
        lines += [f"  {'':<{width}}  {line}" for line in more]
    return "\n".join(lines)


def _row(option: Option) -> tuple[str, str]:
    """Return an option as it is in help: its usage, and its line; many choices are in the latter."""
    if len(option.usage) <= _WIDEST:
        return option.usage, option.help
    numbers = all(each.isdecimal() for each in option.choices)
    choices = ", ".join(sorted(option.choices, key=int) if numbers else option.choices)
    return f"--{option.name} {option.metavar}", f"{option.help}. {option.metavar} is {choices}."
