"""Repeat a submit whose answer was lost, at a provider that refuses a repeat under the same id.

Our own id of the attempt is in the log before the first send, and is the job's id there. So a lost answer is
resolved by asking about it; and if the provider shows nothing, by sending the same request under the same id:
it is either accepted now, or refused because it was accepted before. How long a provider remembers an id is
undocumented, so this is done within some minutes of the first send only (`Provider.resend`), with the same
account, and by the process that owns the run.
"""

from __future__ import annotations

from hailuo_jupyter.engine import submit_outcome
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.engine.run_task import RunTask
from hailuo_jupyter.errors import AnswerLost, HailuoError, ProviderDown, RateLimited
from hailuo_jupyter.runlog.accounts import Match

#: Seconds between two sends.
_PAUSE_S = 5.0


def is_lost(task: RunTask, problem: HailuoError | None) -> bool:
    """Return whether an answer was lost, at a provider where a submit may be repeated."""
    return task.provider.resend is not None and isinstance(problem, AnswerLost)


def proves_nothing(problem: HailuoError | None) -> bool:
    """Return whether a repeat said nothing about the first send, and may be tried once more."""
    return isinstance(problem, AnswerLost | RateLimited | ProviderDown)


async def is_found(task: RunTask, timing: DurationEstimate) -> bool:
    """Ask about the job by our own id; if the provider shows it, record that.

    Parameters
    ----------
    task, timing
        The run, and the expected duration of such runs.
    """
    our_id = task.row.record.job.client_request_id
    known, reply = await submit_outcome.ask_about(task, our_id, timing)
    if not known or reply is None:
        return False
    await submit_outcome.record_accepted(task, our_id, reply.kept, accepted_at=task.sent_at())
    return True


async def may_repeat(task: RunTask) -> bool:
    """Wait a little, and return whether the submit may be repeated then.

    Raises
    ------
    OwnershipLost
        If another process owns the run meanwhile.
    KeyMissing, SettingsError
        If the key is no longer available.
    """
    await task.clock.sleep(_PAUSE_S)
    rule = task.provider.resend
    if rule is None or task.clock.wall() - task.sent_at() >= rule.within_s:
        return False
    task.check_owner()
    return task.match(task.key()[1]) is Match.SAME
