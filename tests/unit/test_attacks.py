"""Hostile text through everything that Python writes for a page or a terminal: it stays text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest

from hailuo_jupyter import keys, media
from hailuo_jupyter.cli import main
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.budget import Budget
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.formatting import escape_control
from hailuo_jupyter.kernel.display.bundle import bundle, html, line, templates
from hailuo_jupyter.kernel.display.card import _PARTS, _rendered
from hailuo_jupyter.kernel.join import Joined, Scene, SourceClip
from hailuo_jupyter.kernel.panel import widgets
from hailuo_jupyter.kernel.panel.run_list import CellPreview
from hailuo_jupyter.kernel.runs import compare, table_view
from hailuo_jupyter.kernel.runs.costs import CostGroup, CostReport
from hailuo_jupyter.kernel.runs.table_view import RunsView
from hailuo_jupyter.kernel.sweep.sheet import Cell, Sheet
from hailuo_jupyter.kernel.sweep.sheet import bundle as sheet_bundle
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.runlog.spending import Spending
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.hostile_texts import (
    ACT,
    ALL,
    CHARACTERS,
    HOST,
    MARKUP,
    TEXTS,
    hostile,
    strangers,
)
from tests.support.large_notebooks import empty_notebook
from tests.support.sample_rows import CLIP, shown, shown_row

#: Of what a terminal obeys only the end of a line is written, and tabs.
CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@cache
def kept_by_the_lab_extension(name: str) -> set[str]:
    """Read a list of words from `sanitize.ts`, which drops from an output what is not in it."""
    source = (Path(__file__).parents[2] / "frontend" / "src" / "output" / "sanitize.ts").read_text()
    (found,) = re.findall(rf"{name} = new Set\(\s*\((.*?)\)", source, re.DOTALL)
    return set("".join(re.findall("'([^']*)'", found)).split())


TAGS = {
    "a", "bdi", "caption", "details", "div", "img", "pre", "span", "strong", "summary", "table",
    "tbody", "td", "tfoot", "th", "thead", "tr", "video", "p",
}  # fmt: skip
ATTRIBUTES = {
    "alt", "aria-hidden", "aria-label", "aria-live", "aria-valuemax", "aria-valuemin",
    "aria-valuenow", "class", "colspan", "controls", "dir", "height", "href", "loop", "poster",
    "preload", "role", "scope", "src", "style", "tabindex", "title", "width",
}  # fmt: skip

EVERYWHERE = pytest.mark.parametrize(
    "text", ALL, ids=[f"{number}-{ascii(text)[1:25]}" for number, text in enumerate(ALL)]
)


class Shape(HTMLParser):
    """The elements of some HTML with their attributes, and what is no text of it."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        assert tag in TAGS
        assert {name for name, _ in attrs} <= ATTRIBUTES
        for name, value in attrs:
            if name in {"src", "href", "poster"}:
                link = urlsplit(value or "")
                picture = (value or "").startswith(
                    "data:image/png;base64," if name == "poster" else "data:image/jpeg;base64,"
                )
                ours = not (link.scheme or link.netloc) and link.path.endswith((".mp4", ".json"))
                assert picture or ours, value
            if name in {"style", "class"}:
                assert not re.search(rf"url|expression|import|{HOST}|{ACT}", value or "")
            if name == "style":
                found = {part.split(":")[0].strip() for part in (value or "").split(";")}
                assert found - {""} <= kept_by_the_lab_extension("STYLES")
            if name == "preload":  # nothing is fetched because a notebook is opened
                assert value == "none"

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}", ()))

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment: {data[:40]!r}")

    def handle_decl(self, decl: str) -> None:
        pytest.fail(f"a declaration: {decl[:40]!r}")

    handle_pi = unknown_decl = handle_decl


