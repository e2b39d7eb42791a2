"""What the panel's form holds, without any widget: to options and to a cell; what is said of it."""

from __future__ import annotations

import threading
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hailuo_jupyter import catalogue
from hailuo_jupyter.errors import FrameError, OptionError, PromptError
from hailuo_jupyter.kernel.cell_source import CELL_OPTIONS, options_from, parse_cell, prompt_of
from hailuo_jupyter.kernel.generate_options import DEFAULTS, MOST_AT_ONCE, GenerateOptions
from hailuo_jupyter.kernel.panel import frame_inputs, validation
from hailuo_jupyter.kernel.panel.background import LatestTask
from hailuo_jupyter.kernel.panel.form_state import (
    FormState,
    FrameField,
    Source,
    cell_text,
    frame_field,
    of_run,
    options_of,
    request_options,
    tags_of,
    tags_text,
)
from hailuo_jupyter.kernel.panel.validation import Problem
from hailuo_jupyter.kernel.prompt import fill
from hailuo_jupyter.request import build
from hailuo_jupyter.states import State
from tests.support.sample_rows import shown_row
from tests.support.strategies import LINE, PROMPTS

SEGMIND, AIMLAPI, DEMO = (catalogue.provider(name) for name in ("segmind", "aimlapi", "demo"))
FAST = catalogue.provider("segmind", model="hailuo-2.3-fast")
H3 = catalogue.provider("aimlapi", model="h3")
NAMESPACE = {"first": Image.new("RGB", (640, 360)), "b": np.zeros((400, 600, 3), "uint8")}

FRAMES = st.one_of(
    st.just(FrameField()),
    LINE.filter(str.strip).map(lambda text: FrameField(Source.FILE, text.strip())),
    st.sampled_from([FrameField(Source.VARIABLE, name) for name in NAMESPACE]),
)


@st.composite
def forms(draw: Any) -> FormState:
    """Forms as the fields hold them: each option has one of its provider's values."""
    provider = draw(st.sampled_from([SEGMIND, AIMLAPI, DEMO, FAST, H3]))
    options = {c.name: str(draw(st.sampled_from(c.values))) for c in provider.choices}
    return FormState(
        draw(PROMPTS),
        provider.name,
        options,
        draw(FRAMES),
        draw(FRAMES),
        prompt_optimizer=draw(st.booleans()),
        count=draw(st.integers(1, MOST_AT_ONCE)),
        tags=tuple(draw(st.lists(LINE, max_size=3))),
        note=draw(LINE),
        model=provider.model_name,
    )


def provider_of(form: FormState) -> Any:
    return catalogue.provider(form.provider, model=form.model)


@given(forms())
def test_form_and_cell_ask_for_the_same(form: FormState) -> None:
    provider = provider_of(form)
    first, _, below = cell_text(form, provider, NAMESPACE).partition("\n")
    line, cell = parse_cell(first.removeprefix("%%hailuo"), below)
    read = options_from(line, CELL_OPTIONS, NAMESPACE)
    asked = request_options(form, provider, NAMESPACE)
    for frame in ("image", "last_image"):  # a picture is compared with nothing
        assert read.get(frame) is asked[frame] or read.get(frame) == asked[frame]
    assert fill(prompt_of(cell), NAMESPACE) == form.prompt
    assert plain(read) == plain(asked)


def plain(options: GenerateOptions) -> dict[str, Any]:
    return {**DEFAULTS, **options, "image": None, "last_image": None}


WORD = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])).map(
    lambda text: " ".join(text.split())
)


@given(st.lists(WORD.filter(bool), unique=True).map(tuple))
def test_tags_come_back_from_their_text(tags: tuple[str, ...]) -> None:
    assert tags_of(tags_text(tags)) == tags


def test_tags_are_read_as_a_person_writes_them() -> None:
    assert tags_of(' birds , dawn,, "one, two",birds ') == ("birds", "dawn", "one, two")


