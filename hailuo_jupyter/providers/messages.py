"""Find the error message in an answer, in the formats that providers use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NAMES = (
    "error",
    "message",
    "detail",
    "msg",
    "error_description",
    "name",
    "errors",
    "base_resp",
    "status_msg",
)

#: Maximum levels, and entries of a list, that are read.
_DEPTH, _ENTRIES = 5, 5

#: Words that providers and MiniMax use when the content is refused. There is no code
#: for it at either provider, so the message is the only sign. Must not match: "case-sensitive".
_MODERATION = re.compile(
    r"moderat|nsfw|(?<!case.)(?<!in)sensitive|content[ _-](?:policy|checker|filter)|safety"
    r"|inappropriate|prohibited|flagged|usage guidelines|\brai\b"
    # MiniMax's own codes for a prompt and for a result, but not as a size or part of an id.
    r"|(?<![\w-])102[67](?![\w-]| ?(?:px|pixels?|x|\xd7|by|characters|bytes|[km]b)\b)"
)


def find(value: Any, depth: int = 0) -> str:
    """Return the message in an answer's JSON; empty if there is none.

    Validation messages are a list, each with its field (AI/ML API:
    ``meta.details[].path`` and ``.message``; others: ``detail[].loc`` and ``.msg``).
    """
    if depth > _DEPTH:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, (find(item, depth + 1) for item in value[:_ENTRIES])))
    if not isinstance(value, dict):
        return ""
    found = next(filter(None, (find(value.get(name), depth + 1) for name in _NAMES)), "")
    if found and (field := _field(value)):
        return f"{field}: {found}"
    meta = value.get("meta")
    details = find(meta.get("details"), depth + 1) if isinstance(meta, dict) else ""
    return " ".join(filter(None, (found, details)))


def _field(value: Mapping[str, Any]) -> str:
    """Return the field of a validation message."""
    path = value.get("path") or value.get("loc")
    if isinstance(path, str):
        return "" if "/" in path else path  # AI/ML API also calls the request's address "path"
    if not isinstance(path, list):
        return ""
    return ".".join(str(each) for each in path[:8] if isinstance(each, (str, int)))


def is_moderation(words: str) -> bool:
    """Return whether a provider's message means refused content."""
    return _MODERATION.search(words.lower()) is not None
