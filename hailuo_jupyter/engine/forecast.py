"""How long the next clip will take, from the catalogue's prior and the run log's durations.

With a handful of durations the forecast is one log-normal, the prior counting as some observations.
With more it is chosen by how well it would have foretold each duration from the others: whether the
level of late is followed (a provider that is slower in the evening) or all runs count alike, and
whether the spread is log-normal or is taken as it is (a fast and a slow queue give two humps).
A broad part always stays, for the run that is like none before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from hailuo_jupyter.engine.timing import Part, Timing

#: The prior counts as this many observations.
_PRIOR_WEIGHT = 3.0

#: Fewer durations than this are blended with the prior; more speak for themselves.
_ENOUGH = 12

#: Durations that are looked at, the newest ones; and of those, how many judge a forecast.
_SEEN, _JUDGES = 200, 48

#: How much of the last error the level follows; 0: the mean of all.
_FOLLOWING = (0.0, 0.3)

#: Width of the kernel for each duration, in standard deviations.
_WIDTHS = (0.15, 0.25, 0.4)

#: What a shape with more freedom has to be better by, in nats a run.
_DOUBT_SHAPE = 0.02

#: The broad part counts as this many observations, and its spread is that of all, times this.
_BROAD_WEIGHT, _BROAD = 1.0, 2.5

#: Parts of a mixture at most, and the smallest spread of one.
_PARTS, _NARROWEST = 32, 0.02

_ROOT = math.sqrt(2.0 * math.pi)


def forecast(median_s: float, sigma: float, seen: Sequence[float]) -> Timing:
    """Blend a prior with observed durations.

    Parameters
    ----------
    median_s, sigma
        The prior's median, in seconds, and the standard deviation of its logarithm.
    seen
        Durations in seconds, the newest first.

    Returns
    -------
    Timing
        Of the next run.
    """
    return _forecast(median_s, sigma, tuple(seen[:_SEEN]))


@lru_cache(maxsize=64)  # all runs of a kind ask for the same until one of them has ended
def _forecast(median_s: float, sigma: float, seen: tuple[float, ...]) -> Timing:
    logs = [math.log(seconds) for seconds in reversed(seen) if seconds > 0]
    if len(logs) < _ENOUGH:
        return _blended(math.log(median_s), sigma, logs)
    best: tuple[float, float, list[float], float | None] | None = None
    for follow in _FOLLOWING:
        level, errors = _errors(logs, follow)
        likelihood, width = _shape(errors)
        if best is None or likelihood > best[0]:
            best = (likelihood, level, errors, width)
    assert best is not None  # noqa: S101 - there is at least one way to follow
    _, level, errors, width = best
    return Timing.mixed(_parts(level, errors, width), sure=True)


def _blended(mu: float, sigma: float, logs: Sequence[float]) -> Timing:
    total = _PRIOR_WEIGHT + len(logs)
    mean = (_PRIOR_WEIGHT * mu + sum(logs)) / total
    spread = _PRIOR_WEIGHT * (sigma**2 + (mu - mean) ** 2) + sum((x - mean) ** 2 for x in logs)
    return Timing(math.exp(mean), max(math.sqrt(spread / total), 0.05))


def _errors(logs: Sequence[float], follow: float) -> tuple[float, list[float]]:
    """Give the level of the next run, and how far each run was from the level before it."""
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
    """Give the best shape (a width, or None for one log-normal) and its mean log likelihood.

    Each error is judged by what the others foretell, so that a narrow width cannot flatter itself.
    """
    spread, judges = _spread(errors), errors[-_JUDGES:]
    count = len(judges)
    plain = -sum(0.5 * (e / spread) ** 2 for e in judges) / count - math.log(spread * _ROOT)
    best: tuple[float, float | None] = (plain - 1.5 / count, None)
    for width in _WIDTHS:
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
        # The spread of few is known but roughly: a little wider than seen.
        return [*parts, (1.0 - broad, level, spread * math.sqrt(1.0 + 1.0 / count))]
    ordered, groups = sorted(errors), min(_PARTS, count)
    bounds = [i * count // groups for i in range(groups + 1)]
    means = [sum(ordered[a:b]) / (b - a) for a, b in pairwise(bounds)]
    for i, mean in enumerate(means):
        # Where the observations are sparse a part is as wide as the gap to the next ones.
        gap = (means[min(i + 1, groups - 1)] - means[max(i - 1, 0)]) / 2.0
        weight = (1.0 - broad) * (bounds[i + 1] - bounds[i]) / count
        parts.append((weight, level + mean, max(width * spread, gap)))
    return parts
