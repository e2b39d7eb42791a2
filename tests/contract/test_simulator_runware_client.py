"""Runware's official Python client (runware-sdk 1.8.0 from PyPI), over HTTP, against the simulator."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.simulator import Simulator, SimulatorOptions

runware = pytest.importorskip("runware.client")
pytest.importorskip("websockets")

TASK: dict[str, Any] = {
    "model": "minimax:3@1",
    "taskType": "videoInference",
    "positivePrompt": "A lighthouse in fog.",
    "width": 1366,
    "height": 768,
    "duration": 6,
    "includeCost": True,
}


@pytest.fixture
def sim(clip_cache: Path) -> Iterator[Simulator]:
    options = SimulatorOptions(
        cache=clip_cache, variants=1, shrink=8, runware_seconds=0.1, sigma=0.0, min_polls=1
    )
    with Simulator(options) as simulator:
        yield simulator


def call(sim: Simulator, method: str, params: dict[str, Any], key: str = "usual-key") -> Any:
    """Make one call with the client."""

    async def made() -> Any:
        async with runware.Runware(
            api_key=key,
            transport="rest",
            http_base_url=f"{sim.url}/runware",
            max_retries=2,
            retry_delay=10,
        ) as client:
            return await getattr(client, method)(params)

    return asyncio.run(made())


def refused(sim: Simulator, params: dict[str, Any], key: str = "usual-key") -> Any:
    with pytest.raises(Exception) as caught:  # noqa: PT011 -- the client's own error
        call(sim, "run", params, key)
    return caught.value


def test_submit_wait_download(sim: Simulator) -> None:
    task_id = str(uuid.uuid4())
    (result,) = call(sim, "run", {**TASK, "taskUUID": task_id})
    assert (result["taskUUID"], result["cost"]) == (task_id, 0.28)
    answer = httpx.get(result["videoURL"], timeout=60)
    assert answer.content[4:8] == b"ftyp"
    (entry,) = sim.ledger
    assert (entry.wire, entry.id, entry.prompt) == ("runware", task_id, TASK["positivePrompt"])
    (details,) = call(sim, "get_task_details", {"taskUUID": task_id})
    assert details["request"][0]["positivePrompt"] == TASK["positivePrompt"]
    assert details["response"]["data"][0]["videoURL"] == result["videoURL"]


def test_a_failed_task_is_the_client_s_error(sim: Simulator) -> None:
    sim.fault("job-fails", message="The model failed.")
    assert "The model failed." in str(refused(sim, TASK))
    assert [entry.charged for entry in sim.ledger] == [0.0]


def test_a_repeat_under_the_same_id_is_a_conflict_and_buys_nothing(sim: Simulator) -> None:
    task = {**TASK, "taskUUID": str(uuid.uuid4())}
    call(sim, "run", task)
    assert refused(sim, task).status_code == 400
    assert len(sim.ledger) == 1


def test_the_client_repeats_a_submit_itself_and_the_id_saves_it(sim: Simulator) -> None:
    sim.fault("http-500", "submit", accepted=True)
    assert refused(sim, {**TASK, "taskUUID": str(uuid.uuid4())}).status_code == 400
    assert [each.stage for each in sim.requests] == ["submit", "submit"]
    assert len(sim.ledger) == 1


@pytest.mark.parametrize(
    ("key", "change", "status"),
    [("refused-key", {}, 401), ("broke-key", {}, 402), ("usual-key", {"duration": 5}, 400)],
)
def test_refusals(sim: Simulator, key: str, change: dict[str, Any], status: int) -> None:
    assert refused(sim, {**TASK, **change}, key).status_code == status
    assert not sim.ledger
