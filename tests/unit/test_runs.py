"""The runs table: a lazy sequence over both logs, its words, its HTML, its exports, its pictures."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter import catalogue, request
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import FolderNotWritable, HailuoError, OptionError, RunNotFound
from hailuo_jupyter.kernel.display import thumbnails
from hailuo_jupyter.kernel.display.bundle import templates
from hailuo_jupyter.kernel.runs import Runs, export, filters, table_view
from hailuo_jupyter.record import prepare
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.queries import SweepRow
from hailuo_jupyter.runlog.search import Search, Sort
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.large_notebooks import write_clip

BEGUN = 1_790_000_000.0
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202egnp.exe \"'><img src=x onerror=alert(1)>"


class Shelf:
    """Both logs of an engine, and runs put into them at exact times."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = Engine(Hailuo(run_log=str(folder / "log" / "runs.sqlite3")))
        path = folder / "log" / "runs.sqlite3"
        self._at = BEGUN
        self._logs = {
            demo: RunLog(
                path.with_name(f"runs{'-demo' if demo else ''}.sqlite3"), clock=self._clock
            )
            for demo in (False, True)
        }

    def _clock(self) -> float:
        return self._at

    def close(self) -> None:
        self.engine.stop()
        for log in self._logs.values():
            log.close()

    def add(
        self,
        prompt: str = "a cat",
        provider: str = "segmind",
        options: dict[str, Any] | None = None,
        *,
        clip: Path | None = None,
        changes: dict[str, Any] | None = None,
        notebook: str = "nb.ipynb",
        optimizer: bool = True,
        **how: Any,
    ) -> str:
        self._at += 60
        offer = catalogue.provider(provider)
        asked = request.build(
            prompt, offer, options=options or {}, prompt_optimizer=optimizer, base=self.folder
        )
        origin = {"notebook_id": "nb", "notebook_path": notebook}
        record = prepare(asked, offer, origin=origin, at=self._at, **how)
        if clip is not None:
            for state, later in (
                (State.SUBMITTING, 0),
                (State.SUBMITTED, 1),
                (State.DOWNLOADING, 91),
            ):
                record = record.moved(state, at=self._at + later)
            facts = {"path": f"{record.run_id}.mp4", "codec": "h264", **write_clip(clip)}
            clip.rename(self.folder / facts["path"])
            record = record.moved(State.COMPLETED, at=self._at + 92, clip=facts)
        if changes:
            record = record.changed(**changes)
        log = self._logs[provider == "demo"]
        log.insert(record, folder=self.folder, kind=asked.kind, owner=None)
        return record.run_id

    def runs(self, page_size: int = 20, **wanted: Any) -> Runs:
        return Runs(self.engine, Search(**wanted), "all notebooks", page_size)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    opened = Shelf(tmp_path)
    yield opened
    opened.close()


# ── a sequence ───────────────────────────────────────────────────────────────────────────────────


def test_runs_of_both_logs_are_one_sequence_by_time(shelf: Shelf) -> None:
    ids = [shelf.add(provider=name) for name in ("segmind", "demo", "aimlapi", "demo", "segmind")]
    found = shelf.runs()
    newest = ids[::-1]
    assert [run.run_id for run in found] == newest
    assert len(found) == 5
    assert isinstance(found[0], Run)
    assert [found[at].run_id for at in range(-5, 5)] == newest * 2
    for wrong in (5, -6):
        with pytest.raises(IndexError):
            found[wrong]
    for part in (
        slice(0, 2), slice(1, 4), slice(3, 99), slice(9, 12), slice(None), slice(2, None),
        slice(-2, None), slice(None, -1), slice(None, None, -1), slice(None, None, 2), slice(3, 1),
    ):  # fmt: skip
        sliced = found[part]
        assert isinstance(sliced, Runs)
        assert [run.run_id for run in sliced] == newest[part], part
        assert len(sliced) == len(newest[part])
    assert found[1:4][1].run_id == newest[2]
    assert Run.of(ids[2], shelf.engine) in found
    assert "something else" not in found
    assert [run.run_id for run in shelf.runs(ascending=True)] == ids


