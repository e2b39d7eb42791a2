"""Reconcile runs with the providers' histories: their costs, and the outcome of lost answers.

This runs in the background, is free, and delays nothing: a clip is downloaded before its cost is requested,
the calls have a separate rate limit, and an error here changes no run. Nothing is ever sent again.

Rows appear late at both providers (how late is undocumented), and AI/ML API's log shows a request only when
it has ended. So a run is looked up repeatedly at growing intervals (`Timings.history_looks_s`), and only
after `Timings.absent_after_s` is it reported as not found, which is not proof even then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from hailuo_jupyter import startup
from hailuo_jupyter.catalogue import price_lists
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine import account
from hailuo_jupyter.engine.disk import Stuck
from hailuo_jupyter.engine.history_recorder import History, HistoryRecorder
from hailuo_jupyter.engine.match_history import lost_request
from hailuo_jupyter.engine.rate_limiter import Plan
from hailuo_jupyter.engine.resources import OwnedLog, Resources
from hailuo_jupyter.engine.sidecar_sync import catch_up, write_to_the_end
from hailuo_jupyter.engine.submit_outcome import hinted_job
from hailuo_jupyter.engine.timings import Timings
from hailuo_jupyter.errors import HailuoError, JobExpired, RateLimited
from hailuo_jupyter.keys import Key, KeyHeader
from hailuo_jupyter.providers.base import Call, Dialect, Reply
from hailuo_jupyter.providers.history import HistoryRow
from hailuo_jupyter.providers.http import Lost, Unsent
from hailuo_jupyter.providers.named_jobs import knows_job
from hailuo_jupyter.providers.retry_after import sent_at
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import SETTLED, State

logger = logging.getLogger(__name__)

#: Older runs are skipped, in seconds; Segmind's list goes back a week by default, a month at most.
_OLDEST_S = 7 * 86400.0

#: How many of the newest finished runs are checked for costs that a killed process left unwritten.
_CAUGHT_UP = 500

#: Pages of a history that are read in one go.
_PAGES = 10

#: Seconds by which this machine's clock may differ from the provider's without being corrected: the times
#: of requests are compared with more tolerance than that.
_SAME_CLOCK_S = 60.0


@dataclass
class _Watch:
    """A run that a history may have news of: since when, when it was last looked up, and for what."""

    began: float
    asked: float
    lost: bool

    def due(self, now: float, timings: Timings, *, own: bool) -> bool:
        """Return whether a lookup is due."""
        looks = timings.history_looks_s
        wait = next((each for each in looks if self.began + each > self.asked), None)
        if wait is None:
            return False
        return now >= self.began + (wait if own else max(wait, timings.history_of_others_s))


class Reconciler:
    """Reads the histories for one engine. All methods but `soon` run on the engine's loop.

    Parameters
    ----------
    resources
        The engine's.
    resume_one
        Continues a run whose job was restored.
    """

    def __init__(self, resources: Resources, resume_one: Callable[[Row, OwnedLog], bool]) -> None:
        self._logs, self._providers, self._events = (
            resources.logs,
            resources.providers,
            resources.events,
        )
        self._settings, self._clock = resources.settings, resources.clock
        self._resources, self._timings = resources, resources.timings
        self._http, self._disk = resources.thread.http, resources.thread.disk
        self._resume_one = resume_one
        self._watched: dict[Path, dict[str, _Watch]] = {}
        self._at_once = False
        self._caught_up: set[Path] = set()
        #: Seconds by which a provider's clock is ahead of this machine's.
        self._ahead_s: dict[str, float] = {}

    def soon(self) -> None:
        """Search for lost answers in the next round, regardless of the last search."""
        self._at_once = True

    async def keep_on(self) -> None:
        """Look up whatever is due, until the engine stops."""
        while True:
            await self._clock.sleep(self._timings.history_round_s)
            try:
                for owned in self._logs.opened():
                    await self._catch_up(owned)
                at_once, self._at_once = self._at_once, False
                for owned in self._logs.opened():
                    await self._round(owned, at_once=at_once)
            except HailuoError as error:
                logger.debug("no history was checked: %s", error)
            except Exception:
                logger.exception("settling from the histories has failed")

    async def _catch_up(self, owned: OwnedLog) -> None:
        """Write missing records next to clips, once per log, where a process was killed before that."""
        if owned.log.path in self._caught_up:
            return
        self._caught_up.add(owned.log.path)
        since = self._clock.wall() - _OLDEST_S
        ended = await asyncio.to_thread(owned.log.recent, _CAUGHT_UP, states=SETTLED)
        rows = [row for row in ended if row.updated >= since]
        for folder in {row.folder for row in rows}:
            ours = [row for row in rows if row.folder == folder]
            with suppress(Stuck):
                await self._disk.run(folder, catch_up, ours, owned.log)

    async def _round(self, owned: OwnedLog, *, at_once: bool) -> None:
        now, watched = self._clock.wall(), self._watched.setdefault(owned.log.path, {})
        open_ = owned.log.unsettled(now - _OLDEST_S)
        for run_id in set(watched) - set(open_):
            del watched[run_id]
            self._publish_settled(run_id, owned)
        due: dict[tuple[str, str, str], list[Row]] = {}
        wanted = self._settings.ask_history
        for run_id in open_:
            row = None
            if (watch := watched.get(run_id)) is None:
                row = owned.log.find(run_id)
                if row is None or not row.is_readable:
                    continue
                began = row.record.entered(row.state) or row.updated
                watch = watched[run_id] = _Watch(began, began, row.state is State.UNCONFIRMED)
            if not (wanted or watch.lost):
                continue
            own = self._events.get(run_id) is not None
            if not ((at_once and watch.lost) or watch.due(now, self._timings, own=own)):
                continue
            watch.asked = now
            row = row or owned.log.find(run_id)
            if row is not None and row.is_readable:
                record = row.record
                due.setdefault((row.provider, record.dialect, record.model), []).append(row)
        for rows in due.values():
            await self._settle(owned, self._providers.of_record(rows[0].record), rows)

    def _publish_settled(self, run_id: str, owned: OwnedLog) -> None:
        """Publish a run that another process has settled: final runs are not followed."""
        cached = self._events.get(run_id)
        if cached is None or (latest := owned.log.find(run_id)) is None:
            return
        if latest.revision > cached.revision:
            self._events.publish(latest)

    # ── requests ─────────────────────────────────────────────────────────────────────────────────

    async def _settle(self, owned: OwnedLog, provider: Provider, rows: list[Row]) -> None:
        by_key: dict[Key, list[Row]] = {}
        by_account: dict[str | None, list[Row]] = {}
        for row in rows:
            by_account.setdefault(row.account, []).append(row)
        try:
            dialect = await asyncio.to_thread(self._providers.dialect, provider)
            for those in by_account.values():
                key = await asyncio.to_thread(
                    self._providers.key_for, those[0], owned.log, dialect, startup.folder()
                )
                by_key.setdefault(key, []).extend(those)
        except HailuoError as error:
            logger.debug("%s is not checked now: %s", provider.title, error)
            return
        for key, those in by_key.items():
            await self._settle_by(key, owned, dialect, those)

    async def _settle_by(
        self, key: Key, owned: OwnedLog, dialect: Dialect, rows: list[Row]
    ) -> None:
        provider = dialect.provider
        present = owned.log.account(provider.name, dialect.addresses["api"], key)
        recorder = HistoryRecorder(
            owned.log, dialect, present, self._clock.wall(), self._timings.absent_after_s
        )
        rows = [row for row in rows if recorder.may_be_asked(row)]
        changed = await self._follow_hints(owned, dialect, recorder, rows, key)
        with_job = {each.run_id for each in changed}
        rows = [
            row
            for row in rows
            if row.run_id not in with_job
            and recorder.may_be_ours(row)
            and (dialect.shows_costs or row.job_id is None)
        ]
        if rows and self._settings.ask_history:
            try:
                history = await self._read(owned, dialect, rows, key)
            except (HailuoError, Unsent, Lost) as error:
                logger.debug("%s's history is not available now: %s", provider.title, error)
            else:
                ids = [row.run_id for row in rows]
                changed += [] if history is None else recorder.write_down(ids, history)
        for row in changed:
            # The task that continues a run publishes it, together with its new owner.
            if not (row.state is State.SUBMITTED and self._resume_one(row, owned)):
                self._events.publish(row)
        # All of them before the first await: an engine that is stopped here skips none.
        await write_to_the_end(changed, owned.log, self._disk, in_place=True)
        await account.refresh_prices(self._resources, provider, dialect)
        await asyncio.to_thread(self._confirm_prices, provider, changed)

    def _confirm_prices(self, provider: Provider, rows: list[Row]) -> None:
        """Confirm the provider's price list by the charges for clips."""
        if not provider.has_price_list:
            return
        path = price_lists.path_of(self._settings, provider)
        for row in rows:
            cost = row.record.cost
            if row.state is State.COMPLETED and cost.confirmed and cost.actual is not None:
                price_lists.confirm(path, row.record.request.options, cost.actual)

    async def _follow_hints(
        self,
        owned: OwnedLog,
        dialect: Dialect,
        recorder: HistoryRecorder,
        rows: list[Row],
        key: Key,
    ) -> list[Row]:
        """Ask about the jobs named in lost answers; return the runs whose job was restored."""
        changed: list[Row] = []
        for row in rows:
            if row.state is not State.UNCONFIRMED:
                continue
            try:
                if (
                    hint := await asyncio.to_thread(hinted_job, row, owned.log, dialect.provider)
                ) is None:
                    continue
                call = dialect.status(hint, row.record.wire)
                reply = await self._ask(owned, dialect, call, dialect.key_header(key))
            except (HailuoError, Unsent, Lost) as error:
                logger.debug("run %s could not be settled now: %s", row.run_id, error)
                continue
            if knows_job(dialect, reply):
                after = recorder.give_job(row.run_id, hint, reply.kept)
                changed += [after] if after.revision != row.revision else []
        return changed

    async def _read(
        self, owned: OwnedLog, dialect: Dialect, rows: list[Row], key: Key
    ) -> History | None:
        """Read the history of the period of some runs; None if there is none."""
        history_rows, rows = await self._read_by_id(owned, dialect, rows, key)
        if not rows:
            return History(tuple(history_rows), whole=True)
        name = dialect.provider.name
        ahead_s = self._ahead_s.get(name, 0.0)
        found = await self._read_pages(owned, dialect, rows, key)
        if found is not None and self._ahead_s.get(name, 0.0) != ahead_s:
            # The period that was asked for is that of a wrong clock.
            found = await self._read_pages(owned, dialect, rows, key)
        return found and replace(found, rows=(*history_rows, *found.rows))

    async def _read_pages(
        self, owned: OwnedLog, dialect: Dialect, rows: list[Row], key: Key
    ) -> History | None:
        """Read the history's list, for a period by this clock and by the provider's."""
        name = dialect.provider.name
        ahead_s = self._ahead_s.get(name, 0.0)
        now = self._clock.wall() + max(ahead_s, 0.0)
        since = min((s.first if (s := lost_request(row.record)) else row.created) for row in rows)
        since += min(ahead_s, 0.0)
        jobs = {row.job_id for row in rows if row.job_id is not None}
        lost = any(row.job_id is None for row in rows)
        history_rows: list[HistoryRow] = []
        following: Call | None = None
        for page in range(_PAGES):
            call = following or dialect.history(since, now, page)
            if call is None:
                return None
            reply = await self._ask(owned, dialect, call, dialect.key_header(key))
            self._learn_clock(name, reply)
            read = dialect.read_history(reply)
            following = read.following
            history_rows += read.rows
            jobs -= {row.job_id for row in read.rows}
            if not read.more or _past(read.rows, since) or not (lost or jobs):
                return History(tuple(history_rows), whole=True, ahead_s=ahead_s)
        return History(tuple(history_rows), whole=False, ahead_s=ahead_s)

    def _learn_clock(self, provider: str, reply: Reply) -> None:
        """Learn how far a provider's clock is ahead: a wrong clock here would hide a paid clip."""
        if (sent := sent_at(reply)) is None:
            return
        ahead_s, before = sent - self._clock.wall(), self._ahead_s.get(provider, 0.0)
        if abs(ahead_s) < _SAME_CLOCK_S:
            ahead_s = 0.0
        if ahead_s == 0.0 or abs(ahead_s - before) >= _SAME_CLOCK_S:
            self._ahead_s[provider] = ahead_s

    async def _read_by_id(
        self, owned: OwnedLog, dialect: Dialect, rows: list[Row], key: Key
    ) -> tuple[list[HistoryRow], list[Row]]:
        """Read what the history shows for job ids, at any age; also return the runs that need a list."""
        history_rows: list[HistoryRow] = []
        rest: list[Row] = []
        for row in rows:
            call = None if row.job_id is None else dialect.history_row(row.job_id)
            if call is None:
                rest.append(row)
                continue
            reply = await self._ask(owned, dialect, call, dialect.key_header(key))
            try:
                history_rows.append(dialect.read_history_row(reply))
            except JobExpired:
                continue  # rows appear late
        return history_rows, rest

    async def _ask(self, owned: OwnedLog, dialect: Dialect, call: Call, key: KeyHeader) -> Reply:
        provider = dialect.provider
        # Not the limit of submits and polls: a lookup of costs must not delay a clip.
        calls = self._timings.history_per_minute
        plan = Plan(provider.name, f"{provider.name}/history", calls, calls)
        async with owned.limiter.acquire(plan) as permit:
            reply = dialect.translated(await self._http().send(call, key))
            owned.limiter.answered(plan, permit, reply)
        if reply.status == 429:
            raise RateLimited(f"{provider.title}'s history limits requests.")
        return reply


def _past(rows: tuple[HistoryRow, ...], since: float) -> bool:
    """Return whether everything after a page is too old to matter."""
    times = [row.at for row in rows if row.at is not None]
    newest_first = len(times) == len(rows) and times == sorted(times, reverse=True)
    return bool(times) and newest_first and times[-1] < since - 3600.0
