"""The same cell again, in another front end, executor, folder or state: it is bought once.

What counts under which rule is in `tests/contract/test_running_again.py`; here real kernels ask.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.simulator import Simulator
from tests.support.fake_front_end import Cell, FrontEnd
from tests.support.forking.process import PythonProcess, run_python
from tests.support.notebook_files import code, notebook, write

MIME = "application/vnd.hailuo.run+json"
LOAD = "%load_ext hailuo_jupyter"

Ask = Callable[[Path, str], str]


@pytest.fixture
def bought(simulator: Simulator) -> Callable[[str], int]:
    """How often a prompt was bought."""
    return lambda prompt: sum(job.prompt == prompt for job in simulator.ledger.jobs)


def asks(prompt: str, options: str = "") -> str:
    return f"%%hailuo --provider demo {options}\n{prompt}"


def shown(cell: Cell) -> dict[str, Any]:
    """The record that a cell's one display holds."""
    assert cell.error is None, cell.error
    (data,) = (output["data"] for output in cell.outputs if output["type"] == "display_data")
    found: dict[str, Any] = data[MIME]
    return found


def completed(page: FrontEnd, cell: Cell) -> dict[str, Any]:
    page.until(lambda: shown(cell)["state"] == "completed", 60)
    return shown(cell)


