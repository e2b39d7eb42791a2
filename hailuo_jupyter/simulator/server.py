"""The simulator's public interface: a server in its own thread."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from hailuo_jupyter.simulator import aimlapi, media, segmind
from hailuo_jupyter.simulator.handler import Handler, Route, refuse_foreign
from hailuo_jupyter.simulator.options import SimulatorOptions
from hailuo_jupyter.simulator.responses import RefusedError, Response, proof
from hailuo_jupyter.simulator.state import State

_MAX_BODY = 100_000_000

#: The providers, which share one root: the first matching path is used.
WIRES = (media, aimlapi, segmind)


class Simulator:
    """A simulated Segmind and AI/ML API on this machine.

    It is a context manager; `start` and `stop` can be called directly. All members may be used from
    any thread.

    Parameters
    ----------
    options : SimulatorOptions or None
        The options; None uses the defaults.

    Examples
    --------
    >>> with Simulator(SimulatorOptions(speed=600)) as sim:
    ...     sim.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(self, options: SimulatorOptions | None = None) -> None:
        self.options = options or SimulatorOptions()
        self.state = self._new_state()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._problem: BaseException | None = None
        self._ending: asyncio.Event | None = None
        self._seen = (0, time.monotonic())

    def __enter__(self) -> Self:
        return self.start() if self._thread is None else self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Start the server and return when it listens.

        Raises
        ------
        OSError
            If the port is taken.
        RuntimeError
            If it was started before: a simulator cannot be restarted.
        """
        if self._thread is not None:
            raise RuntimeError("this simulator was started before")
        self._thread = threading.Thread(target=self._run, name="hailuo-simulator", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._problem is not None:
            self._thread.join()
            self.state.close()
            raise self._problem
        return self

    def stop(self) -> None:
        """Stop the server and wait for its threads; harmless if it is not running."""
        loop, ending = self._loop, self._ending
        if self._thread is None or not self._thread.is_alive() or loop is None or ending is None:
            return
        loop.call_soon_threadsafe(ending.set)
        self._thread.join()
        self.state.close()

    @property
    def url(self) -> str:
        """The address, ``http://127.0.0.1:PORT``."""
        return self.state.url

    def idle_seconds(self) -> float:
        """Return the real seconds since the last request."""
        count, moment = self.state.received, time.monotonic()
        if count != self._seen[0]:
            self._seen = (count, moment)
        return moment - self._seen[1]

    # Overridden by the tests' own simulator.

    def _new_state(self) -> State:
        return State(self.options)

    def _routes(self) -> Iterator[tuple[str, type[RequestHandler]]]:
        """Yield paths and their handlers, in matching order."""
        yield r"/_sim/(health)", Health
        for route in self._pages():
            yield route.path, route.handler

    def _pages(self) -> Iterator[Route]:
        for wire in WIRES:
            yield from wire.ROUTES

    def _not_found(self) -> type[Handler]:
        return NoSuchPath

    def _listen(self, application: Application) -> Iterator[HTTPServer]:
        """Yield the servers, each with its socket open."""
        server, port = self._open(application, self.options.port)
        self.state.url = self.state.media_url = f"http://127.0.0.1:{port}"
        yield server

    # ──

    def _open(self, application: Application, port: int) -> tuple[HTTPServer, int]:
        """Return a server and its port."""
        # Not tornado's own function: it leaves the socket open when the port is taken.
        listening = socket.create_server(("127.0.0.1", port))
        listening.setblocking(False)
        server = HTTPServer(application, max_body_size=_MAX_BODY, max_buffer_size=_MAX_BODY)
        server.add_socket(listening)
        return server, int(listening.getsockname()[1])

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as problem:  # noqa: BLE001  (raised again in the starting thread)
            self._problem = problem
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        arguments = {"state": self.state}
        application = Application(
            [(path, handler, arguments) for path, handler in self._routes()],
            default_handler_class=self._not_found(),
            default_handler_args=arguments,
            # Tornado's own log lines would show signed links.
            log_function=lambda _: None,
        )
        servers = list(self._listen(application))
        self._ready.set()
        await self._ending.wait()
        for server in servers:
            server.stop()
            await server.close_all_connections()


class NoSuchPath(Handler):
    """All other paths: 404 in the format of the provider whose key was sent."""

    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

    async def reply(self, *_: str) -> Response:
        """Return that there is no such path."""
        raise RefusedError(404, f"Cannot {self.request.method} {self.request.path}")

    def refusal(self, refusal: RefusedError) -> Response:
        """Return the 404 in the format of that provider."""
        if "Authorization" in self.request.headers:
            return aimlapi.error_response(refusal, self.request.path, self.state.now())
        return super().refusal(refusal)


def health(state: State) -> dict[str, Any]:
    """Return the data for the process that started this one."""
    return {
        "name": "hailuo-simulator",
        "pid": os.getpid(),
        "speed": state.clock.speed,
        "url": state.url,
        "media_url": state.media_url,
        "now": state.now(),
    }


class Health(RequestHandler):
    """``GET /_sim/health``, by which the demo finds its server; it does not count as a request."""

    def initialize(self, state: State) -> None:
        """Store the state of this simulator."""
        self.state = state

    def prepare(self) -> None:
        """Refuse web pages."""
        refuse_foreign(self, self.state)

    def get(self, _name: str) -> None:
        """Return the program's name, with a proof that it knows the token if requested."""
        nonce, token = self.get_query_argument("nonce", ""), self.state.options.token
        shown = {"proof": proof(token, nonce)} if token and nonce else {}
        self.finish({**health(self.state), **shown})
