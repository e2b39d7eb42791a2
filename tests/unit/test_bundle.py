"""An output's bundle: complete, small, and no foreign text in it ever becomes markup."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from hailuo_jupyter import media
from hailuo_jupyter.formatting import escape_control
from hailuo_jupyter.kernel.display.bundle import MIME, bundle, html
from hailuo_jupyter.kernel.display.poster import blank, poster
from hailuo_jupyter.kernel.display.run_view import Inside
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.simulator.clips import ClipCache, ClipPlan
from hailuo_jupyter.states import State
from tests.support.sample_rows import PROMPT, shown, shown_row

JPEG = b"\xff\xd8jpeg"
WIDGET = "application/vnd.jupyter.widget-view+json"


class Parsed(HTMLParser):
    """The elements of a page, each with its attributes and its own text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[int] = []
        self.feed(page)
        self.close()
        assert self._open == [], "an element is left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")
        if tag != "img":
            self._open.append(len(self.texts) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]] += data

    def one(self, tag: str, named: str | None = None) -> dict[str, str | None]:
        (found,) = [
            attributes
            for name, attributes in self.elements
            if name == tag and named in {None, attributes.get("class")}
        ]
        return found


def clip_in(folder: Path, content: bytes = b"clip", **how: Any) -> Any:
    """Return a finished run whose clip lies in `folder`."""
    row = shown_row(State.COMPLETED, folder=folder, clip={"bytes": len(content)}, **how)
    folder.mkdir(exist_ok=True)
    (folder / f"{row.run_id}.mp4").write_bytes(content)
    return row


def test_one_run_is_shown_as_text_html_and_its_record() -> None:
    row = shown_row(State.GENERATING)
    data = bundle([shown(row)])
    assert set(data) == {"text/plain", "text/html", MIME}
    assert data[MIME] == json.loads(row.record_json)
    assert (data[MIME]["run_id"], data[MIME]["revision"]) == (row.run_id, row.revision)
    assert data["text/plain"] == (
        f"Hailuo run {row.run_id}: Generating · Segmind · minimax-hailuo-2 · mode standard · "
        "Submitted 12:03, expected around 12:06 (12:08 at the latest, usually) · "
        "$0.27–0.39 est."
    )


def test_a_live_output_has_the_card_besides() -> None:
    data = bundle([shown(shown_row(State.GENERATING))], card_model_id="abc")
    assert data[WIDGET] == {"version_major": 2, "version_minor": 0, "model_id": "abc"}
    assert set(data) == {"text/plain", "text/html", MIME, WIDGET}


def test_several_runs_share_one_output() -> None:
    rows = [shown_row(State.GENERATING), shown_row(State.REJECTED)]
    data = bundle([shown(row) for row in rows])
    assert data[MIME] == {"runs": [json.loads(row.record_json) for row in rows]}
    assert [line.split(":")[0] for line in data["text/plain"].split("\n")] == [
        f"Hailuo run {row.run_id}" for row in rows
    ]
    assert "minmax(280px, 1fr)" in data["text/html"]


def test_a_clip_that_is_shown_again_says_so_beside_its_date() -> None:
    """An output that is made again is as high as before: what is not folded has no line more."""
    row = shown_row(State.COMPLETED)
    first, again = (html([shown(row, saved=saved)]).split("<details")[0] for saved in (False, True))
    assert first.count("<div") == again.count("<div")
    (line,) = (each for each in again.splitlines() if "reused, no charge" in each)
    assert "2026-11-20 12:03" in line
    assert "Add --new for another take" in html([shown(row, saved=True)]).split("<details")[1]


@pytest.mark.parametrize("state", list(State))
def test_what_is_saved_is_static_and_survives_a_sanitizer(state: State) -> None:
    problem = ("code", "What happened.", "The money.", "What to do.")
    row = shown_row(state, problem=problem, note="A note.")
    page = Parsed(html([shown(row, 20)]))
    # What JupyterLab's sanitizer keeps of what we use; aria-label may go.
    assert {tag for tag, _ in page.elements} <= {
        "div", "span", "strong", "bdi", "details", "summary", "a", "video", "img",
    }  # fmt: skip
    assert {name for _, attributes in page.elements for name in attributes} <= {
        "style", "dir", "src", "href", "width", "height", "poster", "controls", "loop", "preload",
        "title", "alt", "aria-label", "aria-hidden", "class",
    }  # fmt: skip
    assert "var(" not in html([shown(row)])
    assert [text for text in page.texts if text in problem] == list(problem[1:])
    assert shown(row).state in page.texts
    # An elapsed time would be frozen in the file.
    assert html([shown(row, 20)]) == html([shown(row, 45)])


