"""Duration of a clip: the estimate, the progress of a run, and when it counts as late.

A run's duration is modeled as a mixture of log-normals, from the catalogue's prior and the durations
in the run log; `hailuo_jupyter.engine.poll_schedule` paces the polls by it.

With few durations the estimate is one log-normal, and the prior counts as some observations. With more, the
model is chosen by how well it would have predicted each duration from the others: whether recent runs count
more (a provider that is slower in the evening) or all count alike, and whether the spread is log-normal or
empirical (a fast and a slow queue give two peaks). A broad component always remains, for a run unlike all
before.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from statistics import NormalDist

from hailuo_jupyter.engine.poll_schedule import PollSchedule

_NORMAL = NormalDist()

#: The bar stops here until the clip is on disk.
_NEVER_FULL = 0.97

#: A survival probability too small for float arithmetic.
_NOTHING = 1e-300

#: Points at which the progress bar of a mixture is computed.
_STEPS = 160

#: Weight of the uncertain part of a forecast from few runs, and how much wider that part is.
_DOUBT, _DOUBT_SIGMA = 0.2, 2.5

#: The prior counts as this many observations.
_PRIOR_WEIGHT = 3.0

#: Fewer durations than this are blended with the prior; more are used alone.
_ENOUGH = 12

#: How many durations are used, the newest; and how many of those score a forecast.
_SEEN, _JUDGES = 200, 48

#: Shortest duration that the run log stores, in seconds.
_SHORTEST_S = 0.001

#: Share of the last error by which the level is adjusted; 0: the mean of all.
_FOLLOWING = (0.0, 0.3)

#: Width of the kernel for each duration, in standard deviations.
_WIDTHS = (0.15, 0.25, 0.4)

#: How much better a more flexible shape has to be, in nats per run.
_DOUBT_SHAPE = 0.02

#: The broad component counts as this many observations, and its spread is the total spread times this.
_BROAD_WEIGHT, _BROAD = 1.0, 2.5

#: Maximum components of a mixture, and the smallest spread of one.
_PARTS, _NARROWEST = 32, 0.02

_ROOT = math.sqrt(2.0 * math.pi)

#: Weight, mean and standard deviation of the logarithm of the seconds.
Part = tuple[float, float, float]


@dataclass(frozen=True)
class DurationEstimate:
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
        Whether enough runs of this kind were observed. If not, the estimate may be off by any factor.
    """

    median_s: float
    sigma: float
    parts: tuple[Part, ...] = ()
    sure: bool = False

    @classmethod
    def mixed(cls, parts: Sequence[Part], *, sure: bool) -> DurationEstimate:
        """Make the distribution of a mixture."""
        mean = sum(weight * mu for weight, mu, _ in parts)
        variance = sum(weight * (s * s + (mu - mean) ** 2) for weight, mu, s in parts)
        shape = cls(math.exp(mean), math.sqrt(variance), tuple(parts), sure)
        return cls(shape.quantile(0.5), shape.sigma, shape.parts, sure)

    @cached_property
    def _all(self) -> tuple[Part, ...]:
        return self.parts or ((1.0, math.log(self.median_s), self.sigma),)

    def survival(self, seconds: float) -> float:
        """Return the share of runs that take longer than this."""
        x = math.log(max(seconds, 1e-6))
        return sum(w * 0.5 * math.erfc((x - mu) / (s * math.sqrt(2.0))) for w, mu, s in self._all)

    def density(self, seconds: float) -> float:
        """Return the probability density, per second."""
        clamped = max(seconds, 1e-6)
        x = math.log(clamped)
        total = sum(w * math.exp(-0.5 * ((x - mu) / s) ** 2) / s for w, mu, s in self._all)
        return total / (clamped * math.sqrt(2.0 * math.pi))

    def quantile(self, share: float) -> float:
        """Return the duration, in seconds, which this share of runs does not exceed."""
        return self._exceeded_by(1.0 - share)

    def _exceeded_by(self, left: float) -> float:
        """Return the duration, in seconds, which this share of runs exceeds."""
        # Computed from the upper tail: the lower one rounds to 1 in floats.
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
        """Return the median total duration, in seconds, of the runs that took at least `elapsed`."""
        left = self.survival(elapsed)
        return elapsed if left < _NOTHING else max(self._exceeded_by(left / 2.0), elapsed)

    def progress(self, elapsed: float) -> float:
        """Return a share between 0 and 0.97: never full early, and slower when a run is late."""
        passed = max(elapsed, 0.0)
        if len(self._all) == 1:
            return min(passed / max(self.expected(passed), 1e-6), _NEVER_FULL)
        # Between two modes the expectation jumps, and the bar pauses there.
        times, shares = self._bar
        index = min(bisect_right(times, passed), len(times) - 1)
        before = (0.0, 0.0) if index == 0 else (times[index - 1], shares[index - 1])
        part = min(1.0, (passed - before[0]) / max(times[index] - before[0], 1e-9))
        return min(before[1] + part * (shares[index] - before[1]), _NEVER_FULL)

    @cached_property
    def _bar(self) -> tuple[list[float], list[float]]:
        low, high = self.quantile(0.001) / 4.0, self._exceeded_by(1e-4) * 4.0
        times = [low * (high / low) ** (step / _STEPS) for step in range(_STEPS + 1)]
        shares: list[float] = []
        for elapsed in times:
            shares.append(
                max(elapsed / max(self.expected(elapsed), 1e-6), shares[-1] if shares else 0.0)
            )
        return times, shares

    def late(self, elapsed: float) -> bool:
        """Return whether nine of ten runs are finished at this age."""
        return elapsed > self._ninth

    @cached_property
    def _ninth(self) -> float:
        return self.quantile(0.9)

    @cached_property
    def schedule(self) -> PollSchedule:
        """When to poll such a job."""
        paced = self._paced
        return PollSchedule.of(
            paced.density,
            paced.survival,
            median_s=self.median_s,
            first=paced.quantile(1e-3) / 2.0,
            last=paced._exceeded_by(1e-5),  # noqa: SLF001 -- same class
            sure=self.sure,
        )

    def until(self, share: float, *, since: float = 0.0) -> float:
        """Return the age by which a share of the jobs that were unfinished at an earlier age has ended.

        With few observations the distribution may be off by any factor, which is included here.

        Parameters
        ----------
        share
            From 0 to 1, exclusive.
        since
            The earlier age, in seconds, like the result.
        """
        left = self._paced.survival(since) * (1.0 - share)
        return since if left < _NOTHING else max(self._paced._exceeded_by(left), since)  # noqa: SLF001

    @cached_property
    def _paced(self) -> DurationEstimate:
        return self if self.sure else self._doubted

    @cached_property
    def _doubted(self) -> DurationEstimate:
        """The distribution that paces polls while it may be off by any factor."""
        broad = [(_DOUBT * weight, mu, _DOUBT_SIGMA * s) for weight, mu, s in self._all]
        return DurationEstimate.mixed(
            [*((weight * (1.0 - _DOUBT), mu, s) for weight, mu, s in self._all), *broad], sure=False
        )

    def poll_interval(self, elapsed: float, among: int = 1) -> float:
        """Return the seconds until the next poll of a job, one of `among` jobs that are polled."""
        return self.schedule.interval(elapsed, among)


