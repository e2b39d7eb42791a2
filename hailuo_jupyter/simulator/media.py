"""Files: clips behind plain and signed links, and uploaded pictures. Neither needs a key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import time
from dataclasses import replace
from urllib.parse import quote, urlencode

from hailuo_jupyter.simulator.answers import Answer, RefusedError
from hailuo_jupyter.simulator.clips import render_silence
from hailuo_jupyter.simulator.exchange import Exchange
from hailuo_jupyter.simulator.fault_effects import PAGE
from hailuo_jupyter.simulator.faults import Effect, Fault
from hailuo_jupyter.simulator.jobs import Job, Phase
from hailuo_jupyter.simulator.world import World

_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")
_ACCESS_KEY = "SIMULATEDACCESSKEY"


def signed_link(world: World, job: Job) -> str:
    """Return a link that ends, in the form of the model page's sample (an Alibaba OSS link).

    It is signed once, when the job ends: asking again does not make it live longer.
    """
    end = int((job.ended_at or world.now()) + world.options.link_life)
    day = time.strftime("%Y-%m-%d", time.gmtime(job.submitted))
    name = quote(f"inference_output/video/{day}/{job.media_id}/output.mp4", safe="")
    query = {
        "Expires": str(end),
        "OSSAccessKeyId": _ACCESS_KEY,
        "Signature": _signature(world, job.media_id, str(end)),
    }
    base = world.media_url if world.options.media_elsewhere else world.url
    return f"{base}/whale/{name}?{urlencode(query)}"


def _signature(world: World, media_id: str, end: str) -> str:
    digest = hmac.new(world.secret, f"{media_id}\n{end}".encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


class FileExchange(Exchange):
    """Sends a file whole or in part (RFC 9110, section 14)."""

    allowed = ("GET", "HEAD")

    def file_answer(self, content: bytes, kind: str, *, ranges: bool = True) -> Answer:
        """Return a file, or the part of it that the request's Range asks for.

        Raises
        ------
        RefusedError
            416 for a range outside the file.
        """
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"Content-Type": kind, "ETag": tag}
        if not ranges:
            return Answer(200, content, headers)
        headers["Accept-Ranges"] = "bytes"
        asked = self.request.headers.get("Range")
        condition = self.request.headers.get("If-Range", tag)
        match = _RANGE.match(asked.replace(" ", "")) if asked else None
        # Several ranges at once, or a changed file: the whole file is a correct answer.
        if match is None or match[0] == "bytes=-" or condition != tag:
            return Answer(200, content, headers)
        size = len(content)
        if match[1]:
            start, end = int(match[1]), min(int(match[2] or size), size - 1)
        else:
            start, end = max(0, size - int(match[2])), size - 1
        if start > end:
            raise RefusedError(416, "Range not satisfiable", {"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        return Answer(206, content[start : end + 1], headers)

    async def deliver(self, answer: Answer) -> None:
        """Send a file in pieces; HEAD sends the headers only."""
        if self.request.method != "HEAD":
            await self.stream(answer)
            return
        length = str(len(answer.content()))
        await super().deliver(
            replace(answer, body=b"", headers={**answer.headers, "Content-Length": length})
        )


class Clip(FileExchange):
    """A clip's file."""

    stage = ("media",)

    def find_job(self, *names: str) -> Job | None:
        """Return the job whose clip it is."""
        return self.world.media_job(names[0].removesuffix("/output.mp4").rpartition("/")[2])

    async def reply(self, *_: str) -> Answer:
        """Send the clip, if it exists and the link is good."""
        job = self.job
        polls = self.world.options.min_polls
        if job is None or job.phase(self.world.now(), min_polls=polls) is not Phase.DONE:
            raise RefusedError(404, "Not found")
        self.wire_check(job)
        job.downloads += 1
        return self.file_answer(await self.world.clip(job), "video/mp4", ranges=self._ranges())

    def wire_check(self, job: Job) -> None:
        """Refuse what this provider no longer serves: Segmind's files go with the job."""
        if self.world.forgotten(job):
            raise RefusedError(404, "Not found")

    def refusal(self, refusal: RefusedError) -> Answer:
        """Return errors as object stores do, in XML."""
        code = {403: "AccessDenied", 404: "NoSuchKey", 416: "InvalidRange"}.get(
            refusal.status, "Error"
        )
        inner = f"<Code>{code}</Code><Message>{refusal.message}</Message>"
        text = f"<?xml version='1.0'?><Error>{inner}</Error>"
        return Answer(
            refusal.status, text.encode(), {**refusal.headers, "Content-Type": "application/xml"}
        )

    def _ranges(self) -> bool:
        fault = self.world.faults.take(self.asking(), Effect.MEDIA_RANGE)
        if fault is not None:
            self.applied.append(fault.name)
        return fault is None

    async def deliver(self, answer: Answer) -> None:
        """Send the clip, through the faults that meddle with files."""
        fault = None
        if answer.status in (200, 206):
            fault = self.world.faults.take(self.asking(), Effect.MEDIA)
        if fault is None:
            await super().deliver(answer)
            return
        self.applied.append(fault.name)
        if fault.name == "media-slow":
            await self.stream(answer, float(fault.detail("bytes_per_second")))
        elif fault.name == "media-no-length":
            await self.stream(answer, sized=False)
        elif fault.name == "media-huge":
            await self.pour(answer, None, int(fault.detail("size")))
        elif fault.name == "media-endless":
            await self.pour(answer, None)
        else:
            await super().deliver(await self._meddle(fault, answer))

    async def _meddle(self, fault: Fault, answer: Answer) -> Answer:
        content = answer.content()
        if fault.name == "media-expired":
            return self.refusal(RefusedError(403, "Request has expired."))
        if fault.name == "media-redirect":
            location = f"{self.world.media_url}{self.request.uri}"
            return Answer(int(fault.detail("status")), b"", {"Location": location})
        if fault.name == "media-truncated":
            cut = int(len(content) * float(fault.detail("share")))
            return replace(answer, cut_after=cut, reset=bool(fault.detail("reset")))
        if fault.name == "media-wrong-type":
            return answer.with_body(content, Content_Type=str(fault.detail("type")))
        if fault.name == "media-html":
            return Answer(200, PAGE, {"Content-Type": "text/html; charset=utf-8"})
        if fault.name == "media-no-video-track":
            content = await self.world.offload(render_silence)
        else:
            content = b"" if fault.name == "media-empty" else os.urandom(len(content))
        return Answer(200, content, {"Content-Type": "video/mp4"})


class SignedClip(Clip):
    """A clip behind a signed link."""

    def wire_check(self, job: Job) -> None:
        """Refuse a link that has ended or was changed, as Alibaba OSS does: with 403."""
        end = self.get_query_argument("Expires", "")
        sent = self.get_query_argument("Signature", "", strip=False)
        if not hmac.compare_digest(
            sent.encode(), _signature(self.world, job.media_id, end).encode()
        ):
            raise RefusedError(403, "The request signature does not match.")
        if self.world.now() >= int(end):
            raise RefusedError(403, "Request has expired.")


class Asset(FileExchange):
    """``GET /assets/{name}``: an uploaded file."""

    stage = ("asset",)

    async def reply(self, *names: str) -> Answer:
        """Send the file."""
        found = self.world.assets.get(names[0])
        if found is None:
            raise RefusedError(404, "Not found")
        return self.file_answer(found[1], found[0])
