"""How long an answer asks to wait: Retry-After, and the time at which a limit is reset."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from hailuo_jupyter.providers.base import Reply

#: Longest wait that is accepted, in seconds.
_LONGEST_S = 300.0

#: Numbers above this are times, in seconds since 1970, not durations; those a thousand times higher are
#: in milliseconds.
_MOMENTS, _MILLISECONDS = 1e9, 1e11


def requested_wait(reply: Reply, now: float) -> float | None:
    """Read how long an answer asks to wait.

    ``Retry-After`` is a standard. Segmind does not send it; its 429 carries
    ``x-rate-limit-reset-at-utc``, according to its documentation, without an example of the format. The time
    is compared with the answer's own ``Date``, since our clock may be wrong.

    Parameters
    ----------
    reply
        The answer.
    now
        Seconds since 1970.

    Returns
    -------
    float or None
        Seconds to wait, at most 300; None if the answer names none.
    """
    wait = parse_retry_after(reply.headers.get("retry-after"), now)
    if wait is not None:
        return wait
    reset = _moment(reply.headers.get("x-rate-limit-reset-at-utc"))
    if reset is None:
        return None
    sent = sent_at(reply)
    seconds = reset - (now if sent is None else sent)
    # The limit may have been reset while the answer was in transit.
    return min(max(seconds, 0.0), _LONGEST_S)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After header: seconds or an HTTP date.

    Returns
    -------
    float or None
        Seconds to wait, at most 300; None if the header is missing or invalid.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        moment = _moment(value)
        if moment is None:
            return None
        seconds = moment - now
    if not 0 <= seconds < float("inf"):
        return None
    return min(seconds, _LONGEST_S)


def sent_at(reply: Reply) -> float | None:
    """Return when an answer was sent, by the provider's clock, in seconds since 1970; None if unknown."""
    return _moment(reply.headers.get("date"))


def _moment(value: str | None) -> float | None:
    """Read ISO 8601, an HTTP date, or seconds or milliseconds since 1970; UTC without a zone."""
    if not value:
        return None
    text = value.strip()
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        if not _MOMENTS <= number < _MOMENTS * 1e4:
            return None
        return number / 1000.0 if number >= _MILLISECONDS else number
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (TypeError, ValueError, IndexError, OverflowError):
            continue
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        try:
            return (moment - datetime.fromtimestamp(0, UTC)).total_seconds()
        except OverflowError:
            return None
    return None
