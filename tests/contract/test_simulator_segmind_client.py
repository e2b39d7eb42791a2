"""Segmind's official Python client (1.3.0 from PyPI) against the simulator."""

from __future__ import annotations

import importlib
import io
import ssl
import time
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import av
import httpx
import pytest
from PIL import Image
from segmind import InferenceFailed, InferenceTimeout, SegmindClient, SegmindError
from segmind.files import Files

from tests.simulator import Simulator, SimulatorOptions

# Reading the system's certificates anew for every request takes longer than the request.
_TLS = ssl.create_default_context()
get = partial(httpx.get, verify=_TLS)
post = partial(httpx.post, verify=_TLS)

SLUG = "minimax-hailuo-2"
PAYLOAD: dict[str, Any] = {
    "prompt": "Man wandered into a desert canyon with a lion at his side.",
    "prompt_optimizer": True,
    "image_url": None,
    "mode": "standard",
    "last_frame_image": None,
}

FULL_SIZE = pytest.mark.parametrize("sim", [1], indirect=True, ids=["full size"])


@pytest.fixture
def sim(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Simulator]:
    """A simulator with small clips, unless a test asks for the full size."""
    cache = tmp_path_factory.getbasetemp() / "clips"
    options = SimulatorOptions(
        cache=cache,
        variants=1,
        shrink=getattr(request, "param", 8),
        segmind_seconds=0.1,
        sigma=0.0,
        history_delay=0.0,
    )
    with Simulator(options) as simulator:
        yield simulator


@pytest.fixture
def client(sim: Simulator) -> Iterator[SegmindClient]:
    yield from connected(sim, "SG_0123456789abcdef")


def connected(sim: Simulator, key: str) -> Iterator[SegmindClient]:
    client = SegmindClient(api_key=key, base_url=f"{sim.url}/v1")
    yield client
    client._client.close()


def refused_with(sim: Simulator, key: str) -> SegmindError:
    client = SegmindClient(api_key=key, base_url=f"{sim.url}/v1")
    with pytest.raises(SegmindError) as caught:
        client.submit_async(SLUG, **PAYLOAD)
    client._client.close()
    return caught.value


def facts(content: bytes) -> tuple[str, str, int, int, float, int]:
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        assert container.duration is not None
        rate = stream.average_rate
        assert rate == 24
        context = stream.codec_context
        seconds = container.duration / av.time_base
        return context.name, str(context.pix_fmt), stream.width, stream.height, seconds, frames


@FULL_SIZE
@pytest.mark.parametrize(("mode", "size"), [("standard", (1366, 768)), ("pro", (1920, 1080))])
def test_submit_wait_download(
    sim: Simulator, client: SegmindClient, mode: str, size: tuple[int, int]
) -> None:
    job = client.submit_async(SLUG, **{**PAYLOAD, "mode": mode})
    assert job.submit_response["status"] == "QUEUED"
    result = job.wait(timeout=30, interval=0.05)
    assert result["status"] == "COMPLETED"
    assert result["error"] is None
    answer = get(result["output"])
    assert answer.headers["content-type"] == "video/mp4"
    assert int(answer.headers["content-length"]) == len(answer.content)
    codec, pixels, width, height, seconds, frames = facts(answer.content)
    assert (codec, pixels, width, height, frames) == ("h264", "yuv420p", *size, 144)
    assert seconds == pytest.approx(6, abs=0.1)
    # The index stands before the data, so that a browser can start at once.
    assert answer.content.index(b"moov") < answer.content.index(b"mdat")
    [entry] = sim.ledger
    assert (entry.wire, entry.id, entry.state, entry.size) == (
        "segmind",
        job.request_id,
        "done",
        size,
    )
    assert entry.polls >= 2