def test_what_a_provider_lacks_is_not_asked_for() -> None:
    form = FormState("A heron.", "segmind", {"mode": "pro", "duration": "10"})
    assert options_of(form, SEGMIND) == {"mode": "pro"}
    assert options_of(form, AIMLAPI) == {"resolution": "768P", "duration": "10"}


def test_a_variable_that_is_gone_is_said() -> None:
    with pytest.raises(PromptError, match="no variable 'gone'"):
        request_options(FormState("A heron.", first=FrameField(Source.VARIABLE, "gone")), DEMO, {})


def test_an_object_given_by_code_is_its_variable_where_there_is_one() -> None:
    assert frame_field(NAMESPACE["b"], NAMESPACE) == FrameField(Source.VARIABLE, "b")
    alone = frame_field(Image.new("RGB", (640, 360)), NAMESPACE)
    assert alone.source is Source.OBJECT
    with pytest.raises(OptionError, match="no variable refers to it"):
        cell_text(FormState("x", first=alone), DEMO, NAMESPACE)


def test_a_run_fills_the_form_as_its_parent(tmp_path: Path) -> None:
    row = shown_row(State.COMPLETED, folder=tmp_path / "hailuo", prompt="A heron, {literally}.")
    form = of_run(row.record, row.folder, tmp_path)
    assert (form.prompt, form.provider, form.parent) == (
        "A heron, {literally}.",
        row.provider,
        row.run_id,
    )
    assert form.options == {k: str(v) for k, v in row.record.request.options.items()}


def test_a_runs_frames_are_the_files_that_were_kept(tmp_path: Path) -> None:
    Image.new("RGB", (640, 360), "navy").save(tmp_path / "first.png")
    row = shown_row(State.COMPLETED, folder=tmp_path / "hailuo")
    asked = build("x", SEGMIND, options={}, image="first.png", base=tmp_path).first_frame
    assert asked is not None
    kept = {"source": "first.png", "sha256": asked.sha256, "kept": f"frames/{asked.sha256}.png"}
    document = row.record.model_dump(mode="json", by_alias=True)
    document["request"] |= {
        "first_frame": kept,
        "last_frame": {"source": "url", "url": "https://example.org/a.png"},
    }
    record = type(row.record).model_validate(document)
    form = of_run(record, row.folder, tmp_path)
    assert form.first == FrameField(Source.FILE, f"hailuo/frames/{asked.sha256}.png")
    # The record's fingerprint is of another request: whatever link was sent is not known.
    assert form.last.missing


# ── what is wrong ──────────────────────────────────────────────────────────────────────────────


def wrong(form: FormState, **seen: Problem | None) -> dict[str, Problem]:
    return validation.problems(form, provider_of(form), seen)


def test_an_empty_form_waits_and_is_not_wrong() -> None:
    found = wrong(FormState())
    assert set(found) == {"prompt"}
    assert found["prompt"].waits
    assert validation.submit_disabled_reason(found) == "Enter a prompt to continue."


def test_a_form_that_is_right_has_no_problem() -> None:
    assert wrong(FormState("A heron.")) == {}
    assert validation.submit_disabled_reason({}) == ""


@pytest.mark.parametrize(
    ("form", "field", "says"),
    [
        (
            FormState("x" * 2001),
            "prompt",
            "has 2001 characters; the limit is 2000. Shorten it by 1.",
        ),
        (FormState("a\x07b"), "prompt", r"U\+0007, at line 1, character 2"),
        (FormState("x", count=0), "count", "must be between 1 and 20"),
        (FormState("x", "segmind", {"mode": "fine"}), "options", "has no mode fine"),
        (
            FormState("x", "aimlapi", {"resolution": "1080P", "duration": "10"}),
            "options",
            "refuses resolution 1080P with duration 10",
        ),
    ],
)
def test_each_mistake_stands_with_its_field(form: FormState, field: str, says: str) -> None:
    found = wrong(form)
    assert set(found) == {field}
    assert not found[field].waits
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(found[field].text)
    assert "Nothing was sent" not in found[field].text  # nobody thinks so in a form
    # It is said once; the button only names the field.
    named = "takes" if field == "count" else field
    assert validation.submit_disabled_reason(found) == f"Change the {named} to continue."


