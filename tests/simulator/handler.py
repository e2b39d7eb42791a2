"""What the tests' simulator does to every request: faults, rate limits, and a list of what came."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any, cast

from tornado.http1connection import HTTP1Connection
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import stream_request_body

from hailuo_jupyter.simulator import aimlapi
from hailuo_jupyter.simulator.handler import Handler
from hailuo_jupyter.simulator.media import Clip
from hailuo_jupyter.simulator.responses import RefusedError, Response
from hailuo_jupyter.simulator.state import Job, VideoRequest, iso_time
from tests.simulator.fault_effects import (
    MESSAGES,
    PAGE,
    Circumstances,
    CutResponse,
    instead,
    link_of,
    rewrite,
    spoil,
)
from tests.simulator.faults import Asking, Effect, Fault
from tests.simulator.ledger import RequestEntry
from tests.simulator.limits import RateLimiter
from tests.simulator.silence import render_silence
from tests.simulator.state import State

_CHUNK = 65536
_MEGABYTE = b" " * 1_000_000

_UNLIMITED = RateLimiter(None)

_FORBIDDEN = {"aimlapi": "Forbidden: this key is not allowed to do this"}
_LIMITED = {"aimlapi": "Too many requests: the rate limit is reached"}


def faulty(handler: type[Handler]) -> type[Handler]:
    """Return a handler of the product with everything that the tests need around it."""
    around = FaultyClip if issubclass(handler, Clip) else FaultyHandler
    made = cast("type[Handler]", type(handler.__name__, (around, handler), {}))
    # The body is collected piece by piece, so that a fault can drop the connection before it is read.
    return cast("type[Handler]", stream_request_body(made))


class FaultyHandler(Handler):
    """Stands in front of a handler of the product."""

    state: State

    def initialize(self, state: State) -> None:  # type: ignore[override]
        super().initialize(state)
        self.applied: list[str] = []
        self.client_gone = False
        self._chunks: list[bytes] = []

    # What tornado calls.

    def prepare(self) -> None:
        super().prepare()
        if self._finished:
            return
        if self.request.method == "GET":
            self.job = self.find_job(*self.path_args)
        fault = self.state.faults.take(self.asking(), Effect.EARLY_DROP)
        if fault is not None:
            self.applied.append(fault.name)
            self._drop(reset=bool(fault.detail("reset")))

    def data_received(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def on_connection_close(self) -> None:
        self.client_gone = True

    # What the product's handlers call.

    def content(self) -> bytes:
        return b"".join(self._chunks)

    def authorize(self) -> None:
        """Check the key and the rate limit.

        The words ``refused``, ``forbidden`` and ``broke`` inside a key choose the response, so that a
        test needs no more than another key.
        """
        key, keys = self.key(), self.state.options.keys
        if "refused" in key or (keys is not None and key not in keys):
            raise RefusedError(401, self.bad_key)
        super().authorize()
        if "forbidden" in key:
            raise RefusedError(403, _FORBIDDEN.get(str(self.wire), MESSAGES[403]))
        self._count()

    def balance(self) -> float:
        return 0.0 if "broke" in self.key() else super().balance()

    async def new_job(self, request: VideoRequest, body: dict[str, Any], **more: Any) -> Job:
        job = await super().new_job(request, body, **more)
        self._bend(job)
        return job

    async def respond(self, *names: str) -> None:
        if self.client_gone:
            return
        self.job = self.find_job(*names)
        asking, faults = self.asking(), self.state.faults
        replaced = faults.take(asking, Effect.INSTEAD)
        spoilt = faults.take(asking, Effect.SPOIL) if replaced is None else None
        delays = faults.take_all(asking, Effect.DELAY)
        self.applied += [fault.name for fault in (replaced, spoilt, *delays) if fault is not None]
        await asyncio.sleep(sum(f.detail("seconds") for f in delays if not f.detail("after")))
        if replaced is None or replaced.detail("accepted"):
            response = await self._alter(await self._as_chosen(await self.attempt(*names)))
        if replaced is not None:
            response = instead(replaced, self._around())
        await asyncio.sleep(sum(f.detail("seconds") for f in delays if f.detail("after")))
        if spoilt is not None:
            await self._deliver_spoilt(spoilt, response)
        else:
            await self.deliver(response)

    async def deliver(self, response: Response) -> None:
        """Send a response, all of it or up to where it is cut."""
        self._note(response.status)
        if not isinstance(response, CutResponse):
            await super().deliver(response)
            return
        content = response.content()
        self._begin(response, len(content))
        with contextlib.suppress(StreamClosedError):
            self.write(content[: response.cut_after])
            await self.flush()
            self._close(reset=response.reset)

    # What faults use.

    def asking(self) -> Asking:
        """Return this request as faults see it."""
        return Asking(
            wire=self.wire,
            stages=frozenset(self.stages()),
            method=str(self.request.method),
            path=self.request.path,
            prompt=self.job.prompt if self.job is not None else self._prompt_sent(),
            key=self.key(),
        )

    async def stream(
        self, response: Response, bytes_per_second: float | None = None, *, sized: bool = True
    ) -> None:
        """Send a body in pieces, not faster than asked."""
        content = response.content()
        self._note(response.status)
        self._begin(response, len(content) if sized else None)
        with contextlib.suppress(StreamClosedError):
            for piece in _pieces(content, bytes_per_second):
                self.write(piece)
                await self.flush()
                if bytes_per_second:
                    await asyncio.sleep(len(piece) / bytes_per_second)
            await self.finish()

    async def pour(
        self, response: Response, megabytes: int | None, size: int | None = None
    ) -> None:
        """Send megabytes of blanks before a body, without end if None, as long as they are taken.

        A JSON text may begin with blanks. The header tells `size`, if that is given.
        """
        self._note(response.status)
        self._begin(
            Response(response.status, headers={"Content-Type": response.content_type()}), size
        )
        poured = 0
        with contextlib.suppress(StreamClosedError):
            while (megabytes is None or poured < megabytes) and not self.client_gone:
                self.write(_MEGABYTE)
                await self.flush()
                poured += 1
            await self.finish(response.content())

    def _begin(self, response: Response, size: int | None) -> None:
        self.set_status(response.status)
        for name, value in {**response.headers, "Content-Type": response.content_type()}.items():
            self.set_header(name, value)
        if size is not None:
            self.set_header("Content-Length", str(size))

    async def _as_chosen(self, response: Response) -> Response:
        """Return a finished job's result as the file, or a redirect to it, where that is wanted."""
        how = self.state.options.result_as
        link = link_of(response) if isinstance(response.body, dict) else None
        if how == "json" or link is None or "result" not in self.stages() or self.job is None:
            return response
        if how == "redirect":
            return Response(302, b"", {"Location": link[1]})
        return Response(200, await self.state.clip(self.job), {"Content-Type": "video/mp4"})

    async def _alter(self, response: Response) -> Response:
        """Let faults that change single values do so; they are spent only where they apply."""
        for number, fault in self.state.faults.meeting(self.asking(), Effect.REWRITE):
            changed = rewrite(fault, response, self._around())
            if changed is not None and self.state.faults.use(number):
                response = changed
                self.applied.append(fault.name)
        return response

    async def _deliver_spoilt(self, fault: Fault, response: Response) -> None:
        if fault.name == "lost-answer":
            self._drop(reset=bool(fault.detail("reset")))
        elif fault.name == "trickle":
            await self.stream(response, float(fault.detail("bytes_per_second")))
        elif fault.name == "huge":
            await self.pour(response, int(fault.detail("megabytes")))
        else:
            await self.deliver(spoil(fault, response))

    def _bend(self, job: Job) -> None:
        """Let faults choose how a job will go."""
        for fault in self.state.faults.take_all(self.asking(), Effect.JOB):
            if fault.name in ("job-fails", "moderation"):
                job.failure = str(fault.detail("message"))
                if fault.name == "moderation":
                    job.work_seconds = 0.008
            elif fault.name == "stuck":
                job.stuck = True
            elif fault.name == "seconds":
                whole = float(fault.detail("seconds"))
                job.queue_seconds = whole * self.state.options.queue_share
                job.work_seconds = whole - job.queue_seconds
            elif fault.name == "odd-id":
                job.id = f"{secrets.randbelow(9 * 10**14) + 10**14}:{job.model}"
            elif fault.name == "forgotten":
                job.retention = float("-inf")

    def _count(self) -> None:
        """Count the request, and refuse it where the limit is reached."""
        options, stage = self.state.options, self.stages()[0]
        if isinstance(self, aimlapi.Logs):
            limit = self.state.limits["logs"]
        elif stage == "submit" or (stage in ("status", "result") and options.polls_count):
            limit = self.state.limits.get(str(self.wire), _UNLIMITED)
        else:
            return
        wait = limit.take(self.who(), self.state.now())
        if wait is None:
            return
        real, headers = wait / self.state.clock.speed, {}
        if options.retry_after:
            headers["Retry-After"] = str(max(1, round(real)))
        if options.reset_at and self.wire == "segmind":
            # By the same clock as the response's own Date.
            headers["x-rate-limit-reset-at-utc"] = iso_time(time.time() + real)
        raise RefusedError(429, _LIMITED.get(str(self.wire), "Rate limit exceeded"), headers)

    def _prompt_sent(self) -> str:
        try:
            body = json.loads(self.content() or b"null")
        except (ValueError, RecursionError):
            return ""
        body = body[0] if isinstance(body, list) and body else body
        body = body.get("input", body) if isinstance(body, dict) else None
        prompt = body.get("prompt", body.get("positivePrompt")) if isinstance(body, dict) else None
        return prompt if isinstance(prompt, str) else ""

    def _around(self) -> Circumstances:
        state = self.state
        return Circumstances(
            self.wire, self.request.uri or "", state.url, state.other_url, self._wire_refusal
        )

    def _wire_refusal(self, refusal: RefusedError) -> Response:
        # Files belong to no wire, and object stores answer in XML; a fault answers in JSON.
        return self.refusal(refusal) if self.wire else Handler.refusal(self, refusal)

    def _drop(self, *, reset: bool = False) -> None:
        self._note(0)
        self._close(reset=reset)

    def _close(self, *, reset: bool = False) -> None:
        # Nothing is finished after this: the peer sees the connection end.
        self._auto_finish = False
        self.client_gone = True
        stream = self._stream()
        if reset and stream.socket is not None:
            # To linger for no time is to send a reset in place of an orderly end.
            at_once = struct.pack("ii", 1, 0)
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        stream.close()

    def _stream(self) -> IOStream:
        # Tornado's type says less than its server does: this is always a plain HTTP/1 connection.
        return cast("HTTP1Connection", self.request.connection).stream

    def _note(self, status: int) -> None:
        headers = self.request.headers
        try:
            port = int(self._stream().socket.getpeername()[1])
        except (OSError, AttributeError):  # the client has gone already
            port = 0
        entry = {
            "method": str(self.request.method),
            "path": self.request.path,
            "query": self.request.query,
            "host": self.request.host,
            "status": status,
            "time": self.state.now(),
            "wire": self.wire,
            "stage": self.stages()[0],
            "job_id": self.job.id if self.job is not None else None,
            "had_api_key": "x-api-key" in headers,
            "had_authorization": "Authorization" in headers,
            "had_cookie": "Cookie" in headers,
            "header_names": tuple(sorted(name.lower() for name in headers)),
            "user_agent": headers.get("User-Agent", ""),
            "client_port": port,
            "faults": tuple(self.applied),
        }
        self.state.record(lambda number: RequestEntry(number=number, **entry))  # type: ignore[arg-type]


