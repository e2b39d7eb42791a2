"""Executors and front ends: a request that never left fails, also if that is known only after its cell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbconvert.preprocessors import ExecutePreprocessor

from hailuo_jupyter.ipynb.execute import execute as execute_notebook
from tests.simulator import Simulator
from tests.support.fake_front_end import FrontEnd
from tests.support.notebook_files import (
    MIME,
    code,
    environment,
    load,
    notebook,
    simulator,
    surroundings,
    write,
)

LOAD = "%load_ext hailuo_jupyter"
SHOWN = "%%hailuo --provider segmind --name bird\nA heron."
SWEPT = "%%hailuo --provider segmind --sweep bird=heron\nA {bird}."
QUIET = "from hailuo_jupyter import generate\nrun = generate('A quiet lamp.', 'segmind')"
KEY = {"SEGMIND_API_KEY": "SG_0123456789abcdef"}


@pytest.fixture
def sim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A provider that puts every submit off for longer than a cell waits, and then for an hour."""
    (tmp_path / "surroundings").mkdir()
    with simulator() as running, surroundings(tmp_path / "surroundings", running):
        for name, value in {**KEY, **running.environment()}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
        running.fault("rate-limited-seconds", "submit", seconds=3)
        running.fault("rate-limited-absurd", "submit", count=None)
        yield running
        assert not running.ledger.jobs


CELLS = {
    "shown": (SHOWN,),
    "quiet": (QUIET,),
    # It has ended, in vain, long before the wait at the end.
    "earlier": (QUIET, "import time; time.sleep(5)"),
    "sweep": (SWEPT,),
    "waited": ("%%hailuo --provider segmind --wait\nA heron.",),
}


@pytest.mark.parametrize("name", CELLS)
def test_execute_fails_for_a_run_that_was_given_up_after_its_cell(
    name: str, tmp_path: Path, sim: Simulator
) -> None:
    cells = [code(f"c{number}", text) for number, text in enumerate((LOAD, *CELLS[name]))]
    path = write(tmp_path / "nb.ipynb", notebook(*cells))
    (problem,) = execute_notebook(path).problems
    assert "RateLimited: " in problem
    if name == "shown":
        html = "".join(load(path)["cells"][1]["outputs"][0]["data"]["text/html"])
        assert "Not sent" in html
        assert "rate limit was hit" in html


@pytest.mark.parametrize("name", ["quiet", "sweep"])
def test_nbconvert_waits_for_the_answer_in_the_cell(
    name: str, tmp_path: Path, sim: Simulator
) -> None:
    path = write(tmp_path / "nb.ipynb", notebook(code("load", LOAD), code("clip", CELLS[name][0])))
    nb = nbformat.read(path, as_version=4)
    with pytest.raises(CellExecutionError, match="RateLimited"):
        ExecutePreprocessor(timeout=90).preprocess(nb, {"metadata": {"path": str(tmp_path)}})


def test_papermill_fails(tmp_path: Path, sim: Simulator) -> None:
    papermill = pytest.importorskip("papermill")
    path = write(tmp_path / "in.ipynb", notebook(code("load", LOAD), code("clip", QUIET)))
    with pytest.raises(papermill.PapermillExecutionError, match="RateLimited"):
        papermill.execute_notebook(
            path, tmp_path / "out.ipynb", cwd=str(tmp_path), progress_bar=False
        )


def test_a_card_turns_into_an_error_and_every_wait_raises(tmp_path: Path, sim: Simulator) -> None:
    folder = tmp_path / "nb"
    folder.mkdir()
    env = {**environment(tmp_path, sim), **KEY, **sim.environment()}
    with FrontEnd(folder, env) as page:
        page.run(LOAD)
        cell = page.run(SHOWN)
        assert cell.error is None, "it is being offered again"
        page.until(lambda: "Not sent" in shown(cell) and "not_sent" not in shown(cell))
        page.until(lambda: "Rerun the cell" in shown(cell))
        assert cell.outputs[0]["data"][MIME]["state"] == "prepared"
        for wait in ("%hailuo wait", "bird.wait()", "await bird", "%hailuo wait {bird.run_id}"):
            error: Any = page.run(wait).error
            assert error is not None, wait
            assert error["ename"] == "RateLimited"


def shown(cell: Any) -> str:
    return "".join(cell.outputs[0]["data"]["text/html"])
