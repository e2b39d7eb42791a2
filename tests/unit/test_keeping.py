"""Deleting what is no longer wanted, and finding again what was moved: real files, a real log."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter import catalogue
from hailuo_jupyter.cli import main
from hailuo_jupyter.ipynb.prune import PruneFilter, plan_prune, prune
from hailuo_jupyter.ipynb.relink import find_moved, relink
from hailuo_jupyter.ipynb.verify import against_files, against_sidecar
from hailuo_jupyter.record import FrameRecord, OriginRecord, Record, prepare
from hailuo_jupyter.record.sidecar import write_sidecar
from hailuo_jupyter.request import build
from hailuo_jupyter.runlog import Owner, Row, RunLog
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import FINAL, State

DAY = 86_400.0
NOW = 1_800_000_000.0
ALL = PruneFilter()

#: The way to each state.
WAYS = {
    State.COMPLETED: ("submitting", "submitted", "downloading", "completed"),
    State.FAILED: ("submitting", "submitted", "failed"),
    State.GENERATING: ("submitting", "submitted", "generating"),
    State.UNDOWNLOADED: ("submitting", "submitted", "downloading", "undownloaded"),
    State.UNCONFIRMED: ("submitting", "unconfirmed"),
    State.PREPARED: (),
}


class Archive:
    """A log, and runs in it with files of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clips = folder, folder / "work" / "hailuo"
        self.now = NOW
        self.log = RunLog(folder / "log" / "runs.sqlite3", clock=lambda: self.now)

    def frame(self, content: bytes, folder: Path | None = None) -> FrameRecord:
        digest = hashlib.sha256(content).hexdigest()
        path = (folder or self.clips) / "frames" / f"{digest}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        kept = f"frames/{digest}.png"
        return FrameRecord(source="a.png", sha256=digest, source_sha256=digest, kept=kept)

    def run(
        self,
        state: State = State.COMPLETED,
        *,
        days: float = 0.0,
        frame: FrameRecord | None = None,
        notebook: str = "nb",
        log: bool = True,
        **changes: Any,
    ) -> Row:
        """Write down a run with its clip and its sidecar."""
        self.now = NOW - days * DAY
        provider = catalogue.provider("segmind")
        origin = OriginRecord(notebook_id=notebook, notebook_path=f"{notebook}.ipynb")
        record = prepare(build("a cat", provider, options={}), provider, at=self.now, origin=origin)
        for name in WAYS[state]:
            record = record.moved(State(name), at=self.now)
        if frame is not None:
            changes["request"] = {"first_frame": frame}
        if state is State.COMPLETED:
            content = record.run_id.encode() * 100
            path = self.clips / f"{record.run_id}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            changes["clip"] = {
                "path": path.name,
                "sha256": hashlib.sha256(content).hexdigest(),
                "bytes": len(content),
                "width": 1366,
                "height": 768,
                "fps": 24.0,
                "duration_s": 6.0,
                "codec": "h264",
            }
        record = record.changed(**changes)
        write_sidecar(record, self.clips)
        if not log:
            return Row(record.run_id, state, 1, "segmind", "", "", None, None, self.clips, None, None,
                       0.0, 0.0, record.to_json())  # fmt: skip
        row = self.log.insert(record, folder=self.clips, kind="k", owner=None)
        self.now = NOW
        return row

    def names(self) -> set[str]:
        found = self.clips.parent.rglob("*")
        return {path.name for path in found if path.is_file()}

    def prune(self, which: PruneFilter = ALL, *, forget: bool = False) -> list[str]:
        """Prune, and give the ids of the runs that were touched."""
        found = plan_prune(which, [self.log], forget=forget, now=NOW)
        done = prune(found.candidates, forget=forget, now=NOW)
        assert done.remarks == []
        assert done.bytes == found.bytes
        return [each.row.run_id for each in found.candidates]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path)
    yield made
    made.log.close()


def files_of(row: Row) -> set[str]:
    return {f"{row.run_id}.mp4", f"{row.run_id}.json"}


# ── prune ──────────────────────────────────────────────────────────────────────────────────────


