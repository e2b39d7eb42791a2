"""What is left in a provider's account: asked only when a person asks."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLong
from pathlib import Path

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.errors import HailuoError, KeyMissing, ProviderError
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.providers.http import Lost, Unsent

#: Seconds that a person waits for it.
_PATIENCE_S = 15.0


def balance(engine: Engine, provider: Provider, folder: Path) -> str:
    """Say what is left in an account, or why that is not known. Blocks; costs nothing.

    Parameters
    ----------
    engine
        Its connections and keys are used.
    provider
        Whose account.
    folder
        The notebook's folder, where a ``.env`` may lie.

    Returns
    -------
    str
        Words for a person; never the key.
    """
    found: Future[str] = Future()

    async def ask() -> None:
        try:
            found.set_result(await _asked(engine, provider, folder))
        except Exception as error:  # noqa: BLE001 - raised again in the asking thread
            found.set_exception(error)

    asking = engine.spawn(ask())
    try:
        return found.result(_PATIENCE_S)
    except WaitedTooLong:
        asking.cancel()
        return f"not known: {provider.title} did not answer within {_PATIENCE_S:.0f} s"
    except KeyMissing:
        return "not known: there is no key"
    except ProviderError as error:
        # What an error says of runs and clips is not meant here.
        return f"not known: {error.what.rstrip('.')}"
    except (HailuoError, Unsent, Lost) as error:
        return f"not known: {str(error).rstrip('.')}"


async def _asked(engine: Engine, provider: Provider, folder: Path) -> str:
    dialect = await asyncio.to_thread(engine.wires.dialect, provider)
    call = dialect.balance()
    if call is None:
        return "not told by this provider"
    key = await asyncio.to_thread(engine.wires.key, provider, folder)
    reply = await engine.http().send(call, dialect.key_headers(key.reveal()))
    return dialect.read_balance(reply)
