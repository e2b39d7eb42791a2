"""The live card: what is sent to the front end, and what is not."""

from __future__ import annotations

from typing import Any

import ipywidgets
import pytest

from hailuo_jupyter.kernel.display.card import Card
from hailuo_jupyter.states import State
from tests.support.sample_rows import shown, shown_row


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Every message that a widget would send to the front end: its class, and the traits' names."""
    messages: list[tuple[str, list[str]]] = []

    def send_state(self: ipywidgets.Widget, key: Any = None) -> None:
        names = sorted([key] if isinstance(key, str) else key or [])
        messages.append((type(self).__name__, names))

    monkeypatch.setattr(ipywidgets.Widget, "send_state", send_state)
    return messages


def texts(card: Card) -> list[str]:
    """What each part of each run says: the clip's room, clock with the state, foot."""
    return [part.value for cell in card._cells for part in cell._parts.values()]


def test_a_tick_sends_one_trait_and_no_more(sent: list[tuple[str, list[str]]]) -> None:
    row = shown_row(State.GENERATING)
    card = Card([shown(row, 60)])
    del sent[:]
    card.update([shown(row, 61)])
    assert sent == [("HTML", ["value"])]
    assert "1:01" in "".join(texts(card))


def test_nothing_is_sent_where_nothing_changed(sent: list[tuple[str, list[str]]]) -> None:
    views = [shown(shown_row(state), 60) for state in State]
    card = Card(views)
    del sent[:]
    card.update(views)
    assert sent == []


def test_the_state_changes_once_when_a_run_is_late(sent: list[tuple[str, list[str]]]) -> None:
    row = shown_row(State.GENERATING)
    card = Card([shown(row, 60)])
    spoken = []
    for after in (*range(61, 64), *range(400, 404)):
        card.update([shown(row, after)])
        spoken.append(texts(card)[1].partition("hailuo-state")[2].partition("</strong>")[0])
    assert len(set(spoken)) == 2
    assert "slower than usual" in spoken[-1]


def test_no_part_is_a_live_region() -> None:
    # A part is replaced as a whole, of which a screen reader hears nothing; the lab extension reads
    # the state aloud from a region that lasts.
    parts = "".join(texts(Card([shown(shown_row(State.GENERATING))])))
    assert "polite" not in parts
    assert "status" not in parts


def test_the_bar_has_a_role_and_a_value_only_where_something_is_known() -> None:
    view = shown(shown_row(State.GENERATING), 60)
    assert view.progress is not None
    assert view.progress.share is not None
    known = "".join(texts(Card([view])))
    assert 'role="progressbar"' in known
    assert f'aria-valuenow="{view.progress.share:.0%}"'.replace("%", "") in known
    unknown = "".join(texts(Card([shown(shown_row(State.UPLOADING), 60)])))
    assert "progressbar" not in unknown


def test_foreign_text_is_escaped() -> None:
    problem = ("code", "<b>what</b>", "", "")
    row = shown_row(State.GENERATING, prompt="<i>prompt</i>", problem=problem)
    page = "".join(texts(Card([shown(row)])))
    assert "&lt;b&gt;what" in page
    assert "&lt;i&gt;prompt" in page
    assert "<i>" not in page


def test_a_finished_run_shows_its_picture_while_others_go_on() -> None:
    room, clock, _ = texts(Card([shown(shown_row(State.COMPLETED), poster=b"jpeg")]))
    assert "data:image/jpeg;base64," in room
    # Beside or below the room that was kept, which is as high as before.
    assert "aspect-ratio: 16 / 9" in room
    assert "plays here once the other runs have finished" in clock


def test_what_can_be_done_about_a_run_takes_no_line_of_its_own() -> None:
    _, _, foot = texts(Card([shown(shown_row(State.GENERATING))]))
    (line,) = (each for each in foot.splitlines() if "be cancelled" in each)
    assert "$0.27–0.39 est." in line


@pytest.mark.parametrize("runs", [1, 2])
def test_closing_leaves_no_model_behind(runs: int) -> None:
    Card([shown(shown_row(State.GENERATING))]).close()  # what all cards share stays
    before = set(ipywidgets.widgets.widget._instances)
    card = Card([shown(shown_row(State.GENERATING)) for _ in range(runs)])
    assert card.model_id in set(ipywidgets.widgets.widget._instances) - before
    card.close()
    assert set(ipywidgets.widgets.widget._instances) == before


def test_a_run_takes_few_models_since_each_is_a_message() -> None:
    Card([shown(shown_row(State.GENERATING))]).close()
    before = set(ipywidgets.widgets.widget._instances)
    Card([shown(shown_row(State.GENERATING))])
    assert len(set(ipywidgets.widgets.widget._instances) - before) == 6


def test_a_card_is_whole_after_somebody_closed_all_widgets() -> None:
    Card([shown(shown_row(State.GENERATING))])
    ipywidgets.Widget.close_all()
    card = Card([shown(shown_row(State.GENERATING))])
    alive = ipywidgets.widgets.widget._instances
    media, side = card.widget.children
    for part in (media, *side.children):
        assert {part.model_id, part.layout.model_id, part.style.model_id} <= set(alive)
    assert {side.model_id, side.layout.model_id} <= set(alive)


def test_some_of_its_runs_are_brought_up_to_date() -> None:
    rows = [shown_row(State.GENERATING) for _ in range(3)]
    card = Card([shown(row, 60) for row in rows])
    card.update([shown(rows[1], 61)], 1)
    said = texts(card)
    each = len(said) // 3
    clocks = ["".join(said[at * each : (at + 1) * each]) for at in range(3)]
    assert ["1:01" in clock for clock in clocks] == [False, True, False]


def test_there_are_no_more_views_than_runs() -> None:
    view = shown(shown_row(State.GENERATING))
    with pytest.raises(ValueError, match="argument 2 is longer"):
        Card([view]).update([view, view])
