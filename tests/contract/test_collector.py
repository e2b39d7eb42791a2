"""Who goes on with runs that their process has left, when, with which key; and what it costs to look."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter import keys, server_extension
from hailuo_jupyter.cli import wait as waiting
from hailuo_jupyter.collector import WAITS_FOR_A_KEY, Collector
from hailuo_jupyter.engine import process
from hailuo_jupyter.ipynb.events import RunMoved
from hailuo_jupyter.record import prepare
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.inspect import servers
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.engine_fixture import KEYS, EngineFixture, eventually, shorten


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_from_keyring", lambda _provider: None)


@pytest.fixture
def collect(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch, start_in: Callable[[Path], None]
) -> Iterator[Callable[..., Any]]:
    """Collect as the command does, in this process; gives the outcome and what was told."""
    start_in(lab.folder)
    monkeypatch.setattr(waiting, "_LOOK_S", 0.1)
    Hailuo.clear_instance()
    Hailuo.instance().run_log = str(lab.log)

    def run(**options: Any) -> tuple[waiting.Outcome, list[str]]:
        told: list[str] = []
        outcome = waiting.collect(options.pop("tell", lambda _event: None), told.append, **options)
        return outcome, told

    yield run
    process.shut_down()
    Hailuo.clear_instance()


def orphans(lab: EngineFixture, *providers: str) -> list[str]:
    """Buy a clip of each provider and leave them, as a kernel that is shut down does."""
    engine = lab.engine()
    runs = [lab.place(engine, "a cat", each) for each in providers]
    eventually(lambda: all(run.record.job.id for run in runs))
    engine.stop()
    return [run.run_id for run in runs]


# ── jupyter hailuo collect ─────────────────────────────────────────────────────────────────────


def test_collect_brings_what_was_left_and_a_run_without_a_key_waits(
    lab: EngineFixture, collect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    keyless, other = orphans(lab, "segmind", "aimlapi")
    states: list[State] = []
    with RunLog(lab.log) as log:
        before = log.get(keyless)
        monkeypatch.delenv("SEGMIND_API_KEY")
        outcome, told = collect(tell=lambda event: states.append(event.record.state))
        assert log.get(keyless) == before, "it was not even claimed"
        assert [row.run_id for row in outcome.rows] == [other]
        assert states[-1] is State.COMPLETED
        [clip] = outcome.clips()
        assert Path(clip).is_file()
        [problem] = outcome.problems
        assert problem.startswith(f"Run {keyless}: {WAITS_FOR_A_KEY}: ")
        assert told[0] == problem
        # A key in the folder that the command is started in counts: a person went there.
        (lab.folder / ".env").write_text(f"SEGMIND_API_KEY={KEYS['SEGMIND_API_KEY']}\n")
        assert collect()[0].problems == []
        assert log.get(keyless).state is State.COMPLETED
    assert lab.submits() == 2
    assert collect()[0] == waiting.Outcome([], []), "nothing is left"


def test_watch_takes_what_is_left_later(lab: EngineFixture, collect: Callable[..., Any]) -> None:
    seen: list[str] = []
    late: list[str] = []

    def tell(event: RunMoved) -> None:
        if event.record.state is State.COMPLETED:
            seen.append(event.record.run_id)
            if len(seen) == 2:
                raise KeyboardInterrupt
            late.extend(orphans(lab, "aimlapi"))

    first = orphans(lab, "segmind")
    with pytest.raises(KeyboardInterrupt):
        collect(tell=tell, watch=True)
    assert seen == [*first, *late]


def test_the_time_given_ends_it_and_the_run_stays(
    lab: EngineFixture, collect: Callable[..., Any]
) -> None:
    lab.sim.fault("stuck")
    [run_id] = orphans(lab, "segmind")
    outcome, _ = collect(seconds=0.5)
    [problem] = outcome.problems
    assert problem == f"Run {run_id}: Not finished within the time limit; it stays in the log."
    process.shut_down()
    with RunLog(lab.log) as log:
        assert [row.run_id for row in log.unfinished()] == [run_id]


# ── when a look takes a run, and when it does not ──────────────────────────────────────────────


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def collector(lab: EngineFixture, now: list[float]) -> Collector:
    return Collector(lab.settings, lab.engine, folder=None, grace_s=10.0, clock=lambda: now[0])


def test_a_left_run_is_its_kernels_for_a_moment(
    lab: EngineFixture, collector: Collector, now: list[float]
) -> None:
    [run_id] = orphans(lab, "segmind")
    engines = len(lab.engines)
    assert collector.look() == []
    now[0] += 9.9
    assert collector.look() == []
    assert len(lab.engines) == engines, "no engine is started for a look"
    now[0] += 0.1
    assert [run.run_id for run in collector.look()] == [run_id]


def test_a_run_that_its_kernel_took_again_is_left_alone(
    lab: EngineFixture, collector: Collector, now: list[float]
) -> None:
    lab.sim.fault("seconds", seconds=3.0)
    [run_id] = orphans(lab, "segmind")
    collector.look()
    [again] = lab.engine().resume()
    now[0] += 100
    assert collector.look() == []
    assert collector.hindered == {}
    assert again.run_id == run_id


def test_a_refused_key_is_tried_once_and_another_one_within_a_minute(
    lab: EngineFixture, collector: Collector, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, key_refused_for_s=0.0)
    [run_id] = orphans(lab, "segmind")
    collector.look()
    lab.sim.fault("unauthorized", "status", count=3)
    now[0] += 10
    [run] = collector.look()
    eventually(lambda: run.done)
    asked = len(lab.sim.requests)
    for _ in range(3):
        now[0] += 100
        assert collector.look() == []
    assert "key" in collector.hindered[run_id]
    assert len(lab.sim.requests) == asked
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_another0123456789")
    now[0] += 60
    assert [run.run_id for run in collector.look()] == [run_id]


def test_a_request_that_was_on_its_way_is_told_and_not_sent_again(
    lab: EngineFixture, collector: Collector, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEGMIND_API_KEY")  # no key is needed to say what became of it
    asked = lab.order().request
    record = prepare(asked).moved(State.SUBMITTING)
    with RunLog(lab.log) as log:
        log.insert(record, folder=lab.clips, kind=asked.kind, owner="1-00000000")
        collector.look()
        now[0] += 10
        assert collector.look() == []
        assert log.get(record.run_id).state is State.UNCONFIRMED
        assert lab.submits() == 0


# ── the server's thread ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def keepers(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], server_extension.Keeper]]:
    monkeypatch.setattr(server_extension, "LOOK_S", 0.05)
    monkeypatch.setattr(server_extension, "GRACE_S", 0.1)
    started: list[server_extension.Keeper] = []

    def start() -> server_extension.Keeper:
        keeper = server_extension.Keeper(lab.settings, logging.getLogger("a.server"))
        keeper.start()
        started.append(keeper)
        return keeper

    yield start
    for keeper in started:
        keeper.stop()


def test_of_two_servers_each_run_goes_to_one(
    lab: EngineFixture,
    keepers: Callable[[], server_extension.Keeper],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "a.server")
    ids = orphans(lab, "segmind", "aimlapi")
    first, second = keepers(), keepers()
    with RunLog(lab.log) as log:
        eventually(lambda: all(log.get(each).state is State.COMPLETED for each in ids))
        eventually(lambda: first.busy + second.busy == 0)
    assert len([each for each in lab.sim.requests if each.stage == "media"]) == 2
    assert lab.submits() == 2
    taken = [line for line in caplog.messages if "the server continues it" in line]
    assert sorted(line.split()[1].rstrip(":") for line in taken) == sorted(ids)
    assert len(servers(lab.log)) == 2
    first.stop()
    second.stop()
    assert servers(lab.log) == []


def test_a_server_that_ends_leaves_its_run_for_the_next(
    lab: EngineFixture, keepers: Callable[[], server_extension.Keeper]
) -> None:
    lab.sim.fault("seconds", seconds=4.0)
    [run_id] = orphans(lab, "segmind")
    first = keepers()
    eventually(lambda: first.busy)
    first.stop()
    with RunLog(lab.log) as log:
        assert log.get(run_id).owner is None
        assert [run.run_id for run in lab.engine().resume()] == [run_id]


def test_a_dotenv_in_the_servers_folder_is_not_read(
    lab: EngineFixture,
    keepers: Callable[[], server_extension.Keeper],
    monkeypatch: pytest.MonkeyPatch,
    start_in: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "a.server")
    [run_id] = orphans(lab, "segmind")
    monkeypatch.delenv("SEGMIND_API_KEY")
    start_in(lab.folder)
    (lab.folder / ".env").write_text(f"SEGMIND_API_KEY={KEYS['SEGMIND_API_KEY']}\n")
    keepers()
    eventually(lambda: any(WAITS_FOR_A_KEY in line for line in caplog.messages))
    with RunLog(lab.log) as log:
        assert log.get(run_id).owner is None


def test_a_damaged_log_is_told_once_and_does_not_end_the_looks(
    lab: EngineFixture,
    keepers: Callable[[], server_extension.Keeper],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO, "a.server")
    looks: list[int] = []
    there = Collector.look

    def look(self: Collector) -> Any:
        looks.append(1)
        if len(looks) < 4:
            lab.log.parent.mkdir(exist_ok=True)
            lab.log.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
            monkeypatch.setattr("hailuo_jupyter.collector.peek_unfinished", lambda _path: 1)
        return there(self)

    monkeypatch.setattr(Collector, "look", look)
    keepers()
    eventually(lambda: len(looks) > 4)
    said = [line for line in caplog.messages if "run log" in line]
    assert len(said) == 1


def test_an_idle_server_loads_nothing_and_makes_nothing(tmp_path: Path) -> None:
    code = """
import logging, pathlib, sys
from hailuo_jupyter.server_extension import Keeper
from hailuo_jupyter.settings import Hailuo
settings = Hailuo(run_log=sys.argv[1])
keeper = Keeper(settings, logging.getLogger("x"))
keeper._look()
print(list(pathlib.Path(sys.argv[1]).parent.iterdir()))
from hailuo_jupyter.runlog import RunLog
with RunLog(settings.run_log_path()):
    keeper._look()
keeper.stop()
print([n for n in ("httpx", "pydantic", "av", "PIL", "ipywidgets", "IPython") if n in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "runs.sqlite3")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "[]\n[]\n"
