"""When to poll a job: seldom while it cannot be done, often when it is about to finish.

Let T be a job's duration, f its density, S the share of jobs that take longer, h = f/S the hazard rate
(https://en.wikipedia.org/wiki/Survival_analysis). Polling at the rate r(t), in polls per second, costs on
average the integral of r S polls, and the end is noticed after a mean delay of the integral of f/(2r). By
the inequality of Cauchy and Schwarz

    (mean polls) x (mean delay)  >=  (integral of sqrt(f S))^2 / 2,

and r proportional to sqrt(f/S) = sqrt(h) reaches it: then both are proportional to I, the integral of
sqrt(f S), one by k and the other by 1/(2k). A fixed interval c makes E[T]/c polls and a delay of c/2,
which is E[T]/2 whatever c is. For a log-normal duration the bound is 0.19 of that at sigma 0.1, 0.36
at 0.2, 0.51 at 0.3 and 0.73 at 0.5: the better the duration is known, the fewer polls are needed.

k follows from the target mean delay. Two bounds are for the person rather than for the product: a
delay of more than `MOST_DELAY_S` stays rare, and if too few jobs were observed, the
first polls come early, since a prior may be off by any factor.

A third bound is for the kernel: each poll takes some milliseconds of the interpreter, which the person's
cells need too. With many jobs at once, each is polled less often, still at a rate proportional to sqrt(h),
until all together need no more than `LOOKS_A_SECOND`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

#: A longer delay than this, in seconds, happens to less than one in a hundred jobs.
MOST_DELAY_S = 10.0
_RARE = 0.004

#: Polls per second of all jobs of a process; with more, each is polled less often. No wait becomes
#: longer than `MOST_DELAY_S` by that, so a thousand jobs exceed this rate.
LOOKS_A_SECOND = 10.0

#: Shortest and longest interval between polls of a job, in seconds.
_SHORTEST_S, _LONGEST_S = 0.15, 90.0

#: The target mean delay: this share of the median, within these bounds in seconds.
_DELAY_SHARE = 1.0 / 180.0
_DELAYS_S = (0.3, 2.0)

_STEPS = 300


@dataclass(frozen=True)
class PollSchedule:
    """How many polls are due by when.

    Parameters
    ----------
    times
        Seconds from the submit, ascending.
    looks
        How many polls are due by then.
    rate
        Mean polls per second of a job that takes as long as usual.
    sure
        Whether the distribution is known; if not, the first polls come early.
    """

    times: tuple[float, ...]
    looks: tuple[float, ...]
    rate: float
    sure: bool

    @classmethod
    def of(
        cls,
        density: Callable[[float], float],
        survival: Callable[[float], float],
        *,
        median_s: float,
        first: float,
        last: float,
        sure: bool,
    ) -> PollSchedule:
        """Compute the schedule of a distribution.

        Parameters
        ----------
        density, survival
            f and S, of seconds.
        median_s
            Its median, in seconds.
        first, last
            Seconds between which nearly all jobs end.
        sure
            See `PollSchedule`.
        """
        # Steps of equal ratio, since the duration is spread on a logarithmic scale.
        times = [first * (last / first) ** (step / _STEPS) for step in range(_STEPS + 1)]
        left = [survival(t) for t in times]
        hazard = [density(t) / s if s > 0 else 0.0 for t, s in zip(times, left, strict=True)]
        root = [s * math.sqrt(h) for s, h in zip(left, hazard, strict=True)]
        total = sum(
            (times[i + 1] - times[i]) * (root[i] + root[i + 1]) / 2.0 for i in range(_STEPS)
        )
        delay = min(max(median_s * _DELAY_SHARE, _DELAYS_S[0]), _DELAYS_S[1])
        # The mean delay is I/(2k), with I the integral `total`; solved for k.
        scale = total / (2.0 * delay)
        rates = [
            min(max(scale * math.sqrt(h), 1.0 / _LONGEST_S), 1.0 / _SHORTEST_S) for h in hazard
        ]
        _keep_delays_rare(rates, left)
        looks = [0.0]
        for i in range(_STEPS):
            looks.append(looks[-1] + (times[i + 1] - times[i]) * (rates[i] + rates[i + 1]) / 2.0)
        usual = looks[min(bisect_right(times, median_s), _STEPS)]
        return cls(tuple(times), tuple(looks), usual / median_s, sure)

    def interval(self, elapsed: float, among: int = 1) -> float:
        """Return the seconds until the next poll.

        Parameters
        ----------
        elapsed
            Seconds since the job was submitted.
        among
            How many jobs this process polls.
        """
        # `looks` is the integral of the rate, so the next poll is due when it has grown by one. With many
        # jobs it is due when it has grown by more: polls stay where they are worth most.
        passed = max(elapsed, 0.0)
        due, every = self._due(passed), max(1.0, among * self.rate / LOOKS_A_SECOND)
        alone = max(self._at(due + 1.0) - passed, _SHORTEST_S)
        wait = min(self._at(due + every) - passed, max(alone, MOST_DELAY_S))
        wait = max(wait, alone)
        # The longest wait also applies before and after the table.
        wait = min(wait, max(_LONGEST_S, self.times[0] - passed))
        return wait if self.sure else min(wait, 1.5 + passed / 2.0, _LONGEST_S)

    def _due(self, elapsed: float) -> float:
        """Return how many polls are due by then."""
        times, looks = self.times, self.looks
        if elapsed <= times[0]:
            return 0.0
        if elapsed >= times[-1]:
            return looks[-1] + (elapsed - times[-1]) * self._last_rate
        i = bisect_right(times, elapsed) - 1
        share = (elapsed - times[i]) / (times[i + 1] - times[i])
        return looks[i] + share * (looks[i + 1] - looks[i])

    def _at(self, due: float) -> float:
        """Return when this many polls are due: the inverse of `_due`."""
        times, looks = self.times, self.looks
        if due >= looks[-1]:
            return times[-1] + (due - looks[-1]) / self._last_rate
        i = bisect_right(looks, due) - 1
        share = (due - looks[i]) / (looks[i + 1] - looks[i])
        return times[i] + share * (times[i + 1] - times[i])

    @property
    def _last_rate(self) -> float:
        """Polls per second after the table: nearly every job has ended by then."""
        span = self.times[-1] - self.times[-2]
        return min((self.looks[-1] - self.looks[-2]) / span, 1.0 / MOST_DELAY_S)


def _keep_delays_rare(rates: list[float], left: list[float]) -> None:
    """Raise the lowest rates until only a few jobs can end within so long a wait."""
    # The lowest rates first: there a wait is longest, and the share of jobs that end in it counts against
    # what may be left over.
    spare, longest = _RARE, len(rates) - 1
    for i in sorted(range(len(rates)), key=rates.__getitem__):
        if rates[i] >= 1.0 / MOST_DELAY_S:
            return
        spare -= (left[max(i - 1, 0)] - left[min(i + 1, longest)]) / 2.0
        if spare < 0:
            rates[i] = 1.0 / MOST_DELAY_S
