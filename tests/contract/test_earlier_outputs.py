"""What a kernel updates on a page that an earlier kernel has filled."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.ids import Notebook
from hailuo_jupyter.kernel.display import earlier_outputs
from hailuo_jupyter.kernel.frontends import Host
from tests.support.engine_fixture import EngineFixture


@pytest.fixture
def updated(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The runs of each output that is updated, in order."""
    found: list[tuple[str, ...]] = []

    class Displays:
        def __init__(self, _kind: str, ids: tuple[str, ...], _request: object) -> None:
            self._ids = tuple(ids)

        def put(self, _content: object) -> None:
            found.append(self._ids)

    monkeypatch.setattr(earlier_outputs, "EarlierDisplays", Displays)
    return found


@pytest.mark.parametrize("before", [True, False])
def test_only_runs_from_before_the_extension_was_loaded_have_an_earlier_output(
    before: bool, make_lab: Callable[..., EngineFixture], updated: list[tuple[str, ...]]
) -> None:
    lab = make_lab()
    engine = lab.engine()
    loaded = time.time()
    run: Run = lab.place(engine)
    if before:
        loaded = time.time() + 1
    notebook = Notebook("a-notebook", None, lab.folder)
    earlier_outputs.refresh_earlier(engine, [], {}, Host("a page"), notebook, loaded=loaded)
    assert set(updated) == ({(run.run_id,)} if before else set())
