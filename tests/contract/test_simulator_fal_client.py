"""fal's official Python client (1.0.3 from PyPI) against the simulator."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from tests.simulator import Simulator
from tests.support.engine_fixture import options
from tests.support.simulator_clients import get

if not os.environ.get("CI"):  # where everything is to be proved, nothing is left out silently
    pytest.importorskip("fal_client")

import fal_client
from fal_client import client as module

TEXT = "fal-ai/minimax/hailuo-02/standard/text-to-video"
PICTURE = "fal-ai/minimax/hailuo-02/standard/image-to-video"


@pytest.fixture
def sim(clip_cache: Path) -> Iterator[Simulator]:
    with Simulator(options(clip_cache, fal_seconds=0.3, min_polls=2)) as simulator:
        yield simulator


@pytest.fixture
def client(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[fal_client.SyncClient]:
    # The client puts https before the hosts of its environment variables.
    monkeypatch.setattr(module, "QUEUE_URL_FORMAT", f"{sim.url}/")
    monkeypatch.setattr(module, "REST_URL", sim.url)
    made = fal_client.SyncClient(key="0b1c2d3e-key")
    yield made
    made._client.close()  # it leaves its connections open


def ended(handle: fal_client.SyncRequestHandle) -> list[Any]:
    return list(handle.iter_events(with_logs=True, interval=0.02))


def test_submit_wait_and_download(sim: Simulator, client: fal_client.SyncClient) -> None:
    handle = client.submit(TEXT, {"prompt": "a calm sea", "duration": "10"})
    kinds = [type(each) for each in ended(handle)]
    assert fal_client.InProgress in kinds
    assert kinds[-1] is fal_client.Completed
    video = handle.get()["video"]
    assert video["content_type"] == "video/mp4"
    with av.open(io.BytesIO(get(video["url"]).content)) as container:
        assert container.duration == pytest.approx(10 * av.time_base, rel=0.02)
    again = client.result(TEXT, handle.request_id)  # by owner and app, without the path
    assert again["video"]["url"] == video["url"]
    [job] = sim.ledger
    assert (job.wire, job.cost) == ("fal", 0.45)


def test_a_failure_is_completed_and_raised_by_the_result(
    sim: Simulator, client: fal_client.SyncClient
) -> None:
    sim.fault("moderation")
    handle = client.submit(TEXT, {"prompt": "a calm sea"})
    last = ended(handle)[-1]
    assert last.error_type == "content_policy_violation"
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        handle.get()
    assert caught.value.response.status_code == 422


def test_an_int_for_the_duration_is_refused(client: fal_client.SyncClient) -> None:
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        client.submit(TEXT, {"prompt": "a calm sea", "duration": 10})
    assert caught.value.response.status_code == 422


def test_cancel(sim: Simulator, client: fal_client.SyncClient) -> None:
    sim.fault("seconds", seconds=3600.0)
    handle = client.submit(TEXT, {"prompt": "a calm sea"})
    assert handle.status() == fal_client.Queued(position=2)
    handle.cancel()
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        handle.get()
    assert caught.value.response.status_code == 499
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        handle.cancel()
    assert caught.value.response.json() == {"status": "ALREADY_COMPLETED"}


def test_upload_to_a_signed_address(sim: Simulator, client: fal_client.SyncClient) -> None:
    target = io.BytesIO()
    Image.effect_noise((640, 360), 60).convert("RGB").save(target, "PNG")
    link = client.upload(
        target.getvalue(), "image/png", "a.png", repository="fal", fallback_repository=[]
    )
    handle = client.submit(PICTURE, {"prompt": "x", "image_url": link})
    assert handle.get()["video"]["url"]
    assert [job.first_frame for job in sim.ledger] == ["asset"]


def test_the_client_sends_a_submit_again_after_a_lost_answer(
    sim: Simulator, client: fal_client.SyncClient
) -> None:
    """So this package does not use it: the first job is paid for, and its id is lost."""
    sim.fault("lost-answer", "submit")
    client.submit(TEXT, {"prompt": "a calm sea"})
    assert len(sim.ledger) == 2


def test_a_bad_key(sim: Simulator, client: fal_client.SyncClient) -> None:
    del client  # it has set the addresses
    refused = fal_client.SyncClient(key="refused")
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        refused.submit(TEXT, {"prompt": "a calm sea"})
    refused._client.close()
    assert caught.value.response.status_code == 401
    assert sim.ledger == ()
