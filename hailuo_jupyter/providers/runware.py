"""The adapter of Runware: every call is a list of one task, and our own UUID is the job's id.

Sources: the official Python client runware-sdk 1.8.0, and the pages on errors, task polling, task details and
the model. Undocumented, and so not verified: for how long a UUID is remembered, and whether a job that
`getResponse` does not show is unknown or still waiting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from hailuo_jupyter import redact
from hailuo_jupyter.errors import AnswerLost, HailuoError, JobExpired, ProviderError
from hailuo_jupyter.keys import Key, KeyHeader
from hailuo_jupyter.providers import clip_link
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
from hailuo_jupyter.providers.history import HistoryRow, Outcome
from hailuo_jupyter.request import Request

#: The error for a UUID that was used before: it proves that the job was accepted.
_CONFLICT = "conflictTaskUUID"

#: What a task that cannot be found is called, by `getResponse` and `getTaskDetails`.
_NOT_FOUND = frozenset({"taskFailedOrNotFound", "taskNotFound"})

#: Pixels by resolution: the model has no other way to choose one.
_PIXELS = {"768P": (1366, 768), "1080P": (1920, 1080)}

_CREDITS = re.compile(r"credit|balance|insufficient fund|top[ -]?up", re.IGNORECASE)


class Runware(Dialect):
    """Runware: submit, poll and look up by our own UUID, all on one path."""

    states: ClassVar[Mapping[str, JobState]] = {
        "pending": "queued",
        "processing": "generating",
        "success": "completed",
        "error": "failed",
    }

    shows_clips = True
    history_title = "task details"

    def key_header(self, key: Key) -> KeyHeader:
        """Return the Bearer token."""
        return KeyHeader("Authorization", key, "Bearer")

    def _task(self, type_: str, job_id: str, **more: Any) -> Call:
        task = {"taskType": type_, "taskUUID": job_id, **more}
        return Call("POST", self.addresses["api"], task, in_list=True)

    def submit(self, request: Request, frames: Mapping[str, str], client_request_id: str) -> Call:
        """Build a ``videoInference`` task; a frame is a URL or a data URI.

        The client's schema of this model has no field for the prompt optimizer; the page on MiniMax has it
        among the provider's settings.
        """
        width, height = _PIXELS[str(request.options["resolution"])]
        images = [
            {"image": frames[role], "frame": role} for role in ("first", "last") if role in frames
        ]
        return self._task(
            "videoInference",
            client_request_id,
            model=request.model,
            positivePrompt=request.prompt,
            width=width,
            height=height,
            duration=request.options["duration"],
            deliveryMethod="async",
            outputType="URL",
            outputFormat="MP4",
            numberResults=1,
            includeCost=True,
            providerSettings={"minimax": {"promptOptimizer": request.prompt_optimizer}},
            **({"inputs": {"frameImages": images}} if images else {}),
        )

    def status(self, job_id: str, wire: str) -> Call:
        """Build a ``getResponse`` task."""
        del wire
        return self._task("getResponse", job_id)

    def history_row(self, job_id: str) -> Call:
        """Build a ``getTaskDetails`` task: request and response of a task of any age."""
        return self._task("getTaskDetails", job_id)

    def job_id(self, reply: Reply) -> str | None:
        """Find ``taskUUID`` of the only task; an error repeats it whatever became of the job."""
        ids = (usable_id(each.get("taskUUID")) for each in self._entries(reply, "data"))
        return next(filter(None, ids), None)

    @staticmethod
    def _entries(reply: Reply, *names: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for name in names or ("data", "errors"):
            value = reply.table.get(name)
            if isinstance(value, dict):
                value = [value]
            found += (
                [each for each in value if isinstance(each, dict)]
                if isinstance(value, list)
                else []
            )
        return found

    def accepted(self, reply: Reply) -> Accepted:
        """Read the acknowledgement; a UUID that was used before means that the job was accepted earlier.

        Raises
        ------
        ProviderError
            As for `Dialect.accepted`.
        """
        for each in self._entries(reply, "errors"):
            if each.get("code") == _CONFLICT and (job_id := usable_id(each.get("taskUUID"))):
                return Accepted(job_id, reply.kept)
        errors = self._entries(reply, "errors")
        if reply.ok and not errors and (job_id := self.job_id(reply)):
            return Accepted(job_id, reply.kept)
        if reply.ok and errors:
            # An error under 200: what it means for the job is not said.
            raise AnswerLost(
                f"{self.provider.title} answered with an error under 200: {reply.words()}",
                money="You may have been charged.",
                todo="Check the provider's list of tasks before you send it again with --new.",
            )
        if error := self.refusal(reply):
            raise error
        raise AnswerLost(
            f"{self.provider.title} answered {reply.status} without naming a job.",
            money="You may have been charged.",
            todo="Check the provider's list of tasks before you send it again with --new.",
        )

    def without_credits(self, status: int, words: str) -> bool:
        """Check for 402; 403 only if its text speaks of money."""
        return status == 402 or _CREDITS.search(words) is not None

    def news(self, reply: Reply, job_id: str | None = None) -> News:
        """Read the job's own entry; without one the job waits, or is not known.

        Raises
        ------
        JobExpired
            If the job is not known.
        ProviderError
            As for `Dialect.news`.
        """
        entries = [
            each
            for each in self._entries(reply)
            if job_id is None or each.get("taskUUID") in (None, job_id)
        ]
        if any(each.get("code") in _NOT_FOUND for each in entries):
            raise self._unknown()
        if not reply.ok:
            raise self.down(reply)
        if not entries:
            # An unknown job and a waiting one are answered alike: it counts for an accepted job only.
            if job_id is not None and isinstance(reply.table.get("data"), list):
                return News("queued", reply=reply)
            raise self.down(reply)
        entry = entries[-1]
        inner = entry.get("error")
        error = inner if isinstance(inner, dict) else entry
        ended = entry.get("status") == "error"
        failed = ended or "code" in entry
        if failed and entry.get("taskUUID") is None:
            raise self.down(reply)  # the call's own error
        word = "error" if failed else entry.get("status")
        link = clip_link.first(entry.get("videoURL"))
        state: JobState = "completed" if link else self.states.get(str(word).lower(), "unknown")
        words = str(error.get("message") or error.get("code") or "") if failed else ""
        return News(
            state,
            word=str(word),
            link=link,
            # The call has the job's UUID, too: an error without the job's state may be the call's own.
            sure=ended or not failed,
            problem=self.failed(" ".join(redact.text(words).split())[:500]) if failed else None,
            cost_usd=number(entry.get("cost")) if state == "completed" else None,
            reply=reply,
        )

    def _unknown(self) -> HailuoError:
        return JobExpired(
            f"{self.provider.title} no longer knows this job.",
            money="It was paid for.",
            todo="Check the provider's list of tasks; use --new to buy another clip.",
        )

    def read_history_row(self, reply: Reply) -> HistoryRow:
        """Read request and response of a task."""
        entries = self._entries(reply)
        if any(each.get("code") in _NOT_FOUND for each in entries):
            raise self._unknown()
        entry = next((each for each in entries if "request" in each or "response" in each), None)
        if not reply.ok or entry is None:
            raise self.down(reply)
        job_id, answer = usable_id(entry.get("taskUUID")), json.dumps(entry.get("response"))
        try:
            news = self.news(Reply(200, {}, answer.encode()), self.job_id(reply))
        except ProviderError:  # the response of some other call under the same UUID
            return HistoryRow(job_id)
        outcomes: Mapping[str, Outcome] = {"completed": "completed", "failed": "failed"}
        return HistoryRow(
            job_id,
            outcome=outcomes.get(news.state, "active") if news.sure else "unknown",
            cost_usd=news.cost_usd,
            words=news.problem.what if news.problem else "",
            link=news.link,
        )
