"""Rating, tags and note: what may be said, and what a record and its output say then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hailuo_jupyter.engine.annotations import noted, rated, record_of, tagged
from hailuo_jupyter.errors import OptionError, RunLogError
from hailuo_jupyter.kernel.display.bundle import html, line
from hailuo_jupyter.record import Record
from hailuo_jupyter.states import State
from tests.support.sample_rows import shown, shown_row


@pytest.fixture
def record() -> Record:
    return shown_row(State.COMPLETED).record


@pytest.mark.parametrize("rating", [0, 1, 5])
def test_a_rating_is_a_new_revision_and_can_be_taken_away(record: Record, rating: int) -> None:
    after = rated(rating)(record)
    assert (after.rating, after.revision) == (rating, record.revision + 1)
    assert rated(None)(after).rating is None


@pytest.mark.parametrize("rating", [-1, 6, 2.5, True, "4"])
def test_what_is_no_rating_is_refused_in_words(rating: object) -> None:
    with pytest.raises(OptionError, match="from 0 to 5") as caught:
        rated(rating)  # type: ignore[arg-type]
    assert caught.value.money == "Nothing was changed."


def test_tags_are_added_once_and_taken_away(record: Record) -> None:
    after = tagged([" keep ", "night", "keep"])(record)
    assert after.tags == ["keep", "night"]
    after = tagged(["dawn"], ["keep", "never was"])(after)
    assert after.tags == ["night", "dawn"]


@pytest.mark.parametrize("tag", ["", "  ", "x" * 61, "two\nlines", "\x1b[31m", "\u2028", 7])
def test_what_is_no_tag_is_refused_in_words(tag: object) -> None:
    with pytest.raises(OptionError):
        tagged([tag])  # type: ignore[list-item]


def test_a_note_takes_the_place_of_the_one_before(record: Record) -> None:
    after = noted("the horizon tilts\nat the end")(record)
    assert after.note == "the horizon tilts\nat the end"
    assert noted(" better ")(after).note == "better"
    assert noted("  ")(after).note is None
    with pytest.raises(OptionError, match="2001 characters"):
        noted("x" * 2001)
    with pytest.raises(OptionError, match="not int"):
        noted(4)  # type: ignore[arg-type]


def test_what_changes_nothing_is_no_new_revision(record: Record) -> None:
    after = noted("n")(tagged(["a"])(rated(3)(record)))
    for change in (rated(3), tagged(["a"]), tagged(remove=["b"]), noted(" n ")):
        assert change(after) is after


def test_a_record_of_a_newer_version_is_told_in_words() -> None:
    row = shown_row(State.COMPLETED)
    newer = replace(row, record_json=row.record_json.replace("hailuo-run/1", "hailuo-run/9"))
    assert record_of(row) == row.record
    with pytest.raises(RunLogError, match="written by a newer version"):
        record_of(newer)


def test_caption_fold_and_line_say_what_the_person_thinks() -> None:
    found = shown(
        shown_row(
            State.COMPLETED, rating=4, tags=["keep", "\u202eevil"], note="soft\nlight", parent="p1"
        )
    )
    assert found.caption[-3:] == (
        "rated 4 of 5",
        "tags: keep, [U+202E]evil",
        "note: soft light",
    )
    facts = dict(found.facts)
    assert (facts["Rating"], facts["Repeats"]) == ("4 of 5", "p1")
    assert "rated 4 of 5" in html([found])
    assert "rated 4 of 5" in line(found)
    assert "rated" not in html([shown(shown_row(State.COMPLETED))])


def test_a_rating_of_nought_is_a_rating() -> None:
    assert "rated 0 of 5" in shown(shown_row(State.COMPLETED, rating=0)).caption


def test_an_output_says_why_its_clip_is_not_here_and_what_to_do() -> None:
    gone = shown(shown_row(State.COMPLETED)).clip
    assert gone is not None
    assert "no longer in its folder 'clips'." in gone.absent
    assert "jupyter hailuo relink" in gone.absent
    deleted = {"deleted": "2026-11-21T08:00:00.000Z"}
    pruned = shown(shown_row(State.COMPLETED, clip=deleted)).clip
    assert pruned is not None
    assert "deleted from its folder 'clips' on 2026-11-21" in pruned.absent
    assert "--new" in pruned.absent
    assert "/notebooks" not in gone.absent + pruned.absent
