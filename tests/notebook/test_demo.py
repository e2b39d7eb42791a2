"""`jupyter hailuo demo`, as a new user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from hailuo_jupyter.demo.project import NOTEBOOK, PICTURE, Place, choose, shipped
from hailuo_jupyter.ipynb.document import joined
from hailuo_jupyter.ipynb.verify import verify
from tests.support.notebook_files import ROOT, command, environment, load


@dataclass
class Demo:
    where: Path
    done: subprocess.CompletedProcess[str]
    seconds: float
    env: dict[str, str]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    where = tmp_path_factory.mktemp("demo")
    # Keys about, and a log of the user's own: the demo touches neither.
    env = environment(where / "user", None) | {"SEGMIND_API_KEY": "SG_real", "AIML_API_KEY": "real"}
    env["PYTHONIOENCODING"] = "ascii"  # as in some containers and under cron
    del env["HAILUO_LOOPBACK_ONLY"]
    (where / "user").mkdir()
    began = time.monotonic()
    done = command("demo", cwd=where, env=env)
    return Demo(where, done, time.monotonic() - began, env)


def processes() -> set[str]:
    found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True)
    return {line for line in found.stdout.splitlines() if "hailuo_jupyter.simulator" in line}


def test_it_succeeds_in_time(demo: Demo) -> None:
    assert demo.done.returncode == 0, demo.done.stdout + demo.done.stderr
    assert demo.done.stderr == ""
    assert demo.seconds < 120


def test_clips_hashes_and_records_are_there(demo: Demo) -> None:
    place = Place(demo.where / "hailuo-demo")
    verdict = verify(place.notebook, settings=place.settings())
    assert verdict.findings == []
    assert (verdict.runs, verdict.clips) == (3, 3)
    assert len(list((place.folder / "hailuo").glob("*.mp4"))) == 3


def test_it_shows_both_wires_and_both_frames(demo: Demo) -> None:
    runs = load(demo.where / "hailuo-demo" / NOTEBOOK)["metadata"]["hailuo"]["runs"].values()
    assert {run["dialect"] for run in runs} == {"segmind", "aimlapi"}
    by_name = {run["name"]: run["request"] for run in runs}
    assert by_name["canyon"]["first_frame"] is None
    assert by_name["launch"]["first_frame"]["source"] == PICTURE
    assert by_name["launch"]["options"]["mode"] == "pro"
    assert by_name["approach"]["last_frame"]["source"] == "memory"


def test_it_tells_stages_and_places(demo: Demo) -> None:
    said = demo.done.stdout
    assert re.search(r"Cell 2 of \d+: %%hailuo", said)
    assert len(re.findall(r"Run \S+: Generating", said)) == 3
    assert len(re.findall(r"Run \S+: Completed", said)) == 3
    assert f"hailuo-demo{os.sep}quickstart.ipynb" in said
    assert said.count(".mp4") == 3
    assert "\x1b" not in said


def test_the_commands_that_it_prints_work_as_printed(demo: Demo) -> None:
    lines = dict(
        re.findall(r"^(See it|Check it|List runs):\s+(.+)$", demo.done.stdout, re.MULTILINE)
    )
    env = {**os.environ, **demo.env}
    env.pop("VIRTUAL_ENV", None)
    shown = subprocess.run(
        lines["List runs"], shell=True, cwd=demo.where, env=env, capture_output=True, text=True, check=True
    ).stdout  # fmt: skip
    assert "canyon" in shown
    assert lines["See it"].endswith(" hailuo demo --lab")
    subprocess.run(lines["Check it"], shell=True, cwd=demo.where, env=env, check=True)


def test_the_second_of_two_equal_cells_bought_nothing(demo: Demo) -> None:
    cells = {cell["id"]: cell for cell in load(demo.where / "hailuo-demo" / NOTEBOOK)["cells"]}
    assert cells["again"]["metadata"] == cells["text-to-video"]["metadata"]
    assert "no charge" in "".join(cells["again"]["outputs"][0]["data"]["text/plain"])


def test_it_leaves_no_trace_elsewhere_and_no_process(demo: Demo) -> None:
    names = {path.name for path in (demo.where / "hailuo-demo").iterdir()}
    assert names == {".hailuo", PICTURE, "hailuo", NOTEBOOK}
    assert not (demo.where / "user" / "log").exists()
    assert not [line for line in processes() if str(demo.where) in line]


def test_again_shows_the_same_clips_and_leaves_a_changed_notebook_alone(demo: Demo) -> None:
    folder = demo.where / "hailuo-demo"
    clips = sorted((folder / "hailuo").glob("*.mp4"))
    again = command("demo", cwd=demo.where, env=demo.env)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "shown again" in again.stdout
    assert "Submitted" not in again.stdout
    assert sorted((folder / "hailuo").glob("*.mp4")) == clips

    notebook = folder / NOTEBOOK
    whole = notebook.read_text()
    try:
        notebook.write_text(whole.replace("A paper boat", "My paper boat"))
        changed = notebook.read_text()
        place = choose(demo.where)
        assert place.folder == demo.where / "hailuo-demo-2"
        assert not place.again
        assert notebook.read_text() == changed
        # To open it, the latest one is taken, whatever stands in it.
        assert choose(demo.where, to_open=True).folder == place.folder
    finally:
        notebook.write_text(whole)


def test_a_demo_that_was_broken_off_is_not_gone_on_with(tmp_path: Path) -> None:
    assert choose(tmp_path).folder.name == "hailuo-demo"
    assert choose(tmp_path).folder.name == "hailuo-demo-2"


def test_a_folder_that_takes_no_files_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    start = (
        "import sys, os; from pathlib import Path; from hailuo_jupyter.demo import project\n"
        "from hailuo_jupyter.errors import HailuoError\n"
        "try: project.choose(Path('file'))\n"
        "except HailuoError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", start],
        cwd=tmp_path,
        env={**os.environ, **environment(tmp_path, None)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot be copied" in done.stdout


def test_the_notebook_is_committed_without_outputs() -> None:
    nb = load(ROOT / "notebooks" / NOTEBOOK)
    assert nb["nbformat_minor"] == 5
    assert nb["metadata"]["kernelspec"]["name"] == "python3"
    assert all(not cell.get("outputs") for cell in nb["cells"])
    assert all(cell.get("execution_count") is None for cell in nb["cells"])
    assert len({cell["id"] for cell in nb["cells"]}) == len(nb["cells"])
    text = "".join(joined(cell["source"]) for cell in nb["cells"])
    assert "CC0" in text
    # From a checkout or from an installed wheel: the demo has its notebook and its picture.
    assert {NOTEBOOK, PICTURE} <= {path.name for path in shipped().iterdir()}
