"""The contact sheet of a sweep: its runs in the shape of its grid, as one static bundle.

Rows are the first axis, columns the last; the axes between make groups of rows. All that a sheet
needs beside its records stands in the output, so that it can be drawn again from a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from hailuo_jupyter.kernel.bundle import MIME, line, templates
from hailuo_jupyter.kernel.sweep.total import spent
from hailuo_jupyter.kernel.view import RunView
from hailuo_jupyter.kernel.words import harmless, shortened, span
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog.schema import took_s
from hailuo_jupyter.states import IN_FLIGHT, State

#: One axis alone goes across up to so many values, and down if it has more.
_ACROSS = 4

#: A sheet that is larger was not drawn here.
_MOST_CELLS, _MOST_AXES = 2000, 12


@dataclass(frozen=True)
class Cell:
    """One place of the grid.

    Parameters
    ----------
    at
        Its place on each axis, from 0.
    runs
        Ids of the runs that stand there.
    waits
        How many more are still to be sent.
    problem
        Why they are not; empty if nothing stands in the way.
    """

    at: tuple[int, ...]
    runs: tuple[str, ...]
    waits: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Sheet:
    """A sweep as its sheet shows it.

    Parameters
    ----------
    sweep
        Its id.
    axes
        Name and values of each, in words.
    cells
        The places, in the order in which they are sent.
    said
        A sentence on what keeps it from going on, or when it may be done.
    sending
        Whether what waits is sent by itself.
    """

    sweep: str
    axes: tuple[tuple[str, tuple[str, ...]], ...]
    cells: tuple[Cell, ...]
    said: str = ""
    sending: bool = False

    @property
    def runs(self) -> tuple[str, ...]:
        """The ids of all runs that it shows, each once."""
        return tuple(dict.fromkeys(run_id for cell in self.cells for run_id in cell.runs))

    def as_json(self) -> dict[str, Any]:
        """Give it as its output holds it."""
        return {
            "id": self.sweep,
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
        """Read what an output holds, which may come from anybody.

        Raises
        ------
        ValueError
            If it is no sheet.
        """
        try:
            axes = tuple(
                (_text(axis["name"]), tuple(_text(value) for value in axis["values"]))
                for axis in found["axes"]
            )
            cells = tuple(
                Cell(
                    tuple(_number(each) for each in cell["at"]),
                    tuple(_text(each) for each in cell["runs"]),
                    _number(cell.get("waits", 0)),
                    _text(cell.get("problem", "")),
                )
                for cell in found["cells"]
            )
            sweep = _text(found["id"])
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("this is no sheet of a sweep") from error
        fits = all(
            len(cell.at) == len(axes)
            and all(at < len(values) for at, (_, values) in zip(cell.at, axes, strict=True))
            for cell in cells
        )
        places = 1
        for _, values in axes:
            places *= len(values)
        if not axes or not fits or len(axes) > _MOST_AXES or places > _MOST_CELLS:
            raise ValueError("this is no sheet of a sweep")
        return cls(sweep, axes, cells)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError
    return value


@dataclass(frozen=True)
class Row:
    """A row of the table: its head, and what stands in each column."""

    head: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Group:
    """Rows under one heading; it is empty where there is one group only."""

    head: str
    rows: tuple[Row, ...]


def bundle(sheet: Sheet, views: Mapping[str, RunView]) -> dict[str, Any]:
    """Make the bundle of a sweep's output; it is static, and complete at every moment.

    Parameters
    ----------
    sheet
        What stands where.
    views
        Its runs, by id; one that is missing is left out.
    """
    shown = [views[run_id] for run_id in sheet.runs if run_id in views]
    records = [json.loads(view.record_json) for view in shown]
    status = status_of(sheet, shown)
    columns, groups = table_of(sheet)
    html = templates().get_template("sweep.html.j2").render(
        sheet=sheet, takes={view.run_id: _take(view) for view in shown}, status=status,
        columns=columns, groups=groups, corner=_corner(sheet),
    )  # fmt: skip
    text = "\n".join([f"Hailuo {sheet.sweep}: {status}", *map(line, shown)])
    return {
        "text/plain": text,
        "text/html": html,
        MIME: {"sweep": sheet.as_json(), "runs": records},
    }


def _take(view: RunView) -> dict[str, Any]:
    """Give what a place shows of one run."""
    record = Record.from_json(view.record_json)
    took = took_s(record) if record.state is State.COMPLETED else None
    return {
        "run_id": view.run_id,
        "tone": view.tone,
        "state": view.state,
        "live": view.live,
        "clip": view.clip,
        "problem": view.problem,
        "rating": record.rating,
        "took": "" if took is None else span(took),
    }


def status_of(sheet: Sheet, shown: Sequence[RunView]) -> str:
    """Say on one line how a sweep stands: n completed, m going on, k failed, cost, what waits."""
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
    said = [f"{done} of {len(shown) + waits} completed"]
    said += [f"{live} going on"] if live else []
    said += [f"{stuck} not watched or not sent"] if stuck else []
    said += [f"{waits} {'waiting to be sent' if sheet.sending else 'not sent'}"] if waits else []
    said += [f"{bad} failed"] if bad else []
    said += [f"{lost} unconfirmed, maybe bought"] if lost else []
    said += [f"{blocked} place(s) held up"] if blocked else []
    said += [f"cost: {cost}"] if (cost := spent(records)) else []
    return ", ".join(said) + "." + (f" {sheet.said}" if sheet.said else "")


def table_of(sheet: Sheet) -> tuple[tuple[str, ...], tuple[Group, ...]]:
    """Give the heads of the columns, and the groups of rows."""
    at = {cell.at: cell for cell in sheet.cells}
    if len(sheet.axes) == 1:
        ((name, values),) = sheet.axes
        if len(values) <= _ACROSS and name != "row":
            cells = tuple(at.get((i,)) for i in range(len(values)))
            return values, (Group("", (Row("", cells),)),)
        rows = tuple(Row(value, (at.get((i,)),)) for i, value in enumerate(values))
        return ("",), (Group("", rows),)
    first, *middle, last = sheet.axes
    groups = []
    for between in product(*(range(len(values)) for _, values in middle)):
        head = " · ".join(
            f"{name}: {values[i]}" for (name, values), i in zip(middle, between, strict=True)
        )
        rows = tuple(
            Row(value, tuple(at.get((i, *between, j)) for j in range(len(last[1]))))
            for i, value in enumerate(first[1])
        )
        groups.append(Group(head, rows))
    return last[1], tuple(groups)


def _corner(sheet: Sheet) -> tuple[str, str]:
    """Give the names of what runs down and across."""
    if len(sheet.axes) == 1:
        ((name, values),) = sheet.axes
        return ("", name) if len(values) <= _ACROSS and name != "row" else (name, "")
    return sheet.axes[0][0], sheet.axes[-1][0]


def problem_words(text: str) -> str:
    """Give why a place is not sent, on one line."""
    return shortened(harmless(text), 300)
