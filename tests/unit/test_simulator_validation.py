"""What the simulator refuses, and that nothing in a body makes it stumble."""

from __future__ import annotations

import base64
import io
import json
import ssl
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hailuo_jupyter.simulator.pictures import SAMPLE_URL
from tests.simulator import Simulator, SimulatorOptions

# Reading the system's certificates anew for every request takes longer than the request.
_TLS = ssl.create_default_context()
get = partial(httpx.get, verify=_TLS)
post = partial(httpx.post, verify=_TLS, timeout=60)

SEGMIND = "/v2/minimax-hailuo-2"
LEGACY = "/v2/generate/video/minimax/generation"
UNIFIED = "/v2/video/generations"
MODEL = "minimax/hailuo-02"
HEADERS = {"x-api-key": "k", "Authorization": "Bearer k"}


def options(tmp_path_factory: pytest.TempPathFactory, **chosen: Any) -> SimulatorOptions:
    cache = tmp_path_factory.getbasetemp() / "clips"
    return SimulatorOptions(cache=cache, variants=1, shrink=16, balance=1e9, **chosen)


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(options(tmp_path_factory)) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def http(sim: Simulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sim.url, headers=HEADERS, timeout=60) as client:
        yield client


def picture(size: tuple[int, int], kind: str = "PNG") -> str:
    target = io.BytesIO()
    Image.new("RGB", size, (90, 120, 60)).save(target, kind)
    text = base64.b64encode(target.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{text}"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"prompt": "x" * 2000}, 200),
        ({"prompt": "x" * 2001}, 400),
        ({"prompt": ""}, 400),
        ({"prompt": None}, 400),
        ({"prompt": 5}, 400),
        ({"mode": "pro"}, 200),
        ({"mode": "Standard"}, 400),
        ({"mode": None}, 400),
        ({"mode": ["pro"]}, 400),
        ({"prompt_optimizer": False}, 200),
        ({"prompt_optimizer": "false"}, 400),
        ({"prompt_optimizer": 1}, 400),
        ({"prompt_optimizer": None}, 400),
        ({"image_url": "https://example.com/a.png"}, 200),
        ({"image_url": "a.png"}, 400),
        ({"image_url": 3}, 400),
        ({"image_url": "http://[broken"}, 400),
        ({"image_url": picture((400, 400))}, 400),
        ({"last_frame_image": None}, 200),
        ({"last_frame_image": "https://example.com/b.png"}, 200),
        ({"last_frame_image": "nothing"}, 400),
        ({"seed": 4, "anything": {"else": []}}, 200),
    ],
)
def test_segmind_fields(http: httpx.Client, changes: dict[str, Any], status: int) -> None:
    answer = http.post(SEGMIND, json={"prompt": "a sea", **changes})
    assert answer.status_code == status, answer.text
    if status == 400:
        assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("path", [LEGACY, UNIFIED])
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, None),
        ({"duration": 6}, None),
        ({"duration": 10.0}, None),
        ({"duration": "6"}, "duration"),
        ({"duration": 7}, "duration"),
        ({"duration": True}, "duration"),
        ({"duration": None}, "duration"),
        ({"resolution": "1080P"}, None),
        ({"resolution": "1080p"}, "resolution"),
        ({"resolution": "512P"}, "resolution"),
        ({"resolution": 768}, "resolution"),
        ({"resolution": "1080P", "duration": 10}, "duration"),
        ({"model": "minimax/hailuo-03"}, "model"),
        ({"model": None}, "model"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 2001}, "prompt"),
        ({"prompt": {"text": "x"}}, "prompt"),
        ({"last_image_url": "https://example.com/a.png"}, None),
        ({"last_image_url": 7}, "last_image_url"),
        ({"last_image_url": picture((400, 500), "JPEG")}, None),
    ],
)
def test_aimlapi_fields(
    http: httpx.Client, path: str, changes: dict[str, Any], field: str | None
) -> None:
    answer = http.post(path, json={"model": MODEL, "prompt": "a sea", **changes})
    if field is None:
        assert answer.status_code in (200, 201), answer.text
    else:
        assert answer.status_code == 400
        assert answer.json()["message"] == "Body validation error!"
        assert [field] in [each["path"] for each in answer.json()["meta"]["details"]]
        assert answer.json()["path"] == path


