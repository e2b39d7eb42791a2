from __future__ import annotations

import json
import re
import string
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter import catalogue, record, request
from hailuo_jupyter.errors import DiskError, FolderNotWritable
from hailuo_jupyter.record import Record, json_schema, new_run_id, prepare
from hailuo_jupyter.record.sidecar import write_sidecar
from hailuo_jupyter.request.frames import Frame
from hailuo_jupyter.states import State

SEGMIND = catalogue.provider("segmind")
NOW = 1_795_183_392.5
SIGNED = "https://cdn.example.com/c.mp4?Expires=1750446300&Signature=abcdef"
FRAME = Frame(
    "file:ab",
    "first.png",
    data=b"xyz",
    sha256="ab",
    source_sha256="ab",
    format="png",
    width=4,
    height=3,
)


def make(prompt: str = "a cat", **more: Any) -> Record:
    asked = request.build(
        prompt, SEGMIND, options={}, prompt_optimizer=more.pop("prompt_optimizer", True)
    )
    return prepare(asked, SEGMIND, **{"at": NOW, **more})


def with_frame(frame: Frame, *, kept: bool) -> Record:
    made = request.build("a cat", SEGMIND, options={})
    values = {**vars(made), "first_frame": frame}
    values.pop("fingerprint", None)
    return prepare(request.Request(**values), SEGMIND, frames_kept=kept)


def test_a_prepared_record_tells_what_was_asked() -> None:
    made = make(
        run_id="20261120-140312-0000r1",
        tags=["x"],
        name="n",
        note="m",
        origin={"notebook_path": "a.ipynb"},
    )
    assert (made.run_id, made.revision, made.state) == (
        "20261120-140312-0000r1",
        1,
        State.PREPARED,
    )
    assert made.times == {"prepared": "2026-11-20T14:03:12.500Z"}
    assert made.entered(State.PREPARED) == NOW
    assert made.entered(State.QUEUED) is None
    assert made.catalogue_date == SEGMIND.as_of
    assert made.cost.estimate_high == SEGMIND.price(made.request.options).high
    assert made.origin is not None
    assert made.origin.notebook_path == "a.ipynb"
    assert made.job.client_request_id != make().job.client_request_id


def test_a_price_that_was_shown_is_the_one_kept() -> None:
    price = catalogue.Price(1.0, 2.0, "published", "2026-01", "page", "")
    assert make(price=price).cost.estimate_low == 1.0


def test_a_demo_run_is_prepared_without_its_provider() -> None:
    demo = catalogue.provider("demo", demo_dialect="aimlapi")
    made = prepare(request.build("a cat", demo, options={}))
    assert (made.provider, made.dialect, made.cost.kind) == ("demo", "aimlapi", "free")


def test_moving_keeps_the_first_time_of_each_state() -> None:
    sent = (
        make()
        .moved(State.SUBMITTING, at=NOW + 1)
        .moved(State.SUBMITTED, at=NOW + 2, job={"id": "j"})
    )
    queued = sent.moved(State.QUEUED, at=NOW + 3).moved(State.GENERATING, at=NOW + 4)
    again = queued.moved(State.QUEUED, at=NOW + 5)
    assert again.revision == 6
    assert again.entered(State.QUEUED) == NOW + 3
    assert again.job.id == "j"
    assert again.job.client_request_id == sent.job.client_request_id


def test_a_forbidden_arrow_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot go from prepared to completed"):
        make().moved(State.COMPLETED)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"revision": 9}, "revision cannot be changed"),
        ({"fingerprint": "1:x"}, "fingerprint cannot be changed"),
        ({"nmae": "x"}, "nmae cannot be changed"),
        ({"job": {"idd": "x"}}, "job has no idd"),
        ({"clip": {"path": "c.mp4"}}, "clip.sha256"),
        ({"rating": "many"}, "rating"),
    ],
)
def test_changes_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make().changed(**changes)


def test_a_record_is_never_changed_in_place() -> None:
    made = make()
    with pytest.raises(ValueError, match="frozen"):
        made.state = State.QUEUED


ABSOLUTE = [
    *("/home/me/c.mp4", "C:\\c.mp4", "c:/c.mp4", "\\\\server\\c.mp4", "file:///c.mp4"),
    *("~/c.mp4", "~me/c.mp4", "../c.mp4", "a/../../c.mp4"),
]


