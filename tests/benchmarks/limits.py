"""Rate limits that nobody knows, against four kinds of servers, in virtual time.

    python tests/benchmarks/limits.py [--seeds 2]

Everything but the waiting is real: run log, limiter, queue, polling, download. The server speaks
Segmind's wire and counts requests within the minutes of a clock, within any 60 s, or by a bucket that
holds the requests of a minute or 5. A request is any call to the API's host, refused ones included;
the clips come from another host. A refusal carries Segmind's ``x-rate-limit-reset-at-utc``, or nothing:
the worse of the two counts. Jobs are log-normal around 174 s with the catalogue's sigma of 0.35, and
their record is gone an hour after the submit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench import Figure

from tests.simulator.limits import RateLimiter
from tests.support.limited_server import COUNTERS, Counter, LimitedServer, Says
from tests.support.polling_scenario import Outcome, Scenario
from tests.support.virtual_time import VirtualLoop

SAYS: tuple[Says, ...] = ("reset", "nothing")

#: Which request the stray refusal meets: the first submit, one of the first, the first poll, a later one.
STRAYS = (1, 5, 31, 100)

Make = Callable[[VirtualLoop, bytes], LimitedServer]


def server(limiter: RateLimiter, seed: int, says: Says, stray: int | None = None) -> Make:
    return lambda loop, clip: LimitedServer(
        loop, limiter, clip, seed=seed, says=says, stray=lambda number, _what: number == stray
    )


@dataclass(frozen=True)
class Few:
    """(a) 100 runs at once against 5 requests a minute."""

    lost: int
    requests_per_clip: float
    last_clip_min: float


def few(counter: Counter, seed: int, says: Says, runs: int = 100) -> Few:
    outcome = Scenario(runs, seed=seed).play(server(counter.limiter(5), seed, says))
    lost = runs - len(outcome.clips)
    return Few(lost, outcome.requests / runs, outcome.last_clip_s / 60.0)


def stray(seed: int, number: int, runs: int = 30) -> float:
    """(b) How much later the last clip is with one stray refusal."""
    without = _last_clip(Scenario(runs, seed=seed).play(server(RateLimiter(None), seed, "reset")))
    with_it = Scenario(runs, seed=seed).play(server(RateLimiter(None), seed, "nothing", number))
    return _last_clip(with_it) / without


def _last_clip(outcome: Outcome) -> float:
    assert len(outcome.clips) == len(outcome.rows), "a clip was lost"
    return outcome.last_clip_s


@dataclass(frozen=True)
class Shared:
    """(c) 60 requests a minute for two kernels: the share that was refused later, and that was used."""

    refused: float
    used: float


def shared(counter: Counter, seed: int, says: Says, minutes: int = 30) -> Shared:
    # More runs than the limit has requests for: each takes at least 2.
    scenario = Scenario(16 * minutes, kernels=2, seconds=60.0 * minutes, seed=seed)
    arrivals = scenario.play(server(counter.limiter(60), seed, says)).server.arrivals
    late = [each for each in arrivals if each.at > 120]
    accepted = sum(not each.refused for each in arrivals)
    return Shared(sum(each.refused for each in late) / len(late), accepted / (60 * minutes))


def measure(*, full: bool) -> Iterator[Figure]:
    """Measure the targets, in full with 2 seeds."""
    yield from figures(2 if full else 1)


def figures(seeds: int) -> Iterator[Figure]:
    """Measure the targets; of several seeds and both kinds of refusals, the worst counts."""
    tried = range(1, seeds + 1)
    for counter in COUNTERS:
        found = [few(counter, seed, says) for seed in tried for says in SAYS]
        lost = max(each.lost for each in found)
        requests = max(each.requests_per_clip for each in found)
        last = max(each.last_clip_min for each in found)
        of = f"unknown 5 a minute, {counter.name}"
        yield Figure(12, f"{of}: lost of 100", lost, None, "", "none", lost == 0)
        yield Figure(
            12, f"{of}: requests a clip", requests, 2.0, "", "at most 3.4", requests <= 3.4
        )
        yield Figure(12, f"{of}: last clip", last, None, "min", "within 80 min", last <= 80)
    later = max(stray(seed, number) for seed in tried for number in STRAYS)
    yield Figure(
        12, "one stray 429: last of 30 clips; without", later, 1.0, "", "at most 1.2", later <= 1.2
    )
    for counter in COUNTERS:
        both = [shared(counter, seed, says) for seed in tried for says in SAYS]
        refused = 100 * max(each.refused for each in both)
        used = 100 * min(each.used for each in both)
        of = f"unknown 60 a minute, {counter.name}"
        yield Figure(
            12, f"{of}: refused after 2 min", refused, None, "%", "at most 3 %", refused <= 3
        )
        yield Figure(12, f"{of}: used in 30 min", used, None, "%", "at least 85 %", used >= 85)


def main() -> None:
    """Measure, and print."""
    reader = argparse.ArgumentParser(description="rate limits that nobody knows")
    reader.add_argument("--seeds", type=int, default=1)
    for each in figures(reader.parse_args().seeds):
        met = {True: "yes", False: "NO", None: ""}[each.met]
        sys.stdout.write(f"{each.what:<60}{each.ours:8.3g} {each.unit:<4}{met:<4}{each.goal}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
