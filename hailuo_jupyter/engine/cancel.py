"""Cancel a run's job at a provider that can stop one."""

from __future__ import annotations

import asyncio

from hailuo_jupyter.engine.job_news import CANCEL
from hailuo_jupyter.engine.run_task import RunTask
from hailuo_jupyter.errors import CannotCancel, ProviderDown
from hailuo_jupyter.providers.base import PAID_AND_FETCHED, Call, Reply
from hailuo_jupyter.providers.http import Lost, Unsent

#: Seconds to wait for the answer to a cancellation.
_ANSWER_S = 20.0


async def cancel_job(task: RunTask) -> None:
    """Ask the provider to cancel a job. The next poll learns what has become of it.

    Nothing is recorded before the provider's answer: a cancellation is free and may be repeated.

    Parameters
    ----------
    task
        The run; its job is known.

    Raises
    ------
    CannotCancel
        If the provider cannot cancel it, or it has ended.
    ProviderError
        If the provider did not accept the cancellation; the job continues.
    OwnershipLost
        If another process owns the run.
    OtherAccount, KeyMissing, SettingsError
        If the run's key is no longer available.
    """
    task.check_owner()
    title = task.provider.title
    call = task.dialect.cancel(task.job_id, task.row.record.wire)
    if call is None:
        raise CannotCancel(f"{title} can't cancel a job.", money=PAID_AND_FETCHED)
    try:
        async with asyncio.timeout(_ANSWER_S):
            reply = await _send(task, call)
    except (Unsent, Lost, TimeoutError) as error:
        why = str(error) or f"no answer within {_ANSWER_S:g} s"
        raise ProviderDown(
            f"{title} could not be asked to cancel the job ({why}).",
            money="The job continues, and its clip is paid for.",
            todo="Cancel it again.",
        ) from None
    started = task.dialect.read_cancel(reply)
    answer = {"started": started, "answer": reply.kept}
    task.commit(
        lambda record: record.changed(job={"answers": {**record.job.answers, CANCEL: answer}}),
        {task.row.state},
    )
    task.wake()


async def _send(task: RunTask, call: Call) -> Reply:
    # Not in the queue of polls and submits: what is cancelled late may have to be paid.
    plan = task.plan().of("cancel")
    async with task.limiter.acquire(plan) as permit:
        reply = await task.send(call, task.own_key())
        task.limiter.answered(plan, permit, reply)
    return reply
