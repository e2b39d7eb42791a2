"""The simulator's own endpoints under ``/_sim``, for tests in another process."""

from __future__ import annotations

import hmac
import json

from tornado.web import RequestHandler

from hailuo_jupyter.simulator.handler import refuse_foreign
from hailuo_jupyter.simulator.responses import proof
from hailuo_jupyter.simulator.server import health
from tests.simulator.faults import Fault
from tests.simulator.state import State


class Control(RequestHandler):
    """``GET``, ``POST`` and ``DELETE`` below ``/_sim``; none of them counts as a request."""

    def initialize(self, state: State) -> None:
        """Take the state that is looked at."""
        self.state = state

    def prepare(self) -> None:
        """Refuse web pages, and who does not know the token where there is one."""
        if refuse_foreign(self, self.state):
            return
        token = self.state.options.token
        given = self.request.headers.get("x-api-key", "")
        known = token is None or hmac.compare_digest(given.encode(), token.encode())
        if not known and self.path_args != ["health"]:
            self._refuse(401, "this simulator wants its token as x-api-key")

    def get(self, name: str) -> None:
        """Show one part of the state."""
        state = self.state
        if name == "health":
            nonce, token = self.get_query_argument("nonce", ""), state.options.token
            shown = {"proof": proof(token, nonce)} if token and nonce else {}
            self.finish({**health(state), **shown})
        elif name == "ledger":
            self.finish({"jobs": [entry.as_json() for entry in state.ledger()]})
        elif name == "requests":
            self.finish({"requests": [entry.as_json() for entry in state.requests()]})
        elif name == "faults":
            self.finish({"faults": [fault.as_json() for fault in state.faults.listed()]})
        else:
            self._refuse(404, f"there is no {name!r} here")

    def post(self, name: str) -> None:
        """Switch faults on, or move the clock."""
        try:
            body = json.loads(self.request.body)
            if name == "faults":
                entries = body if isinstance(body, list) else [body]
                self.state.faults.add([Fault.of(**entry) for entry in entries])
                self.get("faults")
            elif name == "advance":
                self.finish({"now": self.state.clock.advance(float(body["seconds"]))})
            else:
                self._refuse(404, f"{name!r} takes no POST")
        except (ValueError, TypeError, KeyError) as problem:
            self._refuse(400, str(problem))

    def delete(self, name: str) -> None:
        """Switch all faults off."""
        if name != "faults":
            self._refuse(404, f"{name!r} takes no DELETE")
            return
        self.state.faults.clear()
        self.get("faults")

    def _refuse(self, status: int, message: str) -> None:
        self.set_status(status)
        self.finish({"error": message})
