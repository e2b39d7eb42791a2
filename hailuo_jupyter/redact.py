"""Take out what must never be seen: keys, authorization headers, signatures of links.

Everything here can be applied twice without further change, never raises, and would rather take
out too much than too little: a lost query string costs a look at the provider's page, a leaked key
costs money.
"""

from __future__ import annotations

import base64
import json as _json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

#: What stands in the place of something taken out.
MARK = "[redacted]"

#: Shorter strings are words rather than keys: taking them out would make messages unreadable.
SHORTEST_SECRET = 8

#: What was done to texts of up to so many characters is remembered.
_SHORT = 256

# Without a lock, which a fork could inherit locked: adding and copying are atomic.
_secrets: set[str] = set()

# When a signed link ends is no secret, and a person needs it. Only values of these forms pass.
_MOMENT = r"[0-9]{8}T[0-9]{6}Z"
_EXPIRY = {
    "expires": ("Expires", r"[0-9]{9,13}"),
    "x-amz-date": ("X-Amz-Date", _MOMENT),
    "x-amz-expires": ("X-Amz-Expires", r"[0-9]{1,7}"),
    "x-goog-date": ("X-Goog-Date", _MOMENT),
    "x-goog-expires": ("X-Goog-Expires", r"[0-9]{1,7}"),
    "se": ("se", r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z)?"),
}

_HOST = re.compile(r"[\w.-]+|[0-9a-f:.]+:[0-9a-f:.]*")
# A JSON text may carry its slashes escaped.
_LINK = re.compile(r"https?:(?:\\?/){2}[^\s\"'<>`]+", re.IGNORECASE)
_DATA_URI = re.compile(
    r"(data:[\w.+/-]*(?:;[\w=.-]+)*;base64,)([A-Za-z0-9+/_=%-]+|\[[0-9]+ bytes\])", re.IGNORECASE
)

