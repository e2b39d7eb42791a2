"""``%hailuo providers``, ``key``, ``settings``, ``doctor`` and ``version``: what runs need."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from hailuo_jupyter import catalogue, keys
from hailuo_jupyter.kernel import origin
from hailuo_jupyter.kernel.bridge import heard_version
from hailuo_jupyter.kernel.bridge_messages import PROTOCOL
from hailuo_jupyter.kernel.commands.saying import say
from hailuo_jupyter.kernel.dry_run import price_words
from hailuo_jupyter.kernel.options import Line, Option, Takes
from hailuo_jupyter.kernel.words import harmless
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.own_prices import with_own_prices
from hailuo_jupyter.settings import Hailuo

OPTIONS = {
    "key": (Option("keyring", Takes.NOTHING, "keep it in the system's keyring"),),
    "providers": (
        Option("balance", Takes.NOTHING, "ask each provider what is left; costs nothing"),
    ),
}


def _providers(read: Line, _ip: Any) -> None:
    folder, prices = origin.notebook().folder, Hailuo.instance().prices_usd
    for each in catalogue.providers():
        provider = with_own_prices(each, prices)
        key = keys.find(provider.name, provider.key_variables, folder)
        say(
            f"{provider.name}: {provider.title}, {provider.model} (as of {provider.as_of})",
            f"  key: {'present, ' + key.origin if key else 'absent; set ' + provider.key_variables[0]}",
            *(
                f"  --{c.name} {'|'.join(map(str, c.values))} (default {c.default}): {c.help}"
                for c in provider.choices
            ),
            *_prices(provider),
            *([f"  balance: {_balance(provider, folder)}"] if key and read.flag("balance") else ()),
        )
    say("demo: simulated clips, no key, nothing to pay")


def _balance(provider: Provider, folder: Path) -> str:
    from hailuo_jupyter.engine import account, process

    return harmless(account.balance(process.engine(), provider, folder))


def _prices(provider: Provider) -> Iterator[str]:
    for at, rule in enumerate(provider.prices):
        chosen = [f"{name} {value}" for name, value in rule.when.items()]
        of = ", ".join(["price", *(chosen or (["otherwise"] if at else []))])
        yield f"  {of}: {price_words(rule.then).removeprefix('Price: ')}"


def _key(read: Line, _ip: Any) -> None:
    provider = catalogue.provider(read.words[0])
    value = getpass.getpass(f"Key for {provider.title}: ")
    if read.flag("keyring"):
        keys.store(provider.name, value)
        say("The key is in the system's keyring.")
    else:
        keys.remember(provider.name, value)
        say("The key is in this kernel's memory until it ends.")


def _settings(_read: Line, _ip: Any) -> None:
    rows = Hailuo.instance().origins()
    width = max(len(name) for name, _, _ in rows)
    say(*(f"  {name:<{width}}  {value!r}  ({where})" for name, value, where in rows))


def _doctor(_read: Line, ip: Any) -> None:
    from hailuo_jupyter.doctor import FrontEnd, diagnose

    page = None
    if origin.audience(ip) is origin.Audience.FRONT_END:
        page = FrontEnd(PROTOCOL if origin.heard() else None, heard_version())
    here = origin.notebook().folder
    say(*diagnose(Hailuo.instance(), here, kernel=True, front_end=page).lines())


def _version(_read: Line, _ip: Any) -> None:
    names = ("hailuo-jupyter", "ipython", "ipykernel", "ipywidgets", "jupyterlab", "httpx", "av")
    versions: list[str] = []
    for name in names:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} is not installed")
    say(*versions, f"Python {platform.python_version()}")


DO: dict[str, Callable[[Line, Any], None]] = {
    "providers": _providers,
    "key": _key,
    "settings": _settings,
    "doctor": _doctor,
    "version": _version,
}
