"""Pages of firewalls, proxies and CDNs: they are never taken for the provider's word."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter import catalogue, providers
from hailuo_jupyter.errors import (
    AnswerLost,
    Blocked,
    HailuoError,
    JobExpired,
    KeyRefused,
    ProviderDown,
    RateLimited,
    Rejected,
)
from hailuo_jupyter.providers import firewall
from hailuo_jupyter.providers.base import Dialect, Reply

HTML = {"content-type": "text/html; charset=utf-8"}

#: What stands in the way in practice: by headers and body.
PAGES: dict[str, tuple[dict[str, str], bytes]] = {
    "nginx": (HTML, b"<html>\r\n<head><title>403 Forbidden</title></head>\r\n</html>"),
    "Cloudflare challenge": (
        {**HTML, "cf-mitigated": "challenge", "server": "cloudflare"},
        b'<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title></head></html>',
    ),
    "Cloudflare block": (
        {"content-type": "text/plain; charset=UTF-8", "server": "cloudflare"},
        b"error code: 1020",
    ),
    "a filter without a type": ({}, b"\xef\xbb\xbf\n <HTML><BODY>Blocked by policy</BODY></HTML>"),
    "XML": ({"content-type": "application/xml"}, b"<?xml version='1.0'?><Error/>"),
    "no body": (HTML, b""),
}
IN_BETWEEN = (401, 403, 407, 451)

wires = pytest.mark.parametrize("name", ["segmind", "aimlapi"])
pages = pytest.mark.parametrize("page", PAGES)


def wire(name: str) -> Dialect:
    return providers.dialect(catalogue.provider(name))


def reply(status: int, page: str, **headers: str) -> Reply:
    given, body = PAGES[page]
    extra = {key.replace("_", "-"): value for key, value in headers.items()}
    return Reply(status, {**given, **extra}, body)


@wires
@pages
@pytest.mark.parametrize("status", IN_BETWEEN)
def test_at_submit_it_is_an_error_and_nothing_was_bought(name: str, page: str, status: int) -> None:
    with pytest.raises(Blocked) as caught:
        wire(name).accepted(reply(status, page))
    error = caught.value
    assert error.money == "No charge."
    assert f"({status}" in error.what
    for wrong in ("enter it again", "credits", "Top up", "Fix the problem"):
        assert wrong not in str(error)
    assert ("HTTPS_PROXY" in error.todo) == (status == 407)
    if page == "nginx":
        assert "page title '403 Forbidden'" in error.what


@wires
@pages
@pytest.mark.parametrize("status", [200, 201, 302, 500, 502, 503, 504, 520, 524])
def test_at_submit_it_may_hide_the_answer_of_a_job_that_was_taken(
    name: str, page: str, status: int
) -> None:
    with pytest.raises(AnswerLost) as caught:
        wire(name).accepted(reply(status, page, retry_after="5"))
    assert "may have been charged" in caught.value.money


@wires
@pages
@pytest.mark.parametrize("status", [*IN_BETWEEN, 200, 404, 410, 500, 503])
def test_while_polling_it_tells_nothing_of_key_or_job(name: str, page: str, status: int) -> None:
    with pytest.raises(ProviderDown) as caught:
        wire(name).news(reply(status, page))
    assert "paid for" in caught.value.money


@wires
def test_the_provider_is_believed_all_the_same(name: str) -> None:
    dialect = wire(name)
    json = b'{"error": "no", "message": "no"}'
    kinds: list[tuple[int, type[HailuoError], type[HailuoError]]] = [
        (401, KeyRefused, KeyRefused),
        (403, KeyRefused, KeyRefused),
        (404, Rejected, JobExpired),
        (429, RateLimited, RateLimited),
        (451, Rejected, ProviderDown),
    ]
    for headers in ({"content-type": "application/json"}, HTML):  # some servers mislabel it
        for status, submitting, polling in kinds:
            with pytest.raises(submitting):
                dialect.accepted(Reply(status, headers, json))
            with pytest.raises(polling):
                dialect.news(Reply(status, headers, json))
        # Only a proxy asks for this, in whatever form.
        with pytest.raises(Blocked):
            dialect.accepted(Reply(407, headers, json))


@pages
def test_too_many_requests_is_that_from_whomever(page: str) -> None:
    for act in (wire("segmind").accepted, wire("segmind").news):
        with pytest.raises(RateLimited):
            act(reply(429, page))


def test_a_title_is_short_and_holds_no_key() -> None:
    key = "SG_fedcba9876543210"  # one that no other test has registered in part
    page = f"<title lang='de'>\n Gesperrt &amp; {key} \u2028\x1b[31m{'x' * 300}".encode()
    found = firewall.title(page)
    assert found.startswith("Gesperrt & [redacted]")
    assert len(found) <= 80
    assert firewall.title(b"<title></title>") == firewall.title(b"no page") == ""


@given(
    st.dictionaries(st.sampled_from(["content-type", "cf-mitigated", "server"]), st.text()),
    st.binary(max_size=200),
    st.sampled_from(["segmind", "aimlapi"]),
    st.integers(100, 599),
)
def test_no_answer_breaks_anything(
    headers: dict[str, str], body: bytes, name: str, status: int
) -> None:
    answer: Any = Reply(status, headers, body)
    for act in (wire(name).accepted, wire(name).news):
        try:
            act(answer)
        except HailuoError as error:
            assert len(str(error)) < 1500
