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
from attacks import ACT, ALL, CHARACTERS, HOST, MARKUP, TEXTS, hostile, strangers
from many_runs import empty_notebook
from shown_run import shown, shown_row

from hailuo_jupyter import keys
from hailuo_jupyter.cli import main
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.budget import Budget
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel import runs_view
from hailuo_jupyter.kernel.bundle import bundle, html, line, templates
from hailuo_jupyter.kernel.card import _PARTS, _rendered
from hailuo_jupyter.kernel.costs import Part, Report
from hailuo_jupyter.kernel.panel import look
from hailuo_jupyter.kernel.panel.cell_area import CellArea
from hailuo_jupyter.kernel.runs_view import RunsView
from hailuo_jupyter.kernel.words import harmless
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.runlog.spending import Spending
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State

#: Of what a terminal obeys only the end of a line is written, and tabs.
CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

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
                picture = (value or "").startswith("data:image/jpeg;base64,")
                assert picture or not (link.scheme or link.netloc), value
            if name in {"style", "class"}:
                assert not re.search(rf"url|expression|import|{HOST}|{ACT}", value or "")

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}", ()))

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment: {data[:40]!r}")

    def handle_decl(self, decl: str) -> None:
        pytest.fail(f"a declaration: {decl[:40]!r}")

    handle_pi = unknown_decl = handle_decl


def shape(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """Give what a page is made of; it holds nothing that a terminal or a line's direction obeys."""
    assert not CONTROLS.search(page)
    return Shape(page).elements


def rows(text: str, folder: Path) -> Iterator[Row]:
    """Give rows with a text in place of every text that a record may hold freely."""
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
            values["clip"] |= {"path": path(text), "codec": text}
        # Validated as what is read from a sidecar or a log of anybody's.
        record = Record.from_json(json.dumps(hostile(values, "") | values))
        yield replace(plain, record_json=record.to_json())


def path(text: str) -> str:
    """Give a text as a file's name that a record takes, and a file system."""
    return re.sub(r"[/\\\0\ud800-\udfff:~]", "", text).replace("..", "")[:60].strip() or "x"


def everything(text: str, folder: Path) -> dict[str, str]:
    """Give all HTML that is made of a text."""
    made = list(rows(text, folder))
    for row in made:
        if row.record.clip is not None:
            (folder / row.record.clip.path).write_bytes(b"clip")
    views = [shown(row, base=folder, poster=b"\xff\xd8") for row in made]
    found = {"twins": html(views), **{f"twin {each.state}": html([each]) for each in views}}
    for part in _PARTS:
        found |= {f"card {part} {each.state}": _rendered(part, each) for each in views}
    foreign = [replace(row, provider=text) for row in made]
    lines, common = runs_view.lines_of(foreign, base=folder, now=1.8e9, posters={})
    table = RunsView("All runs", lines, common, "", "")
    page = templates().get_template("runs.html.j2")
    found["runs"] = page.render(table=table, marks=runs_view.MARKS)
    found["cost"] = report(text).html()
    found["says"] = look.says(text, wrong=True, after=text)
    area = CellArea(None, "this run")
    area.show(text, text)
    found["cell"] = area._shown.value
    found["cell says"] = area._says.value
    look.close(area.box)
    return found


def report(text: str) -> Report:
    budget = Budget("budget_day_usd", "today", 1.0, Spending(runs=1))
    return Report(
        "all notebooks", Spending(runs=1), (Part("By x", ((text, Spending()),)),), (budget,)
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
    lines, common = runs_view.lines_of(foreign, base=tmp_path, now=1.8e9)
    told = runs_view.text(RunsView("All runs", lines, common, "", ""))
    assert not CONTROLS.search(told)
    assert len(told.split("\n")) == len(made) + 2
    assert not CONTROLS.search("\n".join(report(text).lines()))
    assert not CONTROLS.search(harmless(text))
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
