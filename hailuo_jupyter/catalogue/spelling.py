"""How a person spells names and values, and how a message shows what was typed."""

from __future__ import annotations

from difflib import get_close_matches


def spelled(value: object) -> str:
    """Return the normalized form in which two spellings of a value are compared."""
    return str(value).strip().casefold()


def shown(value: object) -> str:
    """Return user input for display: on one line, never long, never unprintable."""
    text = str(value)
    text = text if len(text) <= 40 else f"{text[:40]}…"
    return text if text.isprintable() and text.strip() == text else ascii(text)


def did_you_mean(typed: object, names: list[str]) -> str:
    """Return a hint with the closest name, or an empty text if none is close."""
    near = get_close_matches(spelled(typed)[:40], [name.casefold() for name in names], n=1)
    return f"Did you mean {near[0]}? " if near else ""
