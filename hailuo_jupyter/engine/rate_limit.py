"""The rate limit of one account, learned from the provider's refusals: pure, without clock or storage.

Providers publish limits for plans, but not how they count: per clock minute, within any 60 s, or by a token
bucket. Nor is the plan known. So there is no limit until the first refusal (429). From then on requests are
evenly spaced, which all these counters treat alike.

A refusal is rarely alone: other requests are in flight when it arrives, and the same counter refuses them
too. Together they are one episode, which lowers the rate once. After it a single request at a time probes
whether the provider accepts requests again.

The new rate is slightly below what the provider accepted in a minute. For a counter per minute
that is its limit. A full bucket accepts more once: so if the last episode was less
than `_SHORT_S` ago, when the bucket was empty, what was accepted since is the better measure. If
the upper bound is unknown, as after the first episode, the rate then doubles every few
seconds. Later it follows a curve, as TCP's CUBIC does: flat near the accepted rate, at the refused one
after `_RISE_S`, and ever steeper after it, so that a lifted limit is soon forgotten.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Protocol

#: Share of the rate accepted in a minute that is used after a refusal.
_SHARE = 0.95

#: Seconds in which the rate doubles while the upper bound is unknown.
_DOUBLING_S = 5.0

#: The refused rate is reached again after this many seconds; sooner where it is more than
#: `_FAR` times the accepted one, but not before some requests were sent.
_RISE_S, _FAST_RISE_S, _FAST_RISE_REQUESTS, _FAR = 300.0, 60.0, 30.0, 1.5

#: After this many seconds without a refusal the limit is forgotten.
_FORGOTTEN_S = 900.0

#: Accepted requests count for this many seconds, and an episode is measured alone within this many.
_RECENT_S, _SHORT_S = 300.0, 90.0

#: Fewer accepted requests than this measure no rate.
_FEW = 5

#: Wait after a refusal, in seconds, if the provider names none. It doubles until a request is accepted.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 2.0, 60.0

#: Seconds to wait for the answer to a probe before the next one.
_PROBE_S = 10.0

#: Lowest and highest rate, in requests per minute. The highest means no limit.
_LOWEST, _HIGHEST = 0.5, 6000.0

#: Steps of the search for the time when a rising rate allows the next request.
_BISECTIONS = 20

#: Processes read their clocks at slightly different moments, in seconds.
_SKEW_S = 1.0


class SentRequest(Protocol):
    """A request that was sent: when, in seconds since 1970, and whether it was refused."""

    @property
    def at(self) -> float:
        """When it was sent."""

    @property
    def refused(self) -> bool:
        """Whether it was answered with 429."""


@dataclass(frozen=True)
class RateLimit:
    """State of a limit at one time.

    Parameters
    ----------
    base
        Requests a minute at `since`; None for no limit but `closed_until`.
    since
        The time from which the rate rises. All times are seconds since 1970.
    refused_rate
        Requests per minute that were refused; None if unknown.
    episode_at
        When the current or latest episode of refusals was noticed.
    retries
        Refused probes in a row.
    refusing_since
        The first refusal after the latest accepted request.
    closed_until
        Nothing is sent before.
    sent_at
        When the latest request was sent.
    probing
        Whether nothing was accepted since the episode.
    written_at
        When this was written; shows whether the clock was set back since.
    """

    base: float | None
    since: float
    refused_rate: float | None
    episode_at: float
    retries: int
    refusing_since: float
    closed_until: float
    sent_at: float
    probing: bool
    written_at: float

    # ── storage ────────────────────────────────────────────────────────────────────────

    @classmethod
    def load(cls, text: str | None, now: float) -> RateLimit | None:
        """Read what was stored; None if nothing was, or it is too old.

        Parameters
        ----------
        text
            The text from `dump`.
        now
            Seconds since 1970.
        """
        if text is None:
            return None
        values = json.loads(text)
        if values.keys() != {each.name for each in fields(cls)}:
            return None  # another version of this package wrote it
        limit = cls(**values)
        if now < limit.written_at - _SKEW_S:
            limit = limit._moved(now - limit.written_at)
        if limit.base is None:
            return limit if now < limit.closed_until else None
        if now >= max(limit.episode_at + _FORGOTTEN_S, limit.closed_until):
            return None
        rate = limit.rate(now)
        return limit if rate is not None and rate < _HIGHEST else None

    def dump(self, now: float) -> str:
        """Return the limit as text."""
        return json.dumps(asdict(replace(self, written_at=now)))

    def _moved(self, by: float) -> RateLimit:
        """Return the limit for a clock that was set back: waits stay as long as they were."""
        return replace(
            self,
            since=self.since + by,
            episode_at=self.episode_at + by,
            refusing_since=self.refusing_since + by,
            closed_until=self.closed_until + by,
            sent_at=self.sent_at + by,
        )

    # ── what the limit allows ─────────────────────────────────────────────────────────────────────────

    def rate(self, now: float) -> float | None:
        """Return the requests per minute at a time; None for no limit."""
        if self.base is None:
            return None
        passed = 0.0 if self.probing else max(now - self.since, 0.0)
        if self.refused_rate is None:
            return self.base * math.pow(2.0, min(passed / _DOUBLING_S, 30.0))
        rise = _RISE_S
        if self.refused_rate > _FAR * self.base:
            rise = min(max(_FAST_RISE_S, 60.0 * _FAST_RISE_REQUESTS / self.base), _RISE_S)
        risen = min((passed / rise) ** 2, 30.0)
        return self.base * math.pow(self.refused_rate / self.base, risen)

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may be sent."""
        earliest = max(self.closed_until, now)
        if self.probing:
            probed = self.sent_at > self.episode_at
            return max(earliest, self.sent_at + _PROBE_S if probed else earliest) - now
        if self._may_send(earliest):
            return earliest - now
        # The rate rises until then: search for the time in between.
        low, high = earliest, earliest + 60.0 / (self.rate(earliest) or _HIGHEST)
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if self._may_send(middle) else (middle, high)
        return high - now

    def _may_send(self, timestamp: float) -> bool:
        rate = self.rate(timestamp)
        return rate is None or timestamp - self.sent_at >= 60.0 / rate

    def sent(self, now: float) -> RateLimit:
        """Return the limit after a request was sent."""
        return replace(self, sent_at=now)

    # ── learning from answers ─────────────────────────────────────────────────────────────────────

    def accepted(self, sent_at: float, now: float) -> RateLimit:
        """Return the limit after the answer to a request that was not refused.

        Parameters
        ----------
        sent_at
            When the request was sent.
        now
            Seconds since 1970.
        """
        if not self.probing or sent_at <= self.episode_at:
            return self
        return replace(self, probing=False, retries=0, since=now)

    def closed(self, until: float) -> RateLimit:
        """Return the limit if the provider has asked to wait until a time, whatever the rate."""
        return replace(self, closed_until=max(self.closed_until, until))


