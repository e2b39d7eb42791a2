"""Every fault of the simulator does what its description says, and only when it is on: values and files."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import av
import httpx
import pytest

from hailuo_jupyter.simulator import FAULTS, Simulator
from hailuo_jupyter.simulator.fault_list import Effect

from .fault_bench import LEGACY, UNIFIED, Bench, at_work, get, serving
from .fault_bench import TLS as _TLS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with serving(tmp_path_factory.getbasetemp() / "clips") as simulator:
        yield simulator


@pytest.fixture
def bench(server: Simulator) -> Iterator[Bench]:
    with at_work(server) as made:
        yield made


def unknown_status(bench: Bench, name: str) -> None:
    bench.sim.fault(name, word="DREAMING")
    made = bench.submit().json()
    assert bench.segmind.get(made["status_url"]).json()["status"] == "DREAMING"
    assert bench.segmind.get(made["status_url"]).json()["status"] in ("QUEUED", "PROCESSING")


def backwards(bench: Bench, name: str) -> None:
    # Spent only where it applies: the first answer is QUEUED anyhow.
    bench.sim.fault("stuck")
    bench.sim.fault(name)
    url = bench.submit().json()["status_url"]
    words = [bench.segmind.get(url).json()["status"] for _ in range(3)]
    assert words[-2:] in (["QUEUED", "PROCESSING"], ["PROCESSING", "PROCESSING"])
    assert "QUEUED" in words
    assert name in [fault for entry in bench.sim.requests[-3:] for fault in entry.faults]


def failed_under(status: int, **details: Any) -> Callable[[Bench, str], None]:
    def check(bench: Bench, name: str) -> None:
        bench.sim.fault("job-fails")
        bench.sim.fault(name, "status", **details)
        bench.finished()
        assert bench.sim.requests[-1].status == status

    return check


def waiting_active(bench: Bench, name: str) -> None:
    bench.sim.fault(name, count=None)
    assert [one.json()["status"] for one in bench.polled()][:2] == ["waiting", "active"]


def no_link(bench: Bench, name: str) -> None:
    bench.sim.fault(name, count=2)
    assert "output" not in bench.result().json()
    assert "video" not in bench.poll()


def shape(make: Callable[[str], Any]) -> Callable[[Bench, str], None]:
    def check(bench: Bench, name: str) -> None:
        bench.sim.fault(name, count=None)
        url = bench.finished()["response_url"]
        changed = bench.segmind.get(url).json()["output"]
        video = bench.poll()["video"]
        bench.sim.clear_faults()
        assert changed == make(bench.segmind.get(url).json()["output"])
        assert isinstance(video, type(changed))

    return check


def foreign_urls(bench: Bench, name: str) -> None:
    bench.sim.fault(name)
    made = bench.submit().json()
    for link in ("status_url", "response_url", "poll_url"):
        assert made[link].startswith(bench.sim.media_url)
    bench.sim.fault(name, base="https://elsewhere.example")
    assert bench.submit().json()["status_url"].startswith("https://elsewhere.example/v2/")


def foreign_media(bench: Bench, name: str) -> None:
    bench.sim.fault(name, count=2)
    for link in (bench.result().json()["output"], bench.poll()["video"]["url"]):
        assert link.startswith("http://localhost:")
        assert get(link).status_code == 200
        assert not bench.sim.requests[-1].had_api_key


def ids(*names: str) -> Callable[[Bench, str], None]:
    def check(bench: Bench, name: str) -> None:
        for path in (LEGACY, UNIFIED):
            bench.sim.fault(name)
            made = bench.generate(path).json()
            assert {"id", "generation_id"} & made.keys() == set(names)
            assert made["status"] == "queued"

    return check


def number_id(bench: Bench, name: str) -> None:
    bench.sim.fault(name)
    assert isinstance(bench.generate().json()["generation_id"], int)


def accepted_with(status: int) -> Callable[[Bench, str], None]:
    def check(bench: Bench, name: str) -> None:
        bench.sim.fault(name, count=None)
        codes = {bench.generate().status_code, bench.generate(UNIFIED).status_code}
        assert codes == {status}

    return check


def missing_keys(bench: Bench, name: str) -> None:
    assert bench.poll(UNIFIED)["error"] is None
    bench.sim.fault(name, count=None)
    assert "error" not in bench.poll(UNIFIED)
    assert "error" not in bench.result().json()


def null_keys(bench: Bench, name: str) -> None:
    bench.sim.fault(name, count=None)
    assert bench.poll()["meta"] is None


def error_as(kind: type, key: str | None) -> Callable[[Bench, str], None]:
    def check(bench: Bench, name: str) -> None:
        bench.sim.fault("job-fails", message="a reason")
        bench.sim.fault(name, count=None)
        error = bench.poll()["error"]
        assert isinstance(error, kind)
        assert key is None or key in error
        assert "a reason" in str(error)

    return check


def status_code_int(bench: Bench, name: str) -> None:
    assert bench.aimlapi.post(LEGACY, json={}).json()["statusCode"] == "400"
    bench.sim.fault(name)
    assert bench.aimlapi.post(LEGACY, json={}).json()["statusCode"] == 400


def upload(key: str) -> Callable[[Bench, str], None]:
    def check(bench: Bench, name: str) -> None:
        bench.sim.fault(name)
        body = {"data_urls": ["data:image/png;base64,aGVsbG8="]}
        got = bench.segmind.post("/upload-asset", json=body).json()
        assert set(got) == {key}
        assert get(got[key][0]).content == b"hello"

    return check


def log_nulls(bench: Bench, name: str) -> None:
    bench.poll()
    bench.sim.fault(name)
    [row] = bench.aimlapi.get("/v2/logs?limit=1").json()["data"]
    assert (row["inference_id"], row["client_request_id"], row["cost"]) == (None, None, None)


def histories(bench: Bench, name: str) -> tuple[list[Any], list[Any]]:
    """Give the newest row of Segmind's history and of AI/ML API's log, under a fault."""
    bench.finished()
    bench.poll()
    path = "/inference-request/request-history?per_page=1"
    bench.sim.fault(name, count=2)
    return bench.segmind.get(path).json()["data"], bench.aimlapi.get("/v2/logs?limit=1").json()[
        "data"
    ]


def missing_rows(bench: Bench, name: str) -> None:
    assert histories(bench, name) == ([], [])


def twin_rows(bench: Bench, name: str) -> None:
    for rows, named in zip(histories(bench, name), ("request_id", "inference_id"), strict=True):
        first, twin = rows
        assert {**twin, named: first[named]} == first
        assert twin[named] != first[named]


def repeated_rows(bench: Bench, name: str) -> None:
    for first, again in histories(bench, name):
        assert first == again


def rows_without_cost(bench: Bench, name: str) -> None:
    ([segmind], [aimlapi]) = histories(bench, name)
    assert (segmind["credits_deduction"], aimlapi["cost"]) == (None, None)


def foreign_rows(bench: Bench, name: str) -> None:
    ([segmind], _) = histories(bench, name)
    assert segmind["generation_url"].startswith(bench.sim.media_url)


def truncated(bench: Bench, name: str) -> None:
    bench.sim.fault(name)
    with pytest.raises(httpx.RemoteProtocolError):
        bench.clip()


def wrong_type(bench: Bench, name: str) -> None:
    bench.sim.fault(name, type="text/plain")
    got = bench.clip()
    assert got.headers["content-type"] == "text/plain"
    assert b"ftyp" in got.content[:12]


def html_clip(bench: Bench, name: str) -> None:
    bench.sim.fault(name)
    got = bench.clip()
    assert (got.status_code, got.content[:6]) == (200, b"<html>")


def empty_clip(bench: Bench, name: str) -> None:
    bench.sim.fault(name)
    got = bench.clip()
    assert (got.status_code, got.content) == (200, b"")


def no_video_track(bench: Bench, name: str) -> None:
    bench.sim.fault(name)
    with av.open(io.BytesIO(bench.clip().content)) as container:
        assert [stream.type for stream in container.streams] == ["audio"]


def garbage_clip(bench: Bench, name: str) -> None:
    bench.sim.fault(name)
    got = bench.clip()
    assert got.headers["content-type"] == "video/mp4"
    with pytest.raises(av.error.InvalidDataError):
        av.open(io.BytesIO(got.content))


def expired_clip(bench: Bench, name: str) -> None:
    bench.sim.fault(name)
    assert bench.clip().status_code == 403


def redirected_clip(bench: Bench, name: str) -> None:
    link = bench.result().json()["output"]
    bench.sim.fault(name)
    got = bench.segmind.get(link)
    assert got.status_code == 302
    bench.sim.fault(name)
    assert get(link, follow_redirects=True).content[4:8] == b"ftyp"
    assert bench.sim.requests[-1].host.startswith("localhost:")
    assert not bench.sim.requests[-1].had_api_key


def slow_clip(bench: Bench, name: str) -> None:
    link = bench.result().json()["output"]
    size = len(get(link).content)
    bench.sim.fault(name, bytes_per_second=size * 4)
    started = time.monotonic()
    assert len(get(link).content) == size
    assert time.monotonic() - started > 0.2


def no_range(bench: Bench, name: str) -> None:
    assert bench.clip(Range="bytes=2-5").status_code == 206
    bench.sim.fault(name)
    got = bench.clip(Range="bytes=2-5")
    assert got.status_code == 200
    assert "accept-ranges" not in got.headers


def no_length(bench: Bench, name: str) -> None:
    bench.sim.fault(name)
    got = bench.clip()
    assert "content-length" not in got.headers
    assert b"ftyp" in got.content[:12]


def huge_clip(bench: Bench, name: str) -> None:
    link = bench.result().json()["output"]
    bench.sim.fault(name, size=4_000_000_000)
    with httpx.stream("GET", link, verify=_TLS) as got:
        assert got.headers["content-length"] == "4000000000"
        assert next(got.iter_raw())


def endless_clip(bench: Bench, name: str) -> None:
    link = bench.result().json()["output"]
    bench.sim.fault(name)
    with httpx.stream("GET", link, verify=_TLS) as got:
        assert "content-length" not in got.headers
        came = 0
        for chunk in got.iter_raw():
            came += len(chunk)
            if came > 5_000_000:
                break
    assert came > 5_000_000


EFFECTS = {Effect.REWRITE, Effect.MEDIA, Effect.MEDIA_RANGE}

CHECKS: dict[str, Callable[[Bench, str], None]] = {
    "unknown-status": unknown_status,
    "backwards": backwards,
    "failed-under-200": failed_under(200),
    "failed-under": failed_under(500),
    "waiting-active": waiting_active,
    "no-link": no_link,
    "null-link": shape(lambda _: None),
    "output-string": shape(lambda link: link),
    "output-object": shape(lambda link: {"url": link}),
    "output-video-url": shape(lambda link: {"video_url": link}),
    "output-list": shape(lambda link: [link]),
    "output-list-of-objects": shape(lambda link: [{"url": link}]),
    "foreign-urls": foreign_urls,
    "foreign-media": foreign_media,
    "generation-id-only": ids("generation_id"),
    "id-only": ids("id"),
    "no-id": ids(),
    "number-id": number_id,
    "ok": accepted_with(200),
    "created": accepted_with(201),
    "missing-keys": missing_keys,
    "null-keys": null_keys,
    "error-object": error_as(dict, "message"),
    "error-detail-list": error_as(dict, "detail"),
    "error-string": error_as(str, None),
    "status-code-int": status_code_int,
    "upload-urls": upload("urls"),
    "upload-file-urls": upload("file_urls"),
    "log-nulls": log_nulls,
    "history-missing": missing_rows,
    "history-twin": twin_rows,
    "history-repeats": repeated_rows,
    "history-no-cost": rows_without_cost,
    "history-foreign": foreign_rows,
    "media-truncated": truncated,
    "media-wrong-type": wrong_type,
    "media-html": html_clip,
    "media-empty": empty_clip,
    "media-no-video-track": no_video_track,
    "media-garbage": garbage_clip,
    "media-expired": expired_clip,
    "media-redirect": redirected_clip,
    "media-slow": slow_clip,
    "media-no-range": no_range,
    "media-no-length": no_length,
    "media-huge": huge_clip,
    "media-endless": endless_clip,
}


@pytest.mark.parametrize("name", CHECKS)
def test_fault(bench: Bench, name: str) -> None:
    CHECKS[name](bench, name)


def test_every_fault_of_this_kind_is_tried() -> None:
    assert set(CHECKS) == {name for name, kind in FAULTS.items() if kind.effect in EFFECTS}
