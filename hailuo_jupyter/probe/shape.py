"""The shape of an answer: names of fields, types and states, without its content.

Names are data too if an object is a map from ids or people. So a name is shown only if each of its
parts is a word that APIs use; others are counted, not shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hailuo_jupyter.providers.history import moment

#: Maximum levels and fields that are described; answers of the providers have about 4 and 30.
_MOST_LEVELS, _MOST_FIELDS = 8, 200

_WORDS_TEXT = """
when pagination developer prepaid postpaid invoice plan trial webhooks callback retryable content
accept access account active after age agent aimlapi alive allow allowed alt amount api asset async
at attempt attempts audio available average balance base batch billable billing body bot by bytes
cache cached cancel category cause cf cfbm challenge charge charged charges clear client clip code
codec completed completion connection content control cookie cors cost count created credentials
credit credits cross currency current cursor data datacenter date day days debit deduction
deductions default deleted description detail details direction disposition dns done download
duration elapsed embedder encoding end ended endpoint endpoints ends enhance enhanced envoy error
errors estimate estimated etag event events expiration expire expired expires expiry expose failed
failure fast feature features file files filter final finish finished first flag flagged flags force
format fps frame frames free from generated generating generation generations go gpu group hailuo
has headers height history hold host hour hours hsts http https id ids image images in included
index inference inferenceid info initial initiator input inputs instance instruct interval is items
job jobs keep key kind label language last latency left length level limit limits link links list
location log logs max media message messages meta metadata method methods metrics milliseconds min
minute minutes mitigated mode model models moderation modified month more ms msg name nel next number
object of offset on opener optimizer options order organization origin output outputs page pages
paid parameter parameters params parent path payload pending per percent permissions plan policy
poll position powered pragma preview price prices pricing priority processing progress prompt proto
provider public queue queued quota rate rated ratelimit ratio ray reason reasons reference referrer
region remaining report request requestid requests required reserved reset resolution resource
resp response result results retries retry revised role runtime safety sample scope score seconds
security seed segmind sent sequence served server service session set sha256 site size sort source
spent stack stage start started state states status statuscode step steps strict sts style sub
subtype succeeded success summary svc system tag tags target task team text thumbnail tier time
timeout timestamp timing timings title to token tokens total trace tracking transaction transactions
transfer transport type unit units until updated upgrade upload uploads upstream uri url urls usage
usd use used user utc uuid valid value values variant variants vary version via video videos
violation violations wait waiting warning warnings webhook webhooks width with worker workflow
workspace x xss
"""
_STATES_TEXT = """
aborted active canceled cancelled completed done error expired fail failed finished generating
in_progress pending preparing processing queued queueing rejected running starting succeeded success
timeout waiting
"""

#: Parts of names of fields and headers.
_WORDS = frozenset(_WORDS_TEXT.split())

#: States that providers of video models are known to use.
STATES = frozenset(_STATES_TEXT.split())

_STATE_FIELDS = frozenset({"status", "state", "model_status"})
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_HIDDEN = "(name not shown)"


def shown(name: str) -> str:
    """Return a field's or header's name, or a placeholder."""
    if len(name) > 60 or not name.isascii():
        return _HIDDEN
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^A-Za-z\d]", name)
    words = [part.lower() for part in parts if part not in {"_", "-"}]
    return name if words and all(word in _WORDS for word in words) else _HIDDEN


def headers(names: Iterable[str]) -> list[str]:
    """Return the names of headers, sorted, each once."""
    return sorted({shown(name.lower()) for name in names})


def fields(body: Any) -> dict[str, str]:
    """Return the types of a JSON value's fields by their paths.

    Parameters
    ----------
    body
        As returned by `json.loads`.

    Returns
    -------
    dict
        For example ``{"data": "list", "data[].request_id": "text (UUID)"}``; for a list all items
        together, joined by `` or `` if they differ. The value itself has the path ``""``.
    """
    found: dict[str, set[str]] = {}
    _describe(body, "", found, 0)
    return {path: " or ".join(sorted(types)) for path, types in found.items()}


def states(body: Any) -> list[str]:
    """Return the known states in an answer, sorted; unknown ones are only counted."""
    found: set[str] = set()
    queue: list[Any] = [body]
    while queue:
        each = queue.pop()
        if isinstance(each, dict):
            for name, value in each.items():
                if name in _STATE_FIELDS and isinstance(value, str):
                    is_known = value.strip().lower() in STATES
                    found.add(value.strip() if is_known else "(unknown state)")
                elif isinstance(value, dict | list):
                    queue.append(value)
        elif isinstance(each, list):
            queue += each
    return sorted(found)


def kind(value: Any) -> str:
    """Return the type of one JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, dict):
        return "object" if value else "object (empty)"
    if isinstance(value, list):
        return "list" if value else "list (empty)"
    return f"text ({_text_kind(value)})"


def _text_kind(text: str) -> str:
    if not text.strip():
        return "empty"
    if text.startswith("data:"):
        return "data URI"
    if re.match(r"https?://", text, re.IGNORECASE):
        return "link"
    if _UUID.match(text):
        return "UUID"
    if text.isascii() and text.isdecimal():
        return "digits"
    if re.match(r"\d{4}-\d\d-\d\d", text) and moment(text) is not None:
        return "time"
    if text.lstrip()[0] in "{[":
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return "other"
        return "JSON"
    return "other"


def _describe(value: Any, path: str, found: dict[str, set[str]], level: int) -> None:
    if len(found) >= _MOST_FIELDS and path not in found:
        return
    found.setdefault(path, set()).add(kind(value))
    if level >= _MOST_LEVELS:
        return
    if isinstance(value, Mapping):
        for name, each in value.items():
            _describe(each, f"{path}.{shown(name)}".lstrip("."), found, level + 1)
    elif isinstance(value, list):
        for each in value:
            _describe(each, f"{path}[]", found, level + 1)


#: Known media types of answers of these providers.
_MEDIA_TYPES = frozenset(
    {"application/json", "application/problem+json", "text/html", "text/plain", "video/mp4",
     "application/octet-stream", "binary/octet-stream", "application/xml"}
)  # fmt: skip


def media_type(header: str) -> str:
    """Return the media type of a Content-Type header, or a placeholder for others."""
    found = header.partition(";")[0].strip().lower()
    return found if found in _MEDIA_TYPES else "another one" if found else ""
