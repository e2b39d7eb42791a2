"""The contact sheet's shape, what it takes from a file, and what it makes of hostile text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.formatting import escape_control
from hailuo_jupyter.kernel.display.bundle import MIME
from hailuo_jupyter.kernel.sweep.plan import total_cost
from hailuo_jupyter.kernel.sweep.sheet import Cell, Sheet, bundle, table_of

#: As a sweep writes them.
LABELS = st.text().map(escape_control)

AXES = (("mode", ("standard", "pro")), ("shot", ("wide",)), ("style", ("ink", "film", "oil")))


def sheet_of(axes: Any, **more: Any) -> Sheet:
    from itertools import product

    places = product(*(range(len(values)) for _, values in axes))
    return Sheet("sweep-abc", axes, tuple(Cell(at, ()) for at in places), **more)


def test_rows_are_the_first_axis_columns_the_last() -> None:
    columns, groups = table_of(sheet_of(AXES))
    assert columns == ("ink", "film", "oil")
    assert [group.head for group in groups] == ["shot: wide"]
    assert [row.head for row in groups[0].rows] == ["standard", "pro"]
    assert [cell and cell.at for cell in groups[0].rows[1].cells] == [
        (1, 0, 0),
        (1, 0, 1),
        (1, 0, 2),
    ]


@pytest.mark.parametrize(("count", "rows"), [(3, 1), (4, 1), (5, 5)])
def test_one_axis_goes_across_while_it_is_short(count: int, rows: int) -> None:
    _, (group,) = table_of(sheet_of((("style", tuple("abcdef"[:count])),)))
    assert len(group.rows) == rows


def test_explicit_rows_go_down() -> None:
    _, (group,) = table_of(sheet_of((("row", ("a", "b")),)))
    assert [row.head for row in group.rows] == ["a", "b"]


@given(
    st.lists(st.tuples(LABELS, st.lists(LABELS, min_size=1, max_size=3)), min_size=1, max_size=3)
)
def test_a_sheet_survives_its_output(axes: list[tuple[str, list[str]]]) -> None:
    sheet = sheet_of(tuple((name, tuple(values)) for name, values in axes))
    assert Sheet.from_json(json.loads(json.dumps(sheet.as_json()))) == sheet


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        {},
        {"id": "x", "axes": [], "cells": []},
        {"id": 1, "axes": [{"name": "a", "values": ["b"]}], "cells": []},
        {"id": "x", "axes": [{"name": "a", "values": ["b"]}], "cells": [{"at": [1], "runs": []}]},
        {"id": "x", "axes": [{"name": "a", "values": ["b"]}], "cells": [{"at": [-1], "runs": []}]},
        {"id": "x", "axes": [{"name": "a", "values": ["b"]}], "cells": [{"at": ["0"], "runs": []}]},
        {"id": "x", "axes": [{"name": "a", "values": ["b"] * 99}] * 3, "cells": []},
    ],
)
def test_what_is_no_sheet_is_refused(found: Any) -> None:
    with pytest.raises(ValueError, match="not a sweep"):
        Sheet.from_json(found)


def test_takes_have_room_beside_each_other_and_a_bar_shows_how_far_it_is() -> None:
    cells = (Cell((0, 0), (), waits=2), Cell((0, 1), (), waits=2))
    axes = (("mode", ("standard",)), ("style", ("ink", "film")))
    html = bundle(Sheet("sweep-abc", axes, cells, sending=True), {})["text/html"]
    assert html.count("Waiting to be sent") == 4
    assert f"max-width: {2 * 2 * 232 + 88}px" in html
    assert "width: 0.0%" in html


def test_foreign_text_stays_text() -> None:
    evil = "<script>alert(1)</script>\" onerror='x'"
    sheet = Sheet(
        evil, ((evil, (evil,)), (evil, (evil, "b"))), (Cell((0, 0), (), 1, evil),), hint=evil
    )
    data = bundle(sheet, {})
    assert "<script" not in data["text/html"]
    assert "onerror='" not in data["text/html"]
    assert 'class="hailuo-grid"' in data["text/html"]
    assert data[MIME]["runs"] == []


def test_a_total_says_what_it_does_not_know() -> None:
    prices = [(0.29, 0.3875, "inferred", 8), (None, None, "unknown", 2), (0.0, 0.0, "free", 1)]
    assert total_cost(prices).words == ("$2.32–3.10 est., 2 at an unknown price, 1 free (demo)")
    mixed = [(0.3, 0.3, "inferred", 1), (0.3, 0.3, "published", 1), (0.1, 0.1, "inferred", 1)]
    assert total_cost(mixed).words == "$0.70 (estimate and published)"
    assert total_cost([(0.3, 0.3, "published", 1)]).words == "$0.30 (published)"
    assert total_cost([(0.0, 0.0, "free", 3)]).words == "free (demo)"
    assert total_cost([]).words == "nothing"
