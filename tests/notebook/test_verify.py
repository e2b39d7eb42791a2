"""`jupyter hailuo verify`: each thing that can be wrong is found, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hailuo_jupyter.ipynb.sync import sync
from hailuo_jupyter.ipynb.verify import Issue, verify
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.settings import Hailuo
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

SOURCE = "%%hailuo --provider demo --image {frame}\nA boat."


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Row]]:
    folder = tmp_path_factory.mktemp("original")
    path = folder / "work" / "clips.ipynb"
    path.parent.mkdir()
    frame = Image.new("RGB", (640, 400), "navy")
    with simulator() as sim, surroundings(folder, sim) as settings:
        row = buy(settings, path, {"boat": "A boat."}, {"boat": SOURCE}, frame)["boat"]
        data = drawn([row], path, settings)
        write(path, notebook(code("boat", SOURCE, [shown(data)])))
        sync(path)
        yield path, row


@pytest.fixture
def copied(original: tuple[Path, Row], tmp_path: Path) -> tuple[Path, str]:
    """Notebook, clips and frames in another folder; the run log knows only the first folder."""
    path, row = original
    shutil.copytree(path.parent, tmp_path / "work")
    return tmp_path / "work" / path.name, row.run_id


@pytest.fixture
def elsewhere(tmp_path: Path) -> Hailuo:
    """Settings of another machine, whose run log knows nothing."""
    return Hailuo(run_log=str(tmp_path / "none.sqlite3"))


def edit(path: Path, change: Callable[[Any], None]) -> None:
    nb = load(path)
    change(nb)
    write(path, nb)


def wrong(findings: list[Issue]) -> list[str]:
    return [finding.kind for finding in findings if finding.wrong]


def test_a_whole_notebook_has_no_findings(original: tuple[Path, Row]) -> None:
    verdict = verify(original[0])
    assert verdict.findings == []
    assert verdict.ok
    assert (verdict.runs, verdict.completed, verdict.clips) == (1, 1, 1)


def test_on_another_machine_the_missing_log_is_no_fault(
    copied: tuple[Path, str], elsewhere: Hailuo
) -> None:
    verdict = verify(copied[0], settings=elsewhere)
    assert verdict.ok
    (note,) = verdict.findings
    assert "run log does not know 1 of 1" in note.text


def test_a_missing_clip(copied: tuple[Path, str], elsewhere: Hailuo) -> None:
    path, run_id = copied
    (path.parent / "hailuo" / f"{run_id}.mp4").unlink()
    verdict = verify(path, settings=elsewhere)
    assert wrong(verdict.findings) == ["clip"]
    assert verdict.clips == 0


def test_a_changed_clip(copied: tuple[Path, str], elsewhere: Hailuo) -> None:
    path, run_id = copied
    clip = path.parent / "hailuo" / f"{run_id}.mp4"
    clip.write_bytes(clip.read_bytes() + b"\0")
    verdict = verify(path, settings=elsewhere)
    assert wrong(verdict.findings) == ["clip"]
    assert "sha256 differs" in verdict.findings[0].text


def test_a_changed_and_a_missing_frame(copied: tuple[Path, str], elsewhere: Hailuo) -> None:
    path, _ = copied
    (frame,) = (path.parent / "hailuo" / "frames").iterdir()
    frame.write_bytes(b"no picture")
    assert wrong(verify(path, settings=elsewhere).findings) == ["frame"]
    frame.unlink()
    verdict = verify(path, settings=elsewhere)
    assert wrong(verdict.findings) == ["frame"]
    assert "first frame" in verdict.findings[0].text


def test_a_missing_a_broken_and_a_foreign_sidecar(
    copied: tuple[Path, str], elsewhere: Hailuo
) -> None:
    path, run_id = copied
    sidecar = path.parent / "hailuo" / f"{run_id}.json"
    text = sidecar.read_text()
    sidecar.unlink()
    assert wrong(verify(path, settings=elsewhere).findings) == ["sidecar"]
    sidecar.write_text("{")
    assert wrong(verify(path, settings=elsewhere).findings) == ["sidecar"]
    sidecar.write_text(text.replace(run_id, "20200101-000000-000000"))
    verdict = verify(path, settings=elsewhere)
    assert wrong(verdict.findings) == ["sidecar"]
    assert "record of run 20200101" in verdict.findings[0].text


@pytest.mark.parametrize(("step", "said"), [(1, "hailuo sync"), (-1, "only")])
def test_a_sidecar_of_another_revision(
    copied: tuple[Path, str], elsewhere: Hailuo, step: int, said: str
) -> None:
    path, run_id = copied
    sidecar = path.parent / "hailuo" / f"{run_id}.json"
    record = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps(record | {"revision": record["revision"] + step}))
    verdict = verify(path, settings=elsewhere)
    assert wrong(verdict.findings) == ["sidecar"]
    assert said in verdict.findings[0].text


def test_a_record_that_was_tampered_with(original: tuple[Path, Row], tmp_path: Path) -> None:
    path, row = original
    other = path.with_name("tampered.ipynb")
    shutil.copy(path, other)

    def change(nb: Any) -> None:
        record = nb["metadata"]["hailuo"]["runs"][row.run_id]
        # The output holds the whole record, and not a reference to the metadata, as `sync` may write it.
        nb["cells"][0]["outputs"][0]["data"][MIME] = json.loads(json.dumps(record))
        record["request"]["prompt"] = "A yacht."

    edit(other, change)
    verdict = verify(other)
    assert wrong(verdict.findings) == ["output", "sidecar", "log"]
    assert "disagree about: request" in verdict.findings[1].text


def test_the_log_may_be_ahead(original: tuple[Path, Row]) -> None:
    path, row = original
    log = RunLog(Hailuo.instance().run_log_path(demo=True))
    log.update(row.run_id, lambda record: record.changed(note="later"))
    try:
        verdict = verify(path)
        assert wrong(verdict.findings) == ["log"]
        assert "hailuo sync" in verdict.findings[0].text
        done = sync(path)
        assert (done.lifted, done.redrawn, done.sidecars) == (1, 1, 1)
        assert verify(path).ok
    finally:
        log.close()


def test_drift(copied: tuple[Path, str], elsewhere: Hailuo) -> None:
    path, _ = copied

    def change(nb: Any) -> None:
        nb["cells"][0]["source"] = "%%hailuo --provider demo\nA ship."

    edit(path, change)
    assert wrong(verify(path, settings=elsewhere).findings) == ["drift"]


def test_a_run_shown_by_another_cell_is_no_drift(
    copied: tuple[Path, str], elsewhere: Hailuo
) -> None:
    path, run_id = copied

    def change(nb: Any) -> None:
        nb["cells"].append({**nb["cells"][0], "id": "copy", "source": f"%hailuo show {run_id}"})

    edit(path, change)
    assert verify(path, settings=elsewhere).ok


def test_a_notebook_that_was_never_synced(copied: tuple[Path, str], elsewhere: Hailuo) -> None:
    path, run_id = copied

    def change(nb: Any) -> None:
        record = nb["metadata"].pop("hailuo")["runs"][run_id]
        nb["cells"][0]["outputs"][0]["data"][MIME] = record
        nb["cells"][0]["metadata"] = {}

    edit(path, change)
    verdict = verify(path, settings=elsewhere)
    assert wrong(verdict.findings) == ["metadata", "metadata"]
    assert verdict.clips == 1


def test_records_that_are_none(copied: tuple[Path, str], elsewhere: Hailuo) -> None:
    path, run_id = copied

    def change(nb: Any) -> None:
        runs = nb["metadata"]["hailuo"]["runs"]
        runs["x"] = {"run_id": "x"}
        runs["y"] = dict(runs[run_id])
        nb["cells"][0]["outputs"].append({"data": {MIME: {"run_id": 7}}})

    edit(path, change)
    verdict = verify(path, settings=elsewhere)
    assert wrong(verdict.findings) == ["schema", "schema", "schema"]


def test_a_list_without_a_record(copied: tuple[Path, str], elsewhere: Hailuo) -> None:
    path, _ = copied

    def change(nb: Any) -> None:
        nb["cells"].append(code("ghost", "1", runs=["20200101-000000-000000"]))

    edit(path, change)
    assert wrong(verify(path, settings=elsewhere).findings) == ["metadata", "metadata"]


def test_a_notebook_without_runs(tmp_path: Path, elsewhere: Hailuo) -> None:
    path = write(tmp_path / "plain.ipynb", notebook(code("x", "1")))
    verdict = verify(path, settings=elsewhere)
    assert verdict.ok
    assert verdict.runs == 0
    assert [finding.wrong for finding in verdict.findings] == [False]


def test_the_folder_of_the_clips_may_be_told(
    copied: tuple[Path, str], elsewhere: Hailuo, tmp_path: Path
) -> None:
    path, _ = copied
    (path.parent / "hailuo").rename(tmp_path / "moved")
    assert wrong(verify(path, settings=elsewhere).findings)
    assert verify(path, tmp_path / "moved", settings=elsewhere).ok


def test_a_clip_folder_of_another_name_is_found_by_the_link(
    copied: tuple[Path, str], elsewhere: Hailuo
) -> None:
    path, _ = copied
    (path.parent / "hailuo").rename(path.parent / "my clips")

    def change(nb: Any) -> None:
        data = nb["cells"][0]["outputs"][0]["data"]
        html = "".join(data["text/html"]).replace('src="hailuo/', 'src="my%20clips/')
        data["text/html"] = html.splitlines(keepends=True)

    edit(path, change)
    assert verify(path, settings=elsewhere).ok
