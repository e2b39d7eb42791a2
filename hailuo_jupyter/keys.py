"""Where a provider's key is looked for, and how it is kept from being seen.

In order: what ``%hailuo key`` put into this process's memory; the environment; a ``.env`` file in
the notebook's folder (keys only, never addresses: a cloned folder must not redirect a key); the
operating system's keyring. A key is shown only as present or absent: even a few of its characters
have leaked real keys into committed notebooks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hailuo_jupyter import redact
from hailuo_jupyter.errors import NOTHING_SENT, KeyMissing, SettingsError

_SERVICE = "hailuo-jupyter"
_memory: dict[str, str] = {}


class Key:
    """A provider's key; its repr and str never show it.

    Parameters
    ----------
    value
        The key itself.
    origin
        Where it was found, in words.
    """

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: str) -> None:
        self._value, self.origin = value, origin
        redact.register(value)

    def reveal(self) -> str:
        """Give the key itself; the HTTP seam alone has a use for it."""
        return self._value

    def __repr__(self) -> str:
        return f"<key from {self.origin}>"


def remember(provider: str, value: str) -> None:
    """Keep a key in this process's memory until the kernel ends.

    Raises
    ------
    SettingsError
        If the key is empty or holds what no HTTP header can carry.
    """
    _memory[provider] = _checked(value)
    redact.register(_memory[provider])


def forget(provider: str) -> None:
    """Remove a key from this process's memory."""
    _memory.pop(provider, None)


def store(provider: str, value: str) -> None:
    """Keep a key in the operating system's keyring (extra ``keyring``).

    Raises
    ------
    SettingsError
        If there is no keyring on this machine, or the key cannot be one.
    """
    value = _checked(value)
    try:
        import keyring

        keyring.set_password(_SERVICE, provider, value)
    except Exception as error:  # noqa: BLE001 - keyring's backends raise whatever their system does
        raise SettingsError(
            f"The key could not be put into a keyring ({type(error).__name__}).",
            todo="Install the extra 'keyring', or use %hailuo key without --keyring, or the environment.",
        ) from None


def find(provider: str, variables: Sequence[str], folder: Path | None = None) -> Key | None:
    """Look for a provider's key.

    Parameters
    ----------
    provider
        Name of the provider, as in the catalogue.
    variables
        Environment variables that may hold its key, the recommended one first.
    folder
        The notebook's folder, where a ``.env`` may lie. It is read anew each time, so that a key can
        be changed without a restart.

    Returns
    -------
    Key or None
        None where there is no key at all.
    """
    if value := _memory.get(provider):
        return Key(value, "this kernel's memory")
    for variable in variables:
        if value := os.environ.get(variable, "").strip():
            return Key(
                _checked(value, f"the environment variable {variable}"), f"environment {variable}"
            )
    if folder is not None and (found := _from_dotenv(folder / ".env", variables)):
        return found
    return _from_keyring(provider)


def require(
    provider: str, title: str, variables: Sequence[str], page: str, folder: Path | None = None
) -> Key:
    """Do as `find`, but raise where there is no key.

    Raises
    ------
    KeyMissing
        With the variable to set and the page that gives a key.
    """
    if key := find(provider, variables, folder):
        return key
    raise KeyMissing(
        f"There is no key for {title}.",
        money=NOTHING_SENT,
        todo=f"Set {variables[0]} in the environment, or run '%hailuo key {provider}'. A key is to be had "
        f"at {page}. To try without one: --provider demo.",
    )


def every(provider: str, variables: Sequence[str], folder: Path | None = None) -> list[Key]:
    """Give every key of a provider that is anywhere to be found, for who looks for leaks of them."""
    found = [Key(value, "this kernel's memory")] if (value := _memory.get(provider)) else []
    for variable in variables:
        if value := os.environ.get(variable, "").strip():
            found.append(Key(value, f"environment {variable}"))
        try:
            found += [key] if folder and (key := _from_dotenv(folder / ".env", [variable])) else []
        except SettingsError:
            continue  # no key could look so
    with suppress(SettingsError):
        found += [key] if (key := _from_keyring(provider)) else []
    return found


def _checked(value: str, where: str = "the key given") -> str:
    value = value.strip()
    if value and value.isascii() and value.isprintable() and " " not in value:
        return value
    raise SettingsError(
        f"What is in {where} cannot be a key: it is empty, or holds spaces or other than plain ASCII.",
        money=NOTHING_SENT,
        todo="Copy the key once more from the provider's page.",
    )


def _from_dotenv(path: Path, variables: Sequence[str]) -> Key | None:
    try:
        if not path.is_file():
            return None
        from dotenv import dotenv_values

        values = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError):
        return None
    for variable in variables:
        if value := (values.get(variable) or "").strip():
            return Key(_checked(value, f"{variable} of the .env file"), f".env {variable}")
    return None


def _from_keyring(provider: str) -> Key | None:
    try:
        import keyring

        value = keyring.get_password(_SERVICE, provider)
    except Exception:  # noqa: BLE001 - no keyring, locked or broken: all mean that no key is there
        return None
    return Key(_checked(value, "the keyring"), "keyring") if value else None