def test_a_finished_clip_is_a_player_with_its_room_kept(tmp_path: Path) -> None:
    row = clip_in(tmp_path / "my clips")
    page = Parsed(html([shown(row, poster=JPEG)]))
    video = page.one("video")
    assert video["src"] == f"my%20clips/{row.run_id}.mp4"
    assert (video["width"], video["height"], video["preload"]) == ("1366", "768", "none")
    assert {"controls", "loop"} <= set(video)
    assert "autoplay" not in video
    assert "aspect-ratio: 1366 / 768" in (video["style"] or "")
    assert "max-width: 480px" in (video["style"] or "")
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert links == [f"my%20clips/{row.run_id}.mp4", f"my%20clips/{row.run_id}.json"]


def test_the_one_picture_is_below_the_player_and_shows_through_it(tmp_path: Path) -> None:
    row = clip_in(tmp_path / "clips")
    page = Parsed(html([shown(row, poster=JPEG)]))
    names = [tag for tag, _ in page.elements]
    assert names.index("img") == names.index("video") - 1, "what comes later is above"
    picture, video = page.one("img"), page.one("video")
    assert picture["src"] == f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"
    assert picture["alt"] == f"One picture of the clip of run {row.run_id}"
    assert (picture["width"], picture["height"]) == ("480", "270"), "sharp without styles, too"
    # Chromium covers a player that has no poster with one of its own.
    uri = video["poster"] or ""
    cover = Image.open(BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))
    assert cover.convert("RGBA").getchannel("A").getextrema() == (0, 0), "it covers nothing"
    assert cover.width / cover.height == 1366 / 768, "the player keeps its shape"
    assert len(uri) < 250, "there is one picture, not two"
    for element in (picture, video):
        assert "grid-area: 1 / 1 / 2 / 2" in (element["style"] or "")
    assert "background" not in (video["style"] or "")
    # Without a picture there is a dark place to click on.
    bare = Parsed(html([shown(row)]))
    assert "poster" not in bare.one("video")
    assert "background-color: #000" in (bare.one("video")["style"] or "")
    assert "img" not in {tag for tag, _ in bare.elements}


@pytest.mark.parametrize(
    ("size", "shown_as"),
    [((1366, 768), ("480", "270")), ((720, 1280), ("270", "480")), ((320, 240), ("320", "240"))],
)
def test_a_picture_has_the_size_in_which_it_is_sharp(
    tmp_path: Path, size: tuple[int, int], shown_as: tuple[str, str]
) -> None:
    facts = {"width": size[0], "height": size[1]}
    row = shown_row(State.COMPLETED, folder=tmp_path, clip=facts)
    picture = Parsed(html([shown(row, poster=JPEG)])).one("img")
    assert (picture["width"], picture["height"]) == shown_as


@pytest.mark.parametrize(
    ("size", "ratio", "most"),
    [
        ((1366, 768), 1366 / 768, 0), ((1080, 1620), 2 / 3, 0), ((1619, 1080), 1619 / 1080, 0),
        ((4097, 2161), 4097 / 2161, 1e-5), ((100_003, 99_991), 100_003 / 99_991, 1e-3),
        ((10**9, 1), 2000, 0), ((1, 10**9), 1, 0),
    ],
)  # fmt: skip
def test_a_transparent_picture_has_the_clips_shape_and_stays_small(
    size: tuple[int, int], ratio: float, most: float
) -> None:
    uri = blank(*size)
    cover = Image.open(BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))
    assert cover.width / cover.height == pytest.approx(ratio, abs=most)
    assert len(uri) < 500


#: What GitHub's renderer keeps of what we use: it knows no `<video>` and no styles.
GITHUB_TAGS = frozenset({"a", "details", "div", "img", "p", "span", "strong", "summary"})
GITHUB_ATTRIBUTES = frozenset({"alt", "dir", "height", "href", "src", "title", "width"})


