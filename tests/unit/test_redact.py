from __future__ import annotations

import base64
import json as plain_json
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hailuo_jupyter import links, redact
from hailuo_jupyter.ipynb.audit import scan_bytes

SECRET = "SG_0123456789abcdef"


@pytest.fixture(autouse=True)
def own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_secrets", set())


# Printable ASCII is what a key can be; anything else must be found too.
keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40).filter(
    lambda s: s not in redact.MARK
)
odd_keys = st.text(min_size=8, max_size=16)
secrets = (keys | odd_keys).filter(lambda s: s not in redact.MARK)
surroundings = st.text(max_size=20) | st.sampled_from(
    [
        "https://host/path?sig=",
        "Authorization: ",
        '{"x-api-key": "',
        "[redacted]",
        "data:a/b;base64,",
    ]
)


@given(secrets, surroundings, surroundings)
@example("]abcdefg", "]abcdefg", "abcdefg")
@example("abcdefgh.com", "https://ABCDEFGH.com/", "")
def test_a_secret_is_nowhere_in_a_text(secret: str, before: str, after: str) -> None:
    assert secret not in redact.text(before + secret + after, [secret])


@given(keys, surroundings, surroundings)
def test_a_secret_is_nowhere_in_any_disguise(secret: str, before: str, after: str) -> None:
    raw = f"user:{secret}!".encode()
    disguises = [
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        plain_json.dumps(secret)[1:-1],
    ]
    disguises += [base64.b64encode(raw[cut:]).decode() for cut in range(3)]
    disguises += [base64.urlsafe_b64encode(raw[cut:]).decode().rstrip("=") for cut in range(3)]
    for disguise in disguises:
        shown = redact.text(f"{before} {disguise} {after}", [secret])
        assert not _can_be_read(secret, shown)
        assert _can_be_read(secret, disguise)  # or the test would find nothing at all


def _can_be_read(secret: str, shown: str) -> bool:
    if secret in shown or secret in unquote(shown) or secret in re.sub(r"\\(.)", r"\1", shown):
        return True
    for run in re.findall(r"[A-Za-z0-9+/_-]{8,}", shown):
        for start in range(4):
            part = run[start:].replace("-", "+").replace("_", "/")
            part += "A" * (-len(part) % 4)
            if secret.encode() in base64.b64decode(part):
                return True
    return False


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def _put(value: Any, secret: str) -> Any:
    """Put the secret before and after every string, names too."""
    if isinstance(value, str):
        return f"{value}{secret}{value}"
    if isinstance(value, list):
        return [_put(inner, secret) for inner in value]
    if isinstance(value, dict):
        return {_put(name, secret): _put(inner, secret) for name, inner in value.items()}
    return value


def _strings(value: Any) -> list[str]:
    """Return all strings and names; a number that has a key's digits is a number."""
    if isinstance(value, list):
        return [found for inner in value for found in _strings(inner)]
    if isinstance(value, dict):
        return _strings([*value, *value.values()])
    return [value] if isinstance(value, str) else []


def _shape(value: Any) -> Any:
    if isinstance(value, list):
        return [_shape(inner) for inner in value]
    if isinstance(value, dict):
        return [_shape(inner) for inner in value.values()]
    return type(value)


@given(json_values, keys)
def test_a_secret_is_nowhere_in_json_and_the_shape_stays(value: Any, secret: str) -> None:
    redact.register(secret)
    given_value = _put(value, secret)
    shown = redact.json(given_value)
    assert not [each for each in _strings(shown) if secret in each]
    assert _shape(shown) == _shape(given_value)
    assert redact.json(shown) == shown
    redact._secrets.clear()


@given(st.text(max_size=60) | st.builds("{}{}{}".format, surroundings, surroundings, surroundings))
def test_text_and_link_are_idempotent(value: str) -> None:
    once = redact.text(value)
    assert redact.text(once) == once
    cut = redact.link(value)
    assert redact.link(cut) == cut


