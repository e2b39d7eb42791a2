"""Every fault of the simulator does what its description says, and only when it is on."""

from __future__ import annotations

import email.utils
import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import av
import httpx
import pytest

from tests.simulator import FAULTS, Fault, Simulator, describe_faults
from tests.support.simulator_clients import (
    LEGACY,
    SEGMIND,
    TLS,
    UNIFIED,
    SimulatorClients,
    at_work,
    get,
    serving,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with serving(tmp_path_factory.getbasetemp() / "clips") as simulator:
        yield simulator


@pytest.fixture
def bench(server: Simulator) -> Iterator[SimulatorClients]:
    with at_work(server) as made:
        yield made


def answers_with(status: int, **headers: str) -> Callable[[SimulatorClients, str], None]:
    def check(bench: SimulatorClients, name: str) -> None:
        before = len(bench.sim.ledger)
        bench.sim.fault(name)
        answer = bench.submit()
        assert answer.status_code == status
        for header, value in headers.items():
            assert answer.headers[header.replace("_", "-")] == value
        assert len(bench.sim.ledger) == before
        assert bench.sim.requests[-1].faults == (name,)
        assert bench.submit().status_code == 200

    return check


def answer(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, status=418, body={"a": 1}, headers={"X-Tea": "green"})
    got = bench.submit()
    assert (got.status_code, got.json(), got.headers["x-tea"]) == (418, {"a": 1}, "green")
    bench.sim.fault(name, status=200, body="just words", accepted=True)
    before = len(bench.sim.ledger)
    assert bench.submit().text == "just words"
    assert len(bench.sim.ledger) == before + 1


def no_credits(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, count=2)
    assert bench.submit().status_code == 402
    got = bench.generate()
    assert got.status_code == 403
    assert "credits" in got.json()["message"]


def retry_date(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, seconds=90)
    got = bench.submit()
    when = email.utils.parsedate_to_datetime(got.headers["retry-after"]).timestamp()
    assert got.status_code == 429
    assert 85 < when - time.time() <= 91


def http_503(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name)
    assert "retry-after" not in bench.submit().headers
    bench.sim.fault(name, retry_after=7)
    assert bench.submit().headers["retry-after"] == "7"


def redirect(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, "status")
    status_url = bench.submit().json()["status_url"]
    got = bench.segmind.get(status_url)
    assert got.status_code == 307
    assert got.headers["location"].startswith("http://localhost:")
    # The client's own library takes the key off the road; the simulator can tell.
    bench.sim.fault(name, "status")
    assert bench.segmind.get(status_url, follow_redirects=True).status_code == 200
    assert bench.sim.requests[-1].host.startswith("localhost:")
    assert bench.sim.requests[-1].had_api_key


def drop_before(bench: SimulatorClients, name: str) -> None:
    before = len(bench.sim.ledger)
    bench.sim.fault(name)
    with pytest.raises(httpx.TransportError):
        bench.segmind.post(SEGMIND, json={"prompt": "x" * 2000})
    assert len(bench.sim.ledger) == before
    assert bench.sim.requests[-1].status == 0
    assert bench.submit().status_code == 200


def lost_answer(bench: SimulatorClients, name: str) -> None:
    before = len(bench.sim.ledger)
    bench.sim.fault(name, count=2)
    for submit in (bench.submit, bench.generate):
        with pytest.raises(httpx.RemoteProtocolError):
            submit()
    assert len(bench.sim.ledger) == before + 2
    assert bench.sim.requests[-1].status == 0
    assert bench.sim.requests[-1].job_id == bench.sim.ledger[-1].id


def drop_mid_body(bench: SimulatorClients, name: str) -> None:
    before = len(bench.sim.ledger)
    bench.sim.fault(name)
    with pytest.raises(httpx.RemoteProtocolError):
        bench.submit()
    assert len(bench.sim.ledger) == before + 1


def unreadable(bench: SimulatorClients, name: str) -> None:
    before = len(bench.sim.ledger)
    bench.sim.fault(name)
    got = bench.submit()
    assert got.status_code == 200
    with pytest.raises(ValueError, match=r"."):
        got.json()
    assert len(bench.sim.ledger) == before + 1


def html(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, status=502)
    got = bench.submit()
    assert got.status_code == 502
    assert got.headers["content-type"].startswith("text/html")


def json_list(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name)
    assert bench.submit().json()[0]["status"] == "QUEUED"


def wrong_types(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name)
    assert set(map(type, bench.submit().json().values())) == {int}


def delay(bench: SimulatorClients, name: str) -> None:
    for after in (True, False):
        before = len(bench.sim.ledger)
        bench.sim.fault(name, seconds=0.3, after=after)
        with pytest.raises(httpx.ReadTimeout):
            bench.segmind.post(SEGMIND, json={"prompt": "x"}, timeout=0.1)
        end = time.monotonic() + 60
        while len(bench.sim.ledger) < before + after and time.monotonic() < end:
            time.sleep(0.01)
        assert len(bench.sim.ledger) == before + after
        time.sleep(0.35)
    assert bench.submit().status_code == 200


def job_fails(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, message="no luck")
    url = bench.finished()["response_url"]
    got = bench.segmind.get(url)
    assert (got.status_code, got.json()["status"], got.json()["error"]) == (
        422,
        "FAILED",
        "no luck",
    )


def moderation(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, count=2)
    got = bench.segmind.get(bench.finished()["response_url"]).json()
    assert "policy" in got["error"]
    assert got["metrics"] == {"inference_time": 0.008}
    assert "policy" in bench.poll()["error"]["message"]


def stuck(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name)
    url = bench.submit().json()["status_url"]
    assert [bench.segmind.get(url).json()["status"] for _ in range(4)][-1] == "PROCESSING"


def seconds(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, seconds=1000)
    url = bench.submit().json()["status_url"]
    bench.sim.advance(100)
    assert bench.segmind.get(url).json()["status"] == "QUEUED"
    bench.sim.advance(500)
    assert bench.segmind.get(url).json()["status"] == "PROCESSING"
    bench.sim.advance(500)
    while bench.segmind.get(url).json()["status"] != "COMPLETED":
        time.sleep(0.01)


def odd_id(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name)
    job_id = bench.poll()["id"]
    assert ":" in job_id
    assert "/" in job_id


def forgotten(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, count=2)
    assert bench.segmind.get(bench.submit().json()["status_url"]).status_code == 404
    job_id = bench.generate().json()["generation_id"]
    assert bench.aimlapi.get(LEGACY, params={"generation_id": job_id}).status_code == 404


def trickle(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, bytes_per_second=1000)
    started = time.monotonic()
    answer = bench.submit()
    assert answer.json()["status"] == "QUEUED"
    assert time.monotonic() - started > len(answer.content) / 1000 * 0.6


def huge(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, megabytes=3)
    answer = bench.submit()
    assert 3_000_000 < len(answer.content) < 3_001_000
    assert answer.json()["status"] == "QUEUED"


def nested(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, depth=100)
    made = bench.submit().json()
    depth = 0
    while made["nested"]:
        depth, made["nested"] = depth + 1, made["nested"][0]
    assert (depth, made["status"]) == (99, "QUEUED")


def resets(stage: str) -> Callable[[SimulatorClients, str], None]:
    def check(bench: SimulatorClients, name: str) -> None:
        link = bench.result().json()["output"]
        bench.sim.fault(name, stage, reset=True)
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError)):
            get(link) if stage == "media" else bench.submit()

    return check