class GitHubPage(HTMLParser):
    """What is left of some HTML where only GitHub's elements and attributes are kept."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in GITHUB_TAGS:
            kept = {name: value for name, value in attrs if name in GITHUB_ATTRIBUTES}
            self.elements.append((tag, kept))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("whole", [False, True])
def test_github_shows_one_picture_the_prompt_and_the_caption(tmp_path: Path, whole: bool) -> None:
    row = clip_in(tmp_path / "clips", rating=4)
    view = shown(row, poster=JPEG, inside=Inside(whole=whole))
    page = GitHubPage(html([view]))
    pictures = [attributes for tag, attributes in page.elements if tag == "img"]
    assert [each["src"] for each in pictures] == [
        f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"
    ]
    assert page.texts.count(PROMPT) == 2, "below the picture, and in the fold"
    size, _, cost, rated = view.caption
    assert {size, cost, f"· {rated}"} <= set(page.texts)
    assert rated == "rated 4 of 5"
    assert view.state in page.texts


def test_an_embedded_clip_is_inside_the_output(tmp_path: Path) -> None:
    row = clip_in(tmp_path / "elsewhere", b"\0\1clip")
    view = shown(row, base=tmp_path / "notebooks", inside=Inside(whole=True))
    src = Parsed(html([view])).one("video")["src"] or ""
    assert src.startswith("data:video/mp4;base64,")
    assert base64.b64decode(src.partition(",")[2]) == b"\0\1clip"


def test_a_clip_deleted_at_the_last_moment_leaves_the_rest(tmp_path: Path) -> None:
    row = clip_in(tmp_path / "clips")
    view = shown(row, inside=Inside(whole=True))
    (tmp_path / "clips" / f"{row.run_id}.mp4").unlink()
    assert Parsed(html([view])).one("video")["src"] == f"clips/{row.run_id}.mp4"


def test_a_clip_elsewhere_is_told_of_and_its_picture_shown(tmp_path: Path) -> None:
    row = clip_in(tmp_path / "elsewhere")
    page = Parsed(html([shown(row, base=tmp_path / "notebooks", poster=JPEG)]))
    assert [tag for tag, _ in page.elements if tag in {"video", "a"}] == []
    assert (page.one("img")["src"] or "").startswith("data:image/jpeg;base64,")
    assert any("--embed" in text for text in page.texts)


def test_the_fold_holds_prompt_facts_and_statement() -> None:
    row = shown_row(State.FAILED, note="\u202e</div><script>alert(1)</script>")
    view = shown(row)
    page = Parsed(html([view]))
    assert PROMPT in page.texts
    assert {value for _, value in view.facts} <= set(page.texts)
    assert row.record.reproducibility.statement in page.texts
    assert "\u202e" not in "".join(page.texts)


@pytest.mark.parametrize("state", list(State))
def test_the_record_is_in_the_bundle_and_not_in_its_html(state: State) -> None:
    row = shown_row(state, job={"id": "job-1", "answers": {"submit": {"request_id": "job-1"}}})
    data = bundle([shown(row), shown(row)])
    assert data[MIME]["runs"][0] == json.loads(row.record_json)
    page = Parsed(data["text/html"])
    assert [text for text in page.texts if "{" in text] == []
    for name in ('"run_id"', "run_id", "fingerprint", "request_id", "&#34;", "&quot;"):
        assert name not in data["text/html"], name


@pytest.fixture(scope="module")
def demo_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of the demo, whose sky has grain, so that its picture is as large as a real one."""
    folder = tmp_path_factory.mktemp("clips")
    return ClipCache(folder).clip(ClipPlan((1366, 768), 1, caption=PROMPT))


