"""The adapter of fal: its queue, the result of a finished request, cancellation, and uploads.

Sources: fal's pages on the Inference API (queue, request errors, pricing), its types for JavaScript
(github.com/fal-ai/fal-js, 2026-08-02) and the official Python client 1.0.3. Undocumented, and so not
verified: the unit of ``x-fal-billable-units`` for these models, and what the status of a request is that was
cancelled in the queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

from hailuo_jupyter.errors import HailuoError, ProviderDown
from hailuo_jupyter.keys import Key, KeyHeader
from hailuo_jupyter.providers import clip_link, messages
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
from hailuo_jupyter.request import Request
from hailuo_jupyter.request.frames import Frame

#: Errors of a request that its runner or the queue has given up (fal's page on request errors). The two
#: generic ones, ``internal_error`` and ``internal_server_error``, may be those of the call itself.
_ENDED = frozenset(
    {
        "request_timeout", "startup_timeout", "generation_timeout", "runner_scheduling_failure",
        "runner_connection_timeout", "runner_disconnected", "runner_connection_refused",
        "runner_connection_error", "runner_incomplete_response", "runner_server_error",
        "downstream_service_error", "downstream_service_unavailable", "client_disconnected",
        "bad_request",
    }
)  # fmt: skip

#: What a request that was cancelled ends with, and the status code of that.
_CANCELLED, _CLOSED_BY_CLIENT = "client_cancelled", 499

#: Status codes that refuse the call, whatever else the answer says: a key or a rate says nothing of the job.
_OF_THE_CALL = frozenset({401, 403, 429})

#: Words of a refusal with 403 for an empty account, as users report it.
_NO_CREDITS = ("exhausted", "balance", "locked", "credit", "top up", "billing")


class Fal(Dialect):
    """fal's queue: submit, poll the status, fetch the result, which alone tells whether it succeeded."""

    states: ClassVar[Mapping[str, JobState]] = {
        "in_queue": "queued",
        "in_progress": "generating",
        "completed": "completed",
    }

    id_names = ("request_id",)
    link_apart = True

    def key_header(self, key: Key) -> KeyHeader:
        """Return the header; its word is ``Key``, not ``Bearer``."""
        return KeyHeader("Authorization", key, "Key")

    def submit(self, request: Request, frames: Mapping[str, str], client_request_id: str) -> Call:
        """Build ``POST /{endpoint}``; the resolution and the first frame choose the endpoint.

        A webhook is never named. The duration is a text (fal's types for JavaScript).
        """
        del client_request_id  # fal documents no field for it.
        options = request.options
        tier = "pro" if options.get("resolution") == "1080P" else "standard"
        kind = "image-to-video" if "first" in frames else "text-to-video"
        tiers = () if self.provider.choice("resolution") is None else (tier,)
        body: dict[str, Any] = {
            "prompt": request.prompt,
            "prompt_optimizer": request.prompt_optimizer,
        }
        if tier == "standard" and "duration" in options:
            body["duration"] = str(options["duration"])
        if tier == "standard" and "first" in frames and self._has_512p():
            body["resolution"] = options["resolution"]
        if "first" in frames:
            body["image_url"] = frames["first"]
        if "last" in frames:
            body["end_image_url"] = frames["last"]
        return Call("POST", "/".join((self.addresses["api"], request.model, *tiers, kind)), body)

    def _has_512p(self) -> bool:
        choice = self.provider.choice("resolution")
        return choice is not None and "512P" in choice.values

    def status(self, job_id: str, wire: str) -> Call:
        """Build ``GET …/requests/{id}/status``, from the id as the official client does."""
        del wire
        return Call("GET", f"{self._job(job_id)}/status")

    def result(self, job_id: str, wire: str, status: Any = None) -> Call:
        """Build ``GET …/requests/{id}``: the clip's link, or why there is none."""
        del wire, status
        return Call("GET", self._job(job_id))

    def cancel(self, job_id: str, wire: str) -> Call:
        """Build ``PUT …/requests/{id}/cancel``."""
        del wire
        return Call("PUT", f"{self._job(job_id)}/cancel")

    def read_cancel(self, reply: Reply) -> bool | None:
        """Read the answer: ``OK`` means that the request has left the queue, so it never started.

        Raises
        ------
        CannotCancel
            If it was completed already.
        ProviderError
            If it is not accepted.
        """
        word = str(reply.table.get("status")).strip().upper()
        if word == "ALREADY_COMPLETED":
            raise self.too_late()
        if reply.ok and word == "OK":
            return False
        if reply.ok and (word == "CANCELLATION_REQUESTED" or reply.table.get("success") is True):
            return None  # in the queue or in progress
        raise self.down(reply)

    def _job(self, job_id: str) -> str:
        # Owner and app only, without the rest of the endpoint (fal's page on the Inference API).
        owner, app = self.provider.model.split("/")[:2]
        return f"{self.addresses['api']}/{owner}/{app}/requests/{quote(job_id, safe='')}"

    def job_id(self, reply: Reply) -> str | None:
        """Find ``request_id``."""
        return usable_id(reply.table.get("request_id"))

    def news(self, reply: Reply, job_id: str | None = None) -> News:
        """Read a status or a result. ``COMPLETED`` is also the status of a failed request.

        Raises
        ------
        ProviderError
            As for `Dialect.news`.
        """
        if reply.page or reply.status in _OF_THE_CALL:
            raise self.down(reply)
        kind = _kind(reply)
        if reply.ok and "status" in reply.table:
            return self._status(reply, job_id, kind)
        if reply.status == _CLOSED_BY_CLIENT and kind in {"", _CANCELLED}:
            return News("failed", cancelled=True, sure=kind == _CANCELLED, reply=reply)
        if reply.ok and "video" in reply.table:
            return self._with_units(
                News("completed", link=clip_link.find(reply.table), reply=reply)
            )
        if reply.ok and clip_link.is_video(reply.headers, reply.content):
            return News("completed", in_body=True, reply=reply)
        if reply.status == 400 and "progress" in reply.words().lower():
            return News("generating", reply=reply)  # the result was asked for early
        if reply.status in {422, _CLOSED_BY_CLIENT} or kind in _ENDED:
            # Another one may be that of the call itself, so it counts if it is repeated.
            sure = kind in {"content_policy_violation", "client_disconnected"}
            problem = self._failed(reply, kind)
            return self._with_units(News("failed", sure=sure, problem=problem, reply=reply))
        raise self.down(reply)

    def _status(self, reply: Reply, job_id: str | None, kind: str) -> News:
        news = self.read_state(reply, job_id)
        if news.state == "completed":
            if kind == _CANCELLED:
                return replace(news, state="failed", cancelled=True)
            if reply.table.get("error") or kind:
                return replace(news, state="failed", problem=self._failed(reply, kind))
            metrics = reply.table.get("metrics")
            taken = number(metrics.get("inference_time")) if isinstance(metrics, dict) else None
            return replace(news, inference_s=taken)
        place = reply.table.get("queue_position")
        whole = isinstance(place, int) and not isinstance(place, bool) and place >= 0
        return replace(news, queue_position=place if whole else None)

    def _with_units(self, news: News) -> News:
        """Add the units that are billed, from the header of a result."""
        try:
            units = float((news.reply or Reply(0)).headers.get("x-fal-billable-units", ""))
        except ValueError:
            return news
        return replace(news, billed_units=number(units))

    def _failed(self, reply: Reply, kind: str) -> HailuoError:
        words = reply.words()
        if kind == "content_policy_violation" and not messages.is_moderation(words):
            words = f"{words} ({kind})"
        problem = self.failed(words)
        # fal's pages: a server error is never charged; a request that its input has made fail may be.
        server = reply.status >= 500 or kind.startswith(("runner_", "downstream_", "internal_"))
        title = self.provider.title
        money = (
            f"Not charged, according to {title}'s documentation; there is no clip."
            if server
            else f"It may be charged, according to {title}'s documentation; there is no clip."
        )
        return type(problem)(problem.what, money=money, todo=problem.todo)

    def without_credits(self, status: int, words: str) -> bool:
        """Check for 403: an account with an exhausted balance is locked."""
        lowered = words.lower()
        return status == 402 or (status == 403 and any(word in lowered for word in _NO_CREDITS))

    def upload(self, frame: Frame) -> Call:
        """Build ``POST /storage/upload/initiate``, which returns where the frame's bytes belong."""
        self.check_storage()
        name = f"frame.{frame.format}"
        body = {"content_type": frame.media_type, "file_name": name}
        path = "/storage/upload/initiate?storage_type=fal-cdn-v3"
        return Call("POST", f"{self.addresses['storage']}{path}", body)

    def upload_content(self, reply: Reply, frame: Frame) -> Call | None:
        """Build the ``PUT`` of the frame's bytes to the signed address in the answer."""
        if (link := clip_link.first(reply.table.get("upload_url"))) is None:
            return None
        kind = {"Content-Type": frame.media_type or ""}
        return Call("PUT", link, headers=kind, content=frame.data)

    def uploaded(self, reply: Reply) -> str:
        """Read the frame's address, which is known before its bytes are sent."""
        link = clip_link.first(reply.table.get("file_url"))
        if reply.ok and link and clip_link.first(reply.table.get("upload_url")):
            return link
        raise self.refusal(reply) or ProviderDown(
            f"{self.provider.title} did not store the frame ({reply.status}).",
            money=NOTHING_BOUGHT,
            todo="Rerun the cell, or pass the image as a URL.",
        )


def _kind(reply: Reply) -> str:
    """Return the kind of an error: of the platform, or of the model's first message; empty if none."""
    found: Any = reply.table.get("error_type") or reply.headers.get("x-fal-error-type")
    detail = reply.table.get("detail")
    if not found and isinstance(detail, list) and detail and isinstance(detail[0], dict):
        found = detail[0].get("type")
    return found.strip().lower() if isinstance(found, str) else ""
