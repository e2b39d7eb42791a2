"""Plain executors (nbclient and its kin): each cell waits, and the file holds the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from hailuo_jupyter.ids import made_of_path
from hailuo_jupyter.links import shared
from tests.simulator import Simulator

MIME = "application/vnd.hailuo.run+json"
LOAD = "%load_ext hailuo_jupyter"


def only_bundle(cell: Any) -> dict[str, Any]:
    assert [output.output_type for output in cell.outputs] == ["display_data"]
    return cell.outputs[0].data


def test_a_cell_waits_and_leaves_the_finished_clip(execute: Any, folder: Path) -> None:
    notebook = execute(LOAD, "%%hailuo --provider demo\nA kite over dunes.", "1 + 1")
    bundle = only_bundle(notebook.cells[1])
    assert bundle[MIME]["state"] == "completed"
    assert "application/vnd.jupyter.widget-view+json" not in bundle
    assert f'src="hailuo/{bundle[MIME]["run_id"]}.mp4"' in bundle["text/html"]
    assert (folder / "hailuo" / f"{bundle[MIME]['run_id']}.mp4").is_file()
    sidecar = json.loads((folder / "hailuo" / f"{bundle[MIME]['run_id']}.json").read_text())
    assert shared(sidecar) == bundle[MIME]
    assert "widgets" not in notebook.metadata
    nbformat.validate(notebook)


def test_a_key_cannot_be_typed_where_no_one_is_and_that_is_one_line(execute: Any) -> None:
    notebook = execute(LOAD, "%hailuo key segmind --keyring", allow_errors=True)
    (output,) = notebook.cells[1].outputs
    assert (output.output_type, output.ename) == ("error", "SettingsError")
    assert output.evalue.startswith("Can't ask for a key")
    assert "SEGMIND_API_KEY" in output.evalue
    assert len(output.traceback) <= 4


def test_a_notebook_run_twice_makes_one_submit(execute: Any, simulator: Simulator) -> None:
    cells = (LOAD, "%%hailuo --provider demo\nA paper boat in rain.")
    first, second = execute(*cells), execute(*cells)
    ids = {only_bundle(notebook.cells[1])[MIME]["run_id"] for notebook in (first, second)}
    assert len(ids) == 1
    sent = [job for job in simulator.ledger.jobs if job.prompt == "A paper boat in rain."]
    assert len(sent) == 1


def test_a_renamed_notebook_buys_nothing_and_says_so(
    execute: Any, simulator: Simulator, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = (
        LOAD,
        "%%hailuo --provider demo\nA kite in the rain.",
        "%%hailuo --provider demo --yes --sweep what=hat,shoe --name found\nA {what} in the rain.",
        "print(len(found.runs), found.plan.missing)",
    )

    def named(name: str) -> None:
        """Say which notebook it is, as our engine for papermill does."""
        monkeypatch.setenv("HAILUO_NOTEBOOK_PATH", str(folder / name))
        monkeypatch.setenv("HAILUO_NOTEBOOK_ID", made_of_path(folder / name))

    named("before.ipynb")
    first = execute(*cells)
    sent = len(simulator.ledger)
    named("after.ipynb")
    second = execute(*cells)
    assert len(simulator.ledger) == sent
    run_id = only_bundle(first.cells[1])[MIME]["run_id"]
    said, shown = second.cells[1].outputs
    assert said.text == (
        f"Run {run_id} was requested in before.ipynb, which no longer exists. Using it, "
        "no charge; --new generates another.\n"
    )
    assert shown.data[MIME]["run_id"] == run_id
    assert "no charge" in shown.data["text/plain"]
    # From then on it is this notebook's own.
    (shown,) = second.cells[2].outputs
    assert [each["state"] for each in shown.data[MIME]["runs"]] == ["completed"] * 2
    assert second.cells[3].outputs[0].text == "2 0\n"


def test_both_wires_and_a_last_frame(execute: Any, simulator: Simulator) -> None:
    notebook = execute(
        LOAD,
        "from PIL import Image\nlast = Image.new('RGB', (640, 360), 'navy')\n"
        "Image.new('RGB', (640, 360), 'gold').save('first.png')",
        "%%hailuo --provider demo --mode pro --image first.png --last-frame {last}\nDusk falls.",
        "%config Hailuo.demo_dialect = 'aimlapi'",
        "%%hailuo --provider demo --resolution 768P --image first.png --last-frame {last}\nDusk falls.",
        "%config Hailuo.aimlapi_wire = 'unified'",
        "%%hailuo --provider demo --new --image first.png --no-optimizer\nDusk falls.",
    )
    segmind, legacy, unified = (only_bundle(notebook.cells[i])[MIME] for i in (2, 4, 6))
    for record in (segmind, legacy, unified):
        assert record["state"] == "completed"
        assert record["clip"]["codec"] == "h264"
    assert segmind["clip"]["height"] == 1080 // simulator.options.shrink // 2 * 2
    assert {"image_url", "last_frame_image"} <= set(segmind["body"])
    assert {"first_frame_image", "last_image_url", "prompt_optimizer"} <= set(legacy["body"])
    assert unified["body"]["enhance_prompt"] is False
    assert unified["wire"] == "unified"


def test_a_run_as_last_expression_shows_itself(execute: Any) -> None:
    notebook = execute(
        LOAD, "import hailuo_jupyter as h\nrun = h.generate('A moth circles a lamp.', 'demo')\nrun"
    )
    assert only_bundle(notebook.cells[1])[MIME]["state"] == "completed"


def test_a_failed_run_stops_run_all_with_a_real_error_output(
    execute: Any, simulator: Simulator
) -> None:
    prompt = "Something that is blocked."
    simulator.fault("moderation", prompt=prompt)
    with pytest.raises(CellExecutionError, match="Moderated"):
        execute(LOAD, f"%%hailuo --provider demo\n{prompt}", "never = 1")
    simulator.fault("moderation", prompt=prompt)
    notebook = execute(LOAD, f"%%hailuo --provider demo\n{prompt}", allow_errors=True)
    bundle, error = notebook.cells[1].outputs
    assert bundle.data[MIME]["state"] == "failed"
    assert error.ename == "Moderated"
    assert len(error.traceback) <= 4


def test_no_key_reaches_the_file(execute: Any, env: dict[str, str]) -> None:
    notebook = execute(
        LOAD,
        "%%hailuo --provider segmind --wait\nA quiet street.",
        "%%hailuo --provider aimlapi --wait\nA quiet street.",
        "%hailuo providers",
        "%hailuo settings",
    )
    text = nbformat.writes(notebook)
    for name in ("SEGMIND_API_KEY", "AIML_API_KEY"):
        key = env[name]
        assert not any(key[i : i + 8] in text for i in range(len(key) - 7))
    assert "Signature=" not in text


def test_what_would_be_sent_by_mistake_is_refused(execute: Any, simulator: Simulator) -> None:
    sent = len(simulator.ledger.jobs)
    notebook = execute(
        LOAD + "\nframe = None\nframes = ['a.png', None]",
        "%%hailuo --provider demo\n--mode pro\nA gull dives.",
        "%%hailuo --provider demo --image {frame}\nA gull dives.",
        "%%hailuo --provider demo --yes --sweep image={frames}\nA gull dives.",
        "%%hailuo --provider demo --yes --sweep mode=standard,pro\n--wait\nA gull dives.",
        "%%hailuo --provider demo \\\n  --mode pro --tag birds \\\n  --tag sea\nA gull dives.",
        allow_errors=True,
    )
    errors = [cell.outputs[0] for cell in notebook.cells[1:5]]
    assert [error.get("ename") for error in errors] == [
        "OptionError", "PromptError", "OptionError", "OptionError",
    ]  # fmt: skip
    assert "starts with --mode" in errors[0].evalue
    assert "{frame} is None" in errors[1].evalue
    assert "One of the values of image is None" in errors[2].evalue
    record = only_bundle(notebook.cells[5])[MIME]
    assert record["request"]["options"] == {"mode": "pro"}
    assert (record["request"]["prompt"], record["tags"]) == ("A gull dives.", ["birds", "sea"])
    assert len(simulator.ledger.jobs) == sent + 1
