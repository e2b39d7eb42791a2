"""An output's bundle: complete, small, and no foreign text in it ever becomes markup."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shown_run import PROMPT, shown, shown_row

from hailuo_jupyter.kernel.bundle import MIME, bundle, html
from hailuo_jupyter.kernel.words import harmless
from hailuo_jupyter.states import State

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

    def one(self, tag: str) -> dict[str, str | None]:
        (found,) = [attributes for name, attributes in self.elements if name == tag]
        return found


def clip_in(folder: Path, content: bytes = b"clip", **how: Any) -> Any:
    """Give a finished run whose clip lies in `folder`."""
    row = shown_row(State.COMPLETED, folder=folder, **how)
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
        "Submitted 12:03, expected by 12:06, 9 of 10 by 12:08 · "
        "about 0.27 to 0.39 USD, inferred."
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
        "title", "alt", "aria-label",
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
    assert video["poster"] == f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"
    assert (video["width"], video["height"], video["preload"]) == ("1366", "768", "none")
    assert {"controls", "loop"} <= set(video)
    assert "autoplay" not in video
    assert "aspect-ratio: 1366 / 768" in (video["style"] or "")
    assert "max-width: 854px" in (video["style"] or "")  # 480 px high
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert links == [f"my%20clips/{row.run_id}.mp4", f"my%20clips/{row.run_id}.json"]


def test_an_embedded_clip_is_inside_the_output(tmp_path: Path) -> None:
    row = clip_in(tmp_path / "elsewhere", b"\0\1clip")
    view = shown(row, base=tmp_path / "notebooks", embed=True)
    src = Parsed(html([view])).one("video")["src"] or ""
    assert src.startswith("data:video/mp4;base64,")
    assert base64.b64decode(src.partition(",")[2]) == b"\0\1clip"


def test_a_clip_deleted_at_the_last_moment_leaves_the_rest(tmp_path: Path) -> None:
    row = clip_in(tmp_path / "clips")
    view = shown(row, embed=True)
    (tmp_path / "clips" / f"{row.run_id}.mp4").unlink()
    assert Parsed(html([view])).one("video")["src"] == f"clips/{row.run_id}.mp4"


def test_a_clip_elsewhere_is_told_of_and_its_picture_shown(tmp_path: Path) -> None:
    row = clip_in(tmp_path / "elsewhere")
    page = Parsed(html([shown(row, base=tmp_path / "notebooks", poster=JPEG)]))
    assert [tag for tag, _ in page.elements if tag in {"video", "a"}] == []
    assert (page.one("img")["src"] or "").startswith("data:image/jpeg;base64,")
    assert any("--embed" in text for text in page.texts)


def test_the_fold_holds_the_whole_record_and_the_statement() -> None:
    row = shown_row(State.FAILED, note="\u202e</div><script>alert(1)</script>")
    page = Parsed(html([shown(row)]))
    documents = [text for text in page.texts if text.startswith("{")]
    assert [json.loads(text) for text in documents] == [json.loads(row.record_json)]
    assert row.record.reproducibility.statement in page.texts
    assert "\u202e" not in "".join(page.texts)


def test_a_finished_runs_bundle_is_small(tmp_path: Path) -> None:
    poster = random.Random(7).randbytes(6000)  # what `media.poster` makes at most
    prompt = f"{PROMPT}; waves break below, gulls cross the frame, film grain. " * 2
    answers = {"submit": {"request_id": "a" * 36, "status": "QUEUED"}, "status": {"a": "b" * 200}}
    row = clip_in(tmp_path / "clips", prompt=prompt, job={"id": "a" * 36, "answers": answers})
    size = len(json.dumps(bundle([shown(row, poster=poster)])).encode())
    assert 8000 < size <= 20_000


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
    """Give a page with foreign text in every place but the player's label, and no run id."""
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
    assert page.elements == plain.elements
    texts = page.texts
    assert harmless(f"p{prompt}") in texts
    for letter in "xyz":
        assert harmless(f"{letter}{what}") in texts
    assert harmless(f"n{note}") in texts
    assert harmless(f"t{note}") in texts
    assert any(f"0.29 USD charged ({harmless(f's{source}')})" in text for text in texts)
    unsafe = {c for c in "".join(texts) if harmless(c) != c}
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
    assert harmless(said) == said
    assert said.endswith("Money.")
