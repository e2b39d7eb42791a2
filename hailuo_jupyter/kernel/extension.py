"""``%load_ext`` and ``%unload_ext``. This module imports nothing slow."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.kernel import context
from hailuo_jupyter.kernel.cell_source import with_body
from hailuo_jupyter.kernel.comm import actions_by, follow, open_comm, quotes_by
from hailuo_jupyter.kernel.comm_messages import Act, ActOnSweep
from hailuo_jupyter.kernel.configuration import configure, let_pass, raise_refusals
from hailuo_jupyter.kernel.magics import HailuoMagics
from hailuo_jupyter.kernel.new_take import quote
from hailuo_jupyter.kernel.run_actions import act
from hailuo_jupyter.kernel.session import session
from hailuo_jupyter.runlog.queries import peek_notebook, peek_unfinished
from hailuo_jupyter.settings import Hailuo

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.engine.run import Run
    from hailuo_jupyter.ids import Notebook
    from hailuo_jupyter.kernel.frontends import Host

    #: A request, the front end that has sent it, the notebook that it belongs to, and when it was loaded.
    _Page = tuple[dict[str, Any], Host, Notebook, float]

_MATCHER = "_hailuo_matcher"


def load(ip: Any) -> None:
    """Register magics, completion and settings, and continue runs that an earlier kernel left.

    Looking for unfinished runs is one query; only if there are some is an engine started, on a
    separate thread. It is also started for a notebook with runs, in a front end that does not repair
    their outputs. Loading never sends anything.
    """
    settings = configure(ip)
    if settings not in ip.configurables:  # removed by `unload`
        ip.configurables.append(settings)
    raise_refusals(ip)
    ip.register_magics(HailuoMagics)
    _accept_empty_cells(ip)
    _complete(ip)
    quotes_by(quote)
    actions_by(_act)
    open_comm(ip, _rendered)
    logs = settings.existing_run_logs()
    page = _page(ip) if logs else None
    ids = (page[2].id, *page[2].aliases) if page else ()
    if any(peek_unfinished(log) or (ids and peek_notebook(log, ids)) for log in logs):
        threading.Thread(
            target=_continue_runs, args=(page,), name="hailuo-resume", daemon=True
        ).start()


def _act(message: Act | ActOnSweep) -> dict[str, Any]:
    if isinstance(message, ActOnSweep):
        from hailuo_jupyter.kernel import sweep_actions  # with it, all of a sweep is imported

        return sweep_actions.act(message)
    return act(message)


def unload(ip: Any) -> None:
    """Unload everything; active runs stay in the log for the next process."""
    session.unload()
    if matcher := ip.__dict__.pop(_MATCHER, None):
        ip.Completer.custom_matchers.remove(matcher)
    let_pass(ip)
    if with_body in ip.input_transformers_cleanup:
        ip.input_transformers_cleanup.remove(with_body)
    for kind in ("line", "cell"):
        ip.magics_manager.magics[kind].pop("hailuo", None)
    ip.configurables[:] = [each for each in ip.configurables if not isinstance(each, Hailuo)]
    if "hailuo_jupyter.engine.process" in sys.modules:
        from hailuo_jupyter.engine import process

        process.shut_down()


def _page(ip: Any) -> _Page | None:
    """Return the running cell's page; None where our extension or executor repairs its outputs.

    Asked on the kernel's thread: by its request the front end is known, and what the page shows is updated
    in its name.
    """
    host = context.host(ip)
    if host.keeps_metadata or context.frontend(ip) is not context.Frontend.INTERACTIVE:
        return None
    return context.parent(ip), host, context.notebook(), time.time()


def _continue_runs(page: _Page | None) -> None:
    """Continue unfinished runs, and their outputs if the front end does not repair them."""
    from hailuo_jupyter.engine import process
    from hailuo_jupyter.errors import HailuoError

    try:
        engine = process.get_engine()
        follow(engine)
        runs = engine.resume()
        if page is not None:
            from hailuo_jupyter.kernel.display.earlier_outputs import refresh_earlier

            request, host, notebook, loaded = page
            refresh_earlier(engine, runs, request, host, notebook, loaded=loaded)
    except HailuoError as error:  # the log cannot be used, or was closed by `%unload_ext` meanwhile
        logging.getLogger(__name__).warning("Unfinished runs were not resumed: %s", error)


def _rendered(engine: Engine, runs: Sequence[Run], base: Path, *, embed: bool = False) -> list[Any]:
    """Render outputs for the bridge; the renderer is imported when the first one is outdated."""
    from hailuo_jupyter.kernel.display.render_outputs import render_outputs

    return render_outputs(engine, runs, base, embed=embed)


def _accept_empty_cells(ip: Any) -> None:
    """Make IPython accept an empty body of our cell magic; see `with_body`."""
    if with_body not in ip.input_transformers_cleanup:
        ip.input_transformers_cleanup.append(with_body)


def _complete(ip: Any) -> None:
    try:
        from hailuo_jupyter.kernel.completer import Sources, make_matcher
    except ImportError:  # IPython before 8.6, as in Colab: no Tab completion for our magics
        return
    if getattr(ip, "Completer", None) is None or _MATCHER in ip.__dict__:
        return

    def recent() -> Any:
        from hailuo_jupyter.kernel import recent

        return recent

    sources = Sources(
        runs=lambda: recent().runs(ip.user_ns),
        sweeps=lambda: recent().sweeps(ip.user_ns),
        pictures=lambda: recent().pictures(ip.user_ns),
    )
    matcher = make_matcher(sources)
    ip.Completer.custom_matchers.append(matcher)
    ip.__dict__[_MATCHER] = matcher
