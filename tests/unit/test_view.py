"""What a run's output says: every state, every clock, every sum, in words."""

from __future__ import annotations

import json
import time
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any
from unicodedata import bidirectional

import pytest

from hailuo_jupyter import formatting
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.engine.limit_status import Delay
from hailuo_jupyter.engine.request_queue import Purpose
from hailuo_jupyter.errors import WaitsForItsKey
from hailuo_jupyter.formatting import approx_duration, duration, escape_control, shorten, stopwatch
from hailuo_jupyter.kernel.display.run_status import Severity
from hailuo_jupyter.kernel.display.run_view import Inside, clip_at, copy_place
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import FINAL, State
from tests.support.sample_rows import SUBMITTED, shown, shown_row

#: Unicode's names for embeddings, overrides, isolates and their ends; and the three single marks.
BIDI_CONTROLS = frozenset(["LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"])
MARKS = "\u061c\u200e\u200f"

KEY = ("key_refused", "Segmind does not accept the key.", "It is paid for.", "Set another key.")
DOWN = ("provider_down", "Segmind cannot be reached.", "", "Retrying automatically.")
REFUSED = ("moderated", "Segmind refused the content.", "It may cost.", "Change the prompt.")


def delayed(row: Row, after: float, left: float | None = None, **how: Any) -> Delay:
    purpose = {State.PREPARED: Purpose.SUBMIT, State.DOWNLOADING: Purpose.RESULT}
    turn = None if left is None else SUBMITTED + after + left
    return Delay(purpose.get(row.state, Purpose.POLL), turn, **how)


@pytest.mark.parametrize(
    ("state", "said", "severity"),
    [
        (State.PREPARED, "Waiting to be sent", Severity.WORKING),
        (State.UPLOADING, "Uploading frames", Severity.WORKING),
        (State.SUBMITTING, "Submitting", Severity.WORKING),
        (State.SUBMITTED, "Submitted", Severity.WORKING),
        (State.QUEUED, "Queued", Severity.WORKING),
        (State.GENERATING, "Generating", Severity.WORKING),
        (State.DOWNLOADING, "Downloading", Severity.WORKING),
        (State.UNDOWNLOADED, "Ready, not downloaded", Severity.WORKING),
        (State.COMPLETED, "Completed", Severity.DONE),
        (State.REJECTED, "Rejected", Severity.BROKEN),
        (State.FAILED, "Failed", Severity.BROKEN),
        (State.EXPIRED, "Expired", Severity.BROKEN),
        (State.UNCONFIRMED, "Unconfirmed - may have been charged", Severity.WAITING),
    ],
)
def test_each_state_has_its_words(state: State, said: str, severity: Severity) -> None:
    found = shown(shown_row(state))
    assert (found.state, found.severity) == (said, severity)
    assert found.live == (state not in FINAL | {State.UNCONFIRMED})


@pytest.mark.parametrize(
    ("state", "problem", "said"),
    [
        (State.PREPARED, None, "Not sent"),
        (State.GENERATING, None, "Generating - not tracked"),
        (State.DOWNLOADING, None, "Downloading - not tracked"),
        (State.GENERATING, KEY, "Waiting for a key"),
        (State.UNDOWNLOADED, KEY, "Waiting for a key"),
        (State.REJECTED, KEY, "Rejected"),
        (State.REJECTED, REFUSED, "Blocked by content filter"),
        (State.FAILED, REFUSED, "Blocked by content filter"),
    ],
)
def test_what_nobody_works_on_says_so_and_has_no_running_clock(
    state: State, problem: tuple[str, str, str, str] | None, said: str
) -> None:
    found = shown(shown_row(state, problem=problem, watched=False))
    assert (found.state, found.progress, found.hint) == (said, None, "")


def test_a_run_that_waits_for_its_own_key_says_so() -> None:
    why = WaitsForItsKey("Another key bought it.", money="It stays paid for.", todo="Set that key.")
    row = shown_row(State.GENERATING, problem=DOWN, watched=False)
    found = shown(row, hindrance=why)
    assert (found.state, found.severity) == ("Needs another key", Severity.WAITING)
    assert found.problem == ("Another key bought it.", "It stays paid for.", "Set that key.")