def test_run_is_one_submit(sim: Simulator, client: SegmindClient, monkeypatch: Any) -> None:
    # `run` polls once a second and takes no interval.
    hasty = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: time.sleep(0.05))
    monkeypatch.setattr("segmind.v2.time", hasty)
    result = client.run(SLUG, **PAYLOAD)
    assert result["output"].endswith(".mp4")
    assert [entry.method for entry in sim.requests].count("POST") == 1


@pytest.mark.parametrize("under", ["job-fails", "failed-under-200"])
def test_failed_is_the_client_s_exception(
    sim: Simulator, client: SegmindClient, under: str
) -> None:
    sim.fault("moderation", message="content policy")
    if under == "failed-under-200":
        sim.fault("failed-under-200", count=None)
    with pytest.raises(InferenceFailed) as caught:
        client.submit_async(SLUG, **PAYLOAD).wait(timeout=10, interval=0.02)
    assert caught.value.detail == "content policy"
    assert caught.value.status_body["metrics"] == {"inference_time": 0.008}
    last = [entry for entry in sim.requests if entry.stage == "status"][-1]
    assert last.status == (200 if under == "failed-under-200" else 422)
    assert sim.ledger[0].cost == 0


def test_refusals(sim: Simulator) -> None:
    assert (refused_with(sim, "refused").status, refused_with(sim, "refused").detail) == (
        401,
        "Invalid API key",
    )
    assert refused_with(sim, "forbidden").status == 403
    assert refused_with(sim, "broke").status == 402
    assert len(sim.ledger) == 0


def test_bearer_is_no_key(sim: Simulator) -> None:
    headers = {"Authorization": "Bearer SG_0123456789abcdef"}
    answer = post(f"{sim.url}/v2/{SLUG}", json=PAYLOAD, headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"error": "Invalid API key"})


def test_unknown_model_and_expired_job(sim: Simulator, client: SegmindClient) -> None:
    with pytest.raises(SegmindError) as caught:
        client.submit_async("no-such-model", **PAYLOAD)
    assert caught.value.status == 404
    job = client.submit_async(SLUG, **PAYLOAD)
    output = job.wait(timeout=30, interval=0.02)["output"]
    sim.advance(3600)
    with pytest.raises(SegmindError) as caught:
        job.status()
    assert caught.value.status == 404
    assert get(output).status_code == 200, "the file outlives the record"
    sim.advance(7 * 86400)
    assert get(output).status_code == 404


def test_timeout_leaves_the_job(sim: Simulator, client: SegmindClient) -> None:
    sim.fault("seconds", seconds=0.4)
    job = client.submit_async(SLUG, **PAYLOAD)
    with pytest.raises(InferenceTimeout):
        job.wait(timeout=0.05, interval=0.02)
    assert job.wait(timeout=30, interval=0.05)["status"] == "COMPLETED"
    assert len(sim.ledger) == 1


