"""The outcome of a submit: commit it despite disk errors, and ask about a job that its answer named.

Some answers name a job without accepting it (an error of a gateway, a truncated answer). The id is
kept as a hint, and counts once the provider knows the job; asking is free.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine.clock import back_off
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.engine.job_news import submit_cost
from hailuo_jupyter.engine.request_queue import Purpose
from hailuo_jupyter.engine.run_task import RunTask
from hailuo_jupyter.errors import (
    AnswerLost,
    DiskError,
    HailuoError,
    KeyMissing,
    RunLogError,
    SettingsError,
)
from hailuo_jupyter.providers.base import Reply
from hailuo_jupyter.providers.http import Lost, Unsent
from hailuo_jupyter.providers.named_jobs import knows_job
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.paths import sidecar_name
from hailuo_jupyter.record.sidecar import read_file, read_sidecar, write_sidecar
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.runlog.accounts import Match
from hailuo_jupyter.states import State

logger = logging.getLogger(__name__)

#: States of a run whose answer is not in the log yet. Another process that considered this one dead has put
#: the run in the second; what the answer says is still the truth.
_UNANSWERED = {State.SUBMITTING, State.UNCONFIRMED}


#: What lets the log be written again, by whether the disk keeps it from that.
_UNBLOCK = {
    True: "Free some space for the run log",
    False: "End or resume the process that locks the run log, if there is one",
}


async def record_accepted(
    task: RunTask,
    job_id: str,
    answer: object,
    *,
    accepted_at: float | None = None,
    cost_usd: float | None = None,
) -> None:
    """Commit the provider's id, before anything else happens.

    This is stored even if another process meanwhile marked the run as lost: it is paid for.

    Parameters
    ----------
    task
        The run.
    job_id
        The provider's id.
    answer
        The stored part of the answer with the id.
    accepted_at
        When the provider accepted it, in seconds since 1970; now if None.
    cost_usd
        Its cost according to the answer.
    """
    accepted_at = task.clock.wall() if accepted_at is None else accepted_at

    def change(record: Record) -> Record:
        # An answer that named a job without accepting it was stored before.
        answers = {"submit": answer, **record.job.answers}
        job = {"id": job_id, "hint": None, "answers": answers}
        cost = submit_cost(record, task.provider, cost_usd)
        return record.moved(State.SUBMITTED, at=accepted_at, problem=None, job=job, cost=cost)

    await commit_surely(
        task, lambda: task.commit(change, _UNANSWERED, only_mine=False), names_job=change
    )


async def record_hint(task: RunTask, hint: str, answer: object) -> None:
    """Commit an id from an answer that did not accept the job.

    Parameters
    ----------
    task, hint
        The run, and the id.
    answer
        The stored part of the answer.
    """

    def change(record: Record) -> Record:
        answers = {**record.job.answers, "submit": answer}
        return record.changed(job={"hint": hint, "answers": answers})

    await commit_surely(
        task, lambda: task.commit(change, _UNANSWERED, only_mine=False), names_job=change
    )


async def commit_surely(
    task: RunTask,
    commit: Callable[[], None],
    names_job: Callable[[Record], Record] | None = None,
) -> None:
    """Commit the outcome of a call.

    If the log cannot be written (a full disk, a lock of another process), the outcome is kept in memory and
    retried for as long as needed: no one else knows it.

    Parameters
    ----------
    task
        The run.
    commit
        Writes it to the log.
    names_job
        If the outcome names the provider's job: the record with it. Until the log has it, it is next to the
        clip, where the next process finds it (`hinted_job`), and shown to the person.
    """
    for attempt in count(1):
        try:
            commit()
        except (RunLogError, DiskError) as error:
            logger.warning("run %s has its response, and waits for the run log", task.row.run_id)
            if attempt == 1 and names_job is not None:
                await _write_to_sidecar(task, names_job(task.row.record), error)
            await task.clock.sleep(back_off(attempt))
        except (OSError, RuntimeError, MemoryError):
            # As for any log that cannot be written: no one else knows the answer.
            logger.warning("run %s has its response, and waits", task.row.run_id, exc_info=True)
            await task.clock.sleep(back_off(attempt))
        else:
            return


async def _write_to_sidecar(task: RunTask, record: Record, error: HailuoError) -> None:
    row, job_id = task.row, record.job.id or record.job.hint
    try:
        path = await asyncio.to_thread(write_sidecar, record, row.folder)
        where = f"It is saved in {row.folder.name}/{path.name} until then."
    except DiskError as unwritten:
        logger.warning("%s", unwritten)
        where = "Write down this id: it could not be saved next to the clip either."
    title = task.provider.title
    problem = type(error)(
        f"{title} started job {job_id}, but the run log could not save it ({error.what})",
        money=f"You were or may have been charged. {where}",
        todo=f"{_UNBLOCK[isinstance(error, DiskError)]}; the run continues automatically.",
    )
    logger.warning("run %s: %s", row.run_id, problem)
    shown = record.changed(problem=problem.as_problem())
    shown = shown.model_copy(
        update={"revision": record.revision}
    )  # the revision that the log will have
    task.context.publish(
        replace(
            row,
            state=shown.state,
            revision=shown.revision,
            job_id=shown.job.id,
            record_json=shown.to_json(),
        )
    )


def hinted_job(row: Row, log: RunLog, provider: Provider) -> str | None:
    """Return the job id that may belong to a run whose answer was lost; None if there is none.

    It is in the log, or in the record next to the clip if the log could not be written. That record may
    be forged: the id is only asked about, and counts once the provider knows it. Where our own id is the
    job's (`Provider.resend`), that is the one.

    Parameters
    ----------
    row, log
        The run, in `submitting` or `unconfirmed`, and the log it is in.
    provider
        Its provider.
    """
    record = row.record
    hint = record.job.hint
    if provider.resend is not None:
        hint = record.job.client_request_id
    if hint is None:
        path = row.folder / sidecar_name(record.file_stem)
        try:
            sidecar = read_sidecar(path, read_file(path))
        except (OSError, ValueError):
            return None
        same = (sidecar.fingerprint, sidecar.provider, sidecar.job.client_request_id) == (
            record.fingerprint,
            record.provider,
            record.job.client_request_id,
        )
        hint = sidecar.job.id or sidecar.job.hint if same else None
    if hint is None or log.known_jobs(row.provider, [hint]):
        return None  # another run has this job
    return hint


async def ask_about(
    task: RunTask, hint: str, timing: DurationEstimate
) -> tuple[bool | None, Reply | None]:
    """Ask up to three times within 10 s whether the provider knows a job.

    Parameters
    ----------
    task, timing
        The run, and the expected duration of such runs.
    hint
        The job's id.

    Returns
    -------
    known
        Whether the provider knows it; None if it could not be asked or gave no clear answer.
    reply
        Its last answer.
    """
    known: bool | None = None
    reply: Reply | None = None
    for seconds in task.timings.hint_looks_s:
        await task.sleep(seconds)
        try:
            plan = task.plan()
            wanted = task.wanted(Purpose.RESULT, timing)
            async with task.limiter.acquire(plan, wanted) as permit:
                header, account = task.key()
                if (match := task.match(account)) is Match.OTHER_ADDRESS:
                    return None, None
                call = task.dialect.status(hint, task.row.record.wire)
                reply = await task.send(call, header)
                task.limiter.answered(plan, permit, reply)
        except (Unsent, Lost, KeyMissing, SettingsError):
            known = None
            continue
        known = knows_job(task.dialect, reply)
        if known:
            task.prove(account)
            break
        if match is not Match.SAME:
            known = None  # another account's answer proves nothing
    return known, reply


async def confirm_hint(task: RunTask, timing: DurationEstimate) -> None:
    """Determine the outcome of a run whose process ended after an answer had named a job.

    Parameters
    ----------
    task, timing
        The run, in `submitting`, and the expected duration of such runs.
    """
    hint = hinted_job(task.row, task.log, task.provider)
    if hint is None:
        known = None
    else:
        known, reply = await ask_about(task, hint, timing)
        if known and reply is not None:
            await record_accepted(task, hint, reply.kept, accepted_at=task.sent_at())
            await task.write_sidecar()
            return
    what = "The kernel ended while the request was being sent."
    named = None if task.provider.resend is not None else hint
    problem = unconfirmed(what, task.provider.title, named, known)
    await commit_surely(task, lambda: task.move(State.UNCONFIRMED, problem))
    await task.write_sidecar()


def unconfirmed(what: str, title: str, hint: str | None, known: bool | None) -> AnswerLost:
    """Return the error for a run whose answer named a job that the provider does not confirm."""
    hint_words = ""
    if hint is not None:
        doubt = "does not show it yet" if known is False else "could not be checked"
        hint_words = f" The response named job {hint}; {title} {doubt}."
    return AnswerLost(
        what + hint_words,
        money="You may have been charged.",
        todo="The provider is checked automatically. Check the provider's request history before "
        "resending with --new.",
    )
