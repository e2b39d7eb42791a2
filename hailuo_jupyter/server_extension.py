"""The Jupyter Server extension: the server finishes runs whose kernel is gone.

A kernel that dies, or is shut down, with runs in flight leaves them in the run log. The server looks
there every few seconds, on a thread of its own, and goes on with those whose key it can read without
the kernel: from its own environment or the keyring. A ``.env`` file it reads nowhere: there it is a
person's act, running a cell in its folder, that makes the file count, and nobody has said so of the
folders below a server. What needs such a key, or one that only the kernel's memory had, is left for
the next kernel or for ``jupyter hailuo collect`` and called "waiting for a key".

A kernel that is started again is given a moment to take its runs itself: its key, its settings and
its words are better. What the server has taken by then stays with it; the kernel learns from the log
how the run does, as of any run that another process watches, and shows it. The settings are those of
the server's configuration and environment; a run log that is named in ``ipython_config.py`` alone is
not known here.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_server.extension.application import ExtensionApp

from hailuo_jupyter import redact
from hailuo_jupyter.collector import Collector
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.runlog import Owner
from hailuo_jupyter.runlog.look import server_mark
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import SETTLED

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine

#: Seconds between looks at the logs.
LOOK_S = 3.0

#: Seconds for which an orphaned run is left to its kernel: Restart and Run All takes some five.
GRACE_S = 10.0

#: Seconds that the server's end waits for the engine's; what is not done by then is in the log.
_END_S = 12.0


class Keeper:
    """A collector on a thread of its own.

    Parameters
    ----------
    settings
        Tell where the logs lie.
    log
        Told once of each thing.
    """

    def __init__(self, settings: Hailuo, log: logging.Logger) -> None:
        self._settings, self._log = settings, log
        self._collector = Collector(settings, self._start_engine, folder=None, grace_s=GRACE_S)
        self._engine: Engine | None = None
        self._mark: Owner | None = None
        self._told: dict[str, str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="hailuo-collector", daemon=True)

    @property
    def busy(self) -> int:
        """How many runs it watches or fetches just now."""
        engine = self._engine
        return len(engine.runs_in_hand()) if engine is not None else 0

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End; blocks for some seconds at most. Runs in hand stay in the log for whoever is next."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def _serve(self) -> None:
        try:
            while not self._stop.wait(LOOK_S):
                try:
                    self._look()
                except HailuoError as error:
                    self._tell("the run log", str(error))
                except Exception as error:  # noqa: BLE001 - a defect of ours must not end the looks
                    self._tell("a look", f"failed ({type(error).__name__})")
                    self._log.debug("hailuo: a look failed", exc_info=True)
        finally:
            self._end_engine()
            if self._mark is not None:
                self._mark.close()

    def _look(self) -> None:
        if self._mark is None:
            self._make_mark()
        for run in self._collector.look():
            self._tell(run.run_id, "its kernel is gone; the server goes on with it")
        for run_id, why in self._collector.hindered.items():
            self._tell(run_id, why)
        if (engine := self._engine) is None:
            return
        for row in engine.board.rows():
            if row.state in SETTLED:
                self._tell(row.run_id, row.state.words.lower())
        if not engine.runs_in_hand():
            self._end_engine()  # idle again: nothing but looks

    def _make_mark(self) -> None:
        """Have the doctor see that somebody looks, as soon as there is a log to look at."""
        logs = [self._settings.run_log_path(demo=demo) for demo in (False, True)]
        if any(path.is_file() for path in logs):
            self._mark = Owner(server_mark(logs[0]))

    def _start_engine(self) -> Engine:
        from hailuo_jupyter.engine.desk import Wires
        from hailuo_jupyter.engine.engine import Engine

        if self._engine is None:
            self._engine = Engine(self._settings, wires=Wires(self._settings, dotenv=False))
        return self._engine

    def _end_engine(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            with suppress(TimeoutError):
                engine.stop()

    def _tell(self, what: str, text: str) -> None:
        if self._told.get(what) != text:
            self._told[what] = text
            self._log.info("hailuo: %s: %s", what, redact.text(" ".join(text.split())))


class HailuoServerExtension(ExtensionApp):
    """What Jupyter Server loads: starts the keeper, and ends it with the server."""

    name = "hailuo_jupyter"

    _keeper: Keeper | None = None

    def initialize_settings(self) -> None:
        """Start, unless ``c.Hailuo.collector`` is False; the server calls this once."""
        assert self.serverapp is not None  # noqa: S101 - for the type checker
        # The server's configuration holds ours too.
        settings, log = Hailuo(parent=self.serverapp), self.serverapp.log
        if not settings.collector:
            log.info("hailuo: Hailuo.collector is False, so runs are left to their kernels")
            return
        self._keeper = Keeper(settings, log)
        self._keeper.start()
        log.info("hailuo: finishes runs whose kernel is gone (off: Hailuo.collector = False)")

    def current_activity(self) -> Any:
        """Keep a server up that would end for want of activity while it brings a paid clip."""
        return self._keeper.busy if self._keeper is not None else None

    async def stop_extension(self) -> None:
        """End with the server, whose loop is not held up."""
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.stop)
            self._keeper = None


def extension_points() -> list[dict[str, Any]]:
    """Give what Jupyter Server asks the package for."""
    return [{"module": __name__, "app": HailuoServerExtension}]
