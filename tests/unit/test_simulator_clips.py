"""Clips, their cache, the links to them, and the simulator's time."""

from __future__ import annotations

import io
import ssl
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from PIL import Image, ImageChops

from hailuo_jupyter.simulator.clips import (
    ClipCache,
    ClipPlan,
    RenderingEndedError,
    free_box,
    render,
)
from hailuo_jupyter.simulator.drawing import VARIANTS, Scene, still, variant_of
from hailuo_jupyter.simulator.pictures import Picture, fitted
from hailuo_jupyter.simulator.state import Durations, VirtualClock
from tests.simulator import Simulator, SimulatorOptions

# Reading the system's certificates anew for every request takes longer than the request.
_TLS = ssl.create_default_context()
get = partial(httpx.get, verify=_TLS)
head = partial(httpx.head, verify=_TLS)
post = partial(httpx.post, verify=_TLS)

SEGMIND = "/v2/minimax-hailuo-2"
HEADERS = {"x-api-key": "k"}
SMALL = (160, 90)


def frames(path: Path) -> list[Image.Image]:
    with av.open(str(path)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


def test_every_scene_is_its_own_and_moves() -> None:
    starts = [Scene(SMALL, variant).at(0.0).tobytes() for variant in range(VARIANTS)]
    assert len(set(starts)) == VARIANTS
    assert Scene(SMALL, 0).at(1.0).tobytes() != starts[0]
    assert Scene(SMALL, 0).at(0.0).tobytes() == starts[0]


def test_stand_ins_depend_on_the_address() -> None:
    pictures = {still(SMALL, f"https://example.com/{number}.png").tobytes() for number in range(30)}
    assert len(pictures) == VARIANTS
    assert {variant_of("any text", 1)} == {0}


@pytest.mark.parametrize(
    "caption", ["a calm sea", "w" * 2000, "words " * 300, "", "\ud800 \n\t 海"]
)
def test_caption(tmp_path: Path, caption: str) -> None:
    plain, drawn = tmp_path / "plain.mp4", tmp_path / "drawn.mp4"
    plain.write_bytes(render(ClipPlan((320, 180), 1)))
    drawn.write_bytes(render(ClipPlan((320, 180), 1, caption=caption)))
    before, after = frames(plain)[0], frames(drawn)[0]
    assert before.size == after.size
    # The mark stands at the top, the prompt at the bottom, the middle is untouched.
    for box, changed in (((200, 0, 320, 30), True), ((0, 70, 320, 90), False)):
        difference = ImageChops.difference(before.crop(box), after.crop(box))
        loudest = max(high for _, high in difference.getextrema())
        assert (loudest > 60) is changed
    assert before.tobytes() != after.tobytes()


def test_portrait_caption_and_crossfade(tmp_path: Path) -> None:
    pictures = []
    for colour in ((220, 30, 30), (30, 30, 220)):
        target = io.BytesIO()
        Image.new("RGB", (90, 160), colour).save(target, "PNG")
        pictures.append(target.getvalue())
    path = tmp_path / "clip.mp4"
    plan = ClipPlan((90, 160), 1, first=pictures[0], last=pictures[1], caption="x")
    path.write_bytes(render(plan))
    shown = frames(path)
    assert len(shown) == 24
    red, _, blue = shown[0].getpixel((45, 60))
    assert (red > 190, blue < 60) == (True, True)
    red, _, blue = shown[-1].getpixel((45, 60))
    assert (blue > 190, red < 60) == (True, True)
    red, _, blue = shown[13].getpixel((45, 60))
    assert min(red, blue) > 60


def test_the_cache_renders_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = ClipPlan(SMALL, 1)
    path = ClipCache(tmp_path).clip(plan)
    monkeypatch.setattr("hailuo_jupyter.simulator.clips.render", pytest.fail)
    assert ClipCache(tmp_path).clip(plan) == path
    assert list(tmp_path.glob("*.part")) == []


def test_two_caches_at_once(tmp_path: Path) -> None:
    plan = ClipPlan(SMALL, 1)
    paths = []
    threads = [
        threading.Thread(target=lambda: paths.append(ClipCache(tmp_path).clip(plan)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [paths[0].name]


def test_an_ended_rendering_leaves_nothing(tmp_path: Path) -> None:
    cache = ClipCache(tmp_path)
    cache.give_up()
    with pytest.raises(RenderingEndedError):
        cache.clip(ClipPlan(SMALL, 1))
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_clips_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hailuo_jupyter.simulator.clips._KEPT_CLIPS", 2)
    cache = ClipCache(tmp_path)
    paths = []
    for variant in range(3):
        paths.append(cache.clip(ClipPlan((32, 32), 1, variant)))
        time.sleep(0.02)
    assert sorted(tmp_path.iterdir()) == sorted(paths[1:])


def test_free_box() -> None:
    assert free_box("ab") == b"\x00\x00\x00\x0afreeab"


@pytest.mark.parametrize(
    ("size", "height", "expected"),
    [
        (None, 768, (1366, 768)),
        (None, 1080, (1920, 1080)),
        ((1366, 768), 768, (1366, 768)),
        ((420, 625), 768, (768, 1142)),
        ((1000, 1000), 1080, (1080, 1080)),
        ((1920, 1080), 768, (1366, 768)),
    ],
)
def test_sizes(size: tuple[int, int] | None, height: int, expected: tuple[int, int]) -> None:
    picture = Picture(b"x", *size, "data") if size else None
    assert fitted(picture, height) == expected


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    cache = tmp_path_factory.getbasetemp() / "clips"
    options = SimulatorOptions(
        cache=cache, variants=1, shrink=8, segmind_seconds=0, min_polls=0, media_elsewhere=True
    )
    with Simulator(options) as simulator:
        yield simulator


def made(sim: Simulator) -> Any:
    body = {"prompt": "x", "image_url": None}
    submitted = post(f"{sim.url}{SEGMIND}", json=body, headers=HEADERS).json()
    while True:
        result = get(submitted["response_url"], headers=HEADERS).json()
        if result["status"] == "COMPLETED":
            return result["output"]
        time.sleep(0.01)


def test_the_same_request_never_gives_the_same_file(sim: Simulator) -> None:
    one, other = (get(made(sim)).content for _ in range(2))
    assert one != other
    assert one[: len(one) - 44] == other[: len(other) - 44]
    with av.open(io.BytesIO(one)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 144


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        (None, 200, slice(None)),
        ("bytes=0-99", 206, slice(0, 100)),
        ("bytes=100-", 206, slice(100, None)),
        ("bytes=-50", 206, slice(-50, None)),
        ("bytes=10-99999999", 206, slice(10, None)),
        ("bytes=0-1,5-6", 200, slice(None)),
        ("lines=1-2", 200, slice(None)),
        ("bytes=99999999-", 416, None),
        ("bytes=9-3", 416, None),
        ("bytes=-0", 416, None),
    ],
)
def test_ranges(sim: Simulator, asked: str | None, status: int, part: slice | None) -> None:
    link = made(sim)
    whole = get(link)
    answer = get(link, headers={"Range": asked} if asked else {})
    assert answer.status_code == status
    size = len(whole.content)
    if part is None:
        assert answer.headers["content-range"] == f"bytes */{size}"
        return
    assert answer.content == whole.content[part]
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"] == whole.headers["etag"]


def test_if_range_and_head(sim: Simulator) -> None:
    link = made(sim)
    short = head(link)
    assert (short.status_code, short.content) == (200, b"")
    assert int(short.headers["content-length"]) > 1000
    part = {"Range": "bytes=0-3"}
    same = get(link, headers={**part, "If-Range": short.headers["etag"]})
    other = get(link, headers={**part, "If-Range": '"changed"'})
    assert (same.status_code, other.status_code) == (206, 200)


def test_media_elsewhere(sim: Simulator) -> None:
    link = made(sim)
    assert link.startswith(sim.media_url)
    assert sim.media_url.startswith("http://localhost:")
    assert get(link).status_code == 200
    entry = sim.requests[-1]
    assert (entry.had_api_key, entry.stage, entry.job_id) == (False, "media", sim.ledger[-1].id)
    assert sim.ledger[-1].downloads == 1


def test_no_clip_before_its_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    cache = tmp_path_factory.getbasetemp() / "clips"
    with Simulator(SimulatorOptions(cache=cache, shrink=16, variants=1)) as sim:
        submitted = post(f"{sim.url}{SEGMIND}", json={"prompt": "x"}, headers=HEADERS).json()
        media_id = sim.state.jobs()[0].media_id
        assert get(f"{sim.url}/generations/{media_id}.mp4").status_code == 404
        assert get(submitted["response_url"], headers=HEADERS).json()["status"] == "QUEUED"
        assert get(f"{sim.url}/assets/nothing.png").status_code == 404


def test_the_clock() -> None:
    clock = VirtualClock(1000)
    before, real = clock.now(), time.time()
    assert abs(before - real) < 60
    time.sleep(0.02)
    assert clock.now() - before >= 20
    assert clock.advance(5000) - before >= 5000
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="speed"):
            VirtualClock(wrong)
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="advance"):
            clock.advance(wrong)


def test_drawing_that_takes_long_costs_no_retention(tmp_path: Path) -> None:
    # At this speed an hour is over in 4 ms, and drawing takes longer than that.
    options = SimulatorOptions(cache=tmp_path, speed=900_000, min_polls=0, shrink=8, variants=1)
    with Simulator(options) as sim:
        made = post(f"{sim.url}{SEGMIND}", json={"prompt": "x"}, headers=HEADERS).json()
        job = sim.state.job("segmind", made["request_id"])
        assert job is not None
        assert job.rendering is not None
        job.rendering.result()
        assert job.drawing_delay > 3600
        assert job.phase(sim.now()).ended
        assert job.ended_at is not None
        assert job.ended_at <= sim.now()


def test_durations() -> None:
    draws = [sum(Durations(7, 0.15, 0.2).draw(173.0)) for _ in range(3)]
    assert len(set(draws)) == 1
    many = Durations(1, 0.15, 0.2)
    times = sorted(sum(many.draw(173.0)) for _ in range(2001))
    assert 165 < times[1000] < 181
    assert times[0] > 60
    queue, work = Durations(None, 0.0, 0.2).draw(100.0)
    assert (queue, work) == pytest.approx((20, 80))


@pytest.mark.parametrize("polls", [0, 1, 4])
def test_polls_before_the_end(tmp_path_factory: pytest.TempPathFactory, polls: int) -> None:
    options = SimulatorOptions(
        cache=tmp_path_factory.getbasetemp() / "clips",
        shrink=8,
        variants=1,
        min_polls=polls,
        segmind_seconds=0,
    )
    with Simulator(options) as sim:
        made = post(f"{sim.url}{SEGMIND}", json={"prompt": "x"}, headers=HEADERS).json()
        job = sim.state.job("segmind", made["request_id"])
        assert job is not None
        assert job.rendering is not None
        job.rendering.result()
        words = []
        while "COMPLETED" not in words:
            words.append(get(made["status_url"], headers=HEADERS).json()["status"])
        assert words == [*["QUEUED", *["PROCESSING"] * 3][:polls], "COMPLETED"]


def test_one_life() -> None:
    sim = Simulator()
    sim.stop()
    with sim:
        assert get(f"{sim.url}/_sim/health").status_code == 200
    sim.stop()
    with pytest.raises(RuntimeError):
        sim.start()
    with pytest.raises(httpx.ConnectError):
        get(f"{sim.url}/_sim/health")


def test_stopping_does_not_wait_for_clips(tmp_path: Path) -> None:
    sim = Simulator(SimulatorOptions(cache=tmp_path)).start()
    post(f"{sim.url}{SEGMIND}", json={"prompt": "a cat"}, headers=HEADERS)
    sim.stop()
    assert not list(tmp_path.iterdir()), "it waited until the clip was there"


@pytest.mark.parametrize(
    "wrong",
    [{"queue_share": 2}, {"min_polls": -1}, {"shrink": 0}, {"sigma": -1}, {"render_threads": 0}],
)
def test_options_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        SimulatorOptions(**wrong)


def test_environment() -> None:
    with Simulator() as sim:
        assert sim.environment() == {
            "SEGMIND_BASE_URL": sim.url,
            "SEGMIND_STORAGE_URL": sim.url,
            "SEGMIND_HISTORY_URL": f"{sim.url}/inference-request",
            "AIML_API_BASE_URL": sim.url,
            "FAL_BASE_URL": sim.url,
            "FAL_STORAGE_URL": sim.url,
            "REPLICATE_BASE_URL": sim.url,
            "RUNWARE_BASE_URL": f"{sim.url}/runware",
            "MINIMAX_API_HOST": sim.url,
        }
