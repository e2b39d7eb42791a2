"""`jupyter hailuo embed`: what goes into the copy, what never does, trust, limits and `-o`."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import nbformat
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from nbconvert.exporters import HTMLExporter, WebPDFExporter
from nbformat.sign import NotebookNotary

from hailuo_jupyter.cli import main
from hailuo_jupyter.errors import DiskError, NotebookError
from hailuo_jupyter.ipynb import trust
from hailuo_jupyter.ipynb.embed import embed, stored_picture
from hailuo_jupyter.ipynb.nbconvert import EmbedClips
from hailuo_jupyter.kernel.sweep.sheet import Cell, Sheet
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from tests.support.notebook_files import (
    MIME,
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

SOURCES = {
    "boat": "%%hailuo --provider demo\nA boat.",
    "kite": "%%hailuo --provider demo\nA kite.",
}
_VIDEO = re.compile(r'src="data:video/mp4;base64,([^"]*)"')


@dataclass
class Made:
    path: Path
    rows: dict[str, Row]
    settings: Hailuo

    def clip(self, name: str) -> Path:
        row = self.rows[name]
        assert row.record.clip is not None
        return row.folder / row.record.clip.path

    def book(self, *outputs: dict[str, Any], path: Path | None = None, **metadata: Any) -> Path:
        """Write a notebook with these bundles, each in a cell of its own."""
        cells = [code(f"c{at}", "1", [shown(each)]) for at, each in enumerate(outputs)]
        return write(path or self.path, notebook(markdown("w", "# Clips"), *cells, **metadata))

    def data(self, *names: str, **form: Any) -> dict[str, Any]:
        return drawn([self.rows[each] for each in names], self.path, self.settings, **form)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("embed")
    path = folder / "work" / "clips.ipynb"
    path.parent.mkdir()
    with simulator() as sim, surroundings(folder, sim) as settings:
        rows = buy(settings, path, {"boat": "A boat.", "kite": "A kite."}, SOURCES)
        yield Made(path, rows, settings)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "mail" / "out.ipynb"


@pytest.fixture(autouse=True)
def _folder(out: Path) -> None:
    out.parent.mkdir()


def html(path: Path, cell: int = 1) -> str:
    (output,) = load(path)["cells"][cell]["outputs"]
    return "".join(output["data"]["text/html"])


def videos(text: str) -> list[bytes]:
    return [base64.b64decode(each) for each in _VIDEO.findall(text)]


def test_the_copy_holds_the_clips_and_all_else_of_the_notebook(made: Made, out: Path) -> None:
    foreign = {"application/x-foreign+json": {"mine": True}}
    path = made.book({**made.data("boat"), **foreign}, {"text/plain": "6"}, kept={"b": 1})
    before = load(path)
    done = embed(path, out, settings=made.settings)
    assert (done.clips, done.previews, done.pictures, done.remarks) == (1, 0, 0, ())
    assert load(path) == before
    assert videos(html(out)) == [made.clip("boat").read_bytes()]
    after = load(out)
    nbformat.validate(nbformat.read(out, as_version=4))
    assert out.read_text() == nbformat.writes(nbformat.read(out, as_version=4)) + "\n"
    data = after["cells"][1]["outputs"][0]["data"]
    assert data[MIME] == before["cells"][1]["outputs"][0]["data"][MIME]
    assert data["application/x-foreign+json"] == {"mine": True}
    after["cells"][1] = before["cells"][1]
    assert after == before


def test_links_lead_from_the_copys_folder_or_are_left_out(made: Made, out: Path) -> None:
    path, run_id = made.book(made.data("boat")), made.rows["boat"].run_id
    embed(path, out, settings=made.settings)
    assert "href=" not in html(out)
    assert f"hailuo/{run_id}.mp4" in html(out), "the caption names the file"
    above = made.path.parent.parent / "above.ipynb"
    embed(path, above, settings=made.settings)
    assert f'href="work/hailuo/{run_id}.mp4"' in html(above)
    assert f'href="work/hailuo/{run_id}.json"' in html(above)


def test_one_clip_in_two_outputs_and_two_in_one(made: Made, out: Path) -> None:
    path = made.book(made.data("boat", "kite"), made.data("kite"))
    assert embed(path, out, settings=made.settings).clips == 3
    boat, kite = (made.clip(name).read_bytes() for name in SOURCES)
    assert videos(html(out, 1)) == [boat, kite]
    assert videos(html(out, 2)) == [kite]


def test_the_command_says_of_how_many_runs_the_clips_are(
    made: Made, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made.book(made.data("boat", "kite"), made.data("kite"))
    assert main(["embed", str(path), "-o", str(out)]) == 0
    assert "3 clips, 0 previews (2 runs; some are in several outputs)." in capsys.readouterr().out


def test_a_notebook_whose_outputs_are_gone_says_what_to_do(made: Made, out: Path) -> None:
    done = embed(made.book(), out, settings=made.settings)
    assert done.clips == 0
    (remark,) = done.remarks
    assert "it sent 2 runs. Rerun its cells" in remark


def test_a_contact_sheet_and_a_comparison_stay_what_they_are(made: Made, out: Path) -> None:
    ids = [made.rows[name].run_id for name in SOURCES]
    sheet = Sheet(
        "sweep-1",
        (("mode", ("a", "b")),),
        tuple(Cell((at,), (each,)) for at, each in enumerate(ids)),
    )
    path = made.book(
        made.data("boat", "kite", sheet=sheet), made.data("boat", "kite", compare=True)
    )
    assert embed(path, out, settings=made.settings).remarks == ()
    clips = [made.clip(name).read_bytes() for name in SOURCES]
    for at, mark in enumerate(("hailuo-grid", "hailuo-compare"), 1):
        assert mark in html(out, at)
        assert videos(html(out, at)) == clips
        was, now = (load(each)["cells"][at]["outputs"][0]["data"][MIME] for each in (path, out))
        assert was == now


# ── the file that is written ───────────────────────────────────────────────────────────────────


def test_without_o_nothing_is_written(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    path = made.book(made.data("boat"))
    before, names = path.read_bytes(), sorted(path.parent.iterdir())
    with pytest.raises(SystemExit) as ended:
        main(["embed", str(path)])
    assert ended.value.code == 2
    assert "-o" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == names


def test_o_may_name_the_notebook_itself(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made.book(made.data("boat"))
    link = tmp_path / "link.ipynb"
    link.symlink_to(path)
    assert main(["embed", str(path), "-o", str(link)]) == 0
    assert capsys.readouterr().out == f"Wrote {link}: 1 clip, 0 previews.\n"
    assert link.is_symlink()
    assert videos(html(path))
    once = path.read_bytes()
    assert main(["embed", str(path), "-o", str(path)]) == 0
    assert path.read_bytes() == once


def test_a_pipe_is_not_replaced(made: Made, tmp_path: Path) -> None:
    """Nor a device: as root, a file in its place would be the end of it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(DiskError, match="not a regular file"):
        embed(made.book(made.data("boat")), pipe, settings=made.settings)
    assert pipe.is_fifo()


