"""References in outputs to records in the notebook's metadata: who writes them, and what they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.ids import Notebook
from hailuo_jupyter.kernel.comm_messages import Hello, ShownOutput
from hailuo_jupyter.kernel.display.bundle import MIME, bundle
from hailuo_jupyter.kernel.open_notebooks import OpenNotebooks
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.reference import is_reference, with_references
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import State
from tests.support.sample_rows import shown, shown_row

ROW = shown_row(State.COMPLETED, rating=4)
RECORD = json.loads(ROW.record_json)
REFERENCE = {
    "reference": True, "run_id": ROW.run_id, "revision": ROW.revision, "state": "completed",
    "rating": 4, "clip": {"duration_s": 6.0, "path": RECORD["clip"]["path"]},
}  # fmt: skip


def test_no_record_is_taken_for_a_reference_nor_a_reference_for_a_record() -> None:
    assert is_reference(REFERENCE)
    assert "reference" not in RECORD
    for other in (RECORD, {**RECORD, "reference": "yes"}, {"reference": 1}, None, [], "reference"):
        assert not is_reference(other)
    with pytest.raises(ValueError, match="its schema is None"):
        Record.from_json(json.dumps(REFERENCE))


@pytest.mark.parametrize("ahead", [0, 3])
def test_a_record_that_the_metadata_has_becomes_a_reference(ahead: int) -> None:
    assert with_references(RECORD, {ROW.run_id: ROW.revision + ahead}) == REFERENCE


@pytest.mark.parametrize("known", [{}, {ROW.run_id: ROW.revision - 1}, {"another": 99}])
def test_any_other_record_stays_whole(known: dict[str, int]) -> None:
    assert with_references(RECORD, known) == RECORD


def test_what_else_an_output_holds_stays() -> None:
    other = json.loads(shown_row(State.GENERATING).record_json)
    held = {"compare": True, "runs": [RECORD, other]}
    known = {ROW.run_id: ROW.revision, other["run_id"]: other["revision"]}
    found = with_references(held, known)
    assert found["compare"] is True
    assert found["runs"][0] == REFERENCE
    assert found["runs"][1] == {
        "reference": True, "run_id": other["run_id"], "revision": other["revision"],
        "state": "generating", "rating": None, "clip": None,
    }  # fmt: skip
    assert held["runs"] == [RECORD, other]


class _Log:
    """A log with one run."""

    def recent(self, *_: object, **__: object) -> list[Row]:
        return [ROW]

    def find(self, run_id: str) -> Row | None:
        return ROW if run_id == ROW.run_id else None


class _Engine:
    """What the open notebooks ask an engine for."""

    def logs(self) -> list[_Log]:
        return [_Log()]

    def run(self, run_id: str) -> str:
        return run_id


def welcome(known: dict[str, int], can: frozenset[str]) -> dict[str, Any]:
    """Return the answer to a page that shows the run at its first revision."""
    hello = Hello(
        "1", "nb", "/", "a.ipynb", known, (ShownOutput((ROW.run_id,), (1,), embed=False),), can
    )
    told = OpenNotebooks(lambda *_, **__: [bundle([shown(ROW)]), {"text/html": "x"}])
    notebook = Notebook("nb", None, Path("/"), "a.ipynb")
    return told.answer(notebook, hello, cast("Engine", _Engine()))


def test_a_page_gets_references_to_the_records_that_its_metadata_has() -> None:
    can = frozenset({"insert", "references"})
    first, second = welcome({ROW.run_id: ROW.revision}, can)["bundles"]
    assert first[MIME] == REFERENCE
    assert "Completed" in first["text/html"]
    assert second == {"text/html": "x"}


@pytest.mark.parametrize(
    ("known", "can"),
    [
        ({ROW.run_id: ROW.revision}, {"insert"}),
        ({ROW.run_id: ROW.revision - 1}, {"references"}),
        ({ROW.run_id: 0}, {"references"}),
    ],
)
def test_any_other_page_gets_whole_records(known: dict[str, int], can: set[str]) -> None:
    assert welcome(known, frozenset(can))["bundles"][0][MIME] == RECORD
