"""The life of one run: sent, watched, fetched, from wherever the log has it."""

from __future__ import annotations

import asyncio
import logging
from itertools import count

from hailuo_jupyter.engine.fetch import fetch
from hailuo_jupyter.engine.forecast import forecast
from hailuo_jupyter.engine.hand import Hand, Overtaken, Parked
from hailuo_jupyter.engine.pace import back_off
from hailuo_jupyter.engine.send import send
from hailuo_jupyter.engine.timing import Timing
from hailuo_jupyter.engine.watch import watch
from hailuo_jupyter.errors import DiskError, HailuoError, NotSent, RunLogError
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.providers.base import NOTHING_BOUGHT
from hailuo_jupyter.record import Record
from hailuo_jupyter.request import Request
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.states import AT_PROVIDER, State

logger = logging.getLogger(__name__)


async def live(hand: Hand, request: Request | None) -> None:
    """Go on with a run until it has ended, waits for the person, or somebody else has it.

    Parameters
    ----------
    hand
        The run.
    request
        What is asked for; needed only while nothing was sent.
    """
    try:
        for attempt in count(1):
            try:
                await _stages(hand, request)
            except (RunLogError, DiskError):
                # The log takes nothing just now. What it has last is where to go on, and what was
                # bought must not be given up for a full disk that somebody is about to empty.
                logger.warning("run %s waits for the run log", hand.row.run_id, exc_info=True)
                await hand.bench.clock.sleep(back_off(attempt))
            else:
                break
    except (Parked, Overtaken):
        pass
    except asyncio.CancelledError:
        if hand.row.state in {State.PREPARED, State.UPLOADING}:
            hand.move(State.PREPARED, cancelled())
        raise
    except HailuoError as error:
        hand.note(error)
    except Exception as error:
        # A defect of ours must not take the engine down, and the run stays resumable.
        logger.exception("run %s stopped", hand.row.run_id)
        hand.note(mistake(error))
    finally:
        hand.release()


async def _stages(hand: Hand, request: Request | None) -> None:
    link: str | None = None
    if hand.row.state is State.PREPARED and request is not None:
        await send(hand, request)
    if hand.row.state in AT_PROVIDER:
        link = await watch(hand, timing_of(hand.bench.log, hand.provider, hand.row.record))
    if hand.row.state in {State.DOWNLOADING, State.UNDOWNLOADED}:
        await fetch(hand, link)


def timing_of(log: RunLog, provider: Provider, record: Record) -> Timing:
    """Give how long such a run takes: the catalogue's prior, blended with what the log has seen."""
    options = record.request.options
    prior = provider.expected(options)
    return forecast(prior.median_s, prior.sigma, log.durations(provider.kind(options)))


def cancelled() -> NotSent:
    """Give the words for a run that was cancelled, or whose engine ended, before it was sent."""
    return NotSent(
        "Cancelled before anything was sent.",
        money=NOTHING_BOUGHT,
        todo="Run the cell again to send it.",
    )


def mistake(error: Exception) -> HailuoError:
    """Give the words for a defect of ours; the log has its traceback."""
    return HailuoError(
        f"hailuo-jupyter made a mistake ({type(error).__name__}).",
        money="What was bought stays in the run log.",
        todo="Run '%hailuo resume'; if it comes back, please report it.",
    )
