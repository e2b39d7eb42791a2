"""`jupyter hailuo export`: a crate that validators take, holds what the notebook names, and no more."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hailuo_jupyter.engine import timings
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.errors import CrateError
from hailuo_jupyter.ipynb.crate import export
from hailuo_jupyter.ipynb.sync import sync
from hailuo_jupyter.links import shared_json
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.notebook_files import (
    buy,
    code,
    command,
    drawn,
    environment,
    load,
    notebook,
    shown,
    simulator,
    surroundings,
    write,
)
from tests.support.sample_rows import shown_row

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
SOURCE = "%%hailuo --provider demo --image {frame}\nA boat."


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Row]]:
    folder = tmp_path_factory.mktemp("original")
    path = folder / "work" / "two boats.ipynb"
    path.parent.mkdir()
    with simulator() as sim, surroundings(folder, sim) as settings:
        frame = Image.new("RGB", (640, 400), "navy")
        with pytest.MonkeyPatch.context() as patch:
            quick = timings.Timings(expected_duration=DurationEstimate(1.5, 0.3))
            patch.setattr(timings, "DEFAULT", quick)
            row = buy(settings, path, {"boat": "A boat."}, {"boat": SOURCE}, frame)["boat"]
        write(path, notebook(code("boat", SOURCE, [shown(drawn([row], path, settings))])))
        sync(path)
        yield path, row


@pytest.fixture
def copied(original: tuple[Path, Row], tmp_path: Path) -> tuple[Path, Row]:
    """Notebook, clips and frames in another folder; the run log knows only the first folder."""
    path, row = original
    shutil.copytree(path.parent, tmp_path / "work")
    return tmp_path / "work" / path.name, row


@pytest.fixture
def elsewhere(tmp_path: Path) -> Hailuo:
    """Settings of another machine, whose run log knows nothing."""
    return Hailuo(run_log=str(tmp_path / "none.sqlite3"))


def add(path: Path, *records: Any) -> None:
    """Write records into a notebook's metadata, as they stand."""
    nb = load(path)
    nb["metadata"]["hailuo"]["runs"] |= {each["run_id"]: each for each in records}
    write(path, nb)


def entities(crate: Path) -> dict[str, Any]:
    graph = json.loads((crate / "ro-crate-metadata.json").read_text("utf-8"))["@graph"]
    return {each["@id"]: each for each in graph}


def kinds(found: dict[str, Any], kind: str) -> list[Any]:
    return [each for each in found.values() if kind in each["@type"]]


def ids(value: Any) -> list[str]:
    return [each["@id"] for each in (value if isinstance(value, list) else [value])]