@pytest.mark.parametrize("problem", [DOWN, KEY])
def test_a_request_that_was_given_up_unsent_is_an_error(problem: tuple[str, str, str, str]) -> None:
    found = shown(shown_row(State.PREPARED, problem=problem, watched=False))
    assert (found.state, found.severity) == ("Not sent", Severity.BROKEN)
    cancelled = ("not_sent", "Cancelled before it was sent.", "No charge.", "")
    found = shown(shown_row(State.PREPARED, problem=cancelled, watched=False))
    assert (found.state, found.severity) == ("Not sent", Severity.WAITING)


def test_an_unwatched_run_says_how_to_go_on() -> None:
    found = shown(shown_row(State.GENERATING, watched=False))
    assert found.problem[1] == "Run '%hailuo resume' to continue (free)."


@pytest.mark.parametrize(
    ("after", "state", "clock", "expected"),
    [
        (7, "Generating", "0:07 of about 3 min", ""),
        (180, "Generating", "3:00 of about 3 min", "Usually under 5 min"),
        (300, "Generating - slower than usual", "5:00", "Longer than usual"),
        (1799, "Generating - slower than usual", "29:59", "Longer than usual"),
        (1801, "Generating - overdue", "30:01", "Checked less often"),
        (4000, "Generating - overdue", "1:06:40", "Checked less often"),
    ],
)
def test_the_words_change_when_a_run_is_late(
    after: float, state: str, clock: str, expected: str
) -> None:
    found = shown(shown_row(State.GENERATING), after)
    assert found.progress is not None
    passed = f"{found.progress.elapsed} {found.progress.usual}".strip()
    assert (found.state, passed, found.progress.next) == (state, clock, expected)


@pytest.mark.parametrize(
    ("after", "left", "expected"),
    [
        (60, 11.2, "Next check in 12 s"),
        (60, 0.0, "Checking now"),
        (180, 90, "Usually under 5 min · next check in 1 min 30 s"),
        (300, 5, "Longer than usual · next check in 5 s"),
    ],
)
def test_the_card_says_when_the_provider_is_asked_next(
    after: float, left: float, expected: str
) -> None:
    row = shown_row(State.GENERATING)
    found = shown(row, after, next_poll=SUBMITTED + after + left)
    assert found.progress is not None
    assert found.progress.next == expected
    limited = shown(row, after, next_poll=SUBMITTED + 90, delay=delayed(row, after, left=38))
    assert limited.progress is not None
    assert limited.progress.next == "Segmind limits requests; next check in 40 s"


@pytest.mark.parametrize(
    ("state", "delay", "expected"),
    [
        (State.PREPARED, {"left": 40, "place": 1}, "Segmind limits requests; your turn in 40 s"),
        (
            State.PREPARED,
            {"left": 430, "place": 12},
            "Segmind limits requests; number 12 in the queue, your turn in 7 min",
        ),
        (
            State.PREPARED,
            {"place": 300},
            "Segmind limits requests; number 300 in the queue",
        ),
        (
            State.PREPARED,
            {"left": 40, "place": 2, "held": True},
            "Segmind limits requests; this clip is sent after earlier ones have been downloaded",
        ),
        (State.GENERATING, {"left": 38}, "Segmind limits requests; next check in 40 s"),
        (State.GENERATING, {}, "Segmind limits requests; next check later"),
        (State.GENERATING, {"left": 1}, ""),
        (
            State.DOWNLOADING,
            {"left": 12},
            "Finished; Segmind limits requests; requesting the link in 12 s",
        ),
        (
            State.PREPARED,
            {"left": 40, "place": 1, "ceiling": 5},
            "Hailuo.requests_per_minute allows 5; your turn in 40 s",
        ),
    ],
)
def test_a_limit_that_makes_a_run_wait_is_named(
    state: State, delay: dict[str, Any], expected: str
) -> None:
    row = shown_row(state)
    found = shown(row, 60, delay=delayed(row, 60, **delay))
    assert found.progress is not None
    assert found.progress.next == expected