def test_it_is_asked_anew_and_a_slice_is_not(shelf: Shelf) -> None:
    one = shelf.add()
    found = shelf.runs()
    sliced = found[:10]
    two = shelf.add(provider="demo")
    assert [run.run_id for run in found] == [two, one]
    assert [run.run_id for run in sliced] == [one]


def test_both_logs_are_sorted_as_one(shelf: Shelf) -> None:
    cheap = shelf.add(changes={"cost": {"actual": 0.1}, "rating": 2})
    free = shelf.add(provider="demo", changes={"rating": 3})
    dear = shelf.add(changes={"cost": {"actual": 0.5}})
    assert [run.run_id for run in shelf.runs(sort=Sort.COST)] == [dear, cheap, free]
    assert [run.run_id for run in shelf.runs(sort=Sort.COST, ascending=True)] == [free, cheap, dear]
    assert [run.run_id for run in shelf.runs(sort=Sort.RATING)] == [free, cheap, dear]
    assert [run.run_id for run in shelf.runs(sort=Sort.RATING, ascending=True)] == [
        cheap,
        free,
        dear,
    ]


def test_pages_over_both_logs(shelf: Shelf) -> None:
    ids = [shelf.add(provider="demo" if at % 3 else "segmind") for at in range(7)][::-1]
    found = shelf.runs(page_size=3)
    assert [[run.run_id for run in found.page(at)] for at in (1, 2, 3, 4)] == [
        ids[:3], ids[3:6], ids[6:], [],
    ]  # fmt: skip
    assert repr(found).splitlines()[0] == "Runs 1 to 3 of 7 (all notebooks, newest first)"
    assert "Next: page 2" in repr(found)
    assert "Next: page 3" in repr(found.page(2))
    assert "Next" not in repr(found.page(3))
    assert repr(found.page(4)) == "No such page; 7 runs found (all notebooks)."
    assert repr(shelf.runs(text="nowhere")) == "No runs (all notebooks)."
    with pytest.raises(OptionError):
        found.page(0)


def test_a_part_of_an_id_that_runs_of_both_logs_have_names_none(shelf: Shelf) -> None:
    real = shelf.add(run_id="20260101-000000-aaaaaa")
    demo = shelf.add(provider="demo", run_id="20260101-000000-bbbbbb")
    assert shelf.engine.run("bbbb").run_id == demo
    assert shelf.engine.run(real).run_id == real
    with pytest.raises(RunNotFound, match=f"Several .*{real}, {demo}"):
        shelf.engine.run("20260101")
    with pytest.raises(RunNotFound, match="Did you mean 20260101-000000-aaaaaa"):
        shelf.engine.run("20260101-000000-aaaaax")


# ── words ────────────────────────────────────────────────────────────────────────────────────────


def view(found: Runs) -> table_view.RunsView:
    return found.view()


def test_what_differs_is_told_for_each_and_the_rest_once(shelf: Shelf) -> None:
    shelf.add(options={"mode": "pro"}, optimizer=False)
    shelf.add(options={"mode": "standard"}, optimizer=False)
    shelf.add(provider="aimlapi", options={"duration": 6}, optimizer=False)
    table = view(shelf.runs())
    assert [line.differs for line in table.lines] == [(), ("mode standard",), ("mode pro",)]
    assert table.common == ("optimizer off", "notebook nb.ipynb")
    (only,) = view(shelf.runs(provider="aimlapi")).lines
    assert only.differs == ()