def test_the_two_families_have_their_own_field_names(sim: Simulator, http: httpx.Client) -> None:
    body = {"model": MODEL, "prompt": "x", "prompt_optimizer": "no", "first_frame_image": 1}
    assert http.post(LEGACY, json=body).status_code == 400
    # Unknown there, so ignored.
    assert http.post(UNIFIED, json=body).status_code == 200
    assert sim.ledger[-1].first_frame is None
    body = {"model": MODEL, "prompt": "x", "image_url": "https://example.com/a.png"}
    assert http.post(UNIFIED, json=body).status_code == 200
    assert sim.ledger[-1].first_frame == "internet"
    assert http.post(LEGACY, json=body).status_code == 201
    assert sim.ledger[-1].first_frame is None


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (picture((300, 400)), "300 pixels"),
        (picture((1000, 400)), "aspect ratio"),
        (picture((400, 1000)), "aspect ratio"),
        (picture((400, 400), "WEBP"), "WEBP"),
        (picture((400, 400), "GIF"), "GIF"),
        ("data:image/png;base64,aGVsbG8=", "cannot be read"),
        ("data:image/png", "comma"),
        ("data:image/png,hello", "cannot be read"),
        ("certainly not base64!", "neither"),
        ("data:image/png;base64," + "A" * 27_000_000, "20 MB"),
    ],
    ids=lambda value: value if len(value) < 40 else value[:24],
)
def test_pictures_that_are_refused(http: httpx.Client, frame: str, words: str) -> None:
    body = {"model": MODEL, "prompt": "x", "first_frame_image": frame}
    answer = http.post(LEGACY, json=body)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


@pytest.mark.parametrize("size", [(301, 400), (999, 400), (400, 999)])
def test_pictures_that_are_taken(http: httpx.Client, size: tuple[int, int]) -> None:
    body = {"model": MODEL, "prompt": "x", "first_frame_image": picture(size)}
    assert http.post(LEGACY, json=body).status_code == 201


def test_a_bad_picture_behind_a_link_fails_the_job(http: httpx.Client) -> None:
    upload = {"data_urls": [picture((100, 100))]}
    [link] = http.post("/upload-asset", json=upload).json()["file_urls"]
    for wrong in (link, link.replace("/assets/", "/assets/no-")):
        made = http.post(SEGMIND, json={"prompt": "x", "image_url": wrong})
        assert made.status_code == 200
        # The worker finds out, so it takes its time.
        assert http.get(made.json()["status_url"]).json()["status"] == "QUEUED"


@pytest.mark.parametrize(
    "body", [{}, {"data_urls": []}, {"data_urls": "x"}, {"data_urls": [1]}, {"data_urls": ["x"]}]
)
def test_uploads_that_are_refused(http: httpx.Client, body: dict[str, Any]) -> None:
    assert http.post("/upload-asset", json=body).status_code == 400


JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}


@pytest.mark.parametrize(
    "path", [SEGMIND, "/v1/minimax-hailuo-2", LEGACY, UNIFIED, "/upload-asset"]
)
@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense", b"[]", b'"text"', b"null", b'{"prompt": NaN}', b"[" * 100_000, b"\xff\xfe"],
    ids=["empty", "word", "list", "string", "null", "NaN", "deep", "bytes"],
)
def test_bodies_that_are_no_object(http: httpx.Client, path: str, content: bytes) -> None:
    assert http.post(path, content=content, headers=JSON_TYPE).status_code == 400


def test_segmind_takes_json_only(http: httpx.Client) -> None:
    answer = http.post(SEGMIND, content=b'{"prompt": "x"}', headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()) == (406, {"error": "Invalid content type"})