# ── values and files ───────────────────────────────────────────────────────────────────────────


def unknown_status(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, word="DREAMING")
    made = bench.submit().json()
    assert bench.segmind.get(made["status_url"]).json()["status"] == "DREAMING"
    assert bench.segmind.get(made["status_url"]).json()["status"] in ("QUEUED", "PROCESSING")


def succeeded(bench: SimulatorClients, name: str) -> None:
    made = bench.finished()
    bench.sim.fault(name, count=2)
    for url in (made["status_url"], made["response_url"]):
        assert bench.segmind.get(url).json()["status"] == "SUCCEEDED"
    assert bench.segmind.get(made["status_url"]).json()["status"] == "COMPLETED"


def backwards(bench: SimulatorClients, name: str) -> None:
    # Spent only where it applies: the first answer is QUEUED anyhow.
    bench.sim.fault("stuck")
    bench.sim.fault(name)
    url = bench.submit().json()["status_url"]
    words = [bench.segmind.get(url).json()["status"] for _ in range(3)]
    assert words[-2:] in (["QUEUED", "PROCESSING"], ["PROCESSING", "PROCESSING"])
    assert "QUEUED" in words
    assert name in [fault for entry in bench.sim.requests[-3:] for fault in entry.faults]


def failed_under(status: int, **details: Any) -> Callable[[SimulatorClients, str], None]:
    def check(bench: SimulatorClients, name: str) -> None:
        bench.sim.fault("job-fails")
        bench.sim.fault(name, "status", **details)
        bench.finished()
        assert bench.sim.requests[-1].status == status

    return check