@pytest.mark.parametrize("path", ABSOLUTE)
def test_paths_outside_of_the_folder_are_refused(path: str) -> None:
    size = {"bytes": 1, "width": 1, "height": 1, "fps": 24.0, "duration_s": 6.0}
    facts = {**size, "sha256": "", "codec": "h264"}
    assert make().changed(clip={"path": "c.mp4", **facts}).clip is not None
    for changes in ({"clip": {"path": path, **facts}}, {"origin": {"notebook_path": path}}):
        with pytest.raises(ValueError, match="no absolute paths"):
            make().changed(**changes)
    with pytest.raises(ValueError, match="a record has"):
        with_frame(Frame("x", path), kept=False)


@pytest.mark.parametrize("name", ["~old.png", "a: nice.png", "..png", "übung 1.png"])
def test_odd_but_plain_names_of_frames_are_taken(name: str) -> None:
    frame = with_frame(Frame("x", name), kept=False).request.first_frame
    assert frame is not None
    assert frame.source == name


def test_no_key_and_no_signature_gets_into_a_record() -> None:
    made = with_frame(Frame("url:x", "url", url=SIGNED), kept=False).changed(
        endpoint="https://me:pw@api.example.com/v2/x?key=abcdef",
        body={"prompt": "x-api-key: my own words", "image_url": SIGNED, "x": {"url": SIGNED}},
        job={"media_link": SIGNED, "answers": {"result": {"output": SIGNED, "api_key": "abcdef"}}},
    )
    assert "abcdef" not in made.to_json()
    assert made.endpoint == "https://api.example.com/v2/x"
    assert made.body is not None
    assert made.body["prompt"] == "x-api-key: my own words"
    within = {"input": {"prompt": "password: swordfish", "password": "swordfish"}}
    assert made.changed(body=within).body == {
        "input": {"prompt": "password: swordfish", "password": "[redacted]"}
    }
    assert made.job.media_link == "https://cdn.example.com/c.mp4?Expires=1750446300"


def test_an_odd_answer_does_not_keep_a_run_from_being_written() -> None:
    odd = json.loads('{"a": "\\ud800", "b": NaN, "c": [1e999], "\\udfff": 12345678901234567890123}')
    made = make().changed(
        job={"answers": {"status": odd}}, problem={"code": "x", "what": "\ud800!"}
    )
    text = made.to_json()
    assert text.encode()
    assert Record.from_json(text) == made


@pytest.mark.parametrize("fps", [float("nan"), float("inf")])
def test_a_number_that_json_lacks_is_not_read_so_that_none_is_stored(fps: float) -> None:
    clip = {"path": "a.mp4", "sha256": "0", "bytes": 1, "width": 1, "height": 1, "fps": fps}
    values = json.loads(make().to_json()) | {"clip": {**clip, "duration_s": 1.0, "codec": "h264"}}
    with pytest.raises(ValueError, match=r"clip\.fps"):
        Record.from_json(json.dumps(values))


def test_reproducibility_is_repeatable_and_never_identical() -> None:
    plain = make().reproducibility
    assert (plain.repeatable, plain.identical) == (True, False)
    assert "prompt as the optimizer rewrote it" in plain.not_fixed
    off = make(prompt_optimizer=False).reproducibility
    assert off.prompt_optimizer.startswith("off")
    assert "prompt as the optimizer rewrote it" not in off.not_fixed


def test_reproducibility_follows_the_frames() -> None:
    loose = with_frame(FRAME, kept=False)
    assert not loose.reproducibility.repeatable
    assert not with_frame(Frame("url:x", "url", url=SIGNED), kept=True).reproducibility.repeatable
    kept = with_frame(FRAME, kept=True)
    assert kept.reproducibility.repeatable
    assert kept.request.first_frame is not None
    assert kept.request.first_frame.kept == "frames/ab.png"
    later = loose.changed(request={"first_frame": kept.request.first_frame})
    assert later.reproducibility == kept.reproducibility


prompts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


@given(prompts, prompts)
def test_any_record_survives_its_json(prompt: str, note: str) -> None:
    made = make(note=note)
    made = made.changed(request={"prompt": prompt}, body={"prompt": prompt})
    again = Record.from_json(made.to_json())
    assert again == made
    assert again.request.prompt == prompt
    assert again.to_json() == made.to_json()
    assert Record.from_json(made.to_json(indent=2).encode()) == made


def test_json_is_sorted() -> None:
    text = make().to_json()
    assert text == json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False)


