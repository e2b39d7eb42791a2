"""The grid of a sweep: its axes, and the points that they span. Pure; nothing is sent."""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import Any, cast

from hailuo_jupyter.catalogue import unsupported_option_error
from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.formatting import escape_control, shorten
from hailuo_jupyter.kernel.cell_source import CELL_OPTIONS
from hailuo_jupyter.kernel.generate_options import DEFAULTS, GenerateOptions
from hailuo_jupyter.kernel.magic_args import Word
from hailuo_jupyter.kernel.prompt import fill
from hailuo_jupyter.kernel.sweep.rows import TableRow, canonical, has_value

#: Maximum points of a grid; more is probably a mistake.
MOST_POINTS = 400

#: The options of a request that can be varied, as a sweep names them, and their keys in `GenerateOptions`.
OPTIONS = {option.axis: option.key for option in CELL_OPTIONS if option.varies}

#: Those of them whose values are not text.
FRAMES, OPTIMIZER = ("image", "last-frame"), "optimizer"

#: The whole prompt as a variable; a blank prompt text means just this.
PROMPT = "prompt"

#: Name of the one axis of explicit rows.
ROW = "row"

_SWITCH = {"on": True, "true": True, "yes": True, "1": True,
           "off": False, "false": False, "no": False, "0": False}  # fmt: skip
_LABEL = 60


