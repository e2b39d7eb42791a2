"""One HTTP request: the steps common to all APIs and pages.

To add a provider: a module with a subclass of `Handler` that has the API's key header and the
form of its errors, a subclass of that for each page, and a list of them as ``ROUTES``; then a line in
``server.WIRES``. Behavior that the demo must not have (lose answers, count requests, refuse good keys) is
added by the tests' own simulator, which wraps every handler.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, ClassVar

from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

from hailuo_jupyter.simulator.responses import RefusedError, Response, is_foreign, key_hash
from hailuo_jupyter.simulator.state import Job, State, VideoRequest

#: MiniMax's own limit for prompts, for a provider that publishes none.
MAX_PROMPT = 2000


class Handler(RequestHandler):
    """Answers a request.

    A subclass defines its methods (`methods`), the stage of a run (`stage`) and
    the answer (`reply`); it raises `RefusedError` for errors.
    """

    wire: ClassVar[str | None] = None
    stage: ClassVar[tuple[str, ...]] = ("account",)
    methods: ClassVar[tuple[str, ...]] = ("GET",)
    #: The error for a request without a valid key.
    bad_key: ClassVar[str] = "Invalid API key"

    def initialize(self, state: State) -> None:
        """Store the state of this simulator."""
        self.state = state
        self.job: Job | None = None

    # Implemented by subclasses.

    async def reply(self, *names: str) -> Response:
        """Return the response to this request; the names come from the path."""
        raise NotImplementedError

    def find_job(self, *names: str) -> Job | None:  # noqa: ARG002
        """Return the job that the request is about, if there is one."""
        return None

    def key(self) -> str:
        """Return the request's key, "" for none."""
        return self.request.headers.get("x-api-key", "")

    def stages(self) -> tuple[str, ...]:
        """Return the stages of this request."""
        return self.stage

    def refusal(self, refusal: RefusedError) -> Response:
        """Return the response to a refused request, in the provider's format."""
        return Response(refusal.status, {"error": refusal.message}, refusal.headers)

    # Called by tornado.

    def prepare(self) -> None:
        """Refuse web pages; count the request."""
        if not refuse_foreign(self, self.state):
            self.state.received += 1

    def get(self, *names: str) -> Awaitable[None]:
        """Answer a GET."""
        return self.respond(*names)

    def post(self, *names: str) -> Awaitable[None]:
        """Answer a POST."""
        return self.respond(*names)

    def head(self, *names: str) -> Awaitable[None]:
        """Answer a HEAD."""
        return self.respond(*names)

    def put(self, *names: str) -> Awaitable[None]:
        """Answer a PUT."""
        return self.respond(*names)

    def patch(self, *names: str) -> Awaitable[None]:
        """Answer a PATCH."""
        return self.respond(*names)

    def delete(self, *names: str) -> Awaitable[None]:
        """Answer a DELETE."""
        return self.respond(*names)

    def options(self, *names: str) -> Awaitable[None]:
        """Answer an OPTIONS."""
        return self.respond(*names)

    def compute_etag(self) -> None:
        """Send no ETag except for files, which set it themselves."""

    def set_default_headers(self) -> None:
        """Omit the header that names the server's software."""
        self.clear_header("Server")

    # Used by handlers.

    async def respond(self, *names: str) -> None:
        """Answer the request."""
        self.job = self.find_job(*names)
        await self.deliver(await self.attempt(*names))

    async def attempt(self, *names: str) -> Response:
        """Return the response, or the refusal."""
        if self.request.method not in self.methods:
            methods = {"Allow": ", ".join(self.methods)}
            return self.refusal(RefusedError(405, "Method not allowed", methods))
        try:
            return await self.reply(*names)
        except RefusedError as refusal:
            return self.refusal(refusal)

    async def deliver(self, response: Response) -> None:
        """Send a response."""
        self.set_status(response.status)
        for name, value in {**response.headers, "Content-Type": response.content_type()}.items():
            self.set_header(name, value)
        with contextlib.suppress(StreamClosedError):  # the client is gone
            await self.finish(response.content())

    def content(self) -> bytes:
        """Return the request's body."""
        return self.request.body

    def who(self) -> str:
        """Return the hash that identifies the key."""
        return key_hash(self.key())

    def authorize(self) -> None:
        """Check the key.

        Raises
        ------
        RefusedError
            401 without a valid key.
        """
        token = self.state.options.token
        if not self.key().strip() or token not in (None, self.key()):
            raise RefusedError(401, self.bad_key)

    def balance(self) -> float:
        """Return the remaining US dollars of the key's account."""
        return self.state.balance(self.who())

    async def new_job(self, request: VideoRequest, body: dict[str, Any], **more: Any) -> Job:
        """Return the job for a submit, before work on it starts; see `State.new_job`."""
        return await self.state.new_job(
            request,
            body,
            wire=str(self.wire),
            endpoint=self.request.path,
            key_hash=self.who(),
            **more,
        )


@dataclass(frozen=True)
class Route:
    """A path, as a regular expression, and its handler."""

    path: str
    handler: type[Handler]


def read_json_object(content: bytes) -> dict[str, Any]:
    """Return a request body's JSON object.

    Raises
    ------
    RefusedError
        If the body is not JSON (``NaN`` and the like are not), or not an object.
    """
    try:
        body = json.loads(content, parse_constant=_refuse_constant)
    # Very deep JSON and very long numbers are client errors as well.
    except (ValueError, RecursionError) as problem:
        raise RefusedError(400, "the body is not valid JSON") from problem
    if not isinstance(body, dict):
        raise RefusedError(400, f"expected a JSON object, received {type_name(body)}")
    return body


def type_name(value: object) -> str:
    """Return the JSON name of a value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "number", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "unknown")


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def refuse_foreign(handler: RequestHandler, state: State) -> bool:
    """Answer 403 to a web page, or to a request meant for another machine; return whether it was one."""
    request = handler.request
    origin = request.headers.get("Origin")
    if not is_foreign(request.headers.get("Host", ""), origin, {state.url, state.media_url}):
        return False
    handler.set_status(403)
    handler.set_header("Content-Type", "application/json")
    handler.set_header("Connection", "close")  # the body is not read
    handler.finish(json.dumps({"error": "this server is for programs on this machine only"}))
    return True
