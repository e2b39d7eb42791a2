"""The numbers that a person draws are theirs, whatever runs beside."""

from __future__ import annotations

import random

from tests.support.engine_fixture import EngineFixture, ending, eventually


def test_a_run_takes_none_of_the_persons_random_numbers(lab: EngineFixture) -> None:
    # A seeded experiment in the notebook would come out differently each time, by how long clips take.
    engine = lab.engine()
    lab.sim.fault("http-500", stage="status", count=1)
    random.seed(7)
    before = random.getstate()
    runs = [
        lab.place(engine, f"heron {number}", each)
        for number, each in enumerate(("segmind", "aimlapi"))
    ]
    for run in runs:
        eventually(lambda run=run: run.record.job.id)
        assert ending(run) is None
    assert random.getstate() == before
