"""The catalogue: every fact is dated and sourced, and no choice is dropped in silence."""

from __future__ import annotations

import itertools
import json
import re
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from hailuo_jupyter import catalogue
from hailuo_jupyter.catalogue import provider, providers, validate_options
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.errors import NOTHING_SENT, OptionError, SettingsError

FOLDER = Path(catalogue.__file__).parent
SEGMIND, AIMLAPI, DEMO = provider("segmind"), provider("aimlapi"), provider("demo")
EVERY = pytest.mark.parametrize("one", [SEGMIND, AIMLAPI, DEMO], ids=lambda one: one.name)


def every_combination(one: Provider) -> list[dict[str, str | int]]:
    names = [choice.name for choice in one.choices]
    values = itertools.product(*(choice.values for choice in one.choices))
    combinations = [dict(zip(names, row, strict=True)) for row in values]
    return [c for c in combinations if not any(rule.holds(c) for rule in one.refused)]


def test_the_real_providers() -> None:
    assert [one.name for one in providers()][:2] == ["segmind", "aimlapi"]
    assert [one.name for one in providers() if one.chosen_by_key] == ["segmind", "aimlapi"]
    assert SEGMIND.model == "minimax-hailuo-2"
    assert AIMLAPI.model == "minimax/hailuo-02"
    assert (SEGMIND.default_wire, AIMLAPI.wires) == ("v2", ("legacy", "unified"))
    assert AIMLAPI.key_variables == ("AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_API_KEY")
    assert SEGMIND.base_urls["history"].variable == "SEGMIND_HISTORY_URL"
    assert (SEGMIND.requests_per_minute, SEGMIND.retention_s) == (5, 3600)
    assert SEGMIND.file_lifetime.seconds == 7 * 86400
    assert not SEGMIND.can_cancel
    assert not AIMLAPI.can_cancel


@pytest.mark.parametrize("one", providers(), ids=lambda one: one.name)
def test_a_files_lifetime_has_a_date_and_a_source_and_is_no_shorter_than_the_records(
    one: Provider,
) -> None:
    lifetime = one.file_lifetime
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", lifetime.as_of)
    assert lifetime.source
    assert lifetime.kind in {"published", "inferred"}
    assert one.keeps_s == lifetime.seconds >= one.retention_s


@EVERY
def test_limits_of_frames_and_prompt(one: Provider) -> None:
    limits = one.frame_limits
    assert limits.formats == ("jpeg", "png")
    assert (limits.min_short_side_px, limits.max_bytes) == (300, 20_000_000)
    assert (limits.min_ratio, limits.max_ratio) == (Fraction(2, 5), Fraction(5, 2))
    assert one.prompt_max == 2000


@pytest.mark.parametrize("one", providers(), ids=lambda one: one.name)
def test_every_price_has_a_date_a_source_and_a_reason(one: Provider) -> None:
    combinations = every_combination(one)
    assert combinations
    for options in combinations:
        price = one.price(options)
        assert price.low is not None
        assert price.high is not None
        assert 0 < price.low <= price.high < 1
        assert price.kind in {"inferred", "published"}
        assert re.fullmatch(r"20\d\d-\d\d(-\d\d)?", price.as_of)
        assert price.source
        assert price.note
    assert one.price({"mode": "unheard of"}).kind == "unknown"
    assert one.price({"mode": "unheard of"}).high is None
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", one.as_of)
    assert all(source.startswith("https://") for source in one.sources)
    assert one.key_page.startswith("https://")


@pytest.mark.parametrize(
    ("options", "low", "high"),
    [
        ({"resolution": "768P", "duration": 6}, 0.294, 0.364),
        ({"resolution": "768P", "duration": 10}, 0.588, 0.728),
        ({"resolution": "1080P", "duration": 6}, 0.515, 0.637),
    ],
)
def test_prices_of_aimlapi(options: dict[str, str | int], low: float, high: float) -> None:
    price = AIMLAPI.price(options)
    assert (price.low, price.high, price.kind) == (low, high, "inferred")
    assert price.as_of == "2026-09-26"
    assert "survey" in price.source


