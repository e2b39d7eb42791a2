"""A client written from AI/ML API's model page alone, against the simulator.

The page shows `requests`, the legacy path, and a loop that waits while the status is one of four
words; the loop below is that one with a shorter pause.
"""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import av
import pytest
import requests
from PIL import Image

from tests.simulator import Simulator, SimulatorOptions

WAITING = ("waiting", "active", "queued", "generating")

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
        aimlapi_6s_seconds=0.1,
        aimlapi_10s_seconds=0.2,
        sigma=0.0,
        history_delay=0.0,
    )
    with Simulator(options) as simulator:
        yield simulator


class PageClient:
    def __init__(self, sim: Simulator, key: str = "a-key") -> None:
        self.base_url = f"{sim.environment()['AIML_API_BASE_URL']}/v2"
        self.key = key
        self.statuses: list[str] = []

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}

    def submit(self, **fields: Any) -> requests.Response:
        data = {"model": "minimax/hailuo-02", "prompt": "Mona Lisa puts on glasses.", **fields}
        url = f"{self.base_url}/generate/video/minimax/generation"
        return requests.post(url, json=data, headers=self.headers(), timeout=10)

    def get_video(self, generation_id: str) -> requests.Response:
        url = f"{self.base_url}/generate/video/minimax/generation"
        params = {"generation_id": generation_id}
        return requests.get(url, params=params, headers=self.headers(), timeout=10)

    def main(self, **fields: Any) -> dict[str, Any]:
        response = self.submit(**fields)
        assert response.status_code < 400, response.text
        generation_id = response.json().get("generation_id")
        started = time.monotonic()
        while time.monotonic() - started < 240:
            data: dict[str, Any] = self.get_video(generation_id).json()
            self.statuses.append(data["status"])
            if data["status"] not in WAITING:
                return data
            time.sleep(0.05)
        pytest.fail("timeout")


def video_facts(url: str) -> tuple[str, int, int, float]:
    answer = requests.get(url, timeout=10)
    assert answer.status_code == 200
    with av.open(io.BytesIO(answer.content)) as container:
        stream = container.streams.video[0]
        assert container.duration is not None
        codec = stream.codec_context.name
        return codec, stream.width, stream.height, container.duration / av.time_base


@FULL_SIZE
@pytest.mark.parametrize(
    ("fields", "size", "seconds"),
    [
        ({}, (1366, 768), 6),
        ({"duration": 10, "resolution": "768P", "prompt_optimizer": False}, (1366, 768), 10),
        ({"duration": 6, "resolution": "1080P"}, (1920, 1080), 6),
    ],
)
def test_the_page_s_loop(
    sim: Simulator, fields: dict[str, Any], size: tuple[int, int], seconds: int
) -> None:
    client = PageClient(sim)
    data = client.main(**fields)
    assert set(data) == {"id", "status", "video"}
    # A busy machine may ask first when the job is no longer queued.
    assert client.statuses[0] in {"queued", "generating"}
    assert client.statuses[-2:] == ["generating", "completed"]
    codec, width, height, duration = video_facts(data["video"]["url"])
    assert (codec, width, height) == ("h264", *size)
    assert duration == pytest.approx(seconds, abs=0.1)
    [entry] = sim.ledger
    assert (entry.wire, entry.id, entry.seconds) == ("aimlapi", data["id"], seconds)


def test_first_frame_from_the_internet_is_never_fetched(sim: Simulator) -> None:
    url = "https://s2-111386.kwimgs.com/bs2/mmu-aiplatform-temp/kling/20240620/1.jpeg"
    PageClient(sim).main(first_frame_image=url)
    assert sim.ledger[0].first_frame == "internet"


@FULL_SIZE
@pytest.mark.parametrize("form", ["data URI", "bare base64"])
def test_first_and_last_frame_inside_the_request(sim: Simulator, form: str) -> None:
    client = PageClient(sim)
    frames = []
    for colour in ((30, 60, 220), (220, 180, 30)):
        target = io.BytesIO()
        Image.new("RGB", (420, 625), colour).save(target, "PNG")
        text = base64.b64encode(target.getvalue()).decode()
        frames.append(f"data:image/png;base64,{text}" if form == "data URI" else text)
    data = client.main(first_frame_image=frames[0], last_image_url=frames[1])
    content = requests.get(data["video"]["url"], timeout=10).content
    with av.open(io.BytesIO(content)) as container:
        pictures = [frame.to_image() for frame in container.decode(video=0)]
    # Portrait, as the page's own sample clip is: the shorter side has 768 pixels.
    assert pictures[0].size == (768, 1142)
    for picture, colour in ((pictures[0], (30, 60, 220)), (pictures[-1], (220, 180, 30))):
        seen = picture.getpixel((384, 570))
        assert all(abs(a - b) < 14 for a, b in zip(seen, colour, strict=True))


