"""The simulator as others use it: a server in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

from tornado.httpserver import HTTPServer

from hailuo_jupyter.simulator.faults import Fault
from hailuo_jupyter.simulator.ledger import Ledger, RequestEntry
from hailuo_jupyter.simulator.options import SimulatorOptions
from hailuo_jupyter.simulator.routes import application
from hailuo_jupyter.simulator.world import World

_MAX_BODY = 100_000_000


class Simulator:
    """A stand-in for Segmind and AI/ML API on this machine.

    It is a context manager; `start` and `stop` do the same by hand. All members may be used from
    any thread.

    Parameters
    ----------
    options : SimulatorOptions or None
        The choices; None takes the defaults.

    Examples
    --------
    >>> with Simulator(SimulatorOptions(speed=600)) as sim:
    ...     sim.fault("http-503", count=2)
    ...     sim.environment()["SEGMIND_BASE_URL"] == sim.url
    True
    """

    def __init__(self, options: SimulatorOptions | None = None) -> None:
        self.options = options or SimulatorOptions()
        self._world = World(self.options)
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
            If it was started before: a simulator has one life.
        """
        if self._thread is not None:
            raise RuntimeError("this simulator was started before")
        self._thread = threading.Thread(target=self._run, name="hailuo-simulator", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._problem is not None:
            self._thread.join()
            self._world.close()
            raise self._problem
        return self

    def stop(self) -> None:
        """Stop the server and wait for its threads; harmless when it does not run."""
        loop, ending = self._loop, self._ending
        if self._thread is None or not self._thread.is_alive() or loop is None or ending is None:
            return
        loop.call_soon_threadsafe(ending.set)
        self._thread.join()
        self._world.close()

    @property
    def url(self) -> str:
        """The address, ``http://127.0.0.1:PORT``."""
        return self._world.url

    @property
    def media_url(self) -> str:
        """The same server under another name and port: another host to every client."""
        return self._world.media_url

    @property
    def world(self) -> World:
        """The state behind the server."""
        return self._world

    def environment(self) -> dict[str, str]:
        """Return the environment variables that lead clients here."""
        return {
            "SEGMIND_BASE_URL": self.url,
            "SEGMIND_STORAGE_URL": self.url,
            "SEGMIND_HISTORY_URL": f"{self.url}/inference-request",
            "AIML_API_BASE_URL": self.url,
        }

    @property
    def ledger(self) -> Ledger:
        """Every accepted submit, oldest first, as it stands now."""
        return self._world.ledger()

    @property
    def requests(self) -> list[RequestEntry]:
        """Every request that was received, without those below ``/_sim``."""
        return self._world.requests()

    @property
    def faults(self) -> list[Fault]:
        """The faults that are on."""
        return self._world.faults.listed()

    def fault(
        self,
        name: str,
        stage: str | None = None,
        count: int | None = 1,
        **details: Any,
    ) -> Fault:
        """Switch a fault on.

        Parameters
        ----------
        name : str
            One of the names that `describe_faults` lists; ``_`` counts as ``-``.
        stage : str or None
            ``submit``, ``status``, ``result``, ``upload``, ``media``, ``asset``, ``account`` or
            ``any``; None takes the fault's usual stage.
        count : int or None
            How many requests it spoils; None for all.
        **details
            The fault's own details, and ``skip``, ``prompt``, ``path``, ``key``, ``wire`` (see
            `Fault`).

        Returns
        -------
        Fault
            The fault.

        Raises
        ------
        ValueError
            For a name, stage or detail that does not exist.
        """
        fault = Fault.of(name, stage, count, **details)
        self.add(fault)
        return fault

    def add(self, *faults: Fault) -> None:
        """Switch faults on."""
        self._world.faults.add(faults)

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self._world.faults.clear()

    def advance(self, seconds: float) -> float:
        """Move the virtual clock forward; see `VirtualClock.advance`."""
        return self._world.clock.advance(seconds)

    def now(self) -> float:
        """Return the virtual time in Unix seconds."""
        return self._world.now()

    def idle_seconds(self) -> float:
        """Return for how many real seconds no request has come."""
        count, moment = len(self._world.requests()), time.monotonic()
        if count != self._seen[0]:
            self._seen = (count, moment)
        return moment - self._seen[1]

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as problem:  # noqa: BLE001  (raised again in the starting thread)
            self._problem = problem
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        app = application(self._world)
        servers, ports = [], []
        # The second port exists so that there is another host to be sent to.
        for port in (self.options.port, 0):
            # Not tornado's own function: it leaves the socket open when the port is taken.
            listening = socket.create_server(("127.0.0.1", port))
            listening.setblocking(False)
            server = HTTPServer(app, max_body_size=_MAX_BODY, max_buffer_size=_MAX_BODY)
            server.add_socket(listening)
            servers.append(server)
            ports.append(listening.getsockname()[1])
        self._world.url = f"http://127.0.0.1:{ports[0]}"
        self._world.media_url = f"http://localhost:{ports[1]}"
        self._ready.set()
        await self._ending.wait()
        for server in servers:
            server.stop()
            await server.close_all_connections()