def error_names_job(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, count=2, status=503)
    for submit, id_name in ((bench.submit, "request_id"), (bench.generate, "generation_id")):
        reply = submit()
        assert reply.status_code == 503
        assert reply.json()[id_name] == bench.sim.ledger[-1].id


def waiting_active(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, count=None)
    assert [one.json()["status"] for one in bench.polled()][:2] == ["waiting", "active"]


def no_link(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, count=2)
    assert "output" not in bench.result().json()
    assert "video" not in bench.poll()


def shape(make: Callable[[str], Any]) -> Callable[[SimulatorClients, str], None]:
    def check(bench: SimulatorClients, name: str) -> None:
        bench.sim.fault(name, count=None)
        url = bench.finished()["response_url"]
        changed = bench.segmind.get(url).json()["output"]
        video = bench.poll()["video"]
        bench.sim.clear_faults()
        assert changed == make(bench.segmind.get(url).json()["output"])
        assert isinstance(video, type(changed))

    return check


def beside(key: str, make: Callable[[str], Any]) -> Callable[[SimulatorClients, str], None]:
    def check(bench: SimulatorClients, name: str) -> None:
        bench.sim.fault(name, count=None)
        url = bench.finished()["response_url"]
        changed, video = bench.segmind.get(url).json(), bench.poll()[key]
        bench.sim.clear_faults()
        assert changed[key] == make(bench.segmind.get(url).json()["output"])
        assert "output" not in changed
        assert isinstance(video, type(changed[key]))

    return check


def foreign_urls(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name)
    made = bench.submit().json()
    for link in ("status_url", "response_url", "poll_url"):
        assert made[link].startswith(bench.sim.media_url)
    bench.sim.fault(name, base="https://elsewhere.example")
    assert bench.submit().json()["status_url"].startswith("https://elsewhere.example/v2/")


def foreign_media(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, count=2)
    for link in (bench.result().json()["output"], bench.poll()["video"]["url"]):
        assert link.startswith("http://localhost:")
        assert get(link).status_code == 200
        assert not bench.sim.requests[-1].had_api_key


def ids(*names: str) -> Callable[[SimulatorClients, str], None]:
    def check(bench: SimulatorClients, name: str) -> None:
        for path in (LEGACY, UNIFIED):
            bench.sim.fault(name)
            made = bench.generate(path).json()
            assert {"id", "generation_id"} & made.keys() == set(names)
            assert made["status"] == "queued"

    return check


def number_id(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name)
    assert isinstance(bench.generate().json()["generation_id"], int)


def accepted_with(status: int) -> Callable[[SimulatorClients, str], None]:
    def check(bench: SimulatorClients, name: str) -> None:
        bench.sim.fault(name, count=None)
        codes = {bench.generate().status_code, bench.generate(UNIFIED).status_code}
        assert codes == {status}

    return check


def missing_keys(bench: SimulatorClients, name: str) -> None:
    assert bench.poll(UNIFIED)["error"] is None
    bench.sim.fault(name, count=None)
    assert "error" not in bench.poll(UNIFIED)
    assert "error" not in bench.result().json()


def null_keys(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, count=None)
    assert bench.poll()["meta"] is None


