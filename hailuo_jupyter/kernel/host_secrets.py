"""Keys in the secret stores of hosted notebooks: Google Colab's and Kaggle's.

Both send requests to the page: Colab's may show a dialog, and waits for the main thread's own requests;
Kaggle's sends a separate request. So only a cell that needs a key asks, and only if there is no other.
The keys are kept in memory, as the engine's thread cannot request them.

Interfaces, read in their sources: ``google.colab.userdata.get`` (googlecolab/colabtools) and
``kaggle_secrets.UserSecretsClient.get_secret`` (Kaggle/docker-python).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from hailuo_jupyter import keys
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.errors import SettingsError
from hailuo_jupyter.kernel import context, frontends
from hailuo_jupyter.keys import Key

#: Their errors about a single secret; after any other error the rest need not be requested.
_NO_SUCH_SECRET = {"SecretNotFoundError", "NotebookAccessError", "BackendError"}


def _colab() -> Callable[[str], object]:
    return _function(import_module("google.colab.userdata").get)


def _kaggle() -> Callable[[str], object]:
    return _function(import_module("kaggle_secrets").UserSecretsClient().get_secret)


def _function(found: Any) -> Callable[[str], object]:
    if not callable(found):
        raise TypeError("it is not what its documentation says")
    return found  # type: ignore[no-any-return]


_STORES = {frontends.COLAB: _colab, frontends.KAGGLE: _kaggle}


def look(providers: Iterable[Provider], folder: Path) -> None:
    """Look for a key in the host's secret store; stops at the first provider that has one.

    Does nothing outside a cell's own thread, outside Colab and Kaggle, and for a provider that has a key
    elsewhere. A key that came from the store is requested again: it may have been replaced there.

    Parameters
    ----------
    providers
        The providers whose key is needed.
    folder
        Where a ``.env`` may be.
    """
    host = _host()
    if host is None:
        return
    for provider in providers:
        if _has_another(provider, folder):
            return
        if (key := _ask(host, provider.key_variables)) is not None:
            try:
                keys.offer(provider.name, key)
            except SettingsError:  # the store's value is not a valid key
                continue
            return


def _host() -> frontends.Host | None:
    """Return the host whose store this thread may access; None if there is none."""
    if threading.current_thread() is not threading.main_thread():
        return None
    ip = context.shell()
    # A form's handlers run on this thread too, but a dialog would belong to no cell.
    if context.parent(ip).get("header", {}).get("msg_type") != "execute_request":
        return None
    host = context.host(ip)
    return host if host in _STORES else None


def _has_another(provider: Provider, folder: Path) -> bool:
    try:
        key = keys.find(provider.name, provider.key_variables, folder)
    except SettingsError:  # there is an invalid key, which is reported when it is used
        return True
    return key is not None and key is not keys.offered(provider.name)


def _ask(host: frontends.Host, names: Iterable[str]) -> Key | None:
    try:
        get = _STORES[host]()
    except Exception:  # noqa: BLE001 - no such module, or no access: no key there
        return None
    for name in names:
        try:
            key = Key(str(get(name) or ""), f"{host.secrets} ({name})")
        except Exception as error:  # noqa: BLE001 - whatever the host's module raises
            if type(error).__name__ in _NO_SUCH_SECRET:
                continue
            return None
        if key.reveal():
            return key
    return None
