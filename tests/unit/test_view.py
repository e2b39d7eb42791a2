"""What a run's output says: every state, every clock, every sum, in words."""

from __future__ import annotations

import json
import time
from datetime import timedelta, timezone
from pathlib import Path
from unicodedata import bidirectional

import pytest
from shown_run import shown, shown_row

from hailuo_jupyter.engine.timing import Timing
from hailuo_jupyter.kernel import words
from hailuo_jupyter.kernel.standing import Tone
from hailuo_jupyter.kernel.words import about, harmless, shortened, span, stopwatch
from hailuo_jupyter.states import FINAL, State

#: Unicode's names for embeddings, overrides, isolates and their ends; and the three single marks.
BIDI_CONTROLS = frozenset(["LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"])
MARKS = "\u061c\u200e\u200f"

KEY = ("key_refused", "Segmind does not accept the key.", "It is paid for.", "Set another key.")
DOWN = ("provider_down", "Segmind cannot be reached.", "", "It is asked again by itself.")
REFUSED = ("moderated", "Segmind refused the content.", "It may cost.", "Change the prompt.")


@pytest.mark.parametrize(
    ("state", "said", "tone"),
    [
        (State.PREPARED, "Not sent yet", Tone.WORKING),
        (State.UPLOADING, "Uploading frames", Tone.WORKING),
        (State.SUBMITTING, "Submitting", Tone.WORKING),
        (State.SUBMITTED, "Submitted", Tone.WORKING),
        (State.QUEUED, "Queued", Tone.WORKING),
        (State.GENERATING, "Generating", Tone.WORKING),
        (State.DOWNLOADING, "Downloading", Tone.WORKING),
        (State.UNDOWNLOADED, "Bought, not downloaded yet", Tone.WORKING),
        (State.COMPLETED, "Completed", Tone.DONE),
        (State.REJECTED, "Rejected", Tone.BROKEN),
        (State.FAILED, "Failed", Tone.BROKEN),
        (State.EXPIRED, "Expired", Tone.BROKEN),
        (State.UNCONFIRMED, "Unconfirmed, maybe bought", Tone.WAITING),
    ],
)
def test_each_state_has_its_words(state: State, said: str, tone: Tone) -> None:
    found = shown(shown_row(state))
    assert (found.state, found.tone) == (said, tone)
    assert found.live == (state not in FINAL | {State.UNCONFIRMED})


@pytest.mark.parametrize(
    ("state", "problem", "said"),
    [
        (State.PREPARED, None, "Not sent"),
        (State.GENERATING, None, "Generating, not watched"),
        (State.DOWNLOADING, None, "Downloading, not watched"),
        (State.GENERATING, KEY, "Waiting for a key"),
        (State.UNDOWNLOADED, KEY, "Waiting for a key"),
        (State.REJECTED, KEY, "Rejected"),
        (State.REJECTED, REFUSED, "Moderated"),
        (State.FAILED, REFUSED, "Moderated"),
    ],
)
def test_what_nobody_works_on_says_so_and_has_no_running_clock(
    state: State, problem: tuple[str, str, str, str] | None, said: str
) -> None:
    found = shown(shown_row(state, problem=problem, watched=False))
    assert (found.state, found.tick, found.hint) == (said, None, "")


def test_an_unwatched_run_says_how_to_go_on() -> None:
    found = shown(shown_row(State.GENERATING, watched=False))
    assert found.problem[1] == "Run '%hailuo resume' to go on; asking is free."


@pytest.mark.parametrize(
    ("after", "state", "clock", "expected"),
    [
        (7, "Generating", "0:07", "usually about 3 min"),
        (180, "Generating", "3:00", "9 of 10 such runs are done by 5 min"),
        (300, "Generating, later than usual", "5:00", "longer than 9 of 10 such runs"),
        (1799, "Generating, later than usual", "29:59", "longer than 9 of 10 such runs"),
        (1801, "Generating, overdue", "30:01", "asked about less often from now on"),
        (4000, "Generating, overdue", "1:06:40", "asked about less often from now on"),
    ],
)
def test_the_words_change_when_a_run_is_late(
    after: float, state: str, clock: str, expected: str
) -> None:
    found = shown(shown_row(State.GENERATING), after)
    assert found.tick is not None
    assert (found.state, found.tick.elapsed, found.tick.expected) == (state, clock, expected)


def test_an_overdue_run_tells_until_when_it_is_asked_and_the_deadline_can_be_set() -> None:
    found = shown(shown_row(State.GENERATING), 700, deadline_s=600)
    assert found.state == "Generating, overdue"
    assert found.problem == (
        "Segmind had not finished this clip by 12:13, far later than usual.",
        "It is still asked, about once a minute, until about 13:03.",
    )


