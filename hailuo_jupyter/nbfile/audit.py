"""A scanner for secrets: what a key, an authorization header or a signed link left behind in bytes.

It looks with patterns of its own and not with those of `hailuo_jupyter.redact`, which it is to catch
out. A finding tells the kind and never the secret.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote

#: So many characters of a key in a row are a finding.
PART = 8

#: Of a masked key so many characters are shown, at least.
_ENDS = 4

#: Kinds of findings, in words.
KEY = "a key that is in use"
KEY_PART = "a part of a key that is in use"
KEY_ENCODED = "a key that is in use, encoded"
KEY_MASKED = "a masked key"
KEY_SHAPED = "what looks like a provider's key"
AUTHORIZATION = "an Authorization header"
KEY_HEADER = "an x-api-key header"
BEARER = "a Bearer token"
SIGNED = "a signed link's secret"

_VALUE = rb"[A-Za-z0-9._~+/=-]"
#: Between a header's name and its value, as JSON, Python, httpcore and curl write it.
_TO = rb"[\\\"']*\s*[:=,]\s*b?[\\\"']*"
#: Three of them say all, and more would cost a long row of dots the square of its length.
_STARS = rb"(?:\*{3}|\.{3}|(?:\xe2\x80\xa2){3}|\xe2\x80\xa6|\\u2026|(?:\\u2022){3})"

#: Kind, pattern, and what stands in small letters in all that it finds: to look for that is quick.
_FORMS: tuple[tuple[str, re.Pattern[bytes], tuple[bytes, ...]], ...] = (
    (
        AUTHORIZATION,
        re.compile(
            rb"\b(?:proxy-)?authorization" + _TO + rb"(?:(?:bearer|basic|token|key)\s+)?"
            rb"(?=[^\s\"']*[0-9])" + _VALUE + rb"{12,}",
            re.IGNORECASE,
        ),
        (b"authorization",),
    ),
    (
        KEY_HEADER,
        re.compile(
            rb"\b(?:x-api-key|x-auth-token|api[_-]?key)"
            + _TO
            + rb"(?=[^\s\"']*[0-9])"
            + _VALUE
            + rb"{12,}",
            re.IGNORECASE,
        ),
        (b"api-key", b"api_key", b"apikey", b"x-auth-token"),
    ),
    (
        BEARER,
        re.compile(rb"\bbearer\s+(?=[^\s\"']*[0-9])" + _VALUE + rb"{12,}", re.IGNORECASE),
        (b"bearer",),
    ),
    (
        SIGNED,
        re.compile(
            rb"(?:[?&;]|\\u0026|%26|%3F)(?:x-(?:amz|goog)-(?:signature|credential|security-token)"
            rb"|(?:oss|aws)accesskeyid|signature|sig|token|access_token|key-pair-id|policy)"
            rb"(?:=|%3D)[^\s\"'<>&\\\[]{6,}",
            re.IGNORECASE,
        ),
        (b"sig", b"token", b"credential", b"accesskeyid", b"key-pair-id", b"policy"),
    ),
    (
        KEY_SHAPED,
        re.compile(rb"\bSG_[A-Za-z0-9]{12,}|\bsk-[A-Za-z0-9_-]{20,}"),
        (b"sg_", b"sk-"),
    ),
    (KEY_MASKED, re.compile(rb"\bSG_[A-Za-z0-9]{1,12}" + _STARS), (b"sg_",)),
    (KEY_MASKED, re.compile(rb"\bsk-[A-Za-z0-9]{2,12}" + _STARS), (b"sk-",)),
)


def scan_bytes(data: bytes, secrets: Iterable[str] = ()) -> list[str]:
    """Find secrets in some bytes.

    Parameters
    ----------
    data
        Text in UTF-8, JSON, a log, a database's file.
    secrets
        Keys to look for: whole, in part (`PART` characters in a row), masked, percent- or
        JSON-encoded, and inside base64.

    Returns
    -------
    list of str
        The kinds of what was found, each once; empty if nothing was.
    """
    found = [kind for secret in secrets for kind in _known(data, secret)]
    lower = data.lower()
    found += [
        kind
        for kind, form, needs in _FORMS
        if any(each in lower for each in needs) and form.search(data)
    ]
    return list(dict.fromkeys(found))


def _known(data: bytes, secret: str) -> Iterator[str]:
    raw = secret.encode()
    if raw in data:
        yield KEY
    elif any(block in data for block in _blocks(raw)) and any(
        part in data for part in _parts(secret)
    ):
        yield KEY_PART
    if any(form in data for form in _encoded(secret)):
        yield KEY_ENCODED
    if (raw[:_ENDS] in data or raw[-_ENDS:] in data) and _masked(secret).search(data):
        yield KEY_MASKED


def _blocks(raw: bytes) -> Iterator[bytes]:
    """Give so few pieces of a key that every part of it holds one: far less to look for."""
    size = PART // 2
    return (raw[at : at + size] for at in range(0, len(raw) - size + 1, size))


@lru_cache(maxsize=64)
def _parts(secret: str) -> tuple[bytes, ...]:
    raw = secret.encode()
    return tuple(raw[at : at + PART] for at in range(len(raw) - PART + 1))


@lru_cache(maxsize=64)
def _encoded(secret: str) -> tuple[bytes, ...]:
    raw = secret.encode()
    forms = {quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode(), raw.hex().encode()}
    for shift in range(3):
        # Those characters that the secret alone decides; its neighbours have a share in the others.
        first, last = -(-shift * 8 // 6), (shift + len(raw)) * 8 // 6
        whole = base64.b64encode(b"\0" * shift + raw)[first:last]
        forms |= {whole, base64.urlsafe_b64encode(b"\0" * shift + raw)[first:last]}
    return tuple(form for form in forms if form != raw and len(form) >= PART)


@lru_cache(maxsize=64)
def _masked(secret: str) -> re.Pattern[bytes]:
    raw = secret.encode()
    begins = b"|".join(re.escape(raw[:length]) for length in range(PART, _ENDS - 1, -1))
    ends = b"|".join(re.escape(raw[-length:]) for length in range(PART, _ENDS - 1, -1))
    return re.compile(rb"(?:%b)%b|%b(?:%b)" % (begins, _STARS, _STARS, ends))
