"""The tests' simulator: the product's own, with faults and with everything that tests look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from hailuo_jupyter.simulator import media, server
from hailuo_jupyter.simulator.handler import Handler, Route
from tests.simulator import aimlapi, fal, minimax, replicate, runware, segmind
from tests.simulator.control import Control
from tests.simulator.faults import Fault
from tests.simulator.handler import faulty
from tests.simulator.ledger import Ledger, RequestEntry
from tests.simulator.options import SimulatorOptions
from tests.simulator.state import State

#: The wires with what tests add. The first path that fits counts, and Segmind's are the least particular.
WIRES = (media, fal, aimlapi, replicate, runware, minimax, segmind)


class Simulator(server.Simulator):
    """A stand-in for Segmind and AI/ML API that makes mistakes when it is told to.

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

    options: SimulatorOptions
    state: State

    def __init__(self, options: SimulatorOptions | None = None) -> None:
        super().__init__(options or SimulatorOptions())

    @property
    def media_url(self) -> str:
        """The same server under another name and port: another host to every client."""
        return self.state.other_url

    def environment(self) -> dict[str, str]:
        """Return the environment variables that lead clients here."""
        return {
            "SEGMIND_BASE_URL": self.url,
            "SEGMIND_STORAGE_URL": self.url,
            "SEGMIND_HISTORY_URL": f"{self.url}/inference-request",
            "AIML_API_BASE_URL": self.url,
            "FAL_BASE_URL": self.url,
            "FAL_STORAGE_URL": self.url,
            "REPLICATE_BASE_URL": self.url,
            "RUNWARE_BASE_URL": f"{self.url}/runware",
            "MINIMAX_API_HOST": self.url,
        }

    @property
    def ledger(self) -> Ledger:
        """Every accepted submit, oldest first, as it stands now."""
        return self.state.ledger()

    @property
    def requests(self) -> list[RequestEntry]:
        """Every request that was received, without those below ``/_sim``."""
        return self.state.requests()

    @property
    def faults(self) -> list[Fault]:
        """The faults that are on."""
        return self.state.faults.listed()

    def fault(
        self, name: str, stage: str | None = None, count: int | None = 1, **details: Any
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
        self.state.faults.add(faults)

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self.state.faults.clear()

    def advance(self, seconds: float) -> float:
        """Move the virtual clock forward; see `VirtualClock.advance`."""
        return self.state.clock.advance(seconds)

    def now(self) -> float:
        """Return the virtual time in Unix seconds."""
        return self.state.now()

    # What the product's own does in another way.

    def _new_state(self) -> State:
        return State(self.options)

    def _routes(self) -> Iterator[tuple[str, type[RequestHandler]]]:
        yield r"/_sim/([a-z]+)", Control
        for route in self._pages():
            yield route.path, faulty(route.handler)

    def _pages(self) -> Iterator[Route]:
        for wire in WIRES:
            yield from wire.ROUTES

    def _not_found(self) -> type[Handler]:
        return faulty(super()._not_found())

    def _listen(self, application: Application) -> Iterator[HTTPServer]:
        yield from super()._listen(application)
        # The second port exists so that there is another host to be sent to.
        other, port = self._open(application, 0)
        self.state.other_url = f"http://localhost:{port}"
        if self.options.media_elsewhere:
            self.state.media_url = self.state.other_url
        yield other
