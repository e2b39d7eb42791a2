"""The shape of an answer holds nothing of what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter import catalogue, providers
from hailuo_jupyter.probe import shape
from hailuo_jupyter.probe.ask import compared
from hailuo_jupyter.probe.checks import free_checks
from hailuo_jupyter.probe.report import Report, Row
from hailuo_jupyter.providers.base import Reply

#: What must never be seen: no part of a word that a report may have.
SECRETS = ["zqxheron", "Zqx Anna", "SG_0a1b2c3dzqx", "https://zqx.example/generations/4711.mp4?sig=zqx",
           "zqx@example.org", "7731.25", "b7c1d6f0-5c1e-4a6b-9b53-aaaazqxa0001"]  # fmt: skip
PRIVATE = (
    st.sampled_from(SECRETS) | st.text(min_size=1).map(lambda text: f"zqx{text}") | st.just(7731.25)
)
NAMES = st.sampled_from(
    ["status", "data", "prompt", "credits", "request_id", "state", "url", "metrics"]
)


def answers(names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        PRIVATE,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5),
        max_leaves=20,
    )


@given(answers(NAMES | PRIVATE.map(str)))
def test_no_value_and_no_foreign_name_is_in_the_shape(body: Any) -> None:
    said = json.dumps([shape.fields(body), shape.states(body), shape.kind(body)])
    assert "zqx" not in said.lower()
    assert "7731" not in said
    assert "example" not in said


@given(st.lists(PRIVATE.map(str) | st.sampled_from(["Content-Type", "x-rate-limit-remaining"])))
def test_no_foreign_header_is_named(names: list[str]) -> None:
    assert "zqx" not in json.dumps(shape.headers(names)).lower()


LEAVES = st.none() | st.booleans() | st.floats() | st.text()


@given(st.recursive(LEAVES, lambda part: st.lists(part) | st.dictionaries(st.text(), part)))
def test_any_json_has_a_shape(body: Any) -> None:
    found = shape.fields(body)
    assert "" in found
    assert len(found) <= 200


def test_a_shape_is_names_and_types() -> None:
    body = {
        "data": [
            {
                "request_id": "b7c1d6f0-5c1e-4a6b-9b53-000000000001",
                "credits_deduction": 0.3,
                "error": None,
            },
            {"request_id": "4711", "model_created": "2026-11-20T14:03:12Z", "error": "no"},
        ],
        "output": "https://images.segmind.com/x.mp4",
        "statusCode": "404",
        "request_body": '{"prompt": "A heron"}',
        "alice@example.org": {"free-credits": 0},
        "metrics": {},
    }
    assert shape.fields(body) == {
        "": "object",
        "data": "list",
        "data[]": "object",
        "data[].request_id": "text (UUID) or text (digits)",
        "data[].credits_deduction": "number",
        "data[].error": "null or text (other)",
        "data[].model_created": "text (time)",
        "output": "text (link)",
        "statusCode": "text (digits)",
        "request_body": "text (JSON)",
        "(name not shown)": "object",
        "(name not shown).free-credits": "number",
        "metrics": "object (empty)",
    }


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("COMPLETED", "COMPLETED"),
        ("in_progress", "in_progress"),
        ("Anna", "(unknown state)"),
    ],
)
def test_known_states_are_named(value: str, said: str) -> None:
    assert shape.states({"data": [{"model_status": value}]}) == [said]


@pytest.mark.parametrize(
    "name",
    [
        "request_id",
        "credits_deduction",
        "free-credits",
        "generation_url",
        "remaining_credits",
        "inference_time",
        "queue_time",
        "total_time",
        "retry_count",
        "x-rate-limit-reset-at-utc",
        "x-aimlapi-usd-spent",
        "x-inference-id",
        "content-type",
        "retry-after",
        "cf-ray",
        "statusCode",
        "requestId",
        "usd_spent",
        "current_balance",
        "has_more",
        "client_request_id",
        "prompt_optimizer",
        "last_frame_image",
        "status_url",
        "latency_ms",
        "poll_url",
        "x-ratelimit-limit",
    ],
)
def test_names_of_interfaces_are_shown(name: str) -> None:
    assert shape.shown(name) == name


@given(
    body=answers(NAMES | PRIVATE.map(str)),
    status=st.sampled_from([200, 401, 404, 422, 429, 500]),
    named=st.dictionaries(PRIVATE.map(str), PRIVATE.map(str), max_size=3),
    provider=st.sampled_from(["segmind", "aimlapi"]),
)
def test_no_row_has_anything_of_an_answer(
    body: Any, status: int, named: dict[str, str], provider: str
) -> None:
    dialect = providers.dialect(catalogue.provider(provider))
    reply = Reply(
        status, {**named, "content-type": next(iter(named), "")}, json.dumps(body).encode()
    )
    rows = [compared(check, reply) for check in free_checks(dialect)]
    rows += [Row("x", "answered", fields=shape.fields(body), states=shape.states(body))]
    report = Report(dialect.provider, rows, own_address=True)
    said = json.dumps(report.as_json("2026-11-28")) + "\n".join(report.lines())
    assert "zqx" not in said.lower()
    assert "7731" not in said
    assert "example" not in said