def test_the_clip_goes_and_the_log_says_so(archive: Archive) -> None:
    row = archive.run()
    assert archive.prune() == [row.run_id]
    assert archive.names() == set()
    after = archive.log.get(row.run_id)
    assert after.state is State.COMPLETED
    assert after.record.clip is not None
    assert after.record.clip.deleted == "2027-01-15T08:00:00.000Z"
    assert after.revision == row.revision + 1
    # A notebook that has its record is told the same, and nothing is wrong with it.
    ((_, words, wrong),) = against_files(after.record, archive.clips)
    assert words == "It was deleted on 2027-01-15."
    assert not wrong
    assert against_sidecar(after.record, None) == []
    assert archive.prune() == [], "what is gone is no candidate again"


def test_one_run_can_be_named(archive: Archive) -> None:
    one, other = archive.run(), archive.run()
    assert archive.prune(PruneFilter(run_ids=frozenset({one.run_id}))) == [one.run_id]
    assert archive.names() == files_of(other)


def test_looking_changes_nothing(archive: Archive) -> None:
    archive.run()
    before = archive.names(), archive.log.changed_since(0.0)
    assert plan_prune(ALL, [archive.log], forget=True, now=NOW).candidates
    assert (archive.names(), archive.log.changed_since(0.0)) == before


FILTERS: dict[str, tuple[PruneFilter, Callable[[Archive], Row], Callable[[Archive], Row]]] = {
    "age": (PruneFilter(older_than_s=30 * DAY), lambda a: a.run(days=31), lambda a: a.run(days=29)),
    "state": (
        PruneFilter(states=frozenset({State.FAILED})),
        lambda a: a.run(State.FAILED),
        lambda a: a.run(),
    ),
    "notebook": (
        PruneFilter(notebook_ids=frozenset({"one"})),
        lambda a: a.run(notebook="one"),
        lambda a: a.run(notebook="other"),
    ),
    "tag": (
        PruneFilter(tags=frozenset({"x", "y"})),
        lambda a: a.run(tags=["y", "x", "z"]),
        lambda a: a.run(tags=["x"]),
    ),
    "rating": (PruneFilter(rating_below=3), lambda a: a.run(rating=2), lambda a: a.run(rating=3)),
    "unrated": (PruneFilter(rating_below=3), lambda a: a.run(rating=0), lambda a: a.run()),
    "keep rated": (PruneFilter(keep_rated=True), lambda a: a.run(), lambda a: a.run(rating=0)),
}


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_takes_what_it_says(archive: Archive, name: str) -> None:
    which, taken, left = FILTERS[name]
    goes, stays = taken(archive), left(archive)
    assert archive.prune(which) == [goes.run_id]
    assert archive.names() == files_of(stays) & archive.names() != set()


@pytest.mark.parametrize("state", sorted(set(WAYS) - FINAL))
def test_nothing_goes_that_may_still_come_or_may_be_bought(archive: Archive, state: State) -> None:
    archive.run(state)
    assert archive.prune(PruneFilter(states=frozenset(State)), forget=True) == []
    assert len(archive.names()) == 1


def test_a_file_that_somebody_replaced_stays_with_its_record(archive: Archive) -> None:
    row = archive.run()
    (archive.clips / f"{row.run_id}.mp4").write_bytes(b"my own cut")
    found = plan_prune(ALL, [archive.log], forget=True, now=NOW)
    assert found.candidates == []
    assert found.remarks == [
        f"{row.run_id}.mp4 does not match its record; the file and its run are kept."
    ]
    assert archive.names() == files_of(row)


def test_a_file_that_changes_after_the_look_stays(archive: Archive) -> None:
    row = archive.run()
    found = plan_prune(ALL, [archive.log], forget=False, now=NOW)
    clip = archive.clips / f"{row.run_id}.mp4"
    clip.write_bytes(clip.read_bytes()[::-1])
    done = prune(found.candidates, forget=False, now=NOW)
    assert done.remarks == [f"{clip.name} was changed in the meantime and was kept."]
    assert archive.names() == files_of(row)
    record = archive.log.get(row.run_id).record
    assert record.clip is not None
    assert record.clip.deleted is None


def test_a_run_that_goes_on_after_the_look_stays(archive: Archive) -> None:
    row = archive.run()
    found = plan_prune(ALL, [archive.log], forget=False, now=NOW)
    archive.log.update(row.run_id, lambda record: record.moved(State.DOWNLOADING))
    done = prune(found.candidates, forget=False, now=NOW)
    assert done.remarks == [f"Run {row.run_id} has changed in the meantime and was kept."]
    assert archive.names() == files_of(row)


