"""Every fault of the simulator does what its description says, and only when it is on: calls and jobs."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from hailuo_jupyter.simulator import FAULTS, Fault, Simulator, describe_faults
from hailuo_jupyter.simulator.fault_list import Effect

from .fault_bench import LEGACY, SEGMIND, Bench, at_work, get, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with serving(tmp_path_factory.getbasetemp() / "clips") as simulator:
        yield simulator


@pytest.fixture
def bench(server: Simulator) -> Iterator[Bench]:
    with at_work(server) as made:
        yield made


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


def trickle(bench: Bench, name: str) -> None:
    bench.sim.fault(name, bytes_per_second=1000)
    started = time.monotonic()
    answer = bench.submit()
    assert answer.json()["status"] == "QUEUED"
    assert time.monotonic() - started > len(answer.content) / 1000 * 0.6


def huge(bench: Bench, name: str) -> None:
    bench.sim.fault(name, megabytes=3)
    answer = bench.submit()
    assert 3_000_000 < len(answer.content) < 3_001_000
    assert answer.json()["status"] == "QUEUED"


def nested(bench: Bench, name: str) -> None:
    bench.sim.fault(name, depth=100)
    made = bench.submit().json()
    depth = 0
    while made["nested"]:
        depth, made["nested"] = depth + 1, made["nested"][0]
    assert (depth, made["status"]) == (99, "QUEUED")


def resets(stage: str) -> Callable[[Bench, str], None]:
    def check(bench: Bench, name: str) -> None:
        link = bench.result().json()["output"]
        bench.sim.fault(name, stage, reset=True)
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError)):
            get(link) if stage == "media" else bench.submit()

    return check


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("drop-before-reading", "submit"),
        ("lost-answer", "submit"),
        ("drop-mid-body", "submit"),
        ("media-truncated", "media"),
    ],
)
def test_a_connection_can_be_reset(bench: Bench, name: str, stage: str) -> None:
    resets(stage)(bench, name)


def test_a_clip_is_known_by_its_prompt_before_anything_is_sent(bench: Bench) -> None:
    link = bench.result().json()["output"]
    bench.sim.fault("drop-before-reading", "media", prompt="calm")
    with pytest.raises(httpx.TransportError):
        get(link)
    assert get(link).status_code == 200


def test_some_faults_are_switched_off_and_others_stay(bench: Bench) -> None:
    bench.sim.fault("http-500", prompt="storm")
    bench.sim.fault("http-500", prompt="calm")
    bench.sim.world.faults.clear(lambda each: each.prompt == "storm")
    assert [each.prompt for each in bench.sim.faults] == ["calm"]


EFFECTS = {Effect.EARLY_DROP, Effect.INSTEAD, Effect.SPOIL, Effect.DELAY, Effect.JOB}

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
    "job-fails": job_fails,
    "moderation": moderation,
    "stuck": stuck,
    "seconds": seconds,
    "odd-id": odd_id,
    "forgotten": forgotten,
    "trickle": trickle,
    "huge": huge,
    "nested": nested,
}


@pytest.mark.parametrize("name", CHECKS)
def test_fault(bench: Bench, name: str) -> None:
    CHECKS[name](bench, name)


def test_every_fault_of_this_kind_is_tried() -> None:
    assert set(CHECKS) == {name for name, kind in FAULTS.items() if kind.effect in EFFECTS}


def test_every_fault_is_described() -> None:
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
