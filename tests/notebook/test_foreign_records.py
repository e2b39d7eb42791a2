"""Records from anybody: where they may be placed, and which files they never replace."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.cli import main
from hailuo_jupyter.engine import process
from hailuo_jupyter.errors import ClipError, DiskError
from hailuo_jupyter.ids import new_run_id
from hailuo_jupyter.ipynb.import_runs import import_runs
from hailuo_jupyter.ipynb.locate import RunLocator
from hailuo_jupyter.ipynb.sync import sync
from hailuo_jupyter.kernel.join import join
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.sidecar import write_sidecar
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.adopt import Adopted
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.notebook_files import MIME, code, load, notebook, surroundings, write
from tests.support.notebook_files import shown as output
from tests.support.sample_rows import shown_row

CLIP = b"a clip, as far as a hash can tell"


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Hailuo]:
    with surroundings(tmp_path / "home", None) as found:
        yield found


def record(state: State = State.COMPLETED, **changes: Any) -> Record:
    facts = {"sha256": hashlib.sha256(CLIP).hexdigest(), "bytes": len(CLIP)}
    how = {"clip": facts} if state is State.COMPLETED else {}
    return shown_row(state, **how).record.changed(**changes)


def book(path: Path, made: Record, link: str = "") -> Path:
    """Write a notebook as a stranger may: a record, and a link to where its clip is said to be."""
    values = json.loads(made.to_json())
    bundle = {MIME: values, "text/plain": "", "text/html": f'<video src="{link}">'}
    stored = {"schema": 1, "id": "theirs", "runs": {made.run_id: values}}
    return write(path, notebook(code("a", "", [output(bundle)]), hailuo=stored))


def clip(made: Record, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{made.run_id}.mp4"
    path.write_bytes(CLIP)
    return path


def logged(made: Record, settings: Hailuo) -> Path | None:
    with RunLog(settings.run_log_path()) as log:
        row = log.find(made.run_id)
        return row.folder if row else None


# ── where ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder of the victim's, such as that of Jupyter's settings, which reads any JSON in it."""
    path = tmp_path / "home" / ".jupyter" / "jupyter_server_config.d"
    path.mkdir(parents=True)
    return path


def linked(tmp_path: Path, made: Record, _elsewhere: Path) -> Path:
    link = f"../../home/.jupyter/jupyter_server_config.d/{made.run_id}.mp4"
    return book(tmp_path / "cloned" / "repo" / "a.ipynb", made, link)


def by_a_link_of_the_file_system(tmp_path: Path, made: Record, elsewhere: Path) -> Path:
    path = book(tmp_path / "cloned" / "repo" / "a.ipynb", made)
    (path.parent / "hailuo").symlink_to(elsewhere)
    return path


