"""Where a provider's key is looked up, and how it is kept secret.

In order: what ``%hailuo key`` put into this process's memory; the environment; a ``.env`` file in the
notebook's folder (keys only, never addresses: a cloned folder must not redirect a key); the operating
system's keyring; a key from a hosted notebook's secret store (see `offer`). If the ``.env`` file and
the keyring hold different keys, the user chooses one for that folder before anything is bought.

A key is shown only as present or absent: even a few of its characters have leaked real keys into
committed notebooks.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import NoReturn

from hailuo_jupyter import redact
from hailuo_jupyter.errors import NOTHING_SENT, KeyMissing, SettingsError

_SERVICE = "hailuo-jupyter"

#: Most bytes that are read of a ``.env`` file; a larger one is not a list of keys.
MOST_DOTENV = 64 * 1024

#: The two places a user chooses between if they hold different keys.
DOTENV, KEYRING = ".env", "keyring"

_memory: dict[str, Key] = {}

#: Keys from a hosted notebook's store. Only a cell can read that store, but all threads need its key.
_offered: dict[str, Key] = {}


class Key:
    """A provider's key; its repr and str never show it.

    The key is passed around as this object: tools that show the local variables of a traceback
    (``%xmode Verbose``, rich, cgitb) also show ours.

    Parameters
    ----------
    value
        The key itself.
    origin
        Where it was found, in words.
    """

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: str) -> None:
        self._value, self.origin = value.strip(), origin
        redact.register(self._value)

    def reveal(self) -> str:
        """Return the key itself. Never put it into a variable."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"<key from {self.origin}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key cannot be pickled or copied")


@dataclass(frozen=True)
class KeyHeader:
    """The header that carries a key to its provider.

    Parameters
    ----------
    name
        Name of the header.
    key
        The key.
    scheme
        What precedes the key, such as ``Bearer``; empty for nothing.
    """

    name: str
    key: Key
    scheme: str = ""

    def reveal(self) -> str:
        """Return the header's value; only the HTTP seam needs it. Never put it into a variable."""
        return f"{self.scheme} {self.key.reveal()}".lstrip()


def remember(provider: str, key: Key) -> None:
    """Keep a key in this process's memory until the kernel ends.

    Raises
    ------
    SettingsError
        If the key is empty or has characters that are invalid in an HTTP header.
    """
    _memory[provider] = Key(_checked(key, "the key given").reveal(), "this kernel's memory")


def forget(provider: str) -> None:
    """Remove a key from this process's memory."""
    _memory.pop(provider, None)


def offer(provider: str, key: Key) -> None:
    """Keep a key of a hosted notebook's secret store, to use if there is no other.

    Raises
    ------
    SettingsError
        If the key is empty or has characters that are invalid in an HTTP header.
    """
    _offered[provider] = _checked(key, key.origin)


def offered(provider: str) -> Key | None:
    """Return the last offered key."""
    return _offered.get(provider)


def store(provider: str, key: Key) -> None:
    """Keep a key in the operating system's keyring (extra ``keyring``).

    Raises
    ------
    SettingsError
        If there is no keyring on this machine, or the key is not valid.
    """
    _checked(key, "the key given")
    failed: type[Exception] | None = None
    try:
        import keyring

        keyring.set_password(_SERVICE, provider, key.reveal())
    except Exception as error:  # noqa: BLE001 - keyring's backends raise whatever their system does
        failed = type(error)
    # Outside of the handler: the keyring's own error, and the frames below it, contain the key.
    if failed is not None:
        what, todo = _no_keyring(failed)
        raise SettingsError(what, todo=todo)


def _no_keyring(failed: type[Exception]) -> tuple[str, str]:
    """Return why a key is not in a keyring, and what to do."""
    otherwise = "set the key in the environment or in a .env file next to the notebook"
    if issubclass(failed, ImportError):
        return (
            "The keyring library is not installed.",
            f"To keep the key, run '%pip install keyring' and restart the kernel, or {otherwise}.",
        )
    if failed.__name__ == "NoKeyringError":
        return (
            "This system has no keyring (the keyring library found no backend), like most servers.",
            f"To keep the key, {otherwise}.",
        )
    return (
        f"The system's keyring did not accept the key ({failed.__name__}).",
        f"To keep the key, unlock the keyring and try again, or {otherwise}.",
    )


def find(
    provider: str,
    variables: Sequence[str],
    folder: Path | None = None,
    *,
    chosen: Callable[[], str | None] = lambda: None,
) -> Key | None:
    """Look for a provider's key.

    Parameters
    ----------
    provider
        Name of the provider, as in the catalogue.
    variables
        Environment variables that may hold its key, the recommended one first.
    folder
        The notebook's folder, where a ``.env`` may be. It is read again each time, so that a key can be
        changed without a restart.
    chosen
        Returns the place that the user chose for this folder; called only if needed.

    Returns
    -------
    Key or None
        None if there is no key at all.

    Raises
    ------
    SettingsError
        If the first one found is not a valid key.
    """
    if key := _memory.get(provider):
        return key
    for variable in variables:
        if key := _from_environment(variable):
            return _checked(key, f"the environment variable {variable}")
    dotenv_key = _in_dotenv(folder, variables)
    if dotenv_key and chosen() != KEYRING:
        return dotenv_key
    if key := _from_keyring(provider):
        return _checked(key, "the keyring")
    return dotenv_key or _offered.get(provider)


