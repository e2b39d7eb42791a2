"""Frames that are kept beside the clips: once, whole, or not at all."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hailuo_jupyter.errors import FolderNotWritable
from hailuo_jupyter.request.frames import keep
from tests.support.sample_images import opened, picture


def test_keep_writes_once_and_heals(tmp_path: Path) -> None:
    frame = opened(picture())
    path = keep(frame, tmp_path / "out")
    assert path is not None
    assert path == tmp_path / "out" / "frames" / f"{frame.sha256}.png"
    assert path.read_bytes() == frame.data
    before = path.stat()
    assert keep(frame, tmp_path / "out") == path
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino
    path.write_bytes(b"spoilt")
    keep(frame, tmp_path / "out")
    assert path.read_bytes() == frame.data
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_keep_writes_over_what_a_killed_process_left(tmp_path: Path) -> None:
    frame = opened(picture())
    left = tmp_path / "frames" / f".{frame.sha256}.png.17-0123abcd.tmp"
    left.parent.mkdir()
    left.write_bytes(b"half" * frame.size)
    path = keep(frame, tmp_path)
    assert path is not None
    assert path.read_bytes() == frame.data
    assert [found.name for found in left.parent.iterdir()] == [path.name]


def test_keep_by_many_at_once_gives_one_whole_file(tmp_path: Path) -> None:
    frame = opened(picture())
    with ThreadPoolExecutor(8) as pool:
        for path in pool.map(lambda _: keep(frame, tmp_path), range(32)):
            assert path is not None
            assert path.read_bytes() == frame.data
    assert len(list((tmp_path / "frames").iterdir())) == 1


def test_keep_has_nothing_to_do_for_an_address(tmp_path: Path) -> None:
    assert keep(opened("https://example.com/a.png"), tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_keep_says_when_the_folder_does_not_take_files(tmp_path: Path) -> None:
    (tmp_path / "frames").write_bytes(b"a file stands in the way")
    with pytest.raises(FolderNotWritable, match=re.escape("frames")) as caught:
        keep(opened(picture()), tmp_path)
    assert caught.value.todo
    assert str(tmp_path.parent) not in str(caught.value)


def test_keep_leaves_nothing_half_written(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    frame = opened(picture())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (frame.size - 1, hard))
    try:
        with pytest.raises(FolderNotWritable):
            keep(frame, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "frames").iterdir()) == []