def error_as(kind: type, key: str | None) -> Callable[[SimulatorClients, str], None]:
    def check(bench: SimulatorClients, name: str) -> None:
        bench.sim.fault("job-fails", message="a reason")
        bench.sim.fault(name, count=None)
        error = bench.poll()["error"]
        assert isinstance(error, kind)
        assert key is None or key in error
        assert "a reason" in str(error)

    return check


def status_code_int(bench: SimulatorClients, name: str) -> None:
    assert bench.aimlapi.post(LEGACY, json={}).json()["statusCode"] == "400"
    bench.sim.fault(name)
    assert bench.aimlapi.post(LEGACY, json={}).json()["statusCode"] == 400


def upload(key: str) -> Callable[[SimulatorClients, str], None]:
    def check(bench: SimulatorClients, name: str) -> None:
        bench.sim.fault(name)
        body = {"data_urls": ["data:image/png;base64,aGVsbG8="]}
        got = bench.segmind.post("/upload-asset", json=body).json()
        assert set(got) == {key}
        assert get(got[key][0]).content == b"hello"

    return check


def reported_cost(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, count=None, usd=0.5)
    assert bench.result().json()["metrics"]["cost"] == 0.5
    assert bench.poll()["meta"]["usage"]["credits_used"] == 1_000_000
    bench.sim.clear_faults()
    bench.sim.fault(name, usd=0.25, header=True)
    assert bench.polled()[-1].headers["x-aimlapi-usd-spent"] == "0.25"


def log_nulls(bench: SimulatorClients, name: str) -> None:
    bench.poll()
    bench.sim.fault(name)
    [row] = bench.aimlapi.get("/v2/logs?limit=1").json()["data"]
    assert (row["inference_id"], row["client_request_id"], row["cost"]) == (None, None, None)


def histories(bench: SimulatorClients, name: str) -> tuple[list[Any], list[Any]]:
    """Return the newest row of Segmind's history and of AI/ML API's log, under a fault."""
    bench.finished()
    bench.poll()
    path = "/inference-request/request-history?per_page=1"
    bench.sim.fault(name, count=2)
    return bench.segmind.get(path).json()["data"], bench.aimlapi.get("/v2/logs?limit=1").json()[
        "data"
    ]


def missing_rows(bench: SimulatorClients, name: str) -> None:
    assert histories(bench, name) == ([], [])


def twin_rows(bench: SimulatorClients, name: str) -> None:
    for rows, named in zip(histories(bench, name), ("request_id", "inference_id"), strict=True):
        first, twin = rows
        assert {**twin, named: first[named]} == first
        assert twin[named] != first[named]


def repeated_rows(bench: SimulatorClients, name: str) -> None:
    for first, again in histories(bench, name):
        assert first == again


def rows_without_cost(bench: SimulatorClients, name: str) -> None:
    ([segmind], [aimlapi]) = histories(bench, name)
    assert (segmind["credits_deduction"], aimlapi["cost"]) == (None, None)


def foreign_rows(bench: SimulatorClients, name: str) -> None:
    ([segmind], _) = histories(bench, name)
    assert segmind["generation_url"].startswith(bench.sim.media_url)


def truncated(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name)
    with pytest.raises(httpx.RemoteProtocolError):
        bench.clip()


def wrong_type(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name, type="text/plain")
    got = bench.clip()
    assert got.headers["content-type"] == "text/plain"
    assert b"ftyp" in got.content[:12]


def html_clip(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name)
    got = bench.clip()
    assert (got.status_code, got.content[:6]) == (200, b"<html>")


def empty_clip(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name)
    got = bench.clip()
    assert (got.status_code, got.content) == (200, b"")


def no_video_track(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name)
    with av.open(io.BytesIO(bench.clip().content)) as container:
        assert [stream.type for stream in container.streams] == ["audio"]


def garbage_clip(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name)
    got = bench.clip()
    assert got.headers["content-type"] == "video/mp4"
    # Random bytes can look like another of FFmpeg's formats: 17 of 3,000 did.
    with pytest.raises(av.error.InvalidDataError):
        av.open(io.BytesIO(got.content), format="mp4")