def test_segminds_modes_lie_on_either_side_of_its_average() -> None:
    assert SEGMIND.price({"mode": "standard"}).high == 0.3875
    assert SEGMIND.price({"mode": "pro"}).low == 0.3875


def test_expected_times() -> None:
    assert SEGMIND.expected({"mode": "pro"}).median_s == pytest.approx(173.29)
    assert AIMLAPI.expected({"resolution": "768P", "duration": 6}).median_s == 270
    assert AIMLAPI.expected({"resolution": "768P", "duration": 10}).median_s == 510
    assert DEMO.expected({}).median_s == pytest.approx(173.29 / 20)
    assert provider("demo", demo_speed=100).expected({}).median_s == pytest.approx(1.7329)


def test_sizes() -> None:
    pro, long = SEGMIND.size({"mode": "pro"}), AIMLAPI.size({"resolution": "768P", "duration": 10})
    assert (pro.width, pro.height, pro.duration_s, pro.kind) == (1920, 1080, 6.0, "inferred")
    assert (long.width, long.height, long.duration_s, long.kind) == (1366, 768, 10.0, "published")
    large = AIMLAPI.size({"resolution": "1080P", "duration": 6})
    assert (large.width, large.duration_s) == (1920, 6.0)


def test_the_demo_is_free_has_no_key_and_names_no_outside_address() -> None:
    assert (DEMO.name, DEMO.title, DEMO.dialect) == ("demo", "Demo (simulated)", "segmind")
    price = DEMO.price({"mode": "pro"})
    assert (price.low, price.high, price.kind) == (0, 0, "free")
    assert (DEMO.key_variables, DEMO.requests_per_minute) == ((), None)
    assert set(DEMO.base_urls) == set(SEGMIND.base_urls)
    assert all(not base.url and not base.variable for base in DEMO.base_urls.values())
    other = provider("demo", demo_dialect="aimlapi")
    assert (other.dialect, other.choices) == ("aimlapi", AIMLAPI.choices)


def test_kind_names_the_model_and_every_choice() -> None:
    assert SEGMIND.kind({"mode": "pro"}) == "segmind/minimax-hailuo-2/mode=pro"
    assert (
        AIMLAPI.kind({"duration": 10, "resolution": "768P"})
        == "aimlapi/minimax/hailuo-02/resolution=768P,duration=10"
    )
    assert DEMO.kind({"mode": "pro"}) != SEGMIND.kind({"mode": "pro"})


@pytest.mark.parametrize("name", ["segmind", "SEGMIND", " Segmind "])
def test_provider_by_name(name: str) -> None:
    assert provider(name) is SEGMIND


@pytest.mark.parametrize(
    ("name", "dialect", "hint"),
    [("segmnd", "segmind", "Did you mean segmind?"), ("demo", "aimlapy", "Did you mean aimlapi?")],
)
def test_unknown_provider(name: str, dialect: str, hint: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(hint)) as caught:
        provider(name, demo_dialect=dialect)
    assert caught.value.money == NOTHING_SENT
    assert "Choose one of segmind, aimlapi, " in caught.value.todo


def test_resolve_fills_defaults_in_display_order() -> None:
    assert list(validate_options(AIMLAPI, {}).items()) == [("resolution", "768P"), ("duration", 6)]
    assert validate_options(SEGMIND, {"mode": None, "resolution": None}) == {"mode": "standard"}


@pytest.mark.parametrize("duration", [10, "10", " 10 "])
def test_resolve_spells_values_as_the_wire_does(duration: str | int) -> None:
    options = validate_options(AIMLAPI, {"duration": duration, "resolution": "768p"})
    assert options == {"resolution": "768P", "duration": 10}
    assert type(options["duration"]) is int


