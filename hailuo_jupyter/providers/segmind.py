"""Segmind's wire for ``minimax-hailuo-2``: the asynchronous v2 path, uploads, and their answers.

Sources: the model's page, the pages on asynchronous inference and rate limits of its documentation,
and the official Python client 1.3.0. Not verified, since the documents do not tell: the type of
``output`` for this model, how long the clip's link outlives the job's record, whether polls count
against the rate limit, and the envelope of the request history.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from hailuo_jupyter import redact
from hailuo_jupyter.errors import NOTHING_SENT, ProviderDown, SettingsError
from hailuo_jupyter.frame import Frame
from hailuo_jupyter.providers.base import (
    NOTHING_BOUGHT,
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

_OUTCOMES: Mapping[str, Outcome] = {
    "completed": "completed",
    "failed": "failed",
    "pending": "going on",
    "queued": "going on",
    "processing": "going on",
}

#: Rows of a page of the history: the most there may be.
_PAGE = 100

#: The history shows 31 days at most; a day's margin, since nobody tells in which time zone it counts.
_WINDOW_S, _DAY_S = 29 * 86400.0, 86400.0


class Segmind(Dialect):
    """Segmind's v2: submit, ask for the status, fetch the result; a failure comes under 422."""

    states: ClassVar[Mapping[str, JobState]] = {
        "queued": "queued",
        "processing": "generating",
        "completed": "completed",
        "failed": "failed",
    }

    def key_headers(self, key: str) -> dict[str, str]:
        """Give ``x-api-key``, as the official client does; a Bearer token is refused."""
        return {"x-api-key": key}

    def submit(self, request: Request, frames: Mapping[str, str], client_request_id: str) -> Call:
        """Build ``POST /v2/minimax-hailuo-2``.

        For text-to-video the body holds ``"image_url": null``. The page publishes a sample picture as
        the default of ``image_url``, and a default applies where a key is missing; an explicit null
        is a value. The page's own sample sends null for ``last_frame_image`` in the same sense.
        Not verified: whether the server could still put its sample in place of a null, or refuse the
        null (a refusal of parameters is not billed, says the documentation).
        """
        del client_request_id  # Segmind documents no place for it.
        body: dict[str, Any] = {
            "prompt": request.prompt,
            "mode": request.options["mode"],
            "image_url": frames.get("first"),
            "last_frame_image": frames.get("last"),
            "prompt_optimizer": request.prompt_optimizer,
        }
        return Call("POST", f"{self.addresses['api']}/v2/{request.model}", body)

    def status(self, job_id: str, wire: str) -> Call:
        """Build ``GET /v2/requests/{id}/status``, from the id: the answer's own links are not needed."""
        del wire
        return Call("GET", f"{self._job(job_id)}/status")

    def result(self, job_id: str, wire: str) -> Call:
        """Build ``GET /v2/requests/{id}``: the status of a completed job holds no link."""
        del wire
        return Call("GET", self._job(job_id))

    def _job(self, job_id: str) -> str:
        return f"{self.addresses['api']}/v2/requests/{quote(job_id, safe='')}"

    def job_id(self, reply: Reply) -> str | None:
        """Find ``request_id``."""
        return usable_id(reply.table.get("request_id"))

    def news(self, reply: Reply) -> News:
        """Read status and result; the body counts before the code, since FAILED comes under 422."""
        body = reply.table
        word = body.get("status")
        if not isinstance(word, str) or not (reply.ok or reply.status == 422):
            raise self.down(reply)
        state = self.states.get(word.strip().lower(), "unknown")
        metrics = body.get("metrics")
        return News(
            state,
            link=first_link(body.get("output")) if state == "completed" else None,
            problem=self.failed(reply.words()) if state == "failed" else None,
            inference_s=number(metrics.get("inference_time"))
            if isinstance(metrics, dict)
            else None,
            reply=reply,
        )

    history_title = "request history"

    def history(self, since: float, until: float, page: int) -> Call | None:
        """Build ``GET /request-history`` of the history's own host; None where that is not to be asked.

        The end is left out, which means now: a day in the server's time zone may have begun already.
        """
        if (host := self.addresses.get("history")) is None:
            return None
        first = datetime.fromtimestamp(max(since, until - _WINDOW_S) - _DAY_S, UTC)
        asked = {
            "page": page + 1,
            "per_page": _PAGE,
            "from_date": f"{first:%Y-%m-%d}",
            "model_name": self.provider.model,
            "sort_by": "model_created",
            "sort_order": "desc",
        }
        return Call("GET", f"{host}/request-history?{urlencode(asked)}")

    def read_history(self, reply: Reply) -> HistoryPage:
        """Read a page; a request with several outputs has several rows, each with the whole cost."""
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
        cost = number(each.get("credits_deduction"))  # in USD, says the client
        if outcome not in {"completed", "failed"} or (outcome == "completed" and not cost):
            # Nobody tells when the amount is filled in, so a clip for nothing is not believed.
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
        )

    def balance(self) -> Call:
        """Build ``GET /v1/get-user-credits``."""
        return Call("GET", f"{self.addresses['api']}/v1/get-user-credits")

    def read_balance(self, reply: Reply) -> str:
        """Read ``credits`` and ``free-credits``; the documentation names no unit for them."""
        paid, free = (number(reply.table.get(name)) for name in ("credits", "free-credits"))
        if not reply.ok or paid is None:
            raise self.down(reply)
        return f"{paid:.10g} credits" + (f" and {free:.10g} free credits" if free else "")

    def check_storage(self) -> None:
        """Refuse to send a gateway's key to Segmind's own storage, which is another host than the model's."""
        if "storage" in self.addresses:
            return
        base = self.provider.base_urls
        raise SettingsError(
            f"{base['api'].variable} names another address than Segmind's own, and "
            f"{base['storage'].variable} none for frames: your key would be sent to "
            f"{base['storage'].url}.",
            money=NOTHING_SENT,
            todo=f"Set {base['storage'].variable} too, to the address that is to get frames and key, "
            "or give the picture as a URL.",
        )

    def upload(self, frame: Frame) -> Call:
        """Build ``POST /upload-asset``: the model takes addresses only, so a local frame goes there first."""
        self.check_storage()
        return Call(
            "POST", f"{self.addresses['storage']}/upload-asset", {"data_urls": [frame.data_uri()]}
        )

    def uploaded(self, reply: Reply) -> str:
        """Read the stored frame's address: the client calls it ``file_urls``, the documentation ``urls``."""
        body = reply.table
        if reply.ok and (link := first_link(body.get("file_urls") or body.get("urls"))):
            return link
        raise self.refusal(reply) or ProviderDown(
            f"Segmind did not store the frame ({reply.status}).",
            money=NOTHING_BOUGHT,
            todo="Run the cell again, or give the picture as a URL.",
        )