def forecast(median_s: float, sigma: float, seen: Sequence[float]) -> DurationEstimate:
    """Blend a prior with observed durations.

    Parameters
    ----------
    median_s, sigma
        The prior's median, in seconds, and the standard deviation of its logarithm.
    seen
        Durations in seconds, the newest first.

    Returns
    -------
    DurationEstimate
        Of the next run.
    """
    return _forecast(median_s, sigma, tuple(seen[:_SEEN]))


@lru_cache(maxsize=64)  # the same for all runs of a kind until one of them ends
def _forecast(median_s: float, sigma: float, seen: tuple[float, ...]) -> DurationEstimate:
    # In logarithms, since effects on durations multiply: a busy provider is slower by a factor.
    logs = [math.log(max(seconds, _SHORTEST_S)) for seconds in reversed(seen) if seconds > 0]
    if len(logs) < _ENOUGH:
        return _blended(math.log(median_s), sigma, logs)
    best: tuple[float, float, list[float], float | None] | None = None
    # Each candidate is scored on the durations in the log, so a shape or a level is used only
    # if it would have predicted them better.
    for follow in _FOLLOWING:
        level, errors = _errors(logs, follow)
        likelihood, width = _shape(errors)
        if best is None or likelihood > best[0]:
            best = (likelihood, level, errors, width)
    assert best is not None  # noqa: S101 - there is at least one candidate
    _, level, errors, width = best
    return DurationEstimate.mixed(_parts(level, errors, width), sure=True)


