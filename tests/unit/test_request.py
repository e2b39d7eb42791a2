"""Requests: what is accepted is sent unchanged, and the fingerprint names it."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import FrozenInstanceError, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from hailuo_jupyter.catalogue import provider
from hailuo_jupyter.errors import NOTHING_SENT, FrameError, OptionError, PromptError, RequestError
from hailuo_jupyter.request import FINGERPRINT_VERSION, Request, build, check_prompt

SEGMIND, AIMLAPI = provider("segmind"), provider("aimlapi")

#: Text without what no provider can take; white space around it is drawn on purpose.
PROMPTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t"), max_size=60
)


def png(shade: int = 9) -> bytes:
    out = BytesIO()
    Image.new("RGB", (400, 400), (shade, 0, 0)).save(out, "PNG")
    return out.getvalue()


@given(text=PROMPTS)
def test_an_accepted_prompt_round_trips_unchanged(text: str) -> None:
    assume(text.strip())
    assert build(text, SEGMIND, options={}).prompt == text.strip()
    assert check_prompt(text.strip(), 2000) == text.strip()


@given(text=st.text(st.characters(codec=None), max_size=40))
def test_any_text_is_accepted_or_refused(text: str) -> None:
    try:
        checked = check_prompt(text, 20)
    except PromptError as error:
        assert error.money == NOTHING_SENT
        assert str(error).isprintable()
        return
    assert 1 <= len(checked) <= 20
    assert checked == checked.strip()
    assert check_prompt(checked, 20) == checked
    checked.encode("utf-8")


def test_line_ends_become_one_kind() -> None:
    assert check_prompt("one\r\ntwo\rthree\nfour\tfive\r\n", 2000) == "one\ntwo\nthree\nfour\tfive"


def test_emoji_with_joiners_and_every_script_are_text() -> None:
    text = "a family 👩‍👩‍👧 walks — 東京で、עברית, e\u0301"
    assert check_prompt(text, 2000) == text


@pytest.mark.parametrize("text", ["", "   ", "\n\t \r\n", "\u3000"])
def test_an_empty_prompt_is_refused(text: str) -> None:
    with pytest.raises(PromptError, match="The prompt is empty"):
        check_prompt(text, 2000)


@pytest.mark.parametrize("length", [1, 2000])
def test_the_limits_are_allowed(length: int) -> None:
    # An emoji outside the basic plane is one character.
    assert len(check_prompt(" " + "🦁" * length + " ", 2000)) == length


def test_too_long_a_prompt_says_by_how_much() -> None:
    with pytest.raises(PromptError) as caught:
        build("x" * 2041, SEGMIND, options={})
    assert "2041 characters; the limit is 2000" in caught.value.what
    assert "Shorten it by 41" in caught.value.todo


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\x00b", "U+0000, at line 1, character 2"),
        ("one\ntwo\x1b[31m", "U+001B, at line 2, character 4"),
        ("one\r\ntwo\x7f", "U+007F, at line 2, character 4"),
        ("\x0b lava", "U+000B, at line 1, character 1"),
        ("a\x85b", "U+0085, at line 1, character 2"),
        ("lion \ud83e", "half of a surrogate pair, U+D83E, at line 1, character 6"),
        ("\udd81 lion", "half of a surrogate pair"),
    ],
)
def test_control_characters_and_surrogates_are_named_with_their_place(text: str, says: str) -> None:
    with pytest.raises(PromptError) as caught:
        check_prompt(text, 2000)
    assert says in caught.value.what
    assert caught.value.money == NOTHING_SENT


def test_a_prompt_that_is_no_text() -> None:
    with pytest.raises(PromptError, match="type bytes"):
        check_prompt(b"a lion", 2000)  # type: ignore[arg-type]


def test_build_fills_in_what_is_left_open() -> None:
    request = build(" A lion. ", AIMLAPI, options={"resolution": "1080p"})
    assert request == Request(
        prompt="A lion.",
        provider="aimlapi",
        model="minimax/hailuo-02",
        dialect="aimlapi",
        wire="legacy",
        options={"resolution": "1080P", "duration": 6},
        prompt_optimizer=True,
        first_frame=None,
        last_frame=None,
        kind="aimlapi/minimax/hailuo-02/resolution=1080P,duration=6",
    )


def test_a_request_cannot_be_changed() -> None:
    request = build("A lion.", SEGMIND, options={})
    with pytest.raises(FrozenInstanceError):
        request.prompt = "A cat."  # type: ignore[misc]
    with pytest.raises(TypeError):
        request.options["mode"] = "pro"  # type: ignore[index]


def test_frames_are_opened_with_the_providers_limits(tmp_path: Path) -> None:
    (tmp_path / "first.png").write_bytes(png())
    request = build(
        "A lion.", SEGMIND, options={}, image="first.png", last_image=png(8), base=tmp_path
    )
    assert request.first_frame is not None
    assert request.last_frame is not None
    assert (request.first_frame.source, request.last_frame.source) == ("first.png", "memory")
    limits = replace(SEGMIND.frame_limits, min_short_side_px=400)
    strict = replace(SEGMIND, frame_limits=limits)
    with pytest.raises(FrameError, match="The last frame has 400 x 400 pixels"):
        build("A lion.", strict, options={}, last_image=png())


def test_a_last_frame_alone_is_refused_where_it_needs_a_first() -> None:
    needs_both = replace(SEGMIND, last_frame="with_first")
    with pytest.raises(FrameError, match="only together with a first frame"):
        build("A lion.", needs_both, options={}, last_image=png())
    assert build("A lion.", needs_both, options={}, image=png(), last_image=png()).last_frame
    assert build("A lion.", SEGMIND, options={}, last_image=png()).last_frame


def test_wires() -> None:
    assert build("A lion.", AIMLAPI, options={}, wire="unified").wire == "unified"
    with pytest.raises(OptionError, match="Choose one of legacy, unified"):
        build("A lion.", AIMLAPI, options={}, wire="v2")


def test_the_optimizer_is_a_yes_or_no() -> None:
    assert not build("A lion.", SEGMIND, options={}, prompt_optimizer=False).prompt_optimizer
    with pytest.raises(OptionError, match="neither True nor False"):
        build("A lion.", SEGMIND, options={}, prompt_optimizer="false")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt": ""},
        {"options": {"resolution": "1080P"}},
        {"image": "no-such-file.png"},
        {"wire": "v1"},
    ],
)
def test_every_refusal_says_that_nothing_was_paid(tmp_path: Path, wrong: dict[str, Any]) -> None:
    good = {"prompt": "A lion.", "provider": SEGMIND, "options": {}, "base": tmp_path}
    with pytest.raises(RequestError) as caught:
        build(**{**good, **wrong})
    assert caught.value.money == "Nothing was sent; no charge."
    assert caught.value.todo


def test_the_canonical_form_is_pinned() -> None:
    # Runs in people's logs are found by this: a change needs a new FINGERPRINT_VERSION.
    canonical = {
        "first_frame": "url:https://example.com/a.png",
        "last_frame": None,
        "model": "minimax-hailuo-2",
        "options": {"mode": "pro"},
        "prompt": "A lion é.",
        "prompt_optimizer": True,
        "provider": "segmind",
    }
    text = json.dumps(canonical, separators=(",", ":"))
    request = build(
        "A lion é.", SEGMIND, options={"mode": "pro"}, image="https://example.com/a.png"
    )
    assert request.fingerprint == f"1:{hashlib.sha256(text.encode()).hexdigest()}"
    assert FINGERPRINT_VERSION == 1


def test_every_difference_that_shapes_the_clip_counts() -> None:
    base: dict[str, Any] = {"prompt": "A lion.", "provider": AIMLAPI, "options": {}}
    changes: list[dict[str, Any]] = [
        {},
        {"prompt": "A lion"},
        {"options": {"duration": 10}},
        {"options": {"resolution": "1080P"}},
        {"prompt_optimizer": False},
        {"provider": SEGMIND},
        {"provider": provider("demo")},
        {"image": png(1)},
        {"image": png(2)},
        {"last_image": png(1)},
        {"image": png(1), "last_image": png(2)},
        {"image": png(2), "last_image": png(1)},
        {"image": Image.open(BytesIO(png(1)))},
        {"image": "https://example.com/a.png"},
    ]
    prints = [build(**{**base, **change}).fingerprint for change in changes]
    assert len(set(prints)) == len(changes)


def test_what_does_not_shape_the_clip_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "other name.jpg").write_bytes(png())
    prints = {
        build(" A lion.\r\n", AIMLAPI, options={"duration": "6"}, image=png()).fingerprint,
        build("A lion.", AIMLAPI, options={}, image=png(), wire="unified").fingerprint,
        build("A lion.", AIMLAPI, options={}, image=tmp_path / "other name.jpg").fingerprint,
    }
    assert len(prints) == 1


GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "resolution": st.sampled_from(["768P", "768p"]),
        "duration": st.sampled_from([6, "6", 10, "10"]),
    },
)


@given(one=GIVEN, two=GIVEN, prompts=st.tuples(PROMPTS, PROMPTS))
def test_fingerprints_are_equal_exactly_for_equal_requests(
    one: dict[str, Any], two: dict[str, Any], prompts: tuple[str, str]
) -> None:
    assume(all(text.strip() for text in prompts))
    first, second = (
        build(text, AIMLAPI, options=options)
        for text, options in zip(prompts, (one, two), strict=True)
    )
    assert (first.fingerprint == second.fingerprint) == (first == second)
    # The same prompt with the same options is drawn too seldom to rely on.
    again = build(prompts[0], AIMLAPI, options=one)
    assert again.fingerprint == first.fingerprint


@given(options=GIVEN)
def test_the_order_of_options_does_not_count(options: dict[str, Any]) -> None:
    orders = (dict(order) for order in itertools.permutations(options.items()))
    assert len({build("A lion.", AIMLAPI, options=order).fingerprint for order in orders}) == 1


def test_the_order_in_which_a_request_holds_its_options_does_not_count() -> None:
    request = build("A lion.", AIMLAPI, options={})
    backwards = replace(request, options=dict(reversed(list(request.options.items()))))
    assert list(backwards.options) == ["duration", "resolution"]
    assert backwards.fingerprint == request.fingerprint
