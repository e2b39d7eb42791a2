"""Running the demo, and opening it in JupyterLab."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from hailuo_jupyter.catalogue import DEMO_SPEED
from hailuo_jupyter.demo.folder import Place, choose
from hailuo_jupyter.demo.simulator import simulator
from hailuo_jupyter.nbfile import records
from hailuo_jupyter.nbfile.document import joined, read
from hailuo_jupyter.nbfile.events import Tell
from hailuo_jupyter.nbfile.execute import execute
from hailuo_jupyter.nbfile.verify import verify
from hailuo_jupyter.settings import LOOPBACK_ONLY

#: Seconds after which the demo gives up; it takes some 30.
_LIMIT_S = 110.0

Say = Callable[..., None]


def demo(where: Path, say: Say, progress: Callable[[], AbstractContextManager[Tell]]) -> int:
    """Run the quickstart notebook, and check what came of it.

    Parameters
    ----------
    where
        The demo's folder is made in this one.
    say
        Prints lines.
    progress
        Gives what shows the stages, as a context manager.

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
        say(f"The demo was run in {_near(place.folder)} before: its clips are shown again.")
    else:
        say(f"The quickstart notebook is copied to {_near(place.folder)}.")
    say("Clips are drawn by a simulator on this machine: no key, no network, nothing to pay.", "")
    with simulator(DEMO_SPEED) as url, progress() as tell:
        outcome = execute(
            place.notebook,
            limit=_LIMIT_S,
            tell=tell,
            settings=place.settings(),
            environment=_environment(place, url),
        )
    say("")
    if outcome.stopped:
        say("Stopped.")
        return 130
    problems = [*outcome.problems, *_missing(place)]
    if problems:
        say("The demo did not succeed:", *(f"  {problem}" for problem in problems))
        return 1
    _tell_where(place, time.monotonic() - began, say)
    return 0


def lab(where: Path, say: Say) -> int:
    """Open the quickstart notebook in JupyterLab, with the simulator at hand until that ends.

    Returns
    -------
    int
        JupyterLab's exit status.
    """
    place = choose(where, to_open=True)
    say(f"Opening {_near(place.notebook)} in JupyterLab; Ctrl-C here ends it.")
    with simulator(DEMO_SPEED) as url:
        command = [sys.executable, "-m", "jupyterlab", str(place.notebook)]
        running = subprocess.Popen(  # noqa: S603 - JupyterLab of this very installation
            command, cwd=place.folder, env={**os.environ, **_environment(place, url)}
        )
        while True:
            try:
                code = running.wait()
            except KeyboardInterrupt:
                continue  # the terminal told JupyterLab too, and that asks back
            # An interrupt is how one leaves JupyterLab.
            return 0 if code == -signal.SIGINT else code


def _environment(place: Place, url: str) -> dict[str, str]:
    return {
        LOOPBACK_ONLY: "1",
        "HAILUO_SIMULATOR_URL": url,
        "HAILUO_RUN_LOG": str(place.run_log),
        "HAILUO_OUTPUT_DIR": "hailuo",
        "HAILUO_PROVIDER": "",
    }


def _missing(place: Place) -> list[str]:
    """Tell what is not as it should be in the executed notebook and beside it."""
    verdict = verify(place.notebook, settings=place.settings())
    problems = [finding.text for finding in verdict.findings if finding.wrong]
    for number, cell in enumerate(records.code_cells(read(place.notebook).nb), 1):
        line, _, _ = joined(cell.get("source")).partition("\n")
        asks = line.startswith("%%hailuo") and "--dry-run" not in line
        if asks and not records.listed(cell):
            problems.append(f"Code cell {number} shows no clip.")
    if verdict.clips < verdict.runs or not verdict.clips:
        problems.append(f"Only {verdict.clips} of {verdict.runs} clips are there.")
    return problems


def _tell_where(place: Place, seconds: float, say: Say) -> None:
    verdict = verify(place.notebook, settings=place.settings())
    say(
        f"{verdict.clips} clips are there with the right hashes, and their records are in the "
        f"notebook ({seconds:.0f} s).",
        "",
        f"  notebook  {_near(place.notebook)}",
    )
    for clip in sorted((place.folder / "hailuo").glob("*.mp4")):
        say(f"  clip      {_near(clip)}   (record: {clip.stem}.json)")
    say(
        "",
        "See it:    jupyter hailuo demo --lab",
        f"Check it:  jupyter hailuo verify {_near(place.notebook)}",
    )


def _near(path: Path) -> str:
    """Give a path as short as it can be written here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