def _blended(mu: float, sigma: float, logs: Sequence[float]) -> DurationEstimate:
    # The prior counts as some observations with its own mean and spread; the observed durations adjust both.
    total = _PRIOR_WEIGHT + len(logs)
    mean = (_PRIOR_WEIGHT * mu + sum(logs)) / total
    spread = _PRIOR_WEIGHT * (sigma**2 + (mu - mean) ** 2) + sum((x - mean) ** 2 for x in logs)
    return DurationEstimate(math.exp(mean), max(math.sqrt(spread / total), 0.05))


def _errors(logs: Sequence[float], follow: float) -> tuple[float, list[float]]:
    """Return the level of the next run, and how far each run was from the level before it."""
    mean = sum(logs) / len(logs)
    if follow == 0.0:
        return mean, [x - mean for x in logs]
    level, errors = sum(logs[:5]) / 5.0, []
    for x in logs[5:]:
        errors.append(x - level)
        level += follow * (x - level)
    return level, errors


def _spread(errors: Sequence[float]) -> float:
    mean = sum(errors) / len(errors)
    variance = sum((e - mean) ** 2 for e in errors) / max(len(errors) - 1, 1)
    return max(math.sqrt(variance), _NARROWEST)


def _shape(errors: Sequence[float]) -> tuple[float, float | None]:
    """Return the best shape (a width, or None for one log-normal) and its mean log likelihood.

    Each error is scored by a density made of the others, so that a narrow width is not favored.
    """
    spread, judges = _spread(errors), errors[-_JUDGES:]
    count = len(judges)
    plain = -sum(0.5 * (e / spread) ** 2 for e in judges) / count - math.log(spread * _ROOT)
    best: tuple[float, float | None] = (plain - 1.5 / count, None)
    for width in _WIDTHS:
        # Leave one out (https://en.wikipedia.org/wiki/Kernel_density_estimation#Bandwidth_selection): a
        # kernel that includes the duration it predicts would be as narrow as possible.
        narrow, broad = width * spread, _BROAD * spread
        total = 0.0
        for i, e in enumerate(judges):
            near = sum(
                math.exp(-0.5 * ((e - o) / narrow) ** 2) for j, o in enumerate(judges) if j != i
            )
            far = math.exp(-0.5 * (e / broad) ** 2) / broad
            total += math.log(0.97 * near / ((count - 1) * narrow) + 0.03 * far + 1e-12)
        likelihood = total / count - math.log(_ROOT) - _DOUBT_SHAPE
        if likelihood > best[0]:
            best = (likelihood, width)
    return best


def _parts(level: float, errors: list[float], width: float | None) -> list[Part]:
    count, spread = len(errors), _spread(errors)
    broad = _BROAD_WEIGHT / (count + _BROAD_WEIGHT)
    parts: list[Part] = [(broad, level, max(_BROAD * spread, 0.25))]
    if width is None:
        # The spread of few values is uncertain: slightly wider than observed.
        return [*parts, (1.0 - broad, level, spread * math.sqrt(1.0 + 1.0 / count))]
    ordered, groups = sorted(errors), min(_PARTS, count)
    bounds = [i * count // groups for i in range(groups + 1)]
    means = [sum(ordered[a:b]) / (b - a) for a, b in pairwise(bounds)]
    for i, mean in enumerate(means):
        # Where observations are sparse, a component is as wide as the gap to the next ones.
        gap = (means[min(i + 1, groups - 1)] - means[max(i - 1, 0)]) / 2.0
        weight = (1.0 - broad) * (bounds[i + 1] - bounds[i]) / count
        parts.append((weight, level + mean, max(width * spread, gap)))
    return parts