def expired_clip(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name)
    assert bench.clip().status_code == 403


def redirected_clip(bench: SimulatorClients, name: str) -> None:
    link = bench.result().json()["output"]
    bench.sim.fault(name)
    got = bench.segmind.get(link)
    assert got.status_code == 302
    bench.sim.fault(name)
    assert get(link, follow_redirects=True).content[4:8] == b"ftyp"
    assert bench.sim.requests[-1].host.startswith("localhost:")
    assert not bench.sim.requests[-1].had_api_key


def slow_clip(bench: SimulatorClients, name: str) -> None:
    link = bench.result().json()["output"]
    size = len(get(link).content)
    bench.sim.fault(name, bytes_per_second=size * 4)
    started = time.monotonic()
    assert len(get(link).content) == size
    assert time.monotonic() - started > 0.2


def no_range(bench: SimulatorClients, name: str) -> None:
    assert bench.clip(Range="bytes=2-5").status_code == 206
    bench.sim.fault(name)
    got = bench.clip(Range="bytes=2-5")
    assert got.status_code == 200
    assert "accept-ranges" not in got.headers


def no_length(bench: SimulatorClients, name: str) -> None:
    bench.sim.fault(name)
    got = bench.clip()
    assert "content-length" not in got.headers
    assert b"ftyp" in got.content[:12]


def huge_clip(bench: SimulatorClients, name: str) -> None:
    link = bench.result().json()["output"]
    bench.sim.fault(name, size=4_000_000_000)
    with httpx.stream("GET", link, verify=TLS, timeout=60) as got:
        assert got.headers["content-length"] == "4000000000"
        assert next(got.iter_raw())


def endless_clip(bench: SimulatorClients, name: str) -> None:
    link = bench.result().json()["output"]
    bench.sim.fault(name)
    with httpx.stream("GET", link, verify=TLS, timeout=60) as got:
        assert "content-length" not in got.headers
        came = 0
        for chunk in got.iter_raw():
            came += len(chunk)
            if came > 5_000_000:
                break
    assert came > 5_000_000


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("drop-before-reading", "submit"),
        ("lost-answer", "submit"),
        ("drop-mid-body", "submit"),
        ("media-truncated", "media"),
    ],
)
def test_a_connection_can_be_reset(bench: SimulatorClients, name: str, stage: str) -> None:
    resets(stage)(bench, name)


def test_a_clip_is_known_by_its_prompt_before_anything_is_sent(bench: SimulatorClients) -> None:
    link = bench.result().json()["output"]
    bench.sim.fault("drop-before-reading", "media", prompt="calm")
    with pytest.raises(httpx.TransportError):
        get(link)
    assert get(link).status_code == 200


def test_some_faults_are_switched_off_and_others_stay(bench: SimulatorClients) -> None:
    bench.sim.fault("http-500", prompt="storm")
    bench.sim.fault("http-500", prompt="calm")
    bench.sim.state.faults.clear(lambda each: each.prompt == "storm")
    assert [each.prompt for each in bench.sim.faults] == ["calm"]