def test_the_bar_never_goes_back_and_is_never_full_before_the_end() -> None:
    row = shown_row(State.GENERATING)
    ticks = [shown(row, after).tick for after in range(0, 7200, 5)]
    shares = [tick.share for tick in ticks if tick is not None and tick.share is not None]
    assert len(shares) == 1440
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] < 1.0
    fetching = shown(shown_row(State.DOWNLOADING), 172).tick
    assert fetching is not None
    assert shares[-1] <= (fetching.share or 0) < 1.0


def test_nobody_claims_progress_before_the_submit() -> None:
    tick = shown(shown_row(State.UPLOADING), 0).tick
    assert tick is not None
    assert (tick.share, tick.expected) == (None, "not at the provider yet")


def test_a_clock_that_was_set_back_shows_zero() -> None:
    tick = shown(shown_row(State.GENERATING), -500).tick
    assert tick is not None
    assert (tick.elapsed, tick.share) == ("0:00", 0.0)


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (0, "Submitted 12:03, expected by 12:06, 9 of 10 by 12:08."),
        (5.5, "Submitted 17:33, expected by 17:36, 9 of 10 by 17:38."),
        # One minute past the reader's midnight: the submit was the day before.
        (11 + 56 / 60, "Submitted 2026-11-20 23:59, expected by 00:02, 9 of 10 by 00:04."),
    ],
)
def test_the_static_words_give_clock_times_in_the_readers_zone(hours: float, said: str) -> None:
    zone = timezone(timedelta(hours=hours))
    assert shown(shown_row(State.GENERATING), tz=zone).when == said


def test_by_a_clock_time_means_that_its_minute_need_not_have_passed() -> None:
    # 3 min 10 s after 12:03:00: 12:06 would be too early.
    found = shown(shown_row(State.GENERATING), timing=Timing(190.0, 0.1))
    assert found.when == "Submitted 12:03, expected by 12:07, 9 of 10 by 12:07."


def test_without_a_zone_the_machines_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XYZ-3")
    time.tzset()
    try:
        assert shown(shown_row(State.GENERATING), tz=None).when.startswith("Submitted 15:03,")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_static_words_do_not_depend_on_the_moment() -> None:
    row = shown_row(State.GENERATING)
    assert shown(row, 20).when == shown(row, 2000).when


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State.PREPARED, "Prepared 12:02."),
        (State.DOWNLOADING, "Submitted 12:03; Segmind keeps the clip until about 13:03."),
        (State.COMPLETED, "2026-11-20, 12:03 to 12:05 (2 min 51 s)"),
        (State.REJECTED, "Rejected 12:03."),
        (State.FAILED, "Submitted 12:03, failed 12:05."),
        (State.EXPIRED, "Submitted 12:03, expired 13:09."),
        (State.UNCONFIRMED, "Sent 12:02, and no readable answer came."),
    ],
)
def test_each_state_has_its_clock_times(state: State, said: str) -> None:
    assert shown(shown_row(state)).when == said


def test_an_inferred_retention_is_called_inferred() -> None:
    found = shown(shown_row(State.DOWNLOADING, provider="aimlapi"))
    assert found.when.endswith("AI/ML API keeps the clip until about 21:03 (inferred).")


def test_the_fast_demo_needs_seconds() -> None:
    found = shown(shown_row(State.GENERATING, provider="demo"), 5)
    assert found.when == "Submitted 12:03:00, expected by 12:03:09, 9 of 10 by 12:03:14."


def test_a_clip_that_is_fetched_again_does_not_show_the_age_of_its_first_run() -> None:
    row = shown_row(State.COMPLETED)
    record = row.record.moved(State.DOWNLOADING, at=row.updated)
    values = {**vars(row), "state": State.DOWNLOADING, "record_json": record.to_json()}
    values.pop("record")
    tick = shown(type(row)(**values), 4007).tick
    assert tick is not None
    assert tick.elapsed == "0:07"


def test_a_problem_is_three_sentences_and_asks_for_attention() -> None:
    found = shown(shown_row(State.GENERATING, problem=KEY))
    assert found.problem == KEY[1:]
    assert found.tone is Tone.WAITING


def test_a_part_that_a_problem_lacks_leaves_no_gap() -> None:
    assert shown(shown_row(State.GENERATING, problem=DOWN)).problem == (DOWN[1], DOWN[3])


