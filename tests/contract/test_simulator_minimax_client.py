"""MiniMax's official client (minimax-mcp 0.0.19 from PyPI) against the simulator; it cannot cancel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from minimax_mcp.client import MinimaxAPIClient
from minimax_mcp.exceptions import MinimaxAuthError, MinimaxRequestError
from PIL import Image

from tests.simulator import Simulator, SimulatorOptions

MODEL = "MiniMax-Hailuo-02"


@pytest.fixture
def sim(clip_cache: Path) -> Iterator[Simulator]:
    options = SimulatorOptions(
        cache=clip_cache, variants=1, shrink=8, minimax_seconds=0.1, sigma=0.0
    )
    with Simulator(options) as simulator:
        yield simulator


@pytest.fixture
def server(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The client's tools; they read key and host when they are imported."""
    monkeypatch.setenv("MINIMAX_API_KEY", "sk-api-0123456789abcdef")
    monkeypatch.setenv("MINIMAX_API_HOST", sim.url)
    tools = pytest.importorskip("minimax_mcp.server")
    monkeypatch.setattr(tools, "api_client", connected(sim, "sk-api-0123456789abcdef"))
    monkeypatch.setattr(tools, "resource_mode", "url")

    def sleep(seconds: float) -> None:
        sim.advance(seconds)
        for job in sim.state.jobs():
            if job.rendering is not None:
                job.rendering.result(60)

    monkeypatch.setattr("minimax_mcp.server.time.sleep", sleep)
    return tools


def connected(sim: Simulator, key: str) -> Any:
    return MinimaxAPIClient(key, sim.url)


def test_submit_wait_download(sim: Simulator, server: Any) -> None:
    told = server.generate_video(MODEL, "A lighthouse in fog.", duration=6, resolution="768P").text
    link = re.search(r"https?://\S+", told)
    assert link is not None, told
    answer = httpx.get(link[0], timeout=60)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.content[4:8] == b"ftyp"
    [entry] = sim.ledger
    assert (entry.wire, entry.state, entry.prompt, entry.charged) == (
        "minimax",
        "done",
        "A lighthouse in fog.",
        0.28,
    )
    assert "callback_url" not in entry.body


def test_a_task_that_is_asked_about_later(sim: Simulator, server: Any) -> None:
    told = server.generate_video(MODEL, "x", async_mode=True).text
    [entry] = sim.ledger
    assert entry.id in told
    assert "still processing" in server.query_video_generation(entry.id).text
    server.time.sleep(20.0)
    texts = [server.query_video_generation(entry.id).text for _ in range(3)]
    assert "Success" in texts[-1]
    assert "output.mp4" in texts[-1]


def test_a_frame_makes_a_clip_of_512p(sim: Simulator, server: Any, tmp_path: Path) -> None:
    frame = tmp_path / "frame.jpg"
    Image.new("RGB", (640, 360), "teal").save(frame)
    told = server.generate_video(MODEL, "x", str(frame), 10, "512P").text
    assert "Success" in told
    [entry] = sim.ledger
    assert (entry.first_frame, entry.charged) == ("data", 0.15)


@pytest.mark.parametrize("fault", ["job-fails", "moderation"])
def test_a_failed_task(sim: Simulator, server: Any, fault: str) -> None:
    """Its codes are those of the answers to a status, so the client takes them for errors of the call."""
    sim.fault(fault)
    assert "Failed to generate video" in server.generate_video(MODEL, "x").text
    assert [entry.charged for entry in sim.ledger] == [0.0]


def test_a_link_expires_and_asking_again_gives_a_new_one(sim: Simulator) -> None:
    client = connected(sim, "sk-api-0123456789abcdef")
    body = {"model": MODEL, "prompt": "x"}
    task = client.post("/v1/video_generation", json=body)["task_id"]
    sim.advance(5.0)
    while not (seen := client.get(f"/v1/query/video_generation?task_id={task}"))["file_id"]:
        assert seen["status"] in {"Preparing", "Queueing", "Processing"}
    assert isinstance(seen["file_id"], str)
    path = f"/v1/files/retrieve?file_id={seen['file_id']}"
    file = client.get(path)["file"]
    assert file["file_id"] == int(seen["file_id"])
    assert httpx.get(file["download_url"], timeout=60).status_code == 200
    sim.advance(3601)
    assert httpx.get(file["download_url"], timeout=60).status_code == 403
    assert httpx.get(client.get(path)["file"]["download_url"], timeout=60).status_code == 200


@pytest.mark.parametrize(
    ("key", "change", "kind", "words"),
    [
        ("refused-key", {}, MinimaxAuthError, "check your API key and API host"),
        ("broke-key", {}, MinimaxRequestError, "1008-insufficient balance"),
        ("usual-key", {"duration": 5}, MinimaxRequestError, "2013-"),
        ("usual-key", {"resolution": "512P"}, MinimaxRequestError, "2013-"),
        ("usual-key", {"callback_url": "http://a.example"}, MinimaxRequestError, "callback_url"),
    ],
)
def test_refusals_come_under_200(
    sim: Simulator, key: str, change: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        connected(sim, key).post(
            "/v1/video_generation", json={"model": MODEL, "prompt": "x", **change}
        )
    assert not sim.ledger
    assert [each.status for each in sim.requests] == [200]
