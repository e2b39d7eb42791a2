"""AI/ML API's pages and decisions that a demo does not need: see `SimulatorOptions`.

Source: the provider's published schemas of these endpoints.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any

from hailuo_jupyter.simulator import aimlapi
from hailuo_jupyter.simulator.aimlapi import PRICES, AimlapiHandler, ListHandler, money
from hailuo_jupyter.simulator.handler import Handler, Route
from hailuo_jupyter.simulator.models import Model, models
from hailuo_jupyter.simulator.responses import RefusedError, Response
from hailuo_jupyter.simulator.state import Job, Phase, VideoRequest, iso_time
from tests.simulator.state import State

#: US dollars for 10 s at 1080P, which no page offers: inferred as the others are.
_LONG_1080P = 0.858


class Generation(aimlapi.Generation):
    """Takes 10 s at 1080P as the options say."""

    state: State

    def read(self, body: dict[str, Any]) -> VideoRequest:
        rule = self.state.options.long_1080p
        if rule == "refuse" or (body.get("resolution"), body.get("duration")) != ("1080P", 10):
            return super().read(body)
        return replace(
            super().read({**body, "resolution": "768P"}),
            height=1080,
            price=_LONG_1080P,
            failure=None if rule == "allow" else "10 s is not available at 1080P",
        )


class UnifiedGeneration(Generation):
    """The same on the unified path."""

    unified = True


class Transactions(ListHandler):
    """``GET /v2/billing/transactions``: one row a charge, after the clip is done."""

    async def reply(self, *_: str) -> Response:
        """List one page of charges."""
        self.authorize()
        limit, skipped = self.limit(), self._skipped()
        since, until = self.moment("from"), self.moment("to")
        direction = self.get_query_argument("direction", "CHARGE")
        kind = self.get_query_argument("type", "MODEL_USAGE")
        rows = [
            _charge(job)
            for job, phase in self.landed()
            if phase is Phase.DONE
            and (since is None or (job.ended_at or 0) >= since)
            and (until is None or (job.ended_at or 0) < until)
            and (direction, kind) == ("CHARGE", "MODEL_USAGE")
        ]
        more = len(rows) > skipped + limit
        pagination = {"next_cursor": _cursor(skipped + limit) if more else None, "has_more": more}
        return Response(200, {"data": rows[skipped : skipped + limit], "pagination": pagination})

    def _skipped(self) -> int:
        cursor = self.get_query_argument("cursor", None)
        if cursor is None:
            return 0
        try:
            skipped = int(json.loads(base64.urlsafe_b64decode(cursor))["o"])
        except (ValueError, KeyError, TypeError) as problem:
            raise RefusedError(400, "Query validation failed: cursor") from problem
        if _cursor(skipped) != cursor:
            raise RefusedError(400, "Query validation failed: cursor")
        return skipped


class Models(AimlapiHandler):
    """``GET /v1/models?id=&include=pricing``: needs no key."""

    async def reply(self, *_: str) -> Response:
        """Show the model, and its prices on request."""
        wanted = self.get_query_arguments("id")
        priced = "pricing" in self.get_query_argument("include", "")
        shown = [
            _entry(model, priced=priced)
            for slug, model in models("aimlapi").items()
            if not wanted or slug in wanted
        ]
        response = Response(200, {"object": "list", "data": shown})
        etag = f'W/"{hashlib.sha256(response.content()).hexdigest()[:16]}"'
        if self.request.headers.get("If-None-Match") == etag:
            return Response(304, b"", {"ETag": etag})
        return replace(response, headers={"ETag": etag})


def _entry(model: Model, *, priced: bool) -> dict[str, Any]:
    paths = {
        "unified": "/v2/video/generations",
        "legacy": "/v2/generate/video/minimax/generation",
    }
    entry: dict[str, Any] = {
        "id": model.slug,
        "type": "video",
        "info": {"name": model.name, "developer": "MiniMax"},
        "endpoints": [path for wire, path in paths.items() if wire in model.wires],
    }
    if priced and "resolution" in model.choices:
        variants = []
        for height, seconds in PRICES:
            when: dict[str, str | int] = {"resolution": f"{height}P", "duration": seconds}
            variants.append({"when": when, "price": model.price(when), "unit": "video", "per": 1})
        entry["pricing"] = {"type": "variants", "currency": "USD", "variants": variants}
    return entry


def _charge(job: Job) -> dict[str, Any]:
    return {
        "created_at": iso_time(job.ended_at or job.due),
        "direction": "CHARGE",
        "type": "MODEL_USAGE",
        "amount": money(job.cost()),
        "model": job.model,
        "reference_id": job.id,
    }


def _cursor(skipped: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"o": skipped}).encode()).decode()


_OWN: dict[type[Handler], type[Handler]] = {
    aimlapi.Generation: Generation,
    aimlapi.UnifiedGeneration: UnifiedGeneration,
}

ROUTES = (
    *(Route(each.path, _OWN.get(each.handler, each.handler)) for each in aimlapi.ROUTES),
    Route(r"/v2/billing/transactions", Transactions),
    Route(r"/v1/models", Models),
)
