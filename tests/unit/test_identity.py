"""Which notebook a request belongs to: the best source for each client session, and what it was before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter import startup
from hailuo_jupyter.ids import (
    Notebook,
    is_cell_id,
    is_written_in,
    made_of_colab,
    made_of_folder,
    made_of_path,
    written_in,
)
from hailuo_jupyter.kernel.context import Sessions
from hailuo_jupyter.kernel.frontends import path_in_cell_id
from hailuo_jupyter.settings import Hailuo


@pytest.fixture
def start(
    start_in: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Sessions]:
    """Be a kernel that is started in a folder, with some of the variables that name a notebook."""
    names = {
        "server": startup.SESSION_NAME,
        "id": startup.NOTEBOOK_ID,
        "path": startup.NOTEBOOK_PATH,
        "colab": startup.COLAB_ID,
    }

    def begin(folder: Path = tmp_path, **values: object) -> Sessions:
        for short, name in names.items():
            monkeypatch.setenv(name, str(values.get(short, "")))
        start_in(folder)
        return Sessions()

    return begin


def request(cell_id: object = "cell-1", session: str = "one") -> dict[str, Any]:
    return {"header": {"session": session}, "metadata": {"cellId": cell_id}}


def vscode(path: Path, authority: str = "") -> str:
    return f"vscode-notebook-cell:{authority}{quote(str(path))}#W0sZmlsZQ%3D%3D"


def write(path: Path, notebook_id: str | None = None) -> Path:
    ours = {"hailuo": {"id": notebook_id}} if notebook_id else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": [], "metadata": ours}))
    return path


def test_each_source_goes_before_those_after_it(
    start: Callable[..., Sessions], tmp_path: Path
) -> None:
    server, code, told = (write(tmp_path / f"{each}.ipynb") for each in ("server", "code", "told"))
    gone = tmp_path / "gone.ipynb"

    def known(message: dict[str, Any], **values: object) -> str:
        return start(**values).notebook(message, {}).id

    assert known(request()) == made_of_folder(tmp_path)
    assert known({}) == made_of_folder(tmp_path)
    assert known(request(), colab="a-drive-id") == made_of_colab("a-drive-id")
    assert known(request(), colab="a-drive-id", server=server) == made_of_path(server)
    assert known(request(vscode(code)), server=server) == made_of_path(code)
    # None of these is a file here: VS Code invents a name on a remote server.
    assert known(request(), server=f"{tmp_path}/story-jvsc-1b2.ipynb") == made_of_folder(tmp_path)
    assert known(request(), server="server.ipynb") == made_of_folder(tmp_path)
    assert known(request(vscode(gone)), server=server) == made_of_path(server)
    sessions = start(server=server)
    sessions.report("one", Notebook("a-told-id", told, told.parent, told.name))
    assert sessions.notebook(request(vscode(code)), {}).id == "a-told-id"
    executed = start(server=server, id="an-executor's", path=gone)
    executed.report("one", Notebook("a-told-id", told, told.parent, told.name))
    found = executed.notebook(request(vscode(code)), {})
    assert (found.id, found.path, found.name) == ("an-executor's", gone, "gone.ipynb")


def test_the_id_in_the_file_goes_before_one_made_of_its_path(
    start: Callable[..., Sessions], tmp_path: Path
) -> None:
    path = write(tmp_path / "story.ipynb", "written")
    assert start(server=path).notebook(request(), {}).id == "written"
    assert start().notebook(request(vscode(path)), {}).id == "written"
    # One that was written since includes what was requested before.
    write(path)
    sessions = start(server=path)
    before = sessions.notebook(request(), {})
    write(path, "written-since")
    after = sessions.notebook(request(), {})
    assert (after.id, after.aliases) == ("written-since", (before.id,))


def test_vs_codes_variable_names_the_notebook_until_a_cell_does(
    start: Callable[..., Sessions], tmp_path: Path
) -> None:
    path = write(tmp_path / "story.ipynb")
    space = {"__vsc_ipynb_file__": str(path)}
    sessions = start()
    assert sessions.notebook(request(None), space).path == path
    renamed = path.rename(tmp_path / "tale.ipynb")
    found = sessions.notebook(request(vscode(renamed)), space)
    assert (found.path, found.aliases) == (renamed, (made_of_path(path),))
    # A widget's message names no cell, and the variable has the old name.
    write(path)
    assert sessions.notebook(request(None), space).path == renamed
    for other in (None, 5, "relative.ipynb", str(tmp_path / "no.ipynb"), str(tmp_path), "\0.ipynb"):
        found = start().notebook(request(None), {"__vsc_ipynb_file__": other})
        assert found.id == made_of_folder(tmp_path)


def test_a_rename_includes_the_earlier_id_and_two_files_that_exist_are_two(
    start: Callable[..., Sessions], tmp_path: Path
) -> None:
    one = write(tmp_path / "one.ipynb")
    sessions = start()
    assert sessions.notebook(request(vscode(one)), {}).aliases == ()
    two = write(tmp_path / "two.ipynb")
    assert sessions.notebook(request(vscode(two)), {}).aliases == ()
    three = two.rename(tmp_path / "three.ipynb")
    assert sessions.notebook(request(vscode(three)), {}).aliases == (made_of_path(two),)
    four = three.rename(tmp_path / "four.ipynb")
    found = sessions.notebook(request(vscode(four)), {})
    assert found.aliases == (made_of_path(two), made_of_path(three))
    assert sessions.latest(Notebook(made_of_path(two), two, tmp_path)) == found


def test_a_better_source_replaces_a_worse_one_and_never_the_other_way_round(
    start: Callable[..., Sessions], tmp_path: Path
) -> None:
    path = write(tmp_path / "story.ipynb")
    sessions = start(server=path)
    made = sessions.notebook(request(), {})
    told = sessions.report("one", Notebook("told", path, tmp_path, path.name))
    assert told.aliases == (made.id,)
    assert sessions.notebook(request(), {}) == told
    path.unlink()
    assert sessions.notebook(request(), {}) == told
    # What the server said once stays for a session that knows nothing better.
    assert sessions.notebook(request(session="two"), {}) == made


def test_sessions_of_one_kernel_have_their_own_notebooks(
    start: Callable[..., Sessions], tmp_path: Path
) -> None:
    one, two = (write(tmp_path / f"{each}.ipynb") for each in ("one", "two"))
    sessions = start(server=one)
    assert not sessions.has_reported()
    sessions.report("second", Notebook("two", two, tmp_path, two.name))
    assert sessions.has_reported()
    assert sessions.notebook(request(session="first"), {}).path == one
    found = sessions.notebook(request(session="second"), {})
    assert (found.path, found.aliases) == (two, ())


def test_a_session_that_reported_nothing_is_found_if_no_other_may_have_the_notebook(
    start: Callable[..., Sessions], tmp_path: Path
) -> None:
    one = write(tmp_path / "one.ipynb")
    sessions = start(server=one)
    made = sessions.notebook(request(session="first"), {})
    assert sessions.session_of(made.id) == "first"
    assert sessions.session_of("another") is None
    # The page of another notebook, which has not said so yet, or a second one of this notebook.
    sessions.notebook(request(session="second"), {})
    assert sessions.session_of(made.id) is None
    # A folder's id is that of every new notebook in it.
    sessions = start()
    assert sessions.session_of(sessions.notebook(request(), {}).id) is None


def test_working_directory_and_environment_are_read_once(
    start: Callable[..., Sessions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = start()
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    monkeypatch.setenv(startup.NOTEBOOK_ID, "later")
    monkeypatch.setenv(startup.SESSION_NAME, str(write(tmp_path / "later.ipynb")))
    assert sessions.notebook(request(), {}).id == made_of_folder(tmp_path)
    assert sessions.notebook(request(session="new"), {}).folder == tmp_path
    settings = Hailuo(run_log="log/runs.sqlite3")
    assert settings.run_log_path() == tmp_path / "log" / "runs.sqlite3"


@pytest.fixture
def gone(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "gone"
    path.mkdir()
    before = Path.cwd()
    os.chdir(path)
    path.rmdir()
    yield path
    os.chdir(before)


@pytest.mark.parametrize("known", [True, False])
def test_a_working_directory_that_is_gone(gone: Path, known: bool) -> None:
    """The shell's name for it is the same scope as before; else it is the home folder's."""
    code = "from hailuo_jupyter import startup; print(startup.folder())"
    env = {**os.environ, "PWD": str(gone) if known else "nowhere", "HOME": "/a/home"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (str(gone) if known else "/a/home")


@pytest.mark.parametrize(
    ("cell_id", "path"),
    [
        ("vscode-notebook-cell:/home/ann/a.ipynb#W0s", "/home/ann/a.ipynb"),
        ("vscode-notebook-cell://127.0.0.1:18100/home/ann/a.ipynb#W0s", "/home/ann/a.ipynb"),
        ("vscode-notebook-cell://ssh-remote%2Bhost/a%20b/%23c.ipynb#W0s", "/a b/#c.ipynb"),
        ("vscode-notebook-cell:Untitled-1.ipynb#W0s", None),
        ("vscode-notebook-cell:/home/ann/a.py#W0s", None),
        ("vscode-notebook-cell:", None),
        ("f3b1", None),
        (None, None),
        (7, None),
    ],
)
def test_the_path_in_a_cells_id(cell_id: object, path: str | None) -> None:
    assert path_in_cell_id(cell_id) == (None if path is None else Path(path))


@pytest.mark.skipif(os.name == "nt", reason="there it is an absolute path")
def test_a_drive_is_no_absolute_path_here() -> None:
    assert path_in_cell_id("vscode-notebook-cell:/c%3A/Users/ann/a.ipynb#W0s") is None


@given(st.text())
def test_a_cells_id_may_be_anything(text: str) -> None:
    for cell_id in (text, f"vscode-notebook-cell:{text}", f"vscode-notebook-cell://{text}"):
        path = path_in_cell_id(cell_id)
        assert path is None or path.is_absolute()
        assert not is_cell_id(cell_id) or (len(cell_id) <= 64 and "/" not in cell_id)
        Sessions().notebook(request(cell_id), {})


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX has pipes with names")
def test_a_pipe_with_a_notebooks_name_is_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.ipynb"
    os.mkfifo(pipe)
    assert written_in(pipe) is None
    assert not is_written_in(pipe, "an-id")