@given(keys.filter(str.isalnum), st.sampled_from(["sig", "X-Amz-Signature", "token", "Expires2"]))
def test_a_link_loses_its_query(secret: str, name: str) -> None:
    url = f"https://me:{secret}@cdn.example.com/a/b.mp4?{name}={secret}&Expires=1750446300#{secret}"
    assert redact.link(url) == "https://cdn.example.com/a/b.mp4?Expires=1750446300"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://h.example/c.mp4?X-Amz-Date=20251120T140000Z&X-Amz-Expires=3600&X-Amz-Signature=ab",
            "https://h.example/c.mp4?X-Amz-Date=20251120T140000Z&X-Amz-Expires=3600",
        ),
        (
            "https://h.example/c.mp4?se=2025-06-20T18%3A05%3A00Z&sig=abc",
            "https://h.example/c.mp4?se=2025-06-20T18:05:00Z",
        ),
        ("https://h.example:8443/c.mp4?Expires=never", "https://h.example:8443/c.mp4"),
        ("http://[::1]:80/x?y", "http://[::1]:80/x"),
        ("https://user:pa/ss@host/x", "[redacted]"),
        ("https://[broken", "[redacted]"),
        ("ftp://host/key", "ftp://host/key"),
        ("", ""),
        ("data:image/png;base64,AAAA", "data:image/png;base64,[3 bytes]"),
        (
            "https://api.segmind.com/v2/minimax-hailuo-2",
            "https://api.segmind.com/v2/minimax-hailuo-2",
        ),
    ],
)
def test_links(url: str, shown: str) -> None:
    assert redact.link(url) == shown


TOKEN = "a81bc81bdeAD4e5d"
WEB = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"
ENCODED = quote(f"https://h.example/a/b.mp4?Signature={TOKEN}&Expires=1750446300", safe="")

#: Links with a token, and what is left of them.
LINKS_WITH_TOKENS = [
    (f"https://h.example/token={TOKEN}/c.mp4", "https://h.example/token=[redacted]/c.mp4"),
    (
        f"https://h.example/c.mp4;jsessionid={TOKEN}",
        "https://h.example/c.mp4;jsessionid=[redacted]",
    ),
    (
        f"https://h.example/exp=1750446300~acl=/*~hmac={TOKEN}/c.mp4",
        "https://h.example/exp=1750446300~acl=/*~hmac=[redacted]/c.mp4",
    ),
    (f"https://h.example/signature/{TOKEN}/c.mp4", "https://h.example/signature/[redacted]/c.mp4"),
    (f"https://h.example/v1/{WEB}/c.mp4", "https://h.example/v1/[redacted]/c.mp4"),
    (f"https://h.example/{SECRET}/c.mp4", "https://h.example/[redacted]/c.mp4"),
    (
        f"https://h.example/bot12345678:{TOKEN}{TOKEN}/getFile",
        "https://h.example/bot[redacted]/getFile",
    ),
    (f"https://h.example/c.mp4%3FSignature%3D{TOKEN}", "https://h.example/c.mp4"),
    (f"https://h.example/c.mp4%253Fx%253D{TOKEN}", "https://h.example/c.mp4"),
    (f"https://h.example/token%3D{TOKEN}/c.mp4", "https://h.example/token%3D[redacted]/c.mp4"),
    (f"wss://h.example/feed?token={TOKEN}", "wss://h.example/feed"),
    (f"ws://me:{TOKEN}@h.example:8888/feed#{TOKEN}", "ws://h.example:8888/feed"),
    (f"gs://bucket_1/a/c.mp4?X-Goog-Signature={TOKEN}", "gs://bucket_1/a/c.mp4"),
    (f"s3://bucket/c.mp4?AWSAccessKeyId={TOKEN}", "s3://bucket/c.mp4"),
    (
        f"postgresql+psycopg://me:{TOKEN}@h.example:5432/runs",
        "postgresql+psycopg://h.example:5432/runs",
    ),
    (
        f"https://proxy.example/fetch/{ENCODED}/more",
        "https://proxy.example/fetch/" + quote("https://h.example/a/b.mp4", safe="") + "/more",
    ),
    (
        f"https://proxy.example/fetch/{quote(ENCODED, safe='')}",
        "https://proxy.example/fetch/"
        + quote(quote("https://h.example/a/b.mp4", safe=""), safe=""),
    ),
]


