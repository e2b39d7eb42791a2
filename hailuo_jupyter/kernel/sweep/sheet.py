"""The contact sheet of a sweep: its runs in the shape of its grid, as one static bundle.

Rows are the first axis, columns the last; the axes between form groups of rows. Everything that a sheet
needs besides its records is in the output, so that it can be rendered again from a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from hailuo_jupyter.formatting import duration, escape_control, sentence
from hailuo_jupyter.kernel.display.bundle import MIME, line, templates
from hailuo_jupyter.kernel.display.run_view import RunView
from hailuo_jupyter.kernel.sweep.plan import spent
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog.row import took_s
from hailuo_jupyter.states import IN_FLIGHT, State

#: A single axis is shown across up to this many values, and down if it has more.
_ACROSS = 4

#: A larger sheet was not created by this package.
_MOST_CELLS, _MOST_AXES = 2000, 12


@dataclass(frozen=True)
class Cell:
    """One point of the grid.

    Parameters
    ----------
    at
        Its position on each axis, from 0.
    runs
        Ids of its runs.
    waits
        How many are still to be sent.
    problem
        Why they are not; empty if nothing blocks them.
    """

    at: tuple[int, ...]
    runs: tuple[str, ...]
    waits: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Sheet:
    """The data of a sweep's contact sheet.

    Parameters
    ----------
    sweep
        Its id.
    axes
        Name and values of each, in words.
    cells
        The points, in the order in which they are sent.
    hint
        A sentence on what blocks it, or when it may be done.
    sending
        Whether waiting runs are sent automatically.
    price
        The price of what is not sent, in words; empty if nothing is left or the rest is being sent.
    command
        A sentence on the command that sends the rest; the lab extension has a button instead.
    """

    sweep: str
    axes: tuple[tuple[str, tuple[str, ...]], ...]
    cells: tuple[Cell, ...]
    hint: str = ""
    sending: bool = False
    price: str = ""
    command: str = ""

    @property
    def runs(self) -> tuple[str, ...]:
        """The ids of all runs on the sheet, each once."""
        return tuple(dict.fromkeys(run_id for cell in self.cells for run_id in cell.runs))

    def as_json(self) -> dict[str, Any]:
        """Return the sheet as JSON for its output."""
        return {
            "id": self.sweep,
            **({"sending": True} if self.sending else {}),
            **({"price": self.price} if self.price else {}),
            "axes": [{"name": name, "values": list(values)} for name, values in self.axes],
            "cells": [
                {"at": list(cell.at), "runs": list(cell.runs)}
                | ({"waits": cell.waits} if cell.waits else {})
                | ({"problem": cell.problem} if cell.problem else {})
                for cell in self.cells
            ],
        }

    @classmethod
    def from_json(cls, found: Any) -> Sheet:
        """Parse the JSON of an output, which may be forged.

        Raises
        ------
        ValueError
            If it is not a sheet.
        """
        try:
            axes = tuple(
                (_label(axis["name"]), tuple(_label(value) for value in axis["values"]))
                for axis in found["axes"]
            )
            cells = tuple(
                Cell(
                    tuple(_number(each) for each in cell["at"]),
                    tuple(_text(each) for each in cell["runs"]),
                    _number(cell.get("waits", 0)),
                    _label(cell.get("problem", "")),
                )
                for cell in found["cells"]
            )
            sweep = _label(found["id"])
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("not a sweep's contact sheet") from error
        fits = all(
            len(cell.at) == len(axes)
            and all(index < len(values) for index, (_, values) in zip(cell.at, axes, strict=True))
            for cell in cells
        )
        places = 1
        for _, values in axes:
            places *= len(values)
        if not axes or not fits or len(axes) > _MOST_AXES or places > _MOST_CELLS:
            raise ValueError("not a sweep's contact sheet")
        return cls(sweep, axes, cells)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _label(value: object) -> str:
    """Return a text for display, with control characters escaped."""
    return escape_control(_text(value))


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError
    return value


@dataclass(frozen=True)
class SheetRow:
    """A row of the table: its head, and the content of each column."""

    head: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Group:
    """Rows under one heading; the heading is empty if there is only one group."""

    head: str
    rows: tuple[SheetRow, ...]


def bundle(sheet: Sheet, views: Mapping[str, RunView]) -> dict[str, Any]:
    """Build the bundle of a sweep's output; it is static, and always complete.

    Parameters
    ----------
    sheet
        The sheet.
    views
        Its runs, by id; missing ones are left out.
    """
    shown = [views[run_id] for run_id in sheet.runs if run_id in views]
    records = [json.loads(view.record_json) for view in shown]
    status, share = status_of(sheet, shown), _share(sheet, shown)
    columns, groups = table_of(sheet)
    names = {record.get("name") for record in records}
    name = escape_control(names.pop() or "") if len(names) == 1 else ""
    html = templates().get_template("sweep.html.j2").render(
        sheet=sheet, takes={view.run_id: _take(view) for view in shown}, status=status, share=share,
        columns=columns, groups=groups, corner=_corner(sheet), wide=_most_takes(sheet), name=name,
    )  # fmt: skip
    title = f"{name} ({sheet.sweep})" if name else sheet.sweep
    head = f"Hailuo {title}: {status} {sheet.command}".rstrip()
    text = "\n".join([head, *map(line, shown)])
    return {
        "text/plain": text,
        "text/html": html,
        MIME: {"sweep": sheet.as_json(), "runs": records},
    }


def resume_command(sweep_id: str) -> str:
    """Return the sentence on the command that sends the rest of a sweep."""
    return f"Use '%hailuo resume {sweep_id}' to submit the rest."


def _take(view: RunView) -> dict[str, Any]:
    """Return the content of a point for one run."""
    record = Record.from_json(view.record_json)
    took = took_s(record) if record.state is State.COMPLETED else None
    return {
        "run_id": view.run_id,
        "severity": view.severity,
        "state": view.state,
        "live": view.live,
        "clip": view.clip,
        "problem": view.problem,
        "rating": record.rating,
        "took": "" if took is None else duration(took),
    }


def _most_takes(sheet: Sheet) -> int:
    """Return how many takes a point has at most; they are side by side while there is room."""
    return max((len(cell.runs) + cell.waits for cell in sheet.cells), default=1) or 1


def _share(sheet: Sheet, shown: Sequence[RunView]) -> float:
    """Return which part of a sweep's runs is completed, in percent."""
    done = sum(view.clip is not None for view in shown)
    return round(100 * done / max(1, len(shown) + sum(cell.waits for cell in sheet.cells)), 1)


