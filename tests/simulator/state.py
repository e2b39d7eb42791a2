"""The state of the tests' simulator: the product's own, and what was asked of it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable

from hailuo_jupyter.simulator import state
from hailuo_jupyter.simulator.state import Job
from tests.simulator.faults import FaultPlan
from tests.simulator.ledger import Ledger, RequestEntry
from tests.simulator.limits import RateLimiter
from tests.simulator.options import SimulatorOptions


class State(state.State):
    """Adds faults, rate limits, accounts, and a list of all requests.

    Parameters
    ----------
    options : SimulatorOptions
        The choices made at the start.
    """

    options: SimulatorOptions

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.credit, self.history_delay = options.balance, options.history_delay
        self.faults = FaultPlan()
        #: The second port under another name: another host to every client.
        self.other_url = ""
        counting, burst = options.counting, options.burst
        self.limits = defaultdict(lambda: RateLimiter(None))
        self.limits |= {
            "segmind": RateLimiter(options.segmind_per_minute, counting, burst=burst),
            "aimlapi": RateLimiter(options.aimlapi_per_minute, counting, burst=burst),
            # Published: 200 requests per 60 s.
            "logs": RateLimiter(200),
        }
        #: Ids of the jobs that were cancelled, and of those among them that were still queued.
        self.cancelled: set[str] = set()
        self.dequeued: set[str] = set()
        self._requests: list[RequestEntry] = []
        self._recording = threading.Lock()

    def ledger(self) -> Ledger:
        """Return all accepted submits."""
        return Ledger.of(self.jobs(), self.now(), self.options.min_polls)

    def requests(self) -> list[RequestEntry]:
        """Return all requests so far, in the order in which they were answered."""
        with self._recording:
            return list(self._requests)

    def record(self, make: Callable[[int], RequestEntry]) -> None:
        """Note a request; the function gets its number."""
        with self._recording:
            self._requests.append(make(len(self._requests) + 1))

    def jobs(self, wire: str | None = None, key_hash: str | None = None) -> list[Job]:
        """Return jobs, oldest first, of one wire and, with separate accounts, one key."""
        jobs = super().jobs(wire, key_hash)
        if key_hash is None or not self.options.separate_accounts:
            return jobs
        return [job for job in jobs if job.key_hash == key_hash]

    def job(self, wire: str, job_id: str, key_hash: str | None = None) -> Job | None:
        """Return a job by its id, with separate accounts only to its own key."""
        job = super().job(wire, job_id, key_hash)
        alone = job is not None and self.options.separate_accounts
        return None if job and alone and key_hash not in (None, job.key_hash) else job
