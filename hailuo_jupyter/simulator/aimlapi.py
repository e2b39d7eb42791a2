"""AI/ML API's wire: submit and poll, in both path families.

Sources: the model page (legacy paths, statuses, signed links), and the request and error schemas
in the provider's published documentation.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any, ClassVar

from hailuo_jupyter.simulator.access import Access, judge
from hailuo_jupyter.simulator.aimlapi_request import CREDITS_PER_DOLLAR, MODEL, read_aimlapi
from hailuo_jupyter.simulator.answers import OUT_OF_CREDITS, Answer, RefusedError
from hailuo_jupyter.simulator.exchange import Exchange
from hailuo_jupyter.simulator.jobs import Job, Phase
from hailuo_jupyter.simulator.media import signed_link
from hailuo_jupyter.simulator.video_request import read_json_object

_WORDS = {
    Phase.QUEUED: "queued",
    Phase.RUNNING: "generating",
    Phase.DONE: "completed",
    Phase.FAILED: "error",
}

#: What an ``X-Client-Request-Id`` must look like; others are dropped without a word.
_CLIENT_ID = re.compile(r"[A-Za-z0-9._:\-]{1,128}\Z")

_BAD_KEY = "Unauthorized: the API key is missing or invalid"


class AimlapiExchange(Exchange):
    """What all AI/ML API requests have in common: the key, the limit and the tracing headers."""

    wire = "aimlapi"

    def key(self) -> str:
        """Return the Bearer token."""
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def client_request_id(self) -> str | None:
        """Return the client's own id for this request, if it is a valid one."""
        sent = self.request.headers.get("X-Client-Request-Id", "")
        return sent if _CLIENT_ID.match(sent) else None

    def set_default_headers(self) -> None:
        """Echo the client's id."""
        super().set_default_headers()
        echoed = self.client_request_id()
        if echoed is not None:
            self.set_header("x-client-request-id", echoed)

    def authorize(self, *, counted: bool = False, limit: str = "aimlapi") -> Access:
        """Check key and rate limit.

        Raises
        ------
        RefusedError
            401 without a good key, 403 for one that may not, 429 for too many requests.
        """
        access = judge(self.key(), self.world.options.keys)
        if access in (Access.MISSING, Access.REFUSED):
            raise RefusedError(401, _BAD_KEY)
        if access is Access.FORBIDDEN:
            raise RefusedError(403, "Forbidden: this key is not allowed to do this")
        if counted:
            wait = self.world.limits[limit].take(self.who(), self.world.now())
            if wait is not None:
                real = max(1, round(wait / self.world.clock.speed))
                headers = {"Retry-After": str(real)} if self.world.options.retry_after else {}
                raise RefusedError(429, "Too many requests: the rate limit is reached", headers)
        return access


class Generation(AimlapiExchange):
    """``POST`` and ``GET`` of one generation path."""

    allowed = ("GET", "POST")
    unified: ClassVar[bool] = False

    def stages(self) -> tuple[str, ...]:
        """Return the stages: a POST submits, a GET is status and result in one."""
        return ("submit",) if self.request.method == "POST" else ("status", "result")

    def find_job(self, *_: str) -> Job | None:
        """Return the job of the query."""
        job_id = self.get_query_argument("generation_id", "", strip=False)
        return self.world.job("aimlapi", job_id, self.who()) if job_id else None

    async def reply(self, *_: str) -> Answer:
        """Submit, or tell where the job stands."""
        return await (self._submit() if self.request.method == "POST" else self._poll())

    async def _submit(self) -> Answer:
        access = self.authorize(counted=True)
        body = read_json_object(self.content())
        request = read_aimlapi(body, self.world.options, unified=self.unified)
        if access is Access.BROKE or self.world.balance(self.who()) < request.price:
            raise RefusedError(403, OUT_OF_CREDITS)
        job = await self.world.accept(
            "aimlapi",
            request,
            body,
            asking=self.asking(),
            key_hash=self.who(),
            client_request_id=self.client_request_id(),
            job_id=self._new_id(),
        )
        self.job = job
        headers = {"x-inference-id": job.id}
        if self.unified:
            return Answer(200, {"id": job.id, "status": "queued"}, headers)
        return Answer(201, {"generation_id": job.id, "status": "queued"}, headers)

    def _new_id(self) -> str:
        digits = str(secrets.randbelow(9 * 10**14) + 10**14)
        # Samples of the unified path show such ids, the legacy page plain digits.
        return f"{digits}:{MODEL}" if self.unified else digits

    async def _poll(self) -> Answer:
        self.authorize(counted=self.world.options.polls_count)
        if not self.get_query_argument("generation_id", ""):
            raise RefusedError(400, "Query validation failed: generation_id: expected string")
        job = self.job
        if job is None or self.world.forgotten(job):
            raise RefusedError(404, "Generation not found")
        phase = job.poll(self.world.now(), min_polls=self.world.options.min_polls)
        body: dict[str, Any] = {"id": job.id, "status": _WORDS[phase]}
        headers = {"x-inference-id": job.id}
        if phase is Phase.DONE:
            # The legacy sample shows only these three keys, the unified schema more.
            body["video"] = {"url": signed_link(self.world, job)}
            credits_used = round(job.cost() * CREDITS_PER_DOLLAR)
            headers["x-aimlapi-credits-used"] = str(credits_used)
            headers["x-aimlapi-usd-spent"] = json.dumps(job.cost())
            if self.unified:
                body |= {"error": None, "meta": {"usage": {"credits_used": credits_used}}}
        elif phase is Phase.FAILED:
            body["error"] = {"name": "GenerationError", "message": job.failure}
            if self.unified:
                body |= {"video": None, "meta": None}
        return Answer(200, body, headers)


class UnifiedGeneration(Generation):
    """``/v2/video/generations``: other field names, and all keys of the schema."""

    unified = True
