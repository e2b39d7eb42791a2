"""In VS Code: a kernel is driven as its Jupyter extension does it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.simulator import Simulator
from tests.support.held_jobs import holding
from tests.support.notebook_files import command
from tests.support.vscode_client import WIDGET, Cell, Output, VSCode

MIME = "application/vnd.hailuo.run+json"
RUN = "%%hailuo --provider demo --mode standard\nA heron lifts off a lake."


def completed(cell: Cell) -> Callable[[], bool]:
    return lambda: bool(cell.outputs) and cell.outputs[0].data[MIME].get("state") == "completed"


def source(output: Output) -> str:
    found = re.search(r'<video [^>]*src="([^"]+)"', output.data["text/html"])
    assert found, output.data["text/html"][:2000]
    return found[1]


DISTURB: dict[str, Callable[[VSCode], object]] = {
    "completion": lambda page: page.complete("import os; os.pa"),
    "list of variables": lambda page: page.execute_silently("_ = dir()"),
    "another cell": lambda page: page.run("print('hello')"),
}


#: The first of these gives what a thread sends the latest request of any kind as its parent.
@pytest.mark.parametrize("kernel", ["ipykernel-6.29.5", "ipykernel-7.2.0", "python3"])
def test_the_clip_appears_whatever_else_the_kernel_is_asked_meanwhile(
    kernel: str,
    folder: Path,
    kernels: Path,
    env: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(kernels))
    with VSCode(folder / "work.ipynb", env, kernel) as page:
        page.run("%load_ext hailuo_jupyter")
        for what, disturb in DISTURB.items():
            cell = page.run(f"{RUN} Then comes {what}.")
            assert page.rendered(cell.outputs[0]) == WIDGET, what
            disturb(page)
            page.until(completed(cell))
            page.until(lambda cell=cell: page.rendered(cell.outputs[0]) == "text/html")
            assert page.dropped == [], what
            assert len(cell.outputs) == 1, what
            assert (folder / unquote(source(cell.outputs[0]))).is_file()


def test_while_a_card_shows_the_states_only_the_end_updates_the_display(
    folder: Path, env: dict[str, str]
) -> None:
    with VSCode(folder / "work.ipynb", env) as page:
        page.run("%load_ext hailuo_jupyter")
        cell = page.run(RUN)
        page.until(completed(cell))
        states = [each[MIME]["state"] for each in cell.outputs[0].updates]
        assert set(states) == {"completed"}
        assert not any(WIDGET in each for each in cell.outputs[0].updates)


def test_the_panel_submits_and_shows_its_clip(folder: Path, env: dict[str, str]) -> None:
    with VSCode(folder / "work.ipynb", {**env, "HAILUO_PROVIDER": "demo"}) as page:
        page.run("%load_ext hailuo_jupyter")
        (form,) = page.run("%hailuo panel").outputs
        assert page.rendered(form) == WIDGET
        page.type("Prompt", "A lantern swings.")
        page.until(lambda: page.widget("Generate · free")["disabled"] is False)
        page.click("Generate · free")
        page.until(lambda: "<video" in page.card(form))
        (clip,) = folder.glob("hailuo/*.mp4")
        assert f'src="hailuo/{clip.name}"' in page.card(form)


def test_the_card_says_how_the_record_gets_into_the_notebook(
    folder: Path, env: dict[str, str]
) -> None:
    with VSCode(folder / "work.ipynb", env) as page:
        page.run("%load_ext hailuo_jupyter")
        cell = page.run(RUN)
        told = cell.outputs[0].data["text/html"] + page.card(cell.outputs[0])
        assert "After saving: jupyter hailuo sync work.ipynb" in told
        assert "JupyterLab" not in told
        page.until(completed(cell))
        assert "hailuo sync" not in cell.outputs[0].data["text/html"]


def test_links_start_at_the_notebooks_folder_wherever_the_kernel_does(
    tmp_path: Path, env: dict[str, str]
) -> None:
    inner = tmp_path / "workspace" / "inner"
    inner.mkdir(parents=True)
    with VSCode(inner / "work.ipynb", env, root=inner.parent) as page:
        page.run("%load_ext hailuo_jupyter")
        cell = page.run(RUN)
        page.until(completed(cell))
        assert (inner / unquote(source(cell.outputs[0]))).is_file()


def test_where_the_notebook_is_on_another_machine_the_clip_is_in_the_output(
    folder: Path, env: dict[str, str]
) -> None:
    elsewhere = Path("/no/such/folder/work.ipynb")
    with VSCode(elsewhere, env, root=folder, remote=True) as page:
        page.run("%load_ext hailuo_jupyter")
        cell = page.run(RUN)
        page.until(completed(cell))
        page.until(lambda: "<video" in cell.outputs[0].data["text/html"])
        assert source(cell.outputs[0]).startswith("data:video/mp4;base64,")
        assert "href=" not in cell.outputs[0].data["text/html"]


def test_after_a_restart_loading_the_extension_completes_the_old_output(
    folder: Path, env: dict[str, str]
) -> None:
    with VSCode(folder / "work.ipynb", env) as page:
        page.run("%load_ext hailuo_jupyter")
        cell = page.run(RUN)
        assert cell.outputs[0].data[MIME]["state"] != "completed"
        page.restart()
        page.run("%load_ext hailuo_jupyter")
        page.until(completed(cell))
        assert page.rendered(cell.outputs[0]) == "text/html"
        assert (folder / unquote(source(cell.outputs[0]))).is_file()


def collect(env: dict[str, str], folder: Path) -> None:
    """Finish, in another process, what the kernel has left."""
    done = command("collect", cwd=folder, env=env)
    assert done.returncode == 0, done.stderr


def run_id(cell: Cell) -> str:
    return str(cell.outputs[0].data[MIME]["run_id"])


def states(cell: Cell) -> set[str]:
    shown = cell.outputs[0].data[MIME]
    return {each["state"] for each in shown.get("runs", [shown])}


@pytest.mark.parametrize("saved", [False, True])
def test_an_old_output_learns_what_another_process_has_finished(
    saved: bool, folder: Path, env: dict[str, str], simulator: Simulator
) -> None:
    let_go = holding(simulator, "A heron")
    with VSCode(folder / "work.ipynb", env) as page:
        page.run("%load_ext hailuo_jupyter")
        cell = page.run(RUN)
        page.until(lambda: states(cell) <= {"submitted", "queued", "generating"})
        if saved:
            page.save()
        page.end_kernel()
        let_go()
        collect(env, folder)
        page.restart()
        page.run("%load_ext hailuo_jupyter")
        page.until(completed(cell))
        assert page.rendered(cell.outputs[0]) == "text/html"
        assert (folder / unquote(source(cell.outputs[0]))).is_file()


def test_a_comparison_follows_its_runs_and_does_so_after_a_restart(
    folder: Path, env: dict[str, str], simulator: Simulator
) -> None:
    let_go, let_go_later = holding(simulator, "At dawn."), holding(simulator, "At noon.")
    with VSCode(folder / "work.ipynb", env) as page:
        page.run("%load_ext hailuo_jupyter")
        both = [page.run(RUN + end) for end in ("", " At dawn.")]
        compare = "%hailuo compare " + " ".join(map(run_id, both))
        early = page.run(compare)
        assert states(early) != {"completed"}
        let_go()
        page.until(lambda: all(states(each) == {"completed"} for each in (*both, early)))

        later = [page.run(f"{RUN} {when}.") for when in ("By night", "At noon")]
        compare = "%hailuo compare " + " ".join(map(run_id, later))
        unfinished = page.run(compare)
        assert states(unfinished) != {"completed"}
        page.save()
        page.end_kernel()
        let_go_later()
        collect(env, folder)
        page.restart()
        before = [len(cell.outputs[0].updates) for cell in (*both, early)]
        page.run("%load_ext hailuo_jupyter")
        page.until(lambda: states(unfinished) == {"completed"})
        page.until(lambda: all(completed(cell)() for cell in later))
        assert unfinished.outputs[0].data["text/html"].count("<video") == 2
        # What the file shows as it is gets no update: VS Code would take each for an execution.
        assert [len(cell.outputs[0].updates) for cell in (*both, early)] == before


def test_a_second_output_of_a_run_leaves_the_first_one_true(
    folder: Path, env: dict[str, str]
) -> None:
    with VSCode(folder / "work.ipynb", env) as page:
        page.run("%load_ext hailuo_jupyter")
        first = page.run(RUN)
        second = page.run("%hailuo show " + first.outputs[0].data[MIME]["run_id"])
        page.until(lambda: completed(first)() and completed(second)())
        assert source(first.outputs[0]) == source(second.outputs[0])