def test_a_notebook_that_changes_meanwhile_is_not_overwritten(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made.book(made.data("boat"))
    checked = trust.is_trusted

    def and_changed(text: str) -> bool:
        path.write_text(path.read_text() + " ")
        return checked(text)

    monkeypatch.setattr(trust, "is_trusted", and_changed)
    with pytest.raises(NotebookError, match="changed by another program"):
        embed(path, path, settings=made.settings)
    assert not videos(html(path))


def notary(made: Made) -> NotebookNotary:
    folder = made.path.parents[1] / "jupyter"
    folder.mkdir(exist_ok=True)
    return NotebookNotary(data_dir=str(folder))


@pytest.mark.parametrize("before", [True, False], ids=["trusted", "untrusted"])
@pytest.mark.parametrize("same", [True, False], ids=["itself", "a copy"])
def test_trust_is_kept_and_never_given(made: Made, out: Path, *, before: bool, same: bool) -> None:
    path = made.book(made.data("boat"), case=f"{before}{same}")
    if before:
        notary(made).sign(nbformat.read(path, as_version=4))
    written = path if same else out
    assert embed(path, written, settings=made.settings).remarks == ()
    assert notary(made).check_signature(nbformat.read(written, as_version=4)) == before


def test_a_signature_that_is_lost_is_reported(
    made: Made, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made.book(made.data("boat"), case="lost")
    notary(made).sign(nbformat.read(path, as_version=4))
    monkeypatch.setattr(trust, "sign", lambda _text: False)
    assert embed(path, out, settings=made.settings).remarks == (trust.NOT_SIGNED,)


# ── limits ─────────────────────────────────────────────────────────────────────────────────────


def limited(made: Made, **limits: float) -> Hailuo:
    return Hailuo(run_log=made.settings.run_log, **limits)


def test_of_a_large_clip_a_preview_is_put_in(made: Made, out: Path) -> None:
    path = made.book(made.data("boat"), made.data("boat"))
    done = embed(path, out, settings=limited(made, embed_clip_mb=0.001))
    assert (done.clips, done.previews, done.pictures, done.remarks) == (0, 2, 0, ())
    (small,) = videos(html(out))
    assert small != made.clip("boat").read_bytes()
    with av.open(io.BytesIO(small)) as clip:
        assert clip.streams.video[0].height <= 480
    assert "smaller preview" in html(out)
    # Embedded again, it does not become the whole clip: nobody asked for that.
    again = embed(out, out, path.parent / "hailuo", settings=limited(made, embed_clip_mb=0.001))
    assert again.previews == 2


def test_the_command_takes_limits_of_its_own(
    made: Made, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["embed", str(made.book(made.data("boat"))), "-o", str(out)]
    assert main([*words, "--clip-mb", "0.001"]) == 0
    assert capsys.readouterr().out == f"Wrote {out}: 0 clips, 1 preview.\n"
    assert main([*words, "--clip-mb", "0.001", "--notebook-mb=0"]) == 0
    assert capsys.readouterr().out.endswith("0 previews, 1 picture in place of a clip.\n")
    for wrong in ("-1", "nan", "inf", "many"):
        with pytest.raises(SystemExit):
            main([*words, f"--clip-mb={wrong}"])
        assert "a number of MB, 0 or more" in capsys.readouterr().err


def test_what_was_embedded_whole_stays_whole(made: Made, out: Path) -> None:
    embed(made.book(made.data("boat")), out, settings=made.settings)
    limits = limited(made, embed_clip_mb=0.001, embed_notebook_mb=0.001)
    assert embed(out, out, settings=limits).clips == 1
    assert videos(html(out)) == [made.clip("boat").read_bytes()]


def test_a_full_notebook_shows_pictures_and_links_where_one_leads(made: Made, out: Path) -> None:
    size = made.clip("boat").stat().st_size
    limits = limited(made, embed_notebook_mb=(size + 1) / 1e6)
    path = made.book(made.data("boat"), made.data("kite"))
    done = embed(path, out, settings=limits)
    assert (done.clips, done.previews, done.pictures) == (1, 0, 1)
    assert videos(html(out, 1))
    assert "<video" not in html(out, 2)
    assert stored_picture(html(out, 2), made.rows["kite"].run_id)
    assert "This is a picture of the clip" in html(out, 2)


def test_a_clip_of_which_no_preview_can_be_made_shows_its_picture(
    made: Made, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hailuo_jupyter.errors import ClipError
    from hailuo_jupyter.ipynb import embed as module

    def refuse(_path: Path) -> bytes:
        raise ClipError("PyAV has no H.264 encoder here.")

    monkeypatch.setattr(module, "preview", refuse)
    path = made.book(made.data("boat"))
    done = embed(path, out, settings=limited(made, embed_clip_mb=0.001))
    assert (done.previews, done.pictures) == (0, 1)
    assert "no H.264 encoder" in done.remarks[0]


# ── missing and foreign files ──────────────────────────────────────────────────────────────────


def elsewhere(made: Made, folder: Path, *names: str, **changes: Any) -> Path:
    """Write a stranger's notebook about some runs; no log of this user knows its folder."""
    data = made.data(*names)
    if changes:
        data[MIME]["clip"] |= changes
    return made.book(data, path=folder / "repo" / "a.ipynb")


def nowhere(tmp_path: Path) -> Hailuo:
    return Hailuo(run_log=str(tmp_path / "none.sqlite3"))


def test_a_run_whose_clip_is_missing_is_left_as_it_is(
    made: Made, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    path = elsewhere(made, tmp_path, "boat")
    monkeypatch.setenv("HAILUO_RUN_LOG", str(tmp_path / "none.sqlite3"))
    Hailuo.clear_instance()
    assert main(["embed", str(path), "-o", str(out)]) == 1
    said = capsys.readouterr()
    assert said.out == f"Wrote {out}: 0 clips, 0 previews.\n"
    assert f"{made.rows['boat'].run_id}.mp4 was not found" in said.err
    assert load(out) == load(path)
    assert main(["embed", str(path), "-o", str(out), "--clips", str(made.clip("boat").parent)]) == 0
    assert videos(html(out))


def test_beside_one_that_is_there_a_missing_one_keeps_its_picture(
    made: Made, tmp_path: Path, out: Path
) -> None:
    path = elsewhere(made, tmp_path, "boat", "kite")
    (path.parent / "hailuo").mkdir()
    shutil.copy(made.clip("kite"), path.parent / "hailuo")
    done = embed(path, out, settings=nowhere(tmp_path))
    assert done.clips == len(done.remarks) == 1
    assert made.rows["boat"].run_id in done.remarks[0]
    assert videos(html(out)) == [made.clip("kite").read_bytes()]
    boat = made.rows["boat"].run_id
    assert stored_picture(html(out), boat) == stored_picture(html(path), boat) is not None


def test_what_is_in_the_notebook_already_needs_no_file(
    made: Made, tmp_path: Path, out: Path
) -> None:
    embed(made.book(made.data("boat")), out, settings=made.settings)
    again = out.with_name("again.ipynb")
    assert embed(out, again, settings=nowhere(tmp_path)).remarks == ()
    assert load(again) == load(out)
    # With one of two files the other clip is not lost.
    embed(made.book(made.data("boat", "kite")), out, settings=made.settings)
    (out.parent / "hailuo").mkdir()
    shutil.copy(made.clip("kite"), out.parent / "hailuo")
    assert len(embed(out, again, settings=nowhere(tmp_path)).remarks) == 1
    assert load(again) == load(out)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"deleted": "2026-11-29T10:00:00.000Z"},
            "deleted on 2026-11-29",
        ),
        ({"path": f"{'x' * 300}.mp4"}, "was not found"),
    ],
)
def test_why_a_clip_is_missing_is_said(
    made: Made, tmp_path: Path, out: Path, changes: dict[str, Any], said: str
) -> None:
    path = elsewhere(made, tmp_path, "boat", **changes)
    (remark,) = embed(path, out, settings=nowhere(tmp_path)).remarks
    assert said in remark
    assert load(out) == load(path)


def test_a_record_without_a_clip_is_reported(made: Made, out: Path) -> None:
    data = made.data("boat")
    data[MIME]["clip"] = None
    path = made.book(data)
    assert "does not name a clip" in embed(path, out, settings=made.settings).remarks[0]
    assert load(out) == load(path)


def test_a_clip_that_is_no_video_goes_in_without_a_picture(
    made: Made, tmp_path: Path, out: Path
) -> None:
    """Its bytes are those that the record says, and nothing here can read them."""
    clip = tmp_path / "repo" / "hailuo" / made.clip("boat").name
    clip.parent.mkdir(parents=True)
    clip.write_bytes(SECRET)
    facts = {"bytes": len(SECRET), "sha256": hashlib.sha256(SECRET).hexdigest()}
    path = elsewhere(made, tmp_path, "boat", **facts)
    nb = load(path)
    nb["cells"][1]["outputs"][0]["data"]["text/html"] = []
    write(path, nb)
    assert embed(path, out, settings=nowhere(tmp_path)).clips == 1
    assert stored_picture(html(out), made.rows["boat"].run_id) is None


SECRET = b"root:x:0:0: what no stranger may get"


def passwd(clip: Path, folder: Path) -> dict[str, Any]:
    """A link by the clip's name to a file of the victim's, of which the stranger knows all."""
    target = folder / "passwd"
    target.write_bytes(SECRET)
    clip.symlink_to(target)
    return {"sha256": hashlib.sha256(SECRET).hexdigest(), "bytes": len(SECRET)}


def of_another_size(clip: Path, _folder: Path) -> dict[str, Any]:
    clip.write_bytes(SECRET)
    return {}


def of_the_same_size(clip: Path, _folder: Path) -> dict[str, Any]:
    clip.write_bytes(SECRET)
    return {"bytes": len(SECRET)}


def by_another_name(clip: Path, _folder: Path) -> dict[str, Any]:
    clip.with_name("holiday.mp4").write_bytes(SECRET)
    return {
        "path": "holiday.mp4",
        "sha256": hashlib.sha256(SECRET).hexdigest(),
        "bytes": len(SECRET),
    }


@pytest.mark.parametrize("way", [passwd, of_another_size, of_the_same_size, by_another_name])
@pytest.mark.parametrize("linked", [False, True], ids=["beside", "linked"])
def test_no_other_file_of_the_disk_is_put_in(
    made: Made, tmp_path: Path, out: Path, way: Any, *, linked: bool
) -> None:
    folder = tmp_path / ("private" if linked else "repo/hailuo")
    folder.mkdir(parents=True)
    clip = folder / made.clip("boat").name
    path = elsewhere(made, tmp_path, "boat", **way(clip, tmp_path))
    if linked:
        nb = load(path)
        nb["cells"][1]["outputs"][0]["data"]["text/html"] = [
            f'<video src="../private/{clip.name}"></video><video src="../private/holiday.mp4">'
        ]
        write(path, nb)
    done = embed(path, out, settings=nowhere(tmp_path))
    assert (done.clips, done.previews, done.pictures) == (0, 0, 0)
    assert "left out" in done.remarks[0] or "was not found" in done.remarks[0]
    assert load(out) == load(path)
    for form in (base64.b64encode(SECRET), SECRET):
        assert form not in out.read_bytes()


@pytest.mark.parametrize("clip_mb", [2, 0.001], ids=["whole", "preview"])
def test_a_second_record_of_a_run_brings_no_other_file_in(
    made: Made, tmp_path: Path, out: Path, clip_mb: float
) -> None:
    """The first one is right; the second has its sha256, and the name of another video."""
    folder = tmp_path / "repo" / "hailuo"
    folder.mkdir(parents=True)
    shutil.copy(made.clip("boat"), folder)
    shutil.copy(made.clip("kite"), folder / "private.mp4")
    good, other = made.data("boat"), made.data("boat")
    other[MIME]["clip"]["path"] = "private.mp4"
    other["text/html"] = "<b>No picture</b>"
    path = made.book(good, other, path=tmp_path / "repo" / "a.ipynb")
    done = embed(path, out, settings=nowhere(tmp_path), clip_mb=clip_mb)
    assert done.clips + done.previews == 1
    assert "left out" in done.remarks[0]
    assert load(out)["cells"][2] == load(path)["cells"][2]


@pytest.mark.parametrize("changes", [{"height": 0}, {"width": 10**400}, {"height": 10**400}])
def test_a_clip_of_an_impossible_size_is_left(
    made: Made, out: Path, changes: dict[str, Any]
) -> None:
    data = made.data("boat")
    data[MIME]["clip"] |= changes
    path = made.book(data, made.data("kite"))
    done = embed(path, out, settings=made.settings)
    assert "An output was left as it is" in done.remarks[0]
    assert load(out)["cells"][1] == load(path)["cells"][1]
    assert videos(html(out, 2))


def test_the_run_log_puts_nothing_into_a_strangers_notebook(made: Made, out: Path) -> None:
    """A stranger may know the id of a run; what became of it is for its owner alone."""
    data = made.data("boat")
    data[MIME] |= {"revision": 2, "state": "generating", "clip": None}
    data["text/html"] = "<b>Generating</b>"
    path = made.book(data)
    done = embed(path, out, settings=made.settings)
    assert done.clips == 0
    assert "'jupyter hailuo sync' first" in done.remarks[0]
    assert load(out) == load(path)


def test_an_output_with_a_record_that_cannot_be_read_is_left(made: Made, out: Path) -> None:
    data = made.data("boat", "kite")
    data[MIME]["runs"][0]["schema"] = "hailuo-run/99"
    path = made.book(data, made.data("kite"))
    done = embed(path, out, settings=made.settings)
    assert "1 of its 2 records cannot be read" in done.remarks[0]
    assert load(out)["cells"][1] == load(path)["cells"][1]
    assert videos(html(out, 2))


def test_an_output_that_cannot_be_drawn_is_left(made: Made, out: Path) -> None:
    data = made.data("boat")
    data[MIME]["provider"] = "of-the-future"
    path = made.book(data)
    done = embed(path, out, settings=made.settings)
    assert "An output was left as it is" in done.remarks[0]
    assert load(out) == load(path)


leaves = st.none() | st.integers() | st.text(max_size=12) | st.sampled_from(
    ["../../etc/passwd", "/etc/passwd", "hailuo", "", "x.mp4", "x\0.mp4"]
)  # fmt: skip
markup = st.text("<>\"'=/:;, abvideomgsrc+", max_size=60) | st.sampled_from(
    [
        '<video src="/etc/passwd">',
        '<img src="data:image/jpeg;base64,AAAA"',
        '<video src="../x.mp4">',
    ]
)


anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "axes", "cells", "at", "runs", "name"]), inner)
    ),
    max_leaves=6,
)


