"""Killing an engine at each of its steps, a few at a time, and what became of each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue

import zygote
from provider import NO_HISTORY, Provider
from work import Outcome, Work

#: Processes that fork engines; most of the time one of their forks waits for the other side.
_AT_ONCE = 3


@dataclass(frozen=True)
class Death:
    """One engine that was killed, or was to be."""

    work: Work
    outcome: Outcome

    @property
    def step(self) -> str:
        """The step before which it died."""
        return self.outcome.trail[-1] if self.outcome.trail else ""

    def __str__(self) -> str:
        history = "no history" if NO_HISTORY in self.work.key else "history"
        what = "held" if self.work.held else f"{self.work.name} [{self.work.turn}]"
        done = self.outcome
        states = f"{done.at_death} -> {done.taken_over} -> {done.again}, {done.bought} bought"
        return f"{self.work.wire}, {history}, {what}: {states}"


class Killer:
    """Kills engines on one wire.

    Parameters
    ----------
    provider
        Both providers' other side.
    zygotes
        What forks the engines; see `zygotes`.
    folder
        Every engine gets a folder of its own in it.
    wire
        ``"segmind"`` or ``"aimlapi"``.
    frame
        A first frame, if the request has one.
    """

    def __init__(
        self,
        provider: Provider,
        zygotes: Sequence[subprocess.Popen[str]],
        folder: Path,
        wire: str,
        frame: Path | None,
    ) -> None:
        self._provider, self._zygotes, self._folder = provider, zygotes, folder
        self._wire, self._frame, self._count = wire, frame, 0

    def work(self, *, history: bool = True, **how: object) -> Work:
        """Give one engine's work; how it ends as for `Work`."""
        self._count += 1
        name = f"{self._wire}-{self._count}"
        key = f"key-{name}-{'' if history else NO_HISTORY}-0123456789"
        frame = None if self._frame is None else str(self._frame)
        work = Work(
            str(self._folder / name), self._provider.url, self._wire, key, f"a heron {name}", frame
        )
        return replace(work, **how)  # type: ignore[arg-type]

    def run(self, works: Iterable[Work]) -> list[Death]:
        """Have engines killed, a few at a time."""
        queue: SimpleQueue[Work] = SimpleQueue()
        for work in works:
            queue.put(work)
        deaths: list[Death] = []

        def serve(process: subprocess.Popen[str]) -> None:
            while True:
                try:
                    work = queue.get_nowait()
                except Empty:
                    return
                deaths.append(Death(work, _ask(process, work)))

        threads = [threading.Thread(target=serve, args=(each,)) for each in self._zygotes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return deaths

    def steps(self) -> list[tuple[str, int]]:
        """Find the steps of an engine that lives: their names, and the how manieth of its name."""
        # The first one makes the provider draw the clip, and so waits longer for it.
        self.run([self.work()])
        (death,) = self.run([self.work()])
        assert not death.outcome.wrong, death.outcome.wrong
        seen: Counter[str] = Counter()
        found = []
        for name in death.outcome.trail:
            seen[name] += 1
            found.append((name, seen[name]))
        return found

    def everywhere(self) -> list[Death]:
        """Kill an engine at each step, and where nobody can know whether it has bought, once more.

        There it is done also for a provider that keeps no history.
        """
        deaths = self.run(self.work(name=name, turn=turn) for name, turn in self.steps())
        unsure = [each.work for each in deaths if each.outcome.at_death == "submitting"]
        deaths += self.run(
            self.work(history=False, name=work.name, turn=work.turn) for work in unsure
        )
        prompts = self.work().prompt.rpartition("-")[0]
        self._provider.fault("delay", "submit", count=2, prompt=prompts, seconds=60)
        deaths += self.run(self.work(history=history, held=True) for history in (True, False))
        return deaths


def _ask(process: subprocess.Popen[str], work: Work) -> Outcome:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(asdict(work)) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
    except BrokenPipeError:
        answer = ""
    return Outcome(**json.loads(answer)) if answer else Outcome(wrong=["the forking process died"])


@contextmanager
def zygotes(provider: Provider) -> Iterator[list[subprocess.Popen[str]]]:
    """Start processes that fork engines; they are killed at the end, and their forks with them."""
    processes = [
        subprocess.Popen(
            [sys.executable, zygote.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **provider.environment()},
        )
        for _ in range(_AT_ONCE)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()
