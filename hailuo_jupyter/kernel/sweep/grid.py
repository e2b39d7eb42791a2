"""What a sweep varies: its axes, and the points of the grid that they span. Pure; nothing is sent."""

from __future__ import annotations

import csv
import math
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import Any

from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.kernel.generate import Wish
from hailuo_jupyter.kernel.options import Word
from hailuo_jupyter.kernel.prompt import fill
from hailuo_jupyter.kernel.words import harmless, shortened

#: Points that a grid may have; more is a slip of the pen sooner than a plan.
MOST_POINTS = 400

#: The options of a request that can be varied, as a sweep names them.
OPTIONS = ("provider", "mode", "resolution", "duration", "image", "last-frame", "optimizer")

#: The whole prompt as a variable of its own; a prompt text that is blank stands for just it.
PROMPT = "prompt"

#: Name of the one axis of explicit rows.
ROW = "row"

_SWITCH = {"on": True, "true": True, "yes": True, "1": True,
           "off": False, "false": False, "no": False, "0": False}  # fmt: skip
_LABEL = 60


@dataclass(frozen=True)
class Axis:
    """One thing that varies.

    Parameters
    ----------
    name
        An option of `OPTIONS`, or a variable of the prompt.
    values
        What it takes, in order.
    """

    name: str
    values: tuple[Any, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The values as they are shown: on one line, harmless, and no two the same."""
        said = [label(value) for value in self.values]
        return tuple(
            f"{text} ({at + 1})" if said.count(text) > 1 else text for at, text in enumerate(said)
        )


@dataclass(frozen=True)
class Point:
    """One place of the grid.

    Parameters
    ----------
    position
        Its number, from 0, with the last axis running fastest.
    at
        Its place on each axis, from 0.
    values
        What is given here, by name.
    """

    position: int
    at: tuple[int, ...]
    values: Mapping[str, Any]

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
        """The names given that are no options, so that the prompt has to have them."""
        return frozenset(
            name for point in self.points for name in point.values if name not in OPTIONS
        )


def label(value: Any) -> str:
    """Say a value on one line."""
    if isinstance(value, Mapping):
        return shortened(", ".join(f"{name}={label(each)}" for name, each in value.items()), _LABEL)
    if isinstance(value, str | int | float | Path):
        text = value.name if isinstance(value, Path) else str(value)
    else:
        text = f"a {type(value).__name__}"
    return shortened(harmless(text), _LABEL)


def written(word: str) -> tuple[str, tuple[str, ...]]:
    """Read one ``name=a,b`` of an option line.

    Parameters
    ----------
    word
        As `options.words_of` gives it: values between quotes keep their commas.

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
            f"--sweep {shortened(word, _LABEL)!a} names nothing to vary.",
            'Write it --sweep mode=standard,pro or --sweep style="ink wash","35mm film".',
        )
    whole = word if isinstance(word, Word) else Word(word.split(","))
    head = whole.parts[0].partition("=")[2]
    return name, tuple(part.strip() for part in (head, *whole.parts[1:]))


def spanned(axes: Iterable[tuple[str, Iterable[Any]]]) -> Grid:
    """Span a grid over axes.

    Parameters
    ----------
    axes
        Names with the values of each.

    Raises
    ------
    OptionError
        If an axis is empty, is there twice, holds a value twice, or the grid is too large.
    """
    made = tuple(_axis(name, values) for name, values in axes)
    if not made:
        raise _wrong("The sweep varies nothing.", "Name what varies: mode=standard,pro.")
    names = [axis.name for axis in made]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise _wrong(f"{twice} is varied twice.", "Keep one of the two.")
    total = math.prod(len(axis.values) for axis in made)
    _check_size(total)
    places = product(*(range(len(axis.values)) for axis in made))
    points = (
        Point(position, at, {a.name: a.values[i] for a, i in zip(made, at, strict=True)})
        for position, at in enumerate(places)
    )
    return Grid(made, tuple(points))


def listed(rows: Iterable[Mapping[Any, Any]]) -> Grid:
    """Make a grid of explicit rows; what is missing or empty in one is not given there.

    Parameters
    ----------
    rows
        Each by column: an option of `OPTIONS`, a variable of the prompt, or ``prompt``.

    Raises
    ------
    OptionError
        If there is none, one is empty or no mapping, or there are too many.
    """
    found: list[dict[str, Any]] = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise _wrong(f"Row {number} is no row of named values.", "Give a list of dicts.")
        values = {_name(str(name)): _whole(value) for name, value in row.items() if _given(value)}
        if not values:
            raise _wrong(f"Row {number} is empty.", "Leave it out.")
        found.append(values)
    if not found:
        raise _wrong("There are no rows.", "Give one for each request.")
    _check_size(len(found))
    names = dict.fromkeys(name for values in found for name in values)
    for name in names:
        _check_name(name)
    points = (Point(at, (at,), values) for at, values in enumerate(found))
    shown = [name for name in names if len({repr(v.get(name)) for v in found}) > 1] or list(names)
    said = ({name: row[name] for name in shown if name in row} for row in found)
    return Grid((Axis(ROW, tuple(said)),), tuple(points))


def rows_of(source: Any, base: Path) -> list[Mapping[Any, Any]]:
    """Give the rows that a DataFrame, a list of dicts or a CSV file holds.

    Parameters
    ----------
    source
        One of these; a text or path names a file.
    base
        Folder from which a relative path counts.

    Raises
    ------
    OptionError
        If it is none of them, or the file cannot be read.
    """
    if isinstance(source, str | Path):
        return _read_csv(base / Path(source).expanduser())
    if hasattr(source, "to_dict") and hasattr(source, "columns"):  # a DataFrame, without pandas
        return list(source.to_dict(orient="records"))
    if isinstance(source, Sequence) and not isinstance(source, bytes):
        return list(source)
    raise _wrong(
        f"A grid cannot be made of a {type(source).__name__}.",
        "Give a DataFrame, a list of dicts or the path of a CSV file.",
    )


