"""Poll a job at the provider until it has ended."""

from __future__ import annotations

from random import SystemRandom

from hailuo_jupyter import redact
from hailuo_jupyter.engine.clip_sources import ClipSources, Source
from hailuo_jupyter.engine.clock import back_off
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.engine.request_queue import Purpose
from hailuo_jupyter.engine.run_task import JobForgotten, RunTask
from hailuo_jupyter.errors import ProviderDown
from hailuo_jupyter.providers.base import Call
from hailuo_jupyter.states import State

#: Not reset by `random.seed`.
_random = SystemRandom()

#: Seconds between polls of an overdue run.
_OVERDUE_INTERVAL = 60.0

#: Longest wait between polls of a job in an undocumented state, in seconds.
_STRANGE_MOST_S = 60.0

#: The age, in seconds, from which a job's first poll is early, and how early.
_TAKEN_OVER_S, _FIRST_LOOK_S = 5.0, 1.5

#: An end learned later than both of these, in seconds and as a share of the duration, gives no duration.
_LATE_S, _LATE_SHARE = 10.0, 0.25

_STATES = {"queued": State.QUEUED, "generating": State.GENERATING}


async def poll(task: RunTask, timing: DurationEstimate) -> str | None:
    """Poll until the job has ended.

    Parameters
    ----------
    task
        The run; it is in ``submitted``, ``queued`` or ``generating``.
    timing
        The expected duration, which paces the polls.

    Returns
    -------
    str or None
        The clip's link, if the answer held it.

    Raises
    ------
    NeedsUser
        If only the person can continue.
    OwnershipLost
        If another process took the run.
    """
    since, failures, looks, unfinished_s = task.since_submit(), 0, 0, 0.0
    strange = 0  # answers in a row with an undocumented status
    ways, wire, dialect = ClipSources(task), task.row.record.wire, task.dialect
    saving = dialect.link_apart  # whether asking for the link at once saves a request
    asked_link = False

    def call(scarce: bool) -> Call:
        nonlocal asked_link
        # After the retention a 404 counts, and only the status call is documented for that.
        asked_link = scarce and saving and since.passed() < task.provider.retention_s
        link = dialect.result(task.job_id, wire) if asked_link else None
        return link or dialect.status(task.job_id, wire)

    while True:
        passed = since.passed()
        over = task.is_past_retention()
        # Never without a poll: a laptop may have been suspended until now.
        if over and looks and (failures == 0 or failures >= task.timings.last_attempts):
            return await _give_up_polling(task, ways, passed, failures=failures, strange=strange)
        interval = _interval(task, timing, passed, first=looks == 0)
        if strange:
            interval = max(interval, back_off(strange, first=2.5, most=_STRANGE_MOST_S))
        if failures:
            interval = back_off(failures) if over else max(interval, back_off(failures))
        await task.sleep(interval)
        looks += 1
        wanted = task.wanted(Purpose.POLL, timing, asked_s=unfinished_s, failures=failures)
        try:
            news = await task.ask(call, since, wanted)
        except JobForgotten:
            ways.job_answered()
            if (source := await ways.next()) is not None:
                return _found(task, source)
            await ways.give_up_if_lost(since.passed())
            news = None
        if news is None:
            failures += 1
            # What the link's call answers before the job has ended is undocumented.
            saving = saving and not asked_link
            continue
        failures = 0
        if news.state == "completed":
            _exclude_late_end(task, since.passed(), max(unfinished_s, news.inference_s or 0.0))
            task.record_news(State.DOWNLOADING, "status", news)
            return news.link
        if news.state == "failed":
            task.record_news(State.FAILED, "status", news)
            await task.write_sidecar()
            return None
        if news.state == "unknown":
            # It may be an end, so it does not show that the job continues.
            strange += 1
            task.set_problem(_undocumented(task, news.word), verbatim=True)
            continue
        strange, unfinished_s = 0, since.passed()
        state = _STATES.get(news.state)
        if state is not None and state is not task.row.state:
            task.record_news(state, "status", news)
        else:
            task.record_no_change(news)


def _interval(task: RunTask, timing: DurationEstimate, passed: float, *, first: bool) -> float:
    interval = task.timings.poll_interval_s or timing.poll_interval(
        passed, task.context.active_count()
    )
    if first:
        # A process that claims a run polls at once: the clip may be about to expire.
        soon = _FIRST_LOOK_S if passed > _TAKEN_OVER_S else interval
        # Runs that were sent together would always be polled together.
        return min(interval, soon) * _random.uniform(0.7, 1.0)
    return max(interval, _OVERDUE_INTERVAL) if passed > task.context.deadline_s else interval


async def _give_up_polling(
    task: RunTask, ways: ClipSources, passed: float, *, failures: int, strange: int
) -> str:
    """Return the clip's link from another source, or leave the run to the person."""
    if (failures or strange) and (source := await ways.next()):
        return _found(task, source)
    return task.pause_for_user(
        _unanswered(task, passed, ways) if failures else _overdue(task, passed)
    )


def _found(task: RunTask, source: Source) -> str:
    """Record that the clip exists according to another source than the job."""
    task.log.leave_duration_out(task.row.run_id)  # the time of its end is unknown
    task.move(State.DOWNLOADING, job={"media_link": redact.media_link(source.link)})
    return source.link


def _exclude_late_end(task: RunTask, ended_by: float, unfinished_at: float) -> None:
    """Exclude a duration from forecasts whose end was noticed too late.

    Parameters
    ----------
    task
        The run.
    ended_by, unfinished_at
        The job's age, in seconds, when its end was noticed, and when it was certainly unfinished.
    """
    late = ended_by - unfinished_at
    if late > max(_LATE_S, _LATE_SHARE * ended_by):
        task.log.leave_duration_out(task.row.run_id)


def _undocumented(task: RunTask, word: str) -> ProviderDown:
    return ProviderDown(
        f"{task.provider.title} reports the undocumented job state {word!r}.",
        money="The clip may still arrive. Whether it is charged is unknown.",
        todo="It is checked less often; see the provider's history for its outcome.",
    )


def _unanswered(task: RunTask, passed: float, ways: ClipSources) -> ProviderDown:
    problem = task.row.record.problem
    return ProviderDown(
        f"{task.provider.title} gave no valid response about this clip for {passed / 60:.0f} "
        "minutes, longer than it keeps a result."
        + (f" The last attempt failed: {problem.what}" if problem else "")
        + ways.words,
        money="You were or will be charged; the clip may still be there.",
        todo="Run '%hailuo resume' to check again, and see the provider's history.",
    )


def _overdue(task: RunTask, passed: float) -> ProviderDown:
    problem = task.row.record.problem
    return ProviderDown(
        f"{task.provider.title} has not finished this clip after {passed / 60:.0f} minutes, "
        "longer than it keeps a result." + (f" {problem.what}" if problem else ""),
        money="You may have been charged.",
        todo="Run '%hailuo resume' to check again, and see the provider's history.",
    )
