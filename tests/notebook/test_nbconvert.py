"""nbconvert: clips in pages and slides, text that sanitizers let through, pictures on paper."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert.exporters import (
    HTMLExporter,
    NotebookExporter,
    SlidesExporter,
    WebPDFExporter,
    get_export_names,
    get_exporter,
)
from traitlets.config import Config

import hailuo_jupyter
from hailuo_jupyter.ipynb.nbconvert import EmbedClips, HailuoHTMLExporter, HailuoWebPDFExporter
from hailuo_jupyter.kernel import context
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from tests.support.notebook_files import (
    MIME,
    buy,
    code,
    drawn,
    notebook,
    shown,
    simulator,
    surroundings,
    write,
)

PROMPT = "A boat <b>sails</b> & sinks."
NAME = f"{EmbedClips.__module__}.{EmbedClips.__name__}"
_VIDEO = re.compile(r'src="data:video/mp4;base64,([^"]*)"')


class Clips:
    """A notebook with two runs, in outputs of their own and beside each other."""

    def __init__(self, path: Path, rows: list[Row], settings: Hailuo) -> None:
        self.path, self.rows, self.settings = path, rows, settings
        self.data = [drawn([each], path, settings) for each in rows]
        both = drawn(rows, path, settings, compare=True)
        cells = [code(f"c{at}", "1", [shown(each)]) for at, each in enumerate((*self.data, both))]
        write(path, notebook(*cells))

    @property
    def files(self) -> list[bytes]:
        return [(each.folder / f"{each.run_id}.mp4").read_bytes() for each in self.rows]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clips]:
    folder = tmp_path_factory.mktemp("nbconvert")
    path = folder / "work" / "clips.ipynb"
    path.parent.mkdir()
    with simulator() as sim, surroundings(folder, sim) as settings:
        prompts = {"boat": PROMPT, "kite": "A kite."}
        rows = buy(settings, path, prompts, dict.fromkeys(prompts, "1"))
        yield Clips(path, list(rows.values()), settings)


def convert(exporter: Any, path: Path) -> str:
    made, _ = exporter.from_filename(str(path))
    return made if isinstance(made, str) else made.decode()


def with_preprocessor(**sections: Any) -> Config:
    return Config({"Exporter": {"preprocessors": [NAME]}, **sections})


def videos(text: str) -> list[bytes]:
    return [base64.b64decode(each) for each in _VIDEO.findall(text)]


def for_print(exporter: WebPDFExporter, monkeypatch: pytest.MonkeyPatch, path: Path) -> str:
    """Return the page that nbconvert would print."""
    monkeypatch.setattr(exporter, "run_playwright", str.encode)
    return convert(exporter, path)


EXPORTERS = {
    "hailuo-html": HailuoHTMLExporter,
    "html": lambda: HTMLExporter(config=with_preprocessor()),
    "slides": lambda: SlidesExporter(config=with_preprocessor()),
    "notebook": lambda: NotebookExporter(config=with_preprocessor()),
}


@pytest.mark.parametrize("name", EXPORTERS)
def test_clips_are_in_the_page(clips: Clips, name: str) -> None:
    text = convert(EXPORTERS[name](), clips.path)
    if name == "notebook":
        text = "".join(
            output["data"]["text/html"]
            for cell in nbformat.reads(text, as_version=4).cells
            for output in cell.outputs
        )
    assert videos(text) == clips.files * 2
    page = BeautifulSoup(text, "html.parser")
    assert not page.select('[src^="hailuo/"], [href^="hailuo/"]')
    for row in clips.rows:
        assert f"hailuo/{row.run_id}.mp4" in page.get_text(), "the caption names the file"


def test_the_notebook_itself_is_not_changed(clips: Clips) -> None:
    before = clips.path.read_bytes()
    nb = nbformat.reads(before.decode(), as_version=4)
    HailuoHTMLExporter().from_notebook_node(nb, {"metadata": {"path": str(clips.path.parent)}})
    assert nb == nbformat.reads(before.decode(), as_version=4)
    assert clips.path.read_bytes() == before


def test_a_relative_path_counts_from_here(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clips.path.parent)
    monkeypatch.setenv("HAILUO_RUN_LOG", "none.sqlite3")
    assert videos(convert(HailuoHTMLExporter(), Path(clips.path.name))) == clips.files * 2


def test_the_limits_and_the_switch_are_configurable(clips: Clips) -> None:
    small = Config({"Hailuo": {"embed_clip_mb": 0.001}})
    found = videos(convert(HailuoHTMLExporter(config=small), clips.path))
    assert len(found) == 4
    assert not set(found) & set(clips.files)
    off = Config({"EmbedClips": {"enabled": False}})
    assert not videos(convert(HailuoHTMLExporter(config=off), clips.path))


def test_what_is_missing_is_logged(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HAILUO_RUN_LOG", str(tmp_path / "none.sqlite3"))
    path = tmp_path / "alone.ipynb"
    path.write_bytes(clips.path.read_bytes())
    text = convert(HailuoHTMLExporter(), path)
    assert not videos(text)
    said = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert [f"Run {row.run_id}" in "".join(said) for row in clips.rows] == [True, True]


def test_a_run_log_that_cannot_be_read_does_not_stop_an_export(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "log.sqlite3"
    log.write_bytes(b"not a database" * 100)
    monkeypatch.setenv("HAILUO_RUN_LOG", str(log))
    text = convert(HailuoHTMLExporter(), clips.path)
    assert PROMPT in BeautifulSoup(text, "html.parser").get_text()
    assert "Clips were left out" in caplog.text


# ── sanitized ──────────────────────────────────────────────────────────────────────────────────

SANITIZING = {
    "the page": lambda: HailuoHTMLExporter(sanitize_html=True),
    "slides": lambda: SlidesExporter(
        config=with_preprocessor(HTMLExporter={"sanitize_html": True})
    ),
    "a preprocessor": lambda: HTMLExporter(
        config=Config(
            {"Exporter": {"preprocessors": [NAME, "nbconvert.preprocessors.sanitize.SanitizeHTML"]}}
        )
    ),
}


@pytest.mark.parametrize("name", SANITIZING)
@pytest.mark.parametrize("alone", [False, True], ids=["with clips", "without clips"])
def test_sanitized_it_shows_prompt_picture_and_caption(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, alone: bool
) -> None:
    path = clips.path
    if alone:  # as on a server that has the notebook only
        monkeypatch.setenv("HAILUO_RUN_LOG", str(tmp_path / "none.sqlite3"))
        path = tmp_path / "alone.ipynb"
        path.write_bytes(clips.path.read_bytes())
    page = BeautifulSoup(convert(SANITIZING[name](), path), "html.parser")
    outputs = "\n".join(each.get_text() for each in page.select(".jp-OutputArea-output"))
    assert outputs.count(PROMPT) == 2
    assert outputs.count("24 fps, 6.0 s") == 4
    for row in clips.rows:
        assert outputs.count(f"hailuo/{row.run_id}.mp4") >= 2
    for markup in ("<div", "<video", "<img", "<span", "&lt;", "style="):
        assert markup not in outputs
    pictures = page.select('.jp-OutputArea-output img[src^="data:image/jpeg"]')
    assert len(pictures) == 4
    assert all(
        base64.b64decode(each["src"].partition(",")[2])[:2] == b"\xff\xd8" for each in pictures
    )  # type: ignore[union-attr]


@pytest.mark.parametrize("change", [{"schema": "hailuo-run/99"}, {"provider": "of-the-future"}])
def test_what_cannot_be_read_is_shown_as_its_line_of_text(
    clips: Clips, tmp_path: Path, change: dict[str, str]
) -> None:
    data = dict(clips.data[0])
    data[MIME] = {**data[MIME], **change}
    path = write(tmp_path / "newer.ipynb", notebook(code("a", "1", [shown(data)])))
    text = convert(HailuoHTMLExporter(sanitize_html=True), path)
    output = BeautifulSoup(text, "html.parser").select_one(".jp-OutputArea-output")
    assert output is not None
    assert output.get_text().strip() == data["text/plain"]


def test_a_table_of_runs_is_shown_as_its_text(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "frontend", lambda _ip: context.Frontend.HEADLESS)
    data = hailuo_jupyter.runs(notebook="all")._repr_mimebundle_()
    assert clips.rows[0].run_id in data["text/html"]
    foreign = {"text/html": "<b>6</b>", "text/plain": "6"}
    cells = [code("a", "1", [shown(data)]), code("b", "2", [shown(foreign)])]
    path = write(tmp_path / "table.ipynb", notebook(*cells))
    text = convert(HailuoHTMLExporter(sanitize_html=True), path)
    first, second = BeautifulSoup(text, "html.parser").select(".jp-OutputArea-output")
    assert first.get_text().strip() == data["text/plain"].strip()
    assert second.select("b"), "what others have drawn stays"


# ── printed ────────────────────────────────────────────────────────────────────────────────────


PRINTING = {
    "hailuo-webpdf": HailuoWebPDFExporter,
    "webpdf": lambda: WebPDFExporter(config=with_preprocessor()),
}


@pytest.mark.parametrize("name", PRINTING)
def test_what_is_printed_has_pictures_and_open_records(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    page = BeautifulSoup(for_print(PRINTING[name](), monkeypatch, clips.path), "html.parser")
    assert not page.select("video")
    assert len(page.select('.jp-OutputArea-output img[src^="data:image/jpeg"]')) == 4
    folds = page.select("details")
    assert folds
    assert all(each.has_attr("open") for each in folds)
    text = page.get_text()
    for row in clips.rows:
        assert row.record.clip is not None
        assert row.record.clip.sha256 in text
        assert "24 fps, 6.0 s" in text
    assert "This is a picture of the clip" in text
    assert "--embed" not in text


def test_a_prompt_with_markup_opens_nothing_else(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = drawn(clips.rows[:1], clips.path, clips.settings)
    data[MIME]["request"]["prompt"] = '<details class="theirs">'
    path = write(tmp_path / "a.ipynb", notebook(code("a", "1", [shown(data)])))
    text = for_print(HailuoWebPDFExporter(), monkeypatch, path)
    page = BeautifulSoup(text, "html.parser")
    assert not page.select(".theirs")
    assert '<details class="theirs">' in page.get_text()


# ── where Jupyter finds them ───────────────────────────────────────────────────────────────────


def test_listing_the_exporters_loads_nothing_heavy() -> None:
    code = (
        "import sys; from hailuo_jupyter.ipynb import nbconvert as n;"
        "n.HailuoHTMLExporter(); n.HailuoWebPDFExporter();"
        "print([m for m in ('pydantic', 'av', 'PIL', 'httpx', 'sqlite3') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_jupyter_finds_the_exporters_by_name() -> None:
    assert get_exporter("hailuo-html") is HailuoHTMLExporter
    assert get_exporter("hailuo-webpdf") is HailuoWebPDFExporter
    assert {"hailuo-html", "hailuo-webpdf"} <= set(get_export_names())
