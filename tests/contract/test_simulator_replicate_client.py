"""Replicate's official Python client (1.0.7 from PyPI) against the simulator."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.simulator import Simulator, SimulatorOptions

replicate = pytest.importorskip("replicate")

from replicate.client import Client  # noqa: E402
from replicate.exceptions import ModelError, ReplicateError  # noqa: E402

MODEL = "minimax/hailuo-02"
INPUT: dict[str, Any] = {"prompt": "A lighthouse in fog.", "resolution": "768p", "duration": 6}


@pytest.fixture
def sim(clip_cache: Path) -> Iterator[Simulator]:
    options = SimulatorOptions(
        cache=clip_cache,
        variants=1,
        shrink=8,
        replicate_seconds=0.1,
        sigma=0.0,
        history_delay=0.0,
    )
    with Simulator(options) as simulator:
        yield simulator


@pytest.fixture
def client(sim: Simulator) -> Iterator[Any]:
    client = connected(sim, "r8_0123456789abcdef")
    yield client
    client._client.close()


def connected(sim: Simulator, key: str) -> Any:
    client = Client(api_token=key, base_url=sim.url)
    client.poll_interval = 0.02
    return client


def test_submit_wait_download(sim: Simulator, client: Any) -> None:
    job = client.models.predictions.create(MODEL, INPUT)
    assert job.status == "starting"
    assert job.urls["cancel"] == f"{job.urls['get']}/cancel"
    job.wait()
    assert (job.status, job.error, job.input) == ("succeeded", None, INPUT)
    answer = httpx.get(job.output, timeout=60)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.content[4:8] == b"ftyp"
    [entry] = sim.ledger
    assert (entry.wire, entry.id, entry.state, entry.prompt) == (
        "replicate",
        job.id,
        "done",
        INPUT["prompt"],
    )


def test_a_failed_prediction_is_the_client_s_exception(sim: Simulator, client: Any) -> None:
    sim.fault("job-fails", message="E1000: the model failed")
    with pytest.raises(ModelError, match="E1000"):
        client.run(MODEL, INPUT, wait=False)
    assert [entry.charged for entry in sim.ledger] == [0.0]


def test_a_cancelled_prediction_has_no_clip(sim: Simulator, client: Any) -> None:
    sim.fault("stuck")
    job = client.models.predictions.create(MODEL, INPUT)
    job.cancel()
    assert job.status == "canceled"
    job.reload()
    assert (job.status, job.output) == ("canceled", None)
    # Too late: an ended one stays what it is.
    done = client.models.predictions.create(MODEL, INPUT)
    done.wait()
    done.cancel()
    assert done.status == "succeeded"


def test_a_clip_is_removed_after_an_hour(sim: Simulator, client: Any) -> None:
    job = client.models.predictions.create(MODEL, INPUT)
    job.wait()
    link = job.output
    sim.advance(3601)
    job.reload()
    assert (job.status, job.output, job.input) == ("succeeded", None, {})
    assert httpx.get(link, timeout=60).status_code == 404


def test_the_list_has_every_prediction_on_pages(sim: Simulator, client: Any) -> None:
    made = [client.models.predictions.create(MODEL, INPUT).id for _ in range(101)]
    first = client.predictions.list()
    second = client.predictions.list(first.next)
    assert [each.id for each in [*first, *second]] == made[::-1]
    assert second.next is None
    assert first[0].input == INPUT


def test_a_file_becomes_an_input(sim: Simulator, client: Any) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (640, 360), "teal").save(picture, "PNG")
    picture.seek(0)
    file = client.files.create(picture, filename="first.png", content_type="image/png")
    assert file.size == picture.getbuffer().nbytes
    job = client.models.predictions.create(MODEL, {**INPUT, "first_frame_image": file.urls["get"]})
    job.wait()
    assert job.status == "succeeded"
    assert [entry.first_frame for entry in sim.ledger] == ["asset"]


@pytest.mark.parametrize(
    ("key", "change", "status", "title"),
    [
        ("refused-key", {}, 401, "Unauthenticated"),
        ("broke-key", {}, 402, "Insufficient credit"),
        ("usual-key", {"duration": 5}, 422, "Input validation failed"),
        ("usual-key", {"resolution": "768P"}, 422, "Input validation failed"),
    ],
)
def test_refusals_are_problem_documents(
    sim: Simulator, key: str, change: dict[str, Any], status: int, title: str
) -> None:
    client = connected(sim, key)
    with pytest.raises(ReplicateError) as caught:
        client.models.predictions.create(MODEL, {**INPUT, **change})
    client._client.close()
    assert (caught.value.status, caught.value.title) == (status, title)
    assert caught.value.detail
    assert not sim.ledger


def test_the_client_sends_a_submit_once(sim: Simulator, client: Any) -> None:
    sim.fault("rate-limited", "submit", count=None)
    with pytest.raises(ReplicateError):
        client.models.predictions.create(MODEL, INPUT)
    assert [each.stage for each in sim.requests] == ["submit"]