def test_no_link_and_nothing_outside_of_the_folder_goes(archive: Archive, tmp_path: Path) -> None:
    linked, outside = archive.run(), tmp_path / "elsewhere.mp4"
    clip = archive.clips / f"{linked.run_id}.mp4"
    clip.rename(outside)
    clip.symlink_to(outside)
    # A record from outside may name any file of the folder.
    other = archive.run(State.FAILED)
    precious = archive.clips / "precious.mp4"
    precious.write_bytes(b"p")
    digest = hashlib.sha256(b"p").hexdigest()
    facts = json.loads(linked.record_json)["clip"]
    archive.log.update(
        other.run_id,
        lambda record: record.changed(clip={**facts, "path": precious.name, "sha256": digest}),
    )
    archive.prune()
    assert outside.is_file()
    assert clip.is_symlink()
    assert precious.is_file()


def test_a_frame_stays_while_another_run_needs_it(archive: Archive) -> None:
    shared, single = archive.frame(b"shared"), archive.frame(b"single")
    old = archive.run(days=40, frame=shared)
    lonely = archive.run(days=40, frame=single)
    young = archive.run(frame=shared)
    archive.prune(PruneFilter(older_than_s=30 * DAY))
    assert archive.names() == files_of(young) | {f"{shared.sha256}.png"}
    record = archive.log.get(lonely.run_id).record
    assert record.request.first_frame is not None
    assert record.request.first_frame.kept is None
    assert not record.reproducibility.repeatable
    # The first one's frame is still there, and its record says so until that goes, too.
    assert archive.log.get(old.run_id).record.reproducibility.repeatable
    assert young.run_id in archive.prune()
    assert archive.names() == set()
    assert not archive.log.get(old.run_id).record.reproducibility.repeatable


def test_a_frame_that_two_pruned_runs_share_goes_with_both(archive: Archive) -> None:
    shared = archive.frame(b"shared")
    rows = [archive.run(frame=shared) for _ in range(2)]
    archive.prune()
    assert archive.names() == set()
    assert not any(archive.log.get(row.run_id).record.reproducibility.repeatable for row in rows)


def test_a_frame_stays_for_a_run_that_is_begun_after_the_look(archive: Archive) -> None:
    shared = archive.frame(b"shared")
    row = archive.run(frame=shared)
    found = plan_prune(ALL, [archive.log], forget=False, now=NOW)
    young = archive.run(State.GENERATING, frame=shared)
    prune(found.candidates, forget=False, now=NOW)
    assert archive.names() == {f"{young.run_id}.json", f"{shared.sha256}.png"}
    assert archive.log.get(row.run_id).record.reproducibility.repeatable


def test_a_run_that_a_living_process_has_in_hand_stays(archive: Archive) -> None:
    row = archive.run()
    owner = Owner(archive.log.path)
    try:
        assert archive.log.claim([row.run_id], owner.id) == [row.run_id]
        assert archive.prune() == []
    finally:
        owner.close()
    assert archive.prune() == [row.run_id]


def test_a_frame_of_a_run_that_only_its_sidecar_knows_stays(archive: Archive) -> None:
    shared = archive.frame(b"shared")
    archive.run(frame=shared)
    stranger = archive.run(frame=shared, log=False)
    archive.prune()
    assert archive.names() == files_of(stranger) | {f"{shared.sha256}.png"}


def test_forgetting_takes_the_run_out_of_the_log(archive: Archive) -> None:
    row, waits = archive.run(), archive.run(State.GENERATING)
    spent = archive.log.spending(by=("notebook", "day"))
    assert archive.prune(forget=True) == [row.run_id]
    assert archive.log.spending(by=("notebook", "day")) == spent, "what was paid is not paid back"
    assert archive.log.find(row.run_id) is None
    assert archive.log.find(waits.run_id) is not None
    assert not archive.log.forget(waits.run_id), "what has not ended is never forgotten"


def test_a_sidecar_that_is_not_ours_or_knows_more_stays(archive: Archive) -> None:
    row, newer = archive.run(), archive.run()
    (archive.clips / f"{row.run_id}.json").write_text("{}")
    write_sidecar(newer.record.changed(note="from another machine"), archive.clips)
    archive.prune()
    assert archive.names() == {f"{row.run_id}.json", f"{newer.run_id}.json"}


