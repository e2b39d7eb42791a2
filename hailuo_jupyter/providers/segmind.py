"""Segmind's wire for ``minimax-hailuo-2``: the asynchronous v2 path, uploads, and their answers.

Sources: the model's page, the pages on asynchronous inference and rate limits of its documentation,
and the official Python client 1.3.0. Not verified, since the documents do not tell: the type of
``output`` for this model, how long the clip's link outlives the job's record, whether polls count
against the rate limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hailuo_jupyter import redact
from hailuo_jupyter.errors import ProviderDown
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
from hailuo_jupyter.request import Request


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
            answer=redact.json(body),
        )

    def upload(self, frame: Frame) -> Call:
        """Build ``POST /upload-asset``: the model takes addresses only, so a local frame goes there first."""
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
