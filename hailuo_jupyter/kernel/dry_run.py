"""``--dry-run``: the exact request and its price, and nothing is sent."""

from __future__ import annotations

import json

from hailuo_jupyter import providers
from hailuo_jupyter.engine.body import as_recorded
from hailuo_jupyter.frame import Frame
from hailuo_jupyter.kernel import generate, origin
from hailuo_jupyter.kernel.generate import Wish
from hailuo_jupyter.kernel.words import usd
from hailuo_jupyter.offer import Price
from hailuo_jupyter.plain import harmless
from hailuo_jupyter.settings import Hailuo


def show(wish: Wish, settings: Hailuo) -> None:
    """Print what would be sent, frames as hashes, and what it would cost.

    Raises
    ------
    HailuoError
        If the request is wrong.
    """
    folder = origin.notebook().folder
    provider, remark = generate.choose_provider(settings, wish.provider, folder)
    request = generate.request_of(wish, provider, settings, folder)
    frames = {
        role: _stands_for(frame, upload=provider.frames_as == "upload")
        for role, frame in (("first", request.first_frame), ("last", request.last_frame))
        if frame is not None
    }
    addresses = {role: base.url or "http://127.0.0.1" for role, base in provider.base_urls.items()}
    call = providers.dialect(provider, addresses).submit(request, frames, "dry-run")
    body = json.dumps(as_recorded(call.body or {}, request, frames), ensure_ascii=False, indent=2)
    price = price_words(provider.price(request.options), wish.count)
    lines = [remark, f"{call.method} {call.url}", body, price, "Dry run: nothing was sent."]
    print(harmless("\n".join(line for line in lines if line)))  # noqa: T201


def _stands_for(frame: Frame, *, upload: bool) -> str:
    if frame.url is not None:
        return frame.url
    return f"upload:{frame.sha256}" if upload else frame.data_uri()


def price_words(price: Price, count: int = 1) -> str:
    """Say what a number of clips costs, and how sure that is.

    Parameters
    ----------
    price
        For one clip, from the catalogue.
    count
        How many.
    """
    if price.kind == "free":
        return "Price: free (demo)."
    if price.low is None or price.high is None:
        return "Price: unknown; nobody publishes it" + (
            f" ({price.source})." if price.source else "."
        )
    low, high = usd(price.low * count), usd(price.high * count)
    amount = f"{low} USD" if low == high else f"{low} to {high} USD"
    clips = "a clip" if count == 1 else f"{count} clips"
    if price.kind == "user":
        return f"Price: about {amount} for {clips} ({price.source})."
    return f"Price: about {amount} for {clips} ({price.kind}, {price.as_of}: {price.source})."