def test_a_form_speaks_of_its_fields_and_not_of_flags() -> None:
    said = validation.without_flags("Use --resolution 768P or --last-image a.png, not --count 3.")
    assert said == "Use resolution 768P or last frame a.png, not takes 3."
    command = "Run '%hailuo key segmind --use keyring' first."
    assert validation.without_flags(command) == command


def test_what_does_not_go_together_cannot_be_chosen() -> None:
    form = FormState("x", "aimlapi", {"resolution": "1080P"})
    assert set(validation.impossible_values(form, AIMLAPI, "duration")) == {"10"}
    assert validation.impossible_values(form, AIMLAPI, "resolution") == {}
    framed = replace(form, last=FrameField(Source.FILE, "a.png"))
    assert validation.impossible_models(form) == {}
    assert set(validation.impossible_models(framed)) == {"hailuo-2.3", "hailuo-2.3-fast"}


def test_a_model_that_needs_a_first_frame_says_so_there() -> None:
    found = wrong(FormState("x", "segmind", model=FAST.model_name))
    assert set(found) == {"first"}


def test_the_button_has_the_price_of_all_takes() -> None:
    assert validation.button_price(FormState("x"), DEMO) == "free"
    pro = FormState("x", "segmind", {"mode": "pro"}, count=2)
    assert validation.button_price(pro, SEGMIND) == "$0.78–1.25"
    refused = {"resolution": "1080P", "duration": "10"}
    assert validation.button_price(FormState("x", "aimlapi", refused), AIMLAPI) == ""


def test_a_source_without_a_frame_waits() -> None:
    found = wrong(FormState("x", first=FrameField(Source.FILE), last=FrameField(Source.UPLOAD)))
    assert [found[role].waits for role in ("first", "last")] == [True, True]


def test_a_last_frame_alone_where_a_provider_does_not_take_it() -> None:
    strict = replace(SEGMIND, last_frame="with_first")
    form = FormState("x", "segmind", last=FrameField(Source.FILE, "a.png"))
    assert "only together" in validation.problems(form, strict, {})["last"].text
    both = replace(form, first=FrameField(Source.FILE, "b.png"))
    assert validation.problems(both, strict, {}) == {}


def test_the_first_mistake_is_said_before_what_waits() -> None:
    found = wrong(FormState(count=99), provider=Problem("There is no key."))
    assert (
        validation.submit_disabled_reason(found) == "There is no key. (2 more fields to look at.)"
    )


# ── price, time, remarks ───────────────────────────────────────────────────────────────────────


def test_the_price_follows_options_and_count_and_says_who_says_so() -> None:
    said = validation.price(FormState("x", "segmind", {"mode": "pro"}, count=2), SEGMIND)
    assert "$0.78–1.25 for 2 clips (estimate, 2026-08" in said
    assert validation.price(FormState("x"), DEMO) == "Price: free (demo)."
    refused = {"resolution": "1080P", "duration": "10"}
    assert validation.price(FormState("x", "aimlapi", refused), AIMLAPI) == ""
    assert validation.kind(FormState("x", "aimlapi", refused), AIMLAPI) == ""


def test_the_time_says_its_source_and_what_was_seen_here() -> None:
    form = FormState("x", "segmind")
    assert "latency badge" in validation.time(form, SEGMIND, [])
    assert "3 such runs here, and: " in validation.time(form, SEGMIND, [100.0, 110.0, 120.0])


def test_camera_commands_are_remarked_upon_and_never_refused() -> None:
    camera = catalogue.camera()
    assert len(camera.commands) == 15
    assert validation.remarks("[pan left] then [Zoom in, Shake]", camera) == []
    assert "isn't one of the 15" in validation.remarks("It goes [Push out].", camera)[0]
    many = validation.remarks("[Pan left, Zoom in, Shake, Tilt up]", camera)
    assert "at most 3 are advised" in many[0]


def test_the_count_is_that_of_what_is_sent() -> None:
    assert validation.count_words(" a\r\nb ", 2000) == "3 of 2000 characters"


