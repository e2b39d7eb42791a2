"""Runs that are there already: annotated by several at once, moved, deleted, asked for again."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from hailuo_jupyter import media
from hailuo_jupyter.engine import engine as engines
from hailuo_jupyter.engine.decide import Action
from hailuo_jupyter.engine.submission import Submission
from hailuo_jupyter.errors import NotBought
from hailuo_jupyter.ipynb.prune import PruneFilter, plan_prune, prune
from hailuo_jupyter.record import Record
from tests.support.engine_fixture import EngineFixture, no_longer_kept, script


def sidecar(run_id: str, folder: Path) -> Record:
    return Record.from_json((folder / f"{run_id}.json").read_bytes())


def test_a_persons_words_reach_log_and_sidecar(lab: EngineFixture) -> None:
    engine = lab.engine()
    run = lab.place(engine)
    run.rate(2)
    run.wait(60)
    assert sidecar(run.run_id, lab.clips).rating == 2, "what is said while it goes on is kept"
    heard: list[int] = []
    engine.listen(run.run_id, lambda row: heard.append(row.revision))
    run.rate(4)
    run.tag("keep", "night")
    run.untag("night")
    run.note("soft light")
    record = run.record
    assert (record.rating, record.tags, record.note) == (4, ["keep"], "soft light")
    assert sidecar(run.run_id, lab.clips).to_json() == record.to_json()
    assert heard == list(range(record.revision - 3, record.revision + 1)), "each was told of"
    run.rate(None)
    assert run.record.rating is None
    # Another kernel that had looked at the run before finds what was said here.
    other = lab.engine()
    assert other.run(run.run_id).record.note == "soft light"
    run.note(None)
    assert other.run(run.run_id).record.note is None


def test_two_processes_and_many_threads_lose_nothing(lab: EngineFixture) -> None:
    engine = lab.engine()
    run = lab.place(engine).wait(60)
    code = script(
        "import sys",
        "from hailuo_jupyter.engine import process",
        "run = process.get_engine().run(sys.argv[1])",
        "print('ready', flush=True); sys.stdin.readline()",
        "for number in range(25): run.tag(f'theirs-{number}')",
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, run.run_id],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdin is not None
    assert other.stdout is not None
    assert other.stdout.readline() == "ready\n"

    def ours(name: str) -> None:
        for number in range(25):
            run.tag(f"{name}-{number}")

    threads = [threading.Thread(target=ours, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    other.communicate("go\n", timeout=60)
    for thread in threads:
        thread.join(60)
    row = engine.logs()[0].get(run.run_id)
    wanted = {f"{name}-{number}" for name in ("a", "b", "theirs") for number in range(25)}
    assert set(row.record.tags) == wanted
    assert sidecar(run.run_id, lab.clips).revision == row.revision


def test_a_note_brings_no_deleted_folder_back(lab: EngineFixture) -> None:
    run = lab.place(lab.engine()).wait(60)
    for path in sorted(lab.clips.rglob("*"), reverse=True):
        path.unlink()
    lab.clips.rmdir()
    run.rate(1)
    assert run.record.rating == 1
    assert not lab.clips.exists()


def test_a_clip_that_was_moved_with_its_notebook_is_shown(lab: EngineFixture) -> None:
    run = lab.place(lab.engine()).wait(60)
    moved = lab.folder / "elsewhere" / "hailuo"
    moved.parent.mkdir()
    lab.clips.rename(moved)
    engine = lab.engine()
    (placed,) = lab.placed(engine, folder=moved)
    assert (placed.action, placed.run) == (Action.SHOW, run)
    clip = moved / f"{run.run_id}.mp4"
    assert placed.run.clip == clip
    # Another file of its name is not its clip. The provider keeps that, so it is fetched again.
    moved = moved.rename(lab.folder / "third")
    clip = moved / clip.name
    clip.write_bytes(clip.read_bytes()[::-1])
    (placed,) = lab.placed(lab.engine(), folder=moved)
    assert placed.action is Action.FETCH
    assert placed.run.wait(60).clip != clip
    assert lab.submits() == 1


def test_a_pruned_clip_is_not_bought_again_without_a_word(lab: EngineFixture) -> None:
    engine = lab.engine()
    run = lab.place(engine).wait(60)
    found = plan_prune(PruneFilter(), engine.logs(), forget=False)
    assert prune(found.candidates, forget=False).runs == 1
    assert list(lab.clips.glob("*.*")) == []
    # While the provider keeps it, the cell fetches it.
    (placed,) = lab.placed(lab.engine())
    assert placed.action is Action.FETCH
    placed.run.wait(60)
    assert placed.run.clip is not None
    assert placed.run.record.clip is not None
    assert placed.run.record.clip.deleted is None, "it is there again"
    # Later it refuses, says why, and names what buys.
    prune(plan_prune(PruneFilter(), engine.logs(), forget=False).candidates, forget=False)
    order = lab.order()
    forgetful = no_longer_kept(order)
    with pytest.raises(NotBought, match="had its clip pruned on 20") as caught:
        engine.submit(forgetful)
    assert run.run_id in caught.value.what
    assert "--new" in caught.value.todo
    assert lab.submits() == 1


def test_a_rerun_is_bought_once_and_leaves_the_cells_own_take(lab: EngineFixture) -> None:
    engine = lab.engine()
    first = lab.place(engine).run_id
    again = replace(lab.order(), parent=first)

    def serve(order: Submission) -> list[tuple[bool, str]]:
        return [(each.action is Action.BUY, each.run.run_id) for each in engine.submit(order)]

    assert engine.find_reusable(again).missing == 1
    ((bought, second),) = serve(again)
    assert bought
    assert second != first
    assert engine.row(second).record.parent == first
    assert engine.find_reusable(again).missing == 0
    assert serve(again) == [(False, second)]
    assert serve(lab.order()) == [(False, first)], "the cell shows its own take"
    # A rerun of the rerun is another one, and an ordinary cell counts them all.
    ((bought, third),) = serve(replace(again, parent=second))
    assert bought
    assert serve(lab.order(count=3)) == [(False, each) for each in sorted((first, second, third))]
    ((bought, _),) = serve(replace(again, new=True))
    assert bought
    for run in engine.active_runs():
        run.wait(60)
    assert lab.submits() == 4
    # Where the cell's own clip is gone for good, the rerun's serves it, and nothing is bought.
    (lab.clips / f"{first}.mp4").unlink()
    order = lab.order()
    order = no_longer_kept(order)
    ((bought, shown),) = serve(order)
    assert not bought
    assert shown != first


def test_an_interrupt_does_not_part_what_is_bought_from_what_is_done_for_it(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve, heard = engines.reserve, threading.Event()

    def hear(*_: object) -> None:
        if not heard.is_set():
            heard.set()
            raise KeyboardInterrupt

    def interrupted(*args: Any) -> Any:
        found = reserve(*args)
        # As the stop button does, right after the run was written down and before its life begins.
        # Again and again: Python hears of a signal only afterwards if it comes just before a wait.
        for _ in range(600):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            if heard.wait(0.1):
                return found
        raise AssertionError("the interrupt was not heard")

    monkeypatch.setattr(engines, "reserve", interrupted)
    engine, before = lab.engine(), signal.signal(signal.SIGINT, hear)
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.submit(lab.order())
    finally:
        signal.signal(signal.SIGINT, before)
    (row,) = engine.logs()[0].recent()
    assert engine.run(row.run_id).wait(60).clip is not None
    assert lab.submits() == 1


def test_another_version_of_the_decoder_does_not_buy_a_chained_clip_again(
    make_lab: Callable[..., EngineFixture], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyAV 17 rounds the colors of a BT.709 clip differently from PyAV 16."""
    lab = make_lab(shrink=2)
    engine, still = lab.engine(), media.still
    first = lab.place(engine).wait(60)
    (chained,) = lab.placed(engine, "and on", image=first.frame("last"))
    chained.run.wait(60)

    def otherwise(path: Path, seconds: float | str) -> tuple[Image.Image, float]:
        picture, at_s = still(path, seconds)
        return ImageChops.offset(picture, 1), at_s

    monkeypatch.setattr(media, "still", otherwise)
    (again,) = lab.placed(lab.engine(), "and on", image=first.frame("last"))
    assert (again.action, again.run) == (Action.SHOW, chained.run)
    assert lab.submits() == 2
    # Another frame of the clip is taken from it, and so is one that was changed since it was sent.
    assert first.frame("first").picture != first.frame("last").picture
    sent = first.frame("last").picture
    (kept,) = (lab.clips / "frames").iterdir()
    kept.write_bytes(b"changed")
    assert first.frame("last").picture == ImageChops.offset(sent, 1)