@pytest.mark.parametrize(
    ("one", "given_options", "says"),
    [
        (SEGMIND, {"resolution": "1080p"}, ["AI/ML API has (--provider aimlapi)", "--mode pro"]),
        (SEGMIND, {"resolution": "4K"}, ["AI/ML API has", "--mode standard", "--mode pro"]),
        (
            SEGMIND,
            {"duration": 10},
            ["AI/ML API has", "Every clip here is 6 s long"],
        ),
        (
            SEGMIND,
            {"duration": "6"},
            ["AI/ML API has", "Leave it out: every clip here has 6 s (inferred)."],
        ),
        (AIMLAPI, {"mode": "pro"}, ["Segmind has (--provider segmind)", "--resolution 1080P"]),
        (DEMO, {"resolution": "768P"}, ["AI/ML API has", "--mode standard"]),
        (DEMO, {"duration": 10}, ["which the demo can imitate", "Hailuo.demo_dialect = 'aimlapi'"]),
        (provider("demo", demo_dialect="aimlapi"), {"mode": "pro"}, ["demo_dialect = 'segmind'"]),
        (AIMLAPI, {"resolution": "512P"}, ["no --resolution 512P", "768P, 1080P"]),
        (SEGMIND, {"mode": "standart"}, ["Did you mean standard?"]),
        (AIMLAPI, {"durtion": 6}, ["Did you mean duration?", "--resolution, --duration"]),
        (SEGMIND, {"seed": 7}, ["no provider accepts a seed for these models"]),
        (AIMLAPI, {"aspect_ratio": "1:1"}, ["No provider", "crop the first frame"]),
    ],
)
def test_what_a_provider_lacks_is_refused_with_who_has_it(
    one: Provider, given_options: dict[str, str | int], says: list[str]
) -> None:
    with pytest.raises(OptionError) as caught:
        validate_options(one, given_options)
    assert caught.value.money == NOTHING_SENT
    assert caught.value.todo
    for words in says:
        assert words in str(caught.value)
    if one.name == "demo":
        assert "--provider" not in str(caught.value), "the others cost money"


@pytest.mark.parametrize("duration", [10, "10"])
def test_1080p_with_10_s_is_refused_with_both_ways_out(duration: str | int) -> None:
    with pytest.raises(OptionError) as caught:
        validate_options(AIMLAPI, {"resolution": "1080p", "duration": duration})
    assert "--resolution 1080P with --duration 10" in caught.value.what
    assert "--resolution 768P --duration 10" in caught.value.todo
    assert "--resolution 1080P --duration 6" in caught.value.todo


@EVERY
def test_a_shown_value_is_short_and_on_one_line(one: Provider) -> None:
    for wrong in ({one.choices[0].name: "x\n" * 5000}, {"\x1b[31m" * 5000: 1}):
        with pytest.raises(OptionError) as caught:
            validate_options(one, wrong)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400


NAMES = st.sampled_from(["mode", "resolution", "duration", "seed"]) | st.text(max_size=12)
VALUES = (
    st.none()
    | st.integers()
    | st.text(max_size=12)
    | st.booleans()
    | st.floats()
    | st.sampled_from(["pro", "STANDARD", "1080p", "768P", 6, "10", 10])
)


@given(one=st.sampled_from([SEGMIND, AIMLAPI, DEMO]), options=st.dictionaries(NAMES, VALUES))
def test_any_options_resolve_or_are_refused(one: Provider, options: dict[str, str | int]) -> None:
    try:
        resolved = validate_options(one, options)
    except OptionError as error:
        assert error.money == NOTHING_SENT
        return
    assert resolved in every_combination(one)
    assert validate_options(one, resolved) == resolved
    for name, value in options.items():
        if value is not None:
            assert str(resolved[name]).casefold() == str(value).strip().casefold()


# ── the files ──────────────────────────────────────────────────────────────────────────────────

