"""The simulator's own endpoints under ``/_sim``, for tests in another process."""

from __future__ import annotations

import json
import os
from typing import Any

from tornado.web import RequestHandler

from hailuo_jupyter.simulator.faults import Fault
from hailuo_jupyter.simulator.world import World


def health(world: World) -> dict[str, Any]:
    """Return what a starter of this process wants to know."""
    return {
        "name": "hailuo-simulator",
        "pid": os.getpid(),
        "speed": world.clock.speed,
        "url": world.url,
        "media_url": world.media_url,
        "now": world.now(),
    }


class Control(RequestHandler):
    """``GET``, ``POST`` and ``DELETE`` below ``/_sim``; none of them counts as a request."""

    def initialize(self, world: World) -> None:
        """Take the world that is looked at."""
        self.world = world

    def get(self, name: str) -> None:
        """Show one part of the world."""
        world = self.world
        if name == "health":
            self.finish(health(world))
        elif name == "ledger":
            self.finish({"jobs": [entry.as_json() for entry in world.ledger()]})
        elif name == "requests":
            self.finish({"requests": [entry.as_json() for entry in world.requests()]})
        elif name == "faults":
            self.finish({"faults": [fault.as_json() for fault in world.faults.listed()]})
        else:
            self._refuse(404, f"there is no {name!r} here")

    def post(self, name: str) -> None:
        """Switch faults on, or move the clock."""
        try:
            body = json.loads(self.request.body)
            if name == "faults":
                entries = body if isinstance(body, list) else [body]
                self.world.faults.add([Fault.of(**entry) for entry in entries])
                self.get("faults")
            elif name == "advance":
                self.finish({"now": self.world.clock.advance(float(body["seconds"]))})
            else:
                self._refuse(404, f"{name!r} takes no POST")
        except (ValueError, TypeError, KeyError) as problem:
            self._refuse(400, str(problem))

    def delete(self, name: str) -> None:
        """Switch all faults off."""
        if name != "faults":
            self._refuse(404, f"{name!r} takes no DELETE")
            return
        self.world.faults.clear()
        self.get("faults")

    def _refuse(self, status: int, message: str) -> None:
        self.set_status(status)
        self.finish({"error": message})