CHECKS: dict[str, Callable[[SimulatorClients, str], None]] = {
    "answer": answer,
    "bad-request": answers_with(400),
    "unauthorized": answers_with(401),
    "forbidden": answers_with(403),
    "no-credits": no_credits,
    "spend-limit": answers_with(406),
    "content-type": answers_with(406),
    "retired": answers_with(410),
    "expired": answers_with(404),
    "invalid": answers_with(422),
    "rate-limited": answers_with(429),
    "rate-limited-seconds": answers_with(429, retry_after="1"),
    "rate-limited-date": retry_date,
    "rate-limited-absurd": answers_with(429, retry_after="99999999999"),
    "http-500": answers_with(500),
    "http-502": answers_with(502, content_type="text/html"),
    "http-503": http_503,
    "http-504": answers_with(504, content_type="text/html"),
    "redirect": redirect,
    "drop-before-reading": drop_before,
    "lost-answer": lost_answer,
    "drop-mid-body": drop_mid_body,
    "garbage": unreadable,
    "empty": unreadable,
    "html": html,
    "truncated-json": unreadable,
    "json-list": json_list,
    "wrong-types": wrong_types,
    "delay": delay,
    "job-fails": job_fails,
    "moderation": moderation,
    "stuck": stuck,
    "seconds": seconds,
    "odd-id": odd_id,
    "forgotten": forgotten,
    "trickle": trickle,
    "huge": huge,
    "nested": nested,
    "unknown-status": unknown_status,
    "succeeded": succeeded,
    "backwards": backwards,
    "failed-under-200": failed_under(200),
    "failed-under": failed_under(500),
    "error-names-job": error_names_job,
    "waiting-active": waiting_active,
    "no-link": no_link,
    "null-link": shape(lambda _: None),
    "output-string": shape(lambda link: link),
    "output-object": shape(lambda link: {"url": link}),
    "output-video-url": shape(lambda link: {"video_url": link}),
    "output-list": shape(lambda link: [link]),
    "output-list-of-objects": shape(lambda link: [{"url": link}]),
    "output-text": shape(lambda link: f'  {{"url": "{link}"}}\n'),
    "output-pictures": shape(lambda link: [f"{link.partition('?')[0]}.jpg", link]),
    "video-key": beside("video", lambda link: {"url": link, "content_type": "video/mp4"}),
    "videos-key": beside("videos", lambda link: [{"url": link}]),
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
    "reported-cost": reported_cost,
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
def test_fault(bench: SimulatorClients, name: str) -> None:
    CHECKS[name](bench, name)


def test_every_fault_is_tried() -> None:
    assert set(CHECKS) == set(FAULTS)


def test_every_fault_is_described() -> None:
    assert [name for name, _ in describe_faults()] == list(FAULTS)
    assert all(text for _, text in describe_faults())


def test_predicates(bench: SimulatorClients) -> None:
    bench.sim.fault("http-500", count=None, prompt="storm")
    assert bench.submit().status_code == 200
    assert bench.submit("a storm").status_code == 500
    bench.sim.clear_faults()
    bench.sim.fault("http-500", "any", count=None, path="/status")
    made = bench.submit().json()
    assert bench.segmind.get(made["status_url"]).status_code == 500
    assert bench.segmind.get(made["response_url"]).status_code == 200
    bench.sim.clear_faults()
    bench.sim.fault("http-500", count=None, wire="aimlapi")
    assert (bench.submit().status_code, bench.generate().status_code) == (200, 500)
    bench.sim.clear_faults()
    bench.sim.fault("http-500", count=None, key="other")
    assert bench.submit().status_code == 200
    other = bench.segmind.post(SEGMIND, json={"prompt": "x"}, headers={"x-api-key": "another"})
    assert other.status_code == 500
    assert "other" not in repr(bench.sim.faults)


def test_prompt_matches_later_requests_of_the_job(bench: SimulatorClients) -> None:
    bench.sim.fault("http-500", "status", count=None, prompt="storm")
    calm, storm = bench.submit().json(), bench.submit("a storm").json()
    assert bench.segmind.get(calm["status_url"]).status_code == 200
    assert bench.segmind.get(storm["status_url"]).status_code == 500


def test_count_skip_and_order(bench: SimulatorClients) -> None:
    bench.sim.fault("http-503", count=2, skip=1)
    bench.sim.fault("rate-limited")
    codes = [bench.submit().status_code for _ in range(4)]
    # The first passes the 503 by, so the next fault takes it.
    assert codes == [429, 503, 503, 200]
    bench.sim.fault("http-503", count=2)
    bench.sim.fault("rate-limited")
    assert [bench.submit().status_code for _ in range(4)] == [503, 503, 429, 200]


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "no-such-fault"},
        {"name": "http-503", "stage": "sideways"},
        {"name": "media-slow", "stage": "submit"},
        {"name": "http-503", "colour": "red"},
        {"name": "drop-before-reading", "prompt": "x"},
    ],
)
def test_senseless_faults_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Fault.of(**settings)


def test_a_fault_is_also_found_with_underscores() -> None:
    assert Fault.of("http_503").name == "http-503"