def test_prompts_that_begin_alike_show_where_they_differ(shelf: Shelf) -> None:
    boat = "A paper boat drifts down a gutter in the rain, past leaves. The camera follows it."
    for more in ("", " At night.", " At dawn, with fog."):
        shelf.add(boat + more)
    shelf.add("A paper boat drifts down a gutter in the sun.")
    shelf.add("雨の中、紙の船が側溝を流れていく。" * 5 + "夜。")
    shelf.add("雨の中、紙の船が側溝を流れていく。" * 5 + "朝。")
    prompts = [line.prompt for line in view(shelf.runs()).lines]
    assert prompts == [
        "雨の中、紙の船が側溝を流れていく。雨の中、紙の… 朝。",
        "雨の中、紙の船が側溝を流れていく。雨の中、紙の… 夜。",
        "A paper boat drifts… sun.",
        "A paper boat drifts… dawn, with fog.",
        "A paper boat drifts… night.",
        "A paper boat drifts… camera follows it.",
    ]
    said = repr(shelf.runs())
    assert all(each in said for each in prompts)
    # Alone, or among other prompts, it is shown from its beginning.
    assert view(shelf.runs(text="fog")).lines[0].prompt == f"{boat} At dawn, with fog."


def test_a_line_says_how_a_run_stands(shelf: Shelf) -> None:
    shelf.add("one", clip=shelf.folder / "c.mp4", changes={"rating": 4}, tags=["sea"], note="keep")
    shelf.add("two", provider="demo")
    unsent, done = view(shelf.runs()).lines[::-1][::-1]
    assert (unsent.provider, unsent.demo, unsent.cost, unsent.took) == (
        "demo",
        True,
        "free (demo)",
        "",
    )
    assert (done.state, done.took, done.rating, done.tags) == (
        "Completed",
        "1 min 30 s",
        "4 of 5",
        ("sea",),
    )
    assert done.cost == "$0.27–0.39 est."
    assert done.absent == ""
    said = repr(shelf.runs())
    assert "demo (simulated)" in said
    assert re.search(r"✓ Completed .* 1 min 30 s .*one  #sea · rated 4 of 5", said)
    next(shelf.folder.glob("*.mp4")).unlink()
    assert "clip no longer in its folder" in repr(shelf.runs())


def test_foreign_text_does_nothing_to_a_terminal(shelf: Shelf) -> None:
    hostile = {"request": {"prompt": HOSTILE}}
    shelf.add(
        "x", changes=hostile, tags=[HOSTILE], note=HOSTILE, name=HOSTILE, notebook="\x1b[2Jnb.ipynb"
    )
    said = repr(shelf.runs())
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", said)
    assert len(said.splitlines()) == 2


# ── HTML ─────────────────────────────────────────────────────────────────────────────────────────


