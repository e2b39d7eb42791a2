"""What the tests of notebooks at rest share: notebooks, a simulator, the command line."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hailuo_jupyter import catalogue
from hailuo_jupyter.cli import parser
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.submission import Submission
from hailuo_jupyter.ids import made_of_path
from hailuo_jupyter.ipynb.locate import RunLocator
from hailuo_jupyter.ipynb.redraw import draw
from hailuo_jupyter.record import OriginRecord
from hailuo_jupyter.request import build
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from tests.simulator import Simulator, SimulatorOptions
from tests.support.forking.process import run_python

MIME = "application/vnd.hailuo.run+json"
ROOT = Path(__file__).parents[2]


def simulator(**options: Any) -> Simulator:
    """Return a simulator with small clips, fast by default."""
    return Simulator(SimulatorOptions(**{"speed": 200, "shrink": 8, "variants": 1, **options}))


def environment(folder: Path, sim: Simulator | None) -> dict[str, str]:
    """Return what leads this package to the test's own files and to the simulator."""
    found = {
        "HAILUO_LOOPBACK_ONLY": "1",
        "HAILUO_RUN_LOG": str(folder / "log" / "runs.sqlite3"),
        "JUPYTER_DATA_DIR": str(folder / "jupyter"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    return found if sim is None else {**found, "HAILUO_SIMULATOR_URL": sim.url}


@contextmanager
def surroundings(folder: Path, sim: Simulator | None) -> Iterator[Hailuo]:
    """Put the environment in force for this process, with settings and an engine of its own."""
    process.shut_down()
    before = dict(os.environ)
    os.environ.update(environment(folder, sim))
    for name in ("HAILUO_OUTPUT_DIR", "HAILUO_PROVIDER"):
        os.environ.pop(name, None)
    Hailuo.clear_instance()
    try:
        yield Hailuo.instance()
    finally:
        process.shut_down()
        os.environ.clear()
        os.environ.update(before)
        Hailuo.clear_instance()


def code(cell_id: str, source: str, outputs: list[Any] | None = None, **hailuo: Any) -> Any:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": cell_id,
        "metadata": {"hailuo": hailuo} if hailuo else {},
        "outputs": outputs or [],
        "source": source.splitlines(keepends=True),
    }


def markdown(cell_id: str, source: str) -> Any:
    return {"cell_type": "markdown", "id": cell_id, "metadata": {}, "source": [source]}


def notebook(*cells: Any, **metadata: Any) -> dict[str, Any]:
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": list(cells),
        "metadata": {"kernelspec": spec, **metadata},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def write(path: Path, nb: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(nb, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    path.write_text(text, encoding="utf-8")
    return path


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def shown(data: dict[str, Any]) -> dict[str, Any]:
    """Return an output that shows a bundle, as it stands in a file."""
    split = {k: v.splitlines(keepends=True) if isinstance(v, str) else v for k, v in data.items()}
    return {"data": split, "metadata": {}, "output_type": "display_data"}


def buy(
    settings: Hailuo,
    path: Path,
    prompts: dict[str, str],
    sources: dict[str, str],
    image: Any = None,
) -> dict[str, Row]:
    """Let an engine make a clip for each cell of a notebook; gives the rows by cell."""
    provider = catalogue.provider("demo")
    engine = Engine(settings)
    try:
        runs = {}
        for cell_id, prompt in prompts.items():
            digest = hashlib.sha256(sources[cell_id].encode()).hexdigest()
            order = Submission(
                build(prompt, provider, options={}, image=image, base=path.parent),
                provider,
                path.parent / "hailuo",
                OriginRecord(
                    notebook_id=made_of_path(path),
                    notebook_path=path.name,
                    cell_id=cell_id,
                    source_sha256=digest,
                ),
                key_folder=path.parent,
            )
            runs[cell_id] = engine.submit(order)[0].run
        for run in runs.values():
            run.wait(60)
        return {cell_id: engine.row(run.run_id) for cell_id, run in runs.items()}
    finally:
        engine.stop()


def drawn(rows: list[Row], path: Path, settings: Hailuo, **form: Any) -> dict[str, Any]:
    """Return the bundle that shows these rows in this notebook."""
    with RunLocator(path.parent, {"cells": []}, settings=settings) as places:
        return draw(rows, places, path.parent, **form)


def command(
    *words: str | Path, cwd: Path, env: dict[str, str], timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run ``jupyter hailuo …`` in a process of its own."""
    return run_python(
        program(*words),
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def program(*words: str | Path) -> list[str]:
    start = "import sys; from hailuo_jupyter.cli import main; sys.exit(main())"
    return [sys.executable, "-c", start, *map(str, words)]


def command_names() -> list[str]:
    """Return the commands of ``jupyter hailuo``."""
    (commands,) = (each.choices for each in parser()._actions if each.dest == "command")
    assert isinstance(commands, dict)
    return list(commands)
