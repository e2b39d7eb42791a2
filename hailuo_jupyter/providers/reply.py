"""One HTTP request built by an adapter, and one answer to read: no I/O."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from hailuo_jupyter import redact
from hailuo_jupyter.json_depth import is_deeper
from hailuo_jupyter.providers import firewall, messages

#: Characters of an answer in which its message is searched; what is shown is even shorter.
_WORDS = 4000

#: Maximum bytes and levels of an answer in the record. Known ones have about 2000 and 4.
_KEPT_BYTES, _KEPT_DEPTH = 64 * 1024, 16


@dataclass(frozen=True)
class Call:
    """One HTTP request built by an adapter.

    Parameters
    ----------
    method, url
        Method and full address.
    body
        JSON object, or None for no body.
    in_list
        Whether the JSON object is sent as the only entry of a list.
    content
        The body's bytes, if it is not JSON; `headers` has their type.
    headers
        Further headers; without the key.
    """

    method: Literal["GET", "POST", "PUT"]
    url: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = field(default=None, repr=False)
    in_list: bool = False


@dataclass(frozen=True)
class Reply:
    """One HTTP answer: status code, headers with lower-case names, and the body's bytes."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = field(default=b"", repr=False)

    @cached_property
    def json(self) -> Any:
        """The body as JSON, or None if it is not JSON."""
        try:
            return jsonlib.loads(self.content)
        except (ValueError, RecursionError):
            return None

    @property
    def table(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is anything else."""
        value = self.json
        return value if isinstance(value, dict) else {}

    @property
    def ok(self) -> bool:
        """Whether the status code means success."""
        return 200 <= self.status < 300

    @property
    def page(self) -> bool:
        """Whether it is a page from a firewall or CDN in front of the provider."""
        return firewall.is_page(self.headers, self.content)

    @property
    def retry_after(self) -> str | None:
        """The header that says when to retry."""
        return self.headers.get("retry-after")

    @property
    def kept(self) -> Any:
        """The body for the record: redacted; for an unusual one only its size.

        The record travels in notebooks, and deep nesting must not prevent storing a job's id.
        """
        if len(self.content) > _KEPT_BYTES or is_deeper(self.json, _KEPT_DEPTH):
            return {"left_out": f"an answer of {len(self.content)} bytes"}
        return redact.json(self.table)

    def shown(self) -> str:
        """Return the body for display: redacted, and at most 500 characters."""
        if not self.table:
            return self.words()
        shown = jsonlib.dumps(self.kept, ensure_ascii=False)
        return shown if len(shown) <= 500 else shown[:499] + "…"

    def words(self) -> str:
        """Return the provider's own error message, redacted and at most 500 characters."""
        found = messages.find(self.json)
        if not found and not self.content.lstrip().startswith(b"<"):
            found = self.content[: 4 * _WORDS].decode("utf-8", "replace")
        if len(found) > _WORDS:
            # No partial word at the end: a partial key would not be recognized.
            found = next(iter(found[:_WORDS].rsplit(None, 1)), "")
        found = " ".join(redact.text(found).split())
        return found if len(found) <= 500 else found[:499] + "…"
