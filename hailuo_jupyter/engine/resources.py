"""The resources of an engine: its run logs and providers, and the state its parts share.

The demo has a separate log, so that it does not distort estimates or use budgets.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hailuo_jupyter import catalogue, keys, providers
from hailuo_jupyter.catalogue.price_lists import priced
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine.clock import Clock
from hailuo_jupyter.engine.demo_server import base_addresses
from hailuo_jupyter.engine.demo_server import running as running_simulator
from hailuo_jupyter.engine.events import RunEvents
from hailuo_jupyter.engine.rate_limiter import RateLimiter
from hailuo_jupyter.engine.timings import Timings
from hailuo_jupyter.errors import NOTHING_SENT, KeyConflict, SettingsError
from hailuo_jupyter.keys import Key
from hailuo_jupyter.providers.base import Dialect
from hailuo_jupyter.runlog import Owner, Row, RunLog
from hailuo_jupyter.runlog.key_choices import chosen
from hailuo_jupyter.runlog.queries import ambiguous_id_error
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import UNSENT

if TYPE_CHECKING:  # they load httpx and pydantic, which a lookup of a provider does not need
    from hailuo_jupyter.engine.thread import EngineThread
    from hailuo_jupyter.record import Record


@dataclass(frozen=True)
class OwnedLog:
    """A run log, this process as an owner of runs in it, and the rate limits that it shares through it."""

    log: RunLog
    owner: Owner
    limiter: RateLimiter
    #: When each run of this process is polled next, in seconds since 1970; rate limits may delay it.
    next_polls: dict[str, float] = field(default_factory=dict)

    def claim(self, run_ids: Iterable[str], stopped: Mapping[str, int] | None = None) -> list[Row]:
        """Claim runs for this process, and return those that it owns now; see `RunLog.claim`."""
        run_ids = tuple(run_ids)
        # Each transaction waits for the disk, so there is none if nothing is to be claimed.
        return (
            self.log.rows(self.log.claim(run_ids, self.owner.id, stopped=stopped))
            if run_ids
            else []
        )

    def owns(self, row: Row) -> bool:
        """Return whether this process owns a run."""
        return row.owner == self.owner.id

    def release(self, run_id: str) -> Row:
        """Release a run, if this process owns it, so that any process can continue it."""
        return self.log.release(run_id, self.owner.id)

    def close(self) -> None:
        """Release every run and close the log."""
        self.owner.close()
        self.log.close()


class RunLogs:
    """Both run logs, opened when they are first needed.

    Parameters
    ----------
    settings
        Contain their paths.
    clock
        Provides the times of the rows.
    """

    def __init__(self, settings: Hailuo, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._open: dict[bool, OwnedLog] = {}
        self._lock = threading.Lock()

    def of(self, provider: str) -> OwnedLog:
        """Return the log of a provider's runs.

        Raises
        ------
        RunLogError, DiskError
            If it cannot be opened.
        """
        demo = provider == "demo"
        with self._lock:
            if demo not in self._open:
                log = RunLog(self._settings.run_log_path(demo=demo), clock=self._clock.wall)
                owner = Owner(log.path)
                self._open[demo] = OwnedLog(log, owner, RateLimiter(log, owner.id, self._clock))
            return self._open[demo]

    def all(self) -> list[OwnedLog]:
        """Return the user's log, and the demo's if the demo was ever used."""
        logs = [self.of("")]
        if True in self._open or self._settings.run_log_path(demo=True).exists():
            logs.append(self.of("demo"))
        return logs

    def opened(self) -> list[OwnedLog]:
        """Return the logs that are open; opens none."""
        with self._lock:
            return list(self._open.values())

    def find(self, run_id: str) -> Row:
        """Find a run by its id, or by an unambiguous part of it.

        Raises
        ------
        RunNotFound
            If no log has it, or several runs match.
        """
        logs = self.all()
        matches: list[Row] = []
        for owned in logs:
            for row in owned.log.fitting(run_id):
                if row.run_id == run_id:
                    return row
                matches.append(row)
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise ambiguous_id_error(run_id, [row.run_id for row in matches])
        return logs[0].log.get(run_id)  # raises the error for an unknown run

    def close(self) -> None:
        """Release every run and close the logs."""
        with self._lock:
            for owned in self._open.values():
                owned.close()
            self._open.clear()


class ProviderRegistry:
    """Keys and adapters, by the current settings and environment.

    Parameters
    ----------
    settings
        Contain the API that the demo imitates, and its speed.
    dotenv
        Whether a ``.env`` file is read. It is if a person has started something in its folder.
    """

    def __init__(self, settings: Hailuo, *, dotenv: bool = True) -> None:
        self._settings, self._dotenv = settings, dotenv
        self._demo_key: Key | None = None

    def provider(self, name: str, dialect: str | None = None, model: str | None = None) -> Provider:
        """Return a provider of the catalogue, with a model as `catalogue.provider` takes it.

        The demo uses `dialect`, or the one in the settings.
        """
        provider = catalogue.provider(
            name,
            model=model,
            demo_dialect=dialect or self._settings.demo_dialect,
            demo_speed=self._settings.demo_speed,
        )
        return priced(provider, self._settings)

    def of_record(self, record: Record) -> Provider:
        """Return the provider of a run, with the run's model.

        Raises
        ------
        SettingsError
            If the provider does not exist.
        """
        provider = catalogue.recorded_provider(
            record.provider,
            record.model,
            demo_dialect=record.dialect,
            demo_speed=self._settings.demo_speed,
        )
        return priced(provider, self._settings)

    def key(self, provider: Provider, folder: Path) -> Key:
        """Return a provider's key; the demo's is known once `dialect` was asked for.

        Raises
        ------
        KeyMissing
            If there is none.
        """
        if provider.name == "demo":
            return self._demo_key or Key("the-demo-needs-no-key", "the demo")
        return keys.require(
            provider.name,
            provider.title,
            provider.key_variables,
            provider.key_page,
            folder if self._dotenv else None,
            chosen=lambda: self._chosen(provider, folder),
        )

    def key_for(self, row: Row, log: RunLog, dialect: Dialect, folder: Path) -> Key:
        """Return the key to ask about a run with: the one that it was bought with, if available.

        A person may have several: one in this kernel's memory takes precedence over that of the
        environment, with which a clip may still be in progress.

        Parameters
        ----------
        row, log
            The run, and the log it is in.
        dialect
            Has the provider and its address.
        folder
            Where a ``.env`` may be.

        Raises
        ------
        KeyMissing, SettingsError
            As `key`.
        """
        provider, address = dialect.provider, dialect.addresses["api"]

        def bought_it(key: Key) -> bool:
            return log.account(provider.name, address, key).name == row.account

        key = self.key(provider, folder)
        unsent = row.state in UNSENT or row.account is None
        if provider.name == "demo" or unsent or bought_it(key):
            return key
        dotenv_folder = folder if self._dotenv else None
        others = keys.every(provider.name, provider.key_variables, dotenv_folder)
        return next(filter(bought_it, others), key)

    def check_key(self, provider: Provider, folder: Path) -> None:
        """Check that there is exactly one key to buy with.

        Raises
        ------
        KeyMissing, SettingsError
            As `key`.
        KeyConflict
            If the folder's ``.env`` and the keyring hold different keys, and the person has not chosen one.
        """
        self.key(provider, folder)
        if self.undecided(provider, folder):
            raise KeyConflict(
                f"Two different keys found for {provider.title}: in the .env file of the "
                "notebook's folder and in the system keyring.",
                money=NOTHING_SENT,
                todo=which_key(provider),
            )

    def find(self, provider: Provider, folder: Path) -> Key | None:
        """Return a provider's key, or None.

        Raises
        ------
        SettingsError
            If the first one found is not a valid key.
        """
        return keys.find(
            provider.name,
            provider.key_variables,
            folder,
            chosen=lambda: self._chosen(provider, folder),
        )

    def undecided(self, provider: Provider, folder: Path) -> bool:
        """Return whether two places hold different keys and no choice was made; see `keys.conflict`."""
        return (
            provider.name != "demo"
            and keys.conflict(provider.name, provider.key_variables, folder)
            and self._chosen(provider, folder) is None
        )

    def _chosen(self, provider: Provider, folder: Path) -> str | None:
        try:
            path = self._settings.run_log_path()
        except SettingsError:  # no folder for a log; reported when one is used
            return None
        return chosen(path, folder, provider.name)

    def dialect(self, provider: Provider) -> Dialect:
        """Return the adapter; starts the demo's simulator if it is not running, which blocks.

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
        simulator = running_simulator(folder, self._settings.demo_speed)
        url, self._demo_key = simulator.url, simulator.key
        return providers.dialect(provider, base_addresses(url))


def which_key(provider: Provider) -> str:
    """Return what a person can do about two different keys."""
    return (
        f"Choose one for this folder: '%hailuo key {provider.name} --use .env' or '--use "
        f"keyring'. {provider.key_variables[0]} in the environment takes precedence."
    )


@dataclass(frozen=True)
class Resources:
    """The state that the parts of one engine share."""

    settings: Hailuo
    clock: Clock
    timings: Timings
    thread: EngineThread
    logs: RunLogs
    providers: ProviderRegistry
    events: RunEvents
