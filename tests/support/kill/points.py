"""Killing an engine at each of its steps, a few at a time, and what became of each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue

from tests.support.kill.case import Outcome, Work
from tests.support.kill.provider import NO_HISTORY, ROOT, Provider

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
    fork_servers
        What forks the engines; see `fork_servers`.
    folder
        Every engine gets a folder of its own in it.
    wire
        The provider's name.
    frame
        A first frame, if the request has one.
    cancelled
        Whether every job never ends, and is cancelled.
    """

    def __init__(
        self,
        provider: Provider,
        fork_servers: Sequence[subprocess.Popen[str]],
        folder: Path,
        wire: str,
        frame: Path | None = None,
        *,
        cancelled: bool = False,
    ) -> None:
        self._provider, self._fork_servers, self._folder = provider, fork_servers, folder
        self._wire, self._frame, self._count = wire, frame, 0
        self._cancelled = cancelled
        if cancelled:
            provider.fault("stuck", count=None, prompt=f"a heron {self._name}-")

    @property
    def _name(self) -> str:
        return f"{self._wire}-cancelled" if self._cancelled else self._wire

    def work(self, *, history: bool = True, **how: object) -> Work:
        """Return one engine's work; how it ends as for `Work`."""
        self._count += 1
        name = f"{self._name}-{self._count}"
        key = f"key-{name}-{'' if history else NO_HISTORY}-0123456789"
        frame = None if self._frame is None else str(self._frame)
        work = Work(
            str(self._folder / name), self._provider.url, self._wire, key, f"a heron {name}", frame,
            cancelled=self._cancelled,
        )  # fmt: skip
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

        threads = [threading.Thread(target=serve, args=(each,)) for each in self._fork_servers]
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

    def at(self, pattern: str) -> list[Death]:
        """Kill an engine at each step of such a name: those that only this wire has."""
        return self.run(
            self.work(name=name, turn=turn)
            for name, turn in self.steps()
            if re.search(pattern, name)
        )

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
def fork_servers(provider: Provider) -> Iterator[list[subprocess.Popen[str]]]:
    """Start processes that fork engines; they are killed at the end, and their forks with them."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.kill.fork_server"],
            cwd=ROOT,
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
