"""Waiting and interrupting: the waiting ends, never the run, and the kernel lives on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulator import Simulator, SimulatorOptions
from tests.support.fake_front_end import Cell, FrontEnd
from tests.support.held_jobs import holding

MIME = "application/vnd.hailuo.run+json"


@pytest.fixture(scope="module")
def slow() -> Iterator[Simulator]:
    """A simulator whose jobs take some four seconds: long enough to be interrupted."""
    with Simulator(SimulatorOptions(speed=40.0, seed=3, variants=1, shrink=8)) as running:
        yield running


@pytest.fixture
def page(folder: Path, env: dict[str, str], slow: Simulator) -> Iterator[FrontEnd]:
    with FrontEnd(folder, {**env, "HAILUO_SIMULATOR_URL": slow.url}) as running:
        assert running.run("%load_ext hailuo_jupyter\nimport asyncio, time").error is None
        yield running


def interrupt_after(page: FrontEnd, cell: Cell, seconds: float) -> float:
    """Interrupt a running cell; give the seconds until it has ended."""
    page.wait(seconds)
    assert cell.seconds is None, "the cell ended before it could be interrupted"
    page.interrupt()
    asked = time.monotonic()
    page.until(lambda: cell.seconds is not None, 20)
    return time.monotonic() - asked


def test_every_way_of_waiting_can_be_interrupted_and_the_run_goes_on(
    page: FrontEnd, slow: Simulator
) -> None:
    let_go = holding(slow, "A clock without hands.")
    page.run("%%hailuo --provider demo --name run\nA clock without hands.")
    for code in (
        "run.wait()",
        "await run",
        "await asyncio.gather(run, run)",
        "await asyncio.wait_for(run, 60)",
        "%hailuo wait",
    ):
        cell = page.start(code)
        assert interrupt_after(page, cell, 0.5) < 15.0
        assert cell.error is not None, code
        assert cell.error["ename"] in {"WaitInterrupted", "CancelledError", "KeyboardInterrupt"}
        assert page.run("print(run.status)").error is None
    let_go()
    said = page.run("print((await run).status)")
    assert said.text.strip() == "completed"


def test_an_interrupted_wait_says_that_the_run_goes_on(page: FrontEnd, slow: Simulator) -> None:
    let_go = holding(slow, "An hourglass turns.")
    page.run("%%hailuo --provider demo --name run\nAn hourglass turns.")
    cell = page.start("run.wait()")
    interrupt_after(page, cell, 0.5)
    assert "continues" in cell.error["evalue"]
    assert len(cell.error["traceback"]) <= 4
    waiting = page.start("%%hailuo --provider demo --wait\nAn hourglass turns.")
    interrupt_after(page, waiting, 0.7)
    let_go()
    page.until(lambda: waiting.outputs[0]["data"][MIME]["state"] == "completed", 30)


def test_timeouts_end_the_wait_and_not_the_run(page: FrontEnd, slow: Simulator) -> None:
    let_go = holding(slow, "A sundial at noon.")
    page.run("%%hailuo --provider demo --name run\nA sundial at noon.")
    timed_out = page.run("run.wait(timeout=0.3)")
    assert timed_out.error["ename"] == "WaitTimeout"
    assert "It continues" in timed_out.error["evalue"]
    assert page.run("await asyncio.wait_for(run, 0.3)").error["ename"] == "TimeoutError"
    timeout = page.run("async with asyncio.timeout(0.3):\n    await run")
    assert timeout.error["ename"] == "TimeoutError"
    let_go()
    both = page.run(
        "%hailuo --help\n"
        "from hailuo_jupyter import generate\n"
        "pair = generate('Two at once.', 'demo', count=2)\n"
        "done = await asyncio.gather(*pair, run)\n"
        "print([str(r.status) for r in done])"
    )
    assert both.error is None
    assert both.text.strip().endswith("['completed', 'completed', 'completed']")


def test_a_blocking_wait_lets_the_users_own_tasks_go_on(page: FrontEnd) -> None:
    page.run("%%hailuo --provider demo --name run\nA metronome.")
    cell = page.run(
        "ticks = []\n"
        "async def tick():\n"
        "    while True:\n"
        "        ticks.append(time.monotonic()); await asyncio.sleep(0.1)\n"
        "task = asyncio.get_running_loop().create_task(tick())\n"
        "await asyncio.sleep(0)\n"
        "run.wait()\n"
        "task.cancel()\n"
        "print(len(ticks))"
    )
    assert cell.error is None
    assert int(cell.text) >= 5


def test_a_killed_kernel_loses_nothing(page: FrontEnd, slow: Simulator) -> None:
    cell = page.run("%%hailuo --provider demo --name run\nA lighthouse at night.")
    run_id = cell.outputs[0]["data"][MIME]["run_id"]
    page.restart()
    # Loading alone goes on with it: nobody runs the cell again.
    page.run("%load_ext hailuo_jupyter")
    shown = page.run(f"%hailuo show {run_id}")
    page.until(lambda: shown.outputs[0]["data"][MIME]["state"] == "completed", 30)
    assert sum(job.prompt == "A lighthouse at night." for job in slow.ledger.jobs) == 1


def test_reloading_and_unloading_leave_one_engine_or_none(page: FrontEnd) -> None:
    count = "import threading; print(sum(t.name == 'hailuo-engine' for t in threading.enumerate()))"
    assert page.run(count).text.strip() == "0"
    page.run("%%hailuo --provider demo --name run\nA door opens.")
    assert page.run(count).text.strip() == "1"
    assert page.run("%reload_ext hailuo_jupyter").error is None
    page.run("%%hailuo --provider demo --name run\nA door opens.")
    assert page.run(count).text.strip() == "1"
    assert page.run("run.wait().status").error is None
    assert page.run("%unload_ext hailuo_jupyter").error is None
    assert page.run(count).text.strip() == "0"
    assert "not found" in page.run("%%hailuo --provider demo\nA door closes.").text
    page.run("%load_ext hailuo_jupyter")
    assert page.run(count).text.strip() == "0"


def test_a_fork_has_no_engine_and_leaves_the_parents_alone(page: FrontEnd) -> None:
    page.run("%%hailuo --provider demo --name run\nA fork in the road.")
    # The child is a real fork of the kernel; it must neither hold the parent's lock nor use its log.
    forked = page.run(
        "import os, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "from hailuo_jupyter.engine import process\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(0 if process._engine is None else 7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    assert forked.text.strip() == "0"
    assert page.run("print(run.wait().status)").text.strip() == "completed"


def test_cancel_says_what_cannot_be_cancelled(page: FrontEnd) -> None:
    page.run("%%hailuo --provider demo --name run\nA train leaves.")
    error = page.run("run.cancel()").error
    assert error["ename"] == "CannotCancel"
    assert "paid for and will be downloaded" in error["evalue"]
    said = page.run("print(run.wait().status)")
    assert said.text.strip() == "completed"