WAYS = [linked, by_a_link_of_the_file_system]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("state", [State.COMPLETED, State.GENERATING])
def test_a_notebook_places_no_record_outside_its_folder(
    tmp_path: Path,
    settings: Hailuo,
    elsewhere: Path,
    *,
    way: Callable[[Path, Record, Path], Path],
    state: State,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = record(state)
    clip(made, elsewhere)
    path = way(tmp_path, made, elsewhere)
    if state is State.GENERATING and way is linked:
        # The link leads there only because something of that name is there.
        write_sidecar(made, elsewhere)
    before = sorted(elsewhere.iterdir())
    for named in (path, path.parent):
        assert main(["import", str(named)]) == 1
        said = capsys.readouterr().err
        assert "its folder is outside the notebook's" in said
        assert f"jupyter hailuo import {path} " in said
        assert logged(made, settings) is None
    main(["sync", str(path)])
    assert sorted(elsewhere.iterdir()) == before
    # Whoever names the folder means it.
    assert main(["import", str(path), str(elsewhere)]) == 0
    assert logged(made, settings) is not None


def test_below_the_notebook_below_a_named_folder_and_where_it_is_set(
    tmp_path: Path, settings: Hailuo
) -> None:
    below, beside, outside = record(), record(), record()
    clip(below, tmp_path / "repo" / "nb" / "clips")
    path = book(tmp_path / "repo" / "nb" / "a.ipynb", below, f"clips/{below.run_id}.mp4")
    assert dict(import_runs([path], settings).counts) == {Adopted.NEW: 1}
    assert logged(below, settings) == path.parent / "clips"

    clip(beside, tmp_path / "repo" / "clips")
    path = book(path, beside, f"../clips/{beside.run_id}.mp4")
    [skipped] = import_runs([path], settings).skipped
    assert str(tmp_path / "repo") in skipped
    assert dict(import_runs([tmp_path / "repo"], settings).counts)[Adopted.NEW] == 1
    folder = logged(beside, settings)
    assert folder is not None
    assert folder.resolve() == tmp_path / "repo" / "clips"

    clip(outside, tmp_path / "disk")
    path = book(path, outside)
    with surroundings(tmp_path / "home", None):
        chosen = Hailuo(run_log=settings.run_log, output_dir=str(tmp_path / "disk"))
        assert dict(import_runs([path], chosen).counts) == {Adopted.NEW: 1}
    assert logged(outside, settings) == tmp_path / "disk"


def test_a_file_that_is_too_long_for_a_record_is_not_read(tmp_path: Path, settings: Hailuo) -> None:
    made = record()
    path = write_sidecar(made, tmp_path)
    with RunLocator(tmp_path, notebook(), settings=settings) as places:
        found = places.sidecar(made.run_id, tmp_path)
        assert found is not None
        assert found.record == made
        path.write_text(path.read_text() + " " * (2 * 1024 * 1024))
        found = places.sidecar(made.run_id, tmp_path)
        assert found is not None
        assert found.record is None


def test_a_folder_that_the_log_has_stays_right(tmp_path: Path, settings: Hailuo) -> None:
    made = record()
    clip(made, tmp_path / "clips")
    with RunLog(settings.run_log_path()) as log:
        log.insert(made, folder=tmp_path / "clips", kind="k", owner=None)
    path = book(tmp_path / "nb" / "a.ipynb", made.changed(rating=5))
    assert dict(import_runs([path], settings).counts) == {Adopted.NEWER: 1}
    assert logged(made, settings) == tmp_path / "clips"
    sync(path)
    assert (tmp_path / "clips" / f"{made.run_id}.json").is_file()


def test_sync_puts_no_file_into_a_notebook_but_the_clip_itself(
    tmp_path: Path, settings: Hailuo
) -> None:
    made = record()
    secret = tmp_path / "id_rsa"
    secret.write_bytes(b"a secret of the victim's")
    path = book(tmp_path / "repo" / "a.ipynb", made)
    nb = load(path)
    nb["cells"][0]["outputs"][0]["data"]["text/html"] = ['<video src="data:video/mp4;base64,AA">']
    write(path, nb)
    write_sidecar(made.changed(note="newer"), path.parent / "hailuo")
    (path.parent / "hailuo" / f"{made.run_id}.mp4").symlink_to(secret)
    assert sync(path).redrawn == 1
    said = path.read_text()
    assert "data:video/mp4" not in said
    assert "YSBzZWNyZXQ" not in said


# ── by which name ──────────────────────────────────────────────────────────────────────────────

STRANGE = [
    "package", "r1", "..", "../20261120-140312-7f3kq9", "20261120-140312-7f3kq9/..", "",
    "20261120-140312-7F3KQ9", "20261120-140312-7f3kqi", "20261120-140312-7f3kq9\n",
    "20261120-140312-7f3kq", "20261120-140312-7f3kq99", "\u0662\u0660261120-140312-7f3kq9",
    "ro-crate-metadata", "20261120-140312-7f3kq9.json", "con",
]  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_an_id_that_we_never_gave_is_none(name: str, tmp_path: Path, settings: Hailuo) -> None:
    values = {**json.loads(record().to_json()), "run_id": name}
    values["clip"]["path"] = f"{name}.mp4"
    with pytest.raises(ValueError, match="run_id"):
        Record.from_json(json.dumps(values))
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "package.json").write_text(json.dumps(values))
    done = import_runs([folder], settings)
    assert not done.counts
    assert len(done.skipped) == 1
    path = write(folder / "a.ipynb", notebook(hailuo={"schema": 1, "runs": {name: values}}))
    assert not import_runs([path], settings).counts


def test_each_id_that_we_give_is_one() -> None:
    made = record()
    for _ in range(2000):
        values = {**json.loads(made.to_json()), "run_id": new_run_id()}
        assert Record.from_json(json.dumps(values)).run_id == values["run_id"]


@given(st.text(max_size=30))
def test_whatever_an_id_is_it_names_no_other_file(name: str) -> None:
    values = {**json.loads(record().to_json()), "run_id": name}
    try:
        found = Record.from_json(json.dumps(values))
    except ValueError:
        return
    assert Path(f"{found.run_id}.json").name == f"{name}.json"


