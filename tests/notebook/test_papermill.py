"""Other executors: papermill with our engine, and plain nbconvert."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert.preprocessors import ExecutePreprocessor

from hailuo_jupyter.ids import made_of_path
from hailuo_jupyter.ipynb.sync import sync
from hailuo_jupyter.ipynb.verify import verify
from tests.simulator import Simulator
from tests.support.notebook_files import MIME, code, load, notebook, simulator, surroundings, write

papermill = pytest.importorskip("papermill")


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with (
        simulator() as running,
        surroundings(tmp_path_factory.mktemp("surroundings"), running),
    ):
        yield running


@pytest.fixture(scope="module", autouse=True)
def engine() -> None:
    """Register the engine, as its entry point does in an installation."""
    from papermill.engines import papermill_engines

    from hailuo_jupyter.ipynb.papermill import HailuoEngine

    papermill_engines.register("hailuo", HailuoEngine)


def parametrized(path: Path) -> Path:
    parameters: Any = code("parameters", "what = 'boat'")
    parameters["metadata"]["tags"] = ["parameters"]
    return write(
        path,
        notebook(
            parameters,
            code("load", "%load_ext hailuo_jupyter"),
            code("clip", "%%hailuo --provider demo\nA {what} on a lake."),
            code("after", "'on'"),
        ),
    )


def run(source: Path, target: Path, **parameters: str) -> Any:
    papermill.execute_notebook(
        source,
        target,
        parameters=parameters,
        engine_name="hailuo",
        cwd=str(source.parent),
        progress_bar=False,
    )
    return load(target)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:papermill")
def test_papermill_waits_and_lifts_the_records(tmp_path: Path, sim: Simulator) -> None:
    source, target = parametrized(tmp_path / "in.ipynb"), tmp_path / "out.ipynb"
    nb = run(source, target, what="swan")
    ours = nb["metadata"]["hailuo"]
    (record,) = ours["runs"].values()
    assert record["state"] == "completed"
    assert record["request"]["prompt"] == "A swan on a lake."
    assert ours["id"] == made_of_path(source)
    cell = next(cell for cell in nb["cells"] if cell["id"] == "clip")
    assert cell["metadata"]["hailuo"] == {"runs": [record["run_id"]]}
    assert "<video" in "".join(cell["outputs"][0]["data"]["text/html"])
    assert nb["metadata"]["papermill"]["exception"] is None
    nbformat.validate(nbformat.read(target, as_version=4))
    verdict = verify(target)
    assert [finding.text for finding in verdict.findings] == []
    assert verdict.clips == 1

    # The notebook's runs are found again; another parameter is another request.
    bought = len(sim.ledger)
    run(source, tmp_path / "again.ipynb", what="swan")
    assert len(sim.ledger) == bought


@pytest.mark.filterwarnings("ignore::DeprecationWarning:papermill")
def test_papermill_lifts_what_there_is_when_a_cell_fails(tmp_path: Path, sim: Simulator) -> None:
    source = write(
        tmp_path / "in.ipynb",
        notebook(
            code("load", "%load_ext hailuo_jupyter"),
            code("clip", "%%hailuo --provider demo\nA boat before the storm."),
            code("bad", "1 / 0"),
        ),
    )
    with pytest.raises(papermill.PapermillExecutionError):
        run(source, tmp_path / "out.ipynb")
    (record,) = load(tmp_path / "out.ipynb")["metadata"]["hailuo"]["runs"].values()
    assert record["state"] == "completed"


def test_nbconvert_waits_in_each_cell(tmp_path: Path, sim: Simulator) -> None:
    path = parametrized(tmp_path / "nb.ipynb")
    nb = nbformat.read(path, as_version=4)
    ExecutePreprocessor(timeout=60).preprocess(nb, {"metadata": {"path": str(tmp_path)}})
    nbformat.write(nb, path)
    (output,) = load(path)["cells"][2]["outputs"]
    record = output["data"][MIME]
    assert record["state"] == "completed"
    assert f'src="hailuo/{record["run_id"]}.mp4"' in "".join(output["data"]["text/html"])
    # No executor writes our metadata; sync does, once for all.
    assert "hailuo" not in load(path)["metadata"]
    assert sync(path).lifted == 1
    assert verify(path).ok