@pytest.mark.parametrize(("url", "shown"), LINKS_WITH_TOKENS)
def test_a_token_in_a_links_path_or_under_another_scheme(url: str, shown: str) -> None:
    assert redact.link(url) == shown
    assert redact.text(f"it is at {url}, he said") == f"it is at {shown}, he said"
    assert redact.text(url.replace("/", "\\/")).replace("\\/", "/") == shown
    assert redact.link(shown) == redact.media_link(shown) == shown
    assert TOKEN not in redact.media_link(url)
    assert TOKEN not in redact.host_and_name(url)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (
            f"see {ENCODED}.",
            f"see {quote('https://h.example/a/b.mp4', safe='')}.",
        ),
        (quote(ENCODED, safe=""), None),
        (f"wss%3A%2F%2Fh.example%2Ffeed%3Ftoken%3D{TOKEN}", "wss%3A%2F%2Fh.example%2Ffeed"),
        (f"/view?name=a.mp4&token={TOKEN}", "/view?name=a.mp4&token=[redacted]"),
        (f"//h.example/c.mp4?sig={TOKEN}", "//h.example/c.mp4?sig=[redacted]"),
        (f"c.mp4%3Ftoken%3D{TOKEN}", "c.mp4%3Ftoken%3D[redacted]"),
        (f"c.mp4?a=b&amp;sig={TOKEN}", "c.mp4?a=b&amp;sig=[redacted]"),
        (f"c.mp4?a=b\\u0026sig={TOKEN}", "c.mp4?a=b\\u0026sig=[redacted]"),
        (f"the session is {WEB}.", "the session is [redacted]."),
        # What is none is left as it is.
        ("file:///home/me/a%20b.png", "file:///home/me/a%20b.png"),
        ("sqlite:///mlruns.db", "sqlite:///mlruns.db"),
        ("C:\\clips\\a.mp4", "C:\\clips\\a.mp4"),
        ("https://h.example/what%3F.mp4", "https://h.example/what%3F.mp4"),
        ("a clip; code=red light; tokens: 5", "a clip; code=red light; tokens: 5"),
    ],
)
def test_encoded_links_and_parts_of_links_in_a_text(value: str, shown: str | None) -> None:
    told = redact.text(value)
    assert shown is None or told == shown
    assert TOKEN not in unquote(unquote(told))
    assert redact.text(told) == told


WHOLE = [
    "https://images.segmind.com/generations/0f7a1c9e-3d1b-4a43-9d3c-5f6f1f0f5c1a.mp4",
    "https://cdn.example.com/a81bc81bdead4e5da81bc81bdead4e5d/output.mp4",
    "https://cdn.aimlapi.com/whale/inference_output%2Fvideo%2F2025-06-20%2Fa81bc81b%2Foutput.mp4",
    "https://h.example/files/get?file_id=176844028768320&filename=output.mp4",
    "https://h.example/view?id=a81bc81bdead4e5da81bc81bdead4e5d",
    "https://h.example/view?id=0f7a1c9e-3d1b-4a43-9d3c-5f6f1f0f5c1a&type=output&download=1",
    "https://h.example/c.mp4?Expires=1750446300",
    "https://h.example/a%20b/what%3F%20now.mp4",
]


@pytest.mark.parametrize("url", WHOLE)
def test_a_media_link_without_a_signature_stays_whole(url: str) -> None:
    assert redact.media_link(url) == url
    assert links.is_whole(url)


@pytest.mark.parametrize(
    "query",
    [
        f"Signature={TOKEN}",
        f"file_id=1&sig={TOKEN}",
        f"X-Amz-Signature={TOKEN}",
        f"t={TOKEN}{TOKEN}",
        f"jwt={WEB}",
        f"to={ENCODED}",
        f"to=https://h.example/c.mp4?sig={TOKEN}",
        f"Key-Pair-Id={TOKEN}&Policy=x",
        f"my_token={TOKEN}",
        f"code={TOKEN}",
    ],
)
def test_a_media_link_that_is_signed_is_cut(query: str) -> None:
    url = f"https://me:{TOKEN}@h.example/c.mp4?{query}&Expires=1750446300#{TOKEN}"
    assert redact.media_link(url) == "https://h.example/c.mp4?Expires=1750446300"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (WHOLE[0], "https://images.segmind.com/…/0f7a1c9e-3d1b-4a43-9d3c-5f6f1f0f5c1a.mp4"),
        (WHOLE[2], "https://cdn.aimlapi.com/…/output.mp4"),
        (WHOLE[3], "https://h.example/…/get"),
        (WHOLE[7], "https://h.example/…/what%3F%20now.mp4"),
        ("https://h.example/c.mp4", "https://h.example/c.mp4"),
        ("https://h.example/a/", "https://h.example/…/"),
        ("https://h.example", "https://h.example/"),
        ("gs://bucket/a/c.mp4", "[redacted]"),
        ("no link", "[redacted]"),
    ],
)
def test_host_and_name_of_a_link(url: str, shown: str) -> None:
    assert redact.host_and_name(url) == shown
    assert redact.host_and_name(shown) == shown
    assert redact.media_link(shown) == shown
    if "…" in shown:
        assert not links.is_whole(shown)


odd_links = st.builds(
    "{}{}/{}".format,
    st.sampled_from(
        ["https://", "wss://u:p@", "gs%3A%2F%2F", "https%253A%252F%252F", "http://[::1"]
    ),
    st.sampled_from(["h.example", "h.example:80", "", "[::1]"]),
    st.text(st.sampled_from("abS9/%32F5eyJ.?=&;~#[]token…"), max_size=60),
)


