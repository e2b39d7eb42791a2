"""Whatever a provider answers about a job that is paid for, its clip comes in the end.

Here on the newer path of AI/ML API, and with clips on other hosts; the table of faults has the rest.

The runs of all faults go at once, in one simulator and one engine; each is told by its prompt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.simulator import Simulator
from tests.simulator.fault_list import FAULTS, Effect
from tests.support.engine_fixture import KEYS, EngineFixture, ending, options, shorten


@dataclass(frozen=True)
class Case:
    """Faults that one run meets, as `Simulator.fault` takes them."""

    name: str
    provider: str
    faults: tuple[tuple[str, str | None, int | None, dict[str, Any]], ...]
    wire: str | None = None

    @property
    def prompt(self) -> str:
        return f"[{' '.join(filter(None, (self.name, 'at', self.provider, self.wire)))}]"


def case(
    name: str,
    stage: str | None = None,
    count: int | None = 1,
    *,
    on: str = "segmind aimlapi",
    wire: str | None = None,
    **details: Any,
) -> list[Case]:
    return [
        Case(f"{name} of {stage}" if stage else name, whose, ((name, stage, count, details),), wire)
        for whose in on.split()
    ]


_LOOKS_SPOILT = [
    "garbage", "empty", "html", "truncated-json", "json-list", "wrong-types", "lost-answer",
    "drop-mid-body", "http-500", "http-502", "http-503", "http-504", "redirect", "expired", "invalid",
]  # fmt: skip
CASES: list[Case] = [
    *(
        each
        for name in _LOOKS_SPOILT
        for each in case(name, "status", on="aimlapi", wire="unified")
    ),
    *case("id-only", on="aimlapi", wire="unified"),
    *case("generation-id-only", on="aimlapi", wire="unified"),
    *case("foreign-urls", "submit", on="segmind", base="http://127.0.0.1:9"),
    *case("foreign-media", count=None),
    *case("media-truncated", on="segmind"),
    *case("media-redirect", on="segmind"),
]


def _applied(lab: EngineFixture) -> Counter[str]:
    return Counter(name for each in lab.sim.requests for name in each.faults)


@dataclass(frozen=True)
class Outcome:
    run: Run
    error: HailuoError | None


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, clip_cache: Path
) -> Iterator[tuple[EngineFixture, dict[str, Outcome]]]:
    folder = tmp_path_factory.mktemp("faults")
    log = folder / "log" / "runs.sqlite3"
    with (
        pytest.MonkeyPatch.context() as patch,
        Simulator(options(clip_cache, render_threads=1, min_polls=2)) as sim,
    ):
        shorten(patch, expected_duration=DurationEstimate(1.5, 0.3))
        for name, value in {**KEYS, **sim.environment(), "HAILUO_LOOPBACK_ONLY": "1"}.items():
            patch.setenv(name, value)
        limits = {"segmind": 1_000_000, "aimlapi": 1_000_000}
        lab = EngineFixture(sim, folder, log, Hailuo(run_log=str(log), requests_per_minute=limits))
        for each in CASES:
            for name, stage, count, details in each.faults:
                sim.fault(name, stage, count, prompt=each.prompt, **details)
        engine = lab.engine()
        runs = {
            each.prompt: lab.place(engine, each.prompt, each.provider, wire=each.wire)
            for each in CASES
        }
        yield lab, {each: Outcome(run, ending(run, 60)) for each, run in runs.items()}
        engine.stop()


@pytest.mark.parametrize("each", CASES, ids=lambda each: each.prompt.strip("[]"))
def test_a_fault_costs_time_and_never_the_clip(
    world: tuple[EngineFixture, dict[str, Outcome]], each: Case
) -> None:
    lab, outcomes = world
    run, error = outcomes[each.prompt].run, outcomes[each.prompt].error
    assert error is None
    assert run.status is State.COMPLETED
    assert run.clip is not None
    assert run.record.problem is None
    jobs = [job for job in lab.sim.ledger if job.body["prompt"] == each.prompt]
    assert len(jobs) == 1, "bought once"


def test_every_fault_was_really_met(world: tuple[EngineFixture, dict[str, Outcome]]) -> None:
    lab, _ = world
    jobs = {name for name, kind in FAULTS.items() if kind.effect is Effect.JOB}
    wanted = {name for each in CASES for name, *_ in each.faults} - jobs
    assert wanted <= set(_applied(lab))


def test_nothing_is_left_of_broken_downloads(
    world: tuple[EngineFixture, dict[str, Outcome]],
) -> None:
    lab, _ = world
    assert not lab.leftovers()
    assert len(list(lab.clips.glob("*.mp4"))) == len(CASES)


def test_no_key_went_to_another_host(world: tuple[EngineFixture, dict[str, Outcome]]) -> None:
    lab, _ = world
    ours = lab.sim.url.removeprefix("http://")
    strangers = [each for each in lab.sim.requests if each.host != ours]
    assert strangers, "some clips lay on another host"
    for each in strangers:
        assert not each.had_api_key
        assert not each.had_authorization
