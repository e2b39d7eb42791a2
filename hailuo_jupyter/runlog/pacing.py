"""How many requests leave for a provider within a minute, counted over all processes."""

from __future__ import annotations

import sqlite3

#: Length of the sliding window, in seconds. The provider counts a minute by its own clock when
#: requests arrive, and one may travel longer than the next: without the two seconds more, requests
#: that leave exactly a minute apart are refused every other time.
WINDOW_S = 62.0

# Processes read their clocks at slightly different moments, and a window that has just passed must
# not seem to last a rounding error longer.
_SKEW_S = 1.0
_ROUNDING_S = 1e-6


def reserve(
    connection: sqlite3.Connection, provider: str, *, per_minute: int | None, now: float
) -> float:
    """Take a slot if one is free; call inside of a transaction.

    Parameters
    ----------
    provider
        Name of the provider.
    per_minute
        Requests allowed within `WINDOW_S`, 1 or more; None for no limit but the provider's word.
    now
        Seconds since 1970.

    Returns
    -------
    float
        0.0: the slot is taken, send now. Else the seconds to wait before asking again; never more
        than `WINDOW_S`, or than the provider's own Retry-After.

    Raises
    ------
    ValueError
        If `per_minute` is less than 1.
    """
    if per_minute is not None and per_minute < 1:
        raise ValueError("per_minute is 1 or more")
    blocked = _blocked(connection, provider, now)
    if blocked > 0:
        return blocked
    # Slots in the future come from before the clock was set back. They say nothing.
    connection.execute(
        "DELETE FROM slots WHERE provider = ? AND (at <= ? OR at > ?)",
        (provider, now - WINDOW_S + _ROUNDING_S, now + _SKEW_S),
    )
    if per_minute is not None:
        # When this one leaves the window, there is room for one more.
        leaving = connection.execute(
            "SELECT at FROM slots WHERE provider = ? ORDER BY at DESC LIMIT 1 OFFSET ?",
            (provider, per_minute - 1),
        ).fetchone()
        if leaving is not None:
            return min(float(leaving[0]) + WINDOW_S - now, WINDOW_S)
    connection.execute("INSERT INTO slots VALUES (?, ?)", (provider, now))
    return 0.0


def block_until(connection: sqlite3.Connection, provider: str, until: float, *, now: float) -> None:
    """Let no request leave before a moment that the provider named; call inside of a transaction.

    Parameters
    ----------
    provider
        Name of the provider.
    until
        Seconds since 1970. An earlier moment than one named before changes nothing.
    now
        Seconds since 1970.
    """
    if until - now <= _blocked(connection, provider, now):
        return
    connection.execute(
        "INSERT OR REPLACE INTO blocks (provider, since, until) VALUES (?, ?, ?)",
        (provider, now, until),
    )


def blocked_at(connection: sqlite3.Connection, provider: str) -> float | None:
    """Tell when the provider last asked to wait, in seconds since 1970; None if it never did."""
    found = connection.execute(
        "SELECT since FROM blocks WHERE provider = ?", (provider,)
    ).fetchone()
    return None if found is None else float(found[0])


def _blocked(connection: sqlite3.Connection, provider: str, now: float) -> float:
    found = connection.execute(
        "SELECT since, until FROM blocks WHERE provider = ?", (provider,)
    ).fetchone()
    if found is None:
        return 0.0
    since, until = found
    if now < since - _SKEW_S:
        # The clock was set back: begin the same block once more, so that it ends by this clock.
        since, until = now, now + (until - since)
        connection.execute(
            "UPDATE blocks SET since = ?, until = ? WHERE provider = ?", (since, until, provider)
        )
    if until - now <= _ROUNDING_S:
        return 0.0
    return float(min(until - now, until - since))
