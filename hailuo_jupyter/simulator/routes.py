"""Which path is answered by what. Both wires share one root, so the order matters."""

from __future__ import annotations

from tornado.web import Application

from hailuo_jupyter.simulator import aimlapi, aimlapi_account, media, segmind, segmind_history
from hailuo_jupyter.simulator.answers import Answer, RefusedError
from hailuo_jupyter.simulator.control import Control
from hailuo_jupyter.simulator.exchange import Exchange
from hailuo_jupyter.simulator.world import World


class NoSuchPath(Exchange):
    """Everything else: 404 in the form of the wire whose key came along."""

    allowed = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

    async def reply(self, *_: str) -> Answer:
        """Say that there is nothing."""
        if "Authorization" in self.request.headers:
            # A class attribute says which form errors take; here the request decides.
            self.wire = "aimlapi"  # type: ignore[misc]
        raise RefusedError(404, f"Cannot {self.request.method} {self.request.path}")


def application(world: World) -> Application:
    """Return the application that serves a world."""
    history = r"/inference-request/request-history"
    given = {"world": world}
    routes = [
        (r"/_sim/([a-z]+)", Control),
        (r"/v2/generate/video/minimax/generation", aimlapi.Generation),
        (r"/v2/video/generations", aimlapi.UnifiedGeneration),
        (r"/v2/billing", aimlapi_account.Balance),
        (r"/v2/billing/transactions", aimlapi_account.Transactions),
        (r"/v2/logs", aimlapi_account.Logs),
        (r"/v1/models", aimlapi_account.Models),
        (r"/v2/requests/([^/]+)/status", segmind.Status),
        (r"/v[12]/requests/([^/]+)", segmind.Result),
        (r"/v1/get-user-credits", segmind.Credits),
        (r"/v2/([a-z0-9.\-]+)", segmind.Submit),
        (r"/v1/([a-z0-9.\-]+)", segmind.Synchronous),
        (r"/upload-asset", segmind.Upload),
        (history, segmind_history.History),
        (history + r"/([^/]+)", segmind_history.HistoryRow),
        (r"/inference-request/generations", segmind_history.Generations),
        (r"/inference-request/recent-generations", segmind_history.Recent),
        (r"/generations/([^/]+)\.mp4", media.Clip),
        (r"/whale/([^/]+)", media.SignedClip),
        (r"/assets/([^/]+)", media.Asset),
    ]
    return Application(
        [(path, handler, given) for path, handler in routes],
        default_handler_class=NoSuchPath,
        default_handler_args=given,
        # Tornado's own log lines would show signed links.
        log_function=lambda _: None,
    )