def require(
    provider: str,
    title: str,
    variables: Sequence[str],
    page: str,
    folder: Path | None = None,
    *,
    chosen: Callable[[], str | None] = lambda: None,
) -> Key:
    """Return what `find` returns, but raise if there is no key.

    Raises
    ------
    KeyMissing
        With the variable to set and the page where to get a key.
    """
    if key := find(provider, variables, folder, chosen=chosen):
        return key
    ignored = dotenv_ignored(folder) if folder is not None else ""
    raise KeyMissing(
        f"No API key found for {title}." + (f" {ignored}" if ignored else ""),
        money=NOTHING_SENT,
        todo=f"Get a key at {page}, then run '%hailuo key {provider}' or set {variables[0]}. "
        "Without a key, try --provider demo.",
    )


def conflict(provider: str, variables: Sequence[str], folder: Path) -> bool:
    """Return whether a choice is needed: a folder's ``.env`` and the keyring hold different keys.

    Raises
    ------
    SettingsError
        If the value in the ``.env`` is not a valid key.
    """
    if _memory.get(provider) or any(map(_from_environment, variables)):
        return False
    dotenv_key = _in_dotenv(folder, variables)
    kept = _from_keyring(provider) if dotenv_key else None
    return kept is not None and kept != dotenv_key


def every(provider: str, variables: Sequence[str], folder: Path | None = None) -> list[Key]:
    """Return every available key of a provider: each may have bought a run, or leaked."""
    found = [
        _memory.get(provider),
        *map(_from_environment, variables),
        *(_from_dotenv(folder / ".env", each) for each in (variables if folder else ()) if folder),
        _from_keyring(provider),
        _offered.get(provider),
    ]
    return [key for key in found if key is not None]


def dotenv_ignored(folder: Path) -> str:
    """Return why the ``.env`` file of a folder is ignored, as a sentence; empty if it is not."""
    _, problem = _dotenv_text(folder / ".env")
    return problem and f"The .env file in this folder is ignored: {problem}."


def _checked(key: Key, where: str) -> Key:
    if _fits_header(key.reveal()):
        return key
    raise SettingsError(
        f"The value in {where} cannot be a key.",
        money=NOTHING_SENT,
        todo="Copy it again from the provider's page: ASCII characters without spaces.",
    )


def _fits_header(value: str) -> bool:
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


def _from_environment(variable: str) -> Key | None:
    key = Key(os.environ.get(variable, ""), f"environment {variable}")
    return key if key.reveal() else None


def _in_dotenv(folder: Path | None, variables: Sequence[str]) -> Key | None:
    for variable in variables if folder is not None else ():
        if folder is not None and (key := _from_dotenv(folder / ".env", variable)):
            return _checked(key, f"{variable} of the .env file")
    return None


def _from_dotenv(path: Path, variable: str) -> Key | None:
    text, _ = _dotenv_text(path)
    if not text:
        return None
    from dotenv import dotenv_values

    values = dotenv_values(stream=StringIO(text), interpolate=False)
    key = Key(values.get(variable) or "", f".env {variable}")
    return key if key.reveal() else None


def _dotenv_text(path: Path) -> tuple[str, str]:
    """Return the text of a ``.env`` file, and why it is ignored; both empty if there is none."""
    try:
        if not path.is_file():
            return "", ""
        with path.open("rb") as file:
            content = file.read(MOST_DOTENV + 1)
        if len(content) > MOST_DOTENV:
            return "", f"it is larger than {MOST_DOTENV // 1024} kB"
        return _decoded(content)
    except OSError as error:
        return "", f"it cannot be read ({error.strerror})"


#: The longer ones first: the mark of UTF-32 begins with that of UTF-16.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),  # what `>` writes in Windows PowerShell
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _decoded(content: bytes) -> tuple[str, str]:
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), "")
    try:
        text = content.decode(encoding or "utf-8-sig")
    except UnicodeDecodeError as error:
        if encoding:
            return "", f"it is not valid {encoding.upper()}; save it as UTF-8"
        line = content.count(b"\n", 0, error.start) + 1
        return "", f"line {line} is not valid UTF-8; save it as UTF-8"
    if "\0" in text:
        return "", "it is UTF-16 without a byte order mark, or not text; save it as UTF-8"
    return text, ""


def _from_keyring(provider: str) -> Key | None:
    try:
        import keyring

        key = Key(keyring.get_password(_SERVICE, provider) or "", "keyring")
    except Exception:  # noqa: BLE001 - no keyring, locked or broken: in any case there is no key
        return None
    return key if key.reveal() else None
