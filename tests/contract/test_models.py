"""Every model of the providers that were added later, under its own name, through the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter import catalogue
from hailuo_jupyter.catalogue.types import Provider
from tests.support.engine_fixture import EngineFixture

OFFERS = [offer for offer in catalogue.offers() if not offer.chosen_by_key]
CHEAPEST: list[tuple[Provider, dict[str, Any]]] = [(offer, {}) for offer in OFFERS] + [
    (offer, {"resolution": "512P", "duration": 10})
    for offer in OFFERS
    if (choice := offer.choice("resolution")) is not None and "512P" in choice.values
]


def called(case: tuple[Provider, dict[str, Any]]) -> str:
    offer, options = case
    return f"{offer.name}-{offer.model_name}{''.join(f'-{each}' for each in options.values())}"


def test_each_of_them_has_what_its_documents_have() -> None:
    found = {name: [o.model_name for o in OFFERS if o.name == name] for name in catalogue.NAMES[2:]}
    four = ["hailuo-02", "hailuo-02-fast", "hailuo-2.3", "hailuo-2.3-fast"]
    assert found == {
        "fal": four,
        "replicate": four,
        "runware": [four[0], *four[2:]],
        "minimax": [four[0], *four[2:]],
    }
    assert len(CHEAPEST) == len(OFFERS) + 3


@pytest.mark.parametrize("case", CHEAPEST, ids=called)
def test_a_clip(lab: EngineFixture, frame: Path, case: tuple[Provider, dict[str, Any]]) -> None:
    offer, options = case
    framed = offer.first_frame == "required" or bool(options)
    run = lab.place(
        lab.engine(),
        "a cat",
        offer.name,
        model=offer.model_name,
        image=frame if framed else None,
        **options,
    )
    assert run.wait(60).clip is not None
    [job] = lab.sim.state.jobs()
    assert job.model == offer.model == run.record.model
    wanted = run.record.request.options
    assert job.seconds == wanted.get("duration", 6)
    assert f"{min(job.size)}P" == wanted.get("resolution", "512P")