FILES = {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
SCHEMA = FILES.pop("schema")


def test_there_is_one_file_for_each_provider() -> None:
    assert {*FILES} == {"models", *(one.name for one in providers())}
    for one in providers():
        assert FILES[one.name]["name"] == one.name


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_the_form_of_the_schema(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert ("models" in FILES[name]) == (name != "models")
    Draft202012Validator(SCHEMA).validate(FILES[name])


@pytest.mark.parametrize("name", [one.name for one in providers()])
def test_rules_name_only_options_that_the_model_has_and_the_last_is_for_all(name: str) -> None:
    for model in FILES[name]["models"]:
        values = {choice["name"]: choice["values"] for choice in model["choices"]}
        assert all(choice["default"] in choice["values"] for choice in model["choices"])
        for rules in (model[each] for each in ("prices", "expected", "sizes")):
            assert [rule["when"] for rule in rules].index({}) == len(rules) - 1
        frames = dict.fromkeys(("first_frame", "last_frame"), ("yes", "no"))
        for each in ("prices", "expected", "sizes", "refused_combinations"):
            for rule in model[each]:
                if each == "refused_combinations":
                    values = frames | values
                assert all(value in values[option] for option, value in rule["when"].items())


def test_a_price_that_is_known_has_a_source() -> None:
    for one in providers():
        for model in FILES[one.name]["models"]:
            for price in model["prices"]:
                assert (
                    (price["kind"] == "unknown") == (price["high"] is None) == (not price["source"])
                )


@pytest.mark.parametrize(
    "break_it",
    [
        lambda entry: entry.pop("as_of"),
        lambda entry: entry.update(colour="blue"),
        lambda entry: entry.update(as_of="last year"),
        lambda entry: entry.update(sources=[]),
        lambda entry: entry["failed_job"].pop("source"),
        lambda entry: entry["retention"].pop("source"),
        lambda entry: entry["models"].clear(),
        lambda entry: entry["models"][0].pop("slug"),
        lambda entry: entry["models"][0].update(name="sora"),
        lambda entry: entry["models"][0]["prices"][0].pop("as_of"),
        lambda entry: entry["models"][0]["prices"].pop(),
        lambda entry: entry["models"][0]["expected"][0].update(source=""),
        lambda entry: entry["models"][0]["frames"].update(last="never"),
    ],
)
def test_the_schema_refuses_what_lacks_a_fact_a_source_or_a_date(break_it: Any) -> None:
    entry = deepcopy(FILES["aimlapi"])
    break_it(entry)
    assert not Draft202012Validator(SCHEMA).is_valid(entry)


def test_several_models_of_a_provider_have_facts_of_their_own() -> None:
    entry = deepcopy(FILES["segmind"])
    second = {**entry["models"][0], "name": "hailuo-2.3-fast", "slug": "minimax-hailuo-2.3-fast"}
    entry["models"].append({**second, "as_of": "2026-11-01", "sources": ["https://example.com"]})
    Draft202012Validator(SCHEMA).validate(entry)


@pytest.mark.parametrize("one", catalogue.offers(), ids=lambda one: f"{one.name} {one.model_name}")
def test_the_help_of_an_option_says_what_does_not_go_together(one: Provider) -> None:
    """From the same data as the refusal, so that it is true of each model."""
    helps = {choice.name: choice.help for choice in one.choices}
    resolutions = {
        value for choice in one.choices if choice.name == "resolution" for value in choice.values
    }
    for rule in one.refused:
        if set(rule.when) == {"duration", "resolution"}:
            resolution, duration = rule.when["resolution"], rule.when["duration"]
            assert f"{duration} s not with --resolution {resolution}" in helps["duration"]
            assert f"{resolution} not with --duration {duration}" in helps["resolution"]
    texts = [*helps.values(), *(rule.then.why for rule in one.refused)]
    if "512P" in resolutions:
        assert not any("768P only" in text for text in texts)
    assert not any("only" in text and "10 s" in text for text in helps.values())


def test_what_only_the_code_assumes_is_marked_as_inferred() -> None:
    facts = {
        one.name: [(fact.kind, fact.fact) for fact in one.behavior] for one in catalogue.providers()
    }
    assert any("2013" in fact and kind == "inferred" for kind, fact in facts["minimax"])
    assert any("2.3-fast" in fact and kind == "inferred" for kind, fact in facts["replicate"])
    assert catalogue.provider("minimax").requests_per_minute == 20, "the newer page"
