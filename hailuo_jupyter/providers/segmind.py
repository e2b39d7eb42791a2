"""The adapter of Segmind: the asynchronous v2 path, uploads, and their answers.

Sources: the model's page, the pages on asynchronous inference and rate limits of its documentation,
and the official Python client 1.3.0. Undocumented, and so not verified: the type of
``output`` for this model, whether polls count
against the rate limit, and the envelope of the request history.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from hailuo_jupyter import redact
from hailuo_jupyter.errors import (
    HailuoError,
    NoCredits,
    ProviderDown,
    Rejected,
)
from hailuo_jupyter.keys import Key, KeyHeader
from hailuo_jupyter.providers import clip_link
from hailuo_jupyter.providers.base import (
    NOTHING_BOUGHT,
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
from hailuo_jupyter.request.frames import Frame

_OUTCOMES: Mapping[str, Outcome] = {
    "completed": "completed",
    "failed": "failed",
    "pending": "active",
    "queued": "active",
    "processing": "active",
}

#: Status codes about the request itself: its key, its rate, its address.
_OF_THE_REQUEST = frozenset({401, 403, 404, 407, 410, 429})

#: Texts of a refusal for money (406); the second is a team's own limit, whatever its balance.
_CREDITS = re.compile(r"credit|balance|insufficient fund|top[ -]?up", re.IGNORECASE)
_SPEND_LIMIT = re.compile(
    r"spend(?:ing)?[ _-]?(?:limit|cap)|(?:limit|cap) (?:of|on|for) spend", re.IGNORECASE
)

#: Rows per page of the history: the maximum.
_PAGE = 100

#: The history shows 31 days at most; a day's margin, since the time zone is undocumented.
_WINDOW_S, _DAY_S = 29 * 86400.0, 86400.0


class Segmind(Dialect):
    """Segmind's v2: submit, poll the status, fetch the result; a failed job answers with 422."""

    states: ClassVar[Mapping[str, JobState]] = {
        "queued": "queued",
        "processing": "generating",
        "completed": "completed",
        "failed": "failed",
    }

    id_names = ("request_id",)

    def key_header(self, key: Key) -> KeyHeader:
        """Return ``x-api-key``, as the official client does; a Bearer token is refused."""
        return KeyHeader("x-api-key", key)

    def submit(self, request: Request, frames: Mapping[str, str], client_request_id: str) -> Call:
        """Build ``POST /v2/{model}``, with the names that the catalogue has for the model's fields.

        For text-to-video the body of ``minimax-hailuo-2`` contains ``"image_url": null``: a constant of the
        catalogue, which a frame replaces. The page publishes a sample picture as the default of
        ``image_url``, and a default applies where a key is missing; an explicit null is a value. The
        page's own sample sends null for ``last_frame_image`` in the same sense.
        Not verified: whether the server could still use its sample in place of null, or reject the
        null (rejected parameters are not billed, according to the documentation).
        """
        del client_request_id  # Segmind documents no field for it.
        model = self.provider
        body: dict[str, Any] = {
            "prompt": request.prompt,
            **model.sent_options(request.options),
            **model.constants,
            **{model.fields[role]: value for role, value in frames.items()},
            model.fields["prompt_optimizer"]: request.prompt_optimizer,
        }
        return Call("POST", f"{self.addresses['api']}/v2/{request.model}", body)

    def status(self, job_id: str, wire: str) -> Call:
        """Build ``GET /v2/requests/{id}/status``, from the id: the answer's own links are not needed."""
        del wire
        return Call("GET", f"{self._job(job_id)}/status")

    def result(self, job_id: str, wire: str, status: Any = None) -> Call:
        """Build ``GET /v2/requests/{id}``: the status of a completed job contains no link."""
        del wire, status
        return Call("GET", self._job(job_id))

    def _job(self, job_id: str) -> str:
        return f"{self.addresses['api']}/v2/requests/{quote(job_id, safe='')}"

    def job_id(self, reply: Reply) -> str | None:
        """Find ``request_id``."""
        return usable_id(reply.table.get("request_id"))

    def news(self, reply: Reply, job_id: str | None = None) -> News:
        """Read status and result."""
        news, metrics = self.read_state(reply, job_id), reply.table.get("metrics")
        if not isinstance(metrics, dict):
            return news
        cost = number(metrics.get("cost")) if news.state == "completed" else None
        return replace(news, inference_s=number(metrics.get("inference_time")), cost_usd=cost)

    def is_about(self, reply: Reply, job_id: str | None) -> bool:
        """Check that the answer names the job: a refusal of a key, rate or address may be a gateway's."""
        body = reply.table
        named = body.get("request_id") == job_id if job_id else False
        return named or reply.status not in _OF_THE_REQUEST or isinstance(body.get("metrics"), dict)

    def ended_without_word(self, reply: Reply) -> bool:
        """Check for 422: in v2 it means that the job ran and failed."""
        return reply.status == 422 and bool(reply.table.get("error"))

    def documented(self, reply: Reply) -> bool:
        """Check for 422: a failed job's status and result have it."""
        return reply.status == 422 and isinstance(reply.table.get("status"), str)

    def accepted(self, reply: Reply) -> Accepted:
        """Read the answer to a submit; 410 means that the model is retired.

        Raises
        ------
        ProviderError
            As for `Dialect.accepted`.
        """
        if reply.status == 410 and not reply.page:
            message = reply.words()
            raise Rejected(
                f"Segmind no longer offers {self.provider.model} (410)"
                + (f": {message}" if message else "."),
                money=NOTHING_BOUGHT,
                todo="Look for a newer version of hailuo-jupyter, or use another provider (--provider).",
            )
        return super().accepted(reply)

    def refusal(self, reply: Reply) -> HailuoError | None:
        """Return a refusal's error; a team's spend limit has status 406, not an empty account."""
        message = reply.words()
        if reply.status == 406 and not reply.page and _SPEND_LIMIT.search(message):
            return NoCredits(
                f"The spend limit of your team at Segmind is reached: {message}",
                money=NOTHING_BOUGHT,
                todo="Ask Segmind to raise the limit, or use another key; more credits do not "
                "help.",
            )
        return super().refusal(reply)

    def without_credits(self, status: int, words: str) -> bool:
        """Check for 402, an empty account; 406 is one only if the text says so.

        406 is also sent for a wrong Content-Type and rejected parameters (Segmind's pages on error
        codes, read 2026-08-27). An empty account was seen as 402 on v2 and as 406 on v1 (2026-08-02).
        """
        return status == 402 or (status == 406 and _CREDITS.search(words) is not None)

    def history_row(self, job_id: str) -> Call | None:
        """Build ``GET /request-history/{id}`` of the history's own host: a request of any age."""
        if (host := self.addresses.get("history")) is None:
            return None
        return Call("GET", f"{host}/request-history/{quote(job_id, safe='')}")

    def read_history_row(self, reply: Reply) -> HistoryRow:
        """Read one request; the client accepts it bare, and with the list's envelope."""
        found = reply.table.get("data", reply.table)
        if not reply.ok or not isinstance(found, dict) or not found.get("request_id"):
            raise self.down(reply)
        return self._row(found)

    link_apart = True
    shows_clips = True
    history_title = "request history"

    def history(self, since: float, until: float, page: int) -> Call | None:
        """Build ``GET /request-history`` of the history's own host; None if that must not be used.

        The end is omitted, which means now: a day in the server's time zone may have begun already.
        """
        if (host := self.addresses.get("history")) is None:
            return None
        first = datetime.fromtimestamp(max(since, until - _WINDOW_S) - _DAY_S, UTC)
        query = {
            "page": page + 1,
            "per_page": _PAGE,
            "from_date": f"{first:%Y-%m-%d}",
            "model_name": self.provider.model,
            "sort_by": "model_created",
            "sort_order": "desc",
        }
        return Call("GET", f"{host}/request-history?{urlencode(query)}")

    def read_history(self, reply: Reply) -> HistoryPage:
        """Read a page; a request with several outputs has several rows, each with the total cost."""
        found = reply.json
        if isinstance(found, dict):
            found = found.get("data", found.get("generations"))
        if not reply.ok or not isinstance(found, list):
            raise self.down(reply)
        rows: dict[str, HistoryRow] = {}
        for place, each in enumerate(found):
            if isinstance(each, dict) and each.get("model_name") in (None, self.provider.model):
                row = self._row(each)
                rows.setdefault(row.job_id or f"row {place}", row)
        return HistoryPage(tuple(rows.values()), len(found) >= _PAGE)

    @staticmethod
    def _row(each: Mapping[str, Any]) -> HistoryRow:
        outcome = _OUTCOMES.get(str(each.get("model_status")).strip().lower(), "unknown")
        cost = number(each.get("credits_deduction"))  # in USD, according to the client
        if outcome not in {"completed", "failed"} or (outcome == "completed" and not cost):
            # When the amount is filled in is undocumented, so an amount of 0 is not trusted.
            cost = None
        body = each.get("request_body")
        if isinstance(body, str):
            try:
                body = json.loads(body)
            except (ValueError, RecursionError):
                body = None
        named = next((name for name in ("model_created", "created_at") if each.get(name)), "")
        words = each.get("error")
        return HistoryRow(
            usable_id(each.get("request_id")),
            at=moment(each.get(named)),
            outcome=outcome,
            cost_usd=cost,
            body=body if isinstance(body, dict) else None,
            words=" ".join(redact.text(words[:2000]).split())[:500]
            if isinstance(words, str)
            else "",
            link=clip_link.first(each.get("generation_url")) if outcome == "completed" else None,
        )

    def balance(self) -> Call:
        """Build ``GET /v1/get-user-credits``."""
        return Call("GET", f"{self.addresses['api']}/v1/get-user-credits")

    def read_balance(self, reply: Reply) -> str:
        """Read ``credits`` and ``free-credits``; the documentation gives no unit for them."""
        paid, free = (number(reply.table.get(name)) for name in ("credits", "free-credits"))
        if not reply.ok or paid is None:
            raise self.down(reply)
        return f"{paid:.10g} credits" + (f" and {free:.10g} free credits" if free else "")

    def upload(self, frame: Frame) -> Call:
        """Build ``POST /upload-asset``: the model accepts only URLs, so a local frame is uploaded first."""
        self.check_storage()
        return Call(
            "POST", f"{self.addresses['storage']}/upload-asset", {"data_urls": [frame.data_uri()]}
        )

    def uploaded(self, reply: Reply) -> str:
        """Read the stored frame's address: the client calls it ``file_urls``, the documentation ``urls``."""
        body = reply.table
        if reply.ok and (link := clip_link.first(body.get("file_urls") or body.get("urls"))):
            return link
        raise self.refusal(reply) or ProviderDown(
            f"Segmind did not store the frame ({reply.status}).",
            money=NOTHING_BOUGHT,
            todo="Rerun the cell, or pass the image as a URL.",
        )
