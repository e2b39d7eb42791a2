"""Files: clips and uploaded pictures. Neither needs a key."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from hailuo_jupyter.simulator.handler import Handler, Route
from hailuo_jupyter.simulator.responses import RefusedError, Response
from hailuo_jupyter.simulator.state import Job, Phase

_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")


class FileHandler(Handler):
    """Sends a complete file or a part of it (RFC 9110, section 14)."""

    methods = ("GET", "HEAD")

    def file_response(self, content: bytes, kind: str) -> Response:
        """Return a file, or the part of it that the request's Range asks for.

        Raises
        ------
        RefusedError
            416 for a range outside the file.
        """
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"Content-Type": kind, "ETag": tag, "Accept-Ranges": "bytes"}
        range_header = self.request.headers.get("Range")
        condition = self.request.headers.get("If-Range", tag)
        match = _RANGE.match(range_header.replace(" ", "")) if range_header else None
        # Several ranges at once, or a changed file: the whole file is a correct answer.
        if match is None or match[0] == "bytes=-" or condition != tag:
            return Response(200, content, headers)
        size = len(content)
        if match[1]:
            start, end = int(match[1]), min(int(match[2] or size), size - 1)
        else:
            start, end = max(0, size - int(match[2])), size - 1
        if start > end:
            raise RefusedError(416, "Range not satisfiable", {"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        return Response(206, content[start : end + 1], headers)

    async def deliver(self, response: Response) -> None:
        """Send a file; HEAD sends the headers only."""
        if self.request.method != "HEAD":
            await super().deliver(response)
            return
        length = str(len(response.content()))
        await super().deliver(
            replace(response, body=b"", headers={**response.headers, "Content-Length": length})
        )


class Clip(FileHandler):
    """A clip's file."""

    stage = ("media",)

    def find_job(self, *names: str) -> Job | None:
        """Return the job whose clip it is."""
        return self.state.media_job(names[0].removesuffix("/output.mp4").rpartition("/")[2])

    async def reply(self, *_: str) -> Response:
        """Send the clip, if it exists and the link is valid."""
        job = self.job
        polls = self.state.options.min_polls
        if job is None or job.phase(self.state.now(), min_polls=polls) is not Phase.DONE:
            raise RefusedError(404, "Not found")
        self.check_link(job)
        job.downloads += 1
        return self.file_response(await self.state.clip(job), "video/mp4")

    def check_link(self, job: Job) -> None:
        """Raise `RefusedError` if the provider no longer serves this link."""

    def refusal(self, refusal: RefusedError) -> Response:
        """Return errors like object stores, in XML."""
        code = {403: "AccessDenied", 404: "NoSuchKey", 416: "InvalidRange"}.get(
            refusal.status, "Error"
        )
        inner = f"<Code>{code}</Code><Message>{refusal.message}</Message>"
        text = f"<?xml version='1.0'?><Error>{inner}</Error>"
        return Response(
            refusal.status, text.encode(), {**refusal.headers, "Content-Type": "application/xml"}
        )


class Asset(FileHandler):
    """``GET /assets/{name}``: an uploaded file."""

    stage = ("asset",)

    async def reply(self, *names: str) -> Response:
        """Send the file."""
        found = self.state.assets.get(names[0])
        if found is None:
            raise RefusedError(404, "Not found")
        return self.file_response(found[1], found[0])


ROUTES = (Route(r"/assets/([^/]+)", Asset),)