@FULL_SIZE
def test_upload_and_first_frame(
    sim: Simulator, client: SegmindClient, tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(Files, "STORAGE_BASE_URL", sim.url)
    path = tmp_path / "frame.png"
    Image.new("RGB", (480, 640), (200, 40, 40)).save(path)
    [link] = client.files.upload(path)["file_urls"]
    assert get(link).content == path.read_bytes()
    body = {**PAYLOAD, "image_url": link}
    output = client.submit_async(SLUG, **body).wait(timeout=30, interval=0.05)["output"]
    [entry] = sim.ledger
    assert (entry.first_frame, entry.size) == ("asset", (768, 1024))
    with av.open(io.BytesIO(get(output).content)) as container:
        first = next(container.decode(video=0)).to_image()
    assert first.size == (768, 1024)
    red, green, blue = first.getpixel((384, 512))
    assert abs(red - 200) < 12
    assert abs(green - 40) < 12
    assert abs(blue - 40) < 12


def test_history_and_credits(sim: Simulator, client: SegmindClient, monkeypatch: Any) -> None:
    history = f"{sim.url}/inference-request"
    # `segmind.generations` is an object of the package; its module has the same name.
    module = importlib.import_module("segmind.generations")
    monkeypatch.setattr(module, "REQUEST_HISTORY_URL", f"{history}/request-history")
    before = client._request("GET", "/get-user-credits").json()
    job = client.submit_async(SLUG, **PAYLOAD)
    output = job.wait(timeout=30, interval=0.02)["output"]
    sim.fault("job-fails")
    with pytest.raises(InferenceFailed):
        client.submit_async(SLUG, **PAYLOAD).wait(timeout=10, interval=0.02)
    rows = client.generations.history(model_name="hailuo", status="COMPLETED")["data"]
    assert [row["request_id"] for row in rows] == [job.request_id]
    row = client.generations.get(job.request_id)
    assert row == rows[0]
    assert (row["generation_url"], row["credits_deduction"]) == (output, 0.3875)
    assert row["request_body"] == PAYLOAD
    with pytest.raises(SegmindError) as caught:
        client.generations.get("no-such-request")
    assert caught.value.status == 404
    # These two addresses stand inside the client's functions, so its door is turned instead.
    real = client._request
    monkeypatch.setattr(
        client, "_request", lambda m, url, **k: real(m, f"{history}/{url.rpartition('/')[2]}", **k)
    )
    recent = client.generations.recent(SLUG)["generations"]
    listed = client.generations.list(model_name=SLUG)["generations"]
    assert recent == listed
    assert [(entry["generation_url"], entry["prompt"]) for entry in listed] == [
        (output, PAYLOAD["prompt"])
    ]
    after = get(f"{sim.url}/v1/get-user-credits", headers={"x-api-key": "other"}).json()
    assert before["credits"] - after["credits"] == pytest.approx(0.3875)
    assert "free-credits" in after


def test_history_rows_land_late(tmp_path_factory: pytest.TempPathFactory) -> None:
    cache = tmp_path_factory.getbasetemp() / "clips"
    options = SimulatorOptions(
        cache=cache, variants=1, shrink=8, segmind_seconds=0, history_delay=500, min_polls=0
    )
    with Simulator(options) as sim, httpx.Client(headers={"x-api-key": "k"}, timeout=60) as http:
        made = http.post(f"{sim.url}/v2/{SLUG}", json=PAYLOAD).json()
        history = f"{sim.url}/inference-request"
        one = f"{history}/request-history/{made['request_id']}"
        while http.get(made["status_url"]).json()["status"] != "COMPLETED":
            pass
        assert http.get(f"{history}/request-history").json()["data"] == []
        assert http.get(one).status_code == 404
        [row] = http.get(f"{history}/generations").json()["generations"]
        assert row["generation_url"]
        assert row["status"] is None
        assert row["credits_deduction"] is None
        sim.advance(500)
        assert http.get(one).json()["model_status"] == "COMPLETED"
        assert http.get(f"{history}/generations").json()["generations"][0]["status"] == "COMPLETED"


@pytest.mark.parametrize("answer", ["video", "json"])
def test_synchronous_call(tmp_path_factory: pytest.TempPathFactory, answer: Any) -> None:
    cache = tmp_path_factory.getbasetemp() / "clips"
    options = SimulatorOptions(
        cache=cache, variants=1, shrink=8, segmind_seconds=0.1, v1_answer=answer
    )
    with Simulator(options) as sim:
        for client in connected(sim, "k"):
            reply = client.run_sync(SLUG, **PAYLOAD)
            assert "x-remaining-credits" in reply.headers
            if answer == "video":
                assert reply.headers["content-type"] == "video/mp4"
                assert b"ftyp" in reply.content[:12]
            else:
                assert get(reply.json()["output"]).status_code == 200
            sim.fault("job-fails")
            with pytest.raises(SegmindError) as caught:
                client.run_sync(SLUG, **PAYLOAD)
            assert caught.value.status == 422