def bytes_in_notebook(row: Row, data: dict[str, Any]) -> int:
    """Return by how much a notebook's file grows with an output, its record and its cell's list."""
    sizes = []
    for runs in ([], [row.run_id]):
        outputs = [nbformat.v4.new_output("display_data", data=data)] if runs else []
        cell = nbformat.v4.new_code_cell("%%hailuo", id="cell", outputs=outputs)
        cell.metadata.hailuo = {"runs": runs}
        notebook = nbformat.v4.new_notebook(cells=[cell])
        notebook.metadata.hailuo = {"runs": dict.fromkeys(runs, data[MIME])}
        plain = nbformat.from_dict(json.loads(json.dumps(notebook)))
        sizes.append(len(nbformat.writes(plain).encode()))
    return sizes[1] - sizes[0]


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return how much two pictures differ."""
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).rms)


@pytest.mark.parametrize("length", [35, 280, 2000])
def test_a_finished_run_is_small_in_a_notebook_and_its_picture_sharp(
    tmp_path: Path, demo_clip: Path, length: int
) -> None:
    prompt = (f"{PROMPT}; waves break below, gulls cross the frame, film grain. " * 30)[:length]
    answers = {"submit": {"request_id": "a" * 36, "status": "QUEUED"}, "status": {"a": "b" * 200}}
    row = clip_in(
        tmp_path / "clips",
        demo_clip.read_bytes(),
        prompt=prompt,
        job={"id": "a" * 36, "answers": answers},
        rating=5,
        tags=["dusk", "sea"],
        note="The one for the opening scene.",
    )
    picture = poster(row)
    assert picture is not None
    frame = media.frame_at(demo_clip, 0.1).convert("RGB").resize((480, 270))
    enlarged = frame.resize((320, 180)).resize((480, 270))
    seen = Image.open(BytesIO(picture))
    assert seen.size == (480, 270)
    assert difference(seen, frame) < difference(enlarged, frame), "sharper than 320 pixels enlarged"
    size = bytes_in_notebook(row, bundle([shown(row, poster=picture)]))
    assert 15_000 < size <= 28_000


@pytest.mark.parametrize("length", [800, 801, 1800, 2000])
def test_a_run_with_a_long_chinese_prompt_is_as_small(
    tmp_path: Path, demo_clip: Path, length: int
) -> None:
    prompt = ("一只苍鹭在黎明时分从平静的湖面上缓缓飞起、晨雾缭绕、镜头慢慢推进、水波荡漾。" * 60)[
        :length
    ]
    answers = {"submit": {"request_id": "a" * 36, "status": "QUEUED"}, "status": {"a": "b" * 200}}
    job = {"id": "a" * 36, "answers": answers}
    row = clip_in(tmp_path / "clips", demo_clip.read_bytes(), prompt=prompt, job=job)
    picture = poster(row)
    assert picture is not None
    assert Image.open(BytesIO(picture)).width >= 240
    data = bundle([shown(row, poster=picture)])
    assert data[MIME]["request"]["prompt"] == prompt
    assert (prompt in data["text/html"]) == (length == 800)
    assert prompt[:200] in data["text/html"]
    assert bytes_in_notebook(row, data) <= 28_000


# ── hostile texts ──────────────────────────────────────────────────────────────────────────────

#: Any text, and often what means something in HTML, in templates, in terminals or to bidi.
hostile = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
        st.sampled_from(
            [
                "<script>alert(1)</script>", "</div>", "<!--", "-->", "]]>", '" onload="x', "' x='",
                "{{ 7 * 7 }}", "{% raw %}", "&lt;", "&#x202e;", "&", "\x1b[31m", "\u202e", "\u2066",
                "\r\n", "\0", "\x85", "\u2028", "javascript:alert(1)", "<img src=x onerror=x>",
            ]
        ),
    ),
    max_size=8,
).map("".join)  # fmt: skip


def hostile_page(prompt: str, what: str, note: str, source: str) -> Parsed:
    """Return a page with foreign text in every place but the player's label, and no run id."""
    row = shown_row(
        State.COMPLETED,
        problem=("code", f"x{what}", f"y{what}", f"z{what}"),
        note=f"n{note}",
        tags=[f"t{note}"],
        cost={"actual": 0.29, "actual_source": f"s{source}"},
        request={"prompt": f"p{prompt}"},
    )
    page = html([shown(row, poster=JPEG)])
    return Parsed(page.replace(row.run_id, "RUN"))


@given(hostile, hostile, hostile, hostile)
def test_no_foreign_text_becomes_markup_or_is_changed(
    prompt: str, what: str, note: str, source: str
) -> None:
    page, plain = hostile_page(prompt, what, note, source), hostile_page("", "", "", "")
    price = page.one("span", "hailuo-price")
    assert price["title"] == f"By {escape_control(f's{source}')}; before: $0.27–0.39 est."
    price["title"] = plain.one("span", "hailuo-price")["title"]
    assert page.elements == plain.elements
    texts = page.texts
    assert escape_control(f"p{prompt}") in texts
    for letter in "xyz":
        assert escape_control(f"{letter}{what}") in texts
    assert escape_control(f"n{note}") in texts
    assert escape_control(f"t{note}") in texts
    assert "$0.29 charged" in texts
    unsafe = {c for c in "".join(texts) if escape_control(c) != c}
    assert unsafe == set()


@given(hostile)
def test_a_prompt_cannot_leave_the_players_label(prompt: str) -> None:
    view = shown(shown_row(State.COMPLETED, request={"prompt": prompt}))
    assert view.clip is not None
    view = replace(view, clip=replace(view.clip, href="clip.mp4", absent=""))
    video = Parsed(html([view])).one("video")
    assert video["aria-label"] == f"Clip: {view.prompt_short}"
    assert video["src"] == "clip.mp4"
    assert {name for name in video if name.startswith("on")} == set()


@given(hostile, hostile)
def test_a_terminals_line_stays_one_line_without_controls(prompt: str, what: str) -> None:
    row = shown_row(
        State.FAILED, request={"prompt": prompt}, problem=("code", f"x{what}", "Money.", "")
    )
    said = bundle([shown(row)])["text/plain"]
    assert len(said.splitlines()) == 1
    assert escape_control(said) == said
    assert said.endswith("Money.")
