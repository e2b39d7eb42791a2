"""Disks that fail in the middle: no room, no writing, no syncing, folders that go, odd names."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hailuo_jupyter import errors
from hailuo_jupyter.engine.clock import Clock
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.kernel.generate import output_folder
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, ending, eventually, fill, script

posix = pytest.mark.skipif(os.name != "posix", reason="rights and limits are POSIX's")


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


# ── no room, no writing ────────────────────────────────────────────────────────────────────────


def test_a_folder_that_becomes_read_only_costs_no_clip(
    lab: EngineFixture, small_disk: Path
) -> None:
    lab.sim.fault("seconds", seconds=1.0)
    run = lab.place(lab.engine(), folder=small_disk)
    eventually((small_disk / f"{run.run_id}.json").exists)
    remount(small_disk, "ro")
    try:
        error = ending(run)
    finally:
        remount(small_disk, "rw")
    assert isinstance(error, errors.FolderNotWritable)
    assert run.status is State.UNDOWNLOADED
    assert "paid for" in error.money
    eventually(lambda: run.clip is not None)
    assert lab.submits() == 1


def test_resume_tries_at_once_what_waits_for_the_disk(lab: EngineFixture, small_disk: Path) -> None:
    """The words of a full disk promise it."""
    asleep: list[str] = []

    async def sleep(seconds: float) -> None:
        if lab.engines and run.status is State.UNDOWNLOADED:
            asleep.append(run.run_id)
            seconds = 3600.0
        await asyncio.sleep(seconds)

    engine = Engine(lab.settings, Clock(sleep=sleep))
    run = lab.place(engine, folder=small_disk)
    eventually(lambda: run.record.job.id)
    lab.engines.append(engine)
    data = fill(small_disk)
    error = ending(run)
    assert isinstance(error, errors.DiskFull)
    assert "at once with '%hailuo resume'" in error.todo
    eventually(lambda: run.run_id in asleep)
    data.unlink()
    assert engine.resume() == [run]
    eventually(lambda: run.clip is not None)


def test_a_log_without_room_takes_the_jobs_id_when_there_is_some(
    lab: EngineFixture, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Hailuo(run_log=str(small_disk / "runs.sqlite3"))
    engine = Engine(settings)
    lab.engines.append(engine)
    lab.sim.fault("delay", "submit", seconds=0.8)
    run = lab.place(engine)
    eventually(lambda: len(lab.sim.ledger) == 1)
    assert run.status is State.SUBMITTING
    # So full that the log cannot grow by a page.
    data = fill(small_disk)
    eventually(lambda: "waits for the run log" in caplog.text)
    data.unlink()
    assert run.wait(60).clip is not None
    assert run.record.job.id == lab.sim.ledger[0].id
    assert lab.submits() == 1
    engine.stop()


def test_a_log_without_room_lets_nothing_be_sent(lab: EngineFixture, small_disk: Path) -> None:
    fill(small_disk)
    engine = Engine(Hailuo(run_log=str(small_disk / "log" / "runs.sqlite3")))
    lab.engines.append(engine)
    with pytest.raises(errors.HailuoError) as caught:
        lab.place(engine)
    assert isinstance(caught.value, errors.DiskFull | errors.RunLogError)
    assert caught.value.todo
    assert not lab.sim.requests


def test_a_folder_that_is_deleted_meanwhile_is_made_again(lab: EngineFixture) -> None:
    lab.sim.fault("seconds", seconds=1.0)
    run = lab.place(lab.engine())
    eventually((lab.clips / f"{run.run_id}.json").exists)
    shutil.rmtree(lab.clips)
    assert run.wait(60).clip is not None
    assert (lab.clips / f"{run.run_id}.json").is_file()


# ── syncing that fails ─────────────────────────────────────────────────────────────────────────

#: Lets a system call fail, as a dying disk does: what is lost is known only at the sync.
STRACE = ("strace", "-f", "-qq", "-o", os.devnull)

UNSYNCED = """
import sys
try:
    run = h.generate("a heron", "segmind", image=sys.argv[1] or None, output="clips")
    run.wait(20)
except h.HailuoError as error:
    print(type(error).__name__, "|", error)
print("run", run.status.value if "run" in globals() else None, flush=True)
"""


def unsynced(lab: EngineFixture, failing: str, frame: str = "") -> str:
    """Run a script whose disk fails so, and give what it says."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not here")
    calls = failing.partition(":")[0]
    done = subprocess.run(
        [*STRACE, "-e", f"trace={calls}", "-e", f"inject={failing}",
         sys.executable, "-c", script(UNSYNCED), frame],
        capture_output=True, text=True, timeout=100, check=False, cwd=lab.folder, env=os.environ,
    )  # fmt: skip
    if "ptrace" in done.stderr:
        pytest.skip("no right to trace a process")
    assert "Traceback" not in done.stderr.replace(
        'Traceback (most recent call last):\n  File "<', ""
    )
    return done.stdout


