"""The providers' APIs: one file per provider, and the one module that uses HTTP."""

from __future__ import annotations

import os
from collections.abc import Mapping

from hailuo_jupyter import settings
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.providers.aimlapi import AimlApi
from hailuo_jupyter.providers.base import Dialect
from hailuo_jupyter.providers.fal import Fal
from hailuo_jupyter.providers.minimax import MiniMax
from hailuo_jupyter.providers.replicate import Replicate
from hailuo_jupyter.providers.runware import Runware
from hailuo_jupyter.providers.segmind import Segmind

_DIALECTS: Mapping[str, type[Dialect]] = {
    "segmind": Segmind,
    "aimlapi": AimlApi,
    "fal": Fal,
    "replicate": Replicate,
    "runware": Runware,
    "minimax": MiniMax,
}


def dialect(provider: Provider, addresses: Mapping[str, str] | None = None) -> Dialect:
    """Return the adapter for a provider's API.

    Someone who uses the provider's API at another address (a gateway with a separate key) does not want that
    key to be sent to the provider: in that case storage and history only have an address if the environment
    sets one.

    Parameters
    ----------
    provider
        Entry of the catalogue.
    addresses
        Base address by role (``api``, ``storage``, ``history``), if it comes from neither the environment
        nor the catalogue: the demo's simulator has its own port.

    Raises
    ------
    SettingsError
        If an address is neither https nor loopback.
    """
    if addresses is None:
        addresses = {
            role: settings.address(base.url, base.variable)
            for role, base in provider.base_urls.items()
        }
        if addresses["api"] != provider.base_urls["api"].url:
            addresses = {
                role: url
                for role, url in addresses.items()
                if os.environ.get(provider.base_urls[role].variable)
            }
    return _DIALECTS[provider.dialect](provider, addresses)
