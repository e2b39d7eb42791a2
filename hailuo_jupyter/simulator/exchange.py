"""One HTTP exchange: what every request goes through, whatever it asks for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Iterator
from typing import ClassVar, cast

from tornado.http1connection import HTTP1Connection
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import RequestHandler, stream_request_body

from hailuo_jupyter.simulator.access import key_hash
from hailuo_jupyter.simulator.answers import Answer, RefusedError, error_answer
from hailuo_jupyter.simulator.fault_effects import Circumstances, instead, rewrite, spoil
from hailuo_jupyter.simulator.faults import Asking, Effect, Fault
from hailuo_jupyter.simulator.jobs import Job, Wire
from hailuo_jupyter.simulator.ledger import RequestEntry
from hailuo_jupyter.simulator.world import World

_CHUNK = 65536
_MEGABYTE = b" " * 1_000_000


@stream_request_body
class Exchange(RequestHandler):
    """A request and its answer, with the faults in between.

    A wire's handler says which methods it takes (``allowed``), which stage it is (``stage``) and
    how it answers (`reply`); it raises `RefusedError` for errors. The body is collected piece by
    piece, so that a fault can drop the connection before it is read.
    """

    wire: ClassVar[Wire | None] = None
    stage: ClassVar[tuple[str, ...]] = ("account",)
    allowed: ClassVar[tuple[str, ...]] = ("GET",)

    def initialize(self, world: World) -> None:
        """Take the world that this server simulates."""
        self.world = world
        self.job: Job | None = None
        self.applied: list[str] = []
        self.client_gone = False
        self._chunks: list[bytes] = []

    # What subclasses fill in.

    async def reply(self, *names: str) -> Answer:
        """Return the answer to this request; the names come from the path."""
        raise NotImplementedError

    def find_job(self, *names: str) -> Job | None:  # noqa: ARG002
        """Return the job that the request is about, if there is one."""
        return None

    def key(self) -> str:
        """Return the key that came along, "" for none."""
        return self.request.headers.get("x-api-key", "")

    def stages(self) -> tuple[str, ...]:
        """Return which stages this request is."""
        return self.stage

    # What tornado calls.

    def prepare(self) -> None:
        """Look at the request before its body is read."""
        if self.request.method == "GET":
            self.job = self.find_job(*self.path_args)
        fault = self.world.faults.take(self.asking(), Effect.EARLY_DROP)
        if fault is not None:
            self.applied.append(fault.name)
            self._drop(reset=bool(fault.detail("reset")))

    def data_received(self, chunk: bytes) -> None:
        """Collect the body."""
        self._chunks.append(chunk)

    def on_connection_close(self) -> None:
        """Note that nobody waits for the answer any more."""
        self.client_gone = True

    def get(self, *names: str) -> Awaitable[None]:
        """Answer a GET."""
        return self._exchange(*names)

    def post(self, *names: str) -> Awaitable[None]:
        """Answer a POST."""
        return self._exchange(*names)

    def head(self, *names: str) -> Awaitable[None]:
        """Answer a HEAD."""
        return self._exchange(*names)

    def put(self, *names: str) -> Awaitable[None]:
        """Answer a PUT."""
        return self._exchange(*names)

    def patch(self, *names: str) -> Awaitable[None]:
        """Answer a PATCH."""
        return self._exchange(*names)

    def delete(self, *names: str) -> Awaitable[None]:
        """Answer a DELETE."""
        return self._exchange(*names)

    def options(self, *names: str) -> Awaitable[None]:
        """Answer an OPTIONS."""
        return self._exchange(*names)

    def compute_etag(self) -> None:
        """Send no ETag but those of files, which are set by hand."""

    def set_default_headers(self) -> None:
        """Leave out what names the server's software."""
        self.clear_header("Server")

    # What handlers use.

    def content(self) -> bytes:
        """Return the request's body."""
        return b"".join(self._chunks)

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

    def who(self) -> str:
        """Return the hash that stands for the key."""
        return key_hash(self.key())

    async def deliver(self, answer: Answer) -> None:
        """Send an answer, all of it or up to where it is cut."""
        self.set_status(answer.status)
        content = answer.content()
        for name, value in answer.headers.items():
            self.set_header(name, value)
        self.set_header("Content-Type", answer.content_type())
        self._note(answer.status)
        with contextlib.suppress(StreamClosedError):
            if answer.cut_after is None:
                await self.finish(content)
                return
            self.set_header("Content-Length", str(len(content)))
            self.write(content[: answer.cut_after])
            await self.flush()
            self._close(reset=answer.reset)

    async def stream(
        self, answer: Answer, bytes_per_second: float | None = None, *, sized: bool = True
    ) -> None:
        """Send a body in pieces, not faster than asked."""
        content = answer.content()
        end = len(content) if answer.cut_after is None else answer.cut_after
        self.set_status(answer.status)
        for name, value in {**answer.headers, "Content-Type": answer.content_type()}.items():
            self.set_header(name, value)
        if sized:
            self.set_header("Content-Length", str(len(content)))
        self._note(answer.status)
        with contextlib.suppress(StreamClosedError):
            for piece in _pieces(content[:end], bytes_per_second):
                self.write(piece)
                await self.flush()
                if bytes_per_second:
                    await asyncio.sleep(len(piece) / bytes_per_second)
            if answer.cut_after is None:
                await self.finish()
            else:
                self._close(reset=answer.reset)

    async def pour(self, answer: Answer, megabytes: int | None, size: int | None = None) -> None:
        """Send megabytes of blanks before a body, without end if None, as long as they are taken.

        A JSON text may begin with blanks. The header tells `size`, if that is given.
        """
        self.set_status(answer.status)
        self.set_header("Content-Type", answer.content_type())
        if size is not None:
            self.set_header("Content-Length", str(size))
        self._note(answer.status)
        poured = 0
        with contextlib.suppress(StreamClosedError):
            while (megabytes is None or poured < megabytes) and not self.client_gone:
                self.write(_MEGABYTE)
                await self.flush()
                poured += 1
            await self.finish(answer.content())

    async def alter(self, answer: Answer) -> Answer:
        """Let faults that change single values do so; they are spent only where they apply."""
        for number, fault in self.world.faults.meeting(self.asking(), Effect.REWRITE):
            changed = rewrite(fault, answer, self._around())
            if changed is not None and self.world.faults.use(number):
                answer = changed
                self.applied.append(fault.name)
        return answer

    async def _exchange(self, *names: str) -> None:
        if self.client_gone:
            return
        self.job = self.find_job(*names)
        asking, faults = self.asking(), self.world.faults
        replaced = faults.take(asking, Effect.INSTEAD)
        spoilt = faults.take(asking, Effect.SPOIL) if replaced is None else None
        delays = faults.take_all(asking, Effect.DELAY)
        self.applied += [fault.name for fault in (replaced, spoilt, *delays) if fault is not None]
        await asyncio.sleep(sum(f.detail("seconds") for f in delays if not f.detail("after")))
        if replaced is None or replaced.detail("accepted"):
            answer = await self.alter(await self._attempt(*names))
        if replaced is not None:
            answer = instead(replaced, self._around())
        await asyncio.sleep(sum(f.detail("seconds") for f in delays if f.detail("after")))
        if spoilt is not None:
            await self._deliver_spoilt(spoilt, answer)
        else:
            await self.deliver(answer)

    async def _deliver_spoilt(self, fault: Fault, answer: Answer) -> None:
        if fault.name == "lost-answer":
            self._drop(reset=bool(fault.detail("reset")))
        elif fault.name == "trickle":
            await self.stream(answer, float(fault.detail("bytes_per_second")))
        elif fault.name == "huge":
            await self.pour(answer, int(fault.detail("megabytes")))
        else:
            await self.deliver(spoil(fault, answer))

    async def _attempt(self, *names: str) -> Answer:
        if self.request.method not in self.allowed:
            allowed = {"Allow": ", ".join(self.allowed)}
            return self.refusal(RefusedError(405, "Method not allowed", allowed))
        try:
            return await self.reply(*names)
        except RefusedError as refusal:
            return self.refusal(refusal)

    def refusal(self, refusal: RefusedError) -> Answer:
        """Return the answer to a request that is refused."""
        return error_answer(
            self.wire,
            refusal.status,
            refusal.message,
            path=self.request.path,
            now=self.world.now(),
            headers=refusal.headers,
        )

    def _prompt_sent(self) -> str:
        try:
            body = json.loads(self.content() or b"null")
        except (ValueError, RecursionError):
            return ""
        prompt = body.get("prompt") if isinstance(body, dict) else None
        return prompt if isinstance(prompt, str) else ""

    def _around(self) -> Circumstances:
        world = self.world
        return Circumstances(
            self.wire, self.request.uri or "", world.now(), world.url, world.media_url
        )

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
            "time": self.world.now(),
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
        self.world.record(lambda number: RequestEntry(number=number, **entry))  # type: ignore[arg-type]


def _pieces(content: bytes, bytes_per_second: float | None) -> Iterator[bytes]:
    # Small pieces when slow, so that a client sees bytes trickle rather than lumps.
    size = _CHUNK if not bytes_per_second else max(1, min(_CHUNK, int(bytes_per_second / 20)))
    for start in range(0, len(content), size):
        yield content[start : start + size]
