"""The adapter of MiniMax itself: version 1 of its API, in which a clip is a file with its own id.

Sources: MiniMax's pages on video generation and on files (https://platform.minimax.io/docs, read until
2026-10-08) and the official client minimax-mcp 0.0.19. Errors come under HTTP 200, as a code in
``base_resp``, which was measured by others (https://github.com/LnYo-Cly/ai4j/pull/272). Undocumented, and so
not verified: the code for an unknown task, for how long a task is kept, and whether its file's id gives a new
link when the first one has expired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlencode

from hailuo_jupyter.errors import HailuoError, KeyRefused, NoCredits
from hailuo_jupyter.keys import Key, KeyHeader
from hailuo_jupyter.providers import clip_link
from hailuo_jupyter.providers.base import Call, Dialect, JobState, News, Reply, usable_id
from hailuo_jupyter.request import Request

#: The status codes of HTTP that MiniMax's own codes mean. One that is missing here says nothing about
#: the request or the job: an internal error, a time-out, or an unknown code.
_HTTP_STATUS: Mapping[int, int] = {
    1002: 429,  # requests per minute
    1004: 401,  # authentication
    1008: 402,  # balance
    1026: 422,  # the prompt or a frame is judged sensitive
    1027: 422,  # the clip is judged sensitive
    1028: 402,  # the plan's quota is used up
    1030: 402,
    1039: 429,  # tokens per minute
    1041: 429,  # connections
    1042: 400,  # characters in the prompt
    2013: 400,  # parameters
    2038: 403,  # the account has to be verified
    2045: 429,  # growth of requests
    2049: 401,  # key
    2056: 402,  # the plan's window is used up
    2061: 403,  # the model is not part of the plan
}

#: The codes of a job whose content was refused.
_BLOCKED = frozenset({1026, 1027})


class MiniMax(Dialect):
    """MiniMax: submit, poll for the file's id, and ask for the file's link."""

    states: ClassVar[Mapping[str, JobState]] = {
        "preparing": "queued",
        "queueing": "queued",
        "processing": "generating",
        "success": "completed",
        "fail": "failed",
        "failed": "failed",
    }

    id_names = ("task_id",)
    link_apart = True

    def key_header(self, key: Key) -> KeyHeader:
        """Return the Bearer token."""
        return KeyHeader("Authorization", key, "Bearer")

    def submit(self, request: Request, frames: Mapping[str, str], client_request_id: str) -> Call:
        """Build ``POST /v1/video_generation``; a frame is a URL or a data URI.

        A callback is never named.
        """
        del client_request_id  # MiniMax documents no field for it.
        body: dict[str, Any] = {
            "model": request.model,
            "prompt": request.prompt,
            **self.provider.sent_options(request.options),
            "prompt_optimizer": request.prompt_optimizer,
        }
        if "first" in frames:
            body["first_frame_image"] = frames["first"]
        if "last" in frames:
            body["last_frame_image"] = frames["last"]
        return Call("POST", f"{self.addresses['api']}/v1/video_generation", body)

    def status(self, job_id: str, wire: str) -> Call:
        """Build ``GET /v1/query/video_generation``."""
        del wire
        return self._get("/v1/query/video_generation", task_id=job_id)

    def result(self, job_id: str, wire: str, status: Any = None) -> Call | None:
        """Build ``GET /v1/files/retrieve``; None without the file's id, which the last status has."""
        del job_id, wire
        file_id = _id(status.get("file_id")) if isinstance(status, dict) else None
        return None if file_id is None else self._get("/v1/files/retrieve", file_id=file_id)

    def _get(self, path: str, **query: str) -> Call:
        return Call("GET", f"{self.addresses['api']}{path}?{urlencode(query)}")

    def translated(self, reply: Reply) -> Reply:
        """Return an answer with the status code that the code in its body means.

        The end of a job is not an error of the call; its code is read with it.
        """
        status = _HTTP_STATUS.get(_code(reply))
        return reply if status is None or _word(reply) else replace(reply, status=status)

    def job_id(self, reply: Reply) -> str | None:
        """Find ``task_id``."""
        return usable_id(reply.table.get("task_id"))

    def news(self, reply: Reply, job_id: str | None = None) -> News:
        """Read a status, or a file's link.

        Raises
        ------
        ProviderError
            As for `Dialect.news`.
        """
        file = reply.table.get("file")
        if reply.ok and isinstance(file, dict):
            links = (clip_link.first(file.get(f"{kind}download_url")) for kind in ("", "backup_"))
            return News("completed", link=next(filter(None, links), None), reply=reply)
        code = _code(reply)
        if code and not _word(reply):
            if code in _BLOCKED:
                # Documented for this call, but not whether with the word for a failed job.
                return News("failed", sure=False, problem=self._failed(reply), reply=reply)
            raise self.down(reply)
        news = self.read_state(reply, job_id)
        if news.state != "failed":
            return news
        # Errors of the call come under 200, too, so a failure that names no job has to be repeated.
        named = self.job_id(reply)
        sure = news.sure and named is not None and job_id in {None, named}
        return replace(news, sure=sure, problem=self._failed(reply))

    def is_about(self, reply: Reply, job_id: str | None) -> bool:
        """Check that the answer names the job: gateways send their own status."""
        return job_id is not None and self.job_id(reply) == job_id

    def _failed(self, reply: Reply) -> HailuoError:
        code = _code(reply)
        return self.failed(f"{reply.words()} ({code})" if code else "")

    def refusal(self, reply: Reply) -> HailuoError | None:
        """Return a refusal's error, with what is MiniMax's own: two hosts, and two kinds of keys."""
        error = super().refusal(reply)
        if isinstance(error, KeyRefused) and reply.status == 401:
            return KeyRefused(
                error.what,
                money=error.money,
                todo="Check the key, and where it is from: a key from platform.minimax.io is for "
                "https://api.minimax.io, one from platform.minimaxi.com (China) for "
                "https://api.minimaxi.com. MINIMAX_API_HOST sets the address; it is "
                f"{self.addresses['api']} now.",
            )
        if isinstance(error, NoCredits):
            return NoCredits(
                error.what,
                money=error.money,
                todo="Top up, or use the other kind of key: 'sk-api-…' spends the balance, 'sk-cp-…' "
                "the credits of a subscription. Neither can spend the other's.",
            )
        return error


def _code(reply: Reply) -> int:
    """Return MiniMax's own code in an answer; 0 if it is a success or there is none."""
    found = reply.table.get("base_resp")
    code = found.get("status_code") if isinstance(found, dict) else None
    return code if isinstance(code, int) else 0


def _word(reply: Reply) -> str:
    """Return the state in an answer; empty if there is none."""
    found = reply.table.get("status")
    return found.strip() if isinstance(found, str) else ""


def _id(value: Any) -> str | None:
    """Return an id as text: a file's is text in a status and an integer of 64 bits elsewhere."""
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return str(value) if whole else usable_id(value)
