"""Every fault of the simulator does what its description says, and only when it is on."""

from __future__ import annotations

import email.utils
import io
import ssl
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import av
import httpx
import pytest

from hailuo_jupyter.simulator import FAULTS, Fault, Simulator, SimulatorOptions, describe_faults

# Reading the system's certificates anew for every request takes longer than the request.
_TLS = ssl.create_default_context()
get = partial(httpx.get, verify=_TLS)

SEGMIND = "/v2/minimax-hailuo-2"
LEGACY = "/v2/generate/video/minimax/generation"
UNIFIED = "/v2/video/generations"
AIML_BODY = {"model": "minimax/hailuo-02", "prompt": "a calm sea"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    options = SimulatorOptions(
        cache=tmp_path_factory.getbasetemp() / "clips",
        variants=1,
        shrink=8,
        segmind_seconds=0,
        aimlapi_6s_seconds=0,
        history_delay=0,
        sigma=0,
        balance=1e9,
    )
    with Simulator(options) as simulator:
        yield simulator


class Bench:
    """A simulator with a client for each wire."""

    def __init__(self, sim: Simulator, segmind: httpx.Client, aimlapi: httpx.Client) -> None:
        self.sim, self.segmind, self.aimlapi = sim, segmind, aimlapi

    def submit(self, prompt: str = "a calm sea") -> httpx.Response:
        return self.segmind.post(SEGMIND, json={"prompt": prompt, "image_url": None})

    def generate(self, path: str = LEGACY) -> httpx.Response:
        return self.aimlapi.post(path, json=AIML_BODY)

    def finished(self) -> dict[str, Any]:
        made: dict[str, Any] = self.submit().json()
        while True:
            answer = self.segmind.get(made["status_url"])
            if answer.json()["status"] in ("COMPLETED", "FAILED"):
                return made
            time.sleep(0.01)

    def result(self) -> httpx.Response:
        return self.segmind.get(self.finished()["response_url"])

    def clip(self, **headers: str) -> httpx.Response:
        link = self.result().json()["output"]
        return get(link, headers=headers)

    def polled(self, path: str = LEGACY) -> list[httpx.Response]:
        made = self.generate(path).json()
        job_id = made.get("generation_id") or made["id"]
        answers = []
        while not answers or answers[-1].json()["status"] not in ("completed", "error"):
            answers.append(self.aimlapi.get(path, params={"generation_id": job_id}))
            time.sleep(0.01)
        return answers

    def poll(self, path: str = LEGACY) -> Any:
        return self.polled(path)[-1].json()


@pytest.fixture
def bench(server: Simulator) -> Iterator[Bench]:
    server.clear_faults()
    segmind = httpx.Client(base_url=server.url, headers={"x-api-key": "k"})
    aimlapi = httpx.Client(base_url=server.url, headers={"Authorization": "Bearer k"})
    with segmind, aimlapi:
        yield Bench(server, segmind, aimlapi)
    server.clear_faults()


def answers_with(status: int, **headers: str) -> Callable[[Bench, str], None]:
    def check(bench: Bench, name: str) -> None:
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


def answer(bench: Bench, name: str) -> None:
    bench.sim.fault(name, status=418, body={"a": 1}, headers={"X-Tea": "green"})
    got = bench.submit()
    assert (got.status_code, got.json(), got.headers["x-tea"]) == (418, {"a": 1}, "green")
    bench.sim.fault(name, status=200, body="just words", accepted=True)
    before = len(bench.sim.ledger)
    assert bench.submit().text == "just words"
    assert len(bench.sim.ledger) == before + 1


def no_credits(bench: Bench, name: str) -> None:
    bench.sim.fault(name, count=2)
    assert bench.submit().status_code == 406
    got = bench.generate()
    assert got.status_code == 403
    assert "credits" in got.json()["message"]


def retry_date(bench: Bench, name: str) -> None:
    bench.sim.fault(name, seconds=90)
    got = bench.submit()
    when = email.utils.parsedate_to_datetime(got.headers["retry-after"]).timestamp()
    assert got.status_code == 429
    assert 85 < when - time.time() <= 91


def http_503(bench: Bench, name: str) -> None:
    bench.sim.fault(name)
    assert "retry-after" not in bench.submit().headers
    bench.sim.fault(name, retry_after=7)
    assert bench.submit().headers["retry-after"] == "7"


def gateway(status: int) -> Callable[[Bench, str], None]:
    def check(bench: Bench, name: str) -> None:
        bench.sim.fault(name)
        got = bench.submit()
        assert got.status_code == status
        assert got.headers["content-type"] == "text/html"

    return check


def redirect(bench: Bench, name: str) -> None:
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


def drop_before(bench: Bench, name: str) -> None:
    before = len(bench.sim.ledger)
    bench.sim.fault(name)
    with pytest.raises(httpx.TransportError):
        bench.segmind.post(SEGMIND, json={"prompt": "x" * 2000})
    assert len(bench.sim.ledger) == before
    assert bench.sim.requests[-1].status == 0
    assert bench.submit().status_code == 200


def lost_answer(bench: Bench, name: str) -> None:
    before = len(bench.sim.ledger)
    bench.sim.fault(name, count=2)
    for submit in (bench.submit, bench.generate):
        with pytest.raises(httpx.RemoteProtocolError):
            submit()
    assert len(bench.sim.ledger) == before + 2
    assert bench.sim.requests[-1].status == 0
    assert bench.sim.requests[-1].job_id == bench.sim.ledger[-1].id


def drop_mid_body(bench: Bench, name: str) -> None:
    before = len(bench.sim.ledger)
    bench.sim.fault(name)
    with pytest.raises(httpx.RemoteProtocolError):
        bench.submit()
    assert len(bench.sim.ledger) == before + 1


def unreadable(bench: Bench, name: str) -> None:
    before = len(bench.sim.ledger)
    bench.sim.fault(name)
    got = bench.submit()
    assert got.status_code == 200
    with pytest.raises(ValueError, match=r"."):
        got.json()
    assert len(bench.sim.ledger) == before + 1


def html(bench: Bench, name: str) -> None:
    bench.sim.fault(name, status=502)
    got = bench.submit()
    assert got.status_code == 502
    assert got.headers["content-type"].startswith("text/html")


def json_list(bench: Bench, name: str) -> None:
    bench.sim.fault(name)
    assert bench.submit().json()[0]["status"] == "QUEUED"


def wrong_types(bench: Bench, name: str) -> None:
    bench.sim.fault(name)
    assert set(map(type, bench.submit().json().values())) == {int}


def delay(bench: Bench, name: str) -> None:
    for after in (True, False):
        before = len(bench.sim.ledger)
        bench.sim.fault(name, seconds=0.3, after=after)
        with pytest.raises(httpx.ReadTimeout):
            bench.segmind.post(SEGMIND, json={"prompt": "x"}, timeout=0.1)
        assert len(bench.sim.ledger) == before + after
        time.sleep(0.35)
    assert bench.submit().status_code == 200


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


def job_fails(bench: Bench, name: str) -> None:
    bench.sim.fault(name, message="no luck")
    url = bench.finished()["response_url"]
    got = bench.segmind.get(url)
    assert (got.status_code, got.json()["status"], got.json()["error"]) == (
        422,
        "FAILED",
        "no luck",
    )


def moderation(bench: Bench, name: str) -> None:
    bench.sim.fault(name, count=2)
    got = bench.segmind.get(bench.finished()["response_url"]).json()
    assert "policy" in got["error"]
    assert got["metrics"] == {"inference_time": 0.008}
    assert "policy" in bench.poll()["error"]["message"]


def stuck(bench: Bench, name: str) -> None:
    bench.sim.fault(name)
    url = bench.submit().json()["status_url"]
    assert [bench.segmind.get(url).json()["status"] for _ in range(4)][-1] == "PROCESSING"


def seconds(bench: Bench, name: str) -> None:
    bench.sim.fault(name, seconds=1000)
    url = bench.submit().json()["status_url"]
    bench.sim.advance(100)
    assert bench.segmind.get(url).json()["status"] == "QUEUED"
    bench.sim.advance(500)
    assert bench.segmind.get(url).json()["status"] == "PROCESSING"
    bench.sim.advance(500)
    while bench.segmind.get(url).json()["status"] != "COMPLETED":
        time.sleep(0.01)


def odd_id(bench: Bench, name: str) -> None:
    bench.sim.fault(name)
    job_id = bench.poll()["id"]
    assert ":" in job_id
    assert "/" in job_id


def forgotten(bench: Bench, name: str) -> None:
    bench.sim.fault(name, count=2)
    assert bench.segmind.get(bench.submit().json()["status_url"]).status_code == 404
    job_id = bench.generate().json()["generation_id"]
    assert bench.aimlapi.get(LEGACY, params={"generation_id": job_id}).status_code == 404


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


CHECKS: dict[str, Callable[[Bench, str], None]] = {
    "answer": answer,
    "bad-request": answers_with(400),
    "unauthorized": answers_with(401),
    "forbidden": answers_with(403),
    "no-credits": no_credits,
    "expired": answers_with(404),
    "invalid": answers_with(422),
    "rate-limited": answers_with(429),
    "rate-limited-seconds": answers_with(429, retry_after="1"),
    "rate-limited-date": retry_date,
    "rate-limited-absurd": answers_with(429, retry_after="99999999999"),
    "http-500": answers_with(500),
    "http-502": gateway(502),
    "http-503": http_503,
    "http-504": gateway(504),
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
    "unknown-status": unknown_status,
    "backwards": backwards,
    "failed-under-200": failed_under(200),
    "failed-under": failed_under(500),
    "waiting-active": waiting_active,
    "job-fails": job_fails,
    "moderation": moderation,
    "stuck": stuck,
    "seconds": seconds,
    "odd-id": odd_id,
    "forgotten": forgotten,
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
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault(bench: Bench, name: str) -> None:
    CHECKS[name](bench, name)


def test_every_fault_is_described() -> None:
    assert set(CHECKS) == set(FAULTS)
    assert [name for name, _ in describe_faults()] == list(FAULTS)
    assert all(text for _, text in describe_faults())


def test_predicates(bench: Bench) -> None:
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


def test_prompt_matches_later_requests_of_the_job(bench: Bench) -> None:
    bench.sim.fault("http-500", "status", count=None, prompt="storm")
    calm, storm = bench.submit().json(), bench.submit("a storm").json()
    assert bench.segmind.get(calm["status_url"]).status_code == 200
    assert bench.segmind.get(storm["status_url"]).status_code == 500


def test_count_skip_and_order(bench: Bench) -> None:
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