@examples(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_a_record_says_only_its_own_clip_goes_in(made: Made, out: Path, data: Any) -> None:
    record = json.loads(made.rows["boat"].record_json)
    for part in data.draw(st.lists(st.sampled_from([record, record["clip"]]), max_size=3)):
        part[data.draw(st.sampled_from(sorted(part)))] = data.draw(leaves)
    record = data.draw(st.sampled_from([record, {"runs": [record]}]))
    if "runs" in record:
        record |= data.draw(st.dictionaries(st.sampled_from(["sweep", "compare", "x"]), anything))
    bundle = {MIME: record, "text/plain": "", "text/html": data.draw(markup)}
    path = made.book(bundle, path=made.path.with_name("hostile.ipynb"))
    embed(path, out, settings=made.settings)
    found = videos(html(out))
    assert found in ([], [made.clip("boat").read_bytes()])
    if load(out) != load(path):
        assert MIME in load(out)["cells"][1]["outputs"][0]["data"]
    # nbconvert's exports of the same do not fail either; sanitized or printed they have no video of ours.
    exporters = (HTMLExporter(), HTMLExporter(sanitize_html=True), WebPDFExporter())
    for exporter in exporters:
        nb, _ = EmbedClips(parent=exporter).preprocess(
            nbformat.read(path, as_version=4), {"metadata": {"path": str(path.parent)}}
        )
        nbformat.validate(nb)
        assert exporter is exporters[0] or "data:video" not in str(nb)


@pytest.mark.parametrize(("data", "found"), [("AAAA", bytes(3)), ("AAAAA", None), ("", None)])
def test_a_damaged_picture_is_none(data: str, found: bytes | None) -> None:
    tag = f'<img alt="run-1" src="data:image/jpeg;base64,{data}">'
    assert stored_picture(tag, "run-1") == found
    assert stored_picture(tag, "run-2") is None


def test_a_pictures_own_bytes_name_no_run() -> None:
    """Letters of base64 may spell an id that a stranger has chosen."""
    tag = '<img alt="{}" src="data:image/jpeg;base64,{}">'
    html = tag.format("another", "run1AAAA") + tag.format("run1", "AAAA")
    assert stored_picture(html, "run1") == bytes(3)


@given(st.lists(markup, max_size=6).map("".join), st.text(max_size=8))
def test_whatever_html_holds_a_stored_picture_comes_from_it(text: str, run_id: str) -> None:
    found = stored_picture(text, run_id)
    assert found is None or base64.b64encode(found).decode() in text
