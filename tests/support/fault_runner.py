"""Lets the rows of the fault table happen: one engine, hundreds of runs, each with its own time.

A run's waits take no time: they move a clock that this run alone goes by. What is on its way over
the sockets takes the time it takes.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hailuo_jupyter import catalogue, providers, request
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine import timings
from hailuo_jupyter.engine.clock import Clock
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.resources import ProviderRegistry
from hailuo_jupyter.engine.submission import Submission
from hailuo_jupyter.errors import KeyMissing
from hailuo_jupyter.keys import Key, KeyHeader
from hailuo_jupyter.providers.base import Call, Dialect, News, Reply
from hailuo_jupyter.providers.history import HistoryRow
from hailuo_jupyter.providers.http import Http, Patience, Stream
from hailuo_jupyter.record import OriginRecord, ProblemRecord, Record
from hailuo_jupyter.runlog import Row, heartbeats
from hailuo_jupyter.settings import Hailuo
from tests.simulator import Simulator
from tests.simulator.faults import Fault
from tests.support.fault_outcomes import ANOTHER_WAY, EXPIRED, UNANSWERED, Outcome
from tests.support.fault_table import STAGES, Injected, Met, Stage, Trouble
from tests.support.ports import closed_port

#: Seconds for which a provider keeps a result, where a run is to outlive that.
SHORT_RETENTION_S = 60.0

#: For rows that need real waiting.
HURRIED = Patience(read=2.5, whole=4.0, window=2.0, least=1000)

_ROUND_S = timings.DEFAULT.history_round_s

#: More runs at once only wait for each other.
_AT_ONCE = 40

#: How often a passing trouble of the road is met, and after how many calls it begins.
_ROAD_STRIKES = 2


@dataclass
class Scenario:
    """One run that meets one fault at one stage, with a clock of its own."""

    number: int
    row: Trouble
    stage: Stage
    met: Met
    provider: str
    lasting: bool
    passed: float = 0.0
    jumped: float = 0.0
    sleeps: int = 0
    under_way: int = 0
    struck: int = 0
    run_id: str = ""
    calls: Counter[Stage] = field(default_factory=Counter)
    problems: list[ProblemRecord] = field(default_factory=list)
    on_time: Callable[[float], None] = lambda _: None

    def __str__(self) -> str:
        how = "lasting" if self.lasting else "passing"
        return f"{self.row.name}, {how}, at {self.stage}, {self.provider}"

    @property
    def expected(self) -> Outcome:
        outcome = self.met.lasting if self.lasting else self.met.passing
        assert outcome is not None
        return outcome

    @property
    def prompt(self) -> str:
        return f"[{self.number:04}]"

    @property
    def key(self) -> str:
        # Shorter than what is registered as a secret: hundreds of those would slow every redaction.
        return f"n{self.number:04}{self.row.key}."

    def faults(self) -> Iterable[Fault]:
        """Yield the simulator's faults of this scenario."""
        for each in self.row.faults:
            # It never strikes alone what it needs to be seen in: a look that tells of work.
            yield self._fault(each, STAGES[self.stage], endless=self.lasting)
        for each in self.row.besides:
            yield self._fault(each, each.stage, endless=False)
        if self.stage == "history":  # it is asked for what became of a lost answer
            yield Fault.of("lost-answer", "submit", key=self.key)

    def _fault(self, each: Injected, stage: str | None, *, endless: bool) -> Fault:
        count = None if endless else each.count
        where = {"prompt": self.prompt} if stage == "media" else {"key": self.key}
        return Fault.of(each.name, stage, count, **where, **each.details)

    def blocked(self, stage: Stage) -> bool:
        """Tell whether the road is blocked for the next call of a stage."""
        row = self.row
        if not row.road or stage != self.stage:
            return False
        if row.minutes is not None:
            return self.passed < row.minutes * 60.0
        if row.time and stage == "poll" and self.calls[stage] <= 2:
            return False  # after a long sleep the job has to be done
        return self.lasting or self.struck < _ROAD_STRIKES + bool(row.time)

    def slept(self, seconds: float) -> None:
        """Let a wait pass at once, and turn the clocks where the row says so."""
        self.sleeps += 1
        self.passed += seconds
        met = self.calls[self.stage] and (self.struck or not self.row.road)
        if self.row.time and met and not self.jumped:
            self.jumped = {
                "asleep": 1800.0,
                "asleep long": 2.0 * SHORT_RETENTION_S + 600.0,
                "set back": -3600.0,
            }[self.row.time]
        self.on_time(self.passed)


CURRENT: ContextVar[Scenario | None] = ContextVar("scenario", default=None)


