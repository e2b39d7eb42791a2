"""What arrived and what was bought, for tests to look at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from hailuo_jupyter.simulator.state import Job


@dataclass(frozen=True)
class LedgerEntry:
    """One accepted submit, as it stands at the moment of asking.

    ``state`` is ``queued``, ``running``, ``done`` or ``failed``; ``cost`` is what the clip costs
    in US dollars unless the job failed, and ``charged`` what was taken so far; ``polls`` counts
    the "not yet" answers; ``downloads`` the requests for the clip's file.
    """

    wire: str
    id: str
    endpoint: str
    body: dict[str, Any]
    prompt: str
    client_request_id: str | None
    key_hash: str
    time: float
    cost: float
    charged: float
    state: str
    size: tuple[int, int]
    seconds: int
    first_frame: str | None
    last_frame: str | None
    polls: int
    downloads: int

    def as_json(self) -> dict[str, Any]:
        """Return the entry as JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class RequestEntry:
    """One HTTP request that the simulator received.

    ``status`` is 0 when the connection was dropped without an answer. ``had_api_key`` and
    ``had_authorization`` say whether those headers came along, never what they held.
    ``client_port`` tells connections apart: two requests with the same one shared a connection.
    """

    number: int
    method: str
    path: str
    query: str
    host: str
    status: int
    time: float
    wire: str | None
    stage: str
    job_id: str | None
    had_api_key: bool
    had_authorization: bool
    had_cookie: bool
    header_names: tuple[str, ...]
    user_agent: str
    client_port: int
    faults: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the entry as JSON types."""
        return asdict(self)


class Ledger(tuple[LedgerEntry, ...]):
    """A snapshot of all accepted submits, oldest first."""

    __slots__ = ()

    @property
    def jobs(self) -> list[LedgerEntry]:
        """The entries as a list."""
        return list(self)

    @property
    def cost(self) -> float:
        """US dollars that all jobs together cost."""
        return sum(entry.cost for entry in self)

    @classmethod
    def of(cls, jobs: Iterable[Job], now: float, min_polls: int) -> Ledger:
        """Return the snapshot of some jobs at a virtual time."""
        return cls(_entry(job, now, min_polls) for job in jobs)


def _entry(job: Job, now: float, min_polls: int) -> LedgerEntry:
    phase = job.phase(now, min_polls=min_polls)
    return LedgerEntry(
        wire=job.wire,
        id=job.id,
        endpoint=job.endpoint,
        body=job.body,
        prompt=job.prompt,
        client_request_id=job.client_request_id,
        key_hash=job.key_hash,
        time=job.submitted,
        cost=0.0 if job.failure is not None else job.price,
        charged=job.cost(),
        state=phase.value,
        size=job.size,
        seconds=job.seconds,
        first_frame=job.first.source if job.first else None,
        last_frame=job.last.source if job.last else None,
        polls=job.polls,
        downloads=job.downloads,
    )