class Reader(HTMLParser):
    """Gathers tags with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for each, attributes in self.found if each == tag]


def html(found: Runs, pictures: dict[str, bytes] | None = None) -> tuple[str, Reader]:
    table = found.view()
    if pictures is not None:
        rows = found._rows([run.run_id for run in found])
        lines, common = table_view.build_lines(
            rows, base=rows[0].folder.parent, now=BEGUN, posters=pictures, tz=UTC
        )
        table = table_view.RunsView(table.caption, lines, common, table.next_page)
    said = templates().get_template("runs.html.j2").render(table=table, marks=table_view.MARKS)
    reader = Reader()
    reader.feed(said)
    return said, reader


def test_the_table_is_one_for_screen_readers_and_keyboards(shelf: Shelf) -> None:
    run_id = shelf.add("one", clip=shelf.folder / "c.mp4", changes={"rating": 3})
    shelf.add("two")
    said, reader = html(shelf.runs(), {run_id: b"jpeg"})
    assert "<caption" in said
    assert [each["scope"] for each in reader.of("th")] == ["col"] * 6 + ["row"] * 2
    region = next(each for each in reader.of("div") if each.get("role") == "region")
    assert region["tabindex"] == "0"
    assert region["aria-label"] == "2 runs (all notebooks, newest first)"
    (picture,) = reader.of("img")
    assert picture["alt"] == f"Open the clip of run {run_id}"
    (link,) = reader.of("a")
    assert link["href"] == f"{shelf.folder.name}/{run_id}.mp4"
    assert "Completed" in said
    assert "rated 3 of 5" in said
    assert not {"style", "script", "link"} & {tag for tag, _ in reader.found}


def test_foreign_text_is_text_in_the_table(shelf: Shelf) -> None:
    hostile = {"request": {"prompt": HOSTILE}}
    shelf.add(
        "x",
        changes=hostile,
        tags=[HOSTILE],
        note=HOSTILE,
        name=HOSTILE,
        notebook='"><script>.ipynb',
    )
    shelf.add("other", notebook="other.ipynb")
    said, reader = html(shelf.runs())
    assert not reader.of("script")
    assert not reader.of("img")
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", said)
    assert not [
        name for _, attributes in reader.found for name in attributes if name.startswith("on")
    ]


def test_a_table_holds_its_page_alone_and_stays_small(shelf: Shelf) -> None:
    for _ in range(60):
        shelf.add("word " * 400)
    assert len(view(shelf.runs(page_size=50)).lines) == 50
    said, _ = html(shelf.runs(page_size=50))
    assert len(said) < 150_000


# ── pictures ─────────────────────────────────────────────────────────────────────────────────────


def test_pictures_are_small_and_made_once_beside_the_log(shelf: Shelf, monkeypatch: Any) -> None:
    run_id = shelf.add(clip=shelf.folder / "c.mp4")
    rows = shelf.runs()._rows([run_id])
    folder = thumbnails.cache_folder(shelf.engine.logs()[0].path)
    before = sorted(shelf.folder.iterdir())
    assert thumbnails.thumbnails(rows, folder, seconds=0) == {}
    assert thumbnails.missing_count(rows, {}) == 1
    made = thumbnails.thumbnails(rows, folder, seconds=30)
    assert made[run_id].startswith(b"\xff\xd8")
    assert len(made[run_id]) <= 2800
    assert thumbnails.missing_count(rows, made) == 0
    monkeypatch.setattr(thumbnails.media, "poster", None)
    assert thumbnails.thumbnails(rows, folder, seconds=30) == made
    assert sorted(shelf.folder.iterdir()) == before  # nothing in the person's own folder
    clip = shelf.folder / f"{run_id}.mp4"
    monkeypatch.undo()
    clip.write_bytes(b"no clip")  # another file in its place has another picture, or none
    assert thumbnails.thumbnails(rows, folder, seconds=30) == {}
    assert thumbnails.missing_count(rows, {}) == 0
    clip.unlink()
    assert thumbnails.thumbnails(rows, folder, seconds=30) == {}


def test_the_oldest_pictures_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "_KEPT", 4)
    monkeypatch.setattr(thumbnails, "_SPARE", 1)
    for number in range(6):
        path = tmp_path / f"{number}.jpg"
        path.touch()
        os.utime(path, (number, number))
    thumbnails._drop_the_oldest(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3.jpg", "4.jpg", "5.jpg"]


# ── exports ──────────────────────────────────────────────────────────────────────────────────────


def test_exports_hold_the_same_under_names_that_stay(shelf: Shelf, tmp_path: Path) -> None:
    run_id = shelf.add(
        "=1+1", options={"mode": "pro"}, clip=tmp_path / "c.mp4", tags=["-a", "b"], note="@x", name="take",
        changes={"rating": 5, "cost": {"actual": 0.25}}, sweep="s", position=2, parent="p",
    )  # fmt: skip
    shelf.add("two", provider="aimlapi")
    found = shelf.runs(ascending=True)
    first = found.to_dicts()[0]
    assert list(first) == list(export.COLUMNS)
    known = {
        "run_id": run_id, "state": "completed", "provider": "segmind", "prompt": "=1+1",
        "options": {"mode": "pro"}, "prompt_optimizer": True, "took_s": 90.0, "cost_usd": 0.25,
        "cost_low_usd": 0.3875, "cost_high_usd": 0.625, "cost_kind": "inferred", "notebook": "nb.ipynb",
        "name": "take", "tags": ["-a", "b"], "note": "@x", "rating": 5, "parent": "p", "sweep": "s",
        "position": 2, "clip": f"{run_id}.mp4", "clip_width": 320, "created": "2026-09-21T14:14:20Z",
        "submitted": "2026-09-21T14:14:21Z", "first_frame": None, "problem": None,
    }  # fmt: skip
    assert first | known == first
    found.to_json(tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8")) == found.to_dicts()
    found.to_csv(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        one, two = csv.DictReader(file)
    assert (one["prompt"], one["note"], one["tags"]) == ("'=1+1", "'@x", "'-a, b")
    assert (one["option_mode"], one["option_duration"], one["cost_usd"]) == ("pro", "", "0.25")
    assert (two["option_mode"], two["option_duration"], two["rating"]) == ("", "6", "")
    assert "options" not in one
    for text in ((tmp_path / "out.csv").read_text(), (tmp_path / "out.json").read_text()):
        assert str(tmp_path) not in text
        assert Path.home().name not in text.replace("root", "") or Path.home().name == "root"
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "  +"])
def test_no_cell_of_a_csv_is_a_formula(shelf: Shelf, start: str) -> None:
    shelf.add(f"x{start}cmd", note=f"{start}cmd|'/c calc'!A1", tags=[f"{start}t"], name=f"{start}n")
    (line,) = csv.DictReader(io.StringIO(export.csv_text(shelf.runs().to_dicts()), newline=""))
    for name in ("note", "tags", "name"):
        assert line[name].startswith(f"'{start}")
    assert line["prompt"] == f"x{start}cmd".replace("\r", "\n")  # as every prompt is


def test_a_folder_that_is_not_there_is_told(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(FolderNotWritable, match=r"runs\.csv could not be written"):
        shelf.runs().to_csv(tmp_path / "nowhere" / "runs.csv")


def test_pandas(shelf: Shelf) -> None:
    pandas = pytest.importorskip("pandas")
    shelf.add("one", options={"mode": "pro"}, tags=["a", "b"])
    table = shelf.runs().to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert list(table["option_mode"]) == ["pro"]
    assert list(table["tags"]) == ["a, b"]
    assert table["created"].iloc[0] == pandas.Timestamp("2026-09-21T14:14:20Z")
    empty = shelf.runs(text="nowhere").to_pandas()
    assert list(empty) == list(table)
    assert len(empty) == 0


def test_without_pandas_it_is_said_what_to_do(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(HailuoError, match=r"pandas is not installed.*to_dicts"):
        shelf.runs().to_pandas()


# ── filters ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("90m", BEGUN - 5400),
        ("12h", BEGUN - 43200),
        (" 7D ", BEGUN - 7 * 86400),
        ("2w", BEGUN - 14 * 86400),
        (timedelta(hours=1), BEGUN - 3600),
        (datetime(2026, 9, 21, 14, tzinfo=UTC), 1789999200.0),
        ("2026-09-21T14:00:00Z", 1789999200.0),
        ("2026-09-21", datetime(2026, 9, 21).astimezone().timestamp()),
        (date(2026, 9, 21), datetime(2026, 9, 21).astimezone().timestamp()),
        ("2026-09-21 08:30", datetime(2026, 9, 21, 8, 30).astimezone().timestamp()),
    ],
)
def test_moments_as_people_write_them(since: filters.Since, expected: float) -> None:
    assert filters.parse_since(since, BEGUN) == expected


@pytest.mark.parametrize(
    "since", ["soon", "7", "d", "-7d", "2026-13-01", "999999w", "0001-01-01", 7]
)
def test_what_is_no_moment_is_told(since: Any) -> None:
    try:
        found = filters.parse_since(since, BEGUN)
    except OptionError as error:
        assert "is not an age or date" in str(error)
    else:
        assert found < 0  # before 1970, but a moment


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"state": "complete"}, "Unknown state 'complete'. .*Did you mean completed"),
        ({"state": ["failed", "zzz"]}, "Valid: prepared"),
        ({"provider": "segmint"}, "Did you mean segmind"),
        ({"sort": "price"}, "Unknown order 'price'"),
        ({"rating": 6}, "from 0 to 5"),
    ],
)
def test_a_wrong_filter_names_the_right_word(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        filters.build_search(**wrong, now=BEGUN)


def test_a_sweep_is_found_by_its_id_a_part_of_it_or_its_name(shelf: Shelf) -> None:
    one = shelf.add("one", sweep="sweep-bhfxxvgm", name="herons")
    shelf.add("two", sweep="sweep-aaaabbbb", name="cats")
    log = shelf.engine.logs()[0]
    log.keep_sweep(SweepRow("sweep-bhfxxvgm", "nb", "digest", BEGUN, False, "{}"))
    for query in ("sweep-bhfxxvgm", "xvgm", "herons"):
        wanted = filters.sweep_id(query, shelf.engine.logs())
        assert [run.run_id for run in shelf.runs(sweep=wanted)] == [one], query
        assert [row.sweep for row in log.fitting_sweeps(query)] == ["sweep-bhfxxvgm"], query
    with pytest.raises(RunNotFound, match="No sweep 'nosuch' is in the run log"):
        filters.sweep_id("nosuch", shelf.engine.logs())
    shelf.add("three", sweep="sweep-ccccdddd", name="herons")
    log.keep_sweep(SweepRow("sweep-ccccdddd", "nb", "other", BEGUN + 1, False, "{}"))
    with pytest.raises(RunNotFound, match="match 'herons': sweep-ccccdddd, sweep-bhfxxvgm"):
        filters.sweep_id("herons", shelf.engine.logs())


def test_a_word_that_is_close_to_no_state_is_answered_with_all_of_them() -> None:
    with pytest.raises(OptionError, match=r"^Unknown state 'done'\. Valid: prepared, "):
        filters.build_search(state="done", now=BEGUN)


def test_words_become_a_search() -> None:
    found = filters.build_search(
        state="Completed", tag="a", text="x", since="1h", sort="cost", now=BEGUN
    )
    assert found == Search(
        states=[State.COMPLETED], tags=("a",), text="x", since=BEGUN - 3600, sort=Sort.COST
    )


def test_a_front_end_gets_the_table_without_pictures_and_what_is_absent(shelf: Shelf) -> None:
    run_id = shelf.add(
        "one", name="fox", clip=shelf.folder / "c.mp4", changes={"rating": 3}, tags=["sea"]
    )
    shelf.add("two", provider="demo", sweep="s1")
    made = table_view.table_json(view(shelf.runs()))
    by_id = {each["run_id"]: each for each in made["runs"]}
    done = by_id.pop(run_id)
    assert (done["name"], done["rating"], done["tags"], done["tone"]) == ("fox", 3, ["sea"], "done")
    assert (done["took_s"], done["amount"]) == (90.0, 0.3875)
    (free,) = by_id.values()
    assert not {"name", "rating", "tags", "took", "took_s", "clip", "note", "absent"} & free.keys()
    assert free["amount"] == 0.0
    assert "differs" not in done, "it has no sweep, which is not mentioned"
    assert "s1" in free["differs"]
    json.dumps(made)
    assert str(shelf.folder) not in json.dumps(made)


def test_a_run_is_not_created_by_users_and_its_help_shows_no_engine() -> None:
    assert not signature(Run).parameters
    with pytest.raises(TypeError, match="returned: by generate, rerun and runs"):
        Run()
