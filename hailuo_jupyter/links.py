"""Remove credentials from links: signatures, tokens, passwords.

Pure functions on one link, and on a record that leaves this machine with its links. `hailuo_jupyter.redact`
finds links in texts, and knows the keys in use.
Everything here can be applied twice without further change, and never raises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

#: What replaces something taken out.
MARK = "[redacted]"

#: What replaces a link's folders.
_LEFT_OUT = "…"

_SCHEME = r"\b[a-z][a-z0-9+.-]{1,15}"
#: Maximum levels of encoding of a link.
_ROUNDS = 5
_ENCODED_PERCENT = rf"%(?:25){{0,{_ROUNDS - 1}}}"

#: A link in a text. A JSON text may have its slashes escaped.
LINK = re.compile(_SCHEME + r":(?:\\?/){2}[^\s\"'<>`]+", re.IGNORECASE)
#: A percent-encoded link, as it appears in another one's path.
ENCODED_LINK = re.compile(
    rf"{_SCHEME}{_ENCODED_PERCENT}3A(?:{_ENCODED_PERCENT}2F){{2}}[^\s\"'<>`&/]+", re.IGNORECASE
)
#: Keys in the forms that providers give them.
KEY_FORMS = re.compile(
    r"\bSG_[A-Za-z0-9]{8,}|\bsk-[A-Za-z0-9_-]{16,}|\br8_[A-Za-z0-9]{16,}"
    # fal: an id and a secret
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f]{16,}"
)
#: JSON Web Tokens (RFC 7519).
WEB_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{6,4000}(?:\.[A-Za-z0-9_=-]{1,4000}){1,2}"
)

# Parameters of these names grant access, or identify who has it.
_LETS_IN = (
    r"(?:x-(?:amz|goog|oss|ms)-[a-z-]{0,40}(?:signature|credential|token)"
    r"|(?:[a-z]{1,20}[_-])?(?:token|sig|signature|hmac|jwt|secret|password|passwd|credential|auth)"
    r"|(?:[a-z]{1,20}[_-])?api[_-]?key|(?:oss|aws)?access[_-]?key[_-]?id|key-pair-id|j?sessionid"
    r"|hdnts|hdnea|policy|key|st|ticket|code)"
)
_IS_SECRET = re.compile(_LETS_IN, re.IGNORECASE)
_EQUALS = rf"(?:=|{_ENCODED_PERCENT}3D)"
_NOT_YET = r"(?!\[redacted)"

#: A parameter of a link in a text, also if the link's start is missing.
PARAMETER = re.compile(
    rf"((?:[?&;]|{_ENCODED_PERCENT}(?:3F|26|3B)|\\u0026){_LETS_IN}{_EQUALS}){_NOT_YET}"
    r"[^\s\"'<>`&\\]+",
    re.IGNORECASE,
)
# The same in a path: `/token=a/`, `;jsessionid=a`, `exp=1~hmac=a`; and `/token/a`.
_PATH_PARAMETER = re.compile(
    rf"(?<![a-z0-9])({_LETS_IN}{_EQUALS}){_NOT_YET}[^/~;,&]+", re.IGNORECASE
)
_PATH_AFTER_NAME = re.compile(
    r"(?<=/)((?:token|sig|signature|hmac|jwt|auth|secret|key|api_?key|access_?token)/)"
    rf"(?=[^/]*[0-9]){_NOT_YET}[^/]{{8,}}",
    re.IGNORECASE,
)
_BOT_TOKEN = re.compile(rf"(?<=/bot)[0-9]{{5,}}(?::|{_ENCODED_PERCENT}3A)[A-Za-z0-9_-]{{20,}}")
_ENCODED_QUESTION_MARK = re.compile(f"{_ENCODED_PERCENT}3F", re.IGNORECASE)

# A long mixed value may be a secret under any name, except names of ids and files.
_OPAQUE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9+/_=~.-]{20,}")
_FILE_NAME = re.compile(r"[^/]+\.[A-Za-z0-9]{2,5}")
_NAME_OF_AN_ID = re.compile(
    r"(?:[a-z]{1,20}[_-])?(?:id|uuid|name|file|filename|path)", re.IGNORECASE
)

# The expiry of a signed link is not secret, and useful. Only values of these forms are kept.
_MOMENT = r"[0-9]{8}T[0-9]{6}Z"
_EXPIRY = {
    "expires": ("Expires", r"[0-9]{9,13}"),
    "x-amz-date": ("X-Amz-Date", _MOMENT),
    "x-amz-expires": ("X-Amz-Expires", r"[0-9]{1,7}"),
    "x-goog-date": ("X-Goog-Date", _MOMENT),
    "x-goog-expires": ("X-Goog-Expires", r"[0-9]{1,7}"),
    "se": ("se", r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z)?"),
}

#: Characters that end a sentence rather than a link.
_NOT_AT_THE_END = ".,;:!?)]}\\"

_HOST = re.compile(r"[\w.-]+|[0-9a-f:.]+:[0-9a-f:.]*")
_WITHOUT_HOST = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*:///", re.IGNORECASE)

#: Number of cached shared records: a notebook renders each of its runs many times.
_REMEMBERED = 512


def cut(url: str) -> str:
    """Return scheme, host and path of a link, and its expiry; `MARK` if it is not a link.

    Tokens in the path are removed. So is the query of a link within the path.
    """
    parts = _parsed(url)
    if parts is None:
        return MARK
    ends: dict[str, str] = {}
    for name, value in parse_qsl(parts.query):
        shown, form = _EXPIRY.get(name.lower(), ("", ""))
        if shown and re.fullmatch(form, value):
            ends.setdefault(shown, value)
    query = "&".join(f"{name}={value}" for name, value in ends.items())
    return f"{_origin(parts)}{_path(parts)}" + (f"?{query}" if query else "")


def whole_unless_signed(url: str) -> str:
    """Return a link with its query, or the result of `cut` if one of its parameters is, or looks, secret."""
    parts = _parsed(url)
    if parts is None or _signed(parts.query):
        return cut(url)
    return f"{_origin(parts)}{_path(parts)}" + (f"?{parts.query}" if parts.query else "")


def host_and_name(url: str) -> str:
    """Return host and file name of an http(s) link, as in ``https://host/…/clip.mp4``."""
    parts = _parsed(url)
    if parts is None or parts.scheme not in {"http", "https"}:
        return MARK
    folders, _, name = unquote(_path(parts)).rpartition("/")
    return f"{_origin(parts)}/{f'{_LEFT_OUT}/' if folders.strip('/') else ''}{quote(name)}"


