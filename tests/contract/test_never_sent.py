"""A request that never left: no cell, no wait and no executor takes it for one that was sent."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from hailuo_jupyter import errors
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.kernel import generate
from hailuo_jupyter.kernel.sweep import Sweep, grid, plan
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, ending, eventually, script
from tests.support.ports import closed_port


@pytest.fixture
def nobody(lab: EngineFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a port at which nobody listens."""
    with closed_port() as closed:
        address = f"http://{closed}"
        monkeypatch.setenv("SEGMIND_BASE_URL", address)
        monkeypatch.setenv("SEGMIND_STORAGE_URL", address)
        monkeypatch.setattr(generate, "ANSWER_S", 60.0)  # a busy machine may take its time
        yield address
    assert not lab.sim.requests


def answered(
    lab: EngineFixture, engine: Engine, prompt: str, **how: int
) -> errors.HailuoError | None:
    """Do what a cell does: submit, and wait until it is answered."""
    submission, began = lab.order(prompt, **how), time.monotonic()  # type: ignore[arg-type]
    runs = tuple(engine.submit(submission))
    return generate.Submitted(engine, submission, runs, "", began).wait_for_answers()


@pytest.mark.usefixtures("nobody")
def test_every_cell_learns_that_nothing_was_sent(lab: EngineFixture) -> None:
    engine = lab.engine()
    for number in range(12):  # by a race it passed as success four times in five
        assert isinstance(answered(lab, engine, f"a cat {number}"), errors.ProviderDown), number
    assert isinstance(answered(lab, engine, "three cats", count=3), errors.ProviderDown)
    assert not engine.unsent(), "each was raised in its cell"


@pytest.mark.usefixtures("nobody")
def test_a_sweep_that_fits_into_one_round_learns_it_too(lab: EngineFixture) -> None:
    settings = Hailuo(**{**lab.settings.trait_values(), "sweep_parallel": 4})
    made = plan.make(
        grid.spanned([("mode", ["standard", "pro"])]),
        {"provider": "segmind", "output": lab.clips},
        "a cat",
        {},
        settings,
    )
    sweep = Sweep(made, lab.engine())
    sweep.send()
    assert isinstance(sweep.answered(time.monotonic()), errors.ProviderDown)
    eventually(lambda: sweep.done)
    assert isinstance(sweep.unsent(), errors.ProviderDown)
    with pytest.raises(errors.ProviderDown):
        sweep.wait(10)


def test_what_is_put_off_and_then_given_up_is_raised_by_every_wait(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "ANSWER_S", 0.2)
    lab.sim.fault("rate-limited-seconds", "submit", count=2, seconds=1)
    lab.sim.fault("rate-limited-absurd", "submit", count=None)
    engine = lab.engine()
    assert answered(lab, engine, "a cat") is None, "it is being offered again"
    eventually(engine.unsent)
    (run_id,) = engine.unsent()
    run = Run.of(run_id, engine)
    eventually(lambda: run.done)
    assert engine.unsent() == [run_id]
    for _ in range(2):
        assert isinstance(ending(run), errors.RateLimited)
    assert not engine.unsent()

    async def wait() -> None:
        await run

    with pytest.raises(errors.RateLimited):
        asyncio.run(wait())
    assert run.status is State.PREPARED


def test_a_script_that_ends_too_soon_says_what_was_not_sent(lab: EngineFixture) -> None:
    lab.sim.fault("rate-limited-seconds", "submit", count=None, seconds=120)
    code = script(
        "import time, hailuo_jupyter.engine.process as process, hailuo_jupyter.kernel.generate as g",
        "process._EXIT_S = g.ANSWER_S = 0.5",
        'h.generate("a heron", "segmind")',
        "while not process.get_engine().unsent(): time.sleep(0.05)",  # refused, however slow the machine
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=lab.folder, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "1 request not sent" in done.stderr
    assert "no charge" in done.stderr
