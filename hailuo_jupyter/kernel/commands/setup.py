"""``%hailuo providers``, ``key``, ``settings``, ``doctor`` and ``version``: what runs need."""

from __future__ import annotations

import getpass
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from hailuo_jupyter import catalogue, keys, redact
from hailuo_jupyter.catalogue.price_lists import priced
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.errors import OptionError, SettingsError
from hailuo_jupyter.formatting import escape_control
from hailuo_jupyter.kernel import context, host_secrets
from hailuo_jupyter.kernel.comm import front_end_version
from hailuo_jupyter.kernel.comm_messages import PROTOCOL
from hailuo_jupyter.kernel.commands.echo import echo
from hailuo_jupyter.kernel.magic_args import Option, OptionLine, Takes
from hailuo_jupyter.keys import Key
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.sinks.status import status

#: A wrong provider's name; keys are longer, or have digits.
_MISSPELLED = re.compile(r"[A-Za-z-]{1,15}")

OPTIONS = {
    "key": (
        Option("keyring", Takes.NOTHING, "save it in the system keyring"),
        Option(
            "use",
            Takes.VALUE,
            "which of two keys to use in this folder; asks for no key",
            choices=(keys.DOTENV, keys.KEYRING),
        ),
    ),
    "providers": (Option("balance", Takes.NOTHING, "ask each provider for the balance (free)"),),
}


def _providers(read: OptionLine, _ip: Any) -> None:
    from hailuo_jupyter.engine import process
    from hailuo_jupyter.engine.resources import ProviderRegistry

    folder, settings = context.notebook().folder, Hailuo.instance()
    registry = ProviderRegistry(settings)
    process.get_engine().refresh_prices(*(o for o in catalogue.offers() if o.has_price_list))
    for each in catalogue.providers():
        provider = priced(each, settings)
        host_secrets.look([provider], folder)
        key = registry.find(provider, folder)
        echo(
            f"{provider.name}: {provider.title}, {provider.model} (as of {provider.as_of})",
            f"  key: {'present, ' + key.origin if key else 'absent; set ' + provider.key_variables[0]}",
            *(
                f"  --{c.name} {'|'.join(map(str, c.values))} (default {c.default}): {c.help}"
                for c in provider.choices
            ),
            *_prices(provider),
            *_other_models(provider, settings),
            *([f"  balance: {_balance(provider, folder)}"] if key and read.flag("balance") else ()),
        )
    echo("demo: simulated clips, no key, free")


def _balance(provider: Provider, folder: Path) -> str:
    from hailuo_jupyter.engine import process

    return escape_control(process.get_engine().balance(provider, folder))


def _other_models(provider: Provider, settings: Hailuo) -> Iterator[str]:
    for offer in catalogue.offers():
        if offer.name == provider.name and offer.model_name != provider.model_name:
            yield f"  --model {offer.model_name}: {offer.model} (as of {offer.as_of})"
            yield from (
                f"    --{c.name} {'|'.join(map(str, c.values))} (default {c.default}): {c.help}"
                for c in offer.choices
            )
            yield from (f"  {line}" for line in _prices(priced(offer, settings)))


def _prices(provider: Provider) -> Iterator[str]:
    for index, rule in enumerate(provider.prices):
        chosen = [f"{name} {value}" for name, value in rule.when.items()]
        label = ", ".join(["price", *(chosen or (["otherwise"] if index else []))])
        yield f"  {label}: {rule.then.sentence().removeprefix('Price: ')}"


