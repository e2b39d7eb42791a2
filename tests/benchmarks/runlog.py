"""How quick the run log is with 1,000, 10,000 and 100,000 runs.

    python tests/benchmarks/runlog.py [--runs 1000 10000 100000] [--rounds 31] [--json FILE]

Logs are built in a temporary folder (--folder: where else), with whole records, texts of words drawn
by Zipf's law, and half of all runs in one notebook. Given is the median of many calls, in
milliseconds. Reading is measured with the file in the system's cache. A transition ends with an fsync
of the write-ahead log: what that alone takes on this disk is given beside it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import Figure

from hailuo_jupyter import catalogue, request
from hailuo_jupyter.record import Record, prepare
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.search import Search, Sort
from hailuo_jupyter.states import State

_BATCH = 500
_BEGUN = 1_760_000_000.0
_ENDS = ((State.DOWNLOADING, State.COMPLETED),) * 17 + ((State.FAILED,), (State.EXPIRED,), ())


def _words(chance: random.Random) -> list[str]:
    syllables = ["ka", "lo", "mi", "ren", "tas", "vo", "li", "shu", "der", "an", "ost", "eri"]
    return ["".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(5000)]


def build(path: Path, runs: int) -> RunLog:
    """Make a log of so many runs."""
    chance = random.Random(7)
    words = _words(chance)
    weights = [1 / place for place in range(1, len(words) + 1)]
    providers = [catalogue.provider(name) for name in ("segmind", "segmind", "aimlapi")]
    log = RunLog(path)
    for first in range(0, runs, _BATCH):
        with log.exclusive():
            for number in range(first, min(first + _BATCH, runs)):
                said = " ".join(chance.choices(words, weights, k=chance.randint(8, 30)))
                if number % 97 == 0:
                    said += " lighthouse"
                if number % max(runs // 20, 1) == 0:
                    said += " gyrfalcon"
                asked = request.build(said, chance.choice(providers), options={})
                at = _BEGUN + 60.0 * number
                notebook = 0 if chance.random() < 0.5 else chance.randint(1, 100)
                record = prepare(
                    asked,
                    origin={"notebook_id": f"notebook-{notebook}", "cell_id": "c"},
                    tags=[tag for tag, share in (("sea", 0.2), ("chosen", 0.01)) if chance.random() < share],
                    sweep=f"sweep-{number // 50}" if number % 3 == 0 else None,
                    at=at,
                )  # fmt: skip
                log.insert(
                    _ended(record, at, chance), folder=path.parent, kind=asked.kind, owner=None
                )
    with log.exclusive():
        # A log of years: rows are dated as their records are.
        log._connection.execute(  # type: ignore[union-attr]
            "UPDATE runs SET created = unixepoch(json_extract(record_json, '$.times.prepared'))"
        )
    return log


def _ended(record: Record, at: float, chance: random.Random) -> Record:
    steps = (State.SUBMITTING, State.SUBMITTED, State.GENERATING, *chance.choice(_ENDS))
    for state in steps:
        at += chance.lognormvariate(4.0, 0.4)
        record = record.moved(state, at=at)
    return record.changed(rating=chance.randint(1, 5)) if chance.random() < 0.1 else record


def milliseconds(act: Callable[[], object], rounds: int) -> float:
    """Return the median of many calls."""
    act()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def page(log: RunLog, search: Search, offset: int = 0) -> Callable[[], object]:
    """Return what a page of the runs table asks of the log."""

    def ask() -> object:
        found = log.page(search, offset=offset, limit=20)
        return [row.record for row in log.rows([key.run_id for key in found.keys])]

    return ask


def measure(log: RunLog, runs: int, rounds: int) -> dict[str, float]:
    """Measure one log."""
    middle = log.page(Search(), offset=runs // 2, limit=1).keys[0]
    row = log.get(middle.run_id)
    big = "notebook-0"
    searches = {
        "first page, a notebook": Search(notebook_id=big),
        "first page, all notebooks": Search(),
        "of a provider": Search(provider="aimlapi"),
        "of a state": Search(states=[State.FAILED]),
        "of two states, a notebook": Search(
            notebook_id=big, states=[State.FAILED, State.UNCONFIRMED]
        ),
        "of a tag": Search(tags=("chosen",)),
        "of a frequent tag, a notebook": Search(tags=("sea",), notebook_id=big),
        "of a sweep": Search(sweep=row.record.sweep or "sweep-3"),
        "since a day": Search(since=middle.created),
        "rated 4 or more": Search(rating=4),
        "by cost": Search(sort=Sort.COST),
        "by duration, a notebook": Search(sort=Sort.DURATION, notebook_id=big),
        "by rating, ascending": Search(sort=Sort.RATING, ascending=True),
        "text: in 20 runs": Search(text="gyrfalcon"),
        "text: in 1 of 97 runs": Search(text="lighthouse"),
        "text: in 1 of 97 runs, a notebook": Search(text="LIGHTHOUSE", notebook_id=big),
        "text: a prompt's middle": Search(text=row.record.request.prompt[10:30]),
        "text: frequent": Search(text="eri"),
        "text: frequent, a notebook": Search(text="eri", notebook_id=big, sort=Sort.COST),
        "text: two characters": Search(text="lo"),
        "text: two characters, nowhere": Search(text="qx"),
        "text: nowhere": Search(text="nowhere at all"),
    }
    found = {name: milliseconds(page(log, each), rounds) for name, each in searches.items()}
    found["page 100, all notebooks"] = milliseconds(page(log, Search(), min(1980, runs)), rounds)
    found["last page, all notebooks"] = milliseconds(page(log, Search(), runs - 20), rounds)
    found["fingerprint"] = milliseconds(
        lambda: log.by_fingerprint(row.notebook_id, row.fingerprint), rounds * 3
    )
    found["one run by its id"] = milliseconds(lambda: log.get(row.run_id), rounds * 3)
    found["count, exactly, a notebook"] = milliseconds(
        lambda: log.found(Search(notebook_id=big)), rounds
    )
    return found | changes(log, row.record, rounds)


def changes(log: RunLog, like: Record, rounds: int) -> dict[str, float]:
    """Measure what is written, and what of it is the disk."""
    asked = request.build(like.request.prompt, catalogue.provider("segmind"), options={})
    inserts, transitions = [], []
    for _ in range(rounds):
        record = prepare(asked, origin={"notebook_id": "notebook-0"}, tags=["sea"])
        began = time.perf_counter()
        log.insert(record, folder=log.path.parent, kind=asked.kind, owner=None)
        inserts.append(time.perf_counter() - began)
        for state in (State.SUBMITTING, State.SUBMITTED, State.GENERATING, State.DOWNLOADING):
            began = time.perf_counter()
            log.update(record.run_id, lambda record, state=state: record.moved(state))  # type: ignore[misc]
            transitions.append(time.perf_counter() - began)
    with (log.path.parent / "fsync").open("wb", buffering=0) as file:

        def fsync() -> None:
            file.write(b"x" * 40_000)
            os.fsync(file.fileno())

        bare = milliseconds(fsync, rounds * 3)
    return {
        "insert": statistics.median(inserts) * 1000,
        "transition": statistics.median(transitions) * 1000,
        "40 kB and an fsync, without SQLite": bare,
    }


#: What the suite looks at, and what it may take, in milliseconds.
_GOALS = {
    "first page, all notebooks": 50.0,
    "text: in 20 runs": 100.0,
    "text: in 1 of 97 runs": 100.0,
    "text: frequent": 100.0,
    "fingerprint": 1.0,
    "transition": 2.0,
}


def measure_row(*, full: bool) -> list[Figure]:
    """Return row 9 of the suite: the large log beside the small one."""
    sizes = (1000, 100_000) if full else (1000, 10_000)
    found: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for runs in sizes:
            with build(Path(folder) / str(runs) / "runs.sqlite3", runs) as log:
                found.append(measure(log, runs, 31 if full else 15))
    small, large = found
    growth = math.log(sizes[1]) / math.log(sizes[0])
    bare = large["40 kB and an fsync, without SQLite"]

    def figure(name: str, most: float) -> Figure:
        # A search for text reads all texts, so it grows with the log.
        linear = name.startswith("text")
        goal = f"at most {most:g} ms" + ("" if linear else f", and {growth:.2f} of the small log's")
        met = large[name] <= most and (linear or large[name] <= growth * small[name])
        title = f"{name}, {sizes[1]:,} runs; {sizes[0]:,}"
        return Figure(9, title, large[name], small[name], "ms", goal, met)

    return [
        *(figure(name, most) for name, most in _GOALS.items()),
        Figure(9, "transition; 40 kB and an fsync", large["transition"], bare, "ms"),
    ]  # fmt: skip


def main() -> None:
    """Build, measure, print."""
    reader = argparse.ArgumentParser(description="how quick the run log is")
    reader.add_argument("--runs", type=int, nargs="+", default=[1000, 10_000, 100_000])
    reader.add_argument("--rounds", type=int, default=31)
    reader.add_argument("--folder", type=Path, help="where the logs are built")
    reader.add_argument("--json", type=Path, metavar="FILE")
    given = reader.parse_args()
    figures: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for runs in given.runs:
            began = time.perf_counter()
            with build(Path(folder) / str(runs) / "runs.sqlite3", runs) as log:
                size = log.path.stat().st_size / 1e6
                sys.stderr.write(
                    f"{runs} runs, {size:.0f} MB, built in {time.perf_counter() - began:.0f} s\n"
                )
                figures[runs] = measure(log, runs, given.rounds)
    head = "".join(f"{runs:>12,}" for runs in figures)
    sys.stdout.write(f"{'median, ms':<40}{head}\n")
    for name in next(iter(figures.values())):
        line = "".join(f"{each[name]:>12.2f}" for each in figures.values())
        sys.stdout.write(f"{name:<40}{line}\n")
    if given.json:
        machine = {
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "platform": platform.platform(),
            "cpus": os.cpu_count(),
        }
        document = {"machine": machine, "median_ms": figures}
        given.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