@dataclass(frozen=True)
class Axis:
    """One axis of the grid.

    Parameters
    ----------
    name
        An option of `OPTIONS`, or a variable of the prompt.
    values
        Its values, in order.
    """

    name: str
    values: tuple[Any, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The values for display: on one line, escaped, and all different."""
        texts = [label(value) for value in self.values]
        return tuple(
            f"{text} ({index + 1})" if texts.count(text) > 1 else text
            for index, text in enumerate(texts)
        )


@dataclass(frozen=True)
class Point:
    """One point of the grid.

    Parameters
    ----------
    position
        Its number, from 0, with the last axis varying fastest.
    at
        Its place on each axis, from 0.
    values
        Its values, by name.
    where
        Its origin, such as ``"Line 7 of grid.csv"``; empty for a point between axes.
    """

    position: int
    at: tuple[int, ...]
    values: Mapping[str, Any]
    where: str = ""

    def words(self) -> str:
        """Name it by its values."""
        return ", ".join(f"{name}={label(value)}" for name, value in self.values.items())


@dataclass(frozen=True)
class Grid:
    """Axes and points: every combination of the axes, or explicit rows on one axis."""

    axes: tuple[Axis, ...]
    points: tuple[Point, ...]

    @property
    def variables(self) -> frozenset[str]:
        """The names that are not options, so that the prompt has to contain them."""
        return frozenset(
            name for point in self.points for name in point.values if name not in OPTIONS
        )


def label(value: Any) -> str:
    """Return a value as text on one line."""
    if isinstance(value, Mapping):
        return shorten(", ".join(f"{name}={label(each)}" for name, each in value.items()), _LABEL)
    if isinstance(value, str | int | float | Path):
        text = value.name if isinstance(value, Path) else str(value)
    else:
        text = f"a {type(value).__name__}"
    return shorten(escape_control(text), _LABEL)


def written(word: str) -> tuple[str, tuple[str, ...]]:
    """Parse one ``name=a,b`` of an option line.

    Parameters
    ----------
    word
        As returned by `magic_args.split`: quoted values keep their commas.

    Returns
    -------
    name, values
        As written.

    Raises
    ------
    OptionError
        If it has no name or no values.
    """
    name, equals, _ = word.partition("=")
    name = name.strip()
    if not equals or not name:
        raise _wrong(
            f"--sweep {shorten(word, _LABEL)!a} isn't of the form NAME=VALUES.",
            'Examples: --sweep mode=standard,pro or --sweep style="ink wash","35mm film".',
        )
    whole = word if isinstance(word, Word) else Word(word.split(","))
    head = whole.parts[0].partition("=")[2]
    return name, tuple(part.strip() for part in (head, *whole.parts[1:]))


def spanned(axes: Iterable[tuple[str, Iterable[Any]]]) -> Grid:
    """Create a grid of axes.

    Parameters
    ----------
    axes
        Names with the values of each.

    Raises
    ------
    OptionError
        If an axis is empty or repeated, has a value twice, or the grid is too large.
    """
    made = tuple(_axis(name, values) for name, values in axes)
    if not made:
        raise _wrong("The sweep varies nothing.", "Specify what varies: mode=standard,pro.")
    names = [axis.name for axis in made]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise _wrong(f"{twice} was given twice.", "Keep one of the two.")
    total = math.prod(len(axis.values) for axis in made)
    _check_size(total)
    places = product(*(range(len(axis.values)) for axis in made))
    points = (
        Point(position, place, {a.name: a.values[i] for a, i in zip(made, place, strict=True)})
        for position, place in enumerate(places)
    )
    return Grid(made, tuple(points))


def listed(rows: Iterable[Mapping[Any, Any]]) -> Grid:
    """Return a grid of explicit rows; missing or empty values in a row are not set.

    Parameters
    ----------
    rows
        Each by column: an option of `OPTIONS`, a variable of the prompt, or ``prompt``.

    Raises
    ------
    OptionError
        If there is none, one is empty or not a mapping, or there are too many.
    """
    found: list[dict[str, Any]] = []
    where: list[str] = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise _wrong(f"Row {number} isn't a dict of named values.", "Give a list of dicts.")
        values = {
            canonical(str(name)): _whole(value) for name, value in row.items() if has_value(value)
        }
        if not values:
            raise _wrong(f"Row {number} is empty.", "Leave it out.")
        found.append(values)
        where.append(row.where if isinstance(row, TableRow) else f"Row {number}")
    if not found:
        raise _wrong("There are no rows.", "Give one row per request.")
    _check_size(len(found))
    names = dict.fromkeys(name for values in found for name in values)
    for name in names:
        _check_name(name)
    points = (Point(index, (index,), values, where[index]) for index, values in enumerate(found))
    shown = [name for name in names if len({repr(v.get(name)) for v in found}) > 1] or list(names)
    named = ({name: row[name] for name in shown if name in row} for row in found)
    return Grid((Axis(ROW, tuple(named)),), tuple(points))


def request_at(
    point: Point, common: GenerateOptions, prompt: str, namespace: Mapping[str, Any]
) -> tuple[str, GenerateOptions]:
    """Return the prompt and the options of one point.

    Parameters
    ----------
    point
        The point.
    common
        What all points share.
    prompt
        The text with its fields; blank means ``{prompt}``.
    namespace
        The notebook's variables, over which the point's own take precedence.

    Raises
    ------
    PromptError, OptionError
        If a field has no value, or an option has an invalid one.
    """
    text = fill(prompt if prompt.strip() else "{prompt}", {**namespace, **point.values})
    own = {
        OPTIONS[name]: _value(name, value)
        for name, value in point.values.items()
        if name in OPTIONS
    }
    return text, cast("GenerateOptions", {**common, **own})


def _value(name: str, value: Any) -> Any:
    if name == OPTIMIZER:
        return _switch(value)
    return value if name in FRAMES else str(value)


def shared(options: GenerateOptions) -> list[str]:
    """Return the names of variables that are set for all points instead of varied."""
    chosen = cast("Mapping[str, Any]", {**DEFAULTS, **options})
    defaults = cast("Mapping[str, Any]", DEFAULTS)
    return [name for name, key in OPTIONS.items() if chosen[key] is not defaults[key]]


def check(grid: Grid, prompt: str, taken: Iterable[str]) -> None:
    """Check a grid against the prompt and the options shared by all points.

    Parameters
    ----------
    grid
        The grid.
    prompt
        The text with its fields.
    taken
        Options that are set for all points.

    Raises
    ------
    OptionError
        If a name is neither an option nor in the prompt, or an option is given twice.
    """
    named = {name for point in grid.points for name in point.values}
    if both := sorted(named & set(taken)):
        raise _wrong(f"{both[0]} is varied and also given for all.", "Keep one of the two.")
    fields = _fields(prompt if prompt.strip() else "{prompt}")
    unused = sorted(grid.variables - fields)
    for error in filter(None, map(unsupported_option_error, unused)):
        raise error
    for name in unused:
        near = get_close_matches(name, [*OPTIONS, *fields], n=1)
        raise _wrong(
            f"{name} isn't an option, and the prompt has no {{{name}}}.",
            f"Did you mean {near[0]}?" if near else f"Options: {', '.join(OPTIONS)}.",
        )


def _fields(text: str) -> frozenset[str]:
    try:
        found = [name for _, name, _, _ in string.Formatter().parse(text) if name]
    except ValueError:
        return frozenset()  # filling in the text reports the error
    return frozenset(name.partition(".")[0].partition("[")[0] for name in found)


def _axis(name: str, values: Iterable[Any]) -> Axis:
    name = canonical(name)
    _check_name(name)
    if isinstance(values, str) or not isinstance(values, Iterable):
        values = (values,)
    found = tuple(values)
    if not found or not all(has_value(value) for value in found):
        raise _wrong(f"{name} has {'an empty value' if found else 'no values'}.",
                     "Give each value once, separated by commas.")  # fmt: skip
    if name == OPTIMIZER:
        found = tuple("on" if _switch(value) else "off" for value in found)
    for index, value in enumerate(found):
        if any(_same(value, other) for other in found[:index]):
            raise _wrong(
                f"{name} has the value {label(value)!a} twice.", "For several clips: --count."
            )
    return Axis(name, found)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str | int | float | Path) and isinstance(other, str | int | float | Path):
        return str(one) == str(other)
    return one is other


def _check_name(name: str) -> None:
    if name not in OPTIONS and not name.isidentifier():
        raise _wrong(
            f"{shorten(escape_control(name), _LABEL)!a} isn't an option or a valid variable name.",
            f"Options: {', '.join(OPTIONS)}.",
        )


def _whole(value: Any) -> Any:
    """Return a number as typed: pandas converts a column with an empty cell to floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _switch(value: Any) -> bool:
    found = value if isinstance(value, bool) else _SWITCH.get(str(value).strip().lower())
    if found is None:
        raise _wrong(f"optimizer is {label(value)!a}.", "Use on or off.")
    return found


def _check_size(points: int) -> None:
    if points > MOST_POINTS:
        raise _wrong(
            f"The grid has {points:,} points; the limit is {MOST_POINTS}.", "Make it smaller."
        )


def _wrong(what: str, todo: str) -> OptionError:
    return OptionError(what, money=NOTHING_SENT, todo=todo)