@posix
def test_where_the_log_cannot_be_synced_nothing_is_sent(lab: EngineFixture) -> None:
    said = unsynced(lab, "fdatasync,fsync:error=EIO")
    assert "run None" in said
    assert said.startswith(("RunLogError |", "DiskError |", "DiskFull |"))
    assert not lab.sim.requests


@posix
def test_where_a_frame_cannot_be_synced_nothing_is_sent(lab: EngineFixture, frame: Path) -> None:
    said = unsynced(lab, "fsync:error=EIO", str(frame))
    assert "no charge" in said
    assert "run None" in said
    assert not lab.sim.requests
    assert not list((lab.folder / "clips").rglob("*.png")), "no half frame stays"


@posix
def test_a_clip_that_cannot_be_synced_is_paid_for_and_stays_at_the_provider(
    lab: EngineFixture,
) -> None:
    said = unsynced(lab, "fsync:error=EIO")
    assert said.startswith("DiskError |")
    assert "paid for" in said
    assert "run undownloaded" in said
    assert lab.submits() == len(lab.sim.ledger) == 1
    assert not list(lab.folder.rglob("*.mp4")), "what is not on the disk is not called a clip"
    assert not lab.leftovers()


# ── one folder, many names ─────────────────────────────────────────────────────────────────────


def test_two_notebooks_share_an_output_folder(lab: EngineFixture, frame: Path) -> None:
    engines = [lab.engine(), lab.engine()]
    runs = []
    for number, engine in enumerate(engines):
        order = lab.order(image=frame)
        name = f"{number}.ipynb"
        (lab.folder / name).touch()
        changes = {"notebook_id": f"notebook-{number}", "notebook_path": name}
        origin = order.origin.model_copy(update=changes)
        runs.append(engine.submit(replace(order, origin=origin))[0].run)
    for run in runs:
        assert run.wait(60).clip is not None
    assert len(list(lab.clips.glob("*.mp4"))) == len(list(lab.clips.glob("*.json"))) == 2
    assert len(list((lab.clips / "frames").iterdir())) == 1
    assert len(lab.sim.ledger) == 2


NAMES = (
    "my clips", "Grüße aus Köln", "🎬 takes", "a'b\"c", "$(touch x)", "-rf", "...", "x" * 255,
    "one/two/../three", "./here/", "x~tilde",
)  # fmt: skip


def test_all_that_is_written_lies_in_the_folder_that_was_named(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, runs = lab.engine(), {}
    for number, name in enumerate(NAMES):
        notebook = lab.folder / f"notebook{number}"
        notebook.mkdir()
        monkeypatch.chdir(notebook)
        folder = output_folder(lab.settings, name, notebook)
        assert folder.is_relative_to(notebook.resolve())
        run = lab.place(engine, f"../../etc/passwd {number}", folder=folder)
        runs[notebook] = (folder, run)
    for notebook, (folder, run) in runs.items():
        assert run.wait(60).clip is not None
        written = {path.resolve() for path in notebook.rglob("*") if path.is_file()}
        assert written == {folder / f"{run.run_id}.mp4", folder / f"{run.run_id}.json"}
    top = {path.name for path in lab.folder.iterdir()}
    assert top == {lab.log.parent.name, *(notebook.name for notebook in runs)}


def test_a_path_that_a_person_names_is_where_it_is_written(
    lab: EngineFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, notebook, sub = (tmp_path / each for each in ("elsewhere", "notebook", "sub"))
    sub.mkdir()
    monkeypatch.chdir(sub)
    assert output_folder(lab.settings, elsewhere, notebook) == elsewhere
    assert output_folder(lab.settings, "../up", notebook) == tmp_path / "up"
    # The setting's is no path that the cell has written, so `%cd` does not move it.
    assert output_folder(lab.settings, None, notebook) == notebook / "hailuo"
    sub.rmdir()
    assert output_folder(lab.settings, "up", notebook).name == "up"


@pytest.mark.parametrize(
    "name", ["a\0b", "~nobody-of-this-name", "x" * 256, "é" * 128, "x/" * 3000]
)
def test_a_name_that_no_disk_takes_is_refused_before_anything_is_sent(
    lab: EngineFixture, name: str
) -> None:
    engine = lab.engine()
    with pytest.raises(errors.HailuoError) as caught:
        lab.place(engine, folder=output_folder(lab.settings, name, lab.folder))
    assert "no charge" in caught.value.money.lower()
    assert len(str(caught.value)) < 600
    assert not lab.sim.requests
