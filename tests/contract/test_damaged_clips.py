"""A clip's file that is not what it was: damaged, it is fetched again; what a person did is left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from hailuo_jupyter.clip_file import ClipFile, Condition, clip_file
from hailuo_jupyter.engine.decide import Action
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import FrameError, NotBought
from hailuo_jupyter.ipynb.verify import against_files
from hailuo_jupyter.kernel.display.poster import poster
from hailuo_jupyter.kernel.display.run_view import Inside, clip_view
from hailuo_jupyter.kernel.display.thumbnails import thumbnails
from hailuo_jupyter.kernel.runs import table_view
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.sinks.base import clip_file as clip_of_sink
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, eventually, no_longer_kept

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"

Damage = Callable[[bytes], bytes]
DAMAGED: dict[str, tuple[Damage, str]] = {
    "a Git LFS pointer": (lambda _: POINTER, "is a Git LFS pointer"),
    "a git-annex pointer": (lambda _: b"/annex/objects/MD5E-s1--0.mp4\n", "is a git-annex pointer"),
    "empty": (lambda _: b"", "is empty"),
    "cut off": (lambda clip: clip[:-1000], "bytes"),
    "half": (lambda clip: clip[: len(clip) // 2], "bytes"),
    "its first bytes": (lambda clip: clip[:20], "bytes"),
}


def trim(path: Path) -> bytes:
    """Cut a clip to its first second, as a person does."""
    target = path.with_name("trimmed.mp4")
    with av.open(str(path)) as given, av.open(str(target), "w") as out:
        stream = given.streams.video[0]
        written = out.add_stream_from_template(stream)
        for packet in given.demux(stream):
            if packet.dts is not None and packet.pts * stream.time_base < 1:  # type: ignore[operator]
                packet.stream = written
                out.mux(packet)
    data = target.read_bytes()
    target.unlink()
    return data


def row_of(lab: EngineFixture, run: Run) -> Row:
    return lab.engines[0].row(run.run_id)


def shown(lab: EngineFixture, run: Run) -> tuple[str, str]:
    """Return what card and table say of a run's clip."""
    row = row_of(lab, run)
    view = clip_view(row, lab.folder)
    assert view is not None
    ((line,), _) = table_view.build_lines([row], base=lab.folder, now=0.0)
    return view.absent, line.absent


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_clip_is_shown_as_that_and_fetched_again(lab: EngineFixture, case: str) -> None:
    damage, why = DAMAGED[case]
    engine = lab.engine()
    run = lab.place(engine).wait(60)
    path = run.clip
    assert path is not None
    content = path.read_bytes()
    path.write_bytes(damage(content))
    assert run.clip is None
    absent, line = shown(lab, run)
    assert why in absent
    assert "Rerun the cell" in absent
    assert line.startswith("clip damaged:")
    assert why in line
    told = against_files(run.record, lab.clips)
    assert [(kind, wrong) for kind, _, wrong in told] == [("clip", True)]
    assert why in told[0][1]
    (again,) = lab.placed(engine)
    assert (again.action, again.run) == (Action.FETCH, run)
    assert "damaged" in again.remark
    assert "no charge" in again.remark
    eventually(lambda: run.clip is not None)
    assert path.read_bytes() == content
    assert lab.submits() == 1


def test_a_damaged_clip_that_the_provider_has_deleted_is_not_bought_again(
    lab: EngineFixture,
) -> None:
    engine = lab.engine()
    run = lab.place(engine).wait(60)
    assert run.clip is not None
    path = run.clip
    path.write_bytes(POINTER)
    order = lab.order()
    with pytest.raises(NotBought, match="Git LFS pointer") as caught:
        engine.submit(no_longer_kept(order))
    assert "git lfs pull" in caught.value.todo
    assert "--new" in caught.value.todo
    assert path.read_bytes() == POINTER
    assert (lab.submits(), run.status) == (1, State.COMPLETED)


@pytest.mark.parametrize("more", [b"", b"of any length"])
def test_a_link_counts_only_if_it_leads_to_the_clip(lab: EngineFixture, more: bytes) -> None:
    engine = lab.engine()
    run = lab.place(engine).wait(60)
    assert run.clip is not None
    path, content = run.clip, run.clip.read_bytes()
    private = lab.folder / "private"
    private.write_bytes(bytes(len(content)) + more)
    path.unlink()
    path.symlink_to(private)
    assert run.clip is None
    view = clip_view(row_of(lab, run), lab.folder, inside=Inside(whole=True))
    assert view is not None
    assert view.src is None
    assert "is a link" in view.absent
    assert clip_of_sink(run.record, lab.clips) is None
    other = lab.place(engine, prompt="another").wait(60).clip
    assert other is not None
    private.write_bytes(other.read_bytes())
    assert poster(row_of(lab, run)) is None
    assert thumbnails([row_of(lab, run)], lab.folder / "posters", seconds=10) == {}
    with pytest.raises(FrameError, match="is a link"):
        run.frame("last")
    private.write_bytes(content)
    assert poster(row_of(lab, run)) is not None
    assert run.clip == path
    assert clip_of_sink(run.record, lab.clips) == path
    private.write_bytes(b"private")
    (again,) = lab.placed(engine)
    assert again.action is Action.FETCH
    eventually(lambda: run.clip is not None)
    assert (path.is_symlink(), path.read_bytes(), private.read_bytes()) == (
        False,
        content,
        b"private",
    )


CHANGED: dict[str, Callable[[Path], bytes]] = {
    "trimmed": trim,
    "with bytes behind its end": lambda path: path.read_bytes() + b"tags",
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_a_person_did_with_a_clip_is_reported_and_left_alone(
    lab: EngineFixture, case: str
) -> None:
    engine = lab.engine()
    run = lab.place(engine).wait(60)
    path = run.clip
    assert path is not None
    made = CHANGED[case](path)
    assert made != path.read_bytes()
    path.write_bytes(made)
    assert run.clip == path
    absent, line = shown(lab, run)
    assert (absent, line) == ("", "clip's file changed since download")
    told = against_files(run.record, lab.clips)
    assert "sha256 differs" in told[0][1]
    (again,) = lab.placed(engine)
    assert (again.action, again.run) == (Action.SHOW, run)
    assert "has changed since download" in again.remark
    assert path.read_bytes() == made
    assert lab.submits() == 1


def test_a_clip_that_is_as_it_was_or_gone_is_told_without_reading_it(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = lab.place(lab.engine()).wait(60)
    path, clip = run.clip, run.record.clip
    assert path is not None
    assert clip is not None

    def look(_: Path) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr("hailuo_jupyter.clip_file.look", look)
    assert clip_file(path, clip) == ClipFile(Condition.HERE)
    (again,) = lab.placed(lab.engines[0])
    assert (again.action, again.remark) == (Action.SHOW, "")
    path.unlink()
    assert clip_file(path, clip) == ClipFile(Condition.GONE)
    path.mkdir()
    assert clip_file(path, clip) == ClipFile(Condition.GONE)
