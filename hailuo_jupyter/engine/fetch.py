"""Fetching a finished clip: again and again while the provider keeps it, since it is paid for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hailuo_jupyter.engine.download import LinkGone, download
from hailuo_jupyter.engine.hand import Hand, Parked
from hailuo_jupyter.engine.pace import Stopwatch, back_off
from hailuo_jupyter.engine.watch import GRACE_S, LAST_TRIES
from hailuo_jupyter.errors import (
    ClipError,
    ClipTooLarge,
    DiskError,
    HailuoError,
    JobExpired,
    ProviderDown,
)
from hailuo_jupyter.media import ClipFacts, examine
from hailuo_jupyter.providers.base import PAID_AND_KEPT
from hailuo_jupyter.providers.http import Lost, Unsent
from hailuo_jupyter.states import State

#: Longest wait between two tries in seconds, where a try costs next to nothing, and where it may
#: bring a whole clip's bytes in vain. `%hailuo resume` tries at once.
_FREE_MOST_S, _COSTLY_MOST_S = 30.0, 300.0


async def fetch(hand: Hand, link: str | None) -> None:
    """Bring the clip to the disk, checked, with its record beside it.

    Parameters
    ----------
    hand
        The run; it is in ``downloading`` or ``undownloaded``.
    link
        The clip's link where it is known; else the provider is asked.

    Raises
    ------
    Parked
        If only the person can go on, or the provider has forgotten the clip: it says so, or gives
        links that are dead. Nothing else proves that, so nothing else ends the run.
    Overtaken
        If another process took the run.
    """
    since, attempt = hand.since_submit(), 0
    target = hand.row.folder / f"{hand.row.run_id}.mp4"
    # A killed process may have put the clip in its place without having told the log.
    if target.is_file():
        try:
            await _completed(hand, await asyncio.to_thread(examine, target), target.name)
        except ClipError:
            pass  # not the whole clip: fetched below
        else:
            return
    while True:
        failure = _Failure(None)
        if link is None:
            link = await _link(hand, since, attempt)
        if link is not None:
            found = await _try(hand, link, target)
            if found is None:
                return
            failure = found
        problem = failure.problem
        attempt += 1
        if problem and (attempt > 1 or isinstance(problem, DiskError)):
            _undownloaded(hand, problem)
        if failure.gone or (attempt > 1 and not isinstance(problem, DiskError)):
            link = None  # it may be the link itself that is wrong
        passed = since.passed()
        # Never at the first failure: a laptop may just have woken, its network not yet.
        if passed > hand.provider.retention_s + GRACE_S and attempt >= LAST_TRIES:
            if failure.gone:
                await hand.expire(_expired(hand, problem))
            _undownloaded(hand, _given_up(hand, passed, problem))
            raise Parked
        await hand.rest(back_off(attempt, first=0.5, most=failure.longest_wait_s))


@dataclass(frozen=True)
class _Failure:
    """Why a try brought no clip.

    Parameters
    ----------
    problem
        None where the provider told no link, which is written down by then.
    gone
        The link has died.
    longest_wait_s
        Seconds until the next try, at most.
    """

    problem: HailuoError | None
    gone: bool = False
    longest_wait_s: float = _FREE_MOST_S


async def _try(hand: Hand, link: str, target: Path) -> _Failure | None:
    """Fetch the clip once; None where that is done."""
    bench, host = hand.bench, urlsplit(hand.dialect.addresses["api"]).hostname
    try:
        facts = await download(
            bench.http, link, target, trusted_host=host, largest=bench.largest_clip
        )
    except LinkGone:
        return _Failure(_link_gone(), True, _COSTLY_MOST_S)
    except Unsent as error:
        return _Failure(_broken_off(error))
    except Lost as error:
        return _Failure(_broken_off(error), longest_wait_s=_COSTLY_MOST_S)
    except ClipTooLarge as error:
        _undownloaded(hand, error)
        raise Parked from None
    except ClipError as error:
        return _Failure(error, longest_wait_s=_COSTLY_MOST_S)
    except DiskError as error:
        return _Failure(error)
    await _completed(hand, facts, target.name)
    return None


async def _completed(hand: Hand, facts: ClipFacts, name: str) -> None:
    # A clip that was deleted once and is fetched again is there again.
    hand.move(State.COMPLETED, clip={**facts.as_clip(name), "deleted": None})
    await hand.write_sidecar()


async def _link(hand: Hand, since: Stopwatch, failures: int) -> str | None:
    """Ask the provider for the clip's link."""
    wire = hand.row.record.wire
    call = hand.dialect.result(hand.job_id, wire) or hand.dialect.status(hand.job_id, wire)
    news = await hand.ask(call, since, failures)
    if news is None:
        return None
    if news.state == "failed":
        if hand.row.state is State.UNDOWNLOADED:
            hand.move(State.DOWNLOADING)
        hand.learned(State.FAILED, "result", news)
        await hand.write_sidecar()
        raise Parked
    if news.link is None and failures >= 2:
        _undownloaded(hand, _no_link(hand))
    elif news.link is not None and hand.row.state is State.DOWNLOADING:
        hand.learned(State.DOWNLOADING, "result", news)
    return news.link


def _undownloaded(hand: Hand, problem: HailuoError) -> None:
    if hand.row.state is State.DOWNLOADING:
        hand.move(State.UNDOWNLOADED, problem)
    else:
        hand.note(problem)


def _link_gone() -> ClipError:
    return ClipError(
        "The clip's link has died.",
        money="The clip is paid for.",
        todo="The provider is asked for a new one by itself.",
    )


def _broken_off(error: Exception) -> ClipError:
    return ClipError(
        f"The clip could not be fetched ({error}).",
        money="The clip is paid for and stays at the provider for a while.",
        todo="It is fetched again by itself.",
    )


def _no_link(hand: Hand) -> ProviderDown:
    return ProviderDown(
        f"{hand.provider.title} says that the clip is done, but gives no link to it.",
        money=PAID_AND_KEPT,
        todo="It is asked again by itself.",
    )


def _given_up(hand: Hand, passed: float, problem: HailuoError | None) -> ClipError:
    why = f" The last try ended so: {problem.what}" if problem else ""
    return ClipError(
        f"The clip could not be fetched for {passed / 60:.0f} minutes, which is longer than "
        f"{hand.provider.title} keeps it.{why}",
        money="It was paid for, and may still be there.",
        todo="Run '%hailuo resume' to try once more, or look at the provider's history for the clip.",
    )


def _expired(hand: Hand, problem: HailuoError | None) -> JobExpired:
    why = f" The last try ended so: {problem.what}" if problem else ""
    return JobExpired(
        f"The clip could not be fetched while {hand.provider.title} kept it.{why}",
        money="It was paid for.",
        todo="Look at the provider's history for the clip; --new buys another one.",
    )
