"""From runs that end to the sinks that are set, without delaying anybody.

Whoever changes a run only puts its row into a bounded list; a thread for each sink does the rest. A
sink that fails is told of once, in words, and is tried again with the next run.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import FINAL

if TYPE_CHECKING:
    from hailuo_jupyter.sinks.courier import Courier

logger = logging.getLogger(__name__)

#: Most runs that wait for one sink; what comes beyond that is left out, and told.
MOST_WAITING = 1000

#: Seconds without a run after which a sink's process is let go.
_IDLE_S = 60.0

#: Seconds that the end of a kernel waits for what is not sent yet.
END_S = 3.0

Listen = Callable[[str | None, Callable[[Row], None]], Callable[[], None]]


@dataclass
class Health:
    """How one sink does, in this process.

    Parameters
    ----------
    sent, failed, waiting, left_out
        Runs, a later revision counted again.
    problem
        The last one, in words; empty where there is none, or where a later run was taken.
    """

    sent: int = 0
    failed: int = 0
    waiting: int = 0
    left_out: int = 0
    problem: str = ""


@dataclass
class Route:
    """The way to one sink: what waits, and the thread that brings it."""

    courier: Courier
    most: int = MOST_WAITING
    health: Health = field(default_factory=Health)
    _waiting: OrderedDict[str, Row] = field(default_factory=OrderedDict)
    _taken: dict[str, int] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _busy: bool = False
    _wait_s: float | None = None  # not None: it ends
    _told: set[str] = field(default_factory=set)

    def take(self, row: Row) -> None:
        """Put a run on the way; a later revision takes the place of one that still waits."""
        with self._changed:
            if self._wait_s is not None or self._taken.get(row.run_id, 0) >= row.revision:
                return
            if len(self._waiting) >= self.most and row.run_id not in self._waiting:
                self.health.left_out += 1
                self._say(f"More than {self.most} runs wait for it; further ones are left out.")
                return
            self._taken[row.run_id] = row.revision
            self._waiting[row.run_id] = row
            self._count()
            if self._thread is None:
                name = f"hailuo-sink-{self.courier.name}"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def idle(self, timeout: float) -> bool:
        """Wait until nothing waits or is on its way; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout)

    def close(self, wait_s: float) -> None:
        """Take nothing more; what waits is handed over, and done after the end if need be."""
        with self._changed:
            self._wait_s = wait_s
            self._changed.notify_all()
        self.courier.interrupt()
        if self._thread is not None:
            self._thread.join(wait_s + 2.0)

    def _work(self) -> None:
        from hailuo_jupyter.sinks import offered

        while (row := self._next()) is not None:
            try:
                offered.check(self.courier.name)
                problem = self.courier.bring(row)
            except HailuoError as error:
                problem = str(error)
            except Exception as error:
                logger.exception("the sink %s", self.courier.name)
                problem = f"{type(error).__name__} in the way to it."
            with self._changed:
                self._busy = False
                self._count()
                if self._wait_s is None:
                    self._answered(problem)
                self._changed.notify_all()
        with self._changed:
            rest = list(self._waiting.values())
            self._waiting.clear()
        try:
            # What cannot be loaded was told of; a process would only say so again.
            offered.check(self.courier.name)
        except HailuoError:
            rest = []
        self.courier.leave(rest, self._wait_s or 0.0)

    def _next(self) -> Row | None:
        """Give the run that has waited longest; None at the end."""
        while True:
            with self._changed:
                something = self._changed.wait_for(
                    lambda: self._waiting or self._wait_s is not None,
                    _IDLE_S if self.courier.running else None,
                )
                if self._wait_s is not None:
                    return None
                if something:
                    self._busy = True
                    return self._waiting.popitem(last=False)[1]
            # Outside of the lock, which whoever changes a run needs.
            self.courier.leave(wait_s=1.0)

    def _answered(self, problem: str) -> None:
        if not problem:
            self.health.sent += 1
            self.health.problem = ""
            return
        self.health.failed += 1
        self._say(problem)

    def _say(self, problem: str) -> None:
        self.health.problem = problem
        if problem not in self._told:
            self._told.add(problem)
            logger.warning(
                "The sink %s did not take a run. %s Runs and clips are as they were; "
                "'jupyter hailuo log-to %s' sends them later.",
                self.courier.name,
                problem,
                self.courier.name,
            )

    def _count(self) -> None:
        self.health.waiting = len(self._waiting) + self._busy


class Relay:
    """Hears of all runs of an engine.

    Parameters
    ----------
    settings
        Its ``sinks`` may change at any time; a run that ended before a sink was set is not sent.
    listen
        `hailuo_jupyter.engine.board.Board.listen`.
    """

    def __init__(self, settings: Hailuo, listen: Listen) -> None:
        self._settings = settings
        self._routes: dict[str, Route] = {}
        self._adding = threading.Lock()
        self._since: dict[str, float] = {}
        self._choose()
        settings.observe(self._choose, "sinks")
        self._observing = True
        self._leave = listen(None, self._heard)

    def health(self) -> dict[str, Health]:
        """Tell how the sinks do that were told of a run."""
        return {name: route.health for name, route in self._routes.items()}

    def idle(self, timeout: float) -> bool:
        """Wait until nothing is on its way to any sink; False after `timeout` seconds for one."""
        return all(route.idle(timeout) for route in tuple(self._routes.values()))

    def close(self, wait_s: float = END_S) -> None:
        """Hear of nothing more, and hand over what waits, within about `wait_s` seconds a sink.

        May be repeated.
        """
        self._leave()
        self._since = {}
        if self._observing:
            self._observing = False
            self._settings.unobserve(self._choose, "sinks")
        for route in tuple(self._routes.values()):
            route.close(wait_s)

    def _choose(self, _change: Any = None) -> None:
        now = time.time()
        self._since = {name: self._since.get(name, now) for name in self._settings.sinks}

    def _heard(self, row: Row) -> None:
        if row.state not in FINAL:
            return
        for name, since in self._since.items():
            # A run that is only looked at was changed before.
            if row.updated >= since:
                self._route(name).take(row)

    def _route(self, name: str) -> Route:
        from hailuo_jupyter.sinks.courier import Courier

        with self._adding:
            if name not in self._routes:
                self._routes[name] = Route(Courier(name, lock_of(self._settings, name)))
            return self._routes[name]


def lock_of(settings: Hailuo, name: str) -> Path:
    """Give the file by which processes take turns at a sink: beside the run log."""
    path = settings.run_log_path()
    safe = "".join(each for each in name if each.isalnum() or each in "-_")
    return path.with_name(f"{path.name}.sink-{safe}")


_relay: Relay | None = None


def follow(settings: Hailuo, listen: Listen) -> None:
    """Have this process's relay hear of an engine's runs, in place of an earlier engine's."""
    global _relay  # noqa: PLW0603 - there is one engine a process, and so one relay
    close(0.0)
    _relay = Relay(settings, listen)


def close(wait_s: float = END_S) -> None:
    """End this process's relay, if there is one."""
    global _relay
    closing, _relay = _relay, None
    if closing is not None:
        closing.close(wait_s)


def health() -> dict[str, Health]:
    """Tell how this process's sinks do; empty where none was told of a run."""
    return {} if _relay is None else _relay.health()


def _forget() -> None:
    """Let go in a forked child, which has none of the threads."""
    global _relay  # noqa: PLW0603
    _relay = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
