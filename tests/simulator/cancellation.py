"""Jobs that are cancelled, at the providers that can."""

from __future__ import annotations

from hailuo_jupyter.simulator.state import Job
from tests.simulator.state import State

_CANCELLED = "cancelled"


def cancel(job: Job, state: State) -> bool:
    """Cancel a job that has not ended; return whether it is cancelled now."""
    now = state.now()
    if not job.phase(now, min_polls=state.options.min_polls).ended:
        job.failure, job.ended_at = _CANCELLED, now
    return was_cancelled(job)


def was_cancelled(job: Job) -> bool:
    return job.failure == _CANCELLED
