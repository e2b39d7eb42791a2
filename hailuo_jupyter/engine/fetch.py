"""Download a finished clip, with retries as long as the provider keeps it, since it is paid for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hailuo_jupyter.engine.clip_location import saved_clips
from hailuo_jupyter.engine.clip_sources import ClipSources, Source
from hailuo_jupyter.engine.clock import Stopwatch, back_off
from hailuo_jupyter.engine.download import LinkGone, Target, download
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.engine.partial_file import remove_orphans
from hailuo_jupyter.engine.request_queue import Purpose
from hailuo_jupyter.engine.run_task import JobForgotten, NeedsUser, RunTask
from hailuo_jupyter.errors import (
    ClipError,
    ClipTooLarge,
    DiskError,
    HailuoError,
    ProviderDown,
)
from hailuo_jupyter.ids import is_file
from hailuo_jupyter.media import ClipFacts, examine
from hailuo_jupyter.providers.base import PAID_AND_KEPT, News
from hailuo_jupyter.providers.http import Lost, Unsent
from hailuo_jupyter.record.paths import clip_name, clip_names
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import State

#: Longest wait between two attempts in seconds, if an attempt is cheap (see also
#: `Timings.costly_retry_s`). `%hailuo resume` tries at once.
_FREE_MOST_S = 30.0

#: Share of the provider's retention after which a clip is saved next to the run log, if its own folder
#: cannot be written.
_LAST_QUARTER = 0.75


def may_have_arrived(row: Row) -> bool:
    """Return whether a run's clip path has a file; a killed process may have written it."""
    return any(is_file(row.folder / name) for name in clip_names(row.record.file_stem))


async def fetch(task: RunTask, link: str | None, timing: DurationEstimate) -> None:
    """Download and check the clip, and write its record next to it.

    Parameters
    ----------
    task
        The run; it is in ``downloading`` or ``undownloaded``.
    link
        The clip's link if known; otherwise the provider is asked.
    timing
        The expected duration of such runs.

    Raises
    ------
    NeedsUser
        If only the person can continue, or the clip is lost: each source has answered that it does
        not have it (see `clip_sources`). Nothing else proves that before the file's lifetime is over.
    OwnershipLost
        If another process took the run.
    """
    since, attempt = task.since_submit(), 0
    row = task.row
    target = _target(task, row.folder)
    if (facts := await _leftover_clip(target, task.log)) is not None:
        await _completed(task, facts, target)
        return
    ways = ClipSources(task)
    # A link that is already known needs no API call and no key.
    source = Source(link) if link else ways.recorded()
    while True:
        failure = _Failure(None)
        if source is None:
            source = await _ask_for_it(task, ways, since, attempt, timing)
            if since.passed() > task.provider.retention_s and not ways.is_new(source):
                source = await ways.next(source)
        if source is not None:
            found = await _try(task, source, target)
            if found is None:
                return
            failure = found
            if not isinstance(failure.problem, DiskError):
                ways.failed(source, failure.problem, dead=failure.gone)
            elif await _saved(task, source, failure):
                return
        problem = failure.problem
        attempt += 1
        if problem and (attempt > 1 or isinstance(problem, DiskError)):
            _undownloaded(task, problem)
        passed = since.passed()
        again = attempt == 1 and passed <= task.provider.retention_s
        if failure.gone or not (again or isinstance(problem, DiskError)):
            source = None  # the link itself may be wrong
        # Never at the first failure: a laptop may have resumed just now, without its network.
        if task.is_past_retention() and attempt >= task.timings.last_attempts:
            kept = await _kept(target)
            await ways.give_up_if_lost(passed, problem, kept)
            _undownloaded(task, _given_up(task, passed, problem, kept, ways), verbatim=True)
            raise NeedsUser
        await task.sleep(back_off(attempt, first=0.5, most=failure.longest_wait_s))


@dataclass(frozen=True)
class _Failure:
    """Why an attempt failed.

    Parameters
    ----------
    problem
        None if the provider returned no link, which is then already recorded.
    gone
        Whether the link has expired.
    longest_wait_s
        Maximum seconds until the next attempt.
    """

    problem: HailuoError | None
    gone: bool = False
    longest_wait_s: float = _FREE_MOST_S


def _target(task: RunTask, folder: Path) -> Target:
    row = task.row
    return Target(folder, row.run_id, task.owner_id, task.context.disk, row.record.file_stem)


async def _leftover_clip(target: Target, log: RunLog) -> ClipFacts | None:
    """Return a clip that a killed process may have stored without recording it in the log.

    Its partial downloads are removed.
    """

    def look() -> ClipFacts | None:
        remove_orphans(target.folder, {target.run_id}, log.alive)
        for name in clip_names(target.stem):
            path = target.folder / name
            # A symbolic link may point to any file.
            if path.is_symlink() or not path.is_file():
                continue
            with suppress(ClipError):  # not the complete clip
                facts = examine(path)
                if clip_name(target.stem, facts.suffix) == name:
                    return facts
        return None

    try:
        return await target.disk.run(target.folder, look)
    except OSError:
        return None  # reported when it is written to


async def _saved(task: RunTask, source: Source, failure: _Failure) -> bool:
    """Save the clip next to the run log if its folder is not writable and the provider deletes it soon."""
    row = task.row
    if task.since_submit().passed() < _LAST_QUARTER * task.provider.retention_s:
        return False
    place = saved_clips(task.log)
    target = _target(task, place)
    return place != row.folder and await _try(task, source, target, failure.problem) is None


