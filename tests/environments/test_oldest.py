"""The lower bounds of the requirements, in an environment that `.ci/run` makes from `oldest.txt`.

pytest -c /dev/null --noconftest tests/environments/test_oldest.py
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.version import Version
from playwright.sync_api import Browser, expect, sync_playwright

# Behind the environment's own packages, so that what is installed there is what is tested.
sys.path.append(str(Path(__file__).parents[2]))

from tests.simulator import Simulator, SimulatorOptions
from tests.support.browser_fixture import CHROMIUM_ARGUMENTS, MIME, PATIENCE, Lab, Server
from tests.support.held_jobs import holding
from tests.support.vscode_client import VSCode

LOAD = "%load_ext hailuo_jupyter"
PROMPT = "A heron lifts off a lake."

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    options = SimulatorOptions(speed=50.0, seed=7, sigma=0.0, variants=1, shrink=4)
    with Simulator(options) as running:
        yield running


@pytest.fixture
def env(tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    values = {
        "HAILUO_RUN_LOG": str(tmp_path / "log" / "runs.sqlite3"),
        "HAILUO_LOOPBACK_ONLY": "1",
        "HAILUO_SIMULATOR_URL": simulator.url,
        "HAILUO_PROVIDER": "demo",
        **simulator.environment(),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    return values


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=list(CHROMIUM_ARGUMENTS),
        )
        yield running
        running.close()


def test_each_requirement_is_at_its_lower_bound() -> None:
    for each in map(Requirement, metadata.requires("hailuo-jupyter") or []):
        if each.marker is not None:  # an extra's
            continue
        (lowest,) = (Version(part.version) for part in each.specifier if part.operator == ">=")
        installed = Version(metadata.version(each.name))
        assert installed.release[: len(lowest.release)] == lowest.release, each.name


@pytest.fixture(scope="module")
def with_cards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Jupyter path with a kernel of this environment that has the first widgets of JupyterLab 4."""
    path = tmp_path_factory.mktemp("jupyter")
    asked = ["ipykernel==6.29.5", "ipywidgets==8.1.0"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*command, "--target", str(path / "packages"), *asked], check=True)
    spec = path / "kernels" / "with-cards"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(
        json.dumps(
            {
                "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": "With cards",
                "language": "python",
                "env": {"PYTHONPATH": f"{path / 'packages'}:${{PYTHONPATH}}"},
            }
        )
    )
    return path


@pytest.mark.parametrize(
    ("app", "kernels"), [("lab", ["python3", "with-cards"]), ("notebook", ["with-cards"])]
)
def test_a_live_status_then_a_clip_that_plays_and_a_record_in_the_metadata(
    *,
    app: str,
    kernels: list[str],
    browser: Browser,
    simulator: Simulator,
    env: dict[str, str],
    with_cards: Path,
    tmp_path: Path,
) -> None:
    prompts = {"python3": PROMPT, "with-cards": "A kite rises from the dunes."}
    with Server(tmp_path / app, env, app=app) as server:
        (server.root.parent / "shared" / "kernels").symlink_to(with_cards / "kernels")
        for kernel in kernels:
            prompt = prompts[kernel]
            let_go = holding(simulator, prompt)
            spec = {"name": kernel, "display_name": kernel, "language": "python"}
            cells = [LOAD, f"%%hailuo\n{prompt}", "%hailuo panel"]
            path = server.write(f"{kernel}.ipynb", cells, kernelspec=spec)
            with Lab(browser, server, path) as lab:
                lab.run(0, 1)
                lab.until(lambda lab=lab: lab.records(), "the record is there")
                # ipywidgets 7 has no models for JupyterLab 4: there the status is without a clock.
                clocks = lab.output(1).locator(".hailuo-mod-live .hailuo-clock")
                expect(clocks).to_have_count(int(kernel == "with-cards"))
                lab.until(
                    lambda lab=lab: lab.record(1)["state"] in {"queued", "generating"},
                    "the status follows the job",
                )
                if kernel == "with-cards":
                    lab.run(2)
                    form = lab.page.locator(".hailuo-panel")
                    expect(form.locator("button.hailuo-generate")).to_be_visible()
                let_go()
                record = lab.until_state("completed", 1)
                lab.plays(1)
                assert lab.save().metadata.hailuo.runs[record["run_id"]] == record
                lab.reload()
                lab.plays(1)
                assert lab.problems == []
        # Jupyter Server 2.4 writes a kernel's whole environment into its debug log.
        assert [each for each in server.watch.findings() if "server.log" not in each] == []


def test_a_cell_waits_where_there_is_no_page(tmp_path: Path, env: dict[str, str]) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[*map(nbformat.v4.new_code_cell, [LOAD, f"%%hailuo\n{PROMPT}"])]
    )
    NotebookClient(
        notebook, kernel_name="python3", timeout=90, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    record = notebook.cells[1].outputs[0].data[MIME]
    assert record["state"] == "completed"
    assert (tmp_path / "hailuo" / record["clip"]["path"]).is_file()


def test_as_vs_code_asks_the_kernel(tmp_path: Path, env: dict[str, str]) -> None:
    with VSCode(tmp_path / "work.ipynb", env) as page:
        page.run(LOAD)
        cell = page.run(f"%%hailuo\n{PROMPT}")
        page.complete("import os; os.pa")
        page.until(lambda: cell.outputs[0].data[MIME]["state"] == "completed")
        assert "<video" in cell.outputs[0].data["text/html"]
        assert page.dropped == []
