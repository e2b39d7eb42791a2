"""Jupyter's trust in a notebook, through our own commands: kept, and given to nothing of a stranger's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from hailuo_jupyter.ipynb import trust
from hailuo_jupyter.ipynb.execute import execute
from hailuo_jupyter.ipynb.sync import sync
from hailuo_jupyter.settings import Hailuo
from tests.support.notebook_files import (
    buy,
    code,
    drawn,
    load,
    markdown,
    notebook,
    shown,
    simulator,
    surroundings,
    write,
)

SOURCE = "%%hailuo --provider demo\nA kite."
SCRIPT = {
    "data": {"text/html": ["<script>1</script>"]},
    "metadata": {},
    "output_type": "display_data",
}


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Hailuo]:
    with simulator() as sim, surroundings(tmp_path, sim) as found:
        yield found


def notary(folder: Path) -> NotebookNotary:
    """What Jupyter Server asks, with the same folder."""
    (folder / "jupyter").mkdir(exist_ok=True)
    return NotebookNotary(data_dir=str(folder / "jupyter"))


def trusted(folder: Path, path: Path) -> bool:
    # As Jupyter Server reads the file.
    return bool(notary(folder).check_signature(nbformat.read(path, as_version=4)))


def sign(folder: Path, path: Path) -> None:
    notary(folder).sign(nbformat.read(path, as_version=4))


def behind(settings: Hailuo, folder: Path) -> Path:
    """A notebook whose metadata lacks the record of its run."""
    path = folder / "work" / "clips.ipynb"
    path.parent.mkdir()
    row = buy(settings, path, {"kite": "A kite."}, {"kite": SOURCE})["kite"]
    cells = [
        markdown("words", "# Ünïcode\n"),
        code("kite", SOURCE, [shown(drawn([row], path, settings))]),
    ]
    return write(path, notebook(*cells))


@pytest.mark.parametrize("before", [True, False], ids=["trusted", "untrusted"])
def test_sync_keeps_trust_and_gives_none(settings: Hailuo, tmp_path: Path, *, before: bool) -> None:
    path = behind(settings, tmp_path)
    if before:
        sign(tmp_path, path)
    assert trusted(tmp_path, path) == before
    done = sync(path, settings=settings)
    assert (done.changed, done.remarks) == (True, ())
    assert trusted(tmp_path, path) == before
    # It is the content that is signed: whoever changes it has changed that.
    path.write_bytes(path.read_bytes().replace(b"A kite.", b"A gate."))
    assert not trusted(tmp_path, path)
    sync(path, settings=settings)
    assert not trusted(tmp_path, path)


def test_sync_asks_for_no_signing_key(settings: Hailuo, tmp_path: Path) -> None:
    sync(behind(settings, tmp_path), settings=settings)
    assert not (tmp_path / "jupyter").exists()


@pytest.mark.parametrize("name", ["notebook_secret", "nbsignatures.db"])
def test_signatures_that_cannot_be_used_stop_nothing(
    settings: Hailuo, tmp_path: Path, name: str
) -> None:
    path = behind(settings, tmp_path)
    sign(tmp_path, path)
    (tmp_path / "jupyter" / name).unlink()
    (tmp_path / "jupyter" / name).mkdir()
    assert not trust.is_trusted(path.read_text())
    # A database that it cannot open nbformat puts aside, and begins another one.
    assert trust.sign(path.read_text()) == (name == "nbsignatures.db")
    assert sync(path, settings=settings).changed


def test_sync_says_where_the_signature_is_lost(
    settings: Hailuo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = behind(settings, tmp_path)
    sign(tmp_path, path)
    monkeypatch.setattr(trust, "sign", lambda _text: False)
    (remark,) = sync(path, settings=settings).remarks
    assert "no longer trusted" in remark


def test_what_is_executed_is_trusted(settings: Hailuo, tmp_path: Path) -> None:
    cells = [
        code("load", "%load_ext hailuo_jupyter"),
        code("kite", SOURCE),
        code("six", "6", [SCRIPT]),
    ]
    path = write(tmp_path / "work" / "a.ipynb", notebook(*cells))
    out = tmp_path / "work" / "out.ipynb"
    assert execute(path, out, settings=settings).problems == ()
    assert trusted(tmp_path, out)
    assert not trusted(tmp_path, path)
    assert "script" not in out.read_text()


#: Ways in which an output of the file's author gets through an execution.
LEFT = {
    "a cell without a source": [code("one", "1"), code("blank", " \n", [SCRIPT])],
    "a cell that is skipped": [
        {**code("skipped", "2", [SCRIPT]), "metadata": {"tags": ["skip-execution"]}},
        code("one", "1"),
    ],
    "a cell after an error": [code("error", "1 / 0"), code("after", "3", [SCRIPT])],
}


@pytest.mark.parametrize("cells", LEFT.values(), ids=LEFT)
@pytest.mark.parametrize("before", [True, False], ids=["trusted", "untrusted"])
def test_an_output_that_was_not_executed_is_not_trusted_by_that(
    settings: Hailuo, tmp_path: Path, cells: list[Any], *, before: bool
) -> None:
    path = write(tmp_path / "work" / "a.ipynb", notebook(*json.loads(json.dumps(cells))))
    if before:
        sign(tmp_path, path)
    execute(path, settings=settings)
    assert "script" in json.dumps(load(path))
    assert trusted(tmp_path, path) == before
