"""The panel in a real kernel: filled and clicked as a page does it, driven from code, and headless."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

from tests.simulator import Simulator, SimulatorOptions
from tests.support.fake_front_end import FrontEnd
from tests.support.notebook_files import MIME
from tests.support.panel_widgets import GENERATE, PanelWidgets
from tests.support.ports import kernel_ports

WIDGET = "application/vnd.jupyter.widget-view+json"
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SHOW = "import hailuo_jupyter\np = hailuo_jupyter.panel()"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A simulator with small clips, which are made in no time."""
    options = SimulatorOptions(port=0, speed=150.0, seed=7, shrink=8, variants=1)
    with Simulator(options) as running:
        yield running


@pytest.fixture(autouse=True)
def in_a_hurry(env: dict[str, str]) -> None:
    """Have the demo asked as often as suits a simulator that is this fast."""
    env["HAILUO_PROVIDER"] = "demo"
    profile = Path(env["IPYTHONDIR"]) / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text("get_config().Hailuo.demo_speed = 150.0\n")


@pytest.fixture
def page(folder: Path, env: dict[str, str]) -> Iterator[FrontEnd]:
    with FrontEnd(folder, env) as running:
        assert running.run("%load_ext hailuo_jupyter").error is None
        yield running


def shown(page: FrontEnd, code: str = SHOW, cell_id: str = "panel") -> PanelWidgets:
    cell = page.run(code, cell_id)
    assert cell.error is None, cell.error
    return PanelWidgets(page, cell)


def jobs(simulator: Simulator, prompt: str) -> int:
    return sum(prompt in job.prompt for job in simulator.ledger.jobs)


def test_what_is_clicked_is_sent_once_and_kept(page: FrontEnd, simulator: Simulator) -> None:
    form = shown(page)
    # Before any run there is a whole bundle, whose twin says what the cell is.
    assert form.bundle[MIME]["runs"] == []
    assert "Run this cell to open the panel." in form.bundle["text/html"]
    assert form.bundle["text/plain"].startswith("Run this cell")
    assert form.bundle[WIDGET]["model_id"] in page.comms
    assert form.state(GENERATE)["disabled"] is True
    assert form.state(GENERATE)["description"] == "Generate · free"
    assert form.says("Enter a prompt to continue.")

    # A page holds back the newest text until the kernel has answered the text before; the click
    # overtakes it. What is sent is what the person had typed.
    form.type("Prompt", "A heron lifts")
    form.clicks_when_on(GENERATE)
    form.click(GENERATE)
    form.type("Prompt", "A heron lifts off a lake, whole.")
    page.until(lambda: form.records)
    assert form.records[0]["request"]["prompt"] == "A heron lifts off a lake, whole."
    assert form.records[0]["origin"]["cell_id"] == "panel"
    form.until_says("Submitted")

    # The kernel is busy, and the card goes on all the same; at the end its clip is in the twin.
    page.run("import time; time.sleep(1)")
    form.until_completed(1)
    run_id = form.records[0]["run_id"]
    assert f'src="hailuo/{run_id}.mp4"' in form.bundle["text/html"]
    assert form.bundle[WIDGET]["model_id"] in page.comms
    inner = [state["outputs"] for state in page.comms.values() if state.get("outputs")]
    assert inner[0][0]["data"][MIME] == {
        "panel": form.bundle[MIME]["panel"],
        "runs": form.records,
    }

    # Submitted again, the request is shown and not bought.
    form.clicks_when_on(GENERATE)
    form.until_says("You already have this clip")
    assert jobs(simulator, "off a lake, whole.") == 1

    # A new take is bought after its price is agreed to, once however often it is clicked.
    form.click("New take · free (demo)")
    form.until_says("Generate another take for free (demo)?")
    assert jobs(simulator, "off a lake, whole.") == 1
    form.click("Generate")
    form.click("Generate")
    page.until(lambda: len(form.records) == 2)
    form.until_completed(2)
    assert jobs(simulator, "off a lake, whole.") == 2
    assert [record["parent"] for record in form.records] == [None, None]
    assert [r["run_id"] for r in form.records][1] == run_id  # the newest stands first