def test_a_wrong_body_may_be_queued_and_fail(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Simulator(options(tmp_path_factory, segmind_invalid_status=200, min_polls=0)) as sim:
        made = post(f"{sim.url}{SEGMIND}", json={"prompt": "x", "mode": "best"}, headers=HEADERS)
        assert made.status_code == 200
        while (
            looked := httpx.get(made.json()["status_url"], headers=HEADERS, timeout=60)
        ).status_code == 200:
            pass
        assert looked.status_code == 422
        assert looked.json()["error"] == "Invalid value for 'mode': allowed are standard, pro"
        assert looked.json()["metrics"]["inference_time"] < 0.1


@pytest.mark.parametrize(
    ("key", "status"), [("", 401), ("a-refused-key", 401), ("forbidden", 403), ("broke", 402)]
)
def test_keys(http: httpx.Client, key: str, status: int) -> None:
    answer = http.post(SEGMIND, json={"prompt": "x"}, headers={"x-api-key": key})
    assert answer.status_code == status


def test_only_the_keys_of_the_list(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Simulator(options(tmp_path_factory, keys=("good",))) as sim:
        for key, status in (("good", 200), ("k", 401)):
            answer = get(f"{sim.url}/v1/get-user-credits", headers={"x-api-key": key})
            assert answer.status_code == status


def test_the_account_can_run_empty(tmp_path_factory: pytest.TempPathFactory) -> None:
    cache = tmp_path_factory.getbasetemp() / "clips"
    chosen = SimulatorOptions(cache=cache, variants=1, shrink=16, balance=0.5)
    with (
        Simulator(chosen) as sim,
        httpx.Client(base_url=sim.url, headers=HEADERS, timeout=60) as http,
    ):
        assert http.post(SEGMIND, json={"prompt": "x"}).status_code == 200
        assert http.post(SEGMIND, json={"prompt": "x"}).status_code == 402
        assert http.post("/v1/minimax-hailuo-2", json={"prompt": "x"}).status_code == 406
        assert http.post(LEGACY, json={"model": MODEL, "prompt": "x"}).status_code == 403


def test_methods(http: httpx.Client) -> None:
    answer = http.get(SEGMIND)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert http.put(LEGACY, json={}).status_code == 405
    assert http.post("/v1/get-user-credits").status_code == 405


def test_paths_that_do_not_exist(http: httpx.Client, sim: Simulator) -> None:
    assert "error" in get(f"{sim.url}/v3/nothing").json()
    answer = http.get("/v3/nothing")
    assert (answer.status_code, answer.json()["statusCode"]) == (404, "404")


@pytest.mark.parametrize(
    "query",
    [
        "per_page=0",
        "per_page=101",
        "page=x",
        "status=DONE",
        "sort_by=colour",
        "sort_order=up",
        "from_date=yesterday",
        "from_date=2020-01-01",
        "from_date=2026-01-05&to_date=2026-01-01",
    ],
)
def test_history_queries_that_are_refused(http: httpx.Client, query: str) -> None:
    answer = http.get(f"/inference-request/request-history?{query}")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "/v2/logs?limit=0",
        "/v2/logs?offset=-1",
        "/v2/logs?status=running",
        "/v2/logs?status=succeeded,failed",
        "/v2/logs?period=0d",
        "/v2/logs?period=1d&start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z",
        "/v2/logs?start=2026-01-01T00:00:00Z",
        "/v2/logs?start=2026-01-01&end=2026-06-01",
        "/v2/logs?start=never&end=2026-06-01",
        "/v2/billing/transactions?cursor=made-up",
        "/v2/billing/transactions?limit=101",
    ],
)
def test_account_queries_that_are_refused(http: httpx.Client, query: str) -> None:
    assert http.get(query).status_code == 400


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [("run.1_a:b-c", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("", False)],
)
def test_client_request_id(http: httpx.Client, sim: Simulator, sent: str, echoed: bool) -> None:
    body = {"model": MODEL, "prompt": "x"}
    answer = http.post(LEGACY, json=body, headers={"X-Client-Request-Id": sent})
    assert answer.headers.get("x-client-request-id") == (sent if echoed else None)
    assert sim.ledger[-1].client_request_id == (sent if echoed else None)