def script(folder: Path, prompt: str, *before: str) -> str:
    """Ask from a script; returns what it printed."""
    lines = ("import hailuo_jupyter as h, os", *before, f"h.generate({prompt!r}, 'demo').wait(60)")
    done = run_python(
        [sys.executable, "-c", "\n".join(lines)],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def command(folder: Path, *words: str) -> str:
    """Run a Jupyter command in a folder; returns what it printed."""
    done = run_python(
        [str(Path(sys.executable).with_name(words[0])), *words[1:]],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def nbconvert(path: Path) -> None:
    command(
        path.parent, "jupyter", "nbconvert", "--execute", "--to", "notebook",
        "--output", "converted", path.name,
    )  # fmt: skip


def texts(path: Path) -> str:
    """What a notebook's cells printed."""
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    return "".join(output.get("text", "") for output in outputs)


def with_cells(path: Path, *sources: str) -> Path:
    return write(path, notebook(*(code(f"cell-{at}", each) for at, each in enumerate(sources))))


# ── one notebook, asked from everywhere ────────────────────────────────────────────────────────


def test_every_front_end_and_executor_shows_the_one_clip(
    folder: Path, env: dict[str, str], bought: Callable[[str], int]
) -> None:
    prompt = "A lock opens for a barge."
    path = with_cells(folder / "story.ipynb", LOAD, asks(prompt))
    with FrontEnd(folder, env, notebook=path) as lab:
        lab.run(LOAD)
        run_id = completed(lab, lab.run(asks(prompt)))["run_id"]
        with FrontEnd(folder, env, notebook=path, vscode=True) as code_:
            code_.run(LOAD)
            assert shown(code_.run(asks(prompt)))["run_id"] == run_id
        said = script(folder, prompt)
        assert "story.ipynb" in said
        assert "--new" in said
        nbconvert(path)
        assert "story.ipynb, which may be this notebook" in texts(folder / "converted.ipynb")
        command(folder, "jupyter", "hailuo", "execute", "story.ipynb", "-o", "executed.ipynb")
        command(folder, "papermill", "story.ipynb", "plain.ipynb")
        command(folder, "papermill", "story.ipynb", "milled.ipynb", "--engine", "hailuo")
        assert bought(prompt) == 1
        lab.run(asks(prompt, "--count 2"))
        assert bought(prompt) == 2, "what is wanted beyond it is bought"


def test_a_clip_that_is_being_made_is_attached_to_from_everywhere(
    folder: Path, env: dict[str, str], simulator: Simulator, bought: Callable[[str], int]
) -> None:
    prompt = "A train crosses a viaduct."
    simulator.fault("seconds", prompt=prompt, seconds=1200)
    path = with_cells(folder / "story.ipynb", LOAD, asks(prompt))
    with FrontEnd(folder, env, notebook=path, vscode=True) as first:
        first.run(LOAD)
        run_id = shown(first.run(asks(prompt)))["run_id"]
        with FrontEnd(folder, env, notebook=path) as lab:
            lab.run(LOAD)
            attached = lab.run(asks(prompt))
            assert shown(attached)["run_id"] == run_id
            assert shown(attached)["state"] != "completed", "it is still being made"
            executors = [
                PythonProcess(
                    [str(Path(sys.executable).with_name("jupyter")), *words],
                    cwd=folder,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
                for words in (
                    ("nbconvert", "--execute", "--to", "notebook", "--output", "c", path.name),
                    ("hailuo", "execute", path.name, "-o", "e.ipynb"),
                )
            ]
            script(folder, prompt)
            for each in executors:
                out, _ = each.communicate(timeout=90)
                assert each.returncode == 0, out
            completed(lab, attached)
    assert bought(prompt) == 1


def test_executors_that_begin_together_buy_once(
    folder: Path, env: dict[str, str], bought: Callable[[str], int]
) -> None:
    prompt = "Two swans meet."
    path = with_cells(folder / "story.ipynb", LOAD, asks(prompt))
    jupyter, papermill = (
        str(Path(sys.executable).with_name(each)) for each in ("jupyter", "papermill")
    )
    running = [
        PythonProcess(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for words in (
            [jupyter, "hailuo", "execute", path.name, "-o", "e.ipynb"],
            [jupyter, "nbconvert", "--execute", "--to", "notebook", "--output", "c", path.name],
            [papermill, path.name, "p.ipynb"],
        )
    ]
    for each in running:
        out, _ = each.communicate(timeout=120)
        assert each.returncode == 0, out.decode()
    assert bought(prompt) == 1


# ── the working directory ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("vscode", [False, True], ids=["bare", "vscode"])
def test_cd_changes_nothing_but_the_paths_that_are_written(
    folder: Path,
    env: dict[str, str],
    bought: Callable[[str], int],
    vscode: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prompt = f"A drawbridge rises{' again' if vscode else ''}."
    monkeypatch.setenv("HAILUO_RUN_LOG", "runs.sqlite3")
    del env["HAILUO_RUN_LOG"]
    (folder / "sub").mkdir()
    path = folder / "story.ipynb"
    with FrontEnd(folder, env, notebook=path if vscode else "gone.ipynb", vscode=vscode) as page:
        if not vscode:
            page.notebook.unlink()  # as in a front end that tells nothing
        page.run(LOAD)
        page.run("%cd sub")
        first = page.run(asks(prompt))
        run_id = completed(page, first)["run_id"]
        page.run("import os; os.chdir('..')")
        assert shown(page.run(asks(prompt)))["run_id"] == run_id
        page.run("os.chdir('sub')")
        assert shown(page.run(asks(prompt)))["run_id"] == run_id
        page.run("from PIL import Image; Image.new('RGB', (640, 360), 'teal').save('first.png')")
        elsewhere = page.run(asks(f"{prompt} Slowly.", "--image first.png --output clips"))
        assert shown(elsewhere)["state"] != "rejected"
        other = completed(page, elsewhere)["run_id"]
        page.restart()
        page.run("%cd sub")
        page.run(LOAD) if vscode else page.run(f"%cd ..\n{LOAD}\n%cd sub")
        again = page.run(asks(prompt))
        if vscode:
            assert shown(again)["run_id"] == run_id
    assert (folder / "hailuo" / f"{run_id}.mp4").is_file()
    assert (folder / "sub" / "clips" / f"{other}.mp4").is_file()
    assert not (folder / "sub" / "hailuo").exists()
    assert (folder / "runs-demo.sqlite3").is_file()
    assert bought(prompt) == 1
    del again


def test_clips_lie_beside_the_notebook_wherever_the_kernel_was_started(
    folder: Path, env: dict[str, str], bought: Callable[[str], int]
) -> None:
    """VS Code with `jupyter.notebookFileRoot` at the workspace."""
    prompt = "A gate swings."
    (folder / "sub").mkdir()
    with FrontEnd(folder, env, notebook="sub/story.ipynb", vscode=True) as page:
        page.run(LOAD)
        record = completed(page, page.run(asks(prompt), cell_id="W1sZmlsZQ"))
    assert (folder / "sub" / "hailuo" / record["clip"]["path"]).is_file()
    assert record["origin"]["notebook_path"] == "story.ipynb"
    assert record["origin"]["cell_id"] is None
    sidecar = folder / "sub" / "hailuo" / f"{record['run_id']}.json"
    assert "vscode-notebook-cell" not in sidecar.read_text()
    assert str(folder) not in sidecar.read_text()
    with FrontEnd(folder / "sub", env, notebook="story.ipynb") as lab:
        lab.run(LOAD)
        assert shown(lab.run(asks(prompt)))["run_id"] == record["run_id"]
    assert bought(prompt) == 1


def test_a_missing_working_directory_breaks_neither_import_nor_load(
    folder: Path,
    env: dict[str, str],
    bought: Callable[[str], int],
    kernels_import_themselves: None,
) -> None:
    prompt = "A tent in the wind."
    gone = folder / "gone"
    gone.mkdir()
    path = with_cells(folder / "story.ipynb", LOAD)
    with FrontEnd(gone, env, notebook=path) as page:
        gone.rmdir()
        loaded = page.run(LOAD)
        assert loaded.error is None
        completed(page, page.run(asks(prompt)))
    assert bought(prompt) == 1


# ── renamed, moved, lost, and all states on the way ────────────────────────────────────────────


@pytest.mark.parametrize("how", ["renamed", "moved", "lost"])
def test_a_clip_that_is_being_made_is_not_bought_again(
    folder: Path,
    env: dict[str, str],
    simulator: Simulator,
    bought: Callable[[str], int],
    how: str,
) -> None:
    prompt = f"A kettle boils ({how})."
    simulator.fault("seconds", prompt=prompt, seconds=800)
    home = folder / "home"
    home.mkdir()
    with FrontEnd(home, env, notebook="story.ipynb") as page:
        page.run(LOAD)
        cell = page.run(asks(prompt))
        run_id = shown(cell)["run_id"]
        # A cell returns after some seconds, answered or not.
        page.until(lambda: shown(cell)["state"] not in {"prepared", "submitting"})
        page.kill()
    name = "story.ipynb"
    if how == "renamed":
        (home / name).rename(home / "tale.ipynb")
        name = "tale.ipynb"
    elif how == "moved":
        home = home.rename(folder / "away")
    else:
        shutil.rmtree(Path(env["HAILUO_RUN_LOG"]).parent)
    with FrontEnd(home, env, notebook=name) as page:
        page.run(LOAD)
        cell = page.run(asks(prompt))
        assert shown(cell)["run_id"] == run_id
        assert completed(page, cell)["run_id"] == run_id
    assert (home / "hailuo" / f"{run_id}.mp4").is_file()
    assert bought(prompt) == 1


def test_a_rename_that_a_front_end_reports_buys_nothing_before_and_after_a_restart(
    folder: Path, env: dict[str, str], bought: Callable[[str], int]
) -> None:
    prompt = "A sail fills."
    with FrontEnd(folder, env, notebook="story.ipynb") as page:
        page.run(LOAD)
        page.say("hello", id=None, root=str(folder), path="story.ipynb", known={}, shown=[], can=[])
        run_id = completed(page, page.run(asks(prompt)))["run_id"]
        page.notebook.rename(folder / "tale.ipynb")
        page.say("hello", id=None, root=str(folder), path="tale.ipynb", known={}, shown=[], can=[])
        cell = page.run(asks(prompt))
        assert shown(cell)["run_id"] == run_id
        assert cell.text == "", "it is this notebook's own"
        listed = page.run("len(__import__('hailuo_jupyter').runs())")
        assert listed.outputs[-1]["data"]["text/plain"] == "1"
    with FrontEnd(folder, env, notebook="tale.ipynb") as page:
        page.run(LOAD)
        cell = page.run(asks(prompt))
        assert (shown(cell)["run_id"], cell.text) == (run_id, "")
    assert bought(prompt) == 1


@pytest.mark.parametrize("vscode", [False, True], ids=["lab", "vscode"])
def test_two_notebooks_of_one_folder_buy_two_clips(
    folder: Path, env: dict[str, str], bought: Callable[[str], int], vscode: bool
) -> None:
    prompt = f"Two doors{' once more' if vscode else ''}."
    ids = set()
    for name in ("one.ipynb", "two.ipynb"):
        with FrontEnd(folder, env, notebook=name, vscode=vscode) as page:
            page.run(LOAD)
            ids.add(shown(page.run(asks(prompt)))["run_id"])
            ids.add(shown(page.run(asks(prompt)))["run_id"])
    assert len(ids) == bought(prompt) == 2


def test_the_card_of_a_lost_answer_shows_how_it_was_resolved(
    folder: Path, env: dict[str, str], simulator: Simulator, bought: Callable[[str], int]
) -> None:
    prompt = "A letter is found again."
    simulator.fault("lost-answer", "submit", prompt=prompt)
    with FrontEnd(folder, env) as page:
        page.run(LOAD)
        lost = page.run(asks(prompt, "--name letter"))
        page.until(lambda: shown(lost)["state"] == "unconfirmed")
        assert page.run("print(letter.status)").text == "unconfirmed\n"
        # As after a look at the provider's history, whose times the simulator's quick clock spoils.
        page.run(
            "import time\n"
            "from hailuo_jupyter.engine import process\n"
            "from hailuo_jupyter.states import State\n"
            "engine, run_id = process.get_engine(), letter.run_id\n"
            "log = next(log for log in engine.logs() if log.find(run_id))\n"
            "failed = lambda record: record.moved(State.FAILED, at=time.time())\n"
            "engine.events.publish(log.update(run_id, failed))"
        )
        page.until(lambda: shown(lost)["state"] == "failed")
    assert bought(prompt) == 1


def test_an_answer_that_was_lost_is_not_asked_for_again_by_an_executor(
    folder: Path, env: dict[str, str], simulator: Simulator, bought: Callable[[str], int]
) -> None:
    prompt = "A letter goes astray."
    simulator.fault("lost-answer", "submit", prompt=prompt)
    path = with_cells(folder / "story.ipynb", LOAD, asks(prompt))
    with FrontEnd(folder, env, notebook=path) as page:
        page.run(LOAD)
        page.run("%config Hailuo.ask_history = False")
        lost = page.run(asks(prompt))
        # A cell waits two seconds for the answer; whether the loss is noticed later or not, its card tells.
        page.until(lambda: shown(lost)["state"] == "unconfirmed")
    done = run_python(
        [str(Path(sys.executable).with_name("jupyter")), "nbconvert", "--execute", "--to",
         "notebook", "--output", "c", path.name],
        check=False, cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode != 0
    assert "--new" in done.stderr
    assert "story.ipynb" in done.stderr
    assert bought(prompt) == 1