class FaultyClip(FaultyHandler):
    """Stands in front of a handler of clips."""

    def file_response(self, content: bytes, kind: str) -> Response:
        """Return the file; a fault sends it whole, whatever part was asked for."""
        response: Response = super().file_response(content, kind)  # type: ignore[misc]
        fault = self.state.faults.take(self.asking(), Effect.MEDIA_RANGE)
        if fault is None:
            return response
        self.applied.append(fault.name)
        return Response(200, content, {"Content-Type": kind, "ETag": response.headers["ETag"]})

    async def deliver(self, response: Response) -> None:
        """Send the clip, through the faults that meddle with files."""
        fault = None
        if response.status in (200, 206):
            fault = self.state.faults.take(self.asking(), Effect.MEDIA)
        if fault is None:
            await super().deliver(response)
            return
        self.applied.append(fault.name)
        if fault.name == "media-slow":
            await self.stream(response, float(fault.detail("bytes_per_second")))
        elif fault.name == "media-no-length":
            await self.stream(response, sized=False)
        elif fault.name == "media-huge":
            await self.pour(response, None, int(fault.detail("size")))
        elif fault.name == "media-endless":
            await self.pour(response, None)
        else:
            await super().deliver(await self._meddle(fault, response))

    async def _meddle(self, fault: Fault, response: Response) -> Response:
        content = response.content()
        if fault.name == "media-expired":
            return self.refusal(RefusedError(403, "Request has expired."))
        if fault.name == "media-redirect":
            location = f"{self.state.other_url}{self.request.uri}"
            return Response(int(fault.detail("status")), b"", {"Location": location})
        if fault.name == "media-truncated":
            cut = int(len(content) * float(fault.detail("share")))
            return CutResponse.of(response, cut, reset=bool(fault.detail("reset")))
        if fault.name == "media-wrong-type":
            return response.with_body(content, Content_Type=str(fault.detail("type")))
        if fault.name == "media-html":
            return Response(200, PAGE, {"Content-Type": "text/html; charset=utf-8"})
        if fault.name == "media-no-video-track":
            content = await self.state.offload(render_silence)
        else:
            content = b"" if fault.name == "media-empty" else os.urandom(len(content))
        return Response(200, content, {"Content-Type": "video/mp4"})


def _pieces(content: bytes, bytes_per_second: float | None) -> Iterator[bytes]:
    # Small pieces when slow, so that a client sees bytes trickle rather than lumps.
    size = _CHUNK if not bytes_per_second else max(1, min(_CHUNK, int(bytes_per_second / 20)))
    for start in range(0, len(content), size):
        yield content[start : start + size]
