"""Lets all scenarios of one provider happen side by side, and holds each to the fault table."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from hailuo_jupyter.record import Record
from tests.simulator import Simulator
from tests.support.engine_fixture import options
from tests.support.fault_outcomes import ANOTHER_WAY, DONE, UNCONFIRMED
from tests.support.fault_runner import HURRIED, FaultRunner, Scenario, roads
from tests.support.fault_table import TROUBLES

#: The simulator's list of requests does not show these: what changes a job, and what is never answered.
_UNSEEN = {"job-fails", "moderation", "stuck", "seconds", "odd-id", "forgotten", "delay"}


@dataclass
class Ended:
    """What has become of all scenarios."""

    records: dict[int, Record]
    jobs: Counter[str]
    lab: FaultRunner


def scenarios(provider: str) -> list[Scenario]:
    """Return the scenarios of a provider's runs, but those of its history."""
    found: list[Scenario] = []
    for row in TROUBLES:
        for stage, met in row.stages(provider):
            if stage == "history":
                continue
            lasts = [False] * (met.passing is not None) + [True] * (met.lasting is not None)
            # How it ends if it lasts is the engine's doing, whoever the provider is.
            if provider != "segmind" and len(lasts) == 2 and stage not in row.at.get(provider, {}):
                lasts = [False]
            for lasting in lasts:
                found.append(Scenario(len(found), row, stage, met, provider, lasting))
    return found


@contextmanager
def let_happen(wanted: list[Scenario], clip_cache: Path) -> Iterator[Ended]:
    """Run scenarios to their ends."""
    choices = options(
        clip_cache,
        min_polls=2,
        shrink=16,
        segmind_seconds=0.0,
        aimlapi_6s_seconds=0.0,
        fal_seconds=0.0,
        replicate_seconds=0.0,
        runware_seconds=0.0,
        minimax_seconds=0.0,
        history_delay=0.0,
    )
    # In memory where there is such a place: thousands of commits wait for the disk else.
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place,
        pytest.MonkeyPatch.context() as patch,
        Simulator(choices) as sim,
        roads(patch) as led,
    ):
        if importlib.util.find_spec("sniffio") is None:
            # httpcore looks for it with each request, in every folder of the path.
            patch.setitem(sys.modules, "sniffio", None)  # type: ignore[arg-type]
        folder = Path(place)
        frame = folder / "frame.png"
        Image.new("RGB", (320, 320), "teal").save(frame)
        lab = FaultRunner(sim, folder, frame, led)
        groups: dict[tuple[bool, float], list[Scenario]] = {}
        for each in wanted:
            groups.setdefault((each.row.slow, each.row.max_clip_gb), []).append(each)
        records: dict[int, Record] = {}
        for number, ((slow, limit), group) in enumerate(groups.items()):
            engine = lab.engine(f"log{number}", HURRIED if slow else None, max_clip_gb=limit)
            try:
                lab.run(engine, group)
                records |= {each.number: engine.row(each.run_id).record for each in group}
            finally:
                engine.stop()
        yield Ended(records, Counter(job.prompt for job in sim.ledger), lab)


def check(ended: Ended, scenario: Scenario) -> None:
    """Hold what has become of a run to the table."""
    record, expected = ended.records[scenario.number], scenario.expected
    problem, jobs = record.problem, ended.jobs[scenario.prompt]
    assert record.state in expected.states, problem
    arrives = scenario.row.arrives and not scenario.row.road
    assert jobs == (arrives if expected.jobs is None else expected.jobs), "jobs at the provider"
    kinds = {kind.code for kind in expected.errors}
    assert (problem.code if problem else None) in (kinds or {None})
    for told in scenario.problems:
        assert told.what, "what happened"
        assert told.money, told.what
        assert told.todo, told.what
        assert "Internal error" not in told.what
    if problem is not None and "No charge" in problem.money:
        assert jobs == 0
    if problem is not None and jobs and expected is not UNCONFIRMED:
        assert any(word in problem.money for word in ("paid", "charged")), problem.money
    # Nothing is asked in a circle without a wait: each stage once, and again only after a wait.
    assert max(scenario.calls.values()) <= scenario.sleeps + 2
    clip = ended.lab.folder / "clips" / str(scenario.number) / f"{record.run_id}.mp4"
    assert clip.is_file() == (expected in {DONE, ANOTHER_WAY})


def check_all_were_met(ended: Ended, wanted: list[Scenario]) -> None:
    """Hold it that every fault has struck."""
    applied = {name for each in ended.lab.sim.requests for name in each.faults}
    unmet = {each.name for s in wanted for each in s.row.faults} - _UNSEEN - applied
    assert not unmet, unmet
    unspent = {each.name for each in ended.lab.sim.faults if each.count is not None}
    assert not unspent & _UNSEEN
    for scenario in wanted:
        assert not scenario.row.road or scenario.struck, str(scenario)
        assert not scenario.row.time or scenario.jumped, str(scenario)


def check_nothing_is_left(ended: Ended) -> None:
    """Hold it that broken downloads leave nothing, and that no key went to a stranger."""
    assert not [path.name for path in ended.lab.folder.rglob("*.part")]
    ours = ended.lab.sim.url.removeprefix("http://")
    strangers = [each for each in ended.lab.sim.requests if each.host != ours]
    sent_away = {"foreign-media", "media-redirect", "redirect"}
    met = {name for each in ended.lab.sim.requests for name in each.faults}
    assert strangers or not met & sent_away, "some clips lay on another host"
    assert not any(each.had_api_key or each.had_authorization for each in strangers)
