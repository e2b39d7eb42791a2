"""Text that people read: durations, times, amounts of money, and untrusted text made safe to show."""

from __future__ import annotations

import math
import re
import sys
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeGuard

_MINUTE, _HOUR = 60, 3600

#: Unicode's Bidi_Control: they reorder adjacent text.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
#: Controls without tab and newline, line separators, halves of surrogate pairs.
_UNSAFE = re.compile(f"[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\u2028\u2029{_BIDI}\ud800-\udfff]")


def escape_control(text: str) -> str:
    """Replace control and bidi characters by their number: ``[U+202E]``.

    Tabs and newlines are kept.

    Parameters
    ----------
    text
        A prompt, a provider's message, a file's name: anything.
    """
    return _UNSAFE.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def escape_control_json(document: str) -> str:
    """Escape the same characters in a JSON text, whose value does not change.

    Parameters
    ----------
    document
        JSON as `json.dumps` writes it with ``ensure_ascii=False``.
    """
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def encodable(text: str, encoding: str | None) -> str:
    r"""Escape what an encoding lacks, as Python writes it in a literal: ``\u2192``.

    Parameters
    ----------
    text
        Any text.
    encoding
        The encoding's name; None for a stream that accepts every character.
    """
    if encoding is None:
        return text
    return text.encode(encoding, "backslashreplace").decode(encoding)


def print_safely(text: str, *, to_stderr: bool = False) -> None:
    """Print text, escaping characters that the stream's encoding lacks.

    If printing fails (a full disk, a closed stream), nothing happens: a clip that was paid
    for must not be lost over a line about it.
    """
    stream = sys.stderr if to_stderr else sys.stdout
    try:
        try:
            print(text, file=stream)
        except UnicodeEncodeError:
            print(encodable(text, stream.encoding), file=stream)
    except (OSError, ValueError):  # a closed file is a ValueError
        pass


def shorten(text: str, most: int) -> str:
    """Return a text on one line of at most `most` characters, cut between words if possible."""
    line = " ".join(text.split())
    if len(line) <= most:
        return line
    head = line[: most - 1]
    space = head.rfind(" ")
    # A language without spaces is cut anywhere.
    return (head[:space] if space > most * 2 // 3 else head).rstrip() + "…"


def count(number: int, noun: str) -> str:
    """Return a number with its noun, as in ``1 clip`` and ``3 clips``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """Return how long something took: ``"42 s"``, ``"2 min 51 s"``, ``"1 h 5 min"``."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min" + (f" {whole % _MINUTE} s" if whole % _MINUTE else "")
    minutes = round(whole / _MINUTE)
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def approx_duration(seconds: float) -> str:
    """Return how long something may take, no more precisely than is known."""
    if seconds < 20:
        return duration(math.ceil(seconds))
    if seconds < 100:
        return f"{math.ceil(seconds / 5) * 5} s"
    return duration(round(seconds / _MINUTE) * _MINUTE)


def stopwatch(seconds: float) -> str:
    """Return a running clock: ``"0:07"``, ``"2:51"``, ``"1:05:00"``."""
    whole = max(0, int(seconds))
    if whole < _HOUR:
        return f"{whole // 60}:{whole % 60:02}"
    return f"{whole // _HOUR}:{whole // 60 % 60:02}:{whole % 60:02}"


def clock_time(timestamp: float, now: float, tz: tzinfo | None, *, seconds: bool = False) -> str:
    """Return a clock time, with its date if that is not today's.

    Parameters
    ----------
    timestamp, now
        Seconds since 1970.
    tz
        The reader's time zone; the machine's if None.
    seconds
        Whether to show seconds.
    """
    moment, today = local_time(timestamp, tz), local_time(now, tz)
    day = "" if moment.date() == today.date() else f"{moment:%Y-%m-%d} "
    return f"{day}{moment:%H:%M:%S}" if seconds else f"{day}{moment:%H:%M}"


def local_time(timestamp: float, tz: tzinfo | None) -> datetime:
    """Return a time, in seconds since 1970, in the reader's time zone; in UTC at the calendar's ends."""
    moment = datetime.fromtimestamp(timestamp, UTC)
    try:
        return moment.astimezone(tz)
    except (OverflowError, ValueError):  # a record from elsewhere may have any date
        return moment


def price_range(low: float | None, high: float | None, kind: str) -> str:
    """Return what a clip may cost, and the origin of the price.

    Parameters
    ----------
    low, high
        Bounds in USD; None if unknown.
    kind
        As `hailuo_jupyter.catalogue.types.Price.kind`.
    """
    if kind == "free":
        return "free (demo)"
    bounds = [value for value in (low, high) if is_amount(value)]
    if not bounds:
        return "price not known"
    return with_origin(dollars(*bounds), kind)


#: The origin of an unpublished price.
ESTIMATE = "estimate"


def with_origin(amount: str, *kinds: str) -> str:
    """Return an amount and where it comes from: ``$0.27\u20130.39 est.``, ``$0.33 (published)``.

    Parameters
    ----------
    amount
        As `dollars` returns it.
    kinds
        Of the prices that it sums up; see `price_range`.
    """
    origins = list(dict.fromkeys(map(price_source, kinds)))
    return f"{amount} est." if origins == [ESTIMATE] else f"{amount} ({' and '.join(origins)})"


def sentence(text: str) -> str:
    """End a text with a full stop, which ``est.`` has already."""
    return text if text.endswith(".") else f"{text}."


def price_source(kind: str) -> str:
    """Return the origin of a price; a source in a record may be forged, and is not shown.

    Parameters
    ----------
    kind
        As `hailuo_jupyter.catalogue.types.Price.kind`.
    """
    return {"published": "published", "user": "your own price"}.get(kind, ESTIMATE)


def dollars(low: float, high: float | None = None) -> str:
    """Return an amount or a range: ``"$0.27"``, ``"$0.27\u20130.39"``.

    Parameters
    ----------
    low, high
        In USD.
    """
    amounts = [usd(low), usd(low if high is None else high)]
    return "$" + "\N{EN DASH}".join(dict.fromkeys(amounts))


#: Above any price; a record from elsewhere may hold any number.
_MOST_USD = 1e9


def is_amount(value: float | None) -> TypeGuard[float]:
    """Check whether a number in a record can be shown as an amount."""
    return value is not None and abs(value) < _MOST_USD


def usd(amount: float) -> str:
    """Return an amount with two digits, halves rounded up as the lab extension does: 0.625 is 0.63."""
    return str(Decimal(str(amount)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def exact_usd(amount: float) -> str:
    """Return an amount to a hundredth of a cent, with at least two decimals."""
    whole, _, parts = f"{amount:.4f}".partition(".")
    return f"{whole}.{parts.rstrip('0').ljust(2, '0')}"


def pixels(width: int, height: int) -> str:
    """Return a picture's size."""
    return f"{width} \N{MULTIPLICATION SIGN} {height}"
