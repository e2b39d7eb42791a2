"""The limiter of a process: who may leave, what is learned, and what several processes share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.engine.limit_status import statuses
from hailuo_jupyter.engine.rate_limiter import Plan, RateLimiter
from hailuo_jupyter.engine.request_queue import Purpose, Wanted
from hailuo_jupyter.providers.base import Reply
from hailuo_jupyter.runlog import RunLog
from tests.support import virtual_time
from tests.support.virtual_time import START, VirtualLoop

PLAN = Plan("segmind", "segmind/a", 5.0)
TIMING = DurationEstimate(174.0, 0.35, sure=True)
OK, REFUSED = Reply(200), Reply(429)


class Kernels:
    """Processes on one log, in virtual time."""

    def __init__(self, loop: VirtualLoop, path: Path, stack: ExitStack) -> None:
        self.loop, self._path, self._stack, self._count = loop, path, stack, 0
        #: When which run's request left, in virtual seconds.
        self.left: list[tuple[float, str]] = []

    def limiter(self) -> RateLimiter:
        self._count += 1
        log = self._stack.enter_context(RunLog(self._path, clock=self.loop.clock.wall))
        return RateLimiter(log, f"{self._count}-owner", self.loop.clock)

    async def ask(
        self,
        limiter: RateLimiter,
        run_id: str,
        purpose: Purpose = Purpose.SUBMIT,
        *,
        age: float = 0.0,
        plan: Plan = PLAN,
        reply: Callable[[], Reply] = lambda: OK,
        takes_s: float = 0.3,
    ) -> float:
        """Make one request; gives the seconds for which nothing was accepted, if it was refused."""
        since = self.loop.clock.wall() - age
        wanted = Wanted(run_id, purpose, since=since, lifetime_s=3600.0, timing=TIMING, calls=2)
        async with limiter.acquire(plan, wanted) as permit:
            self.left.append((self.loop.time(), run_id))
            await asyncio.sleep(takes_s)
            limiter.answered(plan, permit, reply())
        return permit.refused_for

    def runs(self) -> list[str]:
        return [run_id for _, run_id in self.left]


Play = Callable[[Callable[[Kernels], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    with ExitStack() as stack:

        def run(story: Callable[[Kernels], Coroutine[Any, Any, None]]) -> None:
            path = tmp_path / "runs.sqlite3"
            virtual_time.run(lambda loop: story(Kernels(loop, path, stack)))

        yield run


# ── without a limit ────────────────────────────────────────────────────────────────────────────


def test_of_many_at_once_few_leave_before_the_first_is_answered(play: Play) -> None:
    async def story(kernels: Kernels) -> None:
        limiter = kernels.limiter()
        await asyncio.gather(*(kernels.ask(limiter, f"{i:03}") for i in range(100)))
        assert sum(at < 0.3 for at, _ in kernels.left) == 4
        assert kernels.left[-1][0] < 3, "soon they all do"
        kernels.left.clear()
        await asyncio.gather(*(kernels.ask(limiter, f"{i:03}") for i in range(50)))
        assert kernels.left[-1][0] - kernels.left[0][0] < 0.1, "it is known by now"

    play(story)


def test_requests_that_hang_hold_nobody_for_long(play: Play) -> None:
    async def story(kernels: Kernels) -> None:
        limiter = kernels.limiter()
        hanging = [
            asyncio.create_task(kernels.ask(limiter, f"hangs-{i}", takes_s=300)) for i in range(6)
        ]
        await asyncio.sleep(1)
        await kernels.ask(limiter, "quick")
        assert kernels.loop.time() < 15
        for each in hanging:
            each.cancel()

    play(story)


def test_a_run_that_is_cancelled_while_it_waits_leaves_the_queue(play: Play) -> None:
    async def story(kernels: Kernels) -> None:
        limiter = kernels.limiter()
        await kernels.ask(limiter, "refused", reply=lambda: REFUSED)
        waiting = asyncio.create_task(kernels.ask(limiter, "cancelled"))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await kernels.ask(limiter, "other")
        assert "cancelled" not in kernels.runs()

    play(story)


# ── a refusal ──────────────────────────────────────────────────────────────────────────────────


def test_a_refusal_stops_every_process_of_the_account_and_no_other(play: Play) -> None:
    async def story(kernels: Kernels) -> None:
        one, other = kernels.limiter(), kernels.limiter()
        await kernels.ask(one, "a", reply=lambda: Reply(429, {"retry-after": "30"}))
        async with asyncio.TaskGroup() as all_:
            all_.create_task(kernels.ask(other, "b"))
            all_.create_task(kernels.ask(other, "c", plan=Plan("segmind", "segmind/z", 5.0)))
        (_, *_), (_, *_), *_ = kernels.left
        left = {run_id: at for at, run_id in kernels.left}
        assert left["b"] == pytest.approx(30.3, abs=0.1)
        assert left["c"] < 1

    play(story)


def test_while_nothing_is_accepted_one_request_at_a_time_tries(play: Play) -> None:
    async def story(kernels: Kernels) -> None:
        one, other = kernels.limiter(), kernels.limiter()
        open_at = 40.0

        def reply() -> Reply:
            return OK if kernels.loop.time() > open_at else REFUSED

        async def until_accepted(limiter: RateLimiter, run_id: str) -> None:
            while await kernels.ask(limiter, run_id, reply=reply):
                pass

        await asyncio.gather(
            *(until_accepted(limiter, f"{i}") for i in range(20) for limiter in (one, other))
        )
        tries = [at for at, _ in kernels.left if 1 < at < open_at]
        assert len(tries) <= 5, "2, 4, 8, 16, 32 seconds"
        assert len(set(kernels.runs())) == 20

    play(story)


def test_it_is_told_for_how_long_nothing_was_accepted(play: Play) -> None:
    async def story(kernels: Kernels) -> None:
        limiter = kernels.limiter()
        told = [await kernels.ask(limiter, "a", reply=lambda: REFUSED) for _ in range(9)]
        assert told == sorted(told)
        assert told[0] == pytest.approx(2.0)
        assert told[-1] > 200
        assert await kernels.ask(limiter, "b", reply=lambda: REFUSED) > 250
        assert await kernels.ask(limiter, "c") == 0.0
        again = await kernels.ask(limiter, "d", reply=lambda: REFUSED)
        assert again <= 60, "one was accepted"

    play(story)


def test_an_unavailable_provider_is_waited_for_and_teaches_no_rate(play: Play) -> None:
    async def story(kernels: Kernels) -> None:
        limiter = kernels.limiter()
        away = Reply(503, {"retry-after": "20"})
        assert await kernels.ask(limiter, "a", reply=lambda: away) == 20.0
        await asyncio.gather(*(kernels.ask(limiter, f"{i}") for i in range(3)))
        assert [at for at, _ in kernels.left[1:]] == pytest.approx([20.3] * 3, abs=0.1)

    play(story)


def test_a_run_log_that_cannot_be_used_fails_those_who_wait(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(kernels: Kernels) -> None:
        limiter = kernels.limiter()
        await kernels.ask(limiter, "a")
        limiter._log.close()
        from hailuo_jupyter.errors import RunLogError

        with pytest.raises(RunLogError):
            await kernels.ask(limiter, "b")

    play(story)


# ── who is next ────────────────────────────────────────────────────────────────────────────────


def test_where_requests_are_scarce_both_processes_serve_what_is_bought_first(play: Play) -> None:
    async def story(kernels: Kernels) -> None:
        one, other = kernels.limiter(), kernels.limiter()
        await kernels.ask(one, "refused", reply=lambda: Reply(429, {"retry-after": "20"}))
        kernels.left.clear()
        ask = kernels.ask
        await asyncio.gather(
            ask(one, "submit-1"),
            ask(other, "submit-2"),
            ask(one, "done-1", Purpose.RESULT, age=400),
            ask(other, "done-2", Purpose.RESULT, age=500),
            ask(one, "likely", Purpose.POLL, age=500),
            ask(other, "soon-lost", Purpose.POLL, age=3000),
        )
        assert kernels.runs() == ["done-2", "done-1", "soon-lost", "likely", "submit-1", "submit-2"]

    play(story)


def test_a_look_waits_until_it_is_due_and_a_submit_goes_before(play: Play) -> None:
    async def story(kernels: Kernels) -> None:
        limiter = kernels.limiter()
        fixed = Plan("segmind", "segmind/a", 5.0, ceiling=5)
        ask = kernels.ask
        for i in range(5):
            await ask(limiter, f"before-{i}", plan=fixed)
        kernels.left.clear()
        early = [
            asyncio.create_task(ask(limiter, f"early-{i}", Purpose.POLL, age=100, plan=fixed))
            for i in range(8)
        ]
        submits = [asyncio.create_task(ask(limiter, f"submit-{i}", plan=fixed)) for i in range(3)]
        await asyncio.gather(*submits)
        assert kernels.runs() == ["submit-0", "submit-1", "submit-2"]
        await asyncio.gather(*early)
        first = next(at for at, run_id in kernels.left if run_id.startswith("early"))
        assert first > TIMING.quantile(0.5) - 100 - 1

    play(story)


def test_a_submit_is_held_while_what_another_process_bought_comes_close_to_its_end(
    play: Play,
) -> None:
    async def story(kernels: Kernels) -> None:
        one, other = kernels.limiter(), kernels.limiter()
        await kernels.ask(one, "refused", reply=lambda: Reply(429, {"retry-after": "20"}))
        kernels.left.clear()
        polls = [
            asyncio.create_task(kernels.ask(other, f"bought-{i}", Purpose.POLL, age=2400))
            for i in range(30)
        ]
        await asyncio.sleep(1)
        submit = asyncio.create_task(kernels.ask(one, "submit"))
        await asyncio.sleep(5)
        delay = one.delay("submit")
        assert delay is not None
        assert delay.held
        await asyncio.gather(submit, *polls)
        assert kernels.runs().index("submit") > 5

    play(story)


def test_a_dead_process_holds_nobody_for_long(play: Play) -> None:
    async def story(kernels: Kernels) -> None:
        one, dead = kernels.limiter(), kernels.limiter()
        await kernels.ask(one, "refused", reply=lambda: Reply(429, {"retry-after": "5"}))
        gone = asyncio.create_task(kernels.ask(dead, "gone", Purpose.RESULT, age=400))
        await asyncio.sleep(1)
        lane = dead._lanes["segmind/a"]
        assert lane.serving is not None
        lane.serving.cancel()  # it was killed
        began = kernels.loop.time()
        await kernels.ask(one, "submit")
        assert kernels.loop.time() - began < 16
        gone.cancel()

    play(story)


# ── a limit that is set ────────────────────────────────────────────────────────────────────────


def test_a_limit_that_is_set_holds_from_the_start_for_all_processes(play: Play) -> None:
    async def story(kernels: Kernels) -> None:
        one, other = kernels.limiter(), kernels.limiter()
        plan = Plan("segmind", "segmind/a", 5.0, ceiling=4)
        await asyncio.gather(
            *(kernels.ask(one, f"a{i}", plan=plan) for i in range(3)),
            *(kernels.ask(other, f"b{i}", plan=plan) for i in range(6)),
        )
        times = [at for at, _ in kernels.left]
        assert sum(at < 60 for at in times) == 4
        for early, late in zip(times, times[4:], strict=False):
            assert late - early >= 61.9

    play(story)


def test_a_limit_that_is_set_is_the_ceiling_of_a_learned_one(play: Play) -> None:
    async def story(kernels: Kernels) -> None:
        limiter = kernels.limiter()
        plan = Plan("segmind", "segmind/a", 5.0, ceiling=30)
        await kernels.ask(limiter, "refused", plan=plan, reply=lambda: REFUSED)
        for i in range(120):
            await kernels.ask(limiter, f"{i}", plan=plan, takes_s=0.1)
        times = [at for at, _ in kernels.left]
        for early, late in zip(times, times[30:], strict=False):
            assert late - early >= 61.9

    play(story)


# ── what is told ───────────────────────────────────────────────────────────────────────────────


def test_a_waiting_submit_knows_its_place_and_its_turn_in_every_process(play: Play) -> None:
    async def story(kernels: Kernels) -> None:
        one, other = kernels.limiter(), kernels.limiter()
        await kernels.ask(one, "refused", reply=lambda: Reply(429, {"retry-after": "20"}))
        tasks = []
        for i in range(6):
            limiter = (one, other)[i % 2]
            tasks.append(asyncio.create_task(kernels.ask(limiter, f"submit-{i}")))
            await asyncio.sleep(0.5)
        await asyncio.sleep(5)
        for limiter in (one, other):
            found = [limiter.delay(f"submit-{i}") for i in range(6)]
            assert [each and each.place for each in found] == [1, 2, 3, 4, 5, 6]
            turns = [each.turn for each in found if each and each.turn]
            assert turns == sorted(turns)
            assert turns[0] == pytest.approx(START + 20.3, abs=1)
        stored = one._log.rate_limits(kernels.loop.clock.wall())
        (status,) = statuses(stored, kernels.loop.clock.wall())
        assert (status.provider, status.submits, status.others) == ("segmind", 6, 0)
        words = status.words("Segmind", kernels.loop.clock.wall())
        assert words.startswith("Segmind limits requests: it refused one ")
        assert "6 clips wait to be sent; the last one leaves in about " in words
        await asyncio.gather(*tasks)
        assert one.delay("submit-0") is None

    play(story)


def test_without_a_limit_nobody_waits_for_one(play: Play) -> None:
    async def story(kernels: Kernels) -> None:
        limiter = kernels.limiter()
        tasks = [asyncio.create_task(kernels.ask(limiter, f"{i}")) for i in range(50)]
        await asyncio.sleep(0.1)
        assert all(limiter.delay(f"{i}") is None for i in range(50))
        await asyncio.gather(*tasks)
        assert statuses(limiter._log.rate_limits(START), START) == []

    play(story)
