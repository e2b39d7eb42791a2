"""How long a clip takes: what is expected, how far along a run is, and when it counts as late.

A run's duration is taken as a mixture of log-normals. `hailuo_jupyter.engine.forecast` makes it of the
catalogue's prior and of what the run log has seen; `hailuo_jupyter.engine.schedule` paces the polls
by it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

from hailuo_jupyter.engine.schedule import Schedule

_NORMAL = NormalDist()

#: The bar stops here until the clip is really there.
_NEVER_FULL = 0.97

#: A survival so small that no float tells it from nothing.
_NOTHING = 1e-300

#: Points at which the bar of a mixture is worked out.
_STEPS = 160

#: How much of a forecast is doubted where little was seen, and how much wider that part is.
_DOUBT, _DOUBT_SIGMA = 0.2, 2.5

#: Weight, mean and standard deviation of the logarithm of the seconds.
Part = tuple[float, float, float]


@dataclass(frozen=True)
class Timing:
    """The distribution of the seconds from submit to completion.

    Parameters
    ----------
    median_s
        Median, in seconds.
    sigma
        Standard deviation of the duration's natural logarithm.
    parts
        A mixture's log-normals, whose weights add up to 1; empty for one of `median_s` and `sigma`.
    sure
        Enough runs of this kind were seen. If not, the whole may be wrong by any factor.
    """

    median_s: float
    sigma: float
    parts: tuple[Part, ...] = ()
    sure: bool = False

    @classmethod
    def mixed(cls, parts: Sequence[Part], *, sure: bool) -> Timing:
        """Make the distribution of a mixture."""
        mean = sum(weight * mu for weight, mu, _ in parts)
        variance = sum(weight * (s * s + (mu - mean) ** 2) for weight, mu, s in parts)
        shape = cls(math.exp(mean), math.sqrt(variance), tuple(parts), sure)
        return cls(shape.quantile(0.5), shape.sigma, shape.parts, sure)

    @cached_property
    def _all(self) -> tuple[Part, ...]:
        return self.parts or ((1.0, math.log(self.median_s), self.sigma),)

    def survival(self, seconds: float) -> float:
        """Give the share of runs that take longer than this."""
        x = math.log(max(seconds, 1e-6))
        return sum(w * 0.5 * math.erfc((x - mu) / (s * math.sqrt(2.0))) for w, mu, s in self._all)

    def density(self, seconds: float) -> float:
        """Give the probability density, per second."""
        at = max(seconds, 1e-6)
        x = math.log(at)
        total = sum(w * math.exp(-0.5 * ((x - mu) / s) ** 2) / s for w, mu, s in self._all)
        return total / (at * math.sqrt(2.0 * math.pi))

    def quantile(self, share: float) -> float:
        """Give the duration, in seconds, which this share of runs does not exceed."""
        return self._exceeded_by(1.0 - share)

    def _exceeded_by(self, left: float) -> float:
        """Give the duration, in seconds, which this share of runs exceeds."""
        # Of the upper tail, which a float could not tell from 1 in the far lower one.
        z = -_NORMAL.inv_cdf(left)
        if len(self._all) == 1:
            return self.median_s * math.exp(self.sigma * z)
        ends = [mu + s * z for _, mu, s in self._all]
        low, high = min(ends), max(ends)
        for _ in range(60):
            middle = 0.5 * (low + high)
            if self.survival(math.exp(middle)) > left:
                low = middle
            else:
                high = middle
        return math.exp(0.5 * (low + high))

    def expected(self, elapsed: float) -> float:
        """Give the median total duration, in seconds, of the runs that took at least `elapsed`."""
        left = self.survival(elapsed)
        return elapsed if left < _NOTHING else max(self._exceeded_by(left / 2.0), elapsed)

    def progress(self, elapsed: float) -> float:
        """Give a share between 0 and 0.97: never full early, and slower when a run is late."""
        passed = max(elapsed, 0.0)
        if len(self._all) == 1:
            return min(passed / max(self.expected(passed), 1e-6), _NEVER_FULL)
        # Between two modes the expectation jumps, and the bar waits for it.
        times, shares = self._bar
        at = min(bisect_right(times, passed), len(times) - 1)
        before = (0.0, 0.0) if at == 0 else (times[at - 1], shares[at - 1])
        part = min(1.0, (passed - before[0]) / max(times[at] - before[0], 1e-9))
        return min(before[1] + part * (shares[at] - before[1]), _NEVER_FULL)

    @cached_property
    def _bar(self) -> tuple[list[float], list[float]]:
        low, high = self.quantile(0.001) / 4.0, self._exceeded_by(1e-4) * 4.0
        times = [low * (high / low) ** (step / _STEPS) for step in range(_STEPS + 1)]
        shares: list[float] = []
        for at in times:
            shares.append(max(at / max(self.expected(at), 1e-6), shares[-1] if shares else 0.0))
        return times, shares

    def late(self, elapsed: float) -> bool:
        """Tell whether nine of ten runs are done by now."""
        return elapsed > self._ninth

    @cached_property
    def _ninth(self) -> float:
        return self.quantile(0.9)

    @cached_property
    def schedule(self) -> Schedule:
        """When to look at such a job."""
        paced = self if self.sure else self._doubted
        return Schedule.of(
            paced.density,
            paced.survival,
            median_s=self.median_s,
            first=paced.quantile(1e-3) / 2.0,
            last=paced._exceeded_by(1e-5),  # noqa: SLF001 -- of the same class
            sure=self.sure,
        )

    @property
    def _doubted(self) -> Timing:
        """The distribution to pace looks by while it may be wrong by any factor."""
        broad = [(_DOUBT * weight, mu, _DOUBT_SIGMA * s) for weight, mu, s in self._all]
        return Timing.mixed(
            [*((weight * (1.0 - _DOUBT), mu, s) for weight, mu, s in self._all), *broad], sure=False
        )

    def poll_interval(self, elapsed: float, among: int = 1) -> float:
        """Give the seconds until the next look at a job, one of so many that are looked at."""
        return self.schedule.interval(elapsed, among)
