"""File operations on threads: what is stuck holds up nothing else."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.engine import disk as module
from hailuo_jupyter.engine.disk import Disk, Stuck

A, B = Path("/a"), Path("/b")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_S", 0.2)


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """What hangs waits for this, and is let go at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


def on_a_loop(work: Callable[[Disk], Coroutine[Any, Any, None]], patience_s: float = 120.0) -> None:
    async def main() -> None:
        disk = Disk(patience_s)
        try:
            await asyncio.wait_for(work(disk), 60)
        finally:
            await disk.close()

    asyncio.run(main())


def test_it_returns_what_is_returned_and_raises_what_is_raised() -> None:
    async def work(disk: Disk) -> None:
        assert await disk.run(A, lambda one, two: one + two, 1, 2) == 3
        for error in (OSError(28, "full"), TimeoutError("the disk's own"), ValueError("x")):

            def fail(error: Exception = error) -> None:
                raise error

            with pytest.raises(type(error)) as caught:
                await disk.run(A, fail)
            assert str(caught.value) == str(error)

    on_a_loop(work)


async def answers(disk: Disk, folder: Path) -> None:
    """Wait until a folder answers: on a busy machine anything may take longer than the patience here."""
    while True:
        try:
            assert await disk.run(folder, str, 1) == "1"
        except Stuck:
            await asyncio.sleep(0.01)
        else:
            return


@pytest.mark.usefixtures("impatient")
def test_a_stuck_folder_holds_up_no_other_and_recovers(held: threading.Event) -> None:
    async def work(disk: Disk) -> None:
        stuck = [disk.begin(A, held.wait) for _ in range(10)]
        await answers(disk, B)
        for each in stuck:
            with pytest.raises(Stuck):
                await each
        with pytest.raises(Stuck):
            await disk.run(A, str, 1)
        later = disk.begin(A, str, 2, patient=True)
        await answers(disk, B)
        assert not later.done()
        held.set()
        assert await later == "2"
        await answers(disk, A)

    on_a_loop(work, patience_s=0.2)


def threads() -> int:
    return sum(each.name == "hailuo-disk" for each in threading.enumerate())


@pytest.mark.usefixtures("impatient")
def test_what_hangs_takes_a_bounded_number_of_threads(held: threading.Event) -> None:
    async def work(disk: Disk) -> None:
        before = threads()
        one = [disk.begin(A, held.wait) for _ in range(100)]
        await asyncio.wait(one)
        assert threads() - before <= 4
        many = [disk.begin(Path(f"/{n}"), held.wait) for n in range(200)]
        await asyncio.wait(many)
        assert threads() - before <= 64
        with pytest.raises(Stuck):
            await disk.run(B, str, 1)
        held.set()
        await answers(disk, B)

    on_a_loop(work, patience_s=0.2)


def test_where_the_system_gives_no_thread_whoever_waits_is_told_and_the_next_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(disk: Disk) -> None:
        with monkeypatch.context() as patched:

            def refuse(_: threading.Thread) -> None:
                raise RuntimeError("can't start new thread")

            patched.setattr(threading.Thread, "start", refuse)
            for _ in range(10):
                with pytest.raises(RuntimeError, match="new thread"):
                    await disk.run(A, str, 1)
        assert await asyncio.gather(*(disk.run(A, str, n) for n in range(20))) == [
            str(n) for n in range(20)
        ]

    on_a_loop(work)


def test_many_operations_at_once_are_all_done_on_few_threads() -> None:
    async def work(disk: Disk) -> None:
        done = [disk.run(Path(f"/{n % 50}"), str, n) for n in range(2000)]
        assert await asyncio.gather(*done) == [str(n) for n in range(2000)]
        assert threads() <= 64 + 4

    on_a_loop(work)


def test_what_nobody_waits_for_any_more_is_done_before_the_end(tmp_path: Path) -> None:
    async def work(disk: Disk) -> None:
        for number in range(20):
            task = asyncio.create_task(disk.run(A, (tmp_path / str(number)).touch))
            await asyncio.sleep(0)
            task.cancel()

    on_a_loop(work)
    assert len(list(tmp_path.iterdir())) == 20


@pytest.mark.usefixtures("impatient")
def test_the_end_does_not_wait_for_what_hangs(held: threading.Event) -> None:
    async def work(disk: Disk) -> None:
        disk.begin(A, held.wait)

    on_a_loop(work, patience_s=0.2)
    assert not held.is_set()


def test_python_ends_though_a_thread_hangs(tmp_path: Path) -> None:
    code = """
import asyncio, os, sys
from pathlib import Path
from hailuo_jupyter.engine import disk
disk.END_S = 0.1

async def main():
    os.mkfifo(sys.argv[1])
    it = disk.Disk(0.1)
    try:
        await it.run(Path("/a"), open, sys.argv[1])  # nobody ever writes into it
    except disk.Stuck:
        print("stuck")
    await it.close()

asyncio.run(main())
"""
    if not hasattr(__import__("os"), "mkfifo"):
        pytest.skip("POSIX has pipes with names")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "pipe")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "stuck\n", "")
