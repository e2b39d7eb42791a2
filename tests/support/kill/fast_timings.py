"""Engines that look at a job every few milliseconds, where a real provider is given seconds."""

from __future__ import annotations

from hailuo_jupyter.engine import timings
from hailuo_jupyter.engine.eta import DurationEstimate


def be_quick(every: float = 0.02) -> None:
    """Let the engines of this process be quick, also in asking a provider's history."""
    timings.DEFAULT = timings.Timings(
        poll_interval_s=every,
        expected_duration=DurationEstimate(1.5, 0.3),
        history_round_s=0.05,
        history_looks_s=(0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4),
        history_per_minute=1000,
    )