def test_what_a_newer_version_added_is_kept() -> None:
    values = json.loads(make().to_json())
    values["colour"] = "blue"
    values["job"]["node"] = 7
    made = Record.from_json(json.dumps(values)).changed(job={"id": "j"}, note="n")
    again = json.loads(made.to_json())
    assert (again["colour"], again["job"]["node"], again["job"]["id"]) == ("blue", 7, "j")


def test_an_older_record_without_later_names_is_read() -> None:
    values = json.loads(make().to_json())
    for name in ("rating", "sweep", "position", "parent", "body", "tags"):
        del values[name]
    assert Record.from_json(json.dumps(values)).tags == []


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "[]",
        "null",
        '{"schema": "hailuo-run/2"}',
        '{"schema": "hailuo-run/1"}',
        b"\xff\xfe",
        "[" * 100_000,
    ],
)
def test_what_is_no_record_is_refused_in_one_line(document: str | bytes) -> None:
    with pytest.raises(ValueError, match="This is not a record of a run") as caught:
        Record.from_json(document)
    assert "\n" not in str(caught.value)


def test_the_exported_schema_is_the_one_of_the_model() -> None:
    exported = Path(record.__file__).with_name("record.schema.json").read_text("utf-8")
    assert json.loads(exported) == json_schema(), "run: python -m hailuo_jupyter.record"


def test_records_are_valid_by_their_schema() -> None:
    check = jsonschema.Draft202012Validator(json_schema())
    check.check_schema(json_schema())
    assert json_schema()["$id"] == "urn:hailuo-jupyter:run:1"
    values = json.loads(with_frame(FRAME, kept=True).to_json())
    check.validate(values)
    assert not check.is_valid({**values, "state": "dreaming"})
    assert not check.is_valid({**values, "times": {"prepared": "yesterday"}})


def test_run_ids_sort_by_their_making() -> None:
    made = [new_run_id() for _ in range(3000)]
    assert made == sorted(made)
    assert len(set(made)) == 3000
    form = re.compile(rf"\d{{8}}-\d{{6}}-[{string.digits}{string.ascii_lowercase}]{{6}}")
    assert all(form.fullmatch(each) for each in made)
    assert new_run_id(NOW - 1e8).startswith("20230920-")
    assert new_run_id(NOW - 1e8 - 10) > new_run_id(NOW - 2e8)


def test_a_clock_set_back_a_little_keeps_the_order() -> None:
    first = new_run_id(NOW + 1e6)
    assert new_run_id(NOW + 1e6 - 30) > first


def test_the_sidecar_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    made = make()
    path = write_sidecar(made, folder)
    assert path == folder / f"{made.run_id}.json"
    later = made.changed(note="ä\nb")
    assert write_sidecar(later, folder) == path
    assert Record.from_json(path.read_bytes()) == later
    assert list(folder.iterdir()) == [path]


def test_a_sidecar_takes_away_what_a_killed_process_left(tmp_path: Path) -> None:
    made = make()
    (tmp_path / f".{made.run_id}.json.17-0123abcd.tmp").write_text("half of it")
    (tmp_path / ".another.json.17-0123abcd.tmp").write_text("another run's")
    path = write_sidecar(made, tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {
        path.name,
        ".another.json.17-0123abcd.tmp",
    }


def test_a_sidecar_is_written_by_many_at_once(tmp_path: Path) -> None:
    made = make()
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: write_sidecar(made, tmp_path), range(64)))
    assert list(tmp_path.iterdir()) == list(paths)
    assert Record.from_json(paths.pop().read_bytes()) == made


def test_a_sidecar_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderNotWritable, match="nothing is lost"):
        write_sidecar(make(), tmp_path / "file" / "out")
    made = make()
    (tmp_path / f"{made.run_id}.json").mkdir()
    with pytest.raises(DiskError):
        write_sidecar(made, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{made.run_id}.json", "file"}


def test_the_body_in_a_record_has_hashes_for_frames_within_it_too() -> None:
    made = request.build("a cat", SEGMIND, options={})
    asked = request.Request(
        **{**{k: v for k, v in vars(made).items() if k != "fingerprint"}, "first_frame": FRAME}
    )
    data = "data:image/png;base64,eHl6"
    body = {"input": {"prompt": data, "images": [{"inputImage": data}], "image": data}}
    frame = {"frame": "ab"}
    assert record.recorded_body(body, asked, {"first": data}) == {
        "input": {"prompt": data, "images": [{"inputImage": frame}], "image": frame}
    }
