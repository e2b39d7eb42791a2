"""Waiting: in scripts, threads, on running loops; no wait cancels or fails what is waited for."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from hailuo_jupyter.engine import wait


def after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def never() -> bool:
    return False


class Awaitable:
    def __init__(self, done: Callable[[], bool]) -> None:
        self.done = done

    def __await__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204
        return wait.awaiting(self.done)


def test_without_a_loop_it_waits_until_done() -> None:
    began = time.monotonic()
    assert wait.block_until(after(0.3)) is True
    assert 0.25 < time.monotonic() - began < 2


def test_what_is_done_is_not_waited_for() -> None:
    began = time.monotonic()
    assert wait.block_until(lambda: True, 0) is True
    assert time.monotonic() - began < 0.1


@pytest.mark.parametrize("timeout", [0, 0.15, -3])
def test_a_timeout_ends_the_wait(timeout: float) -> None:
    began = time.monotonic()
    assert wait.block_until(never, timeout) is False
    assert time.monotonic() - began < 1


def test_in_a_thread_without_a_loop() -> None:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(wait.block_until(after(0.1), 5)))
    thread.start()
    thread.join(5)
    assert found == [True]


# nest-asyncio2 patches asyncio for the whole process, so that is tried in a process of its own.
NESTED = """
import asyncio, time
from hailuo_jupyter.engine import wait

assert "nest_asyncio2" not in __import__("sys").modules, "applied at import"
ticks = 0

async def tick():
    global ticks
    while True:
        ticks += 1
        await asyncio.sleep(0.01)

async def cell():
    task = asyncio.create_task(tick())
    await asyncio.sleep(0)
    end = time.monotonic() + 0.5
    assert wait.block_until(lambda: time.monotonic() > end) is True
    assert ticks > 3, f"the user's own task stood still: {ticks}"
    assert wait.block_until(lambda: False, 0.2) is False
    # A wait inside a wait, as a callback that waits would do.
    async def inner():
        return wait.block_until(lambda: True, 1)
    assert await asyncio.wait_for(inner(), 1) is True
    task.cancel()

asyncio.run(cell())
print("well")
"""


def test_on_a_running_loop_the_users_own_tasks_go_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NESTED], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "well", done.stderr


def test_where_the_loop_cannot_be_patched_the_wait_goes_in_slices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import nest_asyncio2

    def refuse(_: object = None) -> None:
        raise ValueError("Can't patch loop of type uvloop.Loop")

    monkeypatch.setattr(nest_asyncio2, "apply", refuse)

    async def cell() -> bool:
        return wait.block_until(after(0.2), 5)

    assert asyncio.run(cell()) is True


def test_awaiting_gives_way_to_other_tasks() -> None:
    async def cell() -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        task = asyncio.create_task(tick())
        assert await Awaitable(after(0.3)) is True
        task.cancel()
        return ticks

    assert asyncio.run(cell()) > 10


def test_cancellation_passes_through_wait_for_timeout_and_gather() -> None:
    async def cell() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Awaitable(never), 0.1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await Awaitable(never)

        async def fail() -> None:
            await asyncio.sleep(0.05)
            raise RuntimeError("another one's mistake")

        with pytest.raises(RuntimeError, match="another one's"):
            await asyncio.gather(Awaitable(never), fail())
        task = asyncio.ensure_future(Awaitable(never))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        leftover = asyncio.all_tasks() - {asyncio.current_task()}
        for each in leftover:
            each.cancel()

    asyncio.run(cell())


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Hear interrupts, which a shell has its background jobs ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="signals to one's own process")
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_is_heard_while_waiting() -> None:
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        wait.block_until(never, 20)
    assert time.monotonic() - began < 2
    timer.join()


@pytest.mark.skipif(os.name != "posix", reason="signals to one's own process")
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_is_heard_while_awaiting() -> None:
    async def cell() -> None:
        await Awaitable(never)

    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(cell())
    assert time.monotonic() - began < 2
    timer.join()