def wish_at(point: Point, common: Wish, prompt: str, namespace: Mapping[str, Any]) -> Wish:
    """Make the wish of one point.

    Parameters
    ----------
    point
        Where.
    common
        What all points share.
    prompt
        The text with its fields; blank stands for ``{prompt}``.
    namespace
        The notebook's variables, which the point's own come before.

    Raises
    ------
    PromptError, OptionError
        If a field has no value, or an option has one that it cannot have.
    """
    values = point.values
    text = fill(prompt if prompt.strip() else "{prompt}", {**namespace, **values})
    options = {
        name: str(values[name]) if name in values else common.options.get(name)
        for name in ("mode", "resolution", "duration")
    }
    return replace(
        common,
        prompt=text,
        provider=str(values["provider"]) if "provider" in values else common.provider,
        options=options,
        image=values.get("image", common.image),
        last_image=values.get("last-frame", common.last_image),
        prompt_optimizer=_switch(values["optimizer"])
        if "optimizer" in values
        else common.prompt_optimizer,
        position=point.position,
    )


def check(grid: Grid, prompt: str, taken: Iterable[str]) -> None:
    """Check a grid against the prompt and the options that all of it shares.

    Parameters
    ----------
    grid
        The grid.
    prompt
        The text with its fields.
    taken
        Options that are given for all of it.

    Raises
    ------
    OptionError
        If a name is neither an option nor in the prompt, or an option is given twice.
    """
    named = {name for point in grid.points for name in point.values}
    if both := sorted(named & set(taken)):
        raise _wrong(f"{both[0]} is varied, and also given for all.", "Keep one of the two.")
    fields = _fields(prompt if prompt.strip() else "{prompt}")
    for name in sorted(grid.variables - fields):
        near = get_close_matches(name, [*OPTIONS, *fields], n=1)
        raise _wrong(
            f"{name} is varied, but it is no option that can be, and the prompt has no {{{name}}}.",
            f"Did you mean {near[0]}?" if near else f"Options: {', '.join(OPTIONS)}.",
        )


def _fields(text: str) -> frozenset[str]:
    try:
        found = [name for _, name, _, _ in string.Formatter().parse(text) if name]
    except ValueError:
        return frozenset()  # filling it in says what is wrong
    return frozenset(name.partition(".")[0].partition("[")[0] for name in found)


def _axis(name: str, values: Iterable[Any]) -> Axis:
    name = _name(name)
    _check_name(name)
    if isinstance(values, str) or not isinstance(values, Iterable):
        values = (values,)
    found = tuple(values)
    if not found or not all(_given(value) for value in found):
        raise _wrong(f"{name} has {'an empty value' if found else 'no values'}.",
                     "Give each value once, with commas between.")  # fmt: skip
    if name == "optimizer":
        found = tuple("on" if _switch(value) else "off" for value in found)
    for at, value in enumerate(found):
        if any(_same(value, other) for other in found[:at]):
            raise _wrong(
                f"{name} has the value {label(value)!a} twice.", "For several clips: --count."
            )
    return Axis(name, found)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str | int | float | Path) and isinstance(other, str | int | float | Path):
        return str(one) == str(other)
    return one is other


def _name(name: str) -> str:
    name = name.strip()
    known = {"last_frame": "last-frame", "last_image": "last-frame",
             "prompt_optimizer": "optimizer"}  # fmt: skip
    return known.get(name, name)


def _check_name(name: str) -> None:
    if name not in OPTIONS and not name.isidentifier():
        raise _wrong(
            f"{shortened(harmless(name), _LABEL)!a} is no option, and can be no variable of a prompt.",
            f"Options: {', '.join(OPTIONS)}.",
        )


def _given(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    # pandas' empty cells; a picture or an array is compared with nothing.
    empty = isinstance(value, float) and math.isnan(value)
    return value is not None and not empty and type(value).__name__ not in {"NAType", "NaTType"}


def _whole(value: Any) -> Any:
    """Give a number as it was typed: pandas makes floats of a column with an empty cell."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _switch(value: Any) -> bool:
    found = value if isinstance(value, bool) else _SWITCH.get(str(value).strip().lower())
    if found is None:
        raise _wrong(f"optimizer is {label(value)!a}.", "It is on or off.")
    return found


def _check_size(points: int) -> None:
    if points > MOST_POINTS:
        raise _wrong(
            f"The grid has {points:,} points; {MOST_POINTS} are the most.", "Make it smaller."
        )


def _read_csv(path: Path) -> list[Mapping[Any, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", strict=True)
            rows: list[Mapping[Any, Any]] = []
            for row in reader:
                if row.get(""):
                    raise _wrong(
                        f"Line {reader.line_num} of {path.name} has more values than names.", ""
                    )
                rows.append({name: value for name, value in row.items() if name})
                _check_size(len(rows))
            return rows
    except (OSError, ValueError, csv.Error) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise _wrong(
            f"{path.name} cannot be read as CSV: {harmless(why)}.",
            "Give a UTF-8 file whose first line names the columns.",
        ) from error


def _wrong(what: str, todo: str) -> OptionError:
    return OptionError(what, money=NOTHING_SENT, todo=todo)
