"""Send a run: frames first, then the one paid call, which is made once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn
from urllib.parse import urlsplit

from hailuo_jupyter.engine import resend, submit_outcome
from hailuo_jupyter.engine.clock import back_off
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.engine.rate_limiter import Permit, Plan, RateLimiter
from hailuo_jupyter.engine.request_queue import Purpose
from hailuo_jupyter.engine.run_task import NeedsUser, RunTask
from hailuo_jupyter.errors import (
    AnswerLost,
    DiskError,
    HailuoError,
    ProviderDown,
    ProviderError,
    RateLimited,
    RunLogError,
)
from hailuo_jupyter.providers.base import NOTHING_BOUGHT, Reply
from hailuo_jupyter.providers.http import Lost, Unsent
from hailuo_jupyter.providers.named_jobs import named_job
from hailuo_jupyter.record import recorded_body
from hailuo_jupyter.request import Request
from hailuo_jupyter.request.frames import Frame
from hailuo_jupyter.states import State

#: A submit that the provider defers (429, 503 with Retry-After) is given up after this many seconds in
#: which it has accepted nothing from the account.
_OFFERED_FOR = 300.0

#: Attempts of a submit or an upload whose connection fails: about a second in total.
_CONNECT_TRIES = 3


async def submit(task: RunTask, request: Request, timing: DurationEstimate) -> None:
    """Submit a prepared run.

    It ends as ``submitted``, ``rejected`` or ``unconfirmed``, or parked as ``prepared``. The call is
    repeated only after an error or an answer which proves that nothing arrived.

    Parameters
    ----------
    task, request
        The run, and its request.
    timing
        The expected duration of such runs.

    Raises
    ------
    NeedsUser
        If it could not be sent; nothing was bought.
    OwnershipLost
        If another process took the run.
    """
    frames = await _frame_values(task, request)
    limiter, clock = task.limiter, task.clock
    unsent, unavailable_since = 0, math.inf
    lost: HailuoError | None = None
    while True:
        attempt = await _attempt(task, request, frames, timing)
        if attempt.problem is None or await _named_job(task, attempt, timing):
            await task.write_sidecar()
            return
        if lost is not None or resend.is_lost(task, attempt.problem):
            lost = lost or attempt.problem
            if await resend.is_found(task, timing):
                await task.write_sidecar()
                return
            if resend.proves_nothing(attempt.problem) and await resend.may_repeat(task):
                attempt.teach(limiter)
                continue
            # What a repeat is refused for says nothing of the first one.
            attempt.problem = lost
        reply, problem = attempt.reply, attempt.problem
        await _record_outcome(task, problem)
        if task.row.state is not State.PREPARED:
            return
        if reply is None:
            unsent += 1
            if unsent >= _CONNECT_TRIES:
                _give_up(task, problem)
            await clock.sleep(back_off(unsent, first=0.2))
            continue
        attempt.teach(limiter)
        put_off_for = attempt.permit.refused_for
        if reply.status == 503:
            unavailable_since = min(unavailable_since, clock.monotonic())
            put_off_for += clock.monotonic() - unavailable_since
        if put_off_for >= _OFFERED_FOR:
            _give_up(task, problem)


@dataclass
class _Attempt:
    """The outcome of one paid call.

    ``reply`` is its whole answer, and ``part`` as much of it as arrived; without a ``problem`` the job was
    accepted.
    """

    plan: Plan
    permit: Permit
    reply: Reply | None = None
    part: Reply | None = None
    problem: HailuoError | None = None
    taught: bool = False

    def teach(self, limiter: RateLimiter) -> None:
        """Learn the rate limit from the reply, once."""
        if self.reply is not None and not self.taught:
            self.taught = True
            limiter.answered(self.plan, self.permit, self.reply)


async def _attempt(
    task: RunTask, request: Request, frames: dict[str, str], timing: DurationEstimate
) -> _Attempt:
    """Make the paid call, and record its answer if the job was accepted."""
    limiter, plan = task.limiter, task.plan()
    async with limiter.acquire(plan, task.wanted(Purpose.SUBMIT, timing)) as permit:
        attempt = _Attempt(plan, permit)
        call = task.dialect.submit(request, frames, task.row.record.job.client_request_id)
        key, account = task.key()  # if it is no longer available, nothing was sent
        task.move(
            State.SUBMITTING,
            sent_by=account,
            endpoint=call.url,
            body=recorded_body(call.body or {}, request, frames),
        )
        try:
            attempt.reply = attempt.part = await task.send(call, key, fresh=True)
        except Unsent as error:
            attempt.problem = _unreachable(task, error)
        except Lost as error:
            attempt.problem, attempt.part = _lost(task, error), error.part
    if attempt.reply is None:
        return attempt
    try:
        accepted = task.dialect.accepted(attempt.reply)
    except ProviderError as error:
        attempt.problem = error
    else:
        await submit_outcome.record_accepted(
            task, accepted.job_id, accepted.answer, cost_usd=accepted.cost_usd
        )
        attempt.teach(limiter)
    return attempt


async def _named_job(task: RunTask, attempt: _Attempt, timing: DurationEstimate) -> bool:
    """Ask about a job that the answer named without accepting it.

    If the provider's answer is not clear, the run is unconfirmed. A clear refusal counts only if the
    provider does not know the job.

    Returns
    -------
    bool
        Whether the provider knows it; if so, that is recorded.
    """
    part, problem = attempt.part, attempt.problem
    job_id = None if part is None else named_job(task.dialect, part)
    if part is None or problem is None or job_id is None or _belongs_to_other_run(task, job_id):
        return False
    await submit_outcome.record_hint(task, job_id, part.kept)
    attempt.teach(task.limiter)
    known, reply = await submit_outcome.ask_about(task, job_id, timing)
    if known and reply is not None:
        await submit_outcome.record_accepted(task, job_id, reply.kept, accepted_at=task.sent_at())
        return True
    refused = 400 <= part.status < 500 and not isinstance(problem, AnswerLost)
    if known is None or not refused:
        attempt.problem = submit_outcome.unconfirmed(
            problem.what, task.provider.title, job_id, known
        )
    return False


async def _record_outcome(task: RunTask, problem: HailuoError) -> None:
    """Record the outcome of a call that did not buy: unconfirmed, rejected, or to be sent again."""
    if isinstance(problem, AnswerLost):
        await submit_outcome.commit_surely(task, partial(task.move, State.UNCONFIRMED, problem))
        await task.write_sidecar()
        return
    forget: dict[str, Any] = {"job": {"hint": None}} if task.row.record.job.hint else {}
    again = isinstance(problem, RateLimited | ProviderDown)
    state = State.PREPARED if again else State.REJECTED
    await submit_outcome.commit_surely(task, partial(task.move, state, problem, **forget))


def _belongs_to_other_run(task: RunTask, job_id: str) -> bool:
    """Return whether an id in an answer is known as that of another run's job."""
    try:
        return bool(task.log.known_jobs(task.provider.name, [job_id]))
    except (RunLogError, DiskError):
        return False  # the provider's answer must be recorded even if the log fails now


