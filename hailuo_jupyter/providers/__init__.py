"""The providers' wires: one file a provider, and the one module that speaks HTTP."""

from __future__ import annotations

import os
from collections.abc import Mapping

from hailuo_jupyter import settings
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.providers.aimlapi import AimlApi
from hailuo_jupyter.providers.base import Dialect
from hailuo_jupyter.providers.segmind import Segmind

_DIALECTS: Mapping[str, type[Dialect]] = {"segmind": Segmind, "aimlapi": AimlApi}


def dialect(provider: Provider, addresses: Mapping[str, str] | None = None) -> Dialect:
    """Give the adapter that speaks a provider's wire.

    Who has the provider's own API at another address (a gateway, with a key of its own) does not
    want that key to be sent to the provider: there, storage and history have an address only where
    the environment names one.

    Parameters
    ----------
    provider
        Entry of the catalogue.
    addresses
        Base address by role (``api``, ``storage``, ``history``), where it is neither the environment
        nor the catalogue that tells: the demo's simulator has a port of its own.

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