def test_a_run_is_not_late_while_a_limit_puts_the_look_at_it_off() -> None:
    """Nobody knows whether it has ended. If it was unfinished at the last look, it is late."""
    row = shown_row(State.GENERATING)
    found = shown(row, 2000, delay=delayed(row, 2000, left=40))
    assert (found.state, found.problem) == ("Generating", ())
    assert found.progress is not None
    assert found.progress.next == "Segmind limits requests; next check in 40 s"
    asked = shown(row, 2000, delay=delayed(row, 2000, left=40, asked_s=400.0))
    assert asked.state == "Generating - slower than usual"
    overdue = shown(row, 2000, delay=delayed(row, 2000, left=40, asked_s=1900.0))
    assert overdue.state == "Generating - overdue"


def test_an_overdue_run_tells_until_when_it_is_asked_and_the_deadline_can_be_set() -> None:
    found = shown(shown_row(State.GENERATING), 700, deadline_s=600)
    assert found.state == "Generating - overdue"
    assert found.problem == (
        "Segmind hadn't finished this clip by 12:13, far later than usual.",
        "It is checked about once a minute until about 13:03.",
    )


def test_the_bar_never_goes_back_and_is_never_full_before_the_end() -> None:
    row = shown_row(State.GENERATING)
    ticks = [shown(row, after).progress for after in range(0, 7200, 5)]
    shares = [tick.share for tick in ticks if tick is not None and tick.share is not None]
    assert len(shares) == 1440
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] < 1.0
    fetching = shown(shown_row(State.DOWNLOADING), 172).progress
    assert fetching is not None
    assert shares[-1] <= (fetching.share or 0) < 1.0


def test_nobody_claims_progress_before_the_submit() -> None:
    tick = shown(shown_row(State.UPLOADING), 0).progress
    assert tick is not None
    assert (tick.share, tick.next) == (None, "Sending soon")


LIMITED = ("rate_limited", "Segmind's rate limit was hit.", "No charge.", "Retrying automatically.")


def test_a_refused_submit_keeps_its_reason_and_its_cancel_between_two_requests() -> None:
    row = shown_row(State.PREPARED, problem=LIMITED)
    waiting = delayed(row, 40, 20)
    for delay in (None, delayed(row, 40, 1), waiting):
        found = shown(row, 40, delay=delay)
        assert found.progress is not None
        assert found.progress.next.startswith("Segmind limits requests; your turn")
        assert found.can_cancel


def test_a_run_that_waits_for_the_network_can_be_cancelled() -> None:
    assert shown(shown_row(State.PREPARED, problem=DOWN), 40).can_cancel


def test_what_happens_next_does_not_repeat_the_state() -> None:
    found = shown(shown_row(State.PREPARED), 0)
    assert found.progress is not None
    assert found.state not in found.progress.next


def test_a_resolved_run_says_how_it_was_resolved() -> None:
    def facts(**changes: Any) -> dict[str, str]:
        return dict(shown(shown_row(State.COMPLETED, **changes)).facts)

    lost = {"unconfirmed": "2026-11-20T12:02:59.000Z"}
    plain = shown_row(State.COMPLETED).record
    times, job = {**plain.times, **lost}, plain.job.model_dump(mode="json")
    found = {**job, "answers": {**job["answers"], "history": {"id": "job-1"}}}
    assert "Confirmed" not in facts()
    assert "the provider knows the job" in facts(times=times)["Confirmed"]
    assert "history shows the request" in facts(times=times, job=found)["Confirmed"]
    assert "Confirmed" not in dict(shown(shown_row(State.UNCONFIRMED)).facts)


