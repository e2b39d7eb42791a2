"""A link to a clip: whole in run log and sidecar, host and file name in whatever is passed on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.engine import process
from hailuo_jupyter.ipynb.crate import export
from hailuo_jupyter.ipynb.import_runs import import_runs
from hailuo_jupyter.ipynb.sync import sync
from hailuo_jupyter.ipynb.verify import verify
from hailuo_jupyter.kernel.comm_messages import Hello
from hailuo_jupyter.kernel.context import Notebook
from hailuo_jupyter.kernel.open_notebooks import OpenNotebooks
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.runlog.adopt import Adopted
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.sinks import registry
from hailuo_jupyter.sinks.base import Sink
from hailuo_jupyter.sinks.delivery import Delivery
from hailuo_jupyter.states import State
from tests.support.notebook_files import (
    MIME,
    buy,
    code,
    drawn,
    load,
    notebook,
    shown,
    simulator,
    surroundings,
    write,
)
from tests.support.sample_rows import shown_row

SOURCE = "%%hailuo --provider demo\nA boat."

#: In the path of each of the simulator's media links.
FOLDER = "generations/"


@dataclass
class Made:
    path: Path
    row: Row
    settings: Hailuo

    @property
    def sidecar(self) -> Path:
        return self.row.folder / f"{self.row.run_id}.json"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("made")
    path = folder / "work" / "clips.ipynb"
    path.parent.mkdir()
    with simulator() as sim, surroundings(folder, sim) as settings:
        row = buy(settings, path, {"boat": "A boat."}, {"boat": SOURCE})["boat"]
        write(path, notebook(code("boat", SOURCE, [shown(drawn([row], path, settings))])))
        sync(path)
        yield Made(path, row, settings)


def test_log_and_sidecar_have_it_whole(made: Made) -> None:
    link = made.row.record.job.media_link
    assert link is not None
    assert f"/{FOLDER}" in link
    assert json.loads(made.sidecar.read_text())["job"]["media_link"] == link
    assert made.row.record.job.answers["result"]["output"] == link  # type: ignore[index, call-overload]


def test_the_notebook_has_host_and_name(made: Made) -> None:
    said = made.path.read_text(encoding="utf-8")
    assert FOLDER not in said
    link = made.row.record.job.media_link or ""
    host, name = link.split(FOLDER)
    nb = load(made.path)
    stored = nb["metadata"]["hailuo"]["runs"][made.row.run_id]
    for record in (stored, nb["cells"][0]["outputs"][0]["data"][MIME]):
        assert record["job"]["media_link"] == f"{host}…/{name}"
    assert verify(made.path).ok, "less is not wrong"


class Recorder(Sink):
    """Keeps what it was given."""

    given: str = ""

    def ended(self, record: Record, folder: Path) -> None:  # noqa: ARG002 - its parent's
        Recorder.given = record.to_json()


def given_to_a_sink(row: Row, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the record that a sink gets of a run."""
    monkeypatch.setattr(registry, "load", lambda _name: Recorder())
    path = folder / "sink" / "runs.sqlite3"
    with RunLog(path) as log, Delivery("recorder", Hailuo(run_log=str(path))) as delivery:
        assert delivery.send(row, log) == ""
    return Recorder.given


def test_an_export_and_a_sink_have_no_more(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = export(made.path, tmp_path / "crate")
    files = [each for each in done.path.rglob("*") if each.suffix in {".json", ".ipynb"}]
    assert len(files) == 3
    assert not [each for each in files if FOLDER in each.read_text(encoding="utf-8")]
    assert FOLDER not in given_to_a_sink(made.row, tmp_path, monkeypatch)


def test_the_kernel_tells_the_front_end_no_more(made: Made) -> None:
    engine = process.get_engine()
    told = OpenNotebooks(lambda *_args, **_how: iter(()))
    here = Notebook(made.row.notebook_id or "", made.path, made.path.parent)
    answer = told.answer(here, Hello("", here.id, "", "", {}, (), frozenset()), engine)
    assert len(answer["records"]) == 1
    news = list(told.news(made.row, engine))
    assert FOLDER not in json.dumps([answer, news])
    process.shut_down()


def test_a_notebooks_copy_takes_no_link_away(made: Made, tmp_path: Path) -> None:
    settings = Hailuo(run_log=str(tmp_path / "other" / "runs.sqlite3"))
    log_of = settings.run_log_path(demo=True)
    with RunLog(log_of) as log:
        log.insert(made.row.record, folder=made.row.folder, kind="k", owner=None)
    nb = load(made.path)
    stored = nb["metadata"]["hailuo"]["runs"][made.row.run_id]
    stored |= {"revision": stored["revision"] + 1, "rating": 4}
    path = write(made.path.parent / "rated.ipynb", nb)
    assert dict(import_runs([path], settings).counts) == {Adopted.NEWER: 1}
    with RunLog(log_of) as log:
        record = log.get(made.row.run_id).record
    assert record.rating == 4
    assert record.job == made.row.record.job
    path.unlink()


def test_a_signed_link_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = "https://media.example/a/x.mp4?Expires=1750446300&Signature=secret-signature"
    record = json.loads(shown_row(State.COMPLETED).record_json)
    record["job"] |= {
        "media_link": link,
        "answers": {"result": {"url": link, "note": f"at {link}."}},
    }
    row = replace(
        shown_row(State.COMPLETED), record_json=Record.from_json(json.dumps(record)).to_json()
    )
    assert "secret-signature" not in row.record_json
    assert "https://media.example/a/x.mp4?Expires=1750446300" in row.record_json
    given: Any = json.loads(given_to_a_sink(row, tmp_path, monkeypatch))
    assert given["job"]["answers"] == {
        "result": {
            "url": "https://media.example/…/x.mp4",
            "note": "at https://media.example/…/x.mp4.",
        }
    }