def is_whole(url: str) -> bool:
    """Return whether a link was shortened neither by `host_and_name` nor for a token in its path."""
    return MARK not in url and f"/{_LEFT_OUT}/" not in url


def cut_in_text(found: re.Match[str]) -> str:
    """Return the replacement for a match of `LINK`."""
    url = found[0].rstrip(_NOT_AT_THE_END)
    if _WITHOUT_HOST.match(url):  # file:///x, sqlite:///x: a path of this machine
        return found[0]
    return cut(url.replace("\\/", "/")) + found[0][len(url) :]


def shorten_in_text(found: re.Match[str]) -> str:
    """Return the replacement for a match of `LINK` if only host and file name are shown."""
    url = found[0].rstrip(_NOT_AT_THE_END)
    if _parsed(url) is None or not url.lower().startswith("http"):
        return cut_in_text(found)
    return host_and_name(url.replace("\\/", "/")) + found[0][len(url) :]


def cut_encoded(found: re.Match[str]) -> str:
    """Return the replacement for a match of `ENCODED_LINK`: without query, encoded as many times."""
    whole = url = found[0].rstrip(_NOT_AT_THE_END)
    for rounds in range(1, _ROUNDS + 1):
        url = unquote(url)
        if LINK.match(url):
            url = cut(url).partition("?")[0]
            for _ in range(rounds):
                url = quote(url, safe="")
            return url + found[0][len(whole) :]
    return MARK


def _parsed(url: str) -> SplitResult | None:
    """Return the parts of a link that has a scheme and a host; None for anything else."""
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
        host = parts.hostname or ""
    except ValueError:
        return None
    return parts if parts.scheme and _HOST.fullmatch(host) else None


def _origin(parts: SplitResult) -> str:
    host, port = parts.hostname or "", parts.port
    place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port is not None else "")
    return f"{parts.scheme}://{place}"


def _path(parts: SplitResult) -> str:
    path = ENCODED_LINK.sub(cut_encoded, parts.path.rstrip())
    # A query that was encoded along with the path.
    if found := _ENCODED_QUESTION_MARK.search(path):
        query = path[found.end() :]
        path = path[: found.start()] if re.search(_EQUALS, query, re.IGNORECASE) else path
    path = _PATH_PARAMETER.sub(rf"\1{MARK}", path)
    path = _PATH_AFTER_NAME.sub(rf"\1{MARK}", path)
    for form in (WEB_TOKEN, _BOT_TOKEN, KEY_FORMS):
        path = form.sub(MARK, path)
    return path


def _signed(query: str) -> bool:
    if LINK.search(query) or ENCODED_LINK.search(query) or WEB_TOKEN.search(query):
        return True
    return any(
        _IS_SECRET.fullmatch(name)
        or (
            _OPAQUE.fullmatch(value)
            and not (_NAME_OF_AN_ID.fullmatch(name) or _FILE_NAME.fullmatch(value))
        )
        for name, value in parse_qsl(query, keep_blank_values=True)
    )


def shared(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record for sharing: in a notebook, an export or a sink.

    A media link without a signature gives anyone access to the clip. Run log and sidecar keep it
    complete, as a second source of a paid clip; shared records have host and file name only.

    Parameters
    ----------
    document
        A record as JSON. It is not changed.
    """
    job = document.get("job")
    if not isinstance(job, Mapping):
        return dict(document)
    link = job.get("media_link")
    short_link = {"media_link": host_and_name(link)} if isinstance(link, str) else {}
    return {**document, "job": {**job, "answers": _shortened(job.get("answers")), **short_link}}


@lru_cache(maxsize=_REMEMBERED)
def shared_json(document: str) -> str:
    """Return a record's JSON text as `shared` returns its document."""
    return json.dumps(shared(json.loads(document)), ensure_ascii=False, sort_keys=True)


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return LINK.sub(shorten_in_text, value)
    if isinstance(value, Mapping):
        return {name: _shortened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value]
    return value