def _key(read: OptionLine, _ip: Any) -> None:
    name, *more = read.words
    providers = [each.name for each in catalogue.providers()]
    if name.casefold() == "demo" and not more:
        echo("The demo needs no key. Use --provider demo.")
        return
    if more or not (name.casefold() in providers or catalogue.did_you_mean(name, providers)):
        if not more and _MISSPELLED.fullmatch(name):
            catalogue.provider(name)  # raises the error that lists the providers
        raise _key_in_the_cell(read.words, providers)
    provider = catalogue.provider(name)
    if place := read.text("use"):
        _use(provider, place)
        return
    key = _typed(provider)
    keys.remember(provider.name, key)
    here = "Key saved for this kernel session only."
    if not read.flag("keyring"):
        echo(here)
        return
    try:
        keys.store(provider.name, key)
    except SettingsError as error:
        echo(f"{error.what} {here}", error.todo)
    else:
        keys.forget(provider.name)
        echo("Key saved in the system keyring.")


def _use(provider: Provider, place: str) -> None:
    from hailuo_jupyter.engine import process

    process.get_engine().choose_key(provider, context.notebook().folder, place)
    where = "the .env file" if place == keys.DOTENV else "the system keyring"
    echo(f"{provider.title} now uses the key in {where} in this folder.")


def _typed(provider: Provider) -> Key:
    """Ask for a key, without echo.

    Raises
    ------
    SettingsError
        If there is no input here.
    """
    try:
        return Key(getpass.getpass(f"Key for {provider.title}: "), "what was typed")
    except (NotImplementedError, EOFError, OSError, AttributeError):
        # A kernel run by nbclient or papermill, or a process without a standard input.
        pass
    raise SettingsError(
        "Can't ask for a key: this notebook runs unattended.",
        todo=f"Set {provider.key_variables[0]} in the environment, or in a .env file next to the "
        f"notebook.",
    )


def _key_in_the_cell(words: Sequence[str], providers: Sequence[str]) -> OptionError:
    """Return the error for a key typed in place of a provider's name, without the key."""
    for word in words:
        if any(char.isdecimal() for char in word):  # a word is not a key
            redact.register(word)
    return OptionError(
        f"%hailuo key takes a name ({' or '.join(providers)}), and asks for the key. "
        "A key typed here is now in this cell and in IPython's history.",
        todo="Delete it, save, restart the kernel, and run 'ipython history clear' in a "
        "terminal. If others have the notebook, replace the key.",
    )


def _settings(_read: OptionLine, _ip: Any) -> None:
    settings = Hailuo.instance()
    rows = settings.origins()
    width = max(len(name) for name, _, _ in rows)
    echo(*(f"  {name:<{width}}  {value!r}  ({where})" for name, value, where in rows))
    if settings.refused:
        echo("Ignored in IPython's configuration:", *settings.refused)


def _doctor(_read: OptionLine, ip: Any) -> None:
    from hailuo_jupyter.doctor import FrontEnd, diagnose

    page = None
    if context.frontend(ip) is context.Frontend.INTERACTIVE:
        page = FrontEnd(PROTOCOL if context.has_frontend() else None, front_end_version())
    here = context.notebook().folder
    echo(*diagnose(Hailuo.instance(), here, kernel=True, front_end=page).lines())


def _version(_read: OptionLine, _ip: Any) -> None:
    names = ("hailuo-jupyter", "ipython", "ipykernel", "ipywidgets", "jupyterlab", "httpx", "av")
    versions: list[str] = []
    for name in names:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} is not installed")
    echo(*versions, f"Python {platform.python_version()}")


def _sinks(_read: OptionLine, _ip: Any) -> None:
    settings = Hailuo.instance()
    found = status(settings)
    width = max(len(each.name) for each in found)
    for each in found:
        text = f"{each.words.rstrip('.')}. {each.todo}".strip() if each.todo else each.words
        echo(escape_control(f"{'*' if each.chosen else ' '} {each.name:<{width}}  {text}"))
    echo(
        "Sinks marked * receive the record and clip of each finished run, never keys."
        if settings.sinks
        else "No sinks are set. Example: %config Hailuo.sinks = ['mlflow']"
    )


DO: dict[str, Callable[[OptionLine, Any], None]] = {
    "providers": _providers,
    "key": _key,
    "settings": _settings,
    "doctor": _doctor,
    "version": _version,
    "sinks": _sinks,
}
