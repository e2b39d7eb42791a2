"""Whatever a provider answers: a state that we know, or one error of our tree, and a record that takes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from hailuo_jupyter import catalogue, providers
from hailuo_jupyter.errors import ProviderError
from hailuo_jupyter.providers import clip_link
from hailuo_jupyter.providers.base import Dialect, Reply
from hailuo_jupyter.record import Record, prepare
from hailuo_jupyter.request import build

ADDRESSES = dict.fromkeys(("api", "storage", "history"), "https://api.example")
DIALECTS = {
    name: providers.dialect(catalogue.provider(name), ADDRESSES) for name in ("segmind", "aimlapi")
}
RECORDS = {
    name: prepare(
        build("x", catalogue.provider(name), options={}), catalogue.provider(name)
    ).changed(state="submitting")
    for name in DIALECTS
}

#: Names that the adapters look for, so that most examples get past the first line.
NAMES = (
    "request_id", "status", "output", "metrics", "inference_time", "error", "message", "detail",
    "id", "generation_id", "video", "url", "video_url", "meta", "usage", "credits_used", "urls",
    "file_urls", "data", "pagination", "has_more", "cost", "usd", "credits", "created", "credits_deduction",
    "inference_id", "client_request_id", "model_created", "model_status", "request_body", "free-credits",
    "current_balance", "currency", "total", "page", "name", "msg",
)  # fmt: skip
WORDS = (
    "COMPLETED", "completed", "FAILED", "error", "QUEUED", "queued", "PROCESSING", "generating", "succeeded",
    " Completed ", "DREAMING", "https://a.example/x.mp4", "http://[", "\ud800", "\u202e", "\0",
    "2026-11-21T09:00:00Z", "0001-01-01T00:00:00+23:59", "USD", "",
)  # fmt: skip
atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(WORDS),
)
values = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=6),
    ),
    max_leaves=20,
)
tables = st.dictionaries(st.sampled_from(NAMES), values, max_size=8)
statuses = st.sampled_from(
    [
        200,
        201,
        204,
        301,
        307,
        400,
        401,
        402,
        403,
        404,
        406,
        408,
        410,
        418,
        422,
        429,
        500,
        502,
        503,
        504,
        599,
    ]
)
headers = st.dictionaries(
    st.sampled_from(["retry-after", "x-aimlapi-usd-spent", "x-aimlapi-credits-used"]), st.text(max_size=6)
)  # fmt: skip
bodies = st.one_of(
    tables.map(lambda each: json.dumps(each).encode()),
    values.map(lambda each: json.dumps(each).encode()),
    st.binary(max_size=64),
)
replies = st.builds(Reply, statuses, headers, bodies)


def nested(depth: int) -> Reply:
    deep = b"[" * depth + b"]" * depth
    return Reply(
        200, {}, b'{"request_id": "a", "id": "a", "status": "COMPLETED", "x": ' + deep + b"}"
    )


READERS: dict[str, Callable[[Dialect, Reply], Any]] = {
    "submit": lambda dialect, reply: dialect.accepted(reply),
    "status": lambda dialect, reply: dialect.news(reply),
    "upload": lambda dialect, reply: dialect.uploaded(reply),
    "history": lambda dialect, reply: dialect.read_history(reply),
    "balance": lambda dialect, reply: dialect.read_balance(reply),
}


def written(record: Record, **changes: Any) -> Record:
    """Let a record take something, as the run log stores it."""
    changed = record.changed(**changes)
    changed.to_json().encode()
    assert Record.from_json(changed.to_json()) == changed
    return changed


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("stage", READERS)
@bounds(max_examples=120)
@given(reply=replies)
@example(reply=nested(400))
@example(reply=nested(900))
@example(reply=nested(100_000))
@example(reply=Reply(200, {}, b" " * 100_000))
@example(reply=Reply(200, {}, b'{"a": ' + b"9" * 5000 + b"}"))
def test_any_answer_is_understood_or_an_error_of_ours(name: str, stage: str, reply: Reply) -> None:
    dialect, record = DIALECTS[name], RECORDS[name]
    try:
        found = READERS[stage](dialect, reply)
    except ProviderError as error:
        assert error.what
        if stage not in {"balance", "history"}:
            assert error.money
            assert error.todo
        written(record, problem=error.as_problem())
        return
    if stage == "submit":
        assert found.job_id.strip()
        assert written(record, job={"id": found.job_id, "answers": {"submit": found.answer}}).job.id
        assert dialect.status(found.job_id, record.wire).url.startswith("https://api.example/")
    elif stage == "status":
        assert found.state in {"queued", "generating", "completed", "failed", "unknown"}
        assert (found.state == "failed") == (found.problem is not None)
        written(record, job={"answers": {"status": found.answer}})
    elif stage == "upload":
        assert found.startswith(("https://", "http://"))


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("depth", [17, 400, 900])
def test_an_id_is_not_lost_among_nested_lists(name: str, depth: int) -> None:
    accepted = DIALECTS[name].accepted(nested(depth))
    assert accepted.job_id == "a"
    assert "left_out" in accepted.answer


@pytest.mark.parametrize("depth", [0, 1, 4, 5, 200, 3000])
def test_a_link_is_looked_for_in_a_few_lists_only(depth: int) -> None:
    # As newer Pythons read it: theirs take JSON of some thousand levels.
    value: Any = {"url": "https://a.example/x.mp4"}
    for _ in range(depth):
        value = [value]
    assert clip_link.first(value) == ("https://a.example/x.mp4" if depth <= 4 else None)


def test_an_answer_of_a_usual_kind_is_kept_whole() -> None:
    reply = Reply(200, {}, b'{"request_id": "a", "metrics": {"x": [1, {"y": null}]}}')
    assert DIALECTS["segmind"].accepted(reply).answer == json.loads(reply.content)


def test_a_record_does_not_carry_a_megabyte_of_somebody_elses() -> None:
    body = {"request_id": "a", "filler": "x" * 1_000_000}
    accepted = DIALECTS["segmind"].accepted(Reply(200, {}, json.dumps(body).encode()))
    assert accepted.job_id == "a"
    assert len(json.dumps(accepted.answer)) < 100
