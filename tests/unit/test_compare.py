"""What differs between runs, and the comparison that shows it: complete, small, harmless."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.errors import OptionError
from hailuo_jupyter.kernel.display.bundle import MIME
from hailuo_jupyter.kernel.runs.compare import bundle, compare, lines_of
from hailuo_jupyter.states import State
from tests.support.sample_rows import shown, shown_row

HOSTILE = '<script>alert(1)</script>\u202e"><img src=x onerror=alert(1)>{{ 7 * 7 }}'


class Parsed(HTMLParser):
    """The elements of a page, and all its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def clip_in(folder: Path, **how: Any) -> Any:
    """Return a finished run whose clip lies in `folder`."""
    how["clip"] = {"bytes": len(b"clip"), **how.get("clip", {})}
    row = shown_row(State.COMPLETED, folder=folder, **how)
    folder.mkdir(exist_ok=True)
    (folder / f"{row.run_id}.mp4").write_bytes(b"clip")
    return row


def record(state: State = State.COMPLETED, **changes: Any) -> Any:
    return shown_row(state).record.changed(**changes)


def test_what_differs_is_apart_from_what_is_equal() -> None:
    one = record(rating=4, tags=["keep"])
    other = record(
        request={"options": {"mode": "pro"}, "prompt": "A crane lands."}, rating=None, tags=["keep"]
    )
    differing, equal = lines_of([one, other])
    found = {line.name: line.values for line in differing}
    assert found["Mode"] == ("standard", "pro")
    assert found["Rating"] == ("4 of 5", "\N{EN DASH}")
    assert found["Prompt"][1] == "A crane lands."
    assert {line.name for line in equal} >= {"Provider", "Model", "Tags", "Size", "Cost"}
    assert not {line.name for line in differing} & {line.name for line in equal}
    # What nobody has is not said.
    assert "Last frame" not in {line.name for line in (*differing, *equal)}


def test_an_option_that_one_provider_alone_knows_differs() -> None:
    differing, _ = lines_of(
        [record(), record(request={"options": {"duration": 10, "resolution": "768P"}})]
    )
    found = {line.name: line.values for line in differing}
    assert found["Duration"] == ("\N{EN DASH}", "10 s")
    assert found["Mode"] == ("standard", "\N{EN DASH}")


def test_runs_without_a_clip_are_told_in_words(tmp_path: Path) -> None:
    there = clip_in(tmp_path / "hailuo", prompt="here")
    gone = shown_row(State.COMPLETED, folder=tmp_path / "hailuo", prompt="gone")
    working = shown_row(State.GENERATING, folder=tmp_path / "hailuo")
    data = bundle([shown(row, base=tmp_path) for row in (there, gone, working)])
    page = Parsed(data["text/html"])
    assert page.elements[0][1]["class"] == "hailuo-compare"
    (video,) = [attributes for tag, attributes in page.elements if tag == "video"]
    assert video["src"] == f"hailuo/{there.run_id}.mp4"
    assert "no longer in its folder" in data["text/html"]
    assert "There is no clip: Generating." in data["text/html"]
    assert data[MIME]["compare"] is True
    assert [each["run_id"] for each in data[MIME]["runs"]] == [
        row.run_id for row in (there, gone, working)
    ]


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    rows = [
        clip_in(tmp_path / "hailuo", prompt=f"{number} {HOSTILE}", note=HOSTILE, tags=[HOSTILE])
        for number in range(2)
    ]
    data = bundle([shown(row, base=tmp_path) for row in rows])
    page = Parsed(data["text/html"])
    assert {"script", "img"}.isdisjoint(tag for tag, _ in page.elements)
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in data["text/html"] + data["text/plain"]
    assert "{{ 7 * 7 }}" in data["text/html"]


def test_no_run_is_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAILUO_RUN_LOG", str(tmp_path / "runs.sqlite3"))
    with pytest.raises(OptionError, match="2 to 6 runs can be compared"):
        compare()