def closed(until: float, now: float) -> RateLimit:
    """Return a limit that blocks everything until a time, and nothing afterwards."""
    return RateLimit(None, now, None, now, 0, now, until, now, probing=False, written_at=now)


def refused(
    limit: RateLimit | None,
    history: Sequence[SentRequest],
    *,
    sent_at: float,
    now: float,
    wait: float | None,
    floor: float,
) -> RateLimit:
    """Return the limit after a refusal.

    Parameters
    ----------
    limit
        The limit as it was; None if there was none.
    history
        The account's requests of the last minutes, the oldest first, the refused one among them.
    sent_at
        When the refused request was sent.
    now
        Seconds since 1970.
    wait
        Seconds that the provider asks to wait; None if it names none.
    floor
        Requests a minute of the lowest published plan: a single refusal is no reason to go below it.
    """
    accepted = [each.at for each in history if not each.refused and each.at < sent_at]
    if limit is None or limit.base is None:
        best = best_minute([time for time in accepted if time > now - _RECENT_S])
        until = now + (_FIRST_WAIT_S if wait is None else wait)
        current = limit or closed(until, now)
        return replace(
            current.closed(until),
            base=max(_SHARE * best, floor),
            since=until,
            episode_at=now,
            refusing_since=now,
            probing=True,
        )
    if sent_at <= limit.episode_at:
        return limit if wait is None else limit.closed(now + wait)
    if limit.probing:
        retries = limit.retries + 1
        if wait is None:
            wait = min(_FIRST_WAIT_S * 2.0**retries, _LONGEST_WAIT_S)
        until = now + wait
        return replace(limit, retries=retries, since=until, closed_until=until, episode_at=now)
    best = max(_accepted_rate(limit, accepted, sent_at), _LOWEST)
    rate, base = limit.rate(sent_at) or best, _SHARE * best
    # The limit may be anywhere between the accepted rate and a much higher one.
    too_many = math.sqrt(rate * best) if rate > best / _SHARE else rate
    if wait is None:
        wait = min(max(60.0 / base, 1.0), _LONGEST_WAIT_S)
    until = now + wait
    return replace(
        limit,
        base=base,
        since=until,
        refused_rate=max(too_many, best / _SHARE),
        episode_at=now,
        refusing_since=now,
        closed_until=until,
        probing=True,
    )


def _accepted_rate(limit: RateLimit, accepted: Sequence[float], sent_at: float) -> float:
    """Return the requests per minute that were accepted before a new episode."""
    passed = sent_at - limit.episode_at
    since = [time for time in accepted if time > limit.episode_at]
    if passed >= _SHORT_S:
        return best_minute([time for time in since if time > sent_at - _RECENT_S])
    last_minute = float(sum(time > sent_at - 60.0 for time in accepted))
    if len(since) < _FEW:
        return last_minute
    return min(last_minute, 60.0 * len(since) / passed)


def best_minute(times: Sequence[float]) -> float:
    """Return the most requests within 60 s.

    Parameters
    ----------
    times
        When they were sent, ascending.
    """
    best = first = 0
    for last, time in enumerate(times):
        while times[first] <= time - 60.0:
            first += 1
        best = max(best, last - first + 1)
    return float(best)