def test_unknown_and_expired_ids(sim: Simulator) -> None:
    client = PageClient(sim)
    answer = client.get_video("282052359471184")
    assert answer.status_code == 404
    body = answer.json()
    assert set(body) == {"message", "path", "requestId", "statusCode", "timestamp"}
    assert body["statusCode"] == "404"
    assert client.get_video("").status_code == 400
    data = client.main()
    url = data["video"]["url"]
    end = int(parse_qs(urlsplit(url).query)["Expires"][0])
    assert sim.now() < end <= sim.now() + 7200
    sim.advance(7200)
    assert requests.get(url, timeout=10).status_code == 403
    # Asking again gives the same link: it was signed once.
    assert client.get_video(data["id"]).json()["video"]["url"] == url
    sim.advance(86400)
    assert client.get_video(data["id"]).status_code == 404


def test_a_changed_signature_is_refused(sim: Simulator) -> None:
    url = PageClient(sim).main()["video"]["url"]
    later = url.replace("Expires=", "Expires=9")
    assert requests.get(later, timeout=10).status_code == 403
    assert requests.get(url.partition("?")[0], timeout=10).status_code == 403


def test_refusals(sim: Simulator) -> None:
    statuses = {key: PageClient(sim, key).submit() for key in ("refused", "forbidden", "broke", "")}
    assert [answer.status_code for answer in statuses.values()] == [401, 403, 403, 401]
    assert "credits" in statuses["broke"].json()["message"]
    assert "credits" not in statuses["forbidden"].json()["message"]
    assert PageClient(sim).submit(duration=10, resolution="1080P").status_code == 400
    assert len(sim.ledger) == 0


def test_failed_job(sim: Simulator) -> None:
    sim.fault("job-fails", message="partner failure")
    data = PageClient(sim).main()
    assert data["status"] == "error"
    assert data["error"]["message"] == "partner failure"
    assert sim.ledger[0].charged == 0


def test_unified_path(sim: Simulator) -> None:
    url = f"{sim.url}/v2/video/generations"
    headers = {"Authorization": "Bearer k", "X-Client-Request-Id": "run-1"}
    body = {"model": "minimax/hailuo-02", "prompt": "x", "enhance_prompt": False}
    made = requests.post(url, json=body, headers=headers, timeout=10)
    assert made.headers["x-client-request-id"] == "run-1"
    job_id = made.json()["id"]
    assert made.headers["x-inference-id"] == job_id
    assert ":" in job_id
    assert "/" in job_id
    while True:
        answer = requests.get(url, params={"generation_id": job_id}, headers=headers, timeout=10)
        if answer.json()["status"] == "completed":
            break
        time.sleep(0.05)
    assert answer.json()["meta"]["usage"]["credits_used"] == 588_000
    assert answer.headers["x-aimlapi-credits-used"] == "588000"
    assert float(answer.headers["x-aimlapi-usd-spent"]) == 0.294


def test_account(sim: Simulator) -> None:
    client = PageClient(sim)
    headers = {**client.headers(), "X-Client-Request-Id": "run:1"}
    base = client.base_url

    def get(path: str) -> Any:
        answer = requests.get(f"{base}{path}", headers=client.headers(), timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    url = f"{base}/generate/video/minimax/generation"
    body = {"model": "minimax/hailuo-02", "prompt": "x"}
    job_id = requests.post(url, json=body, headers=headers, timeout=10).json()["generation_id"]
    assert get("/logs")["data"] == []
    client.main()
    sim.fault("job-fails")
    client.main()
    while client.get_video(job_id).json()["status"] != "completed":
        time.sleep(0.02)
    rows = get("/logs?period=1d&status=succeeded&status=failed")["data"]
    assert [row["status"] for row in rows] == ["failed", "succeeded", "succeeded"]
    mine = [row for row in rows if row["client_request_id"] == "run:1"]
    assert [(row["inference_id"], row["cost"]["credits"]) for row in mine] == [(job_id, 588_000)]
    charges = get("/billing/transactions?limit=1")
    assert charges["pagination"]["has_more"] is True
    cursor = charges["pagination"]["next_cursor"]
    second = get(f"/billing/transactions?limit=1&cursor={cursor}")
    ids = [page["data"][0]["reference_id"] for page in (charges, second)]
    assert job_id in ids
    assert second["pagination"] == {"next_cursor": None, "has_more": False}
    assert get("/billing")["current_balance"] == pytest.approx(1000 - 2 * 0.294)
    models = requests.get(
        f"{sim.url}/v1/models?id=minimax/hailuo-02&include=pricing", timeout=10
    ).json()
    assert models["data"][0]["pricing"]["type"] == "variants"


def test_logs_have_a_rate_limit(sim: Simulator) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer k"
        seen = [session.get(f"{sim.url}/v2/logs", timeout=10).status_code for _ in range(201)]
    assert seen == [200] * 200 + [429]