def test_a_clock_that_was_set_back_shows_zero() -> None:
    tick = shown(shown_row(State.GENERATING), -500).progress
    assert tick is not None
    assert (tick.elapsed, tick.share) == ("0:00", 0.0)


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (0, "Submitted 12:03, expected around 12:06 (12:08 at the latest, usually)."),
        (5.5, "Submitted 17:33, expected around 17:36 (17:38 at the latest, usually)."),
        # One minute past the reader's midnight: the submit was the day before.
        (
            11 + 56 / 60,
            "Submitted 2026-11-20 23:59, expected around 00:02 (00:04 at the latest, usually).",
        ),
    ],
)
def test_the_static_words_give_clock_times_in_the_readers_zone(hours: float, said: str) -> None:
    zone = timezone(timedelta(hours=hours))
    assert shown(shown_row(State.GENERATING), tz=zone).when == said


def test_by_a_clock_time_means_that_its_minute_need_not_have_passed() -> None:
    # 3 min 10 s after 12:03:00: 12:06 would be too early.
    found = shown(shown_row(State.GENERATING), timing=DurationEstimate(190.0, 0.1))
    assert found.when == "Submitted 12:03, expected around 12:07 (12:07 at the latest, usually)."


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
        (State.COMPLETED, "2026-11-20 12:03 (took 2 min 51 s)"),
        (State.REJECTED, "Rejected 12:03."),
        (State.FAILED, "Submitted 12:03, failed 12:05."),
        (State.EXPIRED, "Submitted 12:03, expired 13:09."),
        (State.UNCONFIRMED, "Sent 12:02; no valid response."),
    ],
)
def test_each_state_has_its_clock_times(state: State, said: str) -> None:
    assert shown(shown_row(state)).when == said


def test_an_inferred_retention_is_called_inferred() -> None:
    found = shown(shown_row(State.DOWNLOADING, provider="aimlapi"))
    assert found.when.endswith("AI/ML API keeps the clip until about 21:03 (estimate).")


def test_the_fast_demo_needs_seconds() -> None:
    found = shown(shown_row(State.GENERATING, provider="demo"), 5)
    assert (
        found.when
        == "Submitted 12:03:00, expected around 12:03:09 (12:03:14 at the latest, usually)."
    )


def test_a_clip_that_is_fetched_again_does_not_show_the_age_of_its_first_run() -> None:
    row = shown_row(State.COMPLETED)
    record = row.record.moved(State.DOWNLOADING, at=row.updated)
    values = {**vars(row), "state": State.DOWNLOADING, "record_json": record.to_json()}
    values.pop("record")
    tick = shown(type(row)(**values), 4007).progress
    assert tick is not None
    assert tick.elapsed == "0:07"


def test_a_problem_is_three_sentences_and_asks_for_attention() -> None:
    found = shown(shown_row(State.GENERATING, problem=KEY))
    assert found.problem == KEY[1:]
    assert found.severity is Severity.WAITING


def test_a_part_that_a_problem_lacks_leaves_no_gap() -> None:
    assert shown(shown_row(State.GENERATING, problem=DOWN)).problem == (DOWN[1], DOWN[3])


def test_what_can_be_stopped_and_what_cannot() -> None:
    cannot = "Can't be cancelled."
    assert shown(shown_row(State.PREPARED)).hint.startswith("Not sent yet - run.cancel()")
    assert shown(shown_row(State.QUEUED)).hint == cannot
    assert shown(shown_row(State.QUEUED, provider="demo")).hint == cannot
    # Where a provider can't cancel a job, cancelling is worth a button only while the request has to wait.
    assert not shown(shown_row(State.PREPARED)).can_cancel
    can = shown(shown_row(State.QUEUED), can_cancel=True).hint
    assert can == "run.cancel() cancels it at Segmind."
    assert shown(shown_row(State.SUBMITTING)).hint.startswith("Sending the request")
    fetched = shown(shown_row(State.DOWNLOADING)).hint
    assert fetched == "Segmind finished the clip (paid for); downloading."


