"""``%load_ext`` and ``%unload_ext``. This module imports nothing that takes time."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.kernel.bridge import close_bridge, follow, open_bridge
from hailuo_jupyter.kernel.magics import HailuoMagics
from hailuo_jupyter.runlog.queries import peek_unfinished
from hailuo_jupyter.settings import Hailuo

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.engine.run import Run

_MATCHER = "_hailuo_matcher"


def load(ip: Any) -> None:
    """Register magics, completion and settings, and go on with what an earlier kernel left.

    Looking for unfinished runs is one query; only where there are some is an engine started, on a
    thread of its own. Nothing is ever sent by loading.
    """
    settings = Hailuo.instance(parent=ip) if not Hailuo.initialized() else Hailuo.instance()
    if settings not in ip.configurables:
        ip.configurables.append(settings)
    ip.register_magics(HailuoMagics)
    _complete(ip)
    open_bridge(ip, _drawn)
    if any(peek_unfinished(settings.run_log_path(demo=demo)) for demo in (False, True)):
        threading.Thread(target=_go_on, name="hailuo-resume", daemon=True).start()


def unload(ip: Any) -> None:
    """Take everything back; runs in flight stay in the log for whoever loads the extension next."""
    close_bridge()
    if matcher := ip.__dict__.pop(_MATCHER, None):
        ip.Completer.custom_matchers.remove(matcher)
    for kind in ("line", "cell"):
        ip.magics_manager.magics[kind].pop("hailuo", None)
    ip.configurables[:] = [each for each in ip.configurables if not isinstance(each, Hailuo)]
    if "hailuo_jupyter.engine.process" in sys.modules:
        from hailuo_jupyter.engine import process

        process.shut_down()


def _go_on() -> None:
    from hailuo_jupyter.engine import process
    from hailuo_jupyter.errors import HailuoError

    try:
        engine = process.engine()
        follow(engine)
        engine.resume()
    except HailuoError as error:  # the log cannot be used, or was closed by `%unload_ext` meanwhile
        logging.getLogger(__name__).warning("Unfinished runs were not gone on with: %s", error)


def _drawn(engine: Engine, runs: Sequence[Run], base: Path, *, embed: bool = False) -> list[Any]:
    """Draw outputs anew for the bridge; what draws is loaded when the first one is behind."""
    from hailuo_jupyter.kernel.outputs import bundles_now

    return bundles_now(engine, runs, base, embed=embed)


def _complete(ip: Any) -> None:
    from hailuo_jupyter.kernel.complete import make_matcher

    if getattr(ip, "Completer", None) is None or _MATCHER in ip.__dict__:
        return
    matcher = make_matcher(_recent_ids)
    ip.Completer.custom_matchers.append(matcher)
    ip.__dict__[_MATCHER] = matcher


def _recent_ids() -> Sequence[str]:
    from hailuo_jupyter.engine import process

    rows = [row for log in process.engine().logs() for row in log.recent(30)]
    return [row.run_id for row in sorted(rows, key=lambda row: row.created, reverse=True)]
