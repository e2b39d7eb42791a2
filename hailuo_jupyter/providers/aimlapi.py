"""AI/ML API's wire for ``minimax/hailuo-02``: the model page's own path and the newer unified one.

Sources: the model's page and the provider's published documentation. Not verified, since nothing
tells: which id key the live server sends, the shape of a moderation block, how long a link lives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hailuo_jupyter import redact
from hailuo_jupyter.providers.base import (
    Call,
    Dialect,
    JobState,
    News,
    Reply,
    first_link,
    number,
    usable_id,
)
from hailuo_jupyter.request import Request

#: Path, and the names of first frame, last frame and prompt optimizer on it.
_WIRES = {
    "legacy": (
        "/v2/generate/video/minimax/generation",
        ("first_frame_image", "last_image_url", "prompt_optimizer"),
    ),
    "unified": ("/v2/video/generations", ("image_url", "last_image_url", "enhance_prompt")),
}

#: Credits for one US dollar (the provider's billing pages).
CREDITS_PER_USD = 2_000_000


class AimlApi(Dialect):
    """AI/ML API: submit and ask on one path; the answer of a completed job holds the link."""

    states: ClassVar[Mapping[str, JobState]] = {
        "queued": "queued",
        "waiting": "queued",
        "active": "generating",
        "generating": "generating",
        "completed": "completed",
        "error": "failed",
        "failed": "failed",
    }

    def key_headers(self, key: str) -> dict[str, str]:
        """Give the Bearer token."""
        return {"Authorization": f"Bearer {key}"}

    def submit(self, request: Request, frames: Mapping[str, str], client_request_id: str) -> Call:
        """Build the submit of either path; every default is written out, so that the body tells all.

        ``X-Client-Request-Id`` is no idempotency key (the provider says so): it lets a lost submit be
        found in the provider's logs.
        """
        path, (first, last, optimizer) = _WIRES[request.wire]
        body: dict[str, Any] = {
            "model": request.model,
            "prompt": request.prompt,
            optimizer: request.prompt_optimizer,
            **request.options,
        }
        if "first" in frames:
            body[first] = frames["first"]
        if "last" in frames:
            body[last] = frames["last"]
        return Call(
            "POST", self.addresses["api"] + path, body, {"X-Client-Request-Id": client_request_id}
        )

    def status(self, job_id: str, wire: str) -> Call:
        """Build the ask; the id may hold ``:`` and ``/``, so it is quoted whole."""
        path, _ = _WIRES[wire]
        return Call("GET", f"{self.addresses['api']}{path}?generation_id={quote(job_id, safe='')}")

    def job_id(self, reply: Reply) -> str | None:
        """Find ``generation_id`` or ``id``; the documentation shows both, and one as digits."""
        for name in ("generation_id", "id"):
            found = reply.table.get(name)
            if isinstance(found, int) and not isinstance(found, bool):
                return str(found)
            if job_id := usable_id(found):
                return job_id
        return None

    def news(self, reply: Reply) -> News:
        """Read the answer; keys may be missing as well as null, and a failure comes under 200."""
        body = reply.table
        word = body.get("status")
        if not isinstance(word, str) or not reply.ok:
            raise self.down(reply)
        state = self.states.get(word.strip().lower(), "unknown")
        return News(
            state,
            link=first_link(body.get("video")) if state == "completed" else None,
            problem=self.failed(reply.words()) if state == "failed" else None,
            cost_usd=self._cost(reply),
            answer=redact.json(body),
        )

    def without_credits(self, status: int, words: str) -> bool:
        """Tell: 403 means an empty account here, and now and then a key that may not do this."""
        lowered = words.lower()
        speaks_of_money = any(
            w in lowered for w in ("credit", "balance", "billing", "fund", "top up")
        )
        return status in {402, 406} or (status == 403 and (speaks_of_money or not lowered))

    @staticmethod
    def _cost(reply: Reply) -> float | None:
        meta = reply.table.get("meta")
        usage = meta.get("usage") if isinstance(meta, dict) else None
        credits_used = number(usage.get("credits_used")) if isinstance(usage, dict) else None
        return None if credits_used is None else credits_used / CREDITS_PER_USD