def test_what_can_be_stopped_and_what_cannot() -> None:
    cannot = "cannot cancel a job: the clip is"
    assert shown(shown_row(State.PREPARED)).hint.startswith("Nothing is sent yet; run.cancel()")
    assert f"Segmind {cannot} paid for" in shown(shown_row(State.QUEUED)).hint
    assert f"{cannot} free" in shown(shown_row(State.QUEUED, provider="demo")).hint
    can = shown(shown_row(State.QUEUED), can_cancel=True).hint
    assert can == "run.cancel() stops it at Segmind."
    assert shown(shown_row(State.SUBMITTING)).hint.startswith("The request is on its way")
    fetched = shown(shown_row(State.DOWNLOADING)).hint
    assert fetched == "Segmind has made the clip; it is paid for and is being fetched."


def test_a_demo_that_failed_sends_nobody_to_a_history() -> None:
    problem = ("failed", "The model could not.", "Look at the provider's history.", "Run it again.")
    free = shown(shown_row(State.FAILED, provider="demo", problem=problem)).problem
    assert free[1] == "There is no clip, and nothing was paid: the demo is free."
    assert shown(shown_row(State.FAILED, problem=problem)).problem[1] == problem[2]


@pytest.mark.parametrize(
    ("state", "cost", "said"),
    [
        (State.QUEUED, {}, "about 0.27 to 0.39 USD, inferred"),
        (State.PREPARED, {}, "about 0.27 to 0.39 USD, inferred, if sent"),
        (State.UNCONFIRMED, {}, "about 0.27 to 0.39 USD, inferred, if it was bought"),
        (State.REJECTED, {}, ""),
        (State.FAILED, {}, ""),
        (State.QUEUED, {"estimate_low": 0.294, "estimate_high": 0.294, "kind": "published"},
         "about 0.29 USD, published"),
        (State.QUEUED, {"estimate_low": None, "estimate_high": 0.5}, "about 0.50 USD, inferred"),
        (State.QUEUED, {"estimate_low": None, "estimate_high": None}, "price not known"),
        (State.QUEUED, {"actual": 0.294}, "0.294 USD charged"),
        (State.FAILED, {"actual": 0.3, "actual_source": "its answer"},
         "0.30 USD charged (its answer)"),
        (State.COMPLETED, {"kind": "free"}, "free (demo)"),
        (State.PREPARED, {"kind": "free"}, "free (demo)"),
    ],
)  # fmt: skip
def test_what_it_costs(state: State, cost: dict[str, object], said: str) -> None:
    assert shown(shown_row(state, cost=cost)).cost == said


def test_what_showing_again_saved() -> None:
    found = shown(shown_row(State.COMPLETED), 86400, saved=True)
    assert found.saved == (
        "Shown again from 2026-11-20 12:03: nothing was paid. "
        "For a new take: --new (about 0.27 to 0.39 USD, inferred)."
    )
    assert shown(shown_row(State.COMPLETED)).saved == ""


@pytest.mark.parametrize(
    ("clip", "options", "said"),
    [
        ({}, {}, "768P-class, measured 1366 x 768, 24 fps, 6.0 s"),
        ({"width": 1080, "height": 1920}, {}, "1080P-class, measured 1080 x 1920, 24 fps, 6.0 s"),
        ({"width": 640, "height": 400}, {}, "measured 640 x 400, 24 fps, 6.0 s"),
        ({}, {"resolution": "1080P"}, "asked for 1080P, measured 1366 x 768, 24 fps, 6.0 s"),
        ({"fps": 24000 / 1001, "duration_s": 5.88}, {"duration": 10},
         "768P-class, measured 1366 x 768, 23.98 fps, 5.9 s (asked for 10 s)"),
    ],
)  # fmt: skip
def test_the_caption_tells_what_was_measured_and_not_what_was_promised(
    clip: dict[str, object], options: dict[str, object], said: str
) -> None:
    provider = "aimlapi" if options else "segmind"
    row = shown_row(State.COMPLETED, clip=clip, options=options, provider=provider)
    assert shown(row).caption[0] == said.replace(" x ", " \N{MULTIPLICATION SIGN} ")


def test_a_clip_inside_the_notebooks_folder_is_linked_and_quoted(tmp_path: Path) -> None:
    folder = tmp_path / "a:b" / "50% #1?"
    folder.mkdir(parents=True)
    row = shown_row(State.COMPLETED, folder=folder)
    (folder / f"{row.run_id}.mp4").touch()
    clip = shown(row, base=tmp_path).clip
    assert clip is not None
    assert clip.href == f"a%3Ab/50%25%20%231%3F/{row.run_id}.mp4"
    assert clip.sidecar == f"a%3Ab/50%25%20%231%3F/{row.run_id}.json"
    assert (clip.absent, clip.file) == ("", None)
    assert clip.name == f"a:b/50% #1?/{row.run_id}.mp4"


