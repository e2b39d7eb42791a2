"""Other ways to a paid clip when the provider no longer has its job.

A job's record is kept for an hour at Segmind, the clip's file longer, and the row in the request
history permanently. So the recorded link is tried first, then the history is asked for one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlsplit

from hailuo_jupyter.engine.rate_limiter import Plan
from hailuo_jupyter.engine.run_task import NeedsUser, RunTask
from hailuo_jupyter.errors import HailuoError, JobExpired
from hailuo_jupyter.keys import KeyHeader
from hailuo_jupyter.links import MARK
from hailuo_jupyter.providers.base import Call
from hailuo_jupyter.providers.history import HistoryRow
from hailuo_jupyter.providers.http import Lost, Unsent
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import State

#: Names of the sources in messages; the history has its own title.
_JOB, _LINK = "the job", "the clip's link"

#: Replaces the folders of a link of which only host and file name are shown.
_LEFT_OUT = "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True)
class Source:
    """A source of a clip.

    Parameters
    ----------
    link
        Its address.
    own
        Whether it is an API call of the provider, which needs the key.
    """

    link: str
    own: bool = False


class ClipSources:
    """The sources of one run's clip, and the result of each.

    Parameters
    ----------
    task
        The run.
    """

    def __init__(self, task: RunTask) -> None:
        self._task = task
        #: Why a source gave no clear answer.
        self._unclear: dict[str, str] = {_JOB: "no valid response"}
        #: How often a link failed, and why that was unclear; None if there is no clip.
        self._failures: Counter[str] = Counter()
        self._verdicts: dict[str, str | None] = {}

    def job_answered(self, doubt: str = "") -> None:
        """Record that the provider does not know the job, returned its link, or why that is unclear."""
        if doubt:
            self._unclear[_JOB] = doubt
        else:
            self._unclear.pop(_JOB, None)

    def failed(self, source: Source, problem: HailuoError | None, *, dead: bool) -> None:
        """Record that a link had no clip: it is gone, or the answer was unclear."""
        self._failures[source.link] += 1
        self._verdicts[source.link] = None if dead or problem is None else problem.what

    @property
    def exhausted(self) -> bool:
        """Whether every source has answered that it has no clip."""
        return not self._unclear and not any(self._verdicts.values())

    @property
    def words(self) -> str:
        """Which sources could not be asked, and why; empty if each has answered."""
        links = [why for why in self._verdicts.values() if why]
        unanswered = {**self._unclear, **({_LINK: links[-1]} if links else {})}
        doubts = "; ".join(f"{way}: {why.rstrip('.')}" for way, why in unanswered.items())
        return f" Unanswered: {doubts}." if doubts else ""

    def recorded(self) -> Source | None:
        """Return the link recorded when the job finished, if it is complete and may be followed."""
        link = _whole_link(self._task.row)
        if link is None:
            return None
        if self._task.row.imported is not None:
            self._unclear[_LINK] = "its record was imported"
            return None
        return Source(link)

    def is_new(self, source: Source | None) -> bool:
        """Return whether there is a link that has not failed so far."""
        return source is not None and not self._failures[source.link]

    async def next(self, from_job: Source | None = None) -> Source | None:
        """Return a source that may still have the clip, the least tried first; None if there is none.

        A link that has failed is tried again: a single failure proves little.

        Parameters
        ----------
        from_job
            The link that the job itself returned.

        Raises
        ------
        NeedsUser
            If the history says that the job has failed; that is recorded.
        OtherAccount
            If the key has changed meanwhile.
        """
        recorded = self.recorded()
        if self.is_new(recorded):
            return recorded
        sources = [each for each in (from_job, recorded, await self._in_history()) if each]
        return min(sources, key=lambda each: self._failures[each.link], default=None)

    async def _in_history(self) -> Source | None:
        """Return the link that the history shows for the job's id."""
        if not self._task.dialect.shows_clips:
            return None
        way = self._task.dialect.history_title
        call = self._task.dialect.history_row(self._task.job_id)
        if call is None:
            self._unclear[way] = "unknown address"
            return None
        self._unclear.pop(way, None)
        try:
            row = await read_history_row(self._task, call, self._task.own_key())
        except JobExpired:
            return None
        except (HailuoError, Unsent, Lost) as error:
            self._unclear[way] = error.what if isinstance(error, HailuoError) else str(error)
            return None
        if row.outcome == "failed":
            await self._failed(row)
        if row.outcome in {"active", "unknown"}:
            self._unclear[way] = "it does not show the job as finished"
        return Source(row.link) if row.link else None

    async def _failed(self, row: HistoryRow) -> None:
        if self._task.row.state is State.UNDOWNLOADED:
            self._task.move(State.DOWNLOADING)
        self._task.move(State.FAILED, self._task.dialect.failed(row.words))
        await self._task.write_sidecar()
        raise NeedsUser

    async def give_up_if_lost(
        self, passed: float, problem: HailuoError | None = None, kept: str = ""
    ) -> None:
        """Expire the run if no source is left, or if the clip's file is too old to exist.

        Parameters
        ----------
        passed
            Seconds since the submit.
        problem
            The error of the last attempt.
        kept
            What was kept of the clip anyway.

        Raises
        ------
        NeedsUser
            If the run is expired; that is recorded.
        """
        title, lifetime_s = self._task.provider.title, self._task.provider.keeps_s
        if self.exhausted:
            what = f"{title} no longer has this job, and the clip can't be downloaded another way."
        elif passed >= lifetime_s:
            what = (
                f"{title} keeps clips for about {_span(lifetime_s)}; that time has "
                f"passed.{self.words}"
            )
        else:
            return
        why = f" The last attempt failed: {problem.what}" if problem else ""
        await self._task.expire(
            JobExpired(
                what + why,
                money=f"You were charged.{kept}",
                todo="Check the provider's history for the clip; --new generates another.",
            )
        )


def needs_no_key(row: Row) -> bool:
    """Return whether a finished run has a public link to its clip."""
    # The author of an imported record chose its link.
    return row.imported is None and _whole_link(row) is not None


def _whole_link(row: Row) -> str | None:
    link = row.record.job.media_link
    cut = not link or MARK in link or _LEFT_OUT in link or _was_signed(link)
    return None if cut else link


def _was_signed(link: str) -> bool:
    """Return whether a stored link was signed: only the end of its query is stored."""
    try:
        return "expires" in urlsplit(link).query.lower()
    except ValueError:
        return True


async def read_history_row(task: RunTask, call: Call, header: KeyHeader) -> HistoryRow:
    """Return what the history shows for one job.

    Parameters
    ----------
    task
        The job's run.
    call, header
        The dialect's call for its row, and the header with the key.

    Raises
    ------
    ProviderError
        If it shows nothing; `JobExpired` if the job is unknown.
    Unsent, Lost
        As `Http.send`.
    """
    name, calls = task.provider.name, task.timings.history_per_minute
    plan = Plan(name, f"{name}/history", calls, calls)
    async with task.limiter.acquire(plan) as permit:
        reply = await task.send(call, header)
        task.limiter.answered(plan, permit, reply)
    return task.dialect.read_history_row(reply)


def _span(seconds: float) -> str:
    days = seconds / 86400.0
    return f"{days:.0f} days" if days >= 2 else f"{seconds / 3600.0:.3g} hours"
