"""How long a clip takes: what is expected, how far along a run is, and when it counts as late.

A run's duration is taken as log-normal. The catalogue gives a prior (the provider's published
median); the run log gives what was seen. Both are blended as if the prior were a handful of
observations, so that after some ten runs the log speaks.

The same distribution paces the polls. Asking at intervals proportional to 1/sqrt(h), h being the
hazard rate f/S, gives the least (mean number of polls) x (mean delay until we know): with interval
c/sqrt(h) the mean delay is c I/2 and the mean number of polls I/c, where I is the integral of
sqrt(f S). Their product is I^2/2, whatever c is; a fixed interval scores half the mean duration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

_NORMAL = NormalDist()

#: The prior counts as this many observations.
_PRIOR_WEIGHT = 5.0

#: The bar stops here until the clip is really there.
_NEVER_FULL = 0.97


@dataclass(frozen=True)
class Timing:
    """Log-normal duration from submit to completion.

    Parameters
    ----------
    median_s
        Median, in seconds.
    sigma
        Standard deviation of the duration's natural logarithm.
    """

    median_s: float
    sigma: float

    @classmethod
    def learned(cls, median_s: float, sigma: float, seen: Sequence[float]) -> Timing:
        """Blend a prior with observed durations, in seconds."""
        logs = [math.log(s) for s in seen if s > 0]
        total = _PRIOR_WEIGHT + len(logs)
        prior_mu = math.log(median_s)
        mu = (_PRIOR_WEIGHT * prior_mu + sum(logs)) / total
        spread = _PRIOR_WEIGHT * (sigma**2 + (prior_mu - mu) ** 2) + sum(
            (x - mu) ** 2 for x in logs
        )
        return cls(math.exp(mu), max(0.05, math.sqrt(spread / total)))

    def _z(self, seconds: float) -> float:
        return (math.log(max(seconds, 1e-6)) - math.log(self.median_s)) / self.sigma

    def survival(self, seconds: float) -> float:
        """Give the share of runs that take longer than this."""
        return 0.5 * math.erfc(self._z(seconds) / math.sqrt(2.0))

    def density(self, seconds: float) -> float:
        """Give the probability density, per second."""
        z = self._z(seconds)
        return math.exp(-0.5 * z * z) / (max(seconds, 1e-6) * self.sigma * math.sqrt(2.0 * math.pi))

    def quantile(self, share: float) -> float:
        """Give the duration, in seconds, which this share of runs does not exceed."""
        return self.median_s * math.exp(self.sigma * _NORMAL.inv_cdf(share))

    def expected(self, elapsed: float) -> float:
        """Give the median total duration, in seconds, of the runs that took at least `elapsed`."""
        # The quantile of the share 1 - left/2, which a float could not tell from 1 in the far tail.
        left = self.survival(elapsed)
        if left < 1e-300:
            return elapsed
        return max(self.median_s * math.exp(-self.sigma * _NORMAL.inv_cdf(left / 2.0)), elapsed)

    def progress(self, elapsed: float) -> float:
        """Give a share between 0 and 0.97: never full early, and slower when a run is late."""
        return min(max(elapsed, 0.0) / max(self.expected(elapsed), 1e-6), _NEVER_FULL)

    def late(self, elapsed: float) -> bool:
        """Tell whether nine of ten runs are done by now."""
        return elapsed > self.quantile(0.9)

    @cached_property
    def _integral(self) -> float:
        """The integral of sqrt(f S), by the trapezoid rule over the bulk of the distribution."""
        steps = 240
        low, high = self.quantile(1e-6), self.quantile(1.0 - 1e-6)
        width = (high - low) / steps
        values = [
            math.sqrt(self.density(t) * self.survival(t))
            for t in (low + width * i for i in range(steps + 1))
        ]
        return width * (sum(values) - 0.5 * (values[0] + values[-1]))

    def poll_interval(self, elapsed: float) -> float:
        """Give the seconds until the next look at a job.

        The mean delay aimed at is a fiftieth of the median, but 0.3 to 3 s. The wait is never much
        longer than half of what has passed: a prior can be wrong, and a person likes to see early
        that the job was taken up.
        """
        delay = min(max(self.median_s / 50.0, 0.3), 3.0)
        scale = 2.0 * delay / self._integral
        survival = self.survival(elapsed)
        hazard = self.density(elapsed) / survival if survival > 1e-12 else 0.0
        widest = min(max(self.median_s / 8.0, 1.0), 20.0, delay / 2.0 + max(elapsed, 0.0) / 2.0)
        return min(max(scale / math.sqrt(hazard), delay / 2.0), widest) if hazard > 0 else widest