# ── relink ─────────────────────────────────────────────────────────────────────────────────────


def test_a_moved_folder_is_found_by_id_and_hash(archive: Archive, tmp_path: Path) -> None:
    row, there = archive.run(), archive.run()
    moved = tmp_path / "disk" / "2026" / "clips"
    moved.mkdir(parents=True)
    (archive.clips / f"{row.run_id}.mp4").rename(moved / f"{row.run_id}.mp4")
    found = find_moved([tmp_path / "disk", archive.clips, moved], [archive.log])
    assert [(move.row.run_id, move.path.parent) for move in found.moves] == [(row.run_id, moved)]
    assert (found.in_place, found.remarks) == (1, [])
    assert archive.log.get(row.run_id).folder == archive.clips, "looking changes nothing"
    assert relink(found.moves) == 1
    after = archive.log.get(row.run_id)
    assert (after.folder, after.revision) == (moved, row.revision)
    assert archive.log.get(there.run_id).folder == archive.clips


def test_a_renamed_clip_is_found_by_its_hash(archive: Archive, tmp_path: Path) -> None:
    row = archive.run()
    here = tmp_path / "paper" / "figure 3.mp4"
    here.parent.mkdir()
    (archive.clips / f"{row.run_id}.mp4").rename(here)
    found = find_moved([here.parent], [archive.log])
    assert ([move.path for move in found.moves], found.remarks) == ([here], [])
    assert relink(found.moves) == 1
    after = archive.log.get(row.run_id)
    assert after.record.clip is not None
    assert after.folder / after.record.clip.path == here
    assert find_moved([here.parent], [archive.log]).in_place == 0, "its name is nobody's stem"
    # From now on it is verified and deleted where the record says.
    assert against_files(after.record, after.folder) == []
    assert archive.prune() == [row.run_id]
    assert not here.exists()


@pytest.mark.skipif(os.name != "posix", reason="no such names")
def test_a_name_that_no_record_can_have_is_told(archive: Archive, tmp_path: Path) -> None:
    for name in ("C:fox.mp4", "\\fox.mp4", os.fsdecode(b"\xff.mp4")):
        row = archive.run()
        here = tmp_path / "paper" / name
        here.parent.mkdir(exist_ok=True)
        (archive.clips / f"{row.run_id}.mp4").rename(here)
        found = find_moved([here.parent], [archive.log])
        assert found.moves == []
        [remark] = found.remarks
        assert "cannot be stored as a clip's name" in remark
        remark.encode()
        here.unlink()


def test_what_has_another_hash_or_two_places_is_not_guessed(
    archive: Archive, tmp_path: Path
) -> None:
    wrong, twice = archive.run(), archive.run()
    content = (archive.clips / f"{twice.run_id}.mp4").read_bytes()
    for row in (wrong, twice):
        (archive.clips / f"{row.run_id}.mp4").unlink()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{twice.run_id}.mp4").write_bytes(content)
    (tmp_path / "a" / f"{wrong.run_id}.mp4").write_bytes(b"x")
    (tmp_path / "a" / "holiday.mp4").write_bytes(b"x")
    found = find_moved([tmp_path / "a", tmp_path / "b"], [archive.log])
    assert found.moves == []
    assert len(found.remarks) == 2
    assert any("sha256 differs" in each for each in found.remarks)
    assert any("name only the folder to use" in each for each in found.remarks)
    assert [move.row.run_id for move in find_moved([tmp_path / "a"], [archive.log]).moves] == [
        twice.run_id
    ]


def test_a_clip_of_a_run_that_is_still_made_is_left_alone(archive: Archive, tmp_path: Path) -> None:
    row = archive.run(State.GENERATING)
    (tmp_path / f"{row.run_id}.mp4").write_bytes(b"x")
    found = find_moved([tmp_path], [archive.log])
    assert found.moves == []
    assert "the run log has no clip for it (generating)" in found.remarks[0]


