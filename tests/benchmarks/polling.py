"""How many looks at a job, and how late its end is known, against fixed intervals and the limit.

    python tests/benchmarks/polling.py [--runs 2000] [--json FILE] [--figure docs/images/polling.svg]

In virtual time, with the package's own forecast and schedule. The figure of merit is (mean looks) x
(mean delay); a fixed interval scores half the mean duration, whatever its length, and nothing can
score less than the limit of a known distribution (see `hailuo_jupyter.engine.poll_schedule`).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from bench import Figure

from hailuo_jupyter.engine.eta import DurationEstimate, forecast
from tests.simulator.limits import RateLimiter
from tests.support.limited_server import LimitedServer
from tests.support.polling_scenario import Scenario

#: Medians that providers publish, in seconds, and the spreads that are tried.
MEDIANS, SIGMAS = (173.29, 270.0, 510.0), (0.1, 0.2, 0.3, 0.4, 0.5)

#: Runs of the kind that the log has before anything is counted, and logs that are begun with so many.
KNOWN, LOGS = 50, 20

#: What the catalogue says of the spread.
PRIOR_SIGMA = 0.35

Part = tuple[float, float, float]


@dataclass(frozen=True)
class Kind:
    """Jobs of one kind: a mixture of log-normals (weight, median in s, sigma), as it is at run i."""

    name: str
    at: Callable[[int], Sequence[Part]]
    steps: int = 1

    def draw(self, chance: random.Random, run: int) -> float:
        parts = self.at(run)
        (_, median, sigma), *_ = chance.choices(parts, [weight for weight, _, _ in parts])
        return chance.lognormvariate(math.log(median), sigma)

    def limit(self) -> float:
        """Return the least score; of jobs that drift, that of who knows each moment's distribution."""
        return fmean(_root_integral(self.at(step)) for step in range(self.steps)) ** 2 / 2.0


def _root_integral(parts: Sequence[Part]) -> float:
    x = np.linspace(math.log(0.5), math.log(200_000.0), 40_001)
    density, survival = np.zeros_like(x), np.zeros_like(x)
    erfc = np.vectorize(math.erfc)
    for weight, median, sigma in parts:
        z = (x - math.log(median)) / sigma
        density += weight * np.exp(-0.5 * z * z) / (sigma * math.sqrt(2.0 * math.pi))
        survival += weight * 0.5 * erfc(z / math.sqrt(2.0))
    # Over the logarithm of t, where f dt = density dx and dt = e^x dx.
    return float(np.trapezoid(np.sqrt(density * survival * np.exp(x)), x))


def lognormal(median: float, sigma: float) -> Kind:
    return Kind(f"log-normal {median:.0f} s, sigma {sigma}", lambda _: ((1.0, median, sigma),))


def _drifting(run: int) -> Sequence[Part]:
    return ((1.0, 220.0 * math.exp(0.4 * math.sin(2.0 * math.pi * run / 96.0)), 0.2),)


KINDS = (
    *(lognormal(median, sigma) for median in MEDIANS for sigma in SIGMAS),
    Kind("heavy-tailed", lambda _: ((0.85, 173.0, 0.2), (0.15, 400.0, 0.9))),
    Kind("bimodal", lambda _: ((0.6, 120.0, 0.12), (0.4, 330.0, 0.15))),
    Kind("drifting over the day", _drifting, steps=96),
)


@dataclass(frozen=True)
class Score:
    """What was measured of one kind."""

    name: str
    looks: float
    delay_s: float
    delay_p99_s: float
    of_limit: float
    of_fixed: float


def watched(timing: DurationEstimate, duration: float, chance: random.Random) -> tuple[int, float]:
    """Return how often a job was asked about, and when its end was known."""
    now, looks = 0.0, 0
    while now < duration:
        now += timing.poll_interval(now) + chance.uniform(0.0, 0.02)  # an answer takes a moment
        looks += 1
    return looks, now


