"""A folder that does not answer, as a network mount that hangs, and what dead processes left in one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hailuo_jupyter import errors
from hailuo_jupyter.engine.partial_file import PartialFile
from hailuo_jupyter.runlog.ownership import Owner
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, ending, eventually, script, shorten

posix = pytest.mark.skipif(os.name != "posix", reason="pipes and links are POSIX's here")


class Hanging:
    """Folders whose clips cannot be synced until `go_on`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folders: set[Path] = set()
        self.go_on = threading.Event()
        self.reached = threading.Event()
        sync = PartialFile.sync

        def hang(part: PartialFile) -> None:
            def act() -> None:
                self.reached.set()
                self.go_on.wait()

            if part.path.parent in self.folders:
                part._do(act)
            sync(part)

        monkeypatch.setattr(PartialFile, "sync", hang)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    made = Hanging(monkeypatch)
    yield made
    made.go_on.set()


def test_a_folder_that_hangs_holds_up_no_other_run_and_is_tried_again(
    lab: EngineFixture, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, stuck_folder_s=3.0)
    engine, hung = lab.engine(), lab.folder / "hung"
    hanging.folders.add(hung)
    stuck = [lab.place(engine, f"a cat {each}", folder=hung) for each in range(8)]
    hanging.reached.wait(60)
    heron = lab.place(engine, "a heron")
    eventually(lambda: heron.clip is not None)
    error = ending(stuck[0])
    assert isinstance(error, errors.DiskError)
    assert "is not responding" in error.what
    assert "paid for" in error.money
    assert all(run.status is not State.COMPLETED for run in stuck)
    hanging.go_on.set()
    for run in stuck:
        eventually(lambda run=run: run.clip is not None)
    eventually(lambda: not lab.leftovers())
    assert lab.submits() == 9


def test_an_engine_ends_while_a_folder_hangs_and_the_next_one_fetches(
    lab: EngineFixture, hanging: Hanging
) -> None:
    engine = lab.engine()
    hanging.folders.add(lab.clips)
    run = lab.place(engine)
    hanging.reached.wait(60)
    engine.stop()
    assert not engine.alive
    assert lab.leftovers()  # it is still being written to
    hanging.folders.clear()
    (again,) = lab.engine().resume()
    eventually(lambda: again.clip is not None)
    hanging.go_on.set()
    eventually(lambda: not lab.leftovers())
    assert (again.run_id, lab.submits()) == (run.run_id, 1)


def python(lab: EngineFixture, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, to its end."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=lab.folder,
    )


@posix
def test_python_ends_while_a_folder_hangs(lab: EngineFixture) -> None:
    code = """
    import os, threading
    from hailuo_jupyter.engine.partial_file import PartialFile
    reached = threading.Event()

    def hang(part):
        os.mkfifo("pipe")
        reached.set()
        part._do(lambda: open("pipe", "rb"))  # nobody ever writes into it

    PartialFile.sync = hang
    run = h.generate("a heron", "segmind")
    reached.wait(60)
    print("hangs", flush=True)
    """
    done = python(lab, code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("hangs")
    assert "Traceback" not in done.stderr
    (run,) = lab.engine().resume()
    eventually(lambda: run.clip is not None)
    assert not lab.leftovers()
    assert lab.submits() == 1


def test_cards_of_a_folder_that_hangs_hold_up_no_run_and_no_end(
    lab: EngineFixture, hanging: Hanging
) -> None:
    """What a card shows is read on threads of the engine's loop: more hang here than a pool has."""
    engine = lab.engine()

    async def card() -> None:
        await asyncio.to_thread(hanging.go_on.wait)

    for _ in range(40):
        engine.spawn(card())
    assert lab.place(engine).wait(60).clip is not None
    engine.stop()
    assert not engine.alive
    assert not hanging.go_on.is_set()


@posix
def test_python_ends_while_a_card_hangs(lab: EngineFixture) -> None:
    code = """
    import asyncio, os
    from hailuo_jupyter.engine import process
    os.mkfifo("pipe")

    async def card():
        await asyncio.to_thread(open, "pipe", "rb")  # nobody ever writes into it

    process.get_engine().spawn(card())
    h.generate("a heron", "segmind").wait(60)
    print("done", flush=True)
    """
    done = python(lab, code)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert "Traceback" not in done.stderr


@posix
def test_what_somebody_laid_in_the_way_of_a_download_is_neither_opened_nor_followed(
    lab: EngineFixture,
) -> None:
    lab.sim.fault("seconds", seconds=1.5)
    run = lab.place(lab.engine())
    eventually((lab.clips / f"{run.run_id}.json").exists)
    victim = lab.folder / "victim"
    victim.write_text("precious")
    os.mkfifo(lab.clips / f"{run.run_id}.mp4.part")
    (lab.clips / f"{run.run_id}.mp4").symlink_to(victim)
    assert run.wait(60).clip is not None
    assert victim.read_text() == "precious"
    assert not (lab.clips / f"{run.run_id}.mp4").is_symlink()


def test_parts_of_dead_processes_go_and_those_of_living_ones_stay(lab: EngineFixture) -> None:
    lab.sim.fault("seconds", seconds=1.5)
    run = lab.place(lab.engine())
    eventually((lab.clips / f"{run.run_id}.json").exists)
    with Owner(lab.log) as living:
        kept, gone = (
            PartialFile(lab.clips, run.run_id, each) for each in (living.id, "1-0123abcd")
        )
        for part in (kept, gone):
            part.create()
            part._close()
        assert run.wait(60).clip is not None
        assert lab.leftovers() == [kept.path.name]
