"""Going on with runs that no living process works on: what is paid for is fetched, nothing is sent.

``jupyter hailuo collect`` and the server extension share this body. While nothing is unfinished a
look costs one SQLite query a log; engine and network are started when there is a run to take. Of
several collectors on one log one gets each run: the log's claims decide.

A run is left alone while its owner lives, while no key for it is at hand ("waiting for a key"), and
once it was tried in vain, until the key is another one or another process has had the run: what
stands in its way then needs a person.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hailuo_jupyter import catalogue, keys
from hailuo_jupyter.errors import HailuoError, KeyMissing
from hailuo_jupyter.runlog.look import Unfinished, look
from hailuo_jupyter.runlog.queries import peek_unfinished
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import RESUMABLE

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.engine.run import Run

#: What is said of a run that is paid for, while nobody has a key to ask about it with.
WAITS_FOR_A_KEY = "waiting for a key"

#: Seconds after which a key is looked for again, there or not: a keyring may ask its person.
_KEY_AGAIN_S = 60.0


class Collector:
    """Takes over what nobody works on, and knows what stands in the way of the rest.

    Parameters
    ----------
    settings
        Tell where the logs lie.
    start
        Gives the engine; called only where there is a run to take.
    folder
        Where a ``.env`` with keys may lie; None for nowhere.
    grace_s
        Seconds for which an orphaned run is left to whoever else may want it.
    clock
        Gives seconds, never backwards.
    """

    def __init__(
        self,
        settings: Hailuo,
        start: Callable[[], Engine],
        *,
        folder: Path | None,
        grace_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._start, self._folder = settings, start, folder
        self._grace_s, self._clock = grace_s, clock
        self._since: dict[str, float] = {}
        self._tried: dict[str, str] = {}
        self._keys: dict[str, tuple[float, tuple[str | None, str]]] = {}
        #: Why nobody goes on with a run, by its id, as of the last look.
        self.hindered: dict[str, str] = {}

    def look(self) -> list[Run]:
        """Look at the logs once, and take over what can be gone on with.

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
        orphans = {each.row.run_id: each for each in self._orphans()}
        self._since = {run_id: self._since.get(run_id, now) for run_id in orphans}
        ripe = [
            orphans[each] for each, since in self._since.items() if now - since >= self._grace_s
        ]
        self.hindered = {}
        return self._take([each for each in ripe if self._can_go_on(each)])

    def _orphans(self) -> Iterator[Unfinished]:
        for demo in (False, True):
            path = self._settings.run_log_path(demo=demo)
            if peek_unfinished(path):
                yield from (each for each in look(path).unfinished if each.orphaned)

    def _can_go_on(self, run: Unfinished) -> bool:
        """Tell whether it can be tried; where not, `hindered` says why."""
        row, run_id = run.row, run.row.run_id
        # What became of a run that was never answered is written down, which needs no key.
        key, why = self._key(row.provider) if row.state in RESUMABLE else ("", "")
        if key is None:
            self.hindered[run_id] = why
            return False
        if row.owner is None and self._tried.get(run_id) == key:
            self.hindered[run_id] = _problem(run)
            return False
        self._tried[run_id] = key
        return True

    def _key(self, name: str) -> tuple[str | None, str]:
        """Give the key that a provider's runs are asked about with, or None and why there is none."""
        if name == "demo":
            return name, ""
        at, found = self._keys.get(name, (-_KEY_AGAIN_S, (None, "")))
        if self._clock() - at >= _KEY_AGAIN_S:
            found = self._find_key(name)
            self._keys[name] = (self._clock(), found)
        return found

    def _find_key(self, name: str) -> tuple[str | None, str]:
        try:
            whose = catalogue.provider(name)
            key = keys.require(
                whose.name, whose.title, whose.key_variables, whose.key_page, self._folder
            )
        except KeyMissing as error:
            return None, f"{WAITS_FOR_A_KEY}: {error.what}"
        except HailuoError as error:  # a key that cannot be one, or a newer version's provider
            return None, error.what
        return key.reveal(), ""

    def _take(self, runs: Iterable[Unfinished]) -> list[Run]:
        taken: list[Run] = []
        for each in runs:
            try:
                _ = each.row.record
            except ValueError as error:  # a newer version's
                self.hindered[each.row.run_id] = str(error)
            else:
                taken += self._start().resume([each.row.run_id])
        return taken


def _problem(run: Unfinished) -> str:
    problem = run.row.record.problem
    if problem is None:
        return f"{run.row.state.words}, and nobody goes on with it."
    return " ".join(part for part in (problem.what, problem.money, problem.todo) if part)
