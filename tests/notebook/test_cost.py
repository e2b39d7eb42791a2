"""Money in a notebook: budgets that refuse, own prices, ``%hailuo cost`` and what is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hailuo_jupyter.cli import main
from hailuo_jupyter.settings import Hailuo
from tests.simulator import Simulator, SimulatorOptions


@pytest.fixture
def quick(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A simulator whose clips are there at the first look."""
    options = SimulatorOptions(speed=1000.0, min_polls=0, shrink=8, variants=1, sigma=0.0)
    with Simulator(options) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HAILUO_SIMULATOR_URL", running.url)
        yield running


CELL = "%%hailuo --provider segmind --wait"


def test_budgets_prices_and_costs_in_a_notebook(
    execute: Any,
    env: dict[str, str],
    quick: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    notebook = execute(
        "%load_ext hailuo_jupyter",
        "%config Hailuo.budget_notebook_usd = 1.0\n"
        "%config Hailuo.prices_usd = {'segmind': 0.4, 'segmind/mode=pro': 0.7}",
        f"{CELL}\nA budget is kept.",
        f"{CELL} --mode pro\nA budget is kept.",
        f"{CELL} --mode pro --dry-run\nA budget is kept.",
        "%hailuo cost",
        "%hailuo cost --all",
        "%hailuo providers --balance",
        "%%hailuo --provider demo --wait\nThe demo is free.",
        allow_errors=True,
    )
    cells = [cell.outputs for cell in notebook.cells]
    record = cells[2][0].data["application/vnd.hailuo.run+json"]
    assert (record["cost"]["kind"], record["cost"]["estimate_high"]) == ("user", 0.4)
    assert "$0.3875 charged" in cells[2][0].data["text/html"]  # `metrics.cost`
    (refused,) = cells[3]
    assert refused.ename == "BudgetExceeded"
    assert "$0.60 of $1.00 for this notebook is left" in refused.evalue
    assert "up to $0.70" in refused.evalue
    assert "$0.70 for a clip (your own price" in cells[4][0].text
    (cost,) = cells[5]
    assert "$0.40 spent or reserved, $0.60 left" in cost.data["text/plain"]
    assert "<caption" in cost.data["text/html"]
    assert "By notebook" in cells[6][0].data["text/plain"]
    balances = [line for line in cells[7][0].text.splitlines() if "balance:" in line]
    assert balances[0].endswith(" credits")
    assert "$" in balances[1]
    assert "your own price" in cells[7][0].text
    assert env["SEGMIND_API_KEY"] not in json.dumps(notebook)
    assert cells[8][-1].output_type == "display_data"
    assert len(quick.ledger) == 2

    # The same from the command line.
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    Hailuo.clear_instance()
    try:
        assert main(["cost", "--json"]) == 0
        sums = json.loads(capsys.readouterr().out)
        assert sums["whole"]["runs"] >= 1
        assert main(["cost"]) == 0
        assert "By provider:" in capsys.readouterr().out
    finally:
        Hailuo.clear_instance()
