"""Sending a run: frames first, then the one paid call, which is made once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import NoReturn

from hailuo_jupyter.engine.body import as_recorded
from hailuo_jupyter.engine.hand import Hand, Parked
from hailuo_jupyter.engine.pace import Stopwatch, back_off
from hailuo_jupyter.errors import (
    AnswerLost,
    DiskError,
    HailuoError,
    ProviderDown,
    ProviderError,
    RateLimited,
    RunLogError,
)
from hailuo_jupyter.frame import Frame
from hailuo_jupyter.providers.base import NOTHING_BOUGHT, Reply
from hailuo_jupyter.providers.http import Lost, Unsent
from hailuo_jupyter.request import Request
from hailuo_jupyter.states import State

logger = logging.getLogger(__name__)

#: A submit that the provider puts off (429, 503 with Retry-After) is offered again for so long, in s.
_OFFERED_FOR = 300.0

#: Tries of a submit or an upload whose connection cannot be made: about a second in all.
_CONNECT_TRIES = 3


async def send(hand: Hand, request: Request) -> None:
    """Bring a prepared run to the provider.

    It ends as ``submitted``, ``rejected`` or ``unconfirmed``, or parked as ``prepared``. The call is
    repeated only after an error or an answer which proves that nothing arrived.

    Raises
    ------
    Parked
        If it could not be sent; nothing was bought.
    Overtaken
        If another process took the run.
    """
    frames = await _on_the_wire(hand, request)
    offered = Stopwatch(hand.bench.clock, hand.bench.clock.wall())
    attempt = 0
    while True:
        await hand.bench.pace.turn(hand.provider)
        call = hand.dialect.submit(request, frames, hand.row.record.job.client_request_id)
        key = hand.key_headers()  # where it is gone by now, nothing was sent
        hand.move(
            State.SUBMITTING,
            endpoint=call.url,
            body=as_recorded(call.body or {}, request, frames),
        )
        reply: Reply | None = None
        problem: HailuoError
        try:
            reply = await hand.bench.http.send(call, key, fresh=True)
            accepted = hand.dialect.accepted(reply)
        except Unsent as error:
            problem = _unreachable(hand, error)
        except (RateLimited, ProviderDown) as error:
            problem = error
        except (Lost, AnswerLost) as error:
            lost = error if isinstance(error, AnswerLost) else _lost(hand, error)
            await _written_down(hand, partial(hand.move, State.UNCONFIRMED, lost))
            await hand.write_sidecar()
            return
        except ProviderError as error:
            await _written_down(hand, partial(hand.move, State.REJECTED, error))
            return
        else:
            await _bought(hand, accepted.job_id, accepted.answer)
            await hand.write_sidecar()
            return
        # It surely did not arrive: that is in the log before any waiting.
        await _written_down(hand, partial(hand.move, State.PREPARED, problem))
        attempt += 1
        if reply is not None:
            wait = hand.bench.pace.refused(hand.provider, reply.retry_after, attempt)
            last = offered.passed() + wait > _OFFERED_FOR
        else:
            wait, last = back_off(attempt, first=0.2), attempt >= _CONNECT_TRIES
        if last:
            _give_up(hand, problem)
        await hand.bench.clock.sleep(wait)


async def _bought(hand: Hand, job_id: str, answer: object) -> None:
    """Commit the provider's id, before anything else happens.

    This is written even if another process meanwhile took the run for lost: it is paid for.
    """
    job = {"id": job_id, "answers": {"submit": answer}}
    at = hand.bench.clock.wall()
    await _written_down(
        hand,
        lambda: hand.commit(
            lambda record: record.moved(State.SUBMITTED, at=at, problem=None, job=job),
            {State.SUBMITTING, State.UNCONFIRMED},
        ),
    )


async def _written_down(hand: Hand, commit: Callable[[], None]) -> None:
    """Commit what became of a call.

    Where the log takes nothing (a full disk, another process that keeps it to itself) it is held and
    offered again for as long as it needs: nobody else knows it.
    """
    for attempt in count(1):
        try:
            commit()
        except (RunLogError, DiskError):
            logger.warning("run %s is answered, and waits for the run log", hand.row.run_id)
            await hand.bench.clock.sleep(back_off(attempt))
        else:
            return


async def _on_the_wire(hand: Hand, request: Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for role, frame in (("first", request.first_frame), ("last", request.last_frame)):
        if frame is None:
            continue
        if frame.url is not None:
            found[role] = frame.url
        elif hand.provider.frames_as == "upload":
            found[role] = await _upload(hand, frame)
        else:
            found[role] = frame.data_uri()
    return found


async def _upload(hand: Hand, frame: Frame) -> str:
    """Store a local frame at the provider; that is free, so it may be repeated."""
    if hand.row.state is State.PREPARED:
        hand.move(State.UPLOADING)
    attempt = 0
    while True:
        call = hand.dialect.upload(frame)
        if call is None:
            raise ValueError(f"the catalogue says that {hand.provider.name} takes uploads")
        attempt += 1
        await hand.bench.pace.turn(hand.provider)
        reply: Reply | None = None
        wait = back_off(attempt, first=0.4)
        problem: HailuoError
        try:
            reply = await hand.call(call)
            return hand.dialect.uploaded(reply)
        except (Unsent, Lost) as error:
            problem = _unreachable(hand, error)
        except RateLimited as error:
            problem = error
            wait = hand.bench.pace.refused(
                hand.provider, reply.retry_after if reply else None, attempt
            )
        except ProviderDown as error:
            problem = error
        except ProviderError as error:
            hand.move(State.REJECTED, error)
            raise Parked from None
        if attempt == _CONNECT_TRIES:
            hand.move(State.PREPARED, problem)
            _give_up(hand, problem)
        await hand.bench.clock.sleep(wait)


def _give_up(hand: Hand, problem: HailuoError) -> NoReturn:
    hand.park(
        type(problem)(problem.what, money=NOTHING_BOUGHT, todo="Run the cell again to send it.")
    )


def _unreachable(hand: Hand, error: Exception) -> ProviderDown:
    return ProviderDown(
        f"{hand.provider.title} cannot be reached ({error}).",
        money=NOTHING_BOUGHT,
        todo="Check the network, then run the cell again.",
    )


def _lost(hand: Hand, error: Exception) -> AnswerLost:
    return AnswerLost(
        f"The request went out to {hand.provider.title}, but no answer came back ({error}).",
        money="The clip may have been bought.",
        todo="Look at the provider's request history before you send it again with --new.",
    )
