"""The runs table and one run's output in real kernels, and both on the command line."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

import hailuo_jupyter
from hailuo_jupyter import catalogue, request
from hailuo_jupyter.cli import main
from hailuo_jupyter.record import prepare
from hailuo_jupyter.runlog import RunLog
from tests.support.notebook_files import command, environment, surroundings

LOAD = "%load_ext hailuo_jupyter"

#: Runs without any provider: what the log holds is the same whoever put it there.
ADD = """
from hailuo_jupyter import catalogue, request
from hailuo_jupyter.engine import process
from hailuo_jupyter.kernel import context
from hailuo_jupyter.record import prepare
from pathlib import Path
def add(prompt, notebook=None, provider="segmind"):
    offer = catalogue.provider(provider)
    asked = request.build(prompt, offer, options={})
    record = prepare(asked, offer, origin={"notebook_id": notebook or context.notebook().id})
    log = process.get_engine()._logs.of(provider).log
    return log.insert(record, folder=Path("hailuo"), kind=asked.kind, owner=None).run_id
"""


def said(cell: Any) -> str:
    """Return what a cell shows as text."""
    parts = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell.outputs
    ]
    return "".join(parts)


def html(cell: Any) -> str:
    return "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)


Execute = Callable[..., nbformat.NotebookNode]


def test_a_notebook_sees_its_own_runs_and_all_when_asked(execute: Execute, folder: Path) -> None:
    written = nbformat.v4.new_notebook(metadata={"hailuo": {"schema": 1, "id": "elsewhere"}})
    nbformat.write(written, folder / "other.ipynb")
    notebook = execute(
        LOAD,
        ADD,
        'mine = [add(f"mine {n}") for n in range(21)]; other = add("another notebook\'s", "elsewhere")',
        "%hailuo runs",
        "%hailuo runs --page 2",
        "%hailuo runs --all --text another",
        '%hailuo runs --state completed --tag "no such"',
        "import hailuo_jupyter\nfound = hailuo_jupyter.runs()\n"
        "print(len(found), found[0].run_id == mine[-1], len(hailuo_jupyter.runs('all')))",
        "found[:2]",
        "%hailuo runs --notebook other.ipynb",
        "%hailuo runs --help",
    )
    first, second, searched, nothing, counted, sliced, others, helped = notebook.cells[3:]
    assert said(first).startswith("Runs 1 to 20 of 21 (this notebook, newest first)")
    assert "another" not in html(first)
    assert html(first).count('scope="row"') == 20
    assert said(second).startswith("Runs 21 to 21 of 21")
    assert "mine 0" in html(second)
    assert said(searched).startswith("1 run (all notebooks, newest first)")
    assert "another notebook&#39;s" in html(searched)
    assert said(nothing) == "No runs (this notebook). --all looks in every notebook.\n"
    assert said(counted) == "21 True 22\n"
    assert html(sliced).count('scope="row"') == 2
    assert said(others).startswith("1 run (other.ipynb, newest first)")
    assert "--since AGE|DATE" in said(helped)


def test_mistakes_are_one_line(execute: Execute) -> None:
    cells = ("%hailuo runs --sort price", "%hailuo runs --notebook none.ipynb", "%hailuo show abcd1",
             "%hailuo runs --rating many", "%hailuo runs --since soon")  # fmt: skip
    notebook = execute(LOAD, *cells, allow_errors=True)
    names = []
    for cell in notebook.cells[1:]:
        (output,) = cell.outputs
        assert len(output.traceback) <= 4
        names.append(output.ename)
    assert names == ["OptionError", "NotebookError", "RunNotFound", "OptionError", "OptionError"]


def test_demo_and_paid_runs_stand_in_one_table_and_show_takes_any(
    execute: Execute, folder: Path
) -> None:
    notebook = execute(
        LOAD,
        ADD,
        "%%hailuo --provider demo --name clip\nA heron lifts off.",
        'paid = add("A paper boat", "elsewhere"); tail, head = paid[-6:], clip.run_id[:-2]',
        "%hailuo runs --all --sort time",
        "%hailuo show {tail}",
        "%hailuo show clip",
        "clip.clip.unlink()\n%hailuo show {head}",
        "print(clip.run_id)",
    )
    table, other, shown, gone, name = notebook.cells[4:]
    file = f"clip-{said(name).strip()[-6:]}.mp4"
    assert re.search(r"demo \(simulated\) .*A heron lifts off", said(table))
    assert said(table).index("A paper boat") < said(table).index("A heron")
    assert html(table).count("simulated</div>") == 1
    assert f'href="hailuo/{file}"' in html(table)
    assert "data:image/jpeg;base64," in html(table)
    assert "Not sent" in said(other)
    assert f'src="hailuo/{file}"' in html(shown)
    assert "no longer in its folder" in html(gone)
    assert sorted(path.suffix for path in (folder / "hailuo").iterdir() if path.is_file()) == [
        ".json"
    ]


Filled = tuple[Path, dict[str, str], list[str]]


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    """A folder, a program's environment, and the ids of three runs in its log."""
    env = environment(tmp_path, None)
    ids = []
    path = Path(env["HAILUO_RUN_LOG"])
    for prompt, provider in (
        ("=1+1", "segmind"),
        ("boat\x1b]0;owned\x07", "aimlapi"),
        ("b", "demo"),
    ):
        demo = provider == "demo"
        with RunLog(path.with_name(f"{path.stem}-demo{path.suffix}") if demo else path) as log:
            offer = catalogue.provider(provider)
            asked = request.build("x", offer, options={})
            record = prepare(asked, offer, note=prompt).changed(request={"prompt": prompt})
            ids.append(log.insert(record, folder=tmp_path, kind=asked.kind, owner=None).run_id)
    return tmp_path, env, ids


