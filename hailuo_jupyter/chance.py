"""Chance of this package's own: whoever seeds `random` gets the same numbers, whatever runs beside."""

from __future__ import annotations

from random import SystemRandom

#: Spreads requests and processes; it has no state that a fork could copy.
CHANCE = SystemRandom()
