"""Send finished runs to the configured sinks: one child process for each run and sink.

The child is ``jupyter hailuo log-to SINK RUN --undelivered``. So a sink's library is never in the kernel: it
may be slow, print, hang or crash, and it never sees a provider's key.

A list in the run log (`hailuo_jupyter.runlog.deliveries`) makes this safe, not this process:

- *No finished run is lost.* A run is on the list from its first change, minutes before it ends. What
  the child has not delivered stays undelivered, whichever process is killed when, and is retried with
  the next run that finishes, and by ``log-to SINK --undelivered``.
- *Nothing is logged twice.* A child acquires the sink's lock, checks the list again, calls the sink
  and stores the revision before it releases the lock. If it dies between the call and that, the sink
  itself has the revision (`Sink.ended`).

Nothing waits for this: code that changes a run passes its row on, and a thread for each sink does the
rest, with at most one child at a time.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from hailuo_jupyter import redact
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.runlog.connection import is_there
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import FINAL

logger = logging.getLogger(__name__)

#: Seconds that a sink has for one run, including its clip.
TIMEOUT_S = 300.0

#: Seconds that a kernel's exit waits for the running child.
END_S = 3.0

#: A round ends after this many consecutive failures: the sink is broken, not the runs.
_MOST_FAILURES = 3

#: Seconds between checks of a child.
_TICK_S = 0.05

Listen = Callable[[str | None, Callable[[Row], None]], Callable[[], None]]


@dataclass(frozen=True)
class Health:
    """The status of one sink in this process.

    Parameters
    ----------
    sent, failed, waiting
        Runs, a later revision is counted again; the waiting ones as of the last check.
    problem
        The last error, in words; empty if there is none, or a later run was delivered.
    """

    sent: int = 0
    failed: int = 0
    waiting: int = 0
    problem: str = ""


class SinkQueue:
    """One sink's list, and the thread that starts a child for each finished run on it.

    Parameters
    ----------
    name
        The sink.
    logs
        The run logs' files, the demo's under True.
    timeout_s
        Seconds that the sink has for one run.
    """

    def __init__(self, name: str, logs: Mapping[bool, Path], timeout_s: float = TIMEOUT_S) -> None:
        self.name, self._logs, self._timeout_s = name, logs, timeout_s
        self.health = Health()
        self._changed = threading.Condition()
        self._unlisted: dict[str, Row] = {}  # reported, and not yet on the list
        self._seen: dict[str, int] = {}  # run: the latest reported revision
        self._failed: set[str] = set()
        self._reported: set[str] = set()
        self._wanted = self._busy = False
        self._ends_at: float | None = None  # set when the shutdown has started
        self._thread: threading.Thread | None = None

    def offer(self, row: Row) -> None:
        """Queue a run's change. Returns at once, regardless of the sink."""
        with self._changed:
            seen = self._seen.get(row.run_id)
            finished = row.state in FINAL
            # It is on the list from its first change; of later changes only the end matters.
            if self._ends_at is not None or (seen is not None and not finished):
                return
            if seen is not None and seen >= row.revision:
                return  # it is only being displayed
            self._seen[row.run_id] = row.revision
            self._unlisted[row.run_id] = row
            self._wanted |= finished
            if self._thread is None:
                name = f"hailuo-sink-{self.name}"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def idle(self, timeout: float) -> bool:
        """Wait until every reported run was tried; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not (self._unlisted or self._wanted or self._busy), timeout
            )

    def close(self, wait_s: float) -> None:
        """Stop accepting runs. One last child, which outlives this process, delivers the rest."""
        with self._changed:
            self._ends_at = time.monotonic() + wait_s
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(wait_s + 2.0)

    def _work(self) -> None:
        while self._wait():
            try:
                self._list_runs()
                self._round()
            except HailuoError as error:  # the run log cannot be used now
                self._answered(str(error))
            except Exception as error:
                logger.exception("the sink %s", self.name)
                self._answered(f"{type(error).__name__} on the way to it.")
            with self._changed:
                self._busy = False
                self._changed.notify_all()
        self._start_last_child()

    def _wait(self) -> bool:
        """Wait for something to do; False at the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._unlisted or self._wanted or self._ends_at is not None
            )
            if self._ends_at is not None:
                return False
            self._busy = True
            return True

    def _list_runs(self) -> None:
        with self._changed:
            rows, self._unlisted = list(self._unlisted.values()), {}
        for demo in {row.provider == "demo" for row in rows}:
            with RunLog(self._logs[demo]) as log:
                ids = [row.run_id for row in rows if (row.provider == "demo") == demo]
                log.put_on_list(self.name, ids)

    def _round(self) -> None:
        """Start a child for each undelivered run, also of earlier processes, one after the other."""
        with self._changed:
            wanted, self._wanted = self._wanted, False
        if not wanted:
            return
        rows = self._undelivered()
        # Runs that failed before come last, so that they do not delay others.
        rows.sort(key=lambda row: row.run_id in self._failed)
        failures = 0
        for number, row in enumerate(rows):
            self.health = replace(self.health, waiting=len(rows) - number)
            problem = self._send(row)
            if problem is None:
                return  # the kernel exits
            self._answered(problem, row)
            failures = failures + 1 if problem else 0
            if failures == _MOST_FAILURES:
                break
        self.health = replace(self.health, waiting=len(self._undelivered()))

    def _undelivered(self) -> list[Row]:
        with _existing_logs(self._logs) as logs:
            return [row for log in logs for row in log.undelivered(self.name)]

    def _send(self, row: Row) -> str | None:
        """Send a run with a child process. Return the error, empty for none; None at the end."""
        from hailuo_jupyter.sinks import registry

        try:
            registry.check(self.name)  # a child would report the same, seconds later
        except HailuoError as error:
            return str(error)
        # A file, not a pipe: nothing reads while this thread waits, or after this process has ended.
        with tempfile.TemporaryFile() as output:
            try:
                child = self._start(output, row.run_id)
            except OSError as error:
                return redact.text(f"Its process could not be started: {error}")
            until = time.monotonic() + self._timeout_s
            while child.poll() is None:
                now = time.monotonic()
                if self._ends_at is not None and now >= self._ends_at:
                    _leave(child)
                    return None
                if now >= until:
                    _kill(child)
                    return f"It did not answer within {self._timeout_s:g} s and was stopped."
                with self._changed:
                    self._changed.wait(_TICK_S)
                # Meanwhile further runs start and finish: they are added to the list promptly.
                self._list_runs()
            if child.returncode == 0:
                return ""
            output.seek(0)
            lines = output.read().decode("utf-8", "replace").strip().splitlines()
        words = lines[-1].removeprefix(f"Run {row.run_id}: ") if lines else ""
        return redact.text(words) or "Its process exited without an answer."

    def _start_last_child(self) -> None:
        """Leave undelivered runs to a child that continues after this process ends.

        They stay on the list until that child has sent them: if the machine is switched off now, the next
        run's child, of any process, sends them.
        """
        with suppress(HailuoError, OSError):
            self._list_runs()
            if {row.run_id for row in self._undelivered()} - self._failed:
                _leave(self._start(subprocess.DEVNULL))

    def _start(self, output: IO[bytes] | int, *run_ids: str) -> subprocess.Popen[bytes]:
        """Start the command. Its arguments are the sink's name and ids of runs, never a key."""
        return subprocess.Popen(  # noqa: S603 - our own command
            # -P: nothing in the notebook's folder can be imported as a library.
            [
                *(sys.executable, "-P", "-m", "hailuo_jupyter.cli", "log-to", self.name),
                *(*run_ids, "--undelivered"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            env=self._environment(),
            start_new_session=True,  # an interrupt of the kernel must not reach it
        )

    def _environment(self) -> dict[str, str]:
        """Return this process's current environment, without the providers' keys.

        The current one: ``mlflow.set_tracking_uri`` in the notebook sets a variable that the child uses.
        """
        from hailuo_jupyter.sinks.delivery import key_variables

        hidden = key_variables()
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        return {**kept, "HAILUO_RUN_LOG": str(self._logs[False]), "HAILUO_SINKS": ""}

    def _answered(self, problem: str, row: Row | None = None) -> None:
        if not problem:
            self.health = replace(self.health, sent=self.health.sent + 1, problem="")
            if row is not None:
                self._failed.discard(row.run_id)
            return
        self.health = replace(self.health, failed=self.health.failed + 1, problem=problem)
        if row is not None:
            self._failed.add(row.run_id)
        if problem not in self._reported:
            self._reported.add(problem)
            logger.warning(
                "The sink %s failed for a run. %s Runs and clips are unchanged; use 'jupyter "
                "hailuo log-to %s' to send them later.",
                self.name,
                problem,
                self.name,
            )


class Dispatcher:
    """Receives all runs of an engine, and passes them to the configured sinks.

    Parameters
    ----------
    settings
        Its ``sinks`` may change at any time; a run that ended before a sink was set is not sent.
    listen
        `hailuo_jupyter.engine.events.RunEvents.listen`.
    """

    def __init__(self, settings: Hailuo, listen: Listen) -> None:
        self._settings = settings
        self._logs = {demo: settings.run_log_path(demo=demo) for demo in (False, True)}
        self._queues: dict[str, SinkQueue] = {}
        self._adding = threading.Lock()
        self._since: dict[str, float] = {}
        self._choose()
        settings.observe(self._choose, "sinks")
        self._observing = True
        self._leave = listen(None, self._on_change)

    def health(self) -> dict[str, Health]:
        """Return the status of the sinks that received a run."""
        return {name: queue.health for name, queue in self._queues.items()}

    def idle(self, timeout: float) -> bool:
        """Wait until all deliveries are done; False after `timeout` seconds for one."""
        return all(queue.idle(timeout) for queue in tuple(self._queues.values()))

    def close(self, wait_s: float = END_S) -> None:
        """Stop listening, and deliver the waiting runs, within about `wait_s` seconds per sink.

        May be repeated.
        """
        self._leave()
        self._since = {}
        if self._observing:
            self._observing = False
            self._settings.unobserve(self._choose, "sinks")
        for queue in tuple(self._queues.values()):
            queue.close(wait_s)

    def _choose(self, _change: Any = None) -> None:
        now = time.time()
        self._since = {name: self._since.get(name, now) for name in self._settings.sinks}

    def _on_change(self, row: Row) -> None:
        for name, since in self._since.items():
            # A run that is only displayed was changed earlier.
            if row.updated >= since:
                self._queue(name).offer(row)

    def _queue(self, name: str) -> SinkQueue:
        with self._adding:
            if name not in self._queues:
                self._queues[name] = SinkQueue(name, self._logs)
            return self._queues[name]


@contextmanager
def _existing_logs(paths: Mapping[bool, Path]) -> Iterator[list[RunLog]]:
    """Open the logs that exist; none is created."""
    with ExitStack() as stack:
        yield [stack.enter_context(RunLog(path)) for path in paths.values() if is_there(path)]


def _leave(child: subprocess.Popen[bytes]) -> None:
    """Keep a child running after this process."""
    child.returncode = 0  # else Python warns at exit about a running child


def _kill(child: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        child.kill()
    else:
        with suppress(ProcessLookupError):  # including the library's own child processes
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()


_dispatcher: Dispatcher | None = None


def follow(settings: Hailuo, listen: Listen) -> None:
    """Connect this process's dispatcher to an engine's runs, instead of an earlier engine's."""
    global _dispatcher  # noqa: PLW0603 - there is one engine per process, and so one dispatcher
    close(0.0)
    _dispatcher = Dispatcher(settings, listen)


def close(wait_s: float = END_S) -> None:
    """End this process's dispatcher, if there is one."""
    global _dispatcher
    closing, _dispatcher = _dispatcher, None
    if closing is not None:
        closing.close(wait_s)


def health() -> dict[str, Health]:
    """Return the status of this process's sinks; empty if none received a run."""
    return {} if _dispatcher is None else _dispatcher.health()


def _forget() -> None:
    """Reset in a forked child, which does not have the threads."""
    global _dispatcher  # noqa: PLW0603
    _dispatcher = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