def status_of(sheet: Sheet, shown: Sequence[RunView]) -> str:
    """Return a sweep's status on one line: completed, running, waiting, failed, cost."""
    records = [Record.from_json(view.record_json) for view in shown]
    states = [record.state for record in records]
    done = states.count(State.COMPLETED)
    live = sum(view.live for view in shown)
    stuck = sum(
        state in IN_FLIGHT | {State.PREPARED} and not view.live
        for state, view in zip(states, shown, strict=True)
    )
    bad = sum(state in {State.FAILED, State.REJECTED, State.EXPIRED} for state in states)
    lost = states.count(State.UNCONFIRMED)
    waits = sum(cell.waits for cell in sheet.cells)
    blocked = sum(bool(cell.problem) for cell in sheet.cells)
    parts = [f"{done} of {len(shown) + waits} completed"]
    parts += [f"{live} running"] if live else []
    parts += [f"{stuck} not tracked or not sent"] if stuck else []
    parts += [f"{waits} {'waiting to be sent' if sheet.sending else 'not sent'}"] if waits else []
    parts += [f"{bad} failed"] if bad else []
    parts += [f"{lost} unconfirmed (may have been charged)"] if lost else []
    parts += [f"{blocked} blocked"] if blocked else []
    parts += [f"cost: {cost}"] if (cost := spent(records)) else []
    return sentence(", ".join(parts)) + (f" {sheet.hint}" if sheet.hint else "")


def table_of(sheet: Sheet) -> tuple[tuple[str, ...], tuple[Group, ...]]:
    """Return the column headings, and the groups of rows."""
    by_place = {cell.at: cell for cell in sheet.cells}
    if len(sheet.axes) == 1:
        ((name, values),) = sheet.axes
        if len(values) <= _ACROSS and name != "row":
            cells = tuple(by_place.get((i,)) for i in range(len(values)))
            return values, (Group("", (SheetRow("", cells),)),)
        rows = tuple(SheetRow(value, (by_place.get((i,)),)) for i, value in enumerate(values))
        return ("",), (Group("", rows),)
    first, *middle, last = sheet.axes
    groups = []
    for between in product(*(range(len(values)) for _, values in middle)):
        head = " · ".join(
            f"{name}: {values[i]}" for (name, values), i in zip(middle, between, strict=True)
        )
        rows = tuple(
            SheetRow(value, tuple(by_place.get((i, *between, j)) for j in range(len(last[1]))))
            for i, value in enumerate(first[1])
        )
        groups.append(Group(head, rows))
    return last[1], tuple(groups)


def _corner(sheet: Sheet) -> tuple[str, str]:
    """Return the names of the axes shown down and across."""
    if len(sheet.axes) == 1:
        ((name, values),) = sheet.axes
        return ("", name) if len(values) <= _ACROSS and name != "row" else (name, "")
    return sheet.axes[0][0], sheet.axes[-1][0]