@given(odd_links)
def test_every_form_of_a_link_is_settled_at_once(url: str) -> None:
    for form in (redact.text, redact.link, redact.media_link, redact.host_and_name):
        once = form(url)
        assert form(once) == once, form.__name__


@pytest.mark.parametrize(
    "piece", ["%3F", "/key", "eyJ-", "https%3A%2F%2Fa%2F", ";a", "-a", "a://a/"]
)
def test_a_long_answer_takes_no_time(piece: str) -> None:
    said = f"https://h.example/{piece * (64 * 1024 // len(piece))}"
    began = time.process_time()
    for form in (redact.text, redact.link, redact.media_link, redact.host_and_name):
        form(said)
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Authorization: Bearer abc.def-ghi", "Authorization: [redacted]"),
        ("{'x-api-key': 'abcdef', 'a': 'b'}", "{'x-api-key': '[redacted]', 'a': 'b'}"),
        ("[(b'x-api-key', b'abcdef')]", "[(b'x-api-key', b'[redacted]')]"),
        ('{"authorization": "Basic dTpw"}', '{"authorization": "[redacted]"}'),
        ("sent Bearer abcdefgh12345", "sent Bearer [redacted]"),
        (f"key {SECRET} here", "key [redacted] here"),
        ("(see https://h.example/p?sig=ab).", "(see https://h.example/p)."),
        ("https:\\/\\/h.example\\/p?sig=ab", "https://h.example/p"),
        ("a cat, authorization is a long word", "a cat, authorization is a long word"),
        ("two waves crash; a dog: barks", "two waves crash; a dog: barks"),
    ],
)
def test_texts(value: str, shown: str) -> None:
    assert redact.text(value) == shown


def test_json_by_names() -> None:
    value = {
        "X-Api-Key": "abc",
        "token": None,
        "usage": {"tokens": 5},
        "list": ("a", 1),
        "api_key": ["k"],
    }
    assert redact.json(value) == {
        "X-Api-Key": "[redacted]",
        "token": None,
        "usage": {"tokens": 5},
        "list": ("a", 1),
        "api_key": ["[redacted]"],
    }


def test_short_words_are_not_secrets() -> None:
    redact.register("short")
    redact.register("redacted")
    assert redact.text("a short [redacted] text") == "a short [redacted] text"


def test_percent_encoding_is_found_in_either_case() -> None:
    for disguise in ("ab%2Fcd%3Def", "ab%2fcd%3def"):
        assert redact.text(f"q={disguise}", ["ab/cd=ef"]) == "q=[redacted]"


@pytest.fixture
def logged() -> Iterator[list[str]]:
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Handler()
    names = ("httpx", "httpcore.http11", "hailuo_jupyter.engine.test")
    for name in names:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.DEBUG)
    redact.install()
    redact.install()
    yield lines
    for name in names:
        logger = logging.getLogger(name)
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def test_log_lines_of_httpx_are_redacted(logged: list[str]) -> None:
    logging.getLogger("httpx").info(
        'HTTP Request: %s %s "%s %d %s"',
        "GET",
        "https://h.example/c.mp4?sig=abc",
        "HTTP/1.1",
        200,
        "OK",
    )
    logging.getLogger("httpcore.http11").debug("headers=%r", [(b"x-api-key", b"abcdef")])
    assert logged == [
        'HTTP Request: GET https://h.example/c.mp4 "HTTP/1.1 200 OK"',
        "headers=[(b'x-api-key', b'[redacted]')]",
    ]
    assert (
        len(
            [f for f in logging.getLogger("httpx").filters if isinstance(f, redact.RedactingFilter)]
        )
        == 1
    )


def test_tracebacks_and_wrong_arguments_are_redacted(logged: list[str]) -> None:
    redact.register("hunter2hunter2")
    logger = logging.getLogger("hailuo_jupyter.engine.test")
    try:
        Path("hunter2hunter2/file").read_bytes()
    except OSError:
        logger.exception("failed")
    logger.info("%d", "hunter2hunter2")
    assert "[redacted]/file" in logged[0]
    assert "Traceback" in logged[0]
    assert "hunter2" not in "".join(logged)


@pytest.mark.parametrize(
    "said",
    [
        "Incorrect API key provided: Zq7xW***************Yc3m",
        "key Zq7xW2+L… is not valid",
        "key Zq7xW2+Lk9vR is not valid",
        "key ending in ****pYc3m",
        "….. no such key: •••••pYc3m",
    ],
)
def test_a_key_that_a_provider_repeats_in_part_or_masked(said: str) -> None:
    key = "Zq7xW2+Lk9vRt4_Bn8pYc3m"
    told = redact.text(said, [key])
    assert redact.MARK in told
    assert not scan_bytes(told.encode(), [key])
    assert redact.text(told, [key]) == told