def test_a_demo_that_failed_sends_nobody_to_a_history() -> None:
    problem = ("failed", "The model could not.", "Look at the provider's history.", "Run it again.")
    free = shown(shown_row(State.FAILED, provider="demo", problem=problem)).problem
    assert free[1] == "No clip was made; the demo is free."
    assert shown(shown_row(State.FAILED, problem=problem)).problem[1] == problem[2]


@pytest.mark.parametrize(
    ("state", "cost", "said"),
    [
        (State.QUEUED, {}, "$0.27–0.39 est."),
        (State.PREPARED, {}, "$0.27–0.39 est., if sent"),
        (State.UNCONFIRMED, {}, "$0.27–0.39 est., if charged"),
        (State.REJECTED, {}, ""),
        (State.FAILED, {}, ""),
        (State.QUEUED, {"estimate_low": 0.294, "estimate_high": 0.294, "kind": "published"},
         "$0.29 (published)"),
        (State.QUEUED, {"estimate_low": None, "estimate_high": 0.5}, "$0.50 est."),
        (State.QUEUED, {"estimate_low": None, "estimate_high": None}, "price not known"),
        (State.QUEUED, {"actual": 0.294}, "$0.294 held"),
        (State.COMPLETED, {"actual": 0.294}, "$0.294 charged"),
        (State.FAILED, {"actual": 0.3, "actual_source": "its answer"},
         "$0.30 charged (its answer)"),
        (State.COMPLETED, {"kind": "free"}, "free (demo)"),
        (State.PREPARED, {"kind": "free"}, "free (demo)"),
    ],
)  # fmt: skip
def test_what_it_costs(state: State, cost: dict[str, object], said: str) -> None:
    assert shown(shown_row(state, cost=cost)).cost == said


def test_what_showing_again_saved() -> None:
    found = shown(shown_row(State.COMPLETED), 86400, saved=True)
    assert found.saved == (
        "Existing clip from 2026-11-20 12:03, no charge. "
        "Add --new for another take ($0.27–0.39 est.)."
    )
    assert shown(shown_row(State.COMPLETED)).saved == ""


def test_another_take_of_the_demo_is_free() -> None:
    found = shown(shown_row(State.COMPLETED, provider="demo"), 86400, saved=True)
    assert found.saved.endswith("Add --new for another take (free).")


@pytest.mark.parametrize(
    ("clip", "options", "said"),
    [
        ({}, {}, "1366 x 768, 24 fps, 6.0 s"),
        ({"width": 1080, "height": 1920}, {}, "1080 x 1920, 24 fps, 6.0 s"),
        ({"width": 640, "height": 400}, {}, "640 x 400, 24 fps, 6.0 s"),
        ({}, {"resolution": "1080P"}, "1366 x 768 (asked for 1080P), 24 fps, 6.0 s"),
        ({"fps": 24000 / 1001, "duration_s": 5.88}, {"duration": 10},
         "1366 x 768, 23.98 fps, 5.9 s (asked for 10 s)"),
    ],
)  # fmt: skip
def test_the_caption_tells_what_was_measured_and_not_what_was_promised(
    clip: dict[str, object], options: dict[str, object], said: str
) -> None:
    provider = "aimlapi" if options else "segmind"
    row = shown_row(State.COMPLETED, clip=clip, options=options, provider=provider)
    assert shown(row).caption[0] == said.replace(" x ", " \N{MULTIPLICATION SIGN} ")


def lay_clip(row: Row) -> None:
    """Put a file of the clip's length in its place."""
    assert row.record.clip is not None
    with (row.folder / f"{row.run_id}.mp4").open("wb") as file:
        file.truncate(row.record.clip.bytes)


def test_a_file_in_a_clips_place_that_is_another_video_is_told_of(tmp_path: Path) -> None:
    row = shown_row(State.COMPLETED, folder=tmp_path)
    lay_clip(row)
    with (tmp_path / f"{row.run_id}.mp4").open("ab") as file:
        file.write(b"more")
    view = shown(row, base=tmp_path)
    assert view.clip is not None
    assert (view.clip.absent, view.clip.changed) == ("", True)
    assert view.caption[0].startswith("file changed since download; originally: ")


