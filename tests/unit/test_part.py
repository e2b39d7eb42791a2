"""A clip's file while it is fetched: nobody else's file, and gone when its process is."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hailuo_jupyter.engine import partial_file as module
from hailuo_jupyter.engine.partial_file import PartialFile, remove_orphans
from hailuo_jupyter.record import paths

RUN, OTHER = "20261120-140312-7f3kq9", "20261120-140312-7f3kqa"
OWNER = "4711-0123abcd"

posix = pytest.mark.skipif(os.name != "posix", reason="locks, links and pipes are POSIX's here")


def made(folder: Path, *, run_id: str = RUN, owner: str = OWNER) -> PartialFile:
    part = PartialFile(folder, run_id, owner)
    part.create()
    return part


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_it_is_written_hashed_and_given_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    part = made(folder)
    assert OWNER in part.path.name
    assert PartialFile(folder, RUN, OWNER).path != part.path
    for piece in (b"one", b"", b"two"):
        part.write(bytearray(piece))
    part.sync()
    assert part.examine(Path.read_bytes) == b"onetwo"
    part.move_to(folder / "clip.mp4")
    assert names(folder) == ["clip.mp4"]
    assert (folder / "clip.mp4").read_bytes() == b"onetwo"


@posix
@pytest.mark.parametrize("kind", ["file", "link", "pipe"])
def test_nothing_that_is_there_by_its_name_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(paths.secrets, "token_hex", lambda n: "0" * 2 * n)
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    part = PartialFile(tmp_path, RUN, OWNER)
    if kind == "link":
        part.path.symlink_to(victim)
    elif kind == "pipe":
        os.mkfifo(part.path)
    else:
        part.path.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        part.create()
    assert victim.read_bytes() == b"precious"


@posix
def test_a_link_by_the_clips_name_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim, target = tmp_path / "victim", tmp_path / "clip.mp4"
    victim.write_bytes(b"precious")
    target.symlink_to(victim)
    part = made(tmp_path)
    part.write(bytearray(b"clip"))
    part.move_to(target)
    assert (victim.read_bytes(), target.read_bytes()) == (b"precious", b"clip")
    assert not target.is_symlink()


def test_what_is_abandoned_goes_at_once_or_when_nothing_is_done_with_it(tmp_path: Path) -> None:
    part = made(tmp_path)
    part.abandon()
    part.remove()
    assert names(tmp_path) == []

    part, reading, go_on = made(tmp_path), threading.Event(), threading.Event()

    def read(_: Path) -> None:
        reading.set()
        go_on.wait(60)

    thread = threading.Thread(target=part.examine, args=(read,))
    thread.start()
    reading.wait(60)
    part.abandon()
    part.remove()
    assert names(tmp_path) == [part.path.name]
    go_on.set()
    thread.join()
    assert names(tmp_path) == []
    with pytest.raises(OSError, match="no one waits"):
        part.write(bytearray(b"more"))


def test_what_a_dead_process_left_of_a_run_goes(tmp_path: Path) -> None:
    parts = [made(tmp_path), made(tmp_path, owner=""), made(tmp_path, run_id=OTHER)]
    for part in parts:
        part._close()  # as the system does when a process dies
    others = [
        f"{RUN}.mp4.part",
        f".{RUN}.4711-0123abcd.part",
        f"{RUN}.mp4",
        f".{RUN}.json.17-0123abcd.tmp",
    ]
    for name in others:
        (tmp_path / name).touch()
    remove_orphans(tmp_path, {RUN}, lambda _: False)
    assert names(tmp_path) == sorted([*others, parts[2].path.name])
    remove_orphans(tmp_path / "nowhere", {RUN}, lambda _: False)


def test_the_part_of_an_owner_that_lives_stays(tmp_path: Path) -> None:
    part = made(tmp_path)
    part._close()
    remove_orphans(tmp_path, {RUN}, {OWNER}.__contains__)
    assert names(tmp_path) == [part.path.name]


@posix
def test_the_part_of_a_process_that_lives_stays_though_its_log_is_not_known(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from hailuo_jupyter.engine.partial_file import PartialFile
part = PartialFile(Path({os.fspath(tmp_path)!r}), {RUN!r}, {OWNER!r})
part.create()
print("made", flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "made\n"
        remove_orphans(tmp_path, {RUN}, lambda _: False)
        assert len(names(tmp_path)) == 1
    finally:
        process.kill()
        process.communicate()
    remove_orphans(tmp_path, {RUN}, lambda _: False)
    assert names(tmp_path) == []


def test_the_part_of_another_machine_stays_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = made(tmp_path)
    part._close()
    monkeypatch.setattr(module.platform, "node", lambda: "elsewhere")
    remove_orphans(tmp_path, {RUN}, lambda _: False)
    assert names(tmp_path) == [part.path.name]
    old = time.time() - 2 * 86400
    os.utime(part.path, (old, old))
    remove_orphans(tmp_path, {RUN}, lambda _: False)
    assert names(tmp_path) == []


@posix
def test_sweeping_follows_no_link_and_opens_no_pipe(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    PartialFile(tmp_path, RUN, OWNER).path.symlink_to(victim)
    os.mkfifo(PartialFile(tmp_path, RUN, OWNER).path)
    before = names(tmp_path)
    remove_orphans(tmp_path, {RUN}, lambda _: False)
    assert names(tmp_path) == before
