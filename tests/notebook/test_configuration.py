"""Settings in IPython's configuration files and by ``%config``: a mistake is never passed over in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.simulator import Simulator

LOAD = "%load_ext hailuo_jupyter"


@pytest.fixture
def write(env: dict[str, str]) -> Any:
    """Write IPython's configuration file."""
    profile = Path(env["IPYTHONDIR"]) / "profile_default"
    profile.mkdir(parents=True)

    def lines(*lines: str) -> None:
        text = "\n".join(["c = get_config()", *lines])
        (profile / "ipython_kernel_config.py").write_text(text)

    return lines


def test_a_misspelled_setting_is_an_error_in_a_cell(execute: Any) -> None:
    notebook = execute(
        LOAD,
        "%config Hailuo.budget = 3",
        "%config Hailuo.budget_day_usd = 'ten'",
        "%config Hailo.budget_day_usd = 3",
        "%config Hailuo.budget_day_usd = 3",
        "%config Hailuo.budget_day_usd",
        "%config ZMQInteractiveShell.ast_node_interactivity = 'all'",
        "%unload_ext hailuo_jupyter",
        LOAD,
        "%config Hailuo.budget = 3",
        allow_errors=True,
    )
    errors = [
        next((o for o in cell.outputs if o.output_type == "error"), None) for cell in notebook.cells
    ]
    for at, words in {
        1: "Unknown setting Hailuo.budget; nothing was set. Did you mean Hailuo.budget_day_usd",
        2: "Hailuo.budget_day_usd cannot be 'ten'; it was not changed",
        3: "Unknown section Hailo; nothing was set. Did you mean Hailuo?",
        9: "Unknown setting Hailuo.budget",
    }.items():
        error = errors[at]
        assert error is not None, at
        assert error.ename == "SettingsError"
        assert words in error.evalue
        assert len(error.traceback) <= 4
    assert [at for at, error in enumerate(errors) if error] == [1, 2, 3, 9]
    assert notebook.cells[5].outputs[0].data["text/plain"] == "3.0"


def test_a_mistake_in_a_file_is_a_line_and_the_rest_holds(execute: Any, write: Any) -> None:
    write(
        "c.Hailuo.budget = 3",
        "c.Hailuo.budget_notebook_usd = 'ten'",
        "c.Hailuo.budget_day_usd = 0.25",
        "c.Hailo.embed = True",
    )
    notebook = execute(
        LOAD,
        "%config Hailuo.budget_day_usd",
        "%config Hailuo.provider = 'segmind'",
        "%hailuo settings",
        "%%hailuo\nA heron.",
        allow_errors=True,
    )
    (said,) = notebook.cells[0].outputs
    assert said.name == "stdout"
    lines = said.text.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("In IPython's configuration: Unknown setting Hailuo.budget")
    assert lines[1].startswith("In IPython's configuration: Hailuo.budget_notebook_usd cannot be")
    assert lines[2].startswith("In IPython's configuration: Unknown section Hailo")
    assert notebook.cells[1].outputs[0].data["text/plain"] == "0.25"
    assert notebook.cells[2].outputs == []
    assert "Unknown setting Hailuo.budget" in notebook.cells[3].outputs[0].text
    assert notebook.cells[4].outputs[0].ename == "BudgetExceeded"


def test_a_budget_in_a_file_holds_without_the_extension(
    execute: Any, write: Any, simulator: Simulator
) -> None:
    write("c.Hailuo.budget_day_usd = 0.25", "c.Hailuo.buget = 1")
    sent = len(simulator.requests)
    notebook = execute(
        "from hailuo_jupyter import generate, runs\nruns()",
        "generate('A heron.', 'segmind')",
        LOAD,
        allow_errors=True,
    )
    said, error = notebook.cells[1].outputs
    assert said.text.startswith("In IPython's configuration: Unknown setting Hailuo.buget")
    assert error.ename == "BudgetExceeded"
    assert notebook.cells[2].outputs == []
    assert len(simulator.requests) == sent
