"""A provider's account: its balance and price list. Free, and requested only on a person's command."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from hailuo_jupyter.catalogue import price_lists
from hailuo_jupyter.catalogue.price_lists import PriceList
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine.resources import Resources
from hailuo_jupyter.errors import HailuoError, KeyMissing, ProviderError
from hailuo_jupyter.providers import price_list
from hailuo_jupyter.providers.base import Call, Dialect
from hailuo_jupyter.providers.http import Lost, Unsent

logger = logging.getLogger(__name__)

_DAY_S = 86400.0


async def balance(resources: Resources, provider: Provider, folder: Path) -> str:
    """Describe what is left in an account, or why that is not known; never the key.

    Parameters
    ----------
    resources
        The engine's connections and keys.
    provider
        Whose account.
    folder
        The notebook's folder, where a ``.env`` may be.
    """
    try:
        dialect = await asyncio.to_thread(resources.providers.dialect, provider)
        call = dialect.balance()
        if call is None:
            return "not reported by this provider"
        key = await asyncio.to_thread(resources.providers.key, provider, folder)
        reply = await resources.thread.http().send(call, dialect.key_header(key))
        return dialect.read_balance(dialect.translated(reply))
    except KeyMissing:
        return "unknown: no API key"
    except ProviderError as error:
        # An error's advice about runs and clips does not apply here.
        return f"unknown: {error.what.rstrip('.')}"
    except (HailuoError, Unsent, Lost) as error:
        return f"unknown: {str(error).rstrip('.')}"


async def refresh_prices(
    resources: Resources, provider: Provider, dialect: Dialect | None = None
) -> None:
    """Read a provider's price list, unless that was tried in the last day.

    Parameters
    ----------
    resources
        The engine's.
    provider, dialect
        Whose list; nothing happens if it has none.
    """
    if not provider.has_price_list:
        return
    with suppress(HailuoError):
        if dialect is None:
            dialect = await asyncio.to_thread(resources.providers.dialect, provider)
        if (call := dialect.price_list()) is not None:
            await _refresh(resources, provider, call)


async def refresh_all_prices(resources: Resources, providers: Sequence[Provider]) -> None:
    """Read several price lists at once, as `refresh_prices` reads one."""
    await asyncio.gather(*(refresh_prices(resources, each) for each in providers))


async def _refresh(resources: Resources, provider: Provider, call: Call) -> None:
    path, now = price_lists.path_of(resources.settings, provider), resources.clock.wall()
    stored = await asyncio.to_thread(price_lists.read, path)
    if stored is None or stored.url != call.url:
        stored = PriceList(call.url, 0.0)
    if 0 <= now - stored.at < _DAY_S:
        return
    # Saved before the request: two kernels ask once, and an unreadable list is not requested again for a day.
    tried = replace(stored, at=now)
    await asyncio.to_thread(price_lists.keep, path, tried)
    headers = {"If-None-Match": stored.etag} if stored.etag else {}
    try:
        request = Call(call.method, call.url, headers=headers)
        reply = await resources.thread.http().send(request, None)
    except (Unsent, Lost) as error:
        logger.debug("%s's price list cannot be read: %s", provider.title, error)
        return
    prices = price_list.prices(provider, reply)
    if prices:
        etag = reply.headers.get("etag", "")
        fresh = replace(tried, etag=etag, prices=stored.renewed(prices))
        await asyncio.to_thread(price_lists.keep, path, fresh)