@pytest.mark.parametrize("name", ["README.md", ".env", "other.mp4", "a/b.mp4"])
def test_a_clip_by_the_name_of_another_file_is_imported_without_that_name(
    name: str, tmp_path: Path, settings: Hailuo
) -> None:
    """Its run is paid for; the file may be another run's clip, or none."""
    made, content = record(), b"a clip"
    values = json.loads(made.to_json())
    digest = hashlib.sha256(content).hexdigest()
    values["clip"] |= {"path": name, "sha256": digest, "bytes": len(content)}
    folder = tmp_path / "repo" / "hailuo"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(content)
    (folder / "other.json").write_text("{}")
    (folder / f"{made.run_id}.json").write_text(json.dumps(values))
    done = import_runs([folder], settings)
    assert dict(done.counts) == {Adopted.NEW: 1}
    with RunLog(settings.run_log_path()) as log:
        assert log.get(made.run_id).record.clip_paths == (f"{made.run_id}.mp4",)


def test_a_clip_on_another_drive_is_not_imported(tmp_path: Path, settings: Hailuo) -> None:
    made = record()
    values = json.loads(made.to_json())
    values["clip"]["path"] = "C:x.mp4"
    folder = tmp_path / "repo" / "hailuo"
    folder.mkdir(parents=True)
    (folder / f"{made.run_id}.json").write_text(json.dumps(values))
    done = import_runs([folder], settings)
    assert not done.counts
    assert len(done.skipped) == 1
    assert logged(made, settings) is None


@pytest.mark.parametrize(
    "size",
    [{"height": 0}, {"width": -1}, {"width": 10**400}, {"bytes": -1}, {"bytes": 10**400}],
)
def test_a_clip_of_an_impossible_size_is_not_imported(
    size: dict[str, int], tmp_path: Path, settings: Hailuo
) -> None:
    """Every table and output that shows it would fail on it."""
    made = record()
    values = json.loads(made.to_json())
    values["clip"] |= size
    folder = tmp_path / "repo" / "hailuo"
    folder.mkdir(parents=True)
    (folder / f"{made.run_id}.json").write_text(json.dumps(values))
    done = import_runs([folder], settings)
    assert not done.counts
    assert "Invalid size of its clip." in done.skipped[0]
    assert logged(made, settings) is None


# ── over which file ────────────────────────────────────────────────────────────────────────────


def newer_version(made: Record) -> str:
    return made.to_json().replace("hailuo-run/1", "hailuo-run/2")


OTHERS: dict[str, Callable[[Record], str]] = {
    "another project's": lambda _: '{"name": "leftpad", "version": "1.0.0"}',
    "another run's": lambda _: record().to_json(),
    "a newer version's": newer_version,
    "no JSON": lambda _: "my notes",
    "empty": lambda _: "",
    "too deep": lambda _: "[" * 100_000,
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_file_that_is_no_record_of_the_run_is_never_replaced(
    other: Callable[[Record], str], tmp_path: Path
) -> None:
    made = record()
    path = tmp_path / f"{made.run_id}.json"
    path.write_text(other(made))
    before = path.read_bytes()
    with pytest.raises(DiskError, match="was not overwritten") as caught:
        write_sidecar(made, tmp_path)
    assert "nothing is lost" in caught.value.money
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_never_replaced(tmp_path: Path) -> None:
    made = record()
    target = tmp_path / "mine.json"
    target.write_text(made.to_json())
    path = tmp_path / f"{made.run_id}.json"
    path.symlink_to(target)
    with pytest.raises(DiskError):
        write_sidecar(made.changed(rating=1), tmp_path)
    assert path.is_symlink()
    assert Record.from_json(target.read_bytes()) == made


def test_a_rating_leaves_it_too_and_the_log_has_it(tmp_path: Path, settings: Hailuo) -> None:
    made = record()
    clip(made, tmp_path)
    path = tmp_path / f"{made.run_id}.json"
    path.write_text('{"name": "leftpad"}')
    with RunLog(settings.run_log_path()) as log:
        log.insert(made, folder=tmp_path, kind="k", owner=None)
    with pytest.raises(DiskError, match="was not overwritten"):
        process.get_engine().run(made.run_id).rate(4)
    assert path.read_text() == '{"name": "leftpad"}'
    with RunLog(settings.run_log_path()) as log:
        assert log.get(made.run_id).record.rating == 4
    path.unlink()
    process.get_engine().run(made.run_id).rate(5)
    assert Record.from_json(path.read_bytes()).rating == 5


@pytest.mark.parametrize("replace", [False, True])
def test_a_scene_never_replaces_another_files_json(
    tmp_path: Path, settings: Hailuo, monkeypatch: pytest.MonkeyPatch, *, replace: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "package.json").write_text('{"name": "leftpad"}')
    (tmp_path / "package.mp4").write_bytes(b"my own cut")
    with pytest.raises(ClipError, match=r"package\.json exists and is not a scene"):
        join(["a.mp4", "b.mp4"], "package.mp4", replace=replace)
    assert (tmp_path / "package.json").read_text() == '{"name": "leftpad"}'