@pytest.mark.parametrize(
    ("chosen", "given", "expected"),
    [
        ({}, "omitted", "sample"),
        ({}, None, None),
        ({}, "", None),
        ({"omitted_image": "none"}, "omitted", None),
        ({"omitted_image": "refuse"}, "omitted", 400),
        ({"null_image": "sample"}, None, "sample"),
        ({"null_image": "refuse", "segmind_invalid_status": 422}, None, 422),
        ({"empty_image": "sample"}, "", "sample"),
        ({"segmind_data_uris": True}, picture((400, 500)), "data"),
        ({}, SAMPLE_URL, "internet"),
    ],
)
def test_what_becomes_of_the_first_frame(
    tmp_path_factory: pytest.TempPathFactory, chosen: dict[str, Any], given: Any, expected: Any
) -> None:
    body = {"prompt": "x"} if given == "omitted" else {"prompt": "x", "image_url": given}
    with Simulator(options(tmp_path_factory, **chosen)) as sim:
        answer = post(f"{sim.url}{SEGMIND}", json=body, headers=HEADERS)
        if isinstance(expected, int):
            assert answer.status_code == expected
        else:
            assert sim.ledger[0].first_frame == expected


@pytest.mark.parametrize(("rule", "status"), [("fail", 201), ("allow", 201), ("refuse", 400)])
def test_ten_seconds_at_1080p(
    tmp_path_factory: pytest.TempPathFactory, rule: Any, status: int
) -> None:
    body = {"model": MODEL, "prompt": "x", "duration": 10, "resolution": "1080P"}
    with Simulator(options(tmp_path_factory, long_1080p=rule)) as sim:
        assert post(f"{sim.url}{LEGACY}", json=body, headers=HEADERS).status_code == status


def test_rate_limit(tmp_path_factory: pytest.TempPathFactory) -> None:
    chosen = options(tmp_path_factory, segmind_per_minute=5, polls_count=True, retry_after=True)
    with (
        Simulator(chosen) as sim,
        httpx.Client(base_url=sim.url, headers=HEADERS, timeout=60) as http,
    ):
        made = http.post(SEGMIND, json={"prompt": "x"}).json()
        codes = [http.get(made["status_url"]).status_code for _ in range(5)]
        assert codes == [200] * 4 + [429]
        answer = http.post(SEGMIND, json={"prompt": "x"})
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        other = http.post(SEGMIND, json={"prompt": "x"}, headers={"x-api-key": "other"})
        assert other.status_code == 200
        sim.advance(60)
        assert http.post(SEGMIND, json={"prompt": "x"}).status_code == 200


def test_accounts_can_be_kept_apart(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Simulator(options(tmp_path_factory, separate_accounts=True)) as sim:
        made = post(f"{sim.url}{SEGMIND}", json={"prompt": "x"}, headers=HEADERS).json()
        assert get(made["status_url"], headers=HEADERS).status_code == 200
        assert get(made["status_url"], headers={"x-api-key": "b"}).status_code == 404


def test_keys_are_nowhere(sim: Simulator, http: httpx.Client) -> None:
    key = "SG_a-very-secret-key"
    http.post(SEGMIND, json={"prompt": "x"}, headers={"x-api-key": key})
    assert sim.requests[-1].had_api_key
    assert key not in repr(sim.ledger) + repr(sim.requests) + repr(vars(sim.state))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = [
    *("prompt", "mode", "image_url", "last_frame_image", "prompt_optimizer", "model"),
    *("first_frame_image", "last_image_url", "duration", "resolution", "enhance_prompt"),
    "data_urls",
]
LIKELY = st.sampled_from([MODEL, "standard", "768P", 6, 10, True, None]) | st.sampled_from(
    ["https://a.b/c.png", "data:,x", "data:;base64,=", "\ud800"]
)
BODIES = JSON | st.dictionaries(st.sampled_from(FIELDS), LIKELY | JSON, max_size=7)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES)
@pytest.mark.parametrize("path", [SEGMIND, LEGACY, UNIFIED, "/upload-asset"])
def test_no_body_makes_it_stumble(http: httpx.Client, path: str, body: Any) -> None:
    answer = http.post(path, content=json.dumps(body), headers=JSON_TYPE)
    assert answer.status_code in (200, 201, 400), answer.text
    assert isinstance(answer.json(), dict)
