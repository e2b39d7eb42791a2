"""Processes without a home folder, or with one that takes no files, and drives that lock no files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine_fixture import EngineFixture

ROOT = Path(__file__).parents[2]

#: Does some things and prints, as JSON, how each ended: its exit status, or the error.
TRY = """
import contextlib, io, json, os, sys
sys.path.insert(0, {root!r})
{before}
def ended(act):
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = act()
    except BaseException as error:
        return [type(error).__name__, str(error)]
    return [status, out.getvalue() + err.getvalue()]

import hailuo_jupyter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
from hailuo_jupyter.cli import main

def load():
    # IPython's own history is a database, too.
    config = Config(HistoryManager={{"enabled": False}})
    hailuo_jupyter.load_ipython_extension(InteractiveShell.instance(config=config))

found = {{
    "generate": ended(lambda: hailuo_jupyter.generate("a cat", provider={provider!r}) and 0),
    "load": ended(load),
}}
for name in ("doctor", "runs", "wait", "collect", "cost", "du"):
    found[name] = ended(lambda: main([name]))
if {execute!r}:
    with open("nb.ipynb", "w") as file:
        json.dump({{"cells": [], "metadata": {{}}, "nbformat": 4, "nbformat_minor": 5}}, file)
    found["execute"] = ended(lambda: main(["execute", "nb.ipynb"]))
print(json.dumps(found))
"""

#: Root may do everything unless it gives this up; for others these rights are not there anyway.
WITHOUT_RIGHTS = (
    ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
    if hasattr(os, "geteuid") and os.geteuid() == 0
    else []
)

#: A user whom the system does not know, as in many containers; root alone can become one.
UNKNOWN_USER = (
    [
        *("setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"),
        *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
    ]
    if WITHOUT_RIGHTS
    else []
)


def ended(
    folder: Path,
    line: list[str],
    *,
    provider: str = "demo",
    before: str = "",
    without: tuple[str, ...] = (),
    execute: bool = False,
    **variables: str,
) -> dict[str, list[Any]]:
    """Run `TRY` in a process that is started by `line`."""
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "IPYTHONDIR": str(folder / "ipython"),
        **variables,
    }
    for name in ("HAILUO_RUN_LOG", "XDG_DATA_HOME", "JUPYTER_CONFIG_DIR", *without):
        env.pop(name, None)
    code = TRY.format(root=str(ROOT), before=before, provider=provider, execute=execute)
    done = subprocess.run(
        [*line, sys.executable, "-c", code],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    found: dict[str, list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can enter and write to, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_home_folder_that_takes_no_files(folder: Path, mode: int) -> None:
    home = folder / "home"
    home.mkdir()
    home.chmod(mode)
    try:
        found = ended(folder, WITHOUT_RIGHTS, HOME=str(home))
    finally:
        home.chmod(0o700)
    assert list(home.iterdir()) == []
    assert found["load"][0] is None, found["load"]
    kind, said = found["generate"]
    assert kind == "FolderNotWritable"
    for name in ("runs", "wait", *(("collect", "cost", "du") if mode == 0 else ())):
        assert found[name][0] == 1, found[name]
        assert len(found[name][1].splitlines()) == 1
        assert found[name][1].startswith("FolderNotWritable: ")
        said += found[name][1]
    assert "~/.local/share/hailuo-jupyter" in said or "~/Library" in said
    assert "set HAILUO_RUN_LOG to a file in another folder" in said
    assert str(home) not in said
    status, report = found["doctor"]
    assert status == 1
    assert "hailuo-jupyter/runs.sqlite3: cannot be created" in report
    assert "HAILUO_RUN_LOG" in report


def test_no_home_folder_and_no_user_name(folder: Path) -> None:
    before = ""
    if not UNKNOWN_USER:  # one cannot become another user: let the system not know this one
        before = "import pwd\npwd.getpwuid = lambda uid: {}[uid]"
    without = ("HOME", "USER", "LOGNAME", "USERNAME", "JUPYTER_DATA_DIR")
    found = ended(folder, UNKNOWN_USER, before=before, without=without, execute=True)
    assert {each.name for each in folder.iterdir()} <= {"ipython", "nb.ipynb"}, "no folder ~"
    assert found["execute"][0] == 1
    assert found["execute"][1].startswith(
        "NotebookError: Jupyter cannot start a kernel without a home"
    )
    assert found["load"][0] is None, found["load"]
    assert found["generate"][0] == "SettingsError"
    said = [found["generate"][1]]
    for name in ("runs", "wait", "collect", "cost", "du"):
        status, text = found[name]
        assert (status, len(text.splitlines())) == (1, 1), text
        said.append(text)
    for text in said:
        assert "HOME is not set" in text
        assert "HAILUO_RUN_LOG" in text
    status, report = found["doctor"]
    assert status == 1
    assert "HOME is not set" in report


def test_all_is_well_without_a_home_where_the_run_log_has_its_place(
    lab: EngineFixture, folder: Path
) -> None:
    before = f"import os; os.environ['HAILUO_RUN_LOG'] = {str(folder / 'log' / 'runs.sqlite3')!r}"
    without = ("HOME", "USER", "LOGNAME")
    found = ended(folder, UNKNOWN_USER, provider="segmind", before=before, without=without)
    assert found["generate"] == [0, ""]
    assert found["wait"][0] == 0, found["wait"]
    assert len(lab.sim.ledger) == 1


def test_a_drive_that_locks_no_files(lab: EngineFixture, folder: Path) -> None:
    before = (
        f"os.environ['HAILUO_RUN_LOG'] = {str(folder / 'runs.sqlite3')!r}\n"
        "from tests.support.broken_locks import break_locks; break_locks()"
    )
    found = ended(folder, [], provider="segmind", before=before)
    assert found["generate"][0] == "RunLogError"
    for text in (found["generate"][1], found["wait"][1]):
        assert "on a drive that does not lock files (No locks available)" in text
        assert "set HAILUO_RUN_LOG to a file on a local disk" in text.replace("Set", "set")
        assert "locked by another process" not in text
    assert "not supported by the drive (No locks available)" in found["doctor"][1]
    assert lab.submits() == 0