def test_a_notebook_behind_a_symbolic_link_still_finds_its_clips(tmp_path: Path) -> None:
    (tmp_path / "real" / "clips").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    row = shown_row(State.COMPLETED, folder=tmp_path / "real" / "clips")
    (row.folder / f"{row.run_id}.mp4").touch()
    clip = shown(row, base=tmp_path / "link").clip
    assert clip is not None
    assert clip.href == f"clips/{row.run_id}.mp4"


@pytest.mark.parametrize("known", [True, False])
def test_a_clip_elsewhere_is_told_in_words_without_a_persons_folders(
    tmp_path: Path, known: bool
) -> None:
    folder, base = tmp_path / "elsewhere" / "clips", tmp_path / "notebooks"
    folder.mkdir(parents=True)
    row = shown_row(State.COMPLETED, folder=folder)
    (folder / f"{row.run_id}.mp4").touch()
    clip = shown(row, base=base if known else None).clip
    assert clip is not None
    assert (clip.href, clip.sidecar, clip.file) == (None, None, None)
    assert clip.name == f"clips/{row.run_id}.mp4"
    assert "--embed" in clip.absent
    inside = shown(row, base=base if known else None, embed=True).clip
    assert inside is not None
    assert (inside.absent, inside.file) == ("", folder / f"{row.run_id}.mp4")


def test_a_clip_that_was_deleted_is_not_linked() -> None:
    clip = shown(shown_row(State.COMPLETED), embed=True).clip
    assert clip is not None
    assert (clip.href, clip.file) == (None, None)
    assert "no longer in its folder" in clip.absent


def test_no_state_but_completed_has_a_clip() -> None:
    assert [s for s in State if shown(shown_row(s)).clip is not None] == [State.COMPLETED]


def test_source_and_facts() -> None:
    row = shown_row(
        State.COMPLETED, provider="aimlapi", options={"duration": 10}, tags=["sea", "dusk"]
    )
    found = shown(row, tz=timezone(timedelta(hours=1)))
    assert found.source == "AI/ML API · minimax/hailuo-02 · resolution 768P · 10 s"
    facts = dict(found.facts)
    assert facts["Begun"] == "2026-11-20 13:03:00 (UTC+0100)"
    assert facts["Tags"] == "sea, dusk"
    assert facts["Clip"] == f"5.3 MB h264, sha256 {'c' * 64}"
    assert "Note" not in facts
    assert "First frame" not in facts
    assert found.statement == row.record.reproducibility.statement


def test_a_frame_is_told_by_its_name_and_size() -> None:
    frame = {"source": "first.png", "sha256": "a", "width": 1366, "height": 768, "format": "png"}
    row = shown_row(State.QUEUED, request={"first_frame": frame})
    assert dict(shown(row).facts)["First frame"] == "first.png, 1366 \N{MULTIPLICATION SIGN} 768"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (3600, "1 h"),
     (3661, "1 h 1 min"), (7199, "2 h")],
)  # fmt: skip
def test_spans(seconds: float, said: str) -> None:
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(8.66, "9 s"), (51, "55 s"), (99, "100 s"), (173, "3 min"), (510, "8 min"), (3700, "1 h 2 min")],
)  # fmt: skip
def test_expectations_are_rounded(seconds: float, said: str) -> None:
    assert about(seconds) == said


def test_a_stopwatch_counts_whole_seconds() -> None:
    assert [stopwatch(s) for s in (-3, 0.99, 60, 3599.9, 3600)] == [
        "0:00", "0:00", "1:00", "59:59", "1:00:00",
    ]  # fmt: skip


def test_shortening_cuts_between_words_and_anywhere_where_there_are_none() -> None:
    assert shortened("one two  three\nfour", 100) == "one two three four"
    assert shortened("one two three four", 15) == "one two three…"
    assert shortened("灯台" * 30, 10) == "灯台灯台灯台灯台灯…"
    assert len(shortened("x" * 500, 120)) == 120


def test_controls_and_bidi_marks_become_visible_and_all_else_stays() -> None:
    assert harmless("a\x1b[31m\u202eb\r\u2028\x7f\u0085") == (
        "a[U+001B][31m[U+202E]b[U+000D][U+2028][U+007F][U+0085]"
    )
    assert harmless("tab\t line\n עברית 👩‍🚀 <b>") == "tab\t line\n עברית 👩‍🚀 <b>"


@pytest.mark.parametrize(
    "mark", [c for c in map(chr, range(0x2100)) if bidirectional(c) in BIDI_CONTROLS or c in MARKS]
)
def test_no_control_of_the_reading_direction_gets_through(mark: str) -> None:
    assert harmless(f"a{mark}b") == f"a[U+{ord(mark):04X}]b"


def test_a_json_text_stays_the_same_document() -> None:
    value = {"a": "\u202e\x85\u2028é\n\t"}
    document = words.harmless_json(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(document) == value
    assert "\u202e" not in document
    assert "é" in document
