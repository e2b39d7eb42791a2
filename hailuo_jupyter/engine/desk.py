"""The run logs of this process, its place in them, and how it reaches the providers.

The demo has a log of its own, so that it teaches no false times and spends no budget.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from hailuo_jupyter import catalogue, keys, providers
from hailuo_jupyter.engine.demo import simulator_address
from hailuo_jupyter.engine.pace import Clock
from hailuo_jupyter.keys import Key
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.own_prices import with_own_prices
from hailuo_jupyter.providers.base import Dialect
from hailuo_jupyter.runlog import Owner, Row, RunLog
from hailuo_jupyter.runlog.queries import several
from hailuo_jupyter.settings import Hailuo


@dataclass(frozen=True)
class Desk:
    """A run log, and this process as an owner of runs in it."""

    log: RunLog
    owner: Owner


class Desks:
    """Both run logs, opened when they are first needed.

    Parameters
    ----------
    settings
        Tells where they lie.
    clock
        Its wall clock dates the rows.
    """

    def __init__(self, settings: Hailuo, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._open: dict[bool, Desk] = {}
        self._lock = threading.Lock()

    def of(self, provider: str) -> Desk:
        """Give the desk for a provider's runs.

        Raises
        ------
        RunLogError, DiskError
            If the log cannot be opened.
        """
        demo = provider == "demo"
        with self._lock:
            if demo not in self._open:
                log = RunLog(self._settings.run_log_path(demo=demo), clock=self._clock.wall)
                self._open[demo] = Desk(log, Owner(log.path))
            return self._open[demo]

    def all(self) -> list[Desk]:
        """Give the user's desk, and the demo's where the demo was ever used."""
        found = [self.of("")]
        if True in self._open or self._settings.run_log_path(demo=True).exists():
            found.append(self.of("demo"))
        return found

    def opened(self) -> list[Desk]:
        """Give the desks that were opened by now; opens none."""
        with self._lock:
            return list(self._open.values())

    def find(self, run_id: str) -> Row:
        """Find a run by its id, or by an unambiguous part of it.

        Raises
        ------
        RunNotFound
            If no log has it, or several runs are called so.
        """
        desks = self.all()
        found: list[Row] = []
        for desk in desks:
            for row in desk.log.fitting(run_id):
                if row.run_id == run_id:
                    return row
                found.append(row)
        if len(found) == 1:
            return found[0]
        if found:
            raise several(run_id, [row.run_id for row in found])
        return desks[0].log.get(run_id)  # which has the words for it

    def close(self) -> None:
        """Give up every run and close the logs."""
        with self._lock:
            for desk in self._open.values():
                desk.owner.close()
                desk.log.close()
            self._open.clear()


class Wires:
    """Keys and adapters, as settings and environment have them at the moment.

    Parameters
    ----------
    settings
        Tells whose wire the demo speaks, and how fast.
    dotenv
        Whether a ``.env`` file is read. It is where a person has begun something in its folder.
    """

    def __init__(self, settings: Hailuo, *, dotenv: bool = True) -> None:
        self._settings, self._dotenv = settings, dotenv

    def provider(self, name: str, dialect: str | None = None) -> Provider:
        """Give a provider of the catalogue; the demo speaks `dialect`, or the one that is set."""
        found = catalogue.provider(
            name,
            demo_dialect=dialect or self._settings.demo_dialect,
            demo_speed=self._settings.demo_speed,
        )
        return with_own_prices(found, self._settings.prices_usd)

    def key(self, provider: Provider, folder: Path) -> Key:
        """Give a provider's key.

        Raises
        ------
        KeyMissing
            If there is none.
        """
        if provider.name == "demo":
            return Key("the-demo-needs-no-key", "the demo")
        return keys.require(
            provider.name,
            provider.title,
            provider.key_variables,
            provider.key_page,
            folder if self._dotenv else None,
        )

    def dialect(self, provider: Provider) -> Dialect:
        """Give the adapter; the demo's simulator is started where it does not run. Blocks then.

        Raises
        ------
        SettingsError
            If an address is neither https nor loopback.
        ProviderDown
            If the simulator does not start.
        """
        if provider.name != "demo":
            return providers.dialect(provider)
        folder = self._settings.run_log_path(demo=True).parent
        url = simulator_address(folder, self._settings.demo_speed)
        return providers.dialect(
            provider, {"api": url, "storage": url, "history": f"{url}/inference-request"}
        )