async def _try(
    task: RunTask, source: Source, target: Target, unwritten: HailuoError | None = None
) -> _Failure | None:
    """Try to download the clip once; None if that succeeded.

    Parameters
    ----------
    task, source
        The run, and the source of its clip.
    target
        Where it is stored.
    unwritten
        Why that is not the run's own folder.
    """
    task.check_owner()
    context, host = task.context, urlsplit(task.dialect.addresses["api"]).hostname
    try:
        facts = await download(
            context.http,
            source.link,
            target,
            trusted_host=host,
            largest=context.largest_clip,
            key=task.own_key() if source.own else None,
            on_progress=task.check_after_a_gap,
        )
    except LinkGone:
        return _Failure(_link_gone(), True, task.timings.costly_retry_s)
    except Unsent as error:
        return _Failure(_broken_off(error))
    except Lost as error:
        return _Failure(_broken_off(error), longest_wait_s=task.timings.costly_retry_s)
    except ClipTooLarge as error:
        _undownloaded(task, error)
        raise NeedsUser from None
    except ClipError as error:
        return _Failure(error, longest_wait_s=task.timings.costly_retry_s)
    except DiskError as error:
        return _Failure(error)
    await _completed(task, facts, target, unwritten)
    return None


async def _kept(target: Target) -> str:
    """Return a text about data kept from downloads that could not be verified; empty if none."""
    try:
        exists = await target.disk.run(target.folder, target.unchecked.is_file)
    except OSError:
        return ""
    return f" The last data received is in {target.unchecked.name}." if exists else ""


async def _completed(
    task: RunTask, facts: ClipFacts, target: Target, unwritten: HailuoError | None = None
) -> None:
    name = clip_name(target.stem, facts.suffix)
    problem = None
    if unwritten is not None:
        task.check_owner()
        # First, so that the process that continues after a crash finds the clip.
        task.log.relocate(target.run_id, target.folder, was=task.row.folder)
    if target.folder == saved_clips(task.log):
        problem = _saved_elsewhere(target, unwritten)
    # A deleted clip that was downloaded again is no longer deleted.
    task.move(State.COMPLETED, problem, clip={**facts.as_clip(name), "deleted": None})
    await task.write_sidecar()


async def _ask_for_it(
    task: RunTask, ways: ClipSources, since: Stopwatch, failures: int, timing: DurationEstimate
) -> Source | None:
    """Ask the provider where the clip is."""
    wire, dialect = task.row.record.wire, task.dialect
    # The author of an imported record chose its answers.
    status = None if task.row.imported else task.row.record.job.answers.get("status")
    result = dialect.result(task.job_id, wire, status)
    call = result or dialect.status(task.job_id, wire)
    wanted = task.wanted(Purpose.RESULT, timing, failures=failures)
    try:
        news = await task.ask(lambda _scarce: call, since, wanted)
        if result is None and news and news.state == "completed" and not news.link and news.reply:
            # Only now is the file's id known, if the link needs it.
            result = dialect.result(task.job_id, wire, news.reply.table)
            if result is not None:
                call = result
                news = await task.ask(lambda _scarce: call, since, wanted)
    except JobForgotten:
        ways.job_answered()
        return None
    if news is None:
        return None
    if news.state == "failed":
        if task.row.state is State.UNDOWNLOADED:
            task.move(State.DOWNLOADING)
        task.record_news(State.FAILED, "result", news)
        await task.write_sidecar()
        raise NeedsUser
    if news.in_body:
        return Source(call.url, own=True)
    if news.link is None:
        ways.job_answered("it has no link")
        if failures >= 2:
            _undownloaded(task, _no_link(task, news))
        return None
    if task.row.state is State.DOWNLOADING:
        task.record_news(State.DOWNLOADING, "result", news)
    ways.job_answered()
    return Source(news.link)


def _undownloaded(task: RunTask, problem: HailuoError, *, verbatim: bool = False) -> None:
    if task.row.state is State.DOWNLOADING:
        task.move(State.UNDOWNLOADED, problem)
    else:
        task.set_problem(problem, verbatim=verbatim)


def _saved_elsewhere(target: Target, unwritten: HailuoError | None) -> DiskError:
    why = f"{unwritten.what} " if unwritten else ""
    return DiskError(
        f"{why}The clip was saved next to the run log, in {target.folder.name!r}.",
        money="It is paid for and complete.",
        todo="Move it where you want it, then run 'jupyter hailuo relink FOLDER'.",
    )


def _link_gone() -> ClipError:
    return ClipError(
        "The download link has expired.",
        money="The clip is paid for.",
        todo="A new link is requested automatically.",
    )


def _broken_off(error: Exception) -> ClipError:
    return ClipError(
        f"The clip could not be downloaded ({error}).",
        money="The clip is paid for; the provider keeps it for a while.",
        todo="Retrying automatically.",
    )


def _no_link(task: RunTask, news: News) -> ProviderDown:
    shown = news.reply.shown() if news.reply else ""
    return ProviderDown(
        f"{task.provider.title} reports the clip as done, but without a link: {shown}",
        money=PAID_AND_KEPT,
        todo="Retrying automatically.",
    )


def _given_up(
    task: RunTask, passed: float, problem: HailuoError | None, kept: str, ways: ClipSources
) -> ClipError:
    why = f" The last attempt failed: {problem.what}" if problem else ""
    return ClipError(
        f"The download failed for {passed / 60:.0f} minutes, longer than {task.provider.title} keeps clips."
        f"{why}{ways.words}",
        money=f"You were charged; the clip may still be there.{kept}",
        todo="Run '%hailuo resume' to try again, or check the provider's history.",
    )
