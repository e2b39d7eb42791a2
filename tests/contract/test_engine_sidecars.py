"""The record beside a clip, where its engine is stopped or killed before it has written it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable

import pytest

from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import Row, RunLog
from tests.support.engine_fixture import EngineFixture, eventually

pytestmark = pytest.mark.usefixtures("histories_soon")


@pytest.fixture
def lab(make_lab: Callable[..., EngineFixture]) -> EngineFixture:
    return make_lab(history_delay=0.3, segmind_seconds=0.1, aimlapi_6s_seconds=0.1)


def test_a_cost_is_written_beside_the_clip_also_where_the_engine_is_stopped_meanwhile(
    lab: EngineFixture,
) -> None:
    engine = lab.engine()
    lab.sim.fault("history-missing", count=None)
    run = lab.place(engine)
    run.wait(60)
    held, stopping = threading.Event(), threading.Thread(target=engine.stop)

    def stop(row: Row) -> None:
        # On the loop: every thread that could write is taken before the task that learned the cost
        # waits for one, and that task is ended.
        if row.record.cost.actual is not None and not stopping.is_alive():
            for _ in range(64):
                asyncio.get_running_loop().run_in_executor(None, held.wait, 20)
            stopping.start()
            threading.Timer(0.5, held.set).start()

    engine.listen(run.run_id, stop)
    lab.sim.clear_faults()
    eventually(stopping.is_alive)
    stopping.join(30)
    with RunLog(lab.log) as log:
        record = log.get(run.run_id).record
    assert record.cost.actual == 0.3875
    assert Record.from_json((lab.clips / f"{run.run_id}.json").read_bytes()) == record


def test_what_a_killed_process_left_unwritten_beside_a_clip_is_written_by_the_next(
    lab: EngineFixture,
) -> None:
    first = lab.engine()
    runs = [lab.place(first, prompt) for prompt in ("a cat", "a dog")]
    for run in runs:
        run.wait(60)
    eventually(lambda: all(lab.beside(run)["cost"]["actual"] for run in runs))
    first.stop()
    # As if it had been killed while it wrote: the log tells the cost, the file does not yet.
    whole = [(lab.clips / f"{run.run_id}.json").read_bytes() for run in runs]
    before = json.loads(whole[0])
    before["revision"] -= 1
    before["cost"]["actual"] = before["cost"]["actual_source"] = None
    (lab.clips / f"{runs[0].run_id}.json").write_text(json.dumps(before))
    (lab.clips / f"{runs[1].run_id}.json").unlink()  # by the person, on purpose
    frames = lab.clips / "frames"
    frames.mkdir()
    frame, other = (frames / f".{each}.png.17-0123abcd.tmp" for each in ("0123" * 16, "mine"))
    halves = [lab.clips / f".{run.run_id}.json.17-0123abcd.tmp" for run in runs]
    for half in (frame, other, *halves):
        half.write_text("half of it")
    lab.settings.ask_history = False  # nobody has to be asked for this
    lab.engine().logs()
    eventually(lambda: (lab.clips / f"{runs[0].run_id}.json").read_bytes() == whole[0])
    eventually(lambda: not any(half.exists() for half in (frame, *halves)))
    assert other.exists()
    assert not (lab.clips / f"{runs[1].run_id}.json").exists()
