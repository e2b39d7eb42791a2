"""The rows of a grid: from a DataFrame, a list of dicts or a CSV file."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hailuo_jupyter import home, path_hints
from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.formatting import escape_control, shorten
from hailuo_jupyter.merge_conflict import conflict_line

_SEPARATORS = ",;\t"

#: The name that pandas gives a column without a name, such as its own index in a file.
_UNNAMED = re.compile(r"(Unnamed: \d+)?")


class TableRow(dict[str, Any]):
    """A row, by column, with its origin: ``"Line 7 of grid.csv"``."""

    where: str = ""


class _Line(NamedTuple):
    """One record of a CSV file, and the number of its first line."""

    number: int
    values: list[str]


def rows_of(source: Any, base: Path) -> list[Mapping[Any, Any]]:
    """Return the rows of a DataFrame, a list of dicts or a CSV file.

    Rows without a value are skipped in a table, and so is the index that pandas writes as a first column
    without a name.

    Parameters
    ----------
    source
        One of these; text or a path is a file's path.
    base
        Folder to which a relative path refers.

    Raises
    ------
    OptionError
        If it is none of these, the file is unreadable, a column has no name, or two have the same.
    """
    if isinstance(source, str | Path):
        path = base / home.expand(source)
        return [*_from_csv(_text_of(path, path_hints.hint(source, base)), path.name)]
    if hasattr(source, "to_dict") and hasattr(source, "columns"):  # a DataFrame, without pandas
        return [*_from_table(source)]
    if isinstance(source, Sequence) and not isinstance(source, bytes):
        return list(source)
    raise _wrong(
        f"Can't make a grid from a {type(source).__name__}.",
        "Pass a DataFrame, a list of dicts or the path of a CSV file.",
    )


def canonical(name: str) -> str:
    """Return the grid's name of a column or an axis."""
    name = name.strip()
    names = {"last_frame": "last-frame", "last_image": "last-frame",
             "prompt_optimizer": "optimizer"}  # fmt: skip
    return names.get(name, name)


def has_value(value: Any) -> bool:
    """Return whether a cell of a table has a value."""
    if isinstance(value, str):
        return bool(value.strip())
    # pandas' empty cells; pictures and arrays must not be compared.
    empty = isinstance(value, float) and value != value  # noqa: PLR0124 - not a number
    return value is not None and not empty and type(value).__name__ not in {"NAType", "NaTType"}


def _from_table(table: Any) -> Iterator[TableRow]:
    names = [str(name) for name in table.columns]
    values = list(table.itertuples(index=False, name=None))
    columns = _columns(names, values, "the DataFrame", "")
    for number, row in enumerate(values, 1):
        if made := _row(columns, row):
            made.where = f"TableRow {number} of the DataFrame"
            yield made


def _from_csv(text: str, file: str) -> Iterator[TableRow]:
    if number := conflict_line(text):
        raise _wrong(
            f"{file} has an unresolved merge conflict in line {number}.",
            "Keep one of both versions, and remove the lines with <<<<<<<, ======= and >>>>>>>.",
        )
    separator, skipped = _separator(text)
    lines = list(_lines(text, separator, skipped, file))
    if not lines:
        return
    (line_number, names), body = lines[0], lines[1:]
    for number, values in body:
        if any(map(has_value, values[len(names) :])):
            raise _wrong(
                f"Line {number} of {file} has {len(values)} values for {len(names)} columns.",
                f"Put a value that has {_SAID[separator]} in it in quotes.",
            )
    columns = _columns(names, [values for _, values in body], file, f"line {line_number}")
    for number, values in body:
        if made := _row(columns, values):
            made.where = f"Line {number} of {file}"
            yield made


_SAID = {",": "a comma", ";": "a semicolon", "\t": "a tab"}


def _lines(text: str, separator: str, skipped: int, file: str) -> Iterator[_Line]:
    """Read records; those without a value are skipped."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number = 1
    try:
        for values in reader:
            if number > skipped and any(map(has_value, values)):
                yield _Line(number, values)
            number = reader.line_num + 1
    except csv.Error as error:
        raise _wrong(
            f"Line {number} of {file} isn't valid CSV: {escape_control(str(error))}.",
            "Look for an unclosed quote; write a literal quote twice.",
        ) from error


def _separator(text: str) -> tuple[str, int]:
    """Return the delimiter, and the number of leading lines that only declare it, as Excel writes them."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    if found := re.fullmatch(r"sep=([,;\t])", first, re.IGNORECASE):
        return found[1], text[: text.index(first)].count("\n") + 1
    bare = re.sub(r'"[^"]*"', "", first)
    return max(_SEPARATORS, key=bare.count), 0


def _columns(
    names: Sequence[str], rows: Sequence[Sequence[Any]], table: str, place: str
) -> dict[int, str]:
    """Return the names of the columns by their positions, without empty ones.

    Raises
    ------
    OptionError
        If one with values has no name, or two have the same.
    """
    found: dict[int, str] = {}
    for index, name in enumerate(map(canonical, names)):
        if not _UNNAMED.fullmatch(name):
            if name in found.values():
                raise _wrong(
                    f"{table} has two columns {shorten(escape_control(name), 40)!a}.",
                    "Rename or remove one of them.",
                )
            found[index] = name
            continue
        values = [row[index] for row in rows if index < len(row) and has_value(row[index])]
        is_index = index == 0 and all(re.fullmatch(r"\d+", str(value)) for value in values)
        if values and not is_index:
            raise _wrong(
                f"Column {index + 1} of {table} has values but no name.",
                (f"Name it in {place}, or remove it" if place else "Name it, or remove it")
                + "; in pandas, to_csv(path, index=False) omits the index.",
            )
    return found


def _row(columns: Mapping[int, str], values: Sequence[Any]) -> TableRow:
    return TableRow(
        (name, values[index])
        for index, name in columns.items()
        if index < len(values) and has_value(values[index])
    )


def _text_of(path: Path, hint: str) -> str:
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise _wrong(
            f"{path.name} cannot be read: {escape_control(why)}.",
            hint or "Use the path of a CSV file with column names in its first line.",
        ) from error
    utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _wrong(
            f"{path.name} is not in UTF-8 (line {line}).",
            "Save it as UTF-8; Excel calls that 'CSV UTF-8'.",
        ) from error


def _wrong(what: str, todo: str) -> OptionError:
    return OptionError(what, money=NOTHING_SENT, todo=todo)
