"""The adapter of AI/ML API: the path of the page of ``minimax/hailuo-02``, and the newer unified one.

Sources: the model's page and the provider's published documentation. Undocumented, and so not verified: which
id key the live server sends, the shape of a moderation block, how long a link is valid.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from hailuo_jupyter.formatting import dollars
from hailuo_jupyter.keys import Key, KeyHeader
from hailuo_jupyter.providers.base import (
    Accepted,
    Call,
    Dialect,
    JobState,
    News,
    Reply,
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

#: The logs show only requests that have ended.
_OUTCOMES: Mapping[str, Outcome] = {"succeeded": "completed", "failed": "failed"}

#: Rows of a page of the logs, how far back they go, and a margin for clocks that differ; in s.
_PAGE, _WINDOW_S, _MARGIN_S = 100, 91 * 86400.0, 600.0


class AimlApi(Dialect):
    """AI/ML API: submit and poll on one path; the answer of a completed job contains the link."""

    states: ClassVar[Mapping[str, JobState]] = {
        "queued": "queued",
        "waiting": "queued",
        "active": "generating",
        "generating": "generating",
        "completed": "completed",
        "error": "failed",
        "failed": "failed",
    }

    id_names = ("generation_id", "id")
    id_header = "x-inference-id"

    def key_header(self, key: Key) -> KeyHeader:
        """Return the Bearer token."""
        return KeyHeader("Authorization", key, "Bearer")

    def submit(self, request: Request, frames: Mapping[str, str], client_request_id: str) -> Call:
        """Build the submit of either path; every default is written out, so that the body is complete.

        ``X-Client-Request-Id`` is not an idempotency key (as documented): it allows a lost submit to be
        found in the provider's logs.
        """
        path, (first, last, optimizer) = _WIRES[request.wire]
        body: dict[str, Any] = {
            "model": request.model,
            "prompt": request.prompt,
            **({optimizer: request.prompt_optimizer} if self.provider.has_optimizer else {}),
            **self.provider.sent_options(request.options),
            **self.provider.constants,
        }
        if "first" in frames:
            body[first] = frames["first"]
        if "last" in frames:
            body[last] = frames["last"]
        return Call(
            "POST", self.addresses["api"] + path, body, {"X-Client-Request-Id": client_request_id}
        )

    def status(self, job_id: str, wire: str) -> Call:
        """Build the poll; the id may contain ``:`` and ``/``, so it is quoted completely."""
        path, _ = _WIRES[wire]
        return Call("GET", f"{self.addresses['api']}{path}?generation_id={quote(job_id, safe='')}")

    def job_id(self, reply: Reply) -> str | None:
        """Find ``generation_id`` or ``id``; the documentation shows both, and one as a number."""
        for name in self.id_names:
            found = reply.table.get(name)
            if isinstance(found, int) and not isinstance(found, bool):
                return str(found)
            if job_id := usable_id(found):
                return job_id
        return None

    def accepted(self, reply: Reply) -> Accepted:
        """Read the answer to a submit, with the amount held for the job, which is released if it fails.

        Raises
        ------
        ProviderError
            As for `Dialect.accepted`.
        """
        return replace(super().accepted(reply), cost_usd=self._cost(reply))

    def news(self, reply: Reply, job_id: str | None = None) -> News:
        """Read the answer; keys may be missing or null, and a failure has status 200."""
        news = self.read_state(reply, job_id)
        ended = news.state in {"completed", "failed"}
        return replace(news, cost_usd=self._cost(reply)) if ended else news

    def is_about(self, reply: Reply, job_id: str | None) -> bool:
        """Check that the answer names the job: some gateways answer ``{"status": "error"}``."""
        state = self.states.get(str(reply.table.get("status")).strip().lower())
        return state == "completed" or (job_id is not None and self.job_id(reply) == job_id)

    def without_credits(self, status: int, words: str) -> bool:
        """Check for 403: it means an empty account here, and sometimes a key without permission."""
        lowered = words.lower()
        speaks_of_money = any(
            w in lowered for w in ("credit", "balance", "billing", "fund", "top up")
        )
        return status in {402, 406} or (status == 403 and (speaks_of_money or not lowered))

    history_title = "log"
    logs_our_id = True

    def history(self, since: float, until: float, page: int) -> Call:
        """Build ``GET /v2/logs``, which names each request by our ``X-Client-Request-Id``."""
        query = {
            # Other requests of a busy key would displace ours from the pages.
            "model": self.provider.model,
            "start": _iso(max(since, until - _WINDOW_S) - _MARGIN_S),
            "end": _iso(until + _MARGIN_S),
            "limit": _PAGE,
            "offset": page * _PAGE,
        }
        return Call("GET", f"{self.addresses['api']}/v2/logs?{urlencode(query)}")

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
        reported = each.get("cost")
        cost = None
        if isinstance(reported, dict) and outcome in {"completed", "failed"}:
            cost = number(reported.get("usd"))
            if cost is None and (used := number(reported.get("credits"))) is not None:
                cost = used / CREDITS_PER_USD
        return HistoryRow(
            usable_id(each.get("inference_id")),
            usable_id(each.get("client_request_id")),
            at=moment(each.get("created")),
            outcome=outcome,
            # When the amount is filled in is undocumented, so an amount of 0 is not trusted.
            cost_usd=None if outcome == "completed" and not cost else cost,
        )

    def price_list(self) -> Call:
        """Build ``GET /v1/models`` for this model with its prices."""
        query = urlencode({"id": self.provider.model, "include": "pricing"})
        return Call("GET", f"{self.addresses['api']}/v1/models?{query}")

    def balance(self) -> Call:
        """Build ``GET /v2/billing``."""
        return Call("GET", f"{self.addresses['api']}/v2/billing")

    def read_balance(self, reply: Reply) -> str:
        """Read ``current_balance``, which is in USD."""
        left = number(reply.table.get("current_balance"))
        if not reply.ok or left is None or reply.table.get("currency", "USD") != "USD":
            raise self.down(reply)
        return dollars(left)

    @classmethod
    def _cost(cls, reply: Reply) -> float | None:
        """Read a job's cost, from the body of an answer or else from the headers.

        The headers are documented for every JSON answer, but not whether those of a poll
        refer to the poll or the job. A poll is free, so only an amount above 0 is used.
        """
        meta = reply.table.get("meta")
        usage = meta.get("usage") if isinstance(meta, dict) else None
        if isinstance(usage, dict):
            if (spent := number(usage.get("usd_spent"))) is not None:
                return spent
            if (used := number(usage.get("credits_used"))) is not None:
                return used / CREDITS_PER_USD
        if spent := cls._header(reply, "x-aimlapi-usd-spent"):
            return spent
        used = cls._header(reply, "x-aimlapi-credits-used")
        return used / CREDITS_PER_USD if used else None

    @staticmethod
    def _header(reply: Reply, name: str) -> float | None:
        try:
            return number(json.loads(reply.headers.get(name, "")))
        except (ValueError, RecursionError):
            return None


def _iso(timestamp: float) -> str:
    return (
        datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    )