def conforms(crate: Path) -> None:
    """Hold a crate against what RO-Crate 1.1 and the profile ask for with MUST."""
    found = entities(crate)
    about = found["ro-crate-metadata.json"]
    assert about["@type"] == "CreativeWork"
    assert about["about"] == {"@id": "./"}
    assert about["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = found["./"]
    assert {"name", "description", "datePublished", "license", "hasPart"} <= set(root)
    assert found[PROFILE]["@type"] == "CreativeWork"
    assert PROFILE in ids(root["conformsTo"])
    for action in kinds(found, "CreateAction"):
        assert action["@id"] in ids(root["mentions"])
        for instrument in ids(action["instrument"]):
            assert found[instrument]["@type"] == "SoftwareApplication"
        for each in (*ids(action["object"]), *ids(action["result"])):
            assert found[each]["@type"] in {"File", "PropertyValue"}
        status = action["actionStatus"]["@id"]
        assert ("error" in action) <= (status == "http://schema.org/FailedActionStatus")
    for file in kinds(found, "File"):
        assert file["@id"] in ids(root["hasPart"])


def test_a_notebook_becomes_a_crate(
    copied: tuple[Path, Row], elsewhere: Hailuo, tmp_path: Path
) -> None:
    from rocrate.rocrate import ROCrate

    path, row = copied
    failed = shown_row(State.FAILED, problem=("job_failed", "It says: no.", "", "")).record
    add(path, json.loads(failed.to_json()))
    before = {each: each.read_bytes() for each in path.parent.rglob("*") if each.is_file()}
    done = export(path, tmp_path / "crate", settings=elsewhere, licence="https://example.org/l")
    assert (done.runs, done.clips, done.remarks) == (2, 1, ())
    assert {each: each.read_bytes() for each in before} == before, "an export changes nothing"
    conforms(done.path)

    crate = ROCrate(done.path)
    action = crate.dereference(f"#run-{row.run_id}")
    record = row.record
    assert record.clip
    assert record.request.first_frame
    assert (action["startTime"], action["endTime"]) == (
        record.times["prepared"],
        record.times["completed"],
    )
    assert action["actionStatus"] == "http://schema.org/CompletedActionStatus"
    clip, sidecar = action["result"]
    bytes_ = (done.path / clip.id).read_bytes()
    assert hashlib.sha256(bytes_).hexdigest() == record.clip.sha256 == clip["sha256"]
    beside = json.loads((done.path / sidecar.id).read_text("utf-8"))
    assert beside == json.loads(shared_json(record.to_json()))
    asked = {each["name"]: each.get("value") for each in action["object"]}
    assert asked["prompt"] == "A boat."
    assert asked["mode"] == record.request.options["mode"]
    frame = next(each for each in action["object"] if each.get("encodingFormat") == "image/png")
    assert frame["sha256"] == record.request.first_frame.sha256
    names = [each["name"] for each in action["instrument"]]
    assert names[0] == "hailuo-jupyter"
    assert "simulator" in names[1]
    assert (done.path / path.name).read_bytes() == path.read_bytes()

    other = crate.dereference(f"#run-{failed.run_id}")
    assert other["actionStatus"] == "http://schema.org/FailedActionStatus"
    assert failed.problem
    assert other["error"] == failed.problem.what
    assert crate.root_dataset["license"].id == "https://example.org/l"


def test_no_name_and_no_path_of_the_machine(
    copied: tuple[Path, Row],
    elsewhere: Hailuo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("USER", "LOGNAME", "USERNAME", "LNAME"):
        monkeypatch.setenv(name, "quillfeather")
    monkeypatch.setenv("HOME", "/home/quillfeather")
    done = export(copied[0], tmp_path / "crate", settings=elsewhere)
    for file in done.path.rglob("*"):
        if file.suffix in {".json", ".ipynb"}:
            text = file.read_text("utf-8")
            for told in (str(tmp_path), "quillfeather", "file:/"):
                assert told not in text
    path = copied[0]
    path.write_text(path.read_text().replace("A boat.", "A boat on /home/quillfeather."))
    told = export(path, tmp_path / "again", settings=elsewhere).remarks
    assert any("contain your home folder" in each for each in told)


def test_what_is_missing_or_changed_is_told_and_left_out(
    copied: tuple[Path, Row], elsewhere: Hailuo, tmp_path: Path
) -> None:
    path, row = copied
    clip, frame = row.record.clip, row.record.request.first_frame
    assert clip
    assert frame
    assert frame.kept
    (path.parent / "hailuo" / clip.path).write_bytes(b"another")
    (path.parent / "hailuo" / frame.kept).unlink()
    done = export(path, tmp_path / "crate", settings=elsewhere)
    assert [each.split(": ", 1)[1] for each in done.remarks] == [
        "its clip does not match its record; skipped.",
        "its first frame is not in its folder; skipped.",
    ]
    conforms(done.path)
    assert not list(done.path.rglob("*.mp4"))
    assert not list(done.path.rglob("*.png"))


LINKED, NAMED = (f"20261120-140312-00000{number}" for number in (1, 2))


def test_a_strangers_notebook_brings_nothing_from_outside_its_folder(
    copied: tuple[Path, Row], elsewhere: Hailuo, tmp_path: Path
) -> None:
    path, row = copied
    assert row.record.clip
    secret = tmp_path / "private" / "secret.mp4"
    secret.parent.mkdir()
    secret.write_bytes(b"secret")
    clip = path.parent / "hailuo" / row.record.clip.path
    digest = hashlib.sha256(b"secret").hexdigest()
    stolen = json.loads(row.record.to_json())
    stolen["clip"] |= {"sha256": digest, "bytes": 6}
    # A link out of the folder, a link to another folder, a name that is no clip's, the crate's own.
    clip.unlink()
    clip.symlink_to(secret)
    linked = {**stolen, "run_id": LINKED, "clip": {**stolen["clip"], "path": "secret.mp4"}}
    named = {**stolen, "run_id": NAMED, "clip": {**stolen["clip"], "path": ".profile"}}
    add(path, stolen, linked, named, {**stolen, "run_id": "ro-crate-metadata"})
    nb = load(path)
    link = '<video src="../private/secret.mp4">'
    nb["cells"][0]["outputs"][0]["data"]["text/html"] = [link]
    nb["cells"][0]["outputs"][0]["data"].pop("application/vnd.hailuo.run+json")
    nb["cells"].append(
        code("other", "", [shown({"text/html": link, "application/vnd.hailuo.run+json": linked})])
    )
    write(path, nb)
    done = export(path, tmp_path / "crate", settings=elsewhere)
    said = "\n".join(done.remarks)
    assert said.count("its clip is outside the notebook's folder") == 2
    assert f"Run {NAMED}: its clip does not have the name of a clip" in said
    assert done.clips == 0
    assert not list(done.path.rglob("ro-crate-metadata.mp4")), "that is the name of no run"
    conforms(done.path)
    files = [each.read_bytes() for each in done.path.rglob("*") if each.is_file()]
    assert b"secret" not in files


def test_runs_that_go_on_stay_out(
    copied: tuple[Path, Row], elsewhere: Hailuo, tmp_path: Path
) -> None:
    going = shown_row(State.GENERATING).record
    add(copied[0], json.loads(going.to_json()))
    done = export(copied[0], tmp_path / "crate", settings=elsewhere)
    assert done.remarks == (f"Run {going.run_id} has not finished (generating); skipped.",)
    assert done.runs == 1


def test_a_zip_by_the_command_line_and_nothing_is_overwritten(
    copied: tuple[Path, Row], tmp_path: Path
) -> None:
    path, _ = copied
    out, env = tmp_path / "crate.zip", environment(tmp_path, None)
    done = command("export", path, "-o", out, cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Wrote {out}: 1 run, 1 clip.\n"
    with zipfile.ZipFile(out) as packed:
        packed.extractall(tmp_path / "unpacked")
    conforms(tmp_path / "unpacked")
    with pytest.raises(CrateError, match="already exists"):
        export(path, out)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(CrateError, match="Nothing was written"):
        export(path, tmp_path / "full")
    assert [each.name for each in (tmp_path / "full").iterdir()] == ["mine.txt"]


#: Lets the validator have the context, which it would fetch, from what rocrate brings along.
VALIDATE = """
import sys, requests, rocrate
from pathlib import Path
text = (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()
def get(self, method, url, *_, **__):
    answer = requests.Response()
    answer.status_code, answer._content, answer.url = 200, text, url
    answer.headers["Content-Type"] = "application/ld+json"
    return answer
requests.Session.request = get
from rocrate_validator.cli.main import cli
cli()
"""


# It wants an older rich than the rest: CI runs this in an environment of its own.
if importlib.util.find_spec("rocrate_validator"):

    def test_the_profiles_validator_takes_it(
        copied: tuple[Path, Row], elsewhere: Hailuo, tmp_path: Path
    ) -> None:
        add(copied[0], json.loads(shown_row(State.FAILED).record.to_json()))
        done = export(copied[0], tmp_path / "crate", settings=elsewhere)
        said = subprocess.run(
            [
                *(sys.executable, "-c", VALIDATE, "-y", "validate", str(done.path), "--no-paging"),
                *("--profile-identifier", "process-run-crate", "--no-cache", "-f", "json"),
            ],
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
            cwd=tmp_path,
        )
        assert said.returncode == 0, said.stdout + said.stderr


def test_without_rocrate_the_command_says_what_to_install(tmp_path: Path) -> None:
    missing = tmp_path / "absent" / "rocrate.py"
    missing.parent.mkdir()
    missing.write_text("raise ModuleNotFoundError(\"No module named 'rocrate'\", name='rocrate')")
    write(tmp_path / "nb.ipynb", notebook())
    paths = os.pathsep.join([str(missing.parent), os.environ.get("PYTHONPATH", "")])
    done = command(*("export", "nb.ipynb", "-o", "crate"), cwd=tmp_path, env={"PYTHONPATH": paths})
    assert done.returncode == 1
    assert "pip install 'hailuo-jupyter[crate]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "crate").exists()
