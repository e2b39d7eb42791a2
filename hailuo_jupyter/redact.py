"""Redact secrets: keys, authorization headers, signatures of links.

Everything here is idempotent, never raises, and removes
too much rather than too little: a lost query string costs a visit to the provider's page, a leaked key
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

from hailuo_jupyter import links
from hailuo_jupyter.links import MARK

#: Shorter strings are words rather than keys: removing them would make messages unreadable.
SHORTEST_SECRET = 8

#: Results for texts of up to this many characters are cached.
_SHORT = 256

# Without a lock, which a fork could inherit locked: adding and copying are atomic.
_secrets: set[_Secret] = set()

_DATA_URI = re.compile(
    r"(data:[\w.+/-]*(?:;[\w=.-]+)*;base64,)([A-Za-z0-9+/_=%-]+|\[[0-9]+ bytes\])", re.IGNORECASE
)

# The separator of a name and its value: `name: value`, `"name": "value"`, and the pair (b'name', b'value')
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
#: Characters that mask others; a longer row of them makes no difference.
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
    """Make every later `text` and `json` of this process remove a secret.

    Parameters
    ----------
    secret
        A key in use. Ignored if shorter than `SHORTEST_SECRET` characters, or if it is a
        part of `MARK` itself.
    """
    if _usable(secret):
        _secrets.add(_Secret(secret))


def link(url: str) -> str:
    """Shorten a link to scheme, host, path and expiry.

    Parameters
    ----------
    url
        Any text; only links with a host (``https``, ``wss``, ``gs``, …) and ``data:`` URIs are understood.

    Returns
    -------
    str
        As in ``https://host/clip.mp4?Expires=1750446300``, with `MARK` in place of tokens in the path.
        `MARK` if it is not a link. A ``data:`` URI keeps its type and shows its size in bytes.
    """
    if not url:
        return ""
    if _DATA_URI.match(url):
        return text(url)
    return _settled(url, links.cut, ())


def media_link(url: str) -> str:
    """Return a link to a clip for log and sidecar: complete, unless it is signed.

    A link without a signature still leads to the clip when the provider has forgotten the job.

    Parameters
    ----------
    url
        An http(s) link.

    Returns
    -------
    str
        The link without fragment and credentials, or the result of `link` if a parameter of its query
        has a secret's name, or looks like a secret.
    """
    return _settled(url, links.whole_unless_signed, ())


def host_and_name(url: str) -> str:
    """Return the part of a link that a notebook may show to anyone: ``https://host/…/clip.mp4``.

    Parameters
    ----------
    url
        An http(s) link; anything else becomes `MARK`.
    """
    return _settled(url, links.host_and_name, ())


def text(value: str, secrets: Iterable[str] = ()) -> str:
    """Remove secrets from a text.

    Parameters
    ----------
    value
        Any text: a message, a log line, an answer's body.
    secrets
        Further secrets besides the registered ones, of `SHORTEST_SECRET` characters or more. Each
        is found literally, percent-encoded, JSON-escaped, and inside base64.

    Returns
    -------
    str
        The text with `MARK` in place of secrets, authorization values and keys; every link cut as
        by `link`; the size in place of every ``data:`` URI's content.
    """
    return _settled(value, _by_form, secrets)


def json(value: Any) -> Any:
    """Copy a JSON value without its secrets.

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
    """A log filter that passes every record, with its message, arguments and traceback redacted."""

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
            # A Formatter uses this text if present, instead of formatting its own.
            record.exc_text = text(logging.Formatter().formatException(record.exc_info))
        return True


