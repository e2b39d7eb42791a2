"""The notebooks of the repository: as they are committed, and as they run, twice."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from hailuo_jupyter.ipynb.execute import execute
from hailuo_jupyter.ipynb.verify import verify
from hailuo_jupyter.links import shared
from tests.support.notebook_files import ROOT, load, simulator, surroundings

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_is_committed_without_outputs_and_keys(path: Path) -> None:
    nb = load(path)
    nbformat.validate(nb)
    assert (nb["nbformat"], nb["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in nb["cells"]}) == len(nb["cells"])
    assert "hailuo" not in nb["metadata"]
    for cell in nb["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert cell["metadata"] == {}
    assert not re.search(r"SG_[0-9a-f]{8}|_API_KEY\s*=|[Bb]earer ", path.read_text())


@dataclass
class Twice:
    """A notebook after its first and its second run, and how many submits each had made."""

    path: Path
    first: Any
    second: Any
    submits: tuple[int, int]


@pytest.fixture(scope="module")
def research_log(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    folder = tmp_path_factory.mktemp("research")
    path = folder / "work" / "research_log.ipynb"
    path.parent.mkdir()
    shutil.copyfile(ROOT / "notebooks" / path.name, path)
    found: list[Any] = []
    submits: list[int] = []
    with simulator() as sim, surroundings(folder, sim) as settings:
        for _ in range(2):
            outcome = execute(path)
            assert outcome.problems == ()
            assert outcome.runs == 8
            found.append(load(path))
            submits.append(sum(each.stage == "submit" for each in sim.requests))
        assert verify(path, settings=settings).findings == []
    return Twice(path, found[0], found[1], (submits[0], submits[1]))


def output(nb: Any, cell_id: str) -> list[Any]:
    (cell,) = (cell for cell in nb["cells"] if cell["id"] == cell_id)
    return list(cell["outputs"])


def test_the_second_run_pays_nothing(research_log: Twice) -> None:
    assert research_log.submits == (8, 8)
    runs = [
        set(nb["metadata"]["hailuo"]["runs"]) for nb in (research_log.first, research_log.second)
    ]
    assert runs[0] == runs[1]


def test_the_ratings_are_with_the_runs(research_log: Twice) -> None:
    runs = research_log.second["metadata"]["hailuo"]["runs"]
    rated = {
        (run["request"]["prompt"].partition("[")[2][:-1], run["request"]["prompt_optimizer"]): run
        for run in runs.values()
    }
    assert len(rated) == 8
    assert rated["Pan left", False]["rating"] == 4
    assert rated["Static shot", True]["rating"] == 2
    still = rated["Static shot", False]
    assert (still["rating"], still["tags"]) == (4, ["camera-study", "reference"])
    clip = research_log.path.parent / "hailuo" / still["clip"]["path"]
    beside = json.loads(clip.with_suffix(".json").read_text())
    # The file keeps the provider's link whole; what may be passed on has host and file name.
    assert beside["job"]["media_link"] != still["job"]["media_link"]
    assert shared(beside) == still
    ((shown),) = output(research_log.second, "one")
    assert "rated 4 of 5" in "".join(shown["data"]["text/html"])


def test_table_and_plot_are_there(research_log: Twice) -> None:
    for nb in (research_log.first, research_log.second):
        (compared,) = output(nb, "compare")
        text = "".join(compared["data"]["text/plain"])
        assert re.search(r"Pan left +4\.0 +2\.0", text)
        assert any("image/png" in each.get("data", {}) for each in output(nb, "plot"))


def test_it_says_that_the_ratings_are_placeholders(research_log: Twice) -> None:
    prose = "".join("".join(cell["source"]) for cell in research_log.first["cells"])
    assert prose.count("laceholder") >= 3
    assert "simulator" in prose


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    folder = tmp_path_factory.mktemp("sweep")
    profile = folder / "ipython" / "profile_default"
    profile.mkdir(parents=True)  # the demo is as fast as this simulator
    (profile / "ipython_config.py").write_text("c.Hailuo.demo_speed = 200\n")
    path = folder / "work" / "sweep.ipynb"
    path.parent.mkdir()
    shutil.copyfile(ROOT / "notebooks" / path.name, path)
    found: list[Any] = []
    submits: list[int] = []
    with simulator() as sim, surroundings(folder, sim) as settings:
        for _ in range(2):
            outcome = execute(path)
            assert outcome.problems == ()
            assert outcome.runs == 8
            found.append(load(path))
            submits.append(sum(each.stage == "submit" for each in sim.requests))
        assert verify(path, settings=settings).findings == []
    return Twice(path, found[0], found[1], (submits[0], submits[1]))


def test_a_sweep_is_paid_once(swept: Twice) -> None:
    assert swept.submits == (8, 8)
    (plan,) = output(swept.first, "plan")
    assert "8 runs: 8 new." in "".join(plan["data"]["text/plain"])
    for nb, shown in ((swept.first, 2), (swept.second, 1)):  # the second has no plan to show
        outputs = output(nb, "sheet")
        assert len(outputs) == shown
        data = outputs[-1]["data"]
        html = "".join(data["text/html"])
        assert html.count("<video ") == 8
        assert "8 of 8 completed" in html
        assert "application/vnd.jupyter.widget-view+json" not in data
        assert any("image/png" in each.get("data", {}) for each in output(nb, "plot"))
        # So 24 clips stay below 250 kB.
        assert len(json.dumps(outputs[-1], indent=1, ensure_ascii=False)) < 8 * 250_000 / 24
    runs = swept.second["metadata"]["hailuo"]["runs"]
    assert sorted(run["rating"] for run in runs.values()) == [2, 3, 3, 3, 4, 4, 4, 5]
