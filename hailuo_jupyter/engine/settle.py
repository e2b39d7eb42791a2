"""Settling from the providers' histories: what runs have cost, and what became of lost answers.

It asks in the background, is free, and stands in nobody's way: a clip is fetched before its cost is
asked for, the calls have a rate limit of their own, and whatever goes wrong here changes no run.
Nothing is ever sent again.

Rows come late at both providers (nobody publishes how late), and AI/ML API's log shows a request
only when it has ended. So a run is looked for again and again at growing distances (`LOOKS`), and
only after `scribe.ABSENT_AFTER_S` is "not there" said, which is no proof even then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hailuo_jupyter.engine.board import Board
from hailuo_jupyter.engine.desk import Desk, Desks, Wires
from hailuo_jupyter.engine.history import sought
from hailuo_jupyter.engine.pace import Clock, parse_retry_after
from hailuo_jupyter.engine.scribe import History, Scribe
from hailuo_jupyter.engine.sidecar import catch_up, has_place, write_to_the_end
from hailuo_jupyter.errors import HailuoError, RateLimited
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.providers.base import Call, Dialect, Reply
from hailuo_jupyter.providers.history import HistoryRow
from hailuo_jupyter.providers.http import Http, Lost, Unsent
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import SETTLED, State

logger = logging.getLogger(__name__)

#: Seconds between two looks for what is due.
ROUND_S = 5.0

#: So many seconds after a run's end, or after its answer was lost, the history is asked.
LOOKS = (20.0, 60.0, 180.0, 600.0, 1800.0, 3700.0, 7200.0, 86400.0)

#: Runs of other kernels are looked after from then on: their own kernel seems to be gone.
OTHERS_S = 300.0

#: Older runs are left alone, in seconds; Segmind's list goes back a week by itself, a month at most.
_OLDEST_S = 7 * 86400.0

#: Ended runs, the newest, of which is looked whether a killed process has left a cost unwritten.
_CAUGHT_UP = 500

#: Calls for a history within a minute: Segmind's smallest plan allows 5 calls of any kind.
_PER_MINUTE = 5

#: Pages of a history that are read in one go.
_PAGES = 10

#: Seconds after which a history that answered 429 without a word on when is asked again.
_REFUSED_S = 60.0


@dataclass
class _Watch:
    """A run that a history may tell more of: since when, when it was asked last, and of what."""

    began: float
    asked: float
    lost: bool

    def due(self, now: float, own: bool) -> bool:
        """Tell whether it is time to ask."""
        wait = next((each for each in LOOKS if self.began + each > self.asked), None)
        if wait is None:
            return False
        return now >= self.began + (wait if own else max(wait, OTHERS_S))


class Settling:
    """What asks the histories for one engine. All but `soon` belongs to the engine's loop.

    Parameters
    ----------
    desks, wires, board, clock, http
        The engine's; `http` gives its connections.
    go_on
        Takes a run up that has got its job back.
    wanted
        Whether the person wants the histories to be asked.
    """

    def __init__(
        self,
        desks: Desks,
        wires: Wires,
        *,
        board: Board,
        clock: Clock,
        http: Callable[[], Http],
        go_on: Callable[[Row, Desk], bool],
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._desks, self._wires, self._board, self._clock = desks, wires, board, clock
        self._http, self._go_on, self._wanted = http, go_on, wanted
        self._watched: dict[Path, dict[str, _Watch]] = {}
        self._at_once = False
        self._caught_up: set[Path] = set()

    def soon(self) -> None:
        """Have lost answers looked for in the next round, whenever they were looked for last."""
        self._at_once = True

    async def keep_on(self) -> None:
        """Ask whenever something is due, until the engine ends."""
        while True:
            await self._clock.sleep(ROUND_S)
            try:
                for desk in self._desks.opened():
                    await self._catch_up(desk)
                if not self._wanted():
                    continue
                at_once, self._at_once = self._at_once, False
                for desk in self._desks.opened():
                    await self._round(desk, at_once=at_once)
            except HailuoError as error:
                logger.debug("no history was asked: %s", error)
            except Exception:
                logger.exception("settling from the histories has failed")

    async def _catch_up(self, desk: Desk) -> None:
        """Write beside the clips, once for each log, what a process was killed before it wrote."""
        if desk.log.path in self._caught_up:
            return
        self._caught_up.add(desk.log.path)
        since = self._clock.wall() - _OLDEST_S
        ended = await asyncio.to_thread(desk.log.recent, _CAUGHT_UP, states=SETTLED)
        rows = [row for row in ended if row.updated >= since]
        await asyncio.to_thread(catch_up, rows, desk.log)

    async def _round(self, desk: Desk, *, at_once: bool) -> None:
        now, watched = self._clock.wall(), self._watched.setdefault(desk.log.path, {})
        open_ = desk.log.unsettled(now - _OLDEST_S)
        for run_id in set(watched) - set(open_):
            del watched[run_id]
            self._hear(run_id, desk)
        due: dict[tuple[str, str], list[Row]] = {}
        for run_id in open_:
            row = None
            if (watch := watched.get(run_id)) is None:
                if (row := desk.log.find(run_id)) is None:
                    continue
                began = row.record.entered(row.state) or row.updated
                watch = watched[run_id] = _Watch(began, began, row.state is State.UNCONFIRMED)
            own = self._board.get(run_id) is not None
            if not ((at_once and watch.lost) or watch.due(now, own)):
                continue
            watch.asked = now
            if (row := row or desk.log.find(run_id)) is not None:
                due.setdefault((row.provider, row.record.dialect), []).append(row)
        for (name, dialect), rows in due.items():
            await self._settle(desk, self._wires.provider(name, dialect), rows)

    def _hear(self, run_id: str, desk: Desk) -> None:
        """Learn of a run that another process has settled: nobody follows those that have ended."""
        known = self._board.get(run_id)
        if known is None or (latest := desk.log.find(run_id)) is None:
            return
        if latest.revision > known.revision:
            self._board.publish(latest)

    # ── asking ─────────────────────────────────────────────────────────────────────────────────

    async def _settle(self, desk: Desk, provider: Provider, rows: list[Row]) -> None:
        try:
            dialect = await asyncio.to_thread(self._wires.dialect, provider)
            key = await asyncio.to_thread(self._wires.key, provider, Path.cwd())
            history = await self._read(desk, provider, dialect, rows, key.reveal())
        except (HailuoError, Unsent, Lost) as error:
            logger.debug("%s's history tells nothing just now: %s", provider.title, error)
            return
        if history is None:
            return
        source = f"{provider.title}'s {dialect.history_title}"
        scribe = Scribe(desk.log, source, self._clock.wall(), by_our_id=dialect.logs_our_id)
        changed = scribe.write_down([row.run_id for row in rows], history)
        for row in changed:
            # Whoever goes on with a run puts it up, together with who has it now.
            if not (row.state is State.SUBMITTED and self._go_on(row, desk)):
                self._board.publish(row)
        # All of them before anything is waited for: an engine that is stopped here leaves none out.
        await write_to_the_end([row for row in changed if has_place(row)], desk.log)

    async def _read(
        self, desk: Desk, provider: Provider, dialect: Dialect, rows: list[Row], key: str
    ) -> History | None:
        """Read the history of the time of some runs; None where there is none."""
        now = self._clock.wall()
        since = min((s.first if (s := sought(row.record)) else row.created) for row in rows)
        found: list[HistoryRow] = []
        jobs = {row.job_id for row in rows if row.job_id is not None}
        lost = any(row.job_id is None for row in rows)
        for page in range(_PAGES):
            call = dialect.history(since, now, page)
            if call is None:
                return None
            reply = await self._ask(desk, provider, call, dialect.key_headers(key))
            read = dialect.read_history(reply)
            found += read.rows
            jobs -= {row.job_id for row in read.rows}
            if not read.more or _past(read.rows, since) or not (lost or jobs):
                return History(tuple(found), whole=True)
        return History(tuple(found), whole=False)

    async def _ask(
        self, desk: Desk, provider: Provider, call: Call, headers: dict[str, str]
    ) -> Reply:
        # Not the slots of submits and polls: asking for a cost must not make a clip late.
        slots = f"{provider.name}/history"
        while True:
            now = self._clock.wall()
            wait = desk.log.reserve(slots, per_minute=_PER_MINUTE, now=now)
            if not wait:
                break
            await self._clock.sleep(min(wait, 5.0))
        reply = await self._http().send(call, headers)
        if reply.status == 429:
            now = self._clock.wall()
            after = parse_retry_after(reply.retry_after, now)
            desk.log.block_until(slots, now + (after or _REFUSED_S), now=now)
            raise RateLimited(f"{provider.title}'s history wants fewer requests.")
        return reply


def _past(rows: tuple[HistoryRow, ...], since: float) -> bool:
    """Tell whether all that follows a page is older than what is of interest."""
    times = [row.at for row in rows if row.at is not None]
    newest_first = len(times) == len(rows) and times == sorted(times, reverse=True)
    return bool(times) and newest_first and times[-1] < since - 3600.0
