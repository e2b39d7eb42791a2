"""Figures and foreign texts in words: spans, clock times, money, sizes. Plain text, no HTML."""

from __future__ import annotations

import math
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from hailuo_jupyter import plain
from hailuo_jupyter.offer import Price

if TYPE_CHECKING:
    from hailuo_jupyter.record import ClipRecord, CostRecord, Record

#: Here too: whoever puts foreign text into words needs them.
harmless, harmless_json = plain.harmless, plain.harmless_json

_CLASSES = (512, 720, 768, 1080)
_MINUTE, _HOUR = 60, 3600

#: Most characters of a note in a caption.
_NOTE = 60


def shortened(text: str, most: int) -> str:
    """Put a text on one line of at most `most` characters, cut between words where they are short."""
    line = " ".join(text.split())
    if len(line) <= most:
        return line
    head = line[: most - 1]
    space = head.rfind(" ")
    # A language without spaces is cut anywhere.
    return (head[:space] if space > most * 2 // 3 else head).rstrip() + "…"


def span(seconds: float) -> str:
    """Say how long something took: ``"42 s"``, ``"2 min 51 s"``, ``"1 h 5 min"``."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min" + (f" {whole % _MINUTE} s" if whole % _MINUTE else "")
    minutes = round(whole / _MINUTE)
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def about(seconds: float) -> str:
    """Say how long something may take, no finer than one can know it."""
    if seconds < 20:
        return span(math.ceil(seconds))
    if seconds < 100:
        return f"{math.ceil(seconds / 5) * 5} s"
    return span(round(seconds / _MINUTE) * _MINUTE)


def stopwatch(seconds: float) -> str:
    """Give a running clock: ``"0:07"``, ``"2:51"``, ``"1:05:00"``."""
    whole = max(0, int(seconds))
    if whole < _HOUR:
        return f"{whole // 60}:{whole % 60:02}"
    return f"{whole // _HOUR}:{whole // 60 % 60:02}:{whole % 60:02}"


def clock(at: float, now: float, tz: tzinfo | None, *, seconds: bool = False) -> str:
    """Give a clock time, with its date if that is not today's.

    Parameters
    ----------
    at, now
        Seconds since 1970.
    tz
        The reader's time zone; the machine's if None.
    seconds
        Whether they matter.
    """
    moment, today = local(at, tz), local(now, tz)
    day = "" if moment.date() == today.date() else f"{moment:%Y-%m-%d} "
    return f"{day}{moment:%H:%M:%S}" if seconds else f"{day}{moment:%H:%M}"


def local(at: float, tz: tzinfo | None) -> datetime:
    """Give a moment, in seconds since 1970, in the reader's time zone."""
    return datetime.fromtimestamp(at, UTC).astimezone(tz)


def price(estimate: Price) -> str:
    """Say what a clip may cost."""
    return _estimated(estimate.low, estimate.high, estimate.kind)


def cost(record: CostRecord) -> str:
    """Say what a run costs: the fact where the provider told it, else the estimate."""
    if record.kind == "free":
        return "free (demo)"
    if record.actual is not None:
        said = f" ({record.actual_source})" if record.actual_source else ""
        return f"{_exact(record.actual)} USD charged{said}"
    return _estimated(record.estimate_low, record.estimate_high, record.kind)


def _estimated(low: float | None, high: float | None, kind: str) -> str:
    if kind == "free":
        return "free (demo)"
    known = sorted({usd(value) for value in (low, high) if value is not None}, key=float)
    if not known:
        return "price not known"
    source = {"published": "published", "user": "your own price"}.get(kind, "inferred")
    return f"about {' to '.join(known)} USD, {source}"


def usd(amount: float) -> str:
    """Give an amount with two digits, halves rounded up as the lab extension does: 0.625 is 0.63."""
    return str(Decimal(str(amount)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def _exact(amount: float) -> str:
    """Give an amount to a hundredth of a cent, with two decimals at least."""
    whole, _, parts = f"{amount:.4f}".partition(".")
    return f"{whole}.{parts.rstrip('0').ljust(2, '0')}"


def thoughts(record: Record) -> tuple[str, ...]:
    """Say what a person thinks of a run: its rating, its tags, its note, as far as there are any."""
    note = shortened(record.note or "", _NOTE)
    said = (
        "" if record.rating is None else rating(record.rating),
        f"tags: {', '.join(record.tags)}" if record.tags else "",
        f"note: {note}" if note else "",
    )
    return tuple(harmless(each) for each in said if each)


def rating(value: int) -> str:
    """Give a rating."""
    return f"rated {value} of 5"


def pixels(width: int, height: int) -> str:
    """Give a picture's size."""
    return f"{width} \N{MULTIPLICATION SIGN} {height}"


def measured(clip: ClipRecord, options: dict[str, str | int]) -> str:
    """Say what a clip is, from its file, and where that is not what was asked for.

    Parameters
    ----------
    clip
        As read from the file.
    options
        As asked for.
    """
    short = min(clip.width, clip.height)
    found = next((f"{name}P" for name in _CLASSES if abs(short - name) <= name * 0.02), None)
    asked = options.get("resolution")
    said = [f"asked for {asked}"] if asked and found and asked != found else []
    said += [f"{found}-class"] if found and not said else []
    said.append(f"measured {pixels(clip.width, clip.height)}")
    said.append(f"{clip.fps:.2f}".rstrip("0").rstrip(".") + " fps")
    length = f"{clip.duration_s:.1f} s"
    wanted = options.get("duration")
    if isinstance(wanted, int) and abs(clip.duration_s - wanted) > 0.5:
        length += f" (asked for {wanted} s)"
    return ", ".join([*said, length])
