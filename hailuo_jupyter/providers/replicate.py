"""The adapter of Replicate: predictions of an official model, their cancellation, and uploads.

Sources: the official Python client 1.0.7, the API's reference and the pages of hailuo-02 (version c43b610e),
hailuo-02-fast (7acaa557) and hailuo-2.3 (23a02633). Undocumented, and so not verified: the body of a 402,
whether ``input`` is part of a listed prediction, what a failed prediction costs, and that hailuo-2.3-fast
takes the fields of hailuo-2.3.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from hailuo_jupyter import redact
from hailuo_jupyter.errors import HailuoError, JobExpired, ProviderDown, Rejected
from hailuo_jupyter.keys import Key, KeyHeader
from hailuo_jupyter.providers import clip_link
from hailuo_jupyter.providers.base import (
    NOTHING_BOUGHT,
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

#: A job that was cancelled; and one whose deadline passed before its work began.
_CANCELLED = frozenset({"canceled", "aborted"})

_OUTCOMES: Mapping[str, Outcome] = {
    "starting": "active",
    "processing": "active",
    "succeeded": "completed",
    "failed": "failed",
    "canceled": "failed",
    "aborted": "failed",
}


class Replicate(Dialect):
    """Replicate: submit, poll and cancel a prediction; its status has the clip's link for an hour."""

    states: ClassVar[Mapping[str, JobState]] = {
        "starting": "queued",
        "processing": "generating",
        "succeeded": "completed",
        "failed": "failed",
        "canceled": "failed",
        "aborted": "failed",
    }

    id_names = ("id",)
    history_title = "list of predictions"
    shows_costs = False

    def key_header(self, key: Key) -> KeyHeader:
        """Return the Bearer token."""
        return KeyHeader("Authorization", key, "Bearer")

    def submit(self, request: Request, frames: Mapping[str, str], client_request_id: str) -> Call:
        """Build ``POST /v1/models/{model}/predictions``; every default is written out.

        The model's own default is 1080p, which it refuses together with 10 s.
        """
        del client_request_id  # Replicate documents no field for it, and refuses unknown ones.
        inputs: dict[str, Any] = {
            "prompt": request.prompt,
            # The model spells them in lower case.
            **{name: _lowered(value) for name, value in request.options.items()},
            "prompt_optimizer": request.prompt_optimizer,
        }
        if "first" in frames:
            inputs["first_frame_image"] = frames["first"]
        if "last" in frames:
            inputs["last_frame_image"] = frames["last"]
        url = f"{self.addresses['api']}/v1/models/{quote(request.model)}/predictions"
        return Call("POST", url, {"input": inputs})

    def status(self, job_id: str, wire: str) -> Call:
        """Build ``GET /v1/predictions/{id}``, from the id: the answer's own links are not needed."""
        del wire
        return Call("GET", self._job(job_id))

    def cancel(self, job_id: str, wire: str) -> Call:
        """Build ``POST /v1/predictions/{id}/cancel``."""
        del wire
        return Call("POST", f"{self._job(job_id)}/cancel")

    def read_cancel(self, reply: Reply) -> bool | None:
        """Read the prediction; it may still be shown as running for a moment.

        Raises
        ------
        CannotCancel
            If it had ended.
        ProviderError
            If the answer is not a prediction.
        """
        state = self.states.get(str(reply.table.get("status")).lower())
        if not reply.ok or state is None:
            raise self.down(reply)
        if state == "completed" or (state == "failed" and not self._cancelled(reply)):
            raise self.too_late()
        return self._started(reply)

    def _job(self, job_id: str) -> str:
        return f"{self.addresses['api']}/v1/predictions/{quote(job_id, safe='')}"

    def job_id(self, reply: Reply) -> str | None:
        """Find ``id``."""
        return usable_id(reply.table.get("id"))

    def news(self, reply: Reply, job_id: str | None = None) -> News:
        """Read a prediction.

        Raises
        ------
        JobExpired
            If its clip was removed, which happens an hour after it is done.
        ProviderError
            As for `Dialect.news`.
        """
        news, metrics = self.read_state(reply, job_id), reply.table.get("metrics")
        if isinstance(metrics, dict):
            news = replace(news, inference_s=number(metrics.get("predict_time")))
        if self._cancelled(reply) and news.state == "failed":
            return replace(news, cancelled=True, started=self._started(reply), problem=None)
        if news.state == "completed" and not news.link and reply.table.get("data_removed") is True:
            raise JobExpired(
                f"{self.provider.title} has removed the clip: it keeps one for an hour.",
                money="It was paid for.",
                todo="Use --new to buy another clip.",
            )
        return news

    @staticmethod
    def _cancelled(reply: Reply) -> bool:
        return str(reply.table.get("status")).strip().lower() in _CANCELLED

    @staticmethod
    def _started(reply: Reply) -> bool | None:
        """Return whether a job counts as started: that of a cancelled one is charged, an aborted one not."""
        word = str(reply.table.get("status")).strip().lower()
        return word == "canceled" if word in _CANCELLED else None

    def is_about(self, reply: Reply, job_id: str | None) -> bool:
        """Check that the answer names the job: gateways send their own status."""
        return job_id is not None and self.job_id(reply) == job_id

    def refusal(self, reply: Reply) -> HailuoError | None:
        """Return a refusal's error; 422 may mean that the account has no payment method.

        That was the cause of one reported "not permitted"
        (https://github.com/replicate/getting-started-nextjs/issues/125).
        """
        message = reply.words()
        if reply.status == 422 and "not permitted" in message.lower():
            return Rejected(
                f"{self.provider.title} refused the request (422): {message}",
                money=NOTHING_BOUGHT,
                todo="Check that your account has a payment method: without one it may not run this "
                "model.",
            )
        return super().refusal(reply)

    def history(self, since: float, until: float, page: int) -> Call | None:
        """Build ``GET /v1/predictions``, the newest first; each later page has its own cursor."""
        del since, until
        return Call("GET", f"{self.addresses['api']}/v1/predictions") if page == 0 else None

    def read_history(self, reply: Reply) -> HistoryPage:
        """Read a page of predictions; their inputs and links are removed after an hour."""
        found = reply.table.get("results")
        if not reply.ok or not isinstance(found, list):
            raise self.down(reply)
        rows = tuple(self._row(each) for each in found if isinstance(each, dict))
        cursor = _cursor(reply.table.get("next"))
        url = f"{self.addresses['api']}/v1/predictions?{urlencode({'cursor': cursor})}"
        return HistoryPage(rows, bool(cursor), Call("GET", url) if cursor else None)

    def _row(self, each: Mapping[str, Any]) -> HistoryRow:
        outcome = _OUTCOMES.get(str(each.get("status")).strip().lower(), "unknown")
        inputs, words = each.get("input"), each.get("error")
        shown = isinstance(inputs, dict) and each.get("data_removed") is not True
        if each.get("model") not in (None, self.provider.model):
            shown, inputs = True, {}  # another model's: surely not ours
        return HistoryRow(
            usable_id(each.get("id")),
            at=moment(each.get("created_at")),
            outcome=outcome,
            body={"input": inputs} if shown else None,
            words=" ".join(redact.text(words[:2000]).split())[:500]
            if isinstance(words, str)
            else "",
            link=clip_link.first(each.get("output")) if outcome == "completed" else None,
        )

    def upload(self, frame: Frame) -> Call:
        """Build ``POST /v1/files``, a form: the documentation advises data URIs only up to 256 kB."""
        kind, suffix = ("png", "png") if frame.format == "png" else ("jpeg", "jpg")
        boundary = secrets.token_hex(16)
        head = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="content"; filename="frame.{suffix}"\r\n'
            f"Content-Type: image/{kind}\r\n\r\n"
        )
        return Call(
            "POST",
            f"{self.addresses['api']}/v1/files",
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
            content=head.encode() + (frame.data or b"") + f"\r\n--{boundary}--\r\n".encode(),
        )

    def uploaded(self, reply: Reply) -> str:
        """Read the stored frame's address, ``urls.get``."""
        urls = reply.table.get("urls")
        link = clip_link.first(urls.get("get")) if isinstance(urls, dict) else None
        if reply.ok and link:
            return link
        raise self.refusal(reply) or ProviderDown(
            f"{self.provider.title} did not store the frame ({reply.status}).",
            money=NOTHING_BOUGHT,
            todo="Rerun the cell, or pass the image as a URL.",
        )


def _lowered(value: str | int) -> str | int:
    return value.lower() if isinstance(value, str) else value


def _cursor(following: Any) -> str:
    """Return the cursor of the next page's address; the key is sent to no address in an answer."""
    try:
        query = urlsplit(following).query if isinstance(following, str) else ""
    except ValueError:
        return ""
    return next(iter(parse_qs(query).get("cursor", ())), "")