async def _sleep(seconds: float) -> None:
    if (scenario := CURRENT.get()) is None:
        await asyncio.sleep(seconds)
        return
    if seconds == heartbeats.LIMITS.beat_s:
        await asyncio.sleep(seconds)  # a heartbeat turns no clock
        return
    # What settles costs goes by the same clock. It must not turn it on while an answer is on its way,
    # or the clip's retention would pass many times meanwhile; nor before the request is sent, or the
    # simulator's clock would be far behind.
    while scenario.under_way or (seconds == _ROUND_S and not scenario.calls["submit"]):
        await asyncio.sleep(0.002)
    scenario.slept(seconds)
    await asyncio.sleep(0.002)


def _wall() -> float:
    scenario = CURRENT.get()
    return time.time() + (scenario.passed + scenario.jumped if scenario else 0.0)


def _monotonic() -> float:
    scenario = CURRENT.get()
    return time.monotonic() + (scenario.passed if scenario else 0.0)


CLOCK = Clock(_wall, _monotonic, _sleep)


class _HoldingTime(Http):
    """Holds a scenario's clock while one of its calls is under way."""

    async def send(self, call: Call, key: KeyHeader | None, *, fresh: bool = False) -> Reply:
        with _under_way():
            return await super().send(call, key, fresh=fresh)

    @asynccontextmanager
    async def download(
        self, link: str, *, trusted_host: str | None, key: KeyHeader | None = None
    ) -> AsyncIterator[Stream]:
        with _under_way():
            async with super().download(link, trusted_host=trusted_host, key=key) as stream:
                yield stream


@contextmanager
def _under_way() -> Iterator[None]:
    if (scenario := CURRENT.get()) is None:
        yield
        return
    scenario.under_way += 1
    try:
        yield
    finally:
        scenario.under_way -= 1


class _Led:
    """What leads a dialect's calls onto the scenario's road."""

    scenario: Scenario
    roads: dict[str, str]

    def lead(self, stage: Stage, call: Call) -> Call:
        self.scenario.calls[stage] += 1
        return replace(call, url=self.led(stage, call.url))

    def led(self, stage: Stage, url: str) -> str:
        if not self.scenario.blocked(stage):
            return url
        self.scenario.struck += 1
        road = urlsplit(self.roads[self.scenario.row.road])
        return urlsplit(url)._replace(scheme=road.scheme, netloc=road.netloc).geturl()


def _led(base: type[Dialect]) -> type[Dialect]:
    class Led(_Led, base):  # type: ignore[misc, valid-type]
        def submit(self, *given: Any) -> Call:
            return self.lead("submit", super().submit(*given))

        def status(self, *given: Any) -> Call:
            return self.lead("poll", super().status(*given))

        def result(self, *given: Any) -> Call | None:
            call = super().result(*given)
            return call and self.lead("result", call)

        def upload(self, *given: Any) -> Call | None:
            call = super().upload(*given)
            return call and self.lead("upload", call)

        def history(self, *given: Any) -> Call | None:
            call = super().history(*given)
            return call and self.lead("history", call)

        def history_row(self, *given: Any) -> Call | None:
            call = super().history_row(*given)
            return call and self.lead("history", call)

        def read_history_row(self, reply: Reply) -> HistoryRow:
            row: HistoryRow = super().read_history_row(reply)
            return replace(row, link=row.link and self.led("download", row.link))

        def news(self, reply: Reply, job_id: str | None = None) -> News:
            news: News = super().news(reply, job_id)
            if news.link is None:
                return news
            self.scenario.calls["download"] += 1
            return replace(news, link=self.led("download", news.link))

    return Led


class RoadWires(ProviderRegistry):
    """Leads each run to the simulator, by the road of its scenario."""

    def __init__(self, settings: Hailuo, sim: Simulator, roads: dict[str, str]) -> None:
        super().__init__(settings)
        self._sim, self._roads = sim, roads

    def provider(self, name: str, dialect: str | None = None) -> Provider:
        # By the name that its run has: an account is one of a provider of that name.
        return replace(super().provider(name.partition("-")[0], dialect), name=name)

    def of_record(self, record: Record) -> Provider:
        name, _, _ = record.provider.partition("-")
        return replace(super().of_record(record.changed(provider=name)), name=record.provider)

    def key(self, provider: Provider, folder: Path) -> Key:  # noqa: ARG002
        scenario = CURRENT.get()
        if scenario is None:  # what settles costs in the background has no part in this
            raise KeyMissing("There is no key.")
        return Key(scenario.key, "the test")

    def dialect(self, provider: Provider) -> Dialect:
        url = self._sim.url
        api = f"{url}/runware" if provider.dialect == "runware" else url
        addresses = {"api": api, "storage": url, "history": f"{url}/inference-request"}
        base = type(providers.dialect(provider, addresses))
        made: Any = _led(base)(provider, addresses)
        made.scenario, made.roads = CURRENT.get(), self._roads
        return made  # type: ignore[no-any-return]


