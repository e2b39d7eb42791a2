"""An output is drawn again whenever it would show something else, whichever moment that changes in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.errors import HailuoError, WaitsForItsKey
from hailuo_jupyter.ids import Notebook
from hailuo_jupyter.kernel import frontends
from hailuo_jupyter.kernel.display.clip_delivery import OutputPlace
from hailuo_jupyter.kernel.display.run_output import RunContent
from hailuo_jupyter.kernel.sweep.live_sheet import SheetContent
from hailuo_jupyter.kernel.sweep.sheet import Cell, Sheet
from tests.support.engine_fixture import EngineFixture

NEEDS_KEY = WaitsForItsKey("Another key bought it.", money="It stays paid for.", todo="Set it.")


def hinder(engine: Engine, monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    """Have runs wait for their key from the given question on."""
    asked = 0

    def hindrance(run_id: str) -> HailuoError | None:
        nonlocal asked
        asked += 1
        return NEEDS_KEY if asked > after else None

    monkeypatch.setattr(engine, "hindrance", hindrance)


def last_shown(content: Any) -> str:
    """Return what is left in the output after some updates: a bundle is sent only if it differs."""
    before, shown = object(), ""
    for _ in range(4):
        depends_on = content.update()
        if depends_on != before:
            shown = content.bundle()["text/html"]
        before = depends_on
    return shown


@pytest.mark.parametrize("after", range(5))
@pytest.mark.parametrize("live_card", [False, True])
def test_a_run_that_begins_to_wait_for_its_key_is_drawn(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch, after: int, live_card: bool
) -> None:
    lab.sim.fault("seconds", seconds=60.0)
    engine = lab.engine()
    run = lab.place(engine)
    place = OutputPlace(frontends.JUPYTER, Notebook("a-notebook", None, lab.folder))
    content = RunContent(engine, [run], place, live_card=live_card)
    hinder(engine, monkeypatch, after=after)
    assert "Needs another key" in last_shown(content)


class OneRunSweep:
    """A sweep of one run."""

    sweep_id, done = "sweep-of-one", False

    def __init__(self, engine: Engine, run_id: str) -> None:
        self.engine, self._run_id = engine, run_id

    def sheet(self) -> Sheet:
        cell = Cell((0,), (self._run_id,))
        return Sheet(self.sweep_id, (("prompt", ("a cat",)),), (cell,))


@pytest.mark.parametrize("after", range(3))
def test_a_sheet_shows_it_too(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    lab.sim.fault("seconds", seconds=60.0)
    engine = lab.engine()
    run = lab.place(engine)
    content = SheetContent(OneRunSweep(engine, run.run_id), Path(lab.folder))
    hinder(engine, monkeypatch, after=after)
    assert "Needs another key" in last_shown(content)
