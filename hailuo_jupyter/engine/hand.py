"""One run in the hands of this process: every step is committed before the next one outward."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from hailuo_jupyter import redact
from hailuo_jupyter.engine.bought import told
from hailuo_jupyter.engine.pace import Clock, Pace, Stopwatch
from hailuo_jupyter.engine.sidecar import write_to_the_end
from hailuo_jupyter.errors import (
    HailuoError,
    JobExpired,
    KeyRefused,
    ProviderDown,
    RateLimited,
)
from hailuo_jupyter.keys import Key
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.providers.base import PAID_AND_KEPT, Call, Dialect, News, Reply
from hailuo_jupyter.providers.http import Http, Lost, Unsent
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import State

logger = logging.getLogger(__name__)


class Parked(Exception):
    """The run waits for the person; its problem tells why."""


class Overtaken(Exception):
    """Another process has taken this run on."""


@dataclass(frozen=True)
class Bench:
    """What a run is worked on with: connections, log, clocks, and who is told of changes.

    ``among`` tells how many runs this process has in hand.
    """

    http: Http
    log: RunLog
    pace: Pace
    clock: Clock
    owner: str
    publish: Callable[[Row], None]
    deadline_s: float
    largest_clip: int
    among: Callable[[], int]


class Hand:
    """A run, what it is worked on with, and the ways to write down what became of it.

    Parameters
    ----------
    bench
        What it is worked on with.
    row
        The run as the log has it; this process must own it.
    provider, dialect
        Whose wire is spoken, and by which adapter.
    key
        Looks the key up anew, since it may change while a run waits.
    """

    def __init__(
        self, bench: Bench, row: Row, provider: Provider, dialect: Dialect, key: Callable[[], Key]
    ) -> None:
        self.bench, self.row, self.provider, self.dialect, self._key = (
            bench,
            row,
            provider,
            dialect,
            key,
        )
        self._resting: asyncio.Future[None] | None = None

    @property
    def job_id(self) -> str:
        """The provider's id of a run that was bought."""
        if self.row.job_id is None:
            raise ValueError(f"run {self.row.run_id} has no job at the provider")
        return self.row.job_id

    def since_submit(self) -> Stopwatch:
        """Give a stopwatch that began when the provider accepted the job."""
        submitted = self.row.record.entered(State.SUBMITTED)
        return Stopwatch(self.bench.clock, self.row.created if submitted is None else submitted)

    # ── writing down ───────────────────────────────────────────────────────────────────────────

    def commit(
        self,
        change: Callable[[Record], Record],
        only_from: set[State],
        *,
        only_mine: bool = False,
    ) -> None:
        """Commit a change if the run is still in one of these states, and tell who listens.

        With `only_mine` it is also left as it is where somebody else took this process for dead.
        """
        only_by = self.bench.owner if only_mine else None
        self.row = self.bench.log.update(
            self.row.run_id, change, only_from=only_from, only_by=only_by
        )
        self.bench.publish(self.row)

    def move(self, state: State, problem: HailuoError | None = None, **changes: Any) -> None:
        """Commit an arrow.

        Raises
        ------
        Overtaken
            If the run is no longer in the state that we know: another process went on with it.
        """
        said = self._told(problem)
        self.commit(
            lambda record: record.moved(state, at=self.bench.clock.wall(), problem=said, **changes),
            {self.row.state},
            only_mine=state is State.SUBMITTING,  # what comes next costs money
        )
        if self.row.state is not state:
            raise Overtaken

    def note(self, problem: HailuoError | None) -> None:
        """Commit a problem, or that it is over, unless the record says so already."""
        known, said = self.row.record.problem, self._told(problem)
        if (known.code if known else None) != (said["code"] if said else None):
            self.commit(lambda record: record.changed(problem=said), {self.row.state})

    def park(self, problem: HailuoError) -> NoReturn:
        """Leave the run to the person, with a problem that tells why.

        Raises
        ------
        Parked
            Always.
        """
        said = self._told(problem)
        self.commit(lambda record: record.changed(problem=said), {self.row.state})
        raise Parked

    def _told(self, problem: HailuoError | None) -> dict[str, str] | None:
        return told(problem, self.row.state, self.provider) if problem else None

    def learned(self, state: State, step: str, news: News) -> None:
        """Commit what an answer about the job told."""
        job = self.row.record.job
        answers = {**job.answers, step: news.answer}
        changes: dict[str, Mapping[str, Any]] = {"job": {"answers": answers}}
        if news.inference_s is not None:
            changes["job"] = {**changes["job"], "inference_time_s": news.inference_s}
        if news.link is not None:
            changes["job"] = {**changes["job"], "media_link": redact.link(news.link)}
        if news.cost_usd is not None:
            changes["cost"] = {
                "actual": news.cost_usd,
                "actual_source": f"{self.provider.title}'s answer",
            }
        self.move(state, news.problem, **changes)

    async def write_sidecar(self) -> None:
        """Write the record beside the clip; where that fails the log still has it."""
        await write_to_the_end([self.row], self.bench.log)

    def release(self) -> None:
        """Give the run up, so that any process may go on with it."""
        try:
            self.bench.publish(self.bench.log.release(self.row.run_id, self.bench.owner))
        except HailuoError:
            logger.warning("the run log could not be written", exc_info=True)

    # ── waiting ────────────────────────────────────────────────────────────────────────────────

    async def rest(self, seconds: float) -> None:
        """Wait before the next free request, by the clock, or until somebody calls `wake`."""
        self._resting = asyncio.ensure_future(self.bench.clock.sleep(seconds))
        try:
            await asyncio.wait({self._resting})
        finally:
            self._resting.cancel()
            self._resting = None

    def wake(self) -> None:
        """End a `rest`; a wait that the provider asked for goes on. Call it on the engine's loop."""
        if self._resting is not None:
            self._resting.cancel()

    # ── asking ─────────────────────────────────────────────────────────────────────────────────

    def key_headers(self) -> dict[str, str]:
        """Give the headers that carry the key, which is looked up anew.

        Raises
        ------
        KeyMissing, SettingsError
            If it is gone by now.
        """
        return self.dialect.key_headers(self._key().reveal())

    async def call(self, call: Call) -> Reply:
        """Send one free call with the key.

        Raises
        ------
        Unsent, Lost
            As `Http.send`.
        """
        return await self.bench.http.send(call, self.key_headers())

    async def ask(self, call: Call, since: Stopwatch, failures: int) -> News | None:
        """Ask about the job once; None where the answer told nothing.

        A failed ask never fails a run: it costs nothing, and is repeated.

        Raises
        ------
        Parked
            If only the person can go on: the key is refused, or the provider has forgotten the job.
        """
        await self.bench.pace.turn(self.provider)
        reply: Reply | None = None
        problem: HailuoError
        try:
            reply = await self.call(call)
            return self.dialect.news(reply)
        except (Unsent, Lost) as error:
            problem = ProviderDown(
                f"{self.provider.title} cannot be reached just now ({error}).",
                money=PAID_AND_KEPT,
                todo="It is asked again by itself.",
            )
        except RateLimited as error:
            problem = error
            self.bench.pace.refused(self.provider, reply.retry_after if reply else None, failures)
        except KeyRefused as error:
            if self.row.state is State.DOWNLOADING:
                self.move(State.UNDOWNLOADED, error)
                raise Parked from None
            self.park(error)
        except JobExpired as error:
            # Before the retention has ended a 404 may be a passing fault, so it proves nothing.
            if since.passed() >= self.provider.retention_s:
                await self.expire(error)
            problem = error
        except ProviderDown as error:
            problem = error
        if failures >= 2:
            self.note(problem)
        return None

    async def expire(self, problem: HailuoError) -> NoReturn:
        """Commit that the provider has forgotten the job.

        Raises
        ------
        Parked
            Always.
        """
        if self.row.state is State.DOWNLOADING:
            self.move(State.UNDOWNLOADED, problem)
        self.move(State.EXPIRED, problem)
        await self.write_sidecar()
        raise Parked
