"""A provider's rate limit for each account, shared by all processes of this user.

Stored are the requests of the last minutes with their outcome, the limit learned from refusals, and
each process's queue of waiting requests. Decisions are made in
`hailuo_jupyter.engine.rate_limit` and `hailuo_jupyter.engine.request_queue`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

#: Seconds for which a request is stored.
KEPT_S = 300.0

#: Processes read their clocks at slightly different moments. A later entry was made before the clock
#: was set back, and is ignored.
SKEW_S = 1.0

#: A queue counts for this many seconds after its process last wrote it.
QUEUE_LASTS_S = 10.0


@dataclass(frozen=True)
class Sent:
    """A request that was sent.

    Parameters
    ----------
    at
        Seconds since 1970.
    refused
        Whether it was answered with 429.
    """

    at: float
    refused: bool


@dataclass(frozen=True)
class StoredLimit:
    """The stored data of one account, read-only.

    Parameters
    ----------
    account
        See `RateLimitRows`.
    state
        The learned limit, as JSON; None if there is none.
    queue
        The waiting requests of all live processes.
    """

    account: str
    state: str | None
    queue: tuple[Any, ...]


class RateLimitRows:
    """One account's rows, inside one transaction.

    Parameters
    ----------
    connection
        In a transaction.
    account
        Its name; see `hailuo_jupyter.runlog.accounts`.
    owner
        Id of this process.
    now
        Seconds since 1970.
    """

    def __init__(
        self, connection: sqlite3.Connection, account: str, owner: str, now: float
    ) -> None:
        self._connection, self._account, self._owner, self.now = connection, account, owner, now

    # ── sent requests ─────────────────────────────────────────────────────────────────────

    def sent(self) -> list[Sent]:
        """Return the requests of the last `KEPT_S` seconds, the oldest first."""
        found = self._connection.execute(
            "SELECT at, refused FROM requests_sent WHERE account = ? AND at > ? AND at <= ? "
            "ORDER BY at",
            (self._account, self.now - KEPT_S, self.now + SKEW_S),
        )
        return [Sent(timestamp, bool(refused)) for timestamp, refused in found]

    def nth_last(self, n: int) -> float | None:
        """Return when the nth last request was sent, in seconds since 1970; None if fewer are stored."""
        found = self._connection.execute(
            "SELECT at FROM requests_sent WHERE account = ? AND at <= ? "
            "ORDER BY at DESC LIMIT 1 OFFSET ?",
            (self._account, self.now + SKEW_S, n - 1),
        ).fetchone()
        return None if found is None else float(found[0])

    def add_sent(self) -> None:
        """Record that a request is sent now."""
        self._connection.execute(
            "DELETE FROM requests_sent WHERE account = ? AND (at <= ? OR at > ?)",
            (self._account, self.now - KEPT_S, self.now + SKEW_S),
        )
        self._connection.execute(
            "INSERT INTO requests_sent VALUES (?, ?, 0)", (self._account, self.now)
        )

    def mark_refused(self, sent_at: float) -> None:
        """Record that the request sent at a time was refused."""
        self._connection.execute(
            "UPDATE requests_sent SET refused = 1 WHERE rowid = (SELECT rowid FROM requests_sent "
            "WHERE account = ? AND at = ? AND refused = 0 LIMIT 1)",
            (self._account, sent_at),
        )

    # ── the learned limit ───────────────────────────────────────────────────────────────────────

    @property
    def state(self) -> str | None:
        """The learned limit, as JSON; None if there is none."""
        found = self._connection.execute(
            "SELECT state FROM rate_limits WHERE account = ?", (self._account,)
        ).fetchone()
        return None if found is None else str(found[0])

    @state.setter
    def state(self, value: str | None) -> None:
        if value is None:
            self._connection.execute("DELETE FROM rate_limits WHERE account = ?", (self._account,))
            return
        self._connection.execute(
            "INSERT OR REPLACE INTO rate_limits VALUES (?, ?)", (self._account, value)
        )

    # ── waiting requests ──────────────────────────────────────────────────────────────────────────────

    @cached_property
    def others(self) -> list[Any]:
        """The waiting requests of the other processes that were written recently."""
        self._connection.execute(
            "DELETE FROM request_queues WHERE account = ? AND (at <= ? OR at > ?)",
            (self._account, self.now - QUEUE_LASTS_S, self.now + SKEW_S),
        )
        found = self._connection.execute(
            "SELECT entries FROM request_queues WHERE account = ? AND owner <> ?",
            (self._account, self._owner),
        )
        return [entry for (text,) in found for entry in json.loads(text)]

    def write_queue(self, entries: Sequence[Any]) -> None:
        """Replace this process's queue; an empty one is removed."""
        if not entries:
            self._connection.execute(
                "DELETE FROM request_queues WHERE account = ? AND owner = ?",
                (self._account, self._owner),
            )
            return
        self._connection.execute(
            "INSERT OR REPLACE INTO request_queues VALUES (?, ?, ?, ?)",
            (self._account, self._owner, self.now, json.dumps(entries)),
        )


def stored(connection: sqlite3.Connection, now: float) -> list[StoredLimit]:
    """Return the stored data of every account, read-only.

    Parameters
    ----------
    connection
        An open connection.
    now
        Seconds since 1970.
    """
    queues: dict[str, list[Any]] = {}
    for account, text in connection.execute(
        "SELECT account, entries FROM request_queues WHERE at > ?", (now - QUEUE_LASTS_S,)
    ):
        queues.setdefault(account, []).extend(json.loads(text))
    states = dict(connection.execute("SELECT account, state FROM rate_limits").fetchall())
    return [
        StoredLimit(account, states.get(account), tuple(queues.get(account, ())))
        for account in sorted({*states, *queues})
    ]