def install() -> None:
    """Add a `RedactingFilter` to the loggers of httpx, httpcore and this package; may be repeated.

    A logger's filter does not see what its children log, so each child gets one too: those that
    httpcore is known to use, and all existing ones.
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


def _settled(value: str, by_form: Callable[[str], str], secrets: Iterable[str]) -> str:
    all_secrets = _secrets.union(map(_Secret, filter(_usable, secrets)))
    longest_first = tuple(sorted(all_secrets))
    # A record's texts are redacted again at each of its changes.
    settle = _remembered if len(value) <= _SHORT else _settle
    return settle(value, by_form, longest_first)


def _settle(value: str, by_form: Callable[[str], str], secrets: tuple[_Secret, ...]) -> str:
    # A replacement can, with the text around it, look like a new secret. Repeating until
    # nothing changes makes the result safe and the function idempotent by construction.
    for _ in range(8):
        before = value
        value = _without(by_form(_without(value, secrets)), secrets)
        if value == before:
            return value
    return MARK


_remembered = lru_cache(maxsize=2048)(_settle)


def _without(value: str, secrets: Iterable[_Secret]) -> str:
    for secret in secrets:
        value = secret.removed_from(value)
    return value


def _usable(secret: str) -> bool:
    return len(secret) >= SHORTEST_SECRET and secret not in MARK


class _Secret:
    """A secret, with the patterns that find it.

    Its repr does not show it: an error may pass through here, and a tool that shows its traceback may show
    local variables too.
    """

    __slots__ = ("_part", "_parts", "_value", "_whole")

    def __init__(self, value: str) -> None:
        self._value = value
        self._whole: re.Pattern[str] | None = None
        self._part: re.Pattern[str] | None = None
        self._parts: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __lt__(self, other: _Secret) -> bool:
        """Sort the longest first: one may be a part of another."""
        return (-len(self._value), self._value) < (-len(other._value), other._value)

    def __repr__(self) -> str:
        return "<secret>"

    def removed_from(self, value: str) -> str:
        """Return a text with `MARK` in place of the secret and its parts."""
        if self._whole is None or self._part is None:
            self._parts = _parts(self._value)
            self._whole, self._part = _pattern(self._value), _part_pattern(self._value)
        value = self._whole.sub(MARK, value)
        if any(part in value for part in self._parts):
            value = self._part.sub(MARK, value)
        return value


def _parts(secret: str) -> tuple[str, ...]:
    """Return the texts of a secret for a fast search before any slower one: its parts, its ends."""
    whole = len(secret) - SHORTEST_SECRET + 1
    parts = {secret[start : start + SHORTEST_SECRET] for start in range(whole)}
    return (*parts, secret[:_SHORTEST_END], secret[-_SHORTEST_END:])


def _part_pattern(secret: str) -> re.Pattern[str]:
    """Match a part as long as a secret has to be, or an end of it next to mask characters.

    Providers answer with the key that they refuse, masked: its first eight characters and stars.
    """
    parts = [
        secret[start : start + SHORTEST_SECRET]
        for start in range(len(secret) - SHORTEST_SECRET + 1)
    ]
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
    value = links.LINK.sub(links.cut_in_text, value)
    value = links.ENCODED_LINK.sub(links.cut_encoded, value)
    value = links.PARAMETER.sub(rf"\1{MARK}", value)
    value = links.WEB_TOKEN.sub(MARK, value)
    value = _WHOLE_LINE.sub(rf"\1\2{MARK}", value)
    value = _ONE_WORD.sub(rf"\1\2{MARK}", value)
    value = _BEARER.sub(rf"\1{MARK}", value)
    return links.KEY_FORMS.sub(MARK, value)


def _size_of_data(found: re.Match[str]) -> str:
    if found[2].startswith("["):
        return found[0]
    return f"{found[1]}[{len(found[2].rstrip('=')) * 3 // 4} bytes]"


def _pattern(secret: str) -> re.Pattern[str]:
    """Match a secret literally, percent- or JSON-escaped in any mixture, or inside base64."""
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
        # The characters that depend on the secret alone; adjacent ones contain other bits.
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
            while shown in copy:  # two names that differed only in a secret stay two
                shown = f"{shown}*"
            hidden = secret or str(name).lower().replace("-", "_") in _SECRET_FIELDS
            copy[shown] = _json_copy(inner, secret=hidden)
        return copy
    if isinstance(value, list | tuple):
        return type(value)(_json_copy(inner, secret=secret) for inner in value)
    return value