def test_fields_follow_the_provider_and_mistakes_stand_beside_them(
    page: FrontEnd, folder: Path
) -> None:
    shutil.copy(NOTEBOOKS / "first-frame.jpg", folder)
    form = shown(page, f"import os; key = os.environ.pop('AIML_API_KEY')\n{SHOW}")
    form.type("Prompt", "x" * 2003)
    form.until_says("The prompt has 2003 characters; the limit is 2000. Shorten it by 3.")
    form.type("Prompt", "A heron.")
    form.press("Provider", "AI/ML API")
    form.until_says("No key for AI/ML API yet.")
    assert form.state(GENERATE)["disabled"] is True
    form.type("API key", "not a key")
    form.until_says("a usable key: it contains spaces")
    # What is typed reaches the kernel, and is in no widget afterwards.
    form.type("API key", "aiml-golden89abcdef0123")
    page.until(lambda: form.state(GENERATE)["disabled"] is False)
    assert form.state("API key")["value"] == ""
    assert "golden89" not in str(page.comms)
    form.press("Quality", "1080P")
    page.until(lambda: any(_is_refused(state) for state in page.comms.values()))
    form.until_says("Price: $0.52–0.64 for a clip (estimate")
    form.until_says("Time: usually about 5 min")
    page.until(lambda: form.state(GENERATE)["description"] == "Generate · $0.52–0.64")
    form.press("Takes", "2")
    page.until(lambda: form.state(GENERATE)["description"] == "Generate · $1.03–1.27")
    form.press("Takes", "1")
    form.click("Compare prices")
    form.until_says("Who can make this clip.")

    form.choose("First frame", "path or URL")
    form.type("First frame: path or URL", "first-fram.jpg")
    form.until_says("The nearest name in that folder is first-frame.jpg.")
    form.type("First frame: path or URL", "first-frame.jpg")
    form.until_says("640 \N{MULTIPLICATION SIGN} 427, ratio 1.50, JPEG, 0.1 MB. OK.")

    # A variable is offered as soon as a cell has made it.
    page.run("from PIL import Image; small = Image.new('RGB', (200, 200))")
    form.choose("First frame", "variable")
    form.choose("First frame: variable", "small")
    form.until_says("has 200 x 200 pixels; its shorter side")
    page.run("small = small.resize((800, 450))")
    form.until_says("800 \N{MULTIPLICATION SIGN} 450, ratio 1.78, PNG")

    form.click("Insert as cell")
    form.until_says(
        "%%hailuo --provider aimlapi --resolution 1080P --duration 6 --image {small}\nA"
    )
    assert not form.records


def _is_refused(state: dict[str, Any]) -> bool:
    return str(state.get("tooltip")).startswith("Length: 10 s (") and state["disabled"] is True


def test_an_upload_is_kept_and_repeated(page: FrontEnd, folder: Path, simulator: Simulator) -> None:
    form, picture = shown(page), (NOTEBOOKS / "first-frame.jpg").read_bytes()
    form.upload("First frame: browse", b"GIF89a")
    form.until_says("is GIF; providers take JPEG and PNG.")
    form.upload("First frame: browse", picture)
    form.until_says("JPEG, 0.1 MB. OK.")
    assert form.state("First frame")["_options_labels"][form.state("First frame")["index"]] == (
        "uploaded file"
    )
    form.type("Prompt", "A rocket stands still, for the upload.")
    form.type("Tags", "one, two")
    form.clicks_when_on(GENERATE)
    form.until_completed(1)
    first = form.records[0]
    assert first["tags"] == ["one", "two"]
    kept = folder / "hailuo" / first["request"]["first_frame"]["kept"]
    assert kept.read_bytes() == picture

    # A handler may run on a thread that is not the main one: ipykernel 7.1 to 7.3 do so.
    page.run(
        "import threading\n"
        "def on_a_subshell():\n"
        "    p.repeat(run)\n"
        "    p._view.fields.prompt.value += ' [Push in]'\n"
        "    p._view._submit.click()\n"
        "from hailuo_jupyter.engine import process\n"
        f"run = process.get_engine().run({first['run_id']!r})\n"
        "threading.Thread(target=on_a_subshell).start()"
    )
    page.until(lambda: len(form.records) == 2)
    second = form.records[0]
    assert second["parent"] == first["run_id"]
    assert second["fingerprint"] != first["fingerprint"]
    assert second["request"]["first_frame"]["sha256"] == first["request"]["first_frame"]["sha256"]
    assert second["origin"]["cell_id"] == "panel"
    form.until_completed(2)

    # Repeated without a change it is the run that is there.
    page.run("p.repeat(run); again = p.submit()")
    assert page.run("print(again == run, p.form.parent)").text == "True None\n"
    assert jobs(simulator, "for the upload") == 2


