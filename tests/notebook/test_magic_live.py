"""``%%hailuo`` in a kernel with a front end: at once back, live while it lasts, static when done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from front_end import Cell, FrontEnd

from hailuo_jupyter.simulator import Simulator

MIME = "application/vnd.hailuo.run+json"
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def page(folder: Path, env: dict[str, str]) -> Iterator[FrontEnd]:
    with FrontEnd(folder, env) as running:
        assert running.run("%load_ext hailuo_jupyter").error is None
        yield running


def shown(cell: Cell) -> dict[str, Any]:
    """The bundle that the cell's one display holds now."""
    displays = [output["data"] for output in cell.outputs if output["type"] == "display_data"]
    assert len(displays) == 1
    return displays[0]


def record(cell: Cell) -> dict[str, Any]:
    return shown(cell)[MIME]


def jobs(simulator: Simulator, prompt: str) -> int:
    return sum(job.body.get("prompt") == prompt for job in simulator.ledger.jobs)


def completed(page: FrontEnd, cell: Cell) -> None:
    page.until(lambda: record(cell)["state"] == "completed", 30)


def models(page: FrontEnd) -> Counter[str]:
    """The widgets that live, by kind."""
    names = (state.get("_model_name") for state in page.comms.values())
    return Counter(name for name in names if name)


def test_a_cell_returns_at_once_and_its_output_follows_the_run(
    page: FrontEnd, folder: Path, simulator: Simulator
) -> None:
    cell = page.run("%%hailuo --provider demo --tag first\nA heron lifts off a lake.", "heron")
    assert cell.error is None
    assert cell.seconds is not None
    assert cell.seconds < 3.0  # two seconds for the answer, and the first use's imports
    bundle = shown(cell)
    assert bundle[MIME]["state"] in {"submitted", "queued", "generating"}
    assert bundle["text/plain"]
    assert "A heron lifts off a lake." in bundle["text/html"]
    assert bundle[WIDGET]["model_id"] in page.comms

    # Other cells run meanwhile, one of them blocking, and the output goes on.
    page.run("import time; time.sleep(1.5)")
    completed(page, cell)
    bundle = shown(cell)
    assert WIDGET not in bundle
    assert f'src="hailuo/{bundle[MIME]["run_id"]}.mp4"' in bundle["text/html"]
    assert (folder / "hailuo" / bundle[MIME]["clip"]["path"]).is_file()
    assert bundle[MIME]["origin"]["cell_id"] == "heron"
    assert bundle[MIME]["origin"]["notebook_path"] == "notebook.ipynb"
    assert bundle[MIME]["tags"] == ["first"]
    assert jobs(simulator, "A heron lifts off a lake.") == 1
    # The card's models are closed: only what all cards share is left in the kernel.
    page.until(lambda: models(page) == {"HTMLStyleModel": 1, "LayoutModel": 1}, 10)


def test_a_cell_run_again_buys_nothing_and_new_buys(page: FrontEnd, simulator: Simulator) -> None:
    code = "%%hailuo --provider demo\nA tram climbs a hill."
    first = page.run(code)
    attached = page.run(code)
    assert record(attached)["run_id"] == record(first)["run_id"]
    completed(page, attached)
    again = page.run(code)
    assert record(again)["run_id"] == record(first)["run_id"]
    assert record(again)["state"] == "completed"
    assert jobs(simulator, "A tram climbs a hill.") == 1
    page.restart()
    page.run("%load_ext hailuo_jupyter")
    assert record(page.run(code))["run_id"] == record(first)["run_id"]
    assert jobs(simulator, "A tram climbs a hill.") == 1
    new = page.run(code.replace("demo", "demo --new"))
    assert record(new)["run_id"] != record(first)["run_id"]
    assert jobs(simulator, "A tram climbs a hill.") == 2


def test_count_buys_what_is_missing_and_one_display_shows_all(
    page: FrontEnd, simulator: Simulator
) -> None:
    page.run("%%hailuo --provider demo --name one\nSnow falls upwards.")
    cell = page.run("%%hailuo --provider demo --count 3 --name three\nSnow falls upwards.")
    runs = record(cell)["runs"]
    assert len({run["run_id"] for run in runs}) == 3
    assert jobs(simulator, "Snow falls upwards.") == 3
    said = page.run("print(type(one).__name__, [type(r).__name__ for r in three], one in three)")
    assert said.text.strip() == "Run ['Run', 'Run', 'Run'] True"
    page.until(lambda: all(run["state"] == "completed" for run in record(cell)["runs"]), 30)