def shape(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return what a page is made of; it holds nothing that a terminal or a line's direction obeys."""
    assert not CONTROLS.search(page)
    return Shape(page).elements


def rows(text: str, folder: Path) -> Iterator[Row]:
    """Yield rows with a text in place of every text that a record may hold freely."""
    text = text.encode(errors="replace").decode()  # a file holds no halves of characters
    problem = ("failed", text, text, text)
    for state in (State.FAILED, State.COMPLETED, State.GENERATING):
        plain = shown_row(state, problem=problem, folder=folder)
        values = json.loads(plain.record_json)
        frame = {"source": "memory", "sha256": "0" * 64, "width": 3, "height": 4}
        values["request"] |= {
            "prompt": text,
            "first_frame": frame | {"url": text},
            "last_frame": frame,
        }
        values["request"]["options"] = {"mode": text, text[:99]: text}
        values["job"] |= {"id": text, "answers": {"submit": {text[:99]: [text, {"a": text}]}}}
        values["cost"] |= dict.fromkeys(("kind", "source", "as_of", "actual_source"), text)
        values["cost"]["actual"] = 0.25 if state is State.COMPLETED else None
        values["reproducibility"] |= dict.fromkeys(("seed", "prompt_optimizer", "statement"), text)
        for name in ("provider", "dialect", "wire", "model", "fingerprint", "catalogue_date",
                     "parent", "sweep", "note", "name"):  # fmt: skip
            values[name] = text
        values["origin"] = {"notebook_id": text, "cell_id": text, "notebook_path": path(text)}
        values |= {"tags": [text, text], "rating": 3}
        if state is State.COMPLETED:
            values["clip"] |= {"path": f"{path(text)}.mp4", "codec": text}
        # Validated as what is read from a sidecar or a log of anybody's.
        record = Record.from_json(json.dumps(hostile(values, "") | values))
        yield replace(plain, record_json=record.to_json())


def path(text: str) -> str:
    """Return a text as a file's name that a record takes, and a file system."""
    return re.sub(r"[/\\\0\ud800-\udfff:~]", "", text).replace("..", "")[:60].strip() or "x"


def everything(text: str, folder: Path) -> dict[str, str]:
    """Return all HTML that is made of a text."""
    made = list(rows(text, folder))
    for row in made:
        if row.record.clip is not None:
            (folder / row.record.clip.path).write_bytes(b"clip")
    views = [shown(row, base=folder, poster=b"\xff\xd8") for row in made]
    found = {"twins": html(views), **{f"twin {each.state}": html([each]) for each in views}}
    for part in _PARTS:
        found |= {f"card {part} {each.state}": _rendered(part, each) for each in views}
    foreign = [replace(row, provider=text) for row in made]
    lines, common = table_view.build_lines(foreign, base=folder, now=1.8e9, posters={})
    table = RunsView("All runs", lines, common, "", "")
    page = templates().get_template("runs.html.j2")
    found["runs"] = page.render(table=table, marks=table_view.MARKS)
    completed = [each for each in views if each.clip]
    found["compare"] = compare.bundle([*completed, views[0]])["text/html"]
    cells = (Cell((0,), tuple(each.run_id for each in views)), Cell((1,), (), 1, text))
    sheet = Sheet("sweep-abc", ((text, (text, text)),), cells, text)
    sheet = Sheet.from_json(sheet.as_json())  # as `sync` reads it from a stranger's notebook
    found["sheet"] = sheet_bundle(sheet, {each.run_id: each for each in views})["text/html"]
    scene = Scene(folder / made[1].record.clip.path, media.ClipFacts(**CLIP), text, text)
    parts = (SourceClip(scene.path), SourceClip(scene.path, text))
    found["scene"] = Joined(scene, scene.path, parts, folder)._repr_mimebundle_()["text/html"]
    plan = templates().get_template("sweep_plan.html.j2")
    words = [escape_control(text)] * 5
    found["plan"] = plan.render(head=words, rows=[words], more=words[0], said=words)
    found["cost"] = report(text).html()
    found["says"] = widgets.says(text, wrong=True, after=text)
    area = CellPreview(None, "this run")
    area.show(text, text)
    found["cell"] = area._shown.value
    found["cell says"] = area._says.value
    widgets.close(area.box)
    return found


def report(text: str) -> CostReport:
    budget = Budget("budget_day_usd", "today", 1.0, Spending(runs=1))
    return CostReport(
        "all notebooks", Spending(runs=1), (CostGroup("By x", ((text, Spending()),)),), (budget,)
    )


@EVERYWHERE
def test_no_text_becomes_markup(text: str, tmp_path: Path) -> None:
    # Whatever the text, the elements and attributes are those of a harmless one.
    for name, page in everything(text, tmp_path).items():
        assert shape(page) == shape(everything_plain()[name]), name


@EVERYWHERE
def test_no_text_acts_in_a_terminal_or_as_plain_text(text: str, tmp_path: Path) -> None:
    made = list(rows(text, tmp_path))
    for row in made:
        view = shown(row, base=tmp_path)
        said = bundle([view])["text/plain"]
        assert said == line(view)
        assert "\n" not in said
        assert not CONTROLS.search(said)
    foreign = [replace(row, provider=text) for row in made]
    lines, common = table_view.build_lines(foreign, base=tmp_path, now=1.8e9)
    told = table_view.render_text(RunsView("All runs", lines, common, "", ""))
    assert not CONTROLS.search(told)
    assert len(told.split("\n")) == len(made) + 2
    assert not CONTROLS.search("\n".join(report(text).lines()))
    assert not CONTROLS.search(escape_control(text))
    error = HailuoError(text, money=text, todo=text)
    assert not CONTROLS.search("".join([str(error), *error._render_traceback_()]))


def test_no_command_says_what_a_terminal_obeys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work, log = tmp_path / "work", tmp_path / "log" / "runs.sqlite3"
    (work / "hailuo").mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setenv("HAILUO_RUN_LOG", str(log))
    monkeypatch.setattr(keys, "_from_keyring", lambda _provider: None)
    Hailuo.clear_instance()
    book = work / f"book \x1b[31m \u202e {path(MARKUP[4])}.ipynb"
    book.write_text(json.dumps(strangers(empty_notebook())), encoding="utf-8")
    before = book.read_bytes()
    ids: list[str] = []
    with RunLog(log) as opened:
        for number, text in enumerate(TEXTS):
            for row in rows(text, work / "hailuo"):
                record = row.record.changed(provider="demo" if number % 2 else "segmind")
                ids.append(record.run_id)
                opened.insert(record, folder=work / "hailuo", kind="x", owner="nobody")
    told = []
    for words in (
        ["verify", str(book)],
        ["verify", "--json", str(book)],
        ["audit", str(work)],
        ["audit", f"none \x1b[31m {MARKUP[0]}"],
        ["runs"],
        ["runs", "--json"],
        ["runs", "--notebook", str(book)],
        *(["show", each] for each in ids[:: len(CHARACTERS)]),
        ["show", "\x1b[31m"],
        ["cost"],
        ["cost", "--json"],
        ["doctor"],
        ["sync", str(book)],
    ):
        if words[0] == "sync":
            assert book.read_bytes() == before, "only what is asked for writes"
        main(words)
        said = capsys.readouterr()
        assert not CONTROLS.search(said.out + said.err), words
        told.append(said.out + said.err)
    assert all(told)
    process.shut_down()


@cache
def everything_plain() -> dict[str, str]:
    with TemporaryDirectory() as folder:
        return everything("plain", Path(folder))