# Between a name and its value: `name: value`, `"name": "value"`, and the pair (b'name', b'value')
# of httpcore's debug lines.
_BETWEEN = r"(?:[\\\"']*\s*[:=]\s*(?:b?[\\\"']+)?|[\"']\s*,\s*b?[\"'])"
_NOT_YET = r"(?!b?[\\\"']*\[redacted\])"
_WHOLE_LINE = re.compile(
    r"\b((?:proxy-)?authorization|(?:set-)?cookie)"
    rf"({_BETWEEN}){_NOT_YET}[^\s\"'\\][^\r\n\"'\\]*",
    re.IGNORECASE,
)
_ONE_WORD = re.compile(
    r"\b(x-api-key|api[_-]?key|x-auth-token|access[_-]?token|refresh[_-]?token|client[_-]?secret"
    r"|password|x-(?:amz|goog)-(?:signature|credential|security-token)|signature"
    rf"|(?:oss|aws)accesskeyid)({_BETWEEN}){_NOT_YET}[^\s\"'\\,;&)\]}}]+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_KEY_FORMS = re.compile(r"\bSG_[A-Za-z0-9]{8,}|\bsk-[A-Za-z0-9_-]{16,}")

#: What stands for characters that are not shown; more of them than this change nothing.
_MASK = r"(?:\*{2,64}|\.{3,64}|…{1,64}|•{2,64}|[xX]{4,64})"
_SHORTEST_END = 4

_SECRET_FIELDS = frozenset(
    {
        "authorization", "proxy_authorization", "x_api_key", "api_key", "apikey", "token",
        "access_token", "refresh_token", "x_auth_token", "secret", "client_secret", "password",
        "cookie", "set_cookie", "signature",
    }
)  # fmt: skip


def register(secret: str) -> None:
    """Make every later `text` and `json` of this process take out a secret.

    Parameters
    ----------
    secret
        A key that is in use. Ignored if shorter than `SHORTEST_SECRET` characters, or if it is a
        part of `MARK` itself.
    """
    if _usable(secret):
        _secrets.add(secret)


def link(url: str) -> str:
    """Cut a link to scheme, host and path, and when it expires.

    Parameters
    ----------
    url
        Any text; only http(s) links and ``data:`` URIs are understood.

    Returns
    -------
    str
        As in ``https://host/clip.mp4?Expires=1750446300``. `MARK` for what is no http(s) link. A
        ``data:`` URI keeps its type and tells its size in bytes.
    """
    if not url:
        return ""
    if _DATA_URI.match(url):
        return text(url)
    return _settled(url, _cut, ())


def text(value: str, secrets: Iterable[str] = ()) -> str:
    """Take out of a text what must not be seen.

    Parameters
    ----------
    value
        Any text: a message, a log line, an answer's body.
    secrets
        Further secrets besides the registered ones, of `SHORTEST_SECRET` characters or more. Each
        is found as it stands, percent-encoded, JSON-escaped, and inside base64.

    Returns
    -------
    str
        The text with `MARK` in place of secrets, authorization values and keys; every link cut as
        by `link`; the size in place of every ``data:`` URI's content.
    """
    return _settled(value, _by_form, secrets)


def json(value: Any) -> Any:
    """Copy a JSON value and take out what must not be seen.

    Parameters
    ----------
    value
        Mappings, lists, tuples, strings, numbers, booleans, None.

    Returns
    -------
    Any
        The same shape and types. Strings under names such as ``authorization``, ``x-api-key``,
        ``token`` become `MARK`; all other strings, and names, go through `text`.
    """
    return _json_copy(value, secret=False)


class RedactingFilter(logging.Filter):
    """A log filter that lets every record pass, its message, arguments and traceback redacted."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact one record in place; always True."""
        try:
            message = record.getMessage()
        except (
            TypeError,
            ValueError,
        ):  # the arguments do not fit: a mistake, but no reason to leak
            message = f"{record.msg} {record.args}"
        record.msg, record.args = text(message), None
        if record.exc_info and not record.exc_text:
            # A Formatter uses this text where it is there, in place of making its own.
            record.exc_text = text(logging.Formatter().formatException(record.exc_info))
        return True


def install() -> None:
    """Put a `RedactingFilter` on the loggers of httpx, httpcore and this package; may be repeated.

    A logger's filter does not see what its children log, so each child is given one too: those that
    httpcore is known to use, and every one that exists by now.
    """
    roots = ("httpx", "httpcore", "hailuo_jupyter")
    names = {
        *roots,
        *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
    }
    names |= {
        name
        for name in list(logging.root.manager.loggerDict)
        if name.startswith(tuple(f"{root}." for root in roots))
    }
    for name in names:
        logger = logging.getLogger(name)
        if not any(isinstance(each, RedactingFilter) for each in logger.filters):
            logger.addFilter(RedactingFilter())


def _usable(secret: str) -> bool:
    return len(secret) >= SHORTEST_SECRET and secret not in MARK


def _settled(value: str, by_form: Callable[[str], str], secrets: Iterable[str]) -> str:
    known = _secrets.union(filter(_usable, secrets))
    longest_first = tuple(sorted(known, key=lambda each: (-len(each), each)))
    # A record's texts are looked at again at each of its changes.
    settle = _remembered if len(value) <= _SHORT else _settle
    return settle(value, by_form, longest_first)


def _settle(value: str, by_form: Callable[[str], str], longest_first: tuple[str, ...]) -> str:
    # What was taken out can, with its neighbours, look like something to take out. Going on until
    # nothing changes makes the outcome safe and the function idempotent by construction.
    for _ in range(8):
        before = value
        value = _without(by_form(_without(value, longest_first)), longest_first)
        if value == before:
            return value
    return MARK


_remembered = lru_cache(maxsize=2048)(_settle)


def _without(value: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        value = _pattern(secret).sub(MARK, value)
        if any(part in value for part in _parts(secret)):
            value = _part_pattern(secret).sub(MARK, value)
    return value


@lru_cache(maxsize=64)
def _parts(secret: str) -> tuple[str, ...]:
    """Give what of a secret is looked for before any slower search: its parts, its ends."""
    whole = len(secret) - SHORTEST_SECRET + 1
    parts = {secret[at : at + SHORTEST_SECRET] for at in range(whole)}
    return (*parts, secret[:_SHORTEST_END], secret[-_SHORTEST_END:])


@lru_cache(maxsize=64)
def _part_pattern(secret: str) -> re.Pattern[str]:
    """Match a part as long as a secret has to be, or an end of it beside the signs of a mask.

    Providers answer with the key that they refuse, masked: its first eight characters and stars.
    """
    parts = [secret[at : at + SHORTEST_SECRET] for at in range(len(secret) - SHORTEST_SECRET + 1)]
    lengths = range(SHORTEST_SECRET, _SHORTEST_END - 1, -1)
    begins = "|".join(re.escape(secret[:length]) for length in lengths)
    ends = "|".join(re.escape(secret[-length:]) for length in lengths)
    rest = r"[A-Za-z0-9_+/=~-]*"
    return re.compile(
        f"(?:{'|'.join(map(re.escape, parts))}){rest}(?:{_MASK}{rest})?"
        f"|(?:{begins}){_MASK}{rest}|{_MASK}(?:{ends})"
    )


def _by_form(value: str) -> str:
    value = _DATA_URI.sub(_size_of_data, value)
    value = _LINK.sub(_link_in_text, value)
    value = _WHOLE_LINE.sub(rf"\1\2{MARK}", value)
    value = _ONE_WORD.sub(rf"\1\2{MARK}", value)
    value = _BEARER.sub(rf"\1{MARK}", value)
    return _KEY_FORMS.sub(MARK, value)


def _size_of_data(found: re.Match[str]) -> str:
    if found[2].startswith("["):
        return found[0]
    return f"{found[1]}[{len(found[2].rstrip('=')) * 3 // 4} bytes]"


def _link_in_text(found: re.Match[str]) -> str:
    url = found[0].rstrip(".,;:!?)]}\\")
    return _cut(url.replace("\\/", "/")) + found[0][len(url) :]


def _cut(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
        asked = parse_qsl(parts.query)
    except ValueError:
        return MARK
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(host):
        return MARK
    place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port is not None else "")
    ends: dict[str, str] = {}
    for name, value in asked:
        shown, form = _EXPIRY.get(name.lower(), ("", ""))
        if shown and re.fullmatch(form, value):
            ends.setdefault(shown, value)
    query = "&".join(f"{name}={value}" for name, value in ends.items())
    return f"{parts.scheme}://{place}{parts.path.rstrip()}" + (f"?{query}" if query else "")


@lru_cache(maxsize=64)
def _pattern(secret: str) -> re.Pattern[str]:
    """Match a secret as it stands, percent- or JSON-escaped in any mixture, or inside base64."""
    return re.compile("|".join(["".join(map(_one_character, secret)), *_in_base64(secret)]))


def _one_character(char: str) -> str:
    percent = "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
    forms = [re.escape(char), f"(?i:{percent})"]
    if (escaped := _json.dumps(char)[1:-1]) != char:
        forms.append(f"(?i:{re.escape(escaped)})")
    if char == " ":
        forms.append(r"\+")
    return f"(?:{'|'.join(forms)})"


def _in_base64(secret: str) -> Iterable[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    also = {"+": r"(?:[+-]|%2[Bb])", "/": r"(?:[/_]|%2[Ff])"}
    for shift in range(3):
        # The characters that the secret alone decides; those beside them hold bits of neighbours.
        inner = base64.b64encode(b"\0" * shift + raw).decode()[
            -(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6
        ]
        edge = "[A-Za-z0-9+/_-]?"
        yield edge + "".join(also.get(char, char) for char in inner) + edge + "={0,2}"


def _json_copy(value: Any, *, secret: bool) -> Any:
    if isinstance(value, str):
        return MARK if secret and value else text(value)
    if isinstance(value, Mapping):
        copy: dict[Any, Any] = {}
        for name, inner in value.items():
            shown = text(name) if isinstance(name, str) else name
            while shown in copy:  # two names that differed in a secret only stay two
                shown = f"{shown}*"
            hidden = secret or str(name).lower().replace("-", "_") in _SECRET_FIELDS
            copy[shown] = _json_copy(inner, secret=hidden)
        return copy
    if isinstance(value, list | tuple):
        return type(value)(_json_copy(inner, secret=secret) for inner in value)
    return value
