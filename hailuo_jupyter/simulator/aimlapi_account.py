"""AI/ML API's account: balance, transactions, request logs and prices.

Source: the provider's published schemas of these endpoints.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from typing import Any

from hailuo_jupyter.simulator.access import Access
from hailuo_jupyter.simulator.aimlapi import AimlapiExchange
from hailuo_jupyter.simulator.aimlapi_request import CREDITS_PER_DOLLAR, MODEL, PRICES
from hailuo_jupyter.simulator.answers import Answer, RefusedError
from hailuo_jupyter.simulator.clock import iso_time
from hailuo_jupyter.simulator.exchange import Exchange
from hailuo_jupyter.simulator.jobs import Job, Phase

_PAGE, _MAX_PAGE = 50, 100
_MAX_DAYS = 92
_DAY = 86400
_PERIOD = re.compile(r"([1-9][0-9]{0,4})([hd])\Z")


class Balance(AimlapiExchange):
    """``GET /v2/billing``."""

    async def reply(self, *_: str) -> Answer:
        """Tell what is left."""
        access = self.authorize()
        left = 0.0 if access is Access.BROKE else round(self.world.balance(self.who()), 6)
        return Answer(200, {"current_balance": left, "currency": "USD"})


class _Listed(AimlapiExchange):
    """What the two lists have in common."""

    def limit(self) -> int:
        """Return the number of rows asked for."""
        return self.whole("limit", _PAGE, 1, _MAX_PAGE)

    def whole(self, name: str, default: int, low: int, top: int) -> int:
        """Return a whole number from the query."""
        text = self.get_query_argument(name, str(default))
        if not text.isdecimal() or len(text) > len(str(top)) or not low <= int(text) <= top:
            raise RefusedError(400, f"Query validation failed: {name}: expected {low} to {top}")
        return int(text)

    def moment(self, name: str) -> float | None:
        """Return a time from the query in Unix seconds; without an offset it is UTC."""
        text = self.get_query_argument(name, None)
        if text is None:
            return None
        try:
            # In a query string a plus sign means a blank.
            time = dt.datetime.fromisoformat(text.replace(" ", "+"))
            return (time if time.tzinfo else time.replace(tzinfo=dt.UTC)).timestamp()
        except (ValueError, OverflowError) as problem:
            raise RefusedError(
                400, f"Query validation failed: {name}: expected ISO-8601"
            ) from problem

    def landed(self, own_key: str | None = None) -> list[tuple[Job, Phase]]:
        """Return the ended jobs whose rows are there by now, newest first."""
        now, options = self.world.now(), self.world.options
        rows = []
        for job in reversed(self.world.jobs("aimlapi", self.who())):
            phase = job.phase(now, min_polls=options.min_polls)
            late = job.ended_at is None or now < job.ended_at + options.history_delay
            if phase.ended and not late and own_key in (None, job.key_hash):
                rows.append((job, phase))
        return rows


class Transactions(_Listed):
    """``GET /v2/billing/transactions``: one row a charge, after the clip is done."""

    async def reply(self, *_: str) -> Answer:
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
        return Answer(200, {"data": rows[skipped : skipped + limit], "pagination": pagination})

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


class Logs(_Listed):
    """``GET /v2/logs``: one row a request that has ended, up to 92 days back."""

    async def reply(self, *_: str) -> Answer:
        """List one page of requests made with this key."""
        self.authorize(counted=True, limit="logs")
        limit, offset = self.limit(), self.whole("offset", 0, 0, 10**9)
        since, until = self._window()
        statuses = self.get_query_arguments("status")
        if any(status not in ("succeeded", "failed") for status in statuses):
            raise RefusedError(400, "Query validation failed: status: succeeded or failed")
        models = self.get_query_arguments("model")
        rows = [
            row
            for job, phase in self.landed(self.who())
            if since <= job.submitted <= until
            for row in [_log_row(job, phase)]
            if (not statuses or row["status"] in statuses)
            and (not models or {MODEL, MODEL.partition("/")[2]} & set(models))
        ]
        shown = rows[offset : offset + limit]
        more = offset + limit < len(rows)
        pagination = {"limit": limit, "offset": offset, "total": len(rows), "has_more": more}
        return Answer(200, {"data": shown, "pagination": pagination})

    def _window(self) -> tuple[float, float]:
        now = self.world.now()
        period = self.get_query_argument("period", None)
        start, end = self.moment("start"), self.moment("end")
        if period is not None:
            match = _PERIOD.match(period)
            if match is None or start is not None or end is not None:
                raise RefusedError(400, "Query validation failed: period")
            start, end = now - int(match[1]) * (_DAY if match[2] == "d" else 3600), now
        elif (start is None) != (end is None):
            raise RefusedError(400, "Query validation failed: start and end belong together")
        if start is None or end is None:
            # The default is not published.
            return now - 7 * _DAY, now
        if end < start or end - start > _MAX_DAYS * _DAY:
            raise RefusedError(400, f"Query validation failed: at most {_MAX_DAYS} days")
        return start, end


class Models(Exchange):
    """``GET /v1/models?id=&include=pricing``: needs no key."""

    wire = "aimlapi"

    async def reply(self, *_: str) -> Answer:
        """Show the model, and its prices on request."""
        wanted = self.get_query_arguments("id")
        if wanted and MODEL not in wanted:
            return Answer(200, {"object": "list", "data": []})
        model: dict[str, Any] = {
            "id": MODEL,
            "type": "video",
            "info": {"name": "Hailuo 02", "developer": "MiniMax"},
            "endpoints": ["/v2/video/generations", "/v2/generate/video/minimax/generation"],
        }
        if "pricing" in self.get_query_argument("include", ""):
            variants = [
                {"resolution": f"{height}P", "duration": seconds, "price": price}
                for (height, seconds), price in PRICES.items()
                if (height, seconds) != (1080, 10)
            ]
            model["pricing"] = {"type": "variants", "currency": "USD", "variants": variants}
        return Answer(200, {"object": "list", "data": [model]})


def _money(usd: float) -> dict[str, Any]:
    return {"usd": usd, "credits": round(usd * CREDITS_PER_DOLLAR)}


def _charge(job: Job) -> dict[str, Any]:
    return {
        "created_at": iso_time(job.ended_at or job.due),
        "direction": "CHARGE",
        "type": "MODEL_USAGE",
        "amount": _money(job.cost()),
        "model": MODEL,
        "reference_id": job.id,
    }


def _log_row(job: Job, phase: Phase) -> dict[str, Any]:
    return {
        "created": iso_time(job.submitted),
        "status": "succeeded" if phase is Phase.DONE else "failed",
        "origin": "api",
        "model": MODEL,
        "cost": _money(job.cost()),
        "tokens": {"input": 0, "output": 0, "total": 0},
        "request_id": job.media_id,
        "inference_id": job.id,
        "client_request_id": job.client_request_id,
    }


def _cursor(skipped: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"o": skipped}).encode()).decode()