def test_variables_fill_prompt_and_frames(page: FrontEnd, simulator: Simulator) -> None:
    page.run(
        "from PIL import Image\npicture = Image.new('RGB', (640, 360), 'teal')\n"
        "animal, note = 'heron', 'a {brace} stays'"
    )
    cell = page.run(
        "%%hailuo --provider demo --image {picture} --note {note}\nA {animal} in {{braces}}."
    )
    assert cell.error is None
    told = record(cell)
    assert told["request"]["prompt"] == "A heron in {braces}."
    assert told["note"] == "a {brace} stays"
    assert told["request"]["first_frame"]["source"] == "memory"
    assert told["body"]["image_url"] == {"frame": told["request"]["first_frame"]["sha256"]}
    unknown = page.run("%%hailuo --provider demo\nA {anmal}.")
    assert "Did you mean {animal}?" in unknown.error["evalue"]
    assert jobs(simulator, "A {anmal}.") == 0


def test_a_user_error_is_one_line_and_a_real_error_output(
    page: FrontEnd, simulator: Simulator
) -> None:
    before = len(simulator.ledger.jobs)
    for code, name, says in (
        ("%%hailuo --resolutoin 768P\nx", "OptionError", "Did you mean --resolution?"),
        ("%%hailuo --provider segmind --resolution 768P\nx", "OptionError", "AI/ML API has"),
        ("%%hailuo --provider aimlapi --resolution 1080P --duration 10\nx", "OptionError", "1080P"),
        ("%%hailuo --provider demo\n   \n", "PromptError", "empty"),
        ("%%hailuo --provider demo --image nowhere.png\nx", "FrameError", "nowhere.png"),
        ("%hailuo shwo", "OptionError", "Did you mean show?"),
        ("%hailuo show 20200101-000000-000000", "RunNotFound", "20200101"),
    ):
        error = page.run(code).error
        assert error is not None, code
        assert error["ename"] == name
        assert says in error["evalue"]
        assert len(error["traceback"]) == 1
        assert "\n" not in error["traceback"][0]
    assert len(simulator.ledger.jobs) == before


def test_a_refusal_within_two_seconds_is_an_error_of_the_cell(
    page: FrontEnd, simulator: Simulator
) -> None:
    page.run("import os; os.environ['SEGMIND_API_KEY'] = 'SG_refused00000000'")
    refused = page.run("%%hailuo --provider segmind\nA wrong key.")
    assert refused.error is not None
    assert refused.error["ename"] == "KeyRefused"
    assert "Nothing was bought." in refused.error["evalue"]
    assert "%hailuo key segmind" in refused.error["evalue"]
    page.run("os.environ['SEGMIND_API_KEY'] = 'SG_broke000000000000'")
    broke = page.run("%%hailuo --provider segmind\nA wrong key.")
    assert broke.error["ename"] == "NoCredits"
    page.run("del os.environ['SEGMIND_API_KEY'], os.environ['AIML_API_KEY']")
    for code in ("%%hailuo\nNo key.", "%%hailuo --provider segmind\nNo key."):
        assert page.run(code).error["ename"] == "KeyMissing"
    assert jobs(simulator, "A wrong key.") == 0
    assert not any("refused0" in str(cell.outputs) for cell in page.cells.values())


def test_dry_run_and_help_send_nothing(page: FrontEnd, simulator: Simulator) -> None:
    before = len(simulator.requests)
    dry = page.run("%%hailuo --provider aimlapi --dry-run --duration 10\nA dry run.")
    assert '"prompt": "A dry run."' in dry.text
    assert '"duration": 10' in dry.text
    assert "about 0.59 USD" in dry.text
    assert "nothing was sent" in dry.text
    assert "--last-frame" in page.run("%%hailuo --help\nx").text
    assert "There are keys for segmind and aimlapi" in page.run("%%hailuo --dry-run\nWhich?").text
    overview = page.run("%hailuo").text
    assert "%hailuo resume" in overview
    assert "Nothing is going on." in overview
    assert "key: present" in page.run("%hailuo providers").text
    assert "provider" in page.run("%hailuo settings").text
    assert "ipykernel" in page.run("%hailuo version").text
    documented = page.run("%%hailuo?")
    assert "hailuo" in str(documented.outputs) or documented.error is None
    assert len(simulator.requests) == before


def test_settings_are_traits_of_config(page: FrontEnd) -> None:
    page.run("%config Hailuo.provider = 'demo'")
    page.run("%config Hailuo.output_dir = 'clips'")
    cell = page.run("%%hailuo --wait\nA setting is obeyed.")
    assert record(cell)["provider"] == "demo"
    assert (page.notebook.parent / "clips" / record(cell)["clip"]["path"]).is_file()
    assert "set by %config" in page.run("%hailuo settings").text


def test_generate_gives_the_same_run_and_takes_the_prompt_literally(
    page: FrontEnd, simulator: Simulator
) -> None:
    page.run("import hailuo_jupyter as h\nrun = h.generate('Literal {braces}.', 'demo')")
    cell = page.run("run")
    assert record(cell)["request"]["prompt"] == "Literal {braces}."
    same = page.run("%%hailuo --provider demo --name other\nLiteral {{braces}}.")
    assert same.error is None
    assert page.run("print(run == other, jobs := 0)").text.startswith("True")
    assert page.run("print(run.wait().clip.name == run.run_id + '.mp4')").text.strip() == "True"
    assert jobs(simulator, "Literal {braces}.") == 1
