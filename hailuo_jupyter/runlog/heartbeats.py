"""Heartbeats: whether a process with active runs is still running, or was stopped without dying.

A stopped process (SIGSTOP, a paused container, a debugger, an interpreter blocked by C code)
keeps its lock, so that it looks alive, but downloads nothing. So an owner with active runs counts up in the
log, from the thread that polls. A process that sees an unchanged count for long enough, by its own
clock, may claim its runs for what is free: polling and downloading.
"""

from __future__ import annotations

import platform
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

#: Seconds of silence after which an owner is removed.
_FORGOTTEN_S = 7 * 86400.0


@dataclass(frozen=True)
class Limits:
    """Durations of silence after which an owner counts as stopped.

    Parameters
    ----------
    beat_s
        Seconds between two heartbeats.
    stopped_s
        Seconds without a heartbeat, by the observer's own monotonic clock, after which an owner counts as
        stopped.
    old_s, missed
        For an observer that cannot watch for that long: the age of a heartbeat by the wall clock, and how
        many missed beats it must have observed itself.
    """

    beat_s: float = 30.0
    stopped_s: float = 180.0
    old_s: float = 600.0
    missed: int = 2


LIMITS = Limits()


@dataclass(frozen=True)
class Beat:
    """An owner's last heartbeat: its number, its time (seconds since 1970), and its machine."""

    count: int
    at: float
    host: str

    @property
    def is_here(self) -> bool:
        """Whether the owner runs on this machine, judging by its name."""
        return self.host == platform.node()


#: The heartbeat of an owner without one.
NEVER = Beat(0, 0.0, "")


def beat(connection: sqlite3.Connection, owner: str, now: float) -> None:
    """Count one heartbeat of an owner."""
    found = connection.execute(
        "UPDATE heartbeats SET count = count + 1, at = ? WHERE owner = ?", (now, owner)
    )
    if not found.rowcount:
        connection.execute("DELETE FROM heartbeats WHERE at < ?", (now - _FORGOTTEN_S,))
        connection.execute(
            "INSERT INTO heartbeats (owner, count, at, host) VALUES (?, 1, ?, ?)",
            (owner, now, platform.node()),
        )


def beats(connection: sqlite3.Connection, owners: Collection[str]) -> dict[str, Beat]:
    """Return the last heartbeat of each of some owners."""
    marks = ", ".join("?" * len(owners))
    found = connection.execute(
        f"SELECT owner, count, at, host FROM heartbeats WHERE owner IN ({marks})",  # noqa: S608 -- marks
        [*owners],
    )
    by_owner = {str(owner): Beat(count, timestamp, host) for owner, count, timestamp, host in found}
    return {owner: by_owner.get(owner, NEVER) for owner in owners}


@dataclass
class _Seen:
    """An observed owner: its last heartbeat, for how long, and whether the count was seen to change."""

    beat: Beat
    looked: float
    unchanged_s: float = 0.0
    counts_on: bool = False


class OwnerWatch:
    """Watches the heartbeats of other owners. Belongs to one thread.

    Only observed time counts: a gap between two checks counts as one beat at most. So neither a
    laptop that was suspended with both processes nor an observer that was stopped itself makes an owner look
    stopped.

    Parameters
    ----------
    monotonic
        The observer's own clock, in seconds.
    limits
        The durations of silence; `LIMITS` if None.
    wall
        Seconds since 1970, if the age of a heartbeat may shorten the observation; None if not.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        limits: Limits | None = None,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self._monotonic, self._limits, self._wall = monotonic, limits or LIMITS, wall
        self._seen: dict[str, _Seen] = {}

    def see(self, beats: Mapping[str, Beat]) -> None:
        """Read the last heartbeats of all relevant owners; others are forgotten."""
        now = self._monotonic()
        for owner in self._seen.keys() - beats.keys():
            del self._seen[owner]
        for owner, last in beats.items():
            seen = self._seen.get(owner)
            if seen is None or seen.beat != last:
                self._seen[owner] = _Seen(last, now, counts_on=seen is not None)
            else:
                seen.unchanged_s += min(max(now - seen.looked, 0.0), self._limits.beat_s)
                seen.looked = now

    @property
    def stopped(self) -> dict[str, int]:
        """The owners that count as stopped, with the numbers of their last heartbeats."""
        return {owner: each.beat.count for owner, each in self._seen.items() if self._is(each)}

    @property
    def suspects(self) -> list[str]:
        """The owners whose last heartbeat is old enough to observe them for a while."""
        return [
            owner for owner, each in self._seen.items() if self._is_old(each) and not self._is(each)
        ]

    def _is(self, seen: _Seen) -> bool:
        if seen.unchanged_s >= self._limits.stopped_s:
            return True
        watched = seen.unchanged_s >= self._limits.missed * self._limits.beat_s
        return watched and self._is_old(seen)

    def _is_old(self, seen: _Seen) -> bool:
        # An owner without a heartbeat has no age, and a different clock must not make an active one old.
        return (
            self._wall is not None
            and seen.beat.count > 0
            and not seen.counts_on
            and self._wall() - seen.beat.at > self._limits.old_s
        )
