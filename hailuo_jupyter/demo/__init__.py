"""``jupyter hailuo demo``: the quickstart notebook, run against simulated providers."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from hailuo_jupyter.catalogue import DEMO_SPEED
from hailuo_jupyter.demo.project import Place, choose
from hailuo_jupyter.engine.demo_server import ADDRESS, TOKEN, DemoSimulator, temporary
from hailuo_jupyter.ipynb import records
from hailuo_jupyter.ipynb.document import joined, read
from hailuo_jupyter.ipynb.events import Tell
from hailuo_jupyter.ipynb.execute import execute
from hailuo_jupyter.ipynb.verify import verify
from hailuo_jupyter.settings import LOOPBACK_ONLY

#: Seconds after which the demo gives up; it takes some 30.
_LIMIT_S = 110.0

#: Seconds within which a second interrupt stops JupyterLab; it waits so long for its confirmation.
_AGAIN_S = 5.0

Say = Callable[..., None]


def run(where: Path, say: Say, progress: Callable[[], AbstractContextManager[Tell]]) -> int:
    """Run the quickstart notebook, and check the result.

    Parameters
    ----------
    where
        The demo's folder is made in this one.
    say
        Prints lines.
    progress
        Returns a context manager that shows the stages.

    Returns
    -------
    int
        0 if the clips are there, their hashes are right, and the records are in the notebook.

    Raises
    ------
    HailuoError
        If the demo cannot be set up.
    """
    began, place = time.monotonic(), choose(where)
    if place.again:
        say(f"The demo has been run in {_near(place.folder)} before; its clips are shown again.")
    else:
        say(f"Copied the quickstart notebook to {_near(place.folder)}.")
    say("A simulator on this machine draws the clips: no key, no network, no cost.", "")
    with temporary(DEMO_SPEED) as running, progress() as on_event:
        outcome = execute(
            place.notebook,
            limit=_LIMIT_S,
            tell=on_event,
            settings=place.settings(),
            environment=_environment(place, running),
        )
    say("")
    if outcome.stopped:
        say("Stopped.")
        return 130
    problems = [*outcome.problems, *_missing(place)]
    if problems:
        say("The demo did not succeed:", *(f"  {problem}" for problem in problems))
        return 1
    _say_where(place, time.monotonic() - began, say)
    return 0


def lab(where: Path, say: Say, options: Sequence[str] = ()) -> int:
    """Open the quickstart notebook in JupyterLab, with the simulator running until JupyterLab ends.

    Parameters
    ----------
    where
        The demo's folder is made in this one.
    say
        Prints lines.
    options
        More arguments for JupyterLab.

    Returns
    -------
    int
        JupyterLab's exit status.
    """
    place = choose(where, to_open=True)
    say(
        f"Opening {_near(place.notebook)} in JupyterLab; press Ctrl-C here to stop it.",
        f"Its runs have their own run log. In another terminal: {_listing(place)}",
    )
    with _stopping() as stop_with, temporary(DEMO_SPEED) as simulated:
        # JupyterLab opens the file in a browser, but the link that it prints opens the default URL.
        link = f"--LabApp.default_url=/lab/tree/{place.notebook.name}"
        command = [sys.executable, "-m", "jupyterlab", str(place.notebook), link, *options]
        running = subprocess.Popen(  # noqa: S603 - JupyterLab of this very installation
            command, cwd=place.folder, env={**os.environ, **_environment(place, simulated)}
        )
        stop_with(running.terminate)
        code = running.wait()
    # An interrupt is how one leaves JupyterLab.
    return 0 if code in {-signal.SIGINT, -signal.SIGTERM} else code


@contextmanager
def _stopping() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Take signals that stop this process, also in a shell's background, where interrupts are ignored.

    Yields a function that takes what stops JupyterLab; signals do that, and this process ends after it.
    """
    stops: list[Callable[[], None]] = []
    interrupted = -_AGAIN_S

    def terminate(*_: object) -> None:
        if not stops:
            raise KeyboardInterrupt
        stops[0]()

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        before, interrupted = interrupted, time.monotonic()
        # A terminal interrupts JupyterLab too, which asks for confirmation, and stops at the second
        # one. Otherwise this process alone was interrupted.
        if not stops or not _in_terminal() or interrupted - before < _AGAIN_S:
            terminate()

    handlers = {signal.SIGINT: interrupt, signal.SIGTERM: terminate}
    earlier = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield stops.append
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _in_terminal() -> bool:
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # closed
        return False


def _environment(place: Place, simulator: DemoSimulator) -> dict[str, str]:
    return {
        LOOPBACK_ONLY: "1",
        ADDRESS: simulator.url,
        TOKEN: simulator.key.reveal(),
        "HAILUO_RUN_LOG": str(place.run_log),
        "HAILUO_OUTPUT_DIR": "hailuo",
        "HAILUO_PROVIDER": "",
    }


def _missing(place: Place) -> list[str]:
    """Return what is wrong with the executed notebook and the files next to it."""
    verdict = verify(place.notebook, settings=place.settings())
    problems = [finding.text for finding in verdict.findings if finding.wrong]
    for number, cell in enumerate(records.code_cells(read(place.notebook).nb), 1):
        line, _, _ = joined(cell.get("source")).partition("\n")
        asks = line.startswith("%%hailuo") and "--dry-run" not in line
        if asks and not records.listed_runs(cell):
            problems.append(f"Code cell {number} shows no clip.")
    if verdict.clips < verdict.runs or not verdict.clips:
        problems.append(f"Only {verdict.clips} of {verdict.runs} clips are present.")
    return problems


def _say_where(place: Place, seconds: float, say: Say) -> None:
    verdict = verify(place.notebook, settings=place.settings())
    say(
        f"Done in {seconds:.0f} s: {verdict.clips} clips, all verified.",
        "",
        f"  notebook  {_near(place.notebook)}",
    )
    for clip in sorted((place.folder / "hailuo").glob("*.mp4")):
        say(f"  clip      {_near(clip)}   (record: {clip.stem}.json)")
    say(
        "",
        f"See it:     {_jupyter()} hailuo demo --lab",
        f"Check it:   {_jupyter()} hailuo verify {shlex.quote(_near(place.notebook))}",
        f"List runs:  {_listing(place)}",
    )


def _listing(place: Place) -> str:
    """Return the command that lists the demo's runs, which are not in the user's own run log."""
    return f"HAILUO_RUN_LOG={shlex.quote(_near(place.run_log))} {_jupyter()} hailuo runs"


def _jupyter() -> str:
    """Return how to start Jupyter here: by its path from a virtual environment that is not active."""
    if sys.prefix in {sys.base_prefix, os.environ.get("VIRTUAL_ENV")}:
        return "jupyter"
    found = shutil.which("jupyter", path=sysconfig.get_path("scripts"))
    return shlex.quote(_near(Path(found))) if found else "jupyter"


def _near(path: Path) -> str:
    """Return a path as short as it can be written here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
