"""JSON that is nested deeper than any program reads: a clear message in every command, no traceback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.cli import main
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.ipynb.audit import audit
from hailuo_jupyter.kernel.runs import runs as find
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.sidecar import write_sidecar
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.notebook_files import MIME, code, notebook, surroundings
from tests.support.notebook_files import shown as output
from tests.support.sample_rows import shown_row

#: From what only our own code goes through to what no parser takes.
DEPTHS = (70, 210, 400, 900, 3_000, 100_000)
HOLE = '"a hole"'


def deep(depth: int) -> str:
    return '{"a":[' * (depth // 2) + "1" + "]}" * (depth // 2)


def filled(document: Any, depth: int) -> str:
    """Return JSON text with nested JSON in place of the hole: no library could write it."""
    return json.dumps(document).replace(HOLE, deep(depth))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hailuo]:
    with surroundings(tmp_path / "home", None) as found:
        (tmp_path / "work").mkdir()
        monkeypatch.chdir(tmp_path / "work")
        yield found


def record(**changes: Any) -> dict[str, Any]:
    """Return a record with a hole, where any may be: a name that we do not know."""
    values: dict[str, Any] = json.loads(shown_row(State.FAILED, provider="demo").record_json)
    return {**values, "later": json.loads(HOLE), **changes}


def in_the_answers() -> dict[str, Any]:
    values = record(later=1)
    values["job"]["answers"] = {"result": json.loads(HOLE)}
    return values


def in_the_metadata(made: dict[str, Any]) -> dict[str, Any]:
    return notebook(code("a", ""), hailuo={"schema": 1, "id": "x", "runs": {made["run_id"]: made}})


def in_an_output(made: dict[str, Any]) -> dict[str, Any]:
    return notebook(code("a", "", [output({MIME: made, "text/plain": ["x"], "text/html": ["x"]})]))


def anywhere(_made: dict[str, Any]) -> dict[str, Any]:
    return notebook(code("a", "1"), other=json.loads(HOLE))


BOOKS: list[Callable[[dict[str, Any]], dict[str, Any]]] = [in_the_metadata, in_an_output, anywhere]
MAKERS: list[Callable[[], dict[str, Any]]] = [record, in_the_answers]

#: What is said of it: never a traceback, never "a number that is too large".
CLEAR = "nested too deeply"


def say(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main(words)
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert "recursion" not in (said.out + said.err).lower()
    assert "number" not in said.err
    return status, said.out + said.err


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("make", MAKERS)
def test_a_sidecar(
    depth: int,
    make: Callable[[], dict[str, Any]],
    settings: Hailuo,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = make()
    folder = Path("hailuo")
    folder.mkdir()
    sidecar = folder / f"{made['run_id']}.json"
    text = filled(made, depth)
    sidecar.write_text(text)
    status, said = say(["import", "hailuo"], capsys)
    assert status == 1
    assert CLEAR in said
    plain = Record.from_json(shown_row(State.FAILED, provider="demo").record_json)
    log_of = settings.run_log_path(demo=True)
    with RunLog(log_of) as log:
        values = {**json.loads(plain.to_json()), "run_id": made["run_id"]}
        log.insert(
            Record.from_json(json.dumps(values)), folder=folder.absolute(), kind="", owner=None
        )
    for words in (
        ["runs"], ["runs", "--json"], ["show", made["run_id"]], ["cost"], ["du"], ["doctor"],
        ["prune", "--state", "failed", "--yes"], ["relink", "."], ["wait"], ["collect"],
    ):  # fmt: skip
        say(words, capsys)
    with pytest.raises(HailuoError):
        write_sidecar(Record.from_json(json.dumps(values)), folder)
    assert sidecar.read_text() == text, "what cannot be read is not overwritten"
    assert say(["audit", "."], capsys)[0] == 0


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("place", BOOKS)
def test_a_notebook(
    depth: int,
    place: Callable[[dict[str, Any]], dict[str, Any]],
    settings: Hailuo,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = Path("a.ipynb")
    path.write_text(filled(place(record()), depth))
    before = path.read_bytes()
    for words in (
        ["verify", "a.ipynb"],
        ["sync", "a.ipynb"],
        ["export", "a.ipynb", "-o", "crate"],
        ["import", "a.ipynb"],
        ["execute", "a.ipynb", "-o", "done.ipynb"],
        ["prune", "--notebook", "a.ipynb"],
        ["runs", "--notebook", "a.ipynb"],
    ):
        if words[0] == "execute" and depth <= 70:
            continue  # a kernel is started, for what is read without ado
        status, said = say(words, capsys)
        if depth > 200 and words[0] in {"verify", "sync", "export", "import", "execute"}:
            assert status == 1, words
            assert CLEAR in said, words
    assert path.read_bytes() == before
    assert not Path("done.ipynb").exists()
    say(["audit", "."], capsys)


@pytest.mark.parametrize("depth", DEPTHS)
def test_an_audit_finds_a_key_in_it_all_the_same(depth: int, settings: Hailuo) -> None:
    document = notebook(code("a", "1"), other=json.loads(HOLE))
    text = filled(document, depth).replace("1" + "]}" * 10, '"SG_0123456789abcdef"' + "]}" * 10, 1)
    assert "SG_0123456789abcdef" in text
    Path("a.ipynb").write_text(text)
    assert len(audit(Path("a.ipynb"), settings, secrets=[]).found) == 1


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_row_of_the_log(depth: int, settings: Hailuo, capsys: pytest.CaptureFixture[str]) -> None:
    row = shown_row(State.FAILED, provider="demo", folder=Path("hailuo").absolute())
    made = record(run_id=row.run_id)
    with RunLog(settings.run_log_path(demo=True)) as log:
        log.insert(row.record, folder=row.folder, kind="", owner=None)
        with log.exclusive() as connection:
            connection.execute("UPDATE runs SET record_json = ?", (filled(made, depth),))
    for words in (
        ["runs"], ["runs", "--json"], ["runs", "--csv", "-"], ["cost"], ["du"], ["doctor"],
        ["prune", "--state", "failed", "--yes"], ["relink", "."], ["wait"], ["collect"], ["audit", "."],
    ):  # fmt: skip
        status, said = say(words, capsys)
        if words[0] == "runs":
            assert status == 0, "the other runs are shown all the same"
            assert row.run_id in said
            assert CLEAR in said or "record unreadable" in said
    for words in (["show", row.run_id], ["show", "--json", row.run_id], ["wait", row.run_id]):
        status, said = say(words, capsys)
        if words == ["show", row.run_id]:
            assert status == 1
            assert CLEAR in said


def test_a_newer_versions_run_hides_no_other(
    settings: Hailuo, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        shown_row(State.COMPLETED, provider="demo", prompt=each) for each in ("a cat", "a kite")
    ]
    with RunLog(settings.run_log_path(demo=True)) as log:
        for row in rows:
            log.insert(row.record, folder=row.folder, kind="", owner=None)
        with log.exclusive() as connection:
            text = rows[0].record_json.replace("hailuo-run/1", "hailuo-run/2")
            connection.execute(
                "UPDATE runs SET record_json = ? WHERE run_id = ?", (text, rows[0].run_id)
            )
    status, said = say(["runs"], capsys)
    assert status == 0
    assert "record unreadable; see 'jupyter hailuo show RUN'" in said
    assert "a kite" in said
    found = json.loads(say(["runs", "--json"], capsys)[1])
    assert {each["run_id"]: each["prompt"] for each in found} == {
        rows[0].run_id: None,
        rows[1].run_id: "a kite",
    }
    assert say(["runs", "--csv", "-"], capsys)[0] == 0
    status, said = say(["show", rows[0].run_id], capsys)
    assert status == 1
    assert "Install the newest version" in said
    assert len(find(notebook=None).view(seconds=1.0).lines) == 2