def test_a_log_that_has_learned_better_meanwhile_is_left_as_it_is(
    archive: Archive, tmp_path: Path
) -> None:
    row, third = archive.run(), tmp_path / "third"
    (tmp_path / "b").mkdir()
    (archive.clips / f"{row.run_id}.mp4").rename(tmp_path / "b" / f"{row.run_id}.mp4")
    found = find_moved([tmp_path / "b"], [archive.log])
    archive.log.relocate(row.run_id, third, was=archive.clips)
    assert relink(found.moves) == 0
    assert archive.log.get(row.run_id).folder == third


# ── the commands ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def told(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str]]]:
    """Yield the exit status of a command, and what it says."""
    monkeypatch.setenv("HAILUO_RUN_LOG", str(archive.log.path))
    Hailuo.clear_instance()

    def tell(*words: str) -> tuple[int, str]:
        status = main(words)
        said = capsys.readouterr()
        return status, said.out + said.err

    yield tell
    Hailuo.clear_instance()


Told = Callable[..., tuple[int, str]]


def test_prune_shows_first_and_deletes_with_yes(archive: Archive, told: Told) -> None:
    row = archive.run(days=400, rating=1)
    words = ("prune", "--older-than", "30d", "--rating-below", "2")
    status, said = told(*words)
    assert status == 0
    assert row.run_id in said
    assert "clip + record in" in said
    assert "1 clip of 1 run," in said
    assert "Nothing was deleted." in said
    assert archive.names() == files_of(row)
    status, said = told(*words, "--yes")
    assert status == 0
    assert "1 run: 2 files deleted" in said
    assert archive.names() == set()
    assert told(*words)[1] == "Nothing to delete.\n"


def test_prune_without_any_filter_is_refused(archive: Archive, told: Told) -> None:
    archive.run()
    status, said = told("prune", "--yes", "--keep-rated")
    assert status == 2  # as of every wrong argument
    assert "Specify which runs to delete." in said
    assert len(archive.names()) == 2


def test_prune_says_beforehand_what_forgetting_means(archive: Archive, told: Told) -> None:
    archive.run(tags=["x"])
    said = told("prune", "--tag", "x", "--forget")[1]
    assert "would buy them again. Their cost still counts" in said
    assert "1 forgotten" in told("prune", "--tag", "x", "--forget", "--yes")[1]


@pytest.mark.parametrize("age", ["30", "x", "-1d", "1.5d"])
def test_an_age_is_a_number_with_a_unit(told: Told, age: str) -> None:
    with pytest.raises(SystemExit) as ended:
        told("prune", f"--older-than={age}")
    assert ended.value.code == 2


def test_du_adds_up_each_file_once(archive: Archive, told: Told) -> None:
    shared = archive.frame(b"f" * 1000)
    rows = [archive.run(frame=shared, notebook=name) for name in ("a", "b", "b")]
    (archive.clips / f"{rows[-1].run_id}.mp4").unlink()
    total = sum(path.stat().st_size for path in archive.clips.rglob("*") if path.is_file())
    status, said = told("du")
    assert status == 0
    assert f"{total / 1000:.1f} kB  2 clips in total" in said
    assert "1 clip, 1 missing" in said
    assert "a.ipynb" in said


def test_relink_shows_first_and_writes_with_yes(
    archive: Archive, told: Told, tmp_path: Path
) -> None:
    row = archive.run()
    archive.clips.parent.rename(tmp_path / "moved")
    place = tmp_path / "moved" / "hailuo"
    status, said = told("relink", str(tmp_path / "moved"))
    assert status == 0
    assert f"{row.run_id}  {archive.clips} -> {place}" in said
    assert archive.log.get(row.run_id).folder == archive.clips
    assert told("relink", str(tmp_path / "moved"), "--yes")[0] == 0
    assert archive.log.get(row.run_id).folder == place
    assert "In place, as the run log says: 1 clip." in told("relink", str(place))[1]
    status, said = told("relink", str(tmp_path / "nowhere"))
    assert status == 1
    assert "Folder not found" in said


def test_a_record_of_a_newer_version_is_nobodys_business(archive: Archive) -> None:
    row = archive.run()
    with archive.log.exclusive() as connection:
        text = row.record_json.replace("hailuo-run/1", "hailuo-run/9")
        connection.execute("UPDATE runs SET record_json = ?", (text,))
    assert archive.prune(forget=True) == []
    assert archive.names() == files_of(row)
    with pytest.raises(ValueError, match="schema"):
        Record.from_json(text)