# ── frames ─────────────────────────────────────────────────────────────────────────────────────


def test_only_pictures_are_offered() -> None:
    class Lazy:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError("it was asked for something")

    others = {
        "text": "a.png",
        "number": np.float64(1),
        "floats": np.zeros((4, 4)),
        "lazy": Lazy(),
        "_hidden": NAMESPACE["b"],
        "other_bytes": b"not a picture",
        "type": Image.Image,
    }
    data = b"\xff\xd8\xff\xe0"
    assert frame_inputs.variables({**others, **NAMESPACE, "jpeg": data}) == ["b", "first", "jpeg"]


def test_a_look_gives_size_ratio_format_and_a_thumbnail(tmp_path: Path) -> None:
    Image.new("RGB", (1366, 768), "navy").save(tmp_path / "a.png")
    seen = frame_inputs.preview_frame("a.png", "first frame", DEMO.frame_limits, tmp_path)
    assert seen.words.startswith("1366 \N{MULTIPLICATION SIGN} 768, ratio 1.78, PNG, 5 kB. OK.")
    assert seen.thumbnail.startswith("data:image/jpeg;base64,")
    assert len(seen.thumbnail) < 8000


def test_a_look_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"GIF89a")
    for value, says in (
        ("a.png", "is GIF"),
        ("none.png", "There is no first frame none.png"),
        (Image.new("RGB", (200, 200)), "its shorter side"),
        (Image.new("RGB", (3000, 400)), "a ratio of 7.5"),
    ):
        found = frame_inputs.preview_frame(
            value, "first frame", DEMO.frame_limits, tmp_path
        ).problem
        assert found is not None
        assert says in found.text


def test_an_address_is_not_fetched(tmp_path: Path) -> None:
    url = "https://example.org/a.png"
    seen = frame_inputs.preview_frame(url, "first frame", DEMO.frame_limits, tmp_path)
    assert "it can't be checked here" in seen.words
    assert seen.thumbnail == url


def test_an_upload_is_kept_byte_by_byte_and_stays_the_same_frame(tmp_path: Path) -> None:
    turned, out = Image.new("RGB", (360, 640), "navy").getexif(), BytesIO()
    turned[0x0112] = 6
    Image.new("RGB", (360, 640), "navy").save(out, "JPEG", exif=turned)
    path = frame_inputs.keep_upload(out.getvalue(), "first frame", DEMO.frame_limits, tmp_path)
    assert path.read_bytes() == out.getvalue()
    assert path.parent == tmp_path / "frames"
    requests = [build("x", DEMO, options={}, image=each) for each in (out.getvalue(), path)]
    assert requests[0].fingerprint == requests[1].fingerprint
    with pytest.raises(FrameError):
        frame_inputs.keep_upload(b"nothing", "first frame", DEMO.frame_limits, tmp_path)


# ── looks ──────────────────────────────────────────────────────────────────────────────────────


def test_only_the_newest_look_counts() -> None:
    told, blocked, done = threading.Event(), threading.Event(), []
    looks = LatestTask(told.set)

    def first() -> str:
        blocked.wait(10)
        return "old"

    looks.ask("frame", 1, first)
    looks.ask("frame", 2, lambda: done.append("skipped"))
    looks.ask("frame", 3, lambda: "new")
    assert looks.answer("frame") is None
    blocked.set()
    assert told.wait(10)
    assert looks.answer("frame") == "new"
    assert done == []
    looks.close()


def test_a_look_anew_keeps_its_answer_meanwhile() -> None:
    told = threading.Event()
    looks = LatestTask(told.set)
    looks.ask("key", "segmind", lambda: "there")
    assert told.wait(10)
    told.clear()
    looks.ask("key", "segmind", lambda: "not asked again")
    looks.again("key")
    looks.ask("key", "segmind", lambda: "gone")
    assert looks.answer("key") in {"there", "gone"}
    assert told.wait(10)
    assert looks.answer("key") == "gone"
    looks.close()
    looks.ask("key", "other", lambda: "never")
    assert looks.answer("key") is None
