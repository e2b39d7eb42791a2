"""The life of one run: submit, poll and download, from the state in the log."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from itertools import count

from hailuo_jupyter.engine.clock import back_off
from hailuo_jupyter.engine.fetch import fetch
from hailuo_jupyter.engine.poll import poll
from hailuo_jupyter.engine.run_task import NeedsUser, OtherAccount, OwnershipLost, RunTask
from hailuo_jupyter.engine.submit import submit
from hailuo_jupyter.engine.submit_outcome import confirm_hint
from hailuo_jupyter.errors import ClipError, DiskError, HailuoError, NotSent, RunLogError
from hailuo_jupyter.providers.base import NOTHING_BOUGHT
from hailuo_jupyter.request import Request
from hailuo_jupyter.states import AT_PROVIDER, RESUMABLE, SETTLED, State

logger = logging.getLogger(__name__)

#: Longest wait, in seconds, before a run is tried again after an unexpected error.
_LONGEST_WAIT_S = 60.0


async def run_to_end(task: RunTask, request: Request | None) -> None:
    """Process a run until it has finished, waits for the user, or another process owns it.

    Parameters
    ----------
    task
        The run.
    request
        The request; needed only before it is sent.

    Raises
    ------
    OtherAccount
        If the key has changed. The run was released.
    """
    try:
        for attempt in count(1):
            try:
                await _stages(task, request)
            except (RunLogError, DiskError):
                # The log cannot be written now. Its last state is where to continue, and a bought run must
                # not be given up for a full disk that may soon have space.
                logger.warning("run %s waits for the run log", task.row.run_id, exc_info=True)
                await task.clock.sleep(back_off(attempt))
            except (NeedsUser, OwnershipLost, OtherAccount, HailuoError):
                raise
            except Exception as error:
                # A link that no library can parse, no more threads, no memory: whatever it is, the provider
                # did not say that the job failed, so a bought run is retried while the clip may exist.
                if not _is_retried(task, attempt):
                    raise
                logger.warning("run %s is tried again", task.row.run_id, exc_info=True)
                _record_problem(task, failed_attempt(error))
                await task.sleep(back_off(attempt, most=_LONGEST_WAIT_S))
            else:
                break
    except (NeedsUser, OwnershipLost):
        pass
    except (asyncio.CancelledError, OtherAccount):
        if task.row.state in {State.PREPARED, State.UPLOADING}:
            with suppress(OwnershipLost):
                task.move(State.PREPARED, cancelled())
        raise
    except HailuoError as error:
        _note(task, error)
    except Exception as error:
        # A bug in this package must not stop the engine, and the run stays resumable.
        logger.exception("run %s stopped", task.row.run_id)
        _note(task, internal_error(error))
    finally:
        task.release()


def _note(task: RunTask, problem: HailuoError) -> None:
    with suppress(OwnershipLost):
        task.set_problem(problem)


def _is_retried(task: RunTask, attempt: int) -> bool:
    """Return whether a run is tried again after an unexpected error."""
    if task.row.state not in RESUMABLE:
        return task.row.state in SETTLED and attempt < task.timings.last_attempts
    return not task.is_past_retention() or attempt < task.timings.last_attempts


def _record_problem(task: RunTask, problem: HailuoError) -> None:
    """Write in the record why an attempt failed; if that cannot be written, the next try notes it."""
    try:
        if task.row.state is State.DOWNLOADING:
            task.move(State.UNDOWNLOADED, problem)
        elif task.row.state in RESUMABLE:
            task.set_problem(problem)
    except OwnershipLost:
        raise
    except Exception:
        logger.warning("run %s: a failed try is not written down", task.row.run_id, exc_info=True)


async def _stages(task: RunTask, request: Request | None) -> None:
    if task.row.state in SETTLED:  # everything but its record next to the clip was done
        await task.write_sidecar()

    link: str | None = None
    if task.row.state is State.PREPARED and request is not None:
        await submit(task, request, task.estimate())
        if not task.is_owned and task.row.state in AT_PROVIDER:
            task.take_back()
    elif task.row.state is State.SUBMITTING:
        await confirm_hint(task, task.estimate())
    if task.row.state in AT_PROVIDER:
        link = await poll(task, task.estimate())
    if task.row.state in {State.DOWNLOADING, State.UNDOWNLOADED}:
        await fetch(task, link, task.estimate())


def cancelled() -> NotSent:
    """Return the error for a run that was cancelled, or whose engine ended, before it was sent."""
    return NotSent(
        "Cancelled before it was sent.",
        money=NOTHING_BOUGHT,
        todo="Rerun the cell to send it.",
    )


def failed_attempt(error: Exception) -> ClipError:
    """Return the error for an attempt at a bought run that failed unexpectedly."""
    return ClipError(
        f"Polling or downloading failed ({type(error).__name__}).",
        money="The clip is paid for; the provider keeps it for a while.",
        todo="Retrying automatically.",
    )


def internal_error(error: Exception) -> HailuoError:
    """Return the error for a bug in this package; the log has its traceback."""
    return HailuoError(
        f"Internal error in hailuo-jupyter ({type(error).__name__}).",
        money="Runs already bought stay in the run log.",
        todo="Run '%hailuo resume'. If it happens again, please report it.",
    )
