"""Seeded random kills, for as long as one likes: ``python -m tests.kill.random_kills --minutes 10``.

In each round a few processes share one run log and ask for a few runs each, on both wires. They are
killed at a random step or moment, or stopped for a while, and others go on in their place. At the end of
a round a last process takes over, and then the provider's ledger, the log and the folders have to agree.

It ends with status 1 and the round's seed if a clip was lost or a run was bought twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from hailuo_jupyter.errors import NotBought
from hailuo_jupyter.ids import made_of_path
from hailuo_jupyter.ipynb.sync import sync
from hailuo_jupyter.runlog import Row, RunLog, peek_unfinished
from hailuo_jupyter.states import RESUMABLE, State
from tests.support.kill import fork_server, steps
from tests.support.kill.case import KEYS, Work
from tests.support.kill.promises import finished, leftovers
from tests.support.kill.provider import NO_HISTORY, Provider

#: About how many steps one run takes; dying is as likely at each of them.
_STEPS = 90

#: Seconds within which a process is killed by the clock, and for which others are waited.
_LIFE_S, _LONGEST_S = 1.5, 20.0

#: Processes, one after the other, that may take over at the end of a round.
_LAST = 3


@dataclass
class Round:
    """One log, its processes, and what they were asked for."""

    number: int
    dice: random.Random
    folder: Path
    provider: Provider
    frame: Path
    asked: list[Work]
    said: Counter[str]

    def work(self) -> Work:
        """Return one more request, of its own account, in this round's folder."""
        wire = self.dice.choice(list(KEYS))
        work = Work(
            str(self.folder),
            self.provider.url,
            wire,
            # Forks of one process share a key, as kernels do.
            self.key,
            f"a heron {self.number}-{len(self.asked)}",
            str(self.frame) if self.dice.random() < 0.5 else None,
        )
        self.asked.append(work)
        return work

    @property
    def log(self) -> Path:
        return self.folder / "log" / "runs.sqlite3"

    @property
    def key(self) -> str:
        return f"key-{self.number}-{NO_HISTORY if self.number % 2 else ''}-0123456789"

    def generation(self) -> None:
        """Let some processes live at once, each with its own end."""
        processes = []
        for _ in range(self.dice.randint(1, 3)):
            works = [self.work() for _ in range(self.dice.randint(0, 4))]
            by_step = self.dice.random() < 0.6
            number = self.dice.randint(1, _STEPS * (len(works) + 1)) if by_step else None
            pid = fork_server.fork(lambda w=works, n=number: self.live(w, n), self.folder / "said")  # type: ignore[misc]
            # Who is to die at a step has time enough to come to it.
            ends = time.monotonic() + (_LONGEST_S if by_step else self.dice.uniform(0.0, _LIFE_S))
            stops = time.monotonic() + self.dice.uniform(0.0, 5 * _LIFE_S)
            processes.append((pid, stops, ends))
        for pid, stops, ends in sorted(processes, key=lambda each: min(each[1:])):
            if _lives_until(pid, min(stops, ends)) and stops < ends:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(self.dice.uniform(0.0, 0.5))
                os.kill(pid, signal.SIGCONT)
                self.said["stops"] += 1
            if _lives_until(pid, ends):
                os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            if os.WIFSIGNALED(status):
                self.said["kills"] += 1
            elif status:
                raise SystemExit(
                    f"a process ended by itself:\n{(self.folder / 'said').read_text()}"
                )

    def live(self, works: list[Work], number: int | None) -> None:
        """Be one process: take over what is there, and ask for some runs."""
        steps.arm(self.folder, self.folder / "trail", number=number)
        engine = replace(self.asked[0] if self.asked else self.work()).engine()
        if peek_unfinished(self.log):
            engine.resume()
        for work in works:
            with suppress(NotBought):
                work.place(engine)
        fork_server.until(lambda: not engine.active_runs(), "the runs did not end")
        engine.stop()

    def play(self) -> list[str]:
        """Do it all; gives what is wrong."""
        for variable in KEYS.values():
            os.environ[variable] = self.key
        for _ in range(self.dice.randint(1, 4)):
            if self.dice.random() < 0.3:
                seconds = self.dice.uniform(0.05, 0.5)
                self.provider.fault(
                    "delay", "submit", count=2, key=f"key-{self.number}-", seconds=seconds
                )
            self.generation()
        if not self.asked:
            return []
        for _ in range(_LAST):
            pid = fork_server.fork(lambda: fork_server.load(self.asked[0]), self.folder / "said")
            _, status = os.waitpid(pid, 0)
            if status:
                return [f"the last process failed:\n{(self.folder / 'said').read_text()}"]
            if not self.goes_on():
                break
        return self.judge()

    def goes_on(self) -> bool:
        """Tell whether the next kernel would go on with a run.

        A history may tell of a lost job in the moment in which the last process has nothing to do any
        more, and ends.
        """
        if not self.log.is_file():
            return False
        with RunLog(self.log) as opened:
            return any(row.state in RESUMABLE for row in opened.unfinished())

    def sync(self, rows: list[Row]) -> None:
        """Do what ``jupyter hailuo sync`` does for a notebook that has all these runs."""
        work = self.asked[0]
        stored = {row.run_id: json.loads(row.record_json) for row in rows}
        ours = {"schema": 1, "id": made_of_path(work.notebook), "runs": stored}
        text = {"cells": [], "metadata": {"hailuo": ours}, "nbformat": 4, "nbformat_minor": 5}
        work.notebook.write_text(json.dumps(text))
        sync(work.notebook, settings=work.settings)

    def judge(self) -> list[str]:
        """Bring the notebook up to date, and compare ledger, log and folder."""
        rows: dict[str, list[Row]] = {}
        if self.log.is_file():
            with RunLog(self.log) as opened:
                for row in opened.recent(10_000):
                    rows.setdefault(row.record.request.prompt, []).append(row)
            self.sync([row for found in rows.values() for row in found])
        bought = Counter(self.provider.bought())
        wrong = []
        for work in self.asked:
            jobs, found = bought[work.prompt], rows.get(work.prompt, [])
            self.said["runs"] += len(found)
            self.said["jobs"] += jobs
            if jobs > 1 or len(found) > 1:
                self.said["double submits"] += 1
                wrong.append(f"{work.prompt}: {jobs} jobs, {len(found)} runs")
                continue
            state = found[0].state if found else None
            self.said[f"ended as {state}"] += 1
            if lost := _lost(jobs, found[0] if found else None):
                self.said["lost"] += 1
                wrong.append(f"{work.prompt}: {lost}")
        wrong += [f"left in the folder: {name}" for name in leftovers(self.folder / "hailuo")]
        return wrong


