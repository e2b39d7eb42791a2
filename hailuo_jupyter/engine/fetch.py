"""Fetching a finished clip: again and again while the provider keeps it, since it is paid for."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from hailuo_jupyter.engine.download import LinkGone, download
from hailuo_jupyter.engine.hand import Hand, Parked
from hailuo_jupyter.engine.pace import Stopwatch, back_off
from hailuo_jupyter.engine.watch import GRACE_S
from hailuo_jupyter.errors import ClipError, DiskError, HailuoError, JobExpired, ProviderDown
from hailuo_jupyter.media import ClipFacts, examine
from hailuo_jupyter.providers.base import PAID_AND_KEPT
from hailuo_jupyter.providers.http import Lost, Unsent
from hailuo_jupyter.states import State


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
        If only the person can go on, or the provider has forgotten the clip.
    Overtaken
        If another process took the run.
    """
    since, attempt = hand.since_submit(), 0
    target = hand.row.folder / f"{hand.row.run_id}.mp4"
    host = urlsplit(hand.dialect.addresses["api"]).hostname
    # A killed process may have put the clip in its place without having told the log.
    if target.is_file():
        try:
            await _completed(hand, await asyncio.to_thread(examine, target), target.name)
        except ClipError:
            pass  # not the whole clip: fetched below
        else:
            return
    while True:
        problem: HailuoError | None = None
        try:
            if link is None:
                link = await _link(hand, since, attempt)
            if link is not None:
                facts = await download(hand.bench.http, link, target, trusted_host=host)
                await _completed(hand, facts, target.name)
                return
        except LinkGone:
            link, problem = None, _link_gone()
        except (Unsent, Lost) as error:
            problem = _broken_off(error)
        except (ClipError, DiskError) as error:
            problem = error
        attempt += 1
        if problem and (attempt > 1 or isinstance(problem, DiskError)):
            _undownloaded(hand, problem)
        if attempt > 1 and not isinstance(problem, DiskError):
            link = None  # it may be the link itself that is wrong
        if since.passed() > hand.provider.retention_s + GRACE_S:
            await hand.expire(_expired(hand, problem))
        await asyncio.sleep(back_off(attempt, first=0.5))


async def _completed(hand: Hand, facts: ClipFacts, name: str) -> None:
    hand.move(State.COMPLETED, clip=facts.as_clip(name))
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


def _expired(hand: Hand, problem: HailuoError | None) -> JobExpired:
    why = f" The last try ended so: {problem.what}" if problem else ""
    return JobExpired(
        f"The clip could not be fetched while {hand.provider.title} kept it.{why}",
        money="It was paid for.",
        todo="Look at the provider's history for the clip; --new buys another one.",
    )
