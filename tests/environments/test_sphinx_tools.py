"""What reads and changes notebooks: runs in Sphinx's environment, made from `sphinx.txt` by `.ci/run`.

pytest -c /dev/null --noconftest tests/environments/test_sphinx_tools.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Behind the environment's own packages, so that what is installed there is what is tested.
sys.path.append(str(Path(__file__).parents[2]))

from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from tests.simulator import Simulator
from tests.support.notebook_files import (
    MIME,
    buy,
    code,
    command,
    drawn,
    environment,
    load,
    markdown,
    notebook,
    shown,
    simulator,
    surroundings,
    write,
)

SOURCE = "%%hailuo\nA boat [Pan left]: it drifts."
PROMPT = SOURCE.partition("\n")[2]


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, sim: Simulator) -> Iterator[Hailuo]:
    with surroundings(tmp_path, sim) as found:
        yield found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the notebook is."""
    (tmp_path / "work").mkdir()
    return tmp_path / "work" / "clips.ipynb"


def bought(settings: Hailuo, path: Path, *cells: str) -> dict[str, Row]:
    return buy(settings, path, dict.fromkeys(cells, PROMPT), dict.fromkeys(cells, SOURCE))


def with_runs(rows: dict[str, Row], path: Path, settings: Hailuo) -> dict[str, Any]:
    """A notebook of two cells; those that have a run show it, as JupyterLab saves it."""
    cells, records = [], {}
    for name in ("a", "b"):
        if row := rows.get(name):
            data = drawn([row], path, settings)
            records[row.run_id] = data[MIME]
            cells.append(code(name, SOURCE, [shown(data)], runs=[row.run_id]))
        else:
            cells.append(code(name, SOURCE))
    home = {"schema": 1, "id": "nb", "runs": records}
    return notebook(markdown("title", "# Clips"), *cells, **({"hailuo": home} if records else {}))


def run(*words: str | Path, cwd: Path) -> str:
    """Run a tool; gives what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_jupytext_keeps_the_runs_in_the_paired_notebook(settings: Hailuo, path: Path) -> None:
    rows = bought(settings, path, "a")
    write(path, with_runs(rows, path, settings))
    run_id, text = rows["a"].run_id, path.with_suffix(".py")
    pair = ("jupytext", "--set-formats", "ipynb,py:percent", path)
    run(*pair, cwd=path.parent)
    assert run_id in text.read_text()  # what the docs' filter is for
    text.unlink()
    (path.parent / "jupytext.toml").write_text(
        'formats = "ipynb,py:percent"\ncell_metadata_filter = "-hailuo"\n'
    )
    before = load(path)
    del before["metadata"]["jupytext"]
    write(path, before)
    run("jupytext", "--sync", path, cwd=path.parent)
    assert run_id not in text.read_text()
    assert "%%hailuo" in text.read_text()
    # The text is edited, and is newer than the notebook.
    text.write_text(text.read_text().replace("# Clips", "# My clips"))
    later = path.stat().st_mtime + 10
    os.utime(text, (later, later))
    run("jupytext", "--sync", path, cwd=path.parent)
    after = load(path)
    assert "".join(after["cells"][0]["source"]) == "# My clips"
    assert after["metadata"]["hailuo"] == before["metadata"]["hailuo"]
    assert after["cells"][1]["outputs"] == before["cells"][1]["outputs"]
    assert after["cells"][1]["metadata"]["hailuo"] == {"runs": [run_id]}


def test_nbdime_shows_sources_alone_and_merges_the_runs_of_both_sides(
    settings: Hailuo, path: Path
) -> None:
    rows = {**bought(settings, path, "a")}
    other = path.with_name("other.ipynb")
    rows["b"] = bought(settings, other, "b")["b"]
    sides = {"base": {}, "local": {"a": rows["a"]}, "remote": {"b": rows["b"]}}
    files = {
        name: write(path.with_name(f"{name}.ipynb"), with_runs(each, path, settings))
        for name, each in sides.items()
    }
    assert "hailuo" not in run("nbdime.nbdiffapp", "-s", *list(files.values())[:2], cwd=path.parent)
    full = run("nbdime.nbdiffapp", *list(files.values())[:2], cwd=path.parent)
    assert rows["a"].run_id in full
    run("nbdime.nbmergeapp", *files.values(), "--out", path, cwd=path.parent)
    merged = load(path)
    assert set(merged["metadata"]["hailuo"]["runs"]) == {row.run_id for row in rows.values()}
    for name, cell in zip("ab", merged["cells"][1:], strict=True):
        [output] = cell["outputs"]
        assert output["data"][MIME]["run_id"] == rows[name].run_id
        assert cell["metadata"]["hailuo"] == {"runs": [rows[name].run_id]}


def test_nbstripout_keeps_the_records_unless_it_is_told_to_remove_them(
    settings: Hailuo, path: Path, sim: Simulator, tmp_path: Path
) -> None:
    rows = bought(settings, path, "a")
    before = with_runs(rows, path, settings)
    write(path, before)
    run("nbstripout", path, cwd=path.parent)
    after = load(path)
    assert after["cells"][1]["outputs"] == []
    assert after["metadata"]["hailuo"] == before["metadata"]["hailuo"]
    checked = command("verify", path, cwd=path.parent, env=environment(tmp_path, sim))
    assert "1 of 1 clip present with the right hash" in checked.stdout + checked.stderr
    run(
        *("nbstripout", "--extra-keys", "metadata.hailuo cell.metadata.hailuo", path),
        cwd=path.parent,
    )
    assert "hailuo" not in load(path)["metadata"]
    assert rows["a"].run_id not in path.read_text()
