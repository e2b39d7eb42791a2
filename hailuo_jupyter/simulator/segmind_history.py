"""Segmind's history: what was asked, what it cost, and where the clips were.

Source: the official ``segmind`` Python client 1.3.0 (paths, parameters, row fields). The envelopes
``data`` and ``generations`` come from that client's tests, so they are likely and no more.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from hailuo_jupyter.simulator.answers import Answer, RefusedError
from hailuo_jupyter.simulator.clock import iso_time
from hailuo_jupyter.simulator.jobs import Job, Phase
from hailuo_jupyter.simulator.segmind import SLUG, SegmindExchange, media_link
from hailuo_jupyter.simulator.world import World

_STATES = {
    Phase.QUEUED: "PENDING",
    Phase.RUNNING: "PENDING",
    Phase.DONE: "COMPLETED",
    Phase.FAILED: "FAILED",
}
_PAGE = 20
_MAX_PAGE = 100
_MAX_DAYS = 31
_DEFAULT_DAYS = 7
_SORTS = ("model_created", "model_name", "credits_deduction")


class History(SegmindExchange):
    """``GET /inference-request/request-history``: all requests, failed and pending ones too."""

    async def reply(self, *_: str) -> Answer:
        """List one page of requests."""
        self.authorize(counted=False)
        page, per_page = self.whole("page", 1, None), self.whole("per_page", _PAGE, _MAX_PAGE)
        status = self.choice("status", ("COMPLETED", "FAILED", "PENDING"))
        sort_by = self.choice("sort_by", _SORTS) or "model_created"
        order = self.choice("sort_order", ("asc", "desc")) or "desc"
        first, last = self.window("from_date", "to_date")
        model = self.get_query_argument("model_name", "")
        rows = [
            row
            for job in landed(self.world, self.who())
            if first <= _day(job.submitted) <= last and model in SLUG
            for row in [history_row(self.world, job)]
            if status is None or row["model_status"] == status
        ]
        rows.sort(key=lambda row: row[sort_by], reverse=order == "desc")
        shown = rows[(page - 1) * per_page : page * per_page]
        facts = {"page": page, "per_page": per_page, "total": len(rows)}
        return Answer(200, {"data": shown, **facts})

    def whole(self, name: str, default: int, top: int | None) -> int:
        """Return a whole number from the query, 1 to a top."""
        text = self.get_query_argument(name, str(default))
        if not text.isdecimal() or int(text) < 1 or (top is not None and int(text) > top):
            raise RefusedError(400, f"Invalid value for {name!r}")
        return int(text)

    def choice(self, name: str, words: tuple[str, ...]) -> str | None:
        """Return one of some words from the query, or None."""
        text = self.get_query_argument(name, None)
        if text is not None and text not in words:
            raise RefusedError(400, f"Invalid value for {name!r}: allowed are {', '.join(words)}")
        return text

    def window(self, start: str, end: str) -> tuple[dt.date, dt.date]:
        """Return the first and last day asked for, both included."""
        today = _day(self.world.now())
        last = self._date(end) or today
        first = self._date(start) or last - dt.timedelta(days=_DEFAULT_DAYS)
        if not 0 <= (last - first).days <= _MAX_DAYS:
            raise RefusedError(400, f"The window may span at most {_MAX_DAYS} days")
        return first, last

    def _date(self, name: str) -> dt.date | None:
        text = self.get_query_argument(name, None)
        try:
            return None if text is None else dt.date.fromisoformat(text)
        except ValueError as problem:
            raise RefusedError(400, f"Invalid value for {name!r}: YYYY-MM-DD") from problem


class HistoryRow(SegmindExchange):
    """``GET /inference-request/request-history/{id}``: any age, own requests only."""

    def find_job(self, *names: str) -> Job | None:
        """Return the job of the path."""
        return self.world.job("segmind", names[0], self.who())

    async def reply(self, *_: str) -> Answer:
        """Show one request."""
        self.authorize(counted=False)
        if self.job is None or self.job not in landed(self.world, self.who()):
            raise RefusedError(404, "Request not found")
        return Answer(200, history_row(self.world, self.job))


class Generations(History):
    """``GET /inference-request/generations``: clips only, with facts that come late."""

    async def reply(self, *_: str) -> Answer:
        """List one page of clips."""
        self.authorize(counted=False)
        page = self.whole("page", 1, None)
        first, last = self._date("start_date"), self._date("end_date")
        model = self.get_query_argument("model_name", "")
        jobs = [
            job
            for job in finished(self.world, self.who())
            if (first is None or first <= _day(job.submitted))
            and (last is None or _day(job.submitted) <= last)
            and model in SLUG
        ]
        shown = jobs[(page - 1) * _PAGE : page * _PAGE]
        rows = [generation_row(self.world, job) for job in shown]
        return Answer(200, {"generations": rows, "page": page, "total": len(jobs)})


class Recent(SegmindExchange):
    """``GET /inference-request/recent-generations?model_name=``."""

    async def reply(self, *_: str) -> Answer:
        """List the latest clips of a model."""
        self.authorize(counted=False)
        model = self.get_query_argument("model_name", "")
        if not model:
            raise RefusedError(400, "Invalid value for 'model_name'")
        jobs = finished(self.world, self.who())[:_PAGE] if model == SLUG else []
        return Answer(200, {"generations": [generation_row(self.world, job) for job in jobs]})


def landed(world: World, key_hash: str) -> list[Job]:
    """Return the jobs whose request record is there by now."""
    latest = world.now() - world.options.history_delay
    return [job for job in world.jobs("segmind", key_hash) if job.submitted <= latest]


def finished(world: World, key_hash: str) -> list[Job]:
    """Return the jobs that have a clip, newest first."""
    now, polls = world.now(), world.options.min_polls
    jobs = world.jobs("segmind", key_hash)
    return [job for job in reversed(jobs) if job.phase(now, min_polls=polls) is Phase.DONE]


def history_row(world: World, job: Job) -> dict[str, Any]:
    """Return a request as history shows it."""
    phase = job.phase(world.now(), min_polls=world.options.min_polls)
    ended = job.ended_at
    return {
        "request_id": job.id,
        "model_name": SLUG,
        "model_status": _STATES[phase],
        "credits_deduction": job.cost(),
        "request_body": job.body,
        "generation_url": media_link(world, job) if phase is Phase.DONE else None,
        "latency_ms": None if ended is None else round((job.due - job.submitted) * 1000),
        "model_created": iso_time(job.submitted),
        "model_updated": iso_time(job.submitted if ended is None else ended),
        "error": job.failure if phase is Phase.FAILED else None,
    }


def generation_row(world: World, job: Job) -> dict[str, Any]:
    """Return a clip as the lists of clips show it: null until the request record has landed."""
    row: dict[str, Any] = {"generation_url": media_link(world, job), "request_id": job.id}
    names = ("status", "credits_deduction", "latency_ms", "prompt", "parameters")
    if job.ended_at is None or world.now() < job.ended_at + world.options.history_delay:
        return {**row, **dict.fromkeys(names)}
    facts = history_row(world, job)
    values = ("COMPLETED", facts["credits_deduction"], facts["latency_ms"], job.prompt, job.body)
    return {**row, **dict(zip(names, values, strict=True))}


def _day(moment: float) -> dt.date:
    return dt.datetime.fromtimestamp(moment, dt.UTC).date()