@contextmanager
def roads(patch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Return addresses at which nobody can be reached, by the names that rows know them by."""
    for name in ("HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "HTTPS_PROXY"):
        patch.delenv(name, raising=False)
        patch.delenv(name.lower(), raising=False)
    patch.setattr("hailuo_jupyter.engine.thread.Http", _HoldingTime)
    patch.delenv("HAILUO_LOOPBACK_ONLY", raising=False)  # names under .invalid are nobody's
    patch.setenv("NO_PROXY", "no-such-host.invalid")
    with closed_port() as nobody, speaking_no_tls() as no_tls:
        patch.setenv("HTTPS_PROXY", f"http://{nobody}")
        yield {
            "refused": f"http://{nobody}",
            "dns": "https://no-such-host.invalid",
            "tls": f"https://{no_tls}",
            "proxy": "https://behind-a-proxy.invalid",
        }


@contextmanager
def speaking_no_tls() -> Iterator[str]:
    """Serve what is no TLS to whoever connects; gives host and port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, suppress(OSError):
                        connection.recv(65536)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)  # or it would go on accepting


@dataclass
class FaultRunner:
    """A simulator, and what engines on it are made with."""

    sim: Simulator
    folder: Path
    frame: Path
    roads: dict[str, str]

    def settings(self, name: str, max_clip_gb: float = 2.0) -> Hailuo:
        log = self.folder / name / "runs.sqlite3"
        return Hailuo(run_log=str(log), max_clip_gb=max_clip_gb)

    def engine(self, name: str, patience: Patience | None = None, **settings: Any) -> Engine:
        made = self.settings(name, **settings)
        engine = Engine(made, CLOCK, RoadWires(made, self.sim, self.roads), patience)
        engine.events.listen(None, self._heard)
        return engine

    def _heard(self, row: Row) -> None:
        scenario, problem = CURRENT.get(), row.record.problem
        if scenario is not None and problem is not None and problem not in scenario.problems:
            scenario.problems.append(problem)

    def place(self, engine: Engine, scenario: Scenario) -> None:
        """Begin a scenario's run; it carries the scenario with it."""
        self.sim.add(*scenario.faults())
        if scenario.row.faults and (minutes := scenario.row.minutes) is not None:
            scenario.on_time = lambda passed: self._end(scenario, passed >= minutes * 60.0)
        context = copy_context()
        context.run(CURRENT.set, scenario)
        (placed,) = context.run(engine.submit, self._order(scenario))
        scenario.run_id = placed.run.run_id

    @contextmanager
    def settling(self, scenario: Scenario) -> Iterator[Engine]:
        """Start an engine that goes by a scenario's clock altogether, and place its run."""
        context = copy_context()
        context.run(CURRENT.set, scenario)
        hurried = HURRIED if scenario.row.slow else None
        engine = context.run(self.engine, f"history{scenario.number}", hurried)
        try:
            self.place(engine, scenario)
            yield engine
        finally:
            engine.stop()

    def _end(self, scenario: Scenario, now: bool) -> None:
        if now:
            self.sim.state.faults.clear(
                lambda each: scenario.key in (each.key or "") or each.prompt == scenario.prompt
            )

    def _order(self, scenario: Scenario) -> Submission:
        whose = catalogue.provider(scenario.provider)
        outlives = (
            scenario.expected in {UNANSWERED, EXPIRED, ANOTHER_WAY}
            or scenario.row.time == "asleep long"
        )
        # A name of its own: a provider's Retry-After holds back all its runs.
        whose = replace(
            whose,
            name=f"{whose.name}-{scenario.number}",
            retention_s=SHORT_RETENTION_S if outlives else whose.retention_s,
        )
        asked = request.build(
            scenario.prompt,
            whose,
            options={},
            image=self.frame if scenario.stage == "upload" else None,
        )
        return Submission(
            asked,
            whose,
            self.folder / "clips" / str(scenario.number),
            OriginRecord(notebook_id="a-notebook"),
            key_folder=self.folder,
        )

    def run(self, engine: Engine, scenarios: Iterable[Scenario], timeout: float = 900.0) -> None:
        """Run scenarios side by side to their ends."""
        end = time.monotonic() + timeout
        for scenario in scenarios:
            while len(engine.active_runs()) >= _AT_ONCE:
                assert time.monotonic() < end, [str(each) for each in engine.active_runs()]
                time.sleep(0.005)
            self.place(engine, scenario)
        while hanging := engine.active_runs():
            assert time.monotonic() < end, [str(each) for each in hanging]
            time.sleep(0.01)