def test_a_clip_inside_the_notebooks_folder_is_linked_and_quoted(tmp_path: Path) -> None:
    folder = tmp_path / "a:b" / "50% #1?"
    folder.mkdir(parents=True)
    row = shown_row(State.COMPLETED, folder=folder)
    lay_clip(row)
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
    lay_clip(row)
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
    lay_clip(row)
    clip = shown(row, base=base if known else None).clip
    assert clip is not None
    assert (clip.href, clip.sidecar, clip.file) == (None, None, None)
    assert clip.name == f"{'…/' if known else ''}clips/{row.run_id}.mp4"
    assert "--embed" in clip.absent
    inside = shown(row, base=base if known else None, inside=Inside(whole=True)).clip
    assert inside is not None
    assert (inside.absent, inside.file) == ("", folder / f"{row.run_id}.mp4")


def test_a_clip_that_was_deleted_is_not_linked() -> None:
    clip = shown(shown_row(State.COMPLETED), inside=Inside(whole=True)).clip
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
    assert facts["Started"] == "2026-11-20 13:03:00 (UTC+0100)"
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
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(8.66, "9 s"), (51, "55 s"), (99, "100 s"), (173, "3 min"), (510, "8 min"), (3700, "1 h 2 min")],
)  # fmt: skip
def test_expectations_are_rounded(seconds: float, said: str) -> None:
    assert approx_duration(seconds) == said


def test_a_stopwatch_counts_whole_seconds() -> None:
    assert [stopwatch(s) for s in (-3, 0.99, 60, 3599.9, 3600)] == [
        "0:00", "0:00", "1:00", "59:59", "1:00:00",
    ]  # fmt: skip


def test_shortening_cuts_between_words_and_anywhere_where_there_are_none() -> None:
    assert shorten("one two  three\nfour", 100) == "one two three four"
    assert shorten("one two three four", 15) == "one two three…"
    assert shorten("灯台" * 30, 10) == "灯台灯台灯台灯台灯…"
    assert len(shorten("x" * 500, 120)) == 120


def test_controls_and_bidi_marks_become_visible_and_all_else_stays() -> None:
    assert escape_control("a\x1b[31m\u202eb\r\u2028\x7f\u0085") == (
        "a[U+001B][31m[U+202E]b[U+000D][U+2028][U+007F][U+0085]"
    )
    assert escape_control("tab\t line\n עברית 👩‍🚀 <b>") == "tab\t line\n עברית 👩‍🚀 <b>"


@pytest.mark.parametrize(
    "mark", [c for c in map(chr, range(0x2100)) if bidirectional(c) in BIDI_CONTROLS or c in MARKS]
)
def test_no_control_of_the_reading_direction_gets_through(mark: str) -> None:
    assert escape_control(f"a{mark}b") == f"a[U+{ord(mark):04X}]b"


def test_a_json_text_stays_the_same_document() -> None:
    value = {"a": "\u202e\x85\u2028é\n\t"}
    document = formatting.escape_control_json(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(document) == value
    assert "\u202e" not in document
    assert "é" in document


def test_a_notebook_s_own_copy_of_a_clip_is_played(tmp_path: Path) -> None:
    folder, base = tmp_path / "one" / "hailuo", tmp_path / "other"
    row = shown_row(State.COMPLETED, folder=folder, clip={"bytes": 4})
    assert row.record.clip is not None
    name = row.record.clip.path
    copy = base / "hailuo" / name
    assert clip_at(folder, row.record.clip, base) == folder / name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"clip")
    assert clip_at(folder, row.record.clip, base) == copy
    assert shown(row, base=base).clip.src == f"hailuo/{name}"  # type: ignore[union-attr]
    copy.write_bytes(b"a longer file, and another one")
    assert clip_at(folder, row.record.clip, base) == folder / name
    # In its own folder the clip is what the log says.
    assert copy_place(folder, row.record.clip, folder.parent) == folder / name
