"""AI/ML API's wire for ``minimax/hailuo-02``: the model page's own path and the newer unified one.

Sources: the model's page and the provider's published documentation. Not verified, since nothing
tells: which id key the live server sends, the shape of a moderation block, how long a link lives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

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
from hailuo_jupyter.providers.history import HistoryPage, HistoryRow, Outcome, moment
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

#: The logs show requests that have ended, and nothing else.
_OUTCOMES: Mapping[str, Outcome] = {"succeeded": "completed", "failed": "failed"}

#: Rows of a page of the logs, how far back they go, and a margin for clocks that differ; in s.
_PAGE, _WINDOW_S, _MARGIN_S = 100, 91 * 86400.0, 600.0


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
            cost_usd=self._cost(reply) if state in {"completed", "failed"} else None,
            reply=reply,
        )

    def without_credits(self, status: int, words: str) -> bool:
        """Tell: 403 means an empty account here, and now and then a key that may not do this."""
        lowered = words.lower()
        speaks_of_money = any(
            w in lowered for w in ("credit", "balance", "billing", "fund", "top up")
        )
        return status in {402, 406} or (status == 403 and (speaks_of_money or not lowered))

    history_title = "log"
    logs_our_id = True

    def history(self, since: float, until: float, page: int) -> Call:
        """Build ``GET /v2/logs``, which names each request by our ``X-Client-Request-Id``."""
        asked = {
            "start": _iso(max(since, until - _WINDOW_S) - _MARGIN_S),
            "end": _iso(until + _MARGIN_S),
            "limit": _PAGE,
            "offset": page * _PAGE,
        }
        return Call("GET", f"{self.addresses['api']}/v2/logs?{urlencode(asked)}")

    def read_history(self, reply: Reply) -> HistoryPage:
        """Read a page of the logs; ids and cost may be null."""
        found, pagination = reply.table.get("data"), reply.table.get("pagination")
        if not reply.ok or not isinstance(found, list):
            raise self.down(reply)
        rows = tuple(self._row(each) for each in found if isinstance(each, dict))
        more = pagination.get("has_more") if isinstance(pagination, dict) else None
        return HistoryPage(rows, more is True or (more is None and len(found) >= _PAGE))

    @staticmethod
    def _row(each: Mapping[str, Any]) -> HistoryRow:
        outcome = _OUTCOMES.get(str(each.get("status")).strip().lower(), "unknown")
        told = each.get("cost")
        cost = None
        if isinstance(told, dict) and outcome in {"completed", "failed"}:
            cost = number(told.get("usd"))
            if cost is None and (used := number(told.get("credits"))) is not None:
                cost = used / CREDITS_PER_USD
        return HistoryRow(
            usable_id(each.get("inference_id")),
            usable_id(each.get("client_request_id")),
            at=moment(each.get("created")),
            outcome=outcome,
            # Nobody tells when the amount is filled in, so a clip for nothing is not believed.
            cost_usd=None if outcome == "completed" and not cost else cost,
        )

    def balance(self) -> Call:
        """Build ``GET /v2/billing``."""
        return Call("GET", f"{self.addresses['api']}/v2/billing")

    def read_balance(self, reply: Reply) -> str:
        """Read ``current_balance``, which is in USD."""
        left = number(reply.table.get("current_balance"))
        if not reply.ok or left is None or reply.table.get("currency", "USD") != "USD":
            raise self.down(reply)
        return f"{left:.2f} USD"

    @classmethod
    def _cost(cls, reply: Reply) -> float | None:
        """Read what an ended job cost, from the body or else from the headers.

        The headers are documented for every JSON answer, without a word on whether those of a poll
        tell of the poll or of the job. A poll is free, so only an amount above nothing is taken.
        """
        meta = reply.table.get("meta")
        usage = meta.get("usage") if isinstance(meta, dict) else None
        credits_used = number(usage.get("credits_used")) if isinstance(usage, dict) else None
        if credits_used is not None:
            return credits_used / CREDITS_PER_USD
        if spent := cls._header(reply, "x-aimlapi-usd-spent"):
            return spent
        if used := cls._header(reply, "x-aimlapi-credits-used"):
            return used / CREDITS_PER_USD
        return None

    @staticmethod
    def _header(reply: Reply, name: str) -> float | None:
        try:
            return number(json.loads(reply.headers.get(name, "")))
        except (ValueError, RecursionError):
            return None


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
