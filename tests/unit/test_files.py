"""Files written in one step, and what a killed process leaves of them."""

from __future__ import annotations

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hailuo_jupyter.files import atomic_write, clear_half_written


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "ä b.json"
    for data in (b"first", b"second, longer", b""):
        atomic_write(target, data)
        assert target.read_bytes() == data
    assert list(tmp_path.iterdir()) == [target]


def test_a_mode_is_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "notebook.ipynb"
    target.touch()
    target.chmod(0o640)
    atomic_write(target, b"x", keep_mode=True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    umask = os.umask(0o022)
    try:
        atomic_write(target, b"x")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


def test_what_cannot_be_written_leaves_all_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "nowhere" / "file", b"x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        atomic_write(tmp_path / "folder", b"x")
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_only_what_is_meant_and_half_written_goes(tmp_path: Path) -> None:
    gone = [".clip.json.17-0123abcd.tmp", ".a.b.json.17-0123abcd.tmp"]
    stays = [
        ".other.json.17-0123abcd.tmp",
        ".clip.json.17.tmp",  # by whom?
        "clip.json",
        "clip.json.part",
        ".clip.json.17-0123abcd.tmp.png",
    ]
    for name in gone + stays:
        (tmp_path / name).touch()
    clear_half_written(tmp_path, {"clip.json", "a.b.json"}.__contains__)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(stays)
    clear_half_written(tmp_path / "nowhere", {"clip.json"}.__contains__)


def test_who_still_writes_loses_nothing_to_who_clears(tmp_path: Path) -> None:
    over = threading.Event()

    def clear() -> None:
        while not over.is_set():
            clear_half_written(tmp_path, lambda _: True)

    clearing = threading.Thread(target=clear)
    clearing.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            targets = [tmp_path / f"{each}.json" for each in range(100)]
            list(pool.map(lambda target: atomic_write(target, target.name.encode()), targets))
    finally:
        over.set()
        clearing.join()
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {
        target.name: target.name for target in targets
    }
