"""The option line of ``%%hailuo`` and ``%hailuo``: its words, its options, its help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum, auto
from typing import Self

from hailuo_jupyter.errors import NOTHING_SENT, OptionError


class Takes(Enum):
    """What follows an option."""

    NOTHING = auto()
    VALUE = auto()
    MANY = auto()  # a value, and the option may be repeated
    FILE = auto()  # a value that is a path, a URL or a {variable}


@dataclass(frozen=True)
class Option:
    """One option: its name without dashes, what follows it, and one line of help."""

    name: str
    takes: Takes
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """How it is written."""
        value = "|".join(self.choices) or self.metavar
        return f"--{self.name}" + (f" {value}" if self.takes is not Takes.NOTHING else "")


@dataclass(frozen=True)
class Line:
    """A read option line: values by option, and the words that belong to no option."""

    values: Mapping[str, str | bool | tuple[str, ...]] = field(default_factory=dict)
    words: tuple[str, ...] = ()

    def text(self, name: str) -> str | None:
        """Give an option's value; None where it was not written."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def many(self, name: str) -> tuple[str, ...]:
        """Give the values of an option that may be repeated."""
        value = self.values.get(name)
        return value if isinstance(value, tuple) else ()

    def flag(self, name: str) -> bool:
        """Tell whether an option that takes nothing was written."""
        return self.values.get(name) is True


class Word(str):
    """A word of an option line, which knows its parts between the commas that no quotes held."""

    __slots__ = ("parts",)
    parts: tuple[str, ...]

    def __new__(cls, parts: Sequence[str]) -> Self:
        """Make the word of its parts, one or more."""
        made = super().__new__(cls, ",".join(parts))
        made.parts = tuple(parts)
        return made

    def without(self, head: str) -> Word:
        """Give the word without its beginning, which lies within its first part."""
        return Word((self.parts[0].removeprefix(head), *self.parts[1:]))


def words_of(line: str) -> list[Word]:
    """Split an option line into words.

    Quotes, single or double, keep spaces together and are taken off; a backslash stays, since it
    belongs to Windows paths. ``"a b"`` and ``--note="a b"`` both hold ``a b``. Within quotes the
    same quote written twice stands for itself: ``'it''s so'`` holds ``it's so``. In a list such as
    ``style="ink wash","35mm film"`` each value may have quotes of its own, which keep its commas too.

    Raises
    ------
    OptionError
        If a quote is not closed.
    """
    words: list[Word] = []
    parts: list[str] = []
    word, quote, started, equals = "", "", False, False
    rest = iter(enumerate(line, 1))
    for at, char in rest:
        if quote:
            if char != quote:
                word += char
            elif line[at : at + 1] == quote:
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
            f"The quote {quote} on the option line is not closed.",
            money=NOTHING_SENT,
            todo="Close it, or leave it out: only values with spaces need quotes.",
        )
    if word or started or parts:
        words.append(Word([*parts, word]))
    return words


def quoted(value: str) -> str:
    """Write a value so that `words_of` gives it back as one word.

    Raises
    ------
    OptionError
        If it holds a line break: the option line is one line.
    """
    if value.splitlines() not in ([], [value]):
        raise OptionError(
            f"The value {value[:40]!a} has a line break, and the option line is one line.",
            money=NOTHING_SENT,
            todo="Write it on one line.",
        )
    if value and not any(char.isspace() or char in "\"'" for char in value):
        return value
    quote = "'" if '"' in value and "'" not in value else '"'
    return quote + value.replace(quote, quote * 2) + quote


def read(words: Sequence[str], options: Sequence[Option]) -> Line:
    """Read the words of an option line.

    Parameters
    ----------
    words
        As `words_of` gives them.
    options
        The options there are.

    Raises
    ------
    OptionError
        For an option that does not exist (the closest one is named), one that lacks its value or
        has one too many, a value that is not among the choices, and one written twice.
    """
    known = {option.name: option for option in options}
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
        option = known.get(name)
        if option is None:
            raise unknown(f"--{name}", [f"--{each}" for each in known])
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
            raise OptionError(f"--{name} is written twice.", money=NOTHING_SENT, todo="Keep one.")
        else:
            values[name] = value
    return Line(values, tuple(rest))


def unknown(typed: str, known: Sequence[str]) -> OptionError:
    """Give the error for a word that does not exist, with the closest one that does."""
    near = get_close_matches(typed, known, n=1, cutoff=0.5)
    return OptionError(
        f"There is no {typed}.",
        money=NOTHING_SENT,
        todo=f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}.",
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
        f"--{name} is {value!r}, and has to be a whole number from 1 to {most}.",
        money=NOTHING_SENT,
    )


def help_text(usage: str, options: Sequence[Option]) -> str:
    """Give the help of a magic: how it is written, and a line for each option."""
    width = max(len(option.usage) for option in options)
    width = min(width, 34)
    lines = [usage, "", "Options:"]
    lines += [f"  {option.usage:<{width}}  {option.help}" for option in options]
    return "\n".join(lines)
