"""The Jupyter Server extension: the server finishes runs whose kernel is gone.

A kernel that dies, or is shut down, with active runs leaves them in the run log. The server checks the log
every few seconds, on its own thread, and continues those whose key it can read without the kernel: from its
own environment or the keyring. It never reads a ``.env`` file: such a file only counts when a person runs a
cell in its folder, and no one has done that for the folders below a server. Runs that need such a key, or one
that only the kernel's memory had, are left for the next kernel or for ``jupyter hailuo collect`` and shown as
"waiting for a key".

A restarted kernel has some time to claim its runs itself, since it has their key and settings, and shows
better messages. Runs that the server has claimed by then stay with it; the kernel reads their progress from
the log, as for any run that another process owns, and shows it. The settings are those of the server's
configuration and environment; a run log that is set only in ``ipython_config.py`` is unknown here.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_server.base.handlers import path_regex
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.nbconvert.handlers import NbconvertFileHandler

from hailuo_jupyter import redact
from hailuo_jupyter.collector import Collector
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.runlog import Owner
from hailuo_jupyter.runlog.inspect import server_mark
from hailuo_jupyter.settings import Hailuo, refusals, without
from hailuo_jupyter.states import SETTLED

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine

#: Seconds between checks of the logs.
LOOK_S = 3.0

#: Seconds for which an orphaned run is left to its kernel: Restart and Run All takes about five.
GRACE_S = 10.0

#: Seconds that the server's shutdown waits for the engine's; the rest stays in the log.
_END_S = 12.0


class Keeper:
    """A collector on its own thread.

    Parameters
    ----------
    settings
        Contain the paths of the logs.
    log
        Receives each message once.
    """

    def __init__(self, settings: Hailuo, log: logging.Logger) -> None:
        self._settings, self._log = settings, log
        self._collector = Collector(settings, self._start_engine, folder=None, grace_s=GRACE_S)
        self._engine: Engine | None = None
        self._mark: Owner | None = None
        self._reported: dict[str, str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="hailuo-collector", daemon=True)

    @property
    def busy(self) -> int:
        """Number of runs that it is working on."""
        engine = self._engine
        return len(engine.active_runs()) if engine is not None else 0

    def start(self) -> None:
        """Start collecting."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; blocks for a few seconds at most. Active runs stay in the log for the next process."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def _serve(self) -> None:
        try:
            while not self._stop.wait(LOOK_S):
                try:
                    self._look()
                except HailuoError as error:
                    self._log_once("the run log", str(error))
                except Exception as error:  # noqa: BLE001 - a bug of ours must not stop the checks
                    self._log_once("a look", f"failed ({type(error).__name__})")
                    self._log.debug("hailuo: a look failed", exc_info=True)
        finally:
            self._end_engine()
            if self._mark is not None:
                self._mark.close()

    def _look(self) -> None:
        if self._mark is None:
            self._make_mark()
        for run in self._collector.look():
            if self._engine is None or not self._engine.waits_for_its_key(run.run_id):
                self._log_once(run.run_id, "its kernel is gone; the server continues it")
        for run_id, why in self._collector.hindered.items():
            self._log_once(run_id, why)
        if (engine := self._engine) is None:
            return
        for row in engine.events.rows():
            if row.state in SETTLED:
                self._log_once(row.run_id, row.state.words.lower())
        if not engine.active_runs() and not engine.asked_about():
            self._end_engine()  # idle again: only checks

    def _make_mark(self) -> None:
        """Show the doctor that runs are being collected, as soon as there is a log."""
        logs = [self._settings.run_log_path(demo=demo) for demo in (False, True)]
        if any(path.is_file() for path in logs):
            self._mark = Owner(server_mark(logs[0]))

    def _start_engine(self) -> Engine:
        from hailuo_jupyter.engine.engine import Engine
        from hailuo_jupyter.engine.resources import ProviderRegistry

        if self._engine is None:
            self._engine = Engine(
                self._settings, providers=ProviderRegistry(self._settings, dotenv=False)
            )
        return self._engine

    def _end_engine(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            with suppress(TimeoutError):
                engine.stop()

    def _log_once(self, what: str, text: str) -> None:
        if self._reported.get(what) != text:
            self._reported[what] = text
            self._log.info("hailuo: %s: %s", what, redact.text(" ".join(text.split())))


class HailuoServerExtension(ExtensionApp):
    """The extension class for Jupyter Server: starts the keeper, and stops it with the server."""

    name = "hailuo_jupyter"

    _keeper: Keeper | None = None

    def initialize_handlers(self) -> None:
        """Serve nbconvert's formats whose names have a hyphen, as ours; the server calls this once.

        Jupyter Server's own address for exports takes letters, digits and underscores only, and JupyterLab's
        menu would lead to nothing (``_format_regex`` in its ``nbconvert/handlers.py``, 2.21).
        """
        self.handlers.append(
            (rf"/nbconvert/(?P<format>hailuo-\w+){path_regex}", NbconvertFileHandler)
        )

    def initialize_settings(self) -> None:
        """Start, unless ``c.Hailuo.collector`` is False; called once by the server."""
        assert self.serverapp is not None  # noqa: S101 - for the type checker
        # The server's configuration includes ours.
        config, log = self.serverapp.config, self.serverapp.log
        wrong = refusals(config)
        for error in wrong.values():
            log.warning("hailuo: %s", error)
        settings = Hailuo(config=without(config, wrong))
        if not settings.collector:
            log.info("hailuo: Hailuo.collector is False; runs are left to their kernels")
            return
        self._keeper = Keeper(settings, log)
        self._keeper.start()
        log.info(
            "hailuo: finishing runs whose kernel is gone (turn off with Hailuo.collector = False)"
        )

    def current_activity(self) -> Any:
        """Keep an idle server from shutting down while it downloads a paid clip."""
        return self._keeper.busy if self._keeper is not None else None

    async def stop_extension(self) -> None:
        """Stop with the server, without blocking its loop."""
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.stop)
            self._keeper = None


def extension_points() -> list[dict[str, Any]]:
    """Return the extension point for Jupyter Server."""
    return [{"module": __name__, "app": HailuoServerExtension}]