def measure(kind: Kind, runs: int, *, known: int, prior_s: float) -> Score:
    """Watch so many jobs, after `known` that the log has already; in several logs, by turns.

    What 50 runs happen to teach differs from log to log, so one log would say little of others.
    """
    watches = [
        each
        for seed in range(LOGS)
        for each in _watches(kind, runs // LOGS, known=known, prior_s=prior_s, seed=seed)
    ]
    looks, delays, durations = ([each[at] for each in watches] for at in range(3))
    score = fmean(looks) * fmean(delays)
    return Score(
        kind.name,
        fmean(looks),
        fmean(delays),
        sorted(delays)[int(0.99 * len(delays))],
        score / kind.limit(),
        score / (fmean(durations) / 2.0),
    )


def _watches(
    kind: Kind, runs: int, *, known: int, prior_s: float, seed: int
) -> Iterator[tuple[int, float, float]]:
    """Watch jobs one after the other, learning from each; gives looks, delay and duration."""
    chance, seen = random.Random(seed), list[float]()
    timing = forecast(prior_s, PRIOR_SIGMA, ())
    for run in range(known + runs):
        duration = kind.draw(chance, run)
        if run < known:
            seen.insert(0, duration + chance.uniform(0.0, 2.0))
            continue
        # Without a log each run is like the first; else what each has taught is used by the next.
        if known and (kind.steps > 1 or (run - known) % 10 == 0):
            timing = forecast(prior_s, PRIOR_SIGMA, seen[:200])
        looks, end = watched(timing, duration, chance)
        yield looks, end - duration, duration
        seen.insert(0, end)
        del seen[200:]


def limited(per_minute: int, runs: int) -> tuple[int, int, float]:
    """Have runs follow a limit that the user has set and that the provider counts within any 60 s.

    Returns
    -------
    requests, refused, seconds until the last clip
    """
    outcome = Scenario(runs, ceiling=per_minute).play(
        lambda loop, clip: LimitedServer(loop, RateLimiter(per_minute), clip, seed=7, sigma=0.3)
    )
    return outcome.requests, outcome.refused, outcome.last_clip_s


def figure(path: Path, runs: int) -> None:
    """Draw delay against looks, for this package, for fixed intervals, and the limit."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "hailuo"
    from matplotlib import pyplot as plt

    drawn = [lognormal(173.29, sigma) for sigma in (0.1, 0.3, 0.5)]
    plot, axes = plt.subplots(1, len(drawn), figsize=(9.6, 3.2), sharey=True, layout="constrained")
    for ax, kind in zip(axes, drawn, strict=True):
        looks = np.geomspace(3.0, 1000.0, 60)
        mean = 173.29 * math.exp(kind.at(0)[0][2] ** 2 / 2.0)
        ours = measure(kind, runs, known=KNOWN, prior_s=173.29)
        ax.loglog(looks, mean / 2.0 / looks, color="#8a8a8a", label="a fixed interval")
        ax.loglog(looks, kind.limit() / looks, "--", color="#3b82f6", label="limit")
        ax.loglog(ours.looks, ours.delay_s, "o", color="#e5484d", label="this package")
        for interval in (1, 5, 10):
            ax.loglog(mean / interval, interval / 2.0, "s", color="#8a8a8a", markersize=4)
            ax.annotate(f"every {interval} s", (mean / interval, interval / 2.0), (4, 4),
                        textcoords="offset points", fontsize=7, color="#666666")  # fmt: skip
        ax.set_title(kind.name, fontsize=9)
        ax.set_xlim(3.0, 1000.0)
        ax.set_xlabel("requests a clip")
    axes[0].set_ylabel("mean delay, s")
    axes[0].legend(fontsize=8, frameon=False)
    plot.savefig(path, metadata={"Date": None})


def measure_row(*, full: bool) -> list[Figure]:
    """Return row 1 of the suite: the worst kind of each sort, and the one the catalogue expects."""
    runs = 2000 if full else 300
    warm = [measure(kind, runs, known=KNOWN, prior_s=173.29) for kind in KINDS]
    cold = wrong_priors(runs)
    plain = warm[: len(MEDIANS) * len(SIGMAS)]
    worst = [max(plain, key=lambda each: each.of_limit), *warm[len(plain) :]]
    usual = next(each for each in plain if "173 s, sigma 0.3" in each.name)
    late, misled = max(each.delay_p99_s for each in warm), max(each.of_fixed for each in cold)
    requests, refused, _ = limited(5, min(runs, 300))
    return [
        Figure(1, f"looks x delay, {usual.name}; fixed interval", _product(usual),
               _product(usual) / usual.of_fixed, "s", "less than any fixed interval",
               usual.of_fixed < 1.0),
        *(Figure(1, f"looks x delay, {each.name}; least possible", _product(each),
                 _product(each) / each.of_limit, "s", "at most 1.15 of the least possible",
                 each.of_limit <= 1.15)
          for each in worst),
        Figure(1, "p99 delay, worst of all kinds", late, None, "s", "at most 10 s", late <= 10.0),
        Figure(1, "empty log, prior wrong by 2; fixed interval", misled, 1.0, "",
               "at most 1.05 of a fixed interval", misled <= 1.05),
        Figure(1, f"5 a minute: refused of {requests:,} requests", refused, None, "", "none",
               refused == 0),
    ]  # fmt: skip


def _product(score: Score) -> float:
    return score.looks * score.delay_s


def wrong_priors(runs: int) -> list[Score]:
    """Watch with nothing in the log and a prior that is wrong by a factor of 2, either way."""
    return [
        measure(lognormal(prior * factor, sigma), runs, known=0, prior_s=prior)
        for prior in MEDIANS
        for factor in (0.5, 2.0)
        for sigma in (0.1, 0.3, 0.5)
    ]


def main() -> None:
    """Measure, and print."""
    reader = argparse.ArgumentParser(description="looks and delays against fixed intervals")
    reader.add_argument("--runs", type=int, default=2000)
    reader.add_argument("--json", type=Path)
    reader.add_argument("--figure", type=Path)
    given = reader.parse_args()
    say = sys.stdout.write
    warm = [measure(kind, given.runs, known=KNOWN, prior_s=173.29) for kind in KINDS]
    cold = wrong_priors(given.runs)
    for head, scores in ((f"{KNOWN} runs known", warm), ("prior wrong by 2", cold)):
        say(f"{head:<32}{'looks':>7}{'delay':>8}{'p99':>7}{'/limit':>8}{'/fixed':>8}\n")
        for each in scores:
            say(
                f"{each.name:<32}{each.looks:7.1f}{each.delay_s:7.2f}s{each.delay_p99_s:6.1f}s"
                f"{each.of_limit:8.2f}{each.of_fixed:8.2f}\n"
            )
    requests, refused, last = limited(5, min(given.runs, 300))
    say(f"5 a minute: {requests} requests, {refused} refused, last clip at {last / 60:.0f} min\n")
    if given.json:
        found = {
            "known": [asdict(each) for each in warm],
            "prior_wrong_by_2": [asdict(each) for each in cold],
            "five_a_minute": {"requests": requests, "refused": refused, "last_clip_s": last},
        }
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if given.figure:
        figure(given.figure, given.runs)


if __name__ == "__main__":
    main()