async def _frame_values(task: RunTask, request: Request) -> dict[str, str]:
    on_wire: dict[str, str] = {}
    for role, frame in (("first", request.first_frame), ("last", request.last_frame)):
        if frame is None:
            continue
        if frame.url is not None:
            on_wire[role] = frame.url
        elif task.provider.frames_as == "upload":
            on_wire[role] = await _upload(task, frame)
        else:
            on_wire[role] = frame.data_uri()
    return on_wire


async def _upload(task: RunTask, frame: Frame) -> str:
    """Upload a local frame to the provider; that is free, so it may be repeated."""
    if task.row.state is State.PREPARED:
        task.move(State.UPLOADING)
    attempt = 0
    while True:
        call = task.dialect.upload(frame)
        if call is None:
            raise ValueError(f"according to the catalogue {task.provider.name} accepts uploads")
        attempt += 1
        wait = back_off(attempt, first=0.4)
        problem: HailuoError
        try:
            plan = task.plan().of("storage")
            async with task.limiter.acquire(plan) as permit:
                reply = await task.call(call)
                task.limiter.answered(plan, permit, reply)
            return await _stored(task, frame, reply)
        except (Unsent, Lost) as error:
            problem = _unreachable(task, error)
        except RateLimited as error:
            problem = error
            if permit.refused_for < _OFFERED_FOR:
                attempt -= 1
                continue
        except ProviderDown as error:
            problem = error
        except ProviderError as error:
            task.move(State.REJECTED, error)
            raise NeedsUser from None
        if attempt == _CONNECT_TRIES:
            task.move(State.PREPARED, problem)
            _give_up(task, problem)
        await task.clock.sleep(wait)


async def _stored(task: RunTask, frame: Frame, answer: Reply) -> str:
    """Return a frame's address, and send its bytes, without a key, to where the answer may ask for them."""
    link, content = task.dialect.uploaded(answer), task.dialect.upload_content(answer, frame)
    if content is None:
        return link
    own_host = urlsplit(task.dialect.addresses["storage"]).hostname
    reply = await task.context.http.send_to_link(content, trusted_host=own_host)
    if not reply.ok:
        raise ProviderDown(
            f"{task.provider.title} did not store the frame ({reply.status}).",
            money=NOTHING_BOUGHT,
            todo="Rerun the cell, or pass the image as a URL.",
        )
    return link


def _give_up(task: RunTask, problem: HailuoError) -> NoReturn:
    task.pause_for_user(
        type(problem)(problem.what, money=NOTHING_BOUGHT, todo="Rerun the cell to send it.")
    )


def _unreachable(task: RunTask, error: Exception) -> ProviderDown:
    return ProviderDown(
        f"Can't reach {task.provider.title} ({error}).",
        money=NOTHING_BOUGHT,
        todo="Check the network, then rerun the cell.",
    )


def _lost(task: RunTask, error: Exception) -> AnswerLost:
    return AnswerLost(
        f"The request was sent to {task.provider.title}, but no response came back ({error}).",
        money="You may have been charged.",
        todo=_how_to_settle(task),
    )


def _how_to_settle(task: RunTask) -> str:
    """Return what to do about a lost answer: mostly to wait, since a history is read without the user."""
    if task.context.asks_history and (history := task.dialect.history_title):
        title = task.provider.title
        return f"Wait: {title}'s {history} is checked automatically. --new buys another clip."
    return "Check the provider's request history before resending with --new."
