"""Engines that look at a job every few milliseconds, where a real provider is given seconds."""

from __future__ import annotations

from dataclasses import dataclass

from hailuo_jupyter.engine import life, settle
from hailuo_jupyter.engine.timing import Timing


@dataclass(frozen=True)
class Quick(Timing):
    """Expects a job at any moment, and looks every so many seconds."""

    every: float = 0.02

    def poll_interval(self, elapsed: float, among: int = 1) -> float:  # noqa: ARG002 -- its parent's
        return self.every


def be_quick(every: float = 0.02) -> None:
    """Let the engines of this process be quick, also in asking a provider's history."""
    settle.ROUND_S, settle.LOOKS = 0.05, (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
    settle._PER_MINUTE = 1000
    life.timing_of = lambda *_: Quick(1.5, 0.3, every=every)