def _lives_until(pid: int, moment: float) -> bool:
    """Wait for a fork until a moment; it can still be waited for."""
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() >= moment:
            return True
        time.sleep(0.005)
    return False


def _lost(jobs: int, row: Row | None) -> str:
    if row is None:
        return "bought, and in no log" if jobs else ""
    if row.job_id is not None:
        return "; ".join(finished(row)) if row.state is State.COMPLETED else f"{row.state}"
    if row.state in {State.UNCONFIRMED, State.PREPARED} and not row.record.problem:
        return f"{row.state}, and nothing is said to do"
    if row.state is State.UNCONFIRMED:
        return ""
    return f"{row.state}, and bought" if jobs or row.state is not State.PREPARED else ""


def play(seconds: float, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """Play rounds until the time is over, or something is wrong.

    Parameters
    ----------
    seconds
        A round that has begun is played to its end.
    seed
        Of the first round; each next one has the next number.
    folder
        For logs and clips; a good round's are removed.
    """
    said: Counter[str] = Counter()
    fork_server.prepare()
    frame = folder / "frame.png"
    Image.effect_noise((320, 320), 60).convert("RGB").save(frame)
    end = time.monotonic() + seconds
    with Provider(folder / "clips") as provider:
        os.environ.update(provider.environment())
        while time.monotonic() < end:
            number = seed + said["rounds"]
            home = folder / f"round-{number}"
            home.mkdir()
            a_round = Round(number, random.Random(number), home, provider, frame, [], said)
            wrong = a_round.play()
            said["rounds"] += 1
            if wrong:
                return said, [f"seed {number} ({home}):", *wrong]
            shutil.rmtree(home)
    return said, []


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Kill engines at random and see that nothing is lost."
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None, help="of the first round")
    arguments = parser.parse_args()
    seed = random.randrange(10**6) if arguments.seed is None else arguments.seed
    folder = Path(tempfile.mkdtemp(prefix="random-kills-"))
    said, wrong = play(arguments.minutes * 60, seed, folder)
    for name in ("rounds", "kills", "stops", "runs", "jobs", "lost", "double submits"):
        sys.stdout.write(f"{name}: {said.pop(name, 0)}\n")
    for name, count in sorted(said.items()):
        sys.stdout.write(f"  {name}: {count}\n")
    sys.stdout.write(f"seeds: from {seed}\n")
    if wrong:
        sys.stderr.write("\n".join(["WRONG", *wrong, ""]))
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
