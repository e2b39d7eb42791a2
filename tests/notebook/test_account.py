"""A clip that was bought with another key: what a person sees of it, and how it arrives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulator import Simulator, SimulatorOptions
from tests.support.fake_front_end import Cell, FrontEnd

MIME = "application/vnd.hailuo.run+json"
LOAD = "%load_ext hailuo_jupyter"
ASK = "%%hailuo --provider segmind\nA key turns in a lock."
FIRST, OTHER = "SG_0123456789abcdef", "SG_another_0123456789"


@pytest.fixture
def apart() -> Iterator[Simulator]:
    """A simulator for which each key is an account of its own; a job takes some 8 s."""
    options = SimulatorOptions(
        speed=20.0, sigma=0.0, seed=7, separate_accounts=True, variants=1, shrink=8
    )
    with Simulator(options) as running:
        yield running


def data(cell: Cell) -> dict[str, Any]:
    (found,) = (output["data"] for output in cell.outputs if output["type"] == "display_data")
    return found


def test_another_account_is_shown_and_buys_nothing_and_its_own_key_brings_the_clip(
    folder: Path, env: dict[str, str], apart: Simulator
) -> None:
    env |= apart.environment()
    with FrontEnd(folder, env) as page:
        page.run(LOAD)
        run_id = data(page.run(ASK))[MIME]["run_id"]
        page.kill()
    with FrontEnd(folder, {**env, "SEGMIND_API_KEY": OTHER}) as page:
        page.run(LOAD)
        cell = page.run(ASK)
        assert cell.error is None
        page.until(lambda: "Needs another key" in data(cell)["text/plain"], 60)
        assert data(cell)[MIME]["run_id"] == run_id
        assert "Needs another key" in page.run("%hailuo").text
        refused = page.run(f"%hailuo wait {run_id}")
        assert refused.error is not None
        assert refused.error["ename"] == "WaitsForItsKey"
        assert len(apart.ledger) == 1
        page.run(f"%env SEGMIND_API_KEY={FIRST}")
        page.run("%hailuo resume")
        page.until(lambda: data(cell)[MIME]["state"] == "completed", 90)
        assert list((folder / "hailuo").glob("*.mp4"))
    assert len(apart.ledger) == 1