def test_the_command_line_lists_and_exports(filled: Filled) -> None:
    folder, env, ids = filled
    done = command("runs", cwd=folder, env=env)
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head == "3 runs (all notebooks, newest first)"
    assert [line.split()[0] for line in lines[:3]] == ids[::-1]
    assert "demo (simulated)" in lines[0]
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


def test_the_command_line_exports(filled: Filled, capsys: pytest.CaptureFixture[str]) -> None:
    folder, _, ids = filled
    out = folder / "out.csv"
    with surroundings(folder, None):
        assert main(["runs", "--json", "--provider", "segmind"]) == 0
        (one,) = json.loads(capsys.readouterr().out)
        assert (one["run_id"], one["prompt"]) == (ids[0], "=1+1")
        assert main(["runs", "--csv", str(out), "--ascending"]) == 0
        assert capsys.readouterr().out == f"Wrote 3 runs to {out}.\n"
        assert main(["runs", "--csv", "-", "--page", "2"]) == 0
        assert capsys.readouterr().out.count("\n") == 1
        assert main(["runs", "--page", "2"]) == 0
        assert "No such page; 3 runs" in capsys.readouterr().out
        assert main(["runs", "--since", "soon"]) == 2
        assert capsys.readouterr().err.startswith("OptionError: 'soon' is not an age or date.")
    rows = list(csv.DictReader(io.StringIO((folder / "out.csv").read_text(encoding="utf-8"))))
    assert [row["run_id"] for row in rows] == ids
    assert rows[0]["prompt"] == "'=1+1"


def test_the_command_line_shows_a_run(filled: Filled, capsys: pytest.CaptureFixture[str]) -> None:
    folder, _, ids = filled
    with surroundings(folder, None):
        assert main(["show", ids[1][-6:]]) == 0
        shown = capsys.readouterr().out
        assert re.search(rf"^Run +{ids[1]}, revision 2$", shown, re.MULTILINE)
        assert re.search(r"^Prompt +boat\[U\+001B\]\]0;owned\[U\+0007\]$", shown, re.MULTILINE)
        assert main(["show", "--json", ids[2]]) == 0
        assert json.loads(capsys.readouterr().out)["run_id"] == ids[2]
        assert main(["show", "zzzzzz"]) == 1
        shown = capsys.readouterr()
        assert (shown.out, shown.err.splitlines()[1:]) == ("", [])
        assert shown.err.startswith("RunNotFound: Run not found: 'zzzzzz'")


def test_a_terminal_gets_a_table_and_nothing_that_acts(
    filled: Filled, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _, ids = filled
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("TERM", "xterm")
    with surroundings(folder, None), monkeypatch.context() as terminal:
        terminal.setattr(sys.stdout, "isatty", lambda: True)
        assert main(["runs", "--sort", "cost"]) == 0
        assert main(["runs", "--csv", "-"]) == 0
    said = capsys.readouterr().out
    assert "\x1b[" in said  # rich's own colours
    assert "\x1b]" not in said
    assert "\x07" not in said
    for run_id in ids:
        assert run_id in said


def test_it_is_a_name_of_the_package() -> None:
    assert "runs" in hailuo_jupyter.__all__
    assert callable(hailuo_jupyter.runs)
