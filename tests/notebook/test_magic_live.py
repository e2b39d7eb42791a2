"""``%%hailuo`` in a kernel with a front end: at once back, live while it lasts, static when "
"done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.errors import LINE
from tests.simulator import Simulator
from tests.simulator.ledger import RequestEntry
from tests.support.fake_front_end import Cell, FrontEnd

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
    return sum(job.prompt == prompt for job in simulator.ledger.jobs)


def completed(page: FrontEnd, cell: Cell) -> None:
    page.until(lambda: record(cell)["state"] == "completed", 30)


def sent_for_runs(simulator: Simulator) -> list[RequestEntry]:
    """Return all requests except those for AI/ML API's price list."""
    return [each for each in simulator.requests if each.path != "/v1/models"]


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
    # Two seconds for the answer, and the first use's imports, on a busy machine.
    assert cell.seconds < 15.0
    bundle = shown(cell)
    # On a busy machine the cell's two seconds can end before the provider has answered.
    under_way = {"prepared", "submitting", "submitted", "queued", "generating"}
    assert bundle[MIME]["state"] in under_way
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
    page.until(lambda: models(page) == {"HTMLStyleModel": 1, "LayoutModel": 3}, 30)


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
    page.until(lambda: record(cell)["body"], 30)
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
        assert len(error["traceback"]) <= 4
        assert not any("\n" in line for line in error["traceback"])
    assert len(simulator.ledger.jobs) == before


def test_a_refusal_within_two_seconds_is_an_error_of_the_cell(
    page: FrontEnd, simulator: Simulator
) -> None:
    # On a busy machine the answer may take more than the two seconds that a cell waits.
    page.run("import hailuo_jupyter.kernel.generate as g; g.ANSWER_S = 30.0")
    page.run("import os; os.environ['SEGMIND_API_KEY'] = 'SG_refused00000000'")
    refused = page.run("%%hailuo --provider segmind\nA wrong key.")
    assert refused.error is not None
    assert refused.error["ename"] == "KeyRefused"
    assert "No charge." in refused.error["evalue"]
    assert "%hailuo key segmind" in refused.error["evalue"]
    page.run("os.environ['SEGMIND_API_KEY'] = 'SG_broke000000000000'")
    broke = page.run("%%hailuo --provider segmind\nA wrong key.")
    assert broke.error["ename"] == "NoCredits"
    page.run("g.ANSWER_S = 2.0")
    page.run("del os.environ['SEGMIND_API_KEY'], os.environ['AIML_API_KEY']")
    for code in ("%%hailuo\nNo key.", "%%hailuo --provider segmind\nNo key."):
        assert page.run(code).error["ename"] == "KeyMissing"
    assert jobs(simulator, "A wrong key.") == 0
    assert not any("refused0" in str(cell.outputs) for cell in page.cells.values())


def test_tab_offers_runs_images_and_camera_commands(page: FrontEnd, folder: Path) -> None:
    (folder / "first.png").touch()
    page.run("%%hailuo --provider demo --name lighthouse\nA lighthouse at night.")
    offered = page.completions("%hailuo show ")
    assert offered["lighthouse"].startswith("variable · ")
    assert "lighthouse · A lighthouse at night." in offered.values()
    assert page.completions("%%hailuo --image fir") == {"first.png": "PNG file"}
    assert page.completions("%%hailuo\nA lighthouse. [Pan l") == {"Pan left]": "camera command"}
    assert page.completions("%hailuo runs\nimpor").keys() == {"import"}


def test_dry_run_and_help_send_nothing(page: FrontEnd, simulator: Simulator) -> None:
    before = len(sent_for_runs(simulator))
    dry = page.run("%%hailuo --provider aimlapi --dry-run --duration 10\nA dry run.")
    assert '"prompt": "A dry run."' in dry.text
    assert '"duration": 10' in dry.text
    assert "$0.59–0.73" in dry.text
    assert f"POST {simulator.url}/" in dry.text, "the address that the environment sets"
    assert "nothing was sent" in dry.text
    assert "--last-frame" in page.run("%%hailuo --help\nx").text
    for alone in (
        "%%hailuo --help",
        "%%hailuo -h",
        "\n%%hailuo --help\n",
        "%%hailuo --mode pro --help",
    ):
        assert "--last-frame" in page.run(alone).text
    empty = page.run("%%hailuo --provider demo")
    assert empty.error["ename"] == "PromptError"
    assert "The prompt is empty." in empty.error["evalue"]
    assert (
        "Using Segmind; there are keys for AI/ML API too."
        in page.run("%%hailuo --dry-run\nWhich?").text
    )
    overview = page.run("%hailuo").text
    assert "%hailuo resume" in overview
    assert [line for line in overview.splitlines() if len(line) > LINE] == []
    assert "No active runs." in overview
    assert "key: present" in page.run("%hailuo providers").text
    assert "provider" in page.run("%hailuo settings").text
    assert "ipykernel" in page.run("%hailuo version").text
    documented = page.run("print(get_ipython().object_inspect_text('%%hailuo'))")  # as %%hailuo?
    for words in (
        "%%hailuo --provider demo",
        "A heron lifts off",
        "--last-frame X",
        "run:RUN@last",
    ):
        assert words in documented.text
    page.run("%unload_ext hailuo_jupyter")
    assert "Cell magic `%%hailuo` not found" in page.run("%%hailuo --help").text
    assert len(sent_for_runs(simulator)) == before


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