def test_after_a_restart_the_runs_stand_below_the_form_again(
    page: FrontEnd, simulator: Simulator
) -> None:
    form = shown(page)
    page.run("p.prompt = 'A heron, finished.'; p.submit(wait=True)")
    simulator.fault("stuck", count=1)
    page.run("p.prompt = 'A heron, on its way.'; p.submit()")
    page.until(lambda: len(form.records) == 2)
    page.comms.clear()
    page.restart()
    page.run("%load_ext hailuo_jupyter")
    form = shown(page)
    page.until(lambda: {"A heron, finished.", "A heron, on its way."} <= prompts(form))
    states = {record["request"]["prompt"]: record["state"] for record in form.records}
    assert states["A heron, finished."] == "completed"
    assert jobs(simulator, "A heron, ") == 2

    # The cell run once more has one form, not two.
    before = len(page.comms)
    form = shown(page)
    page.until(lambda: {"A heron, finished.", "A heron, on its way."} <= prompts(form))
    page.until(lambda: len(page.comms) <= before + 40)
    assert jobs(simulator, "A heron, ") == 2


def prompts(form: PanelWidgets) -> set[str]:
    return {record["request"]["prompt"] for record in form.records}


def test_the_notebook_of_the_panel_runs_headless_and_pays_once(
    folder: Path, env: dict[str, str], simulator: Simulator
) -> None:
    shutil.copy(NOTEBOOKS / "first-frame.jpg", folder)
    source = (NOTEBOOKS / "panel.ipynb").read_text(encoding="utf-8")
    stored = json.loads(source)
    assert all(not cell.get("outputs") for cell in stored["cells"])
    for _ in range(2):
        notebook = nbformat.reads(source, as_version=4)
        where = {"metadata": {"path": str(folder)}}
        ports = Config(KernelManager=kernel_ports())
        NotebookClient(notebook, config=ports, timeout=90, resources=where).execute()
        cells = {cell.id: cell for cell in notebook.cells}
        said = cells["panel"].outputs
        assert len(said) == 1
        assert said[0].text.startswith("The panel needs an open notebook")
        table = cells["compare"].outputs[0].text.splitlines()
        first = table[0].split()[0]
        assert table[0].endswith("parent: none")
        assert table[1].endswith(f"parent: {first}")
        assert cells["push"].outputs[0].data[MIME]["state"] == "completed"
        assert cells["as-cell"].outputs[0].text.startswith("%%hailuo --provider demo --mode")
    assert jobs(simulator, "A rocket stands in floodlight before dawn.") == 2


def test_without_ipywidgets_there_is_a_sentence(page: FrontEnd) -> None:
    cell = page.run(f"import sys; sys.modules['ipywidgets'] = None\n{SHOW}")
    assert cell.error is None
    assert cell.text.startswith("The panel needs ipywidgets")
    assert page.run("%hailuo panel").text == cell.text
    assert "%hailuo panel" in page.run("%hailuo").text
    code = page.run("p.prompt = 'A heron, {plain}.'; p.options = {'mode': 'pro'}; print(p.cell)")
    assert code.text == "%%hailuo --provider demo --mode pro\nA heron, {{plain}}.\n"
    assert "no --mode fine" in str(page.run("p.options = {'mode': 'fine'}").error)


def test_in_a_terminal_there_is_a_sentence(env: dict[str, str], folder: Path) -> None:
    code = "import hailuo_jupyter; hailuo_jupyter.panel()"
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "-c", code],
        cwd=folder, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.count("The panel needs an open notebook") == 1
