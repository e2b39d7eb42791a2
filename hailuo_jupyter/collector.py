"""Continue runs that no live process is working on: paid clips are downloaded, nothing is sent.

``jupyter hailuo collect`` and the server extension share this module. While nothing is unfinished, a check
costs one SQLite query per log; engine and network are started when there is a run to claim. If several
collectors use one log, one of them gets each run: the log's claims decide.

A run is skipped while its owner is alive and not stopped, while no key for it is available ("waiting for a
key"), and while it waits for its own key (see `hailuo_jupyter.engine.account_check`). After a failed attempt
it is skipped until the key has changed or another process has worked on the run: whatever blocks it needs a
person.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hailuo_jupyter import catalogue, keys
from hailuo_jupyter.errors import HailuoError, KeyMissing, RecordUnreadable
from hailuo_jupyter.keys import Key
from hailuo_jupyter.runlog.connection import is_there
from hailuo_jupyter.runlog.heartbeats import OwnerWatch
from hailuo_jupyter.runlog.inspect import Unfinished, inspect
from hailuo_jupyter.runlog.key_choices import chosen
from hailuo_jupyter.runlog.ownership import describe_owner, stopped_owner_error
from hailuo_jupyter.runlog.queries import peek_unfinished
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import RESUMABLE

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.engine.run import Run

#: The problem shown for a paid run while no process has a key to ask about it.
WAITS_FOR_A_KEY = "waiting for a key"

#: Seconds until the key lookup is repeated, found or not: a keyring may prompt the person.
_KEY_AGAIN_S = 60.0

_NO_KEY_NEEDED = Key("", "nowhere")


class Collector:
    """Claims runs that no process works on, and records what blocks the others.

    Parameters
    ----------
    settings
        Contain the paths of the logs.
    start
        Returns the engine; called only if there is a run to claim.
    folder
        Where a ``.env`` with keys may be; None for nowhere.
    grace_s
        Seconds for which an orphaned run is left for other processes to claim.
    clock
        Returns seconds, never backwards.
    wall
        Returns seconds since 1970, to see by the age of a heartbeat that its process is stopped (see
        `hailuo_jupyter.runlog.heartbeats`). If None, a process is observed long enough to see that.
    """

    def __init__(
        self,
        settings: Hailuo,
        start: Callable[[], Engine],
        *,
        folder: Path | None,
        grace_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self._settings, self._start, self._folder = settings, start, folder
        self._engine: Engine | None = None
        self._grace_s, self._clock = grace_s, clock
        self._watches = {demo: OwnerWatch(clock, wall=wall) for demo in (False, True)}
        self._stopped: dict[str, int] = {}
        self._since: dict[str, float] = {}
        self._tried: dict[str, Key] = {}
        self._keys: dict[str, tuple[float, tuple[Key | None, str]]] = {}
        #: Why no process continues a run, by its id, as of the last check.
        self.hindered: dict[str, str] = {}
        #: Which other process works on a run, by its id, as of the last check.
        self.held: dict[str, str] = {}

    @property
    def suspects(self) -> bool:
        """Whether a process may be stopped, but must be observed longer to be sure."""
        return any(watch.suspects for watch in self._watches.values())

    def look(self) -> list[Run]:
        """Check the logs once, and claim what can be continued.

        Returns
        -------
        list of Run
            Those that are watched or fetched from now on.

        Raises
        ------
        HailuoError
            If a log or the engine cannot be used.
        """
        now = self._clock()
        self.hindered, self.held, self._stopped = {}, {}, {}
        orphans = {each.row.run_id: each for each in self._orphans()}
        self._since = {run_id: self._since.get(run_id, now) for run_id in orphans}
        ripe = [
            orphans[each] for each, since in self._since.items() if now - since >= self._grace_s
        ]
        return self._claim([each for each in ripe if self._can_continue(each)])

    def _orphans(self) -> Iterator[Unfinished]:
        for demo in (False, True):
            path = self._settings.run_log_path(demo=demo)
            watch = self._watches[demo]
            unfinished = (
                inspect(path).unfinished if is_there(path) and peek_unfinished(path) else ()
            )
            here = f"{os.getpid()}-"
            others = [
                (owner, each)
                for each in unfinished
                if each.watched and not (owner := each.row.owner or "").startswith(here)
            ]
            watch.see({owner: each.beat for owner, each in others})
            self._stopped |= watch.stopped
            yield from (each for each in unfinished if each.orphaned)
            for owner, each in others:
                if owner not in watch.stopped:
                    self.held[each.row.run_id] = describe_owner(each.row, each.beat, time.time())
                elif each.row.state in RESUMABLE:
                    yield each
                else:
                    self.hindered[each.row.run_id] = str(stopped_owner_error(each.row, each.beat))

    def _can_continue(self, run: Unfinished) -> bool:
        """Return whether a run can be tried; if not, `hindered` has the reason."""
        row, run_id = run.row, run.row.run_id
        try:
            _ = row.record
        except RecordUnreadable as error:
            self.hindered[run_id] = str(error)
            return False
        hindrance = self._engine.hindrance(run_id) if self._engine else None
        if self._engine is not None and run_id in self._engine.asked_about():
            if hindrance is not None:
                self.hindered[run_id] = str(hindrance)
            return False
        # The outcome of a run that was never answered is recorded; that needs no key.
        key, why = self._key(row.provider) if row.state in RESUMABLE else (_NO_KEY_NEEDED, "")
        if key is None:
            self.hindered[run_id] = why
            return False
        if (row.owner is None or hindrance) and self._tried.get(run_id) == key:
            self.hindered[run_id] = str(hindrance) if hindrance else _problem(run)
            return False
        self._tried[run_id] = key
        return True

    def _key(self, name: str) -> tuple[Key | None, str]:
        """Return the key that a provider's runs are asked about with, or None and why there is none."""
        if name == "demo":
            return _NO_KEY_NEEDED, ""
        looked_up_at, found = self._keys.get(name, (-_KEY_AGAIN_S, (None, "")))
        if self._clock() - looked_up_at >= _KEY_AGAIN_S:
            found = self._find_key(name)
            self._keys[name] = (self._clock(), found)
        return found

    def _find_key(self, name: str) -> tuple[Key | None, str]:
        try:
            whose = catalogue.provider(name)
            key = keys.require(
                whose.name,
                whose.title,
                whose.key_variables,
                whose.key_page,
                self._folder,
                chosen=lambda: self._chosen(name),
            )
        except KeyMissing as error:
            return None, f"{WAITS_FOR_A_KEY}: {error.what}"
        except HailuoError as error:  # an invalid key, or a newer version's provider
            return None, error.what
        return key, ""

    def _chosen(self, name: str) -> str | None:
        if self._folder is None:
            return None
        return chosen(self._settings.run_log_path(), self._folder, name)

    def _claim(self, runs: Iterable[Unfinished]) -> list[Run]:
        taken: list[Run] = []
        for each in runs:
            self._engine = self._start()
            taken += self._engine.resume([each.row.run_id], stopped=self._stopped)
        return taken


def _problem(run: Unfinished) -> str:
    problem = run.row.record.problem
    if problem is None:
        return f"{run.row.state.words}, but no process is working on it."
    return " ".join(part for part in (problem.what, problem.money, problem.todo) if part)
