"""Several models: what is sent for each, what each refuses and who can, and that the simulators agree."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from hailuo_jupyter import catalogue, request
from hailuo_jupyter.catalogue import offers
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.errors import NOTHING_SENT, FrameError, HailuoError, OptionError
from hailuo_jupyter.kernel import generate, rerun
from hailuo_jupyter.kernel.runs import table_view
from hailuo_jupyter.providers import dialect
from hailuo_jupyter.record import prepare
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.simulator.aimlapi import read_aimlapi
from hailuo_jupyter.simulator.models import models
from hailuo_jupyter.simulator.responses import RefusedError
from hailuo_jupyter.simulator.segmind import read_segmind
from tests.simulator import SimulatorOptions
from tests.simulator.fal import read_fal
from tests.simulator.minimax import read_minimax
from tests.simulator.replicate import read_replicate
from tests.simulator.runware import read_runware

FIRST, LAST = "https://example.com/first.png", "https://example.com/last.png"
FRAMES: tuple[dict[str, str], ...] = (
    {},
    {"image": FIRST},
    {"last_image": LAST},
    {"image": FIRST, "last_image": LAST},
)


def made(model: str, provider: str = "segmind", **how: Any) -> request.Request:
    options = {name: how.pop(name) for name in list(how) if name in catalogue.option_names()}
    return request.build("a cat", catalogue.provider(provider, model=model), options=options, **how)


def sent(asked: request.Request) -> tuple[str, dict[str, Any]]:
    """Return the path and the body of a request's submit."""
    offer = catalogue.recorded_provider(asked.provider, asked.model)
    pairs = (("first", asked.first_frame), ("last", asked.last_frame))
    frames = {role: str(frame.url) for role, frame in pairs if frame is not None}
    call = dialect(offer).submit(asked, frames, "ours")
    assert call.body is not None
    return urlsplit(call.url).path, dict(call.body)


def test_what_segmind_is_sent() -> None:
    assert sent(made("hailuo-2.3", resolution="1080p")) == (
        "/v2/hailuo-2.3",
        {"prompt": "a cat", "resolution": "1080p", "duration": 6, "prompt_optimizer": True},
    )
    assert sent(made("hailuo-2.3-fast", image=FIRST, duration=10)) == (
        "/v2/hailuo-2.3-fast",
        {
            "prompt": "a cat",
            "resolution": "768p",
            "duration": 10,
            "first_frame_image": FIRST,
            "prompt_optimizer": True,
        },
    )
    assert sent(made("hailuo-02-fast", image=FIRST, prompt_optimizer=False)) == (
        "/v2/hailuo-02-fast",
        {
            "prompt": "a cat",
            "duration": "6",
            "go_fast": True,
            "last_frame_image": None,
            "first_frame_image": FIRST,
            "prompt_optimizer": False,
        },
    )


def test_what_aimlapi_is_sent() -> None:
    common = {"prompt": "a cat", "duration": 6}
    assert sent(made("hailuo-2.3", "aimlapi")) == (
        "/v2/video/generations",
        {**common, "model": "minimax/hailuo-2.3", "resolution": "768P", "enhance_prompt": True},
    )
    assert sent(made("h3", "aimlapi", ratio="9:16", image=FIRST, last_image=LAST)) == (
        "/v2/video/generations",
        {
            **common,
            "model": "minimax/h3",
            "resolution": "2K",
            "ratio": "9:16",
            "image_url": FIRST,
            "last_image_url": LAST,
        },
    )
    # Without frames the server's own default counts: adaptive is for frames.
    assert "ratio" not in sent(made("h3", "aimlapi"))[1]


def every_request(offer: Provider) -> Iterator[request.Request]:
    names = [choice.name for choice in offer.choices]
    for values in itertools.product(*(choice.values for choice in offer.choices)):
        for frames in FRAMES:
            try:
                yield request.build(
                    "a cat", offer, options=dict(zip(names, values, strict=True)), **frames
                )
            except HailuoError as error:
                assert error.money == NOTHING_SENT


SEVERAL = [offer for offer in offers() if len(offer.models) > 1]


@pytest.mark.parametrize("offer", SEVERAL, ids=lambda offer: f"{offer.name}-{offer.model_name}")
def test_the_simulator_takes_whatever_is_sent(offer: Provider) -> None:
    options = SimulatorOptions()
    state: Any = SimpleNamespace(options=options)
    for asked in every_request(offer):
        path, body = sent(asked)
        match offer.name:
            case "segmind":
                read = read_segmind(path.rpartition("/")[2], body, options)
            case "aimlapi":
                read = read_aimlapi(body, options, unified=path.endswith("/video/generations"))
            case "fal":
                read = read_fal(path.partition("/minimax/")[2], body, state)
            case "replicate":
                read = read_replicate(path.split("/models/")[1].rpartition("/")[0], body, state)
            case "runware":
                read = read_runware(body, state)
            case _:
                read = read_minimax(body, state)
        size = offer.size(asked.options)
        assert read.model == offer.model
        assert read.height == min(size.width, size.height)
        assert read.seconds == (size.duration_s or asked.options["duration"])
        assert (read.first, read.last) == (
            asked.first_frame and asked.first_frame.url,
            asked.last_frame and asked.last_frame.url,
        )
        price = offer.price(asked.options)
        assert price.low is not None
        assert price.high is not None
        assert price.low - 1e-9 <= read.price <= price.high + 1e-9


@pytest.mark.parametrize(
    ("slug", "body"),
    [
        ("hailuo-2.3-fast", {"prompt": "x"}),
        ("hailuo-2.3", {"prompt": "x", "resolution": "768P"}),
        ("hailuo-2.3", {"prompt": "x", "resolution": "1080p", "duration": 10}),
        ("hailuo-02-fast", {"prompt": "x", "first_frame_image": FIRST, "duration": 6}),
    ],
)
def test_the_simulated_segmind_checks_each_model(slug: str, body: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as caught:
        read_segmind(slug, body, SimulatorOptions())
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"model": "minimax/hailuo-2.3-fast"}, "image_url"),
        ({"model": "minimax/h3", "duration": 16}, "duration"),
        ({"model": "minimax/h3", "ratio": "2:1"}, "ratio"),
        ({"model": "minimax/h3", "resolution": "768P"}, "resolution"),
    ],
)
def test_the_simulated_aimlapi_checks_each_model(body: dict[str, Any], field: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_aimlapi({"prompt": "x", **body}, SimulatorOptions(), unified=True)
    assert field in (caught.value.details or {})
    with pytest.raises(RefusedError):  # only the unified path has it
        read_aimlapi({"prompt": "x", "model": body["model"]}, SimulatorOptions(), unified=False)


def test_both_sides_have_the_same_models() -> None:
    for name in ("segmind", "aimlapi"):
        assert [*models(name)] == [offer.model for offer in offers() if offer.name == name]


@pytest.mark.parametrize(
    ("ask", "error", "says"),
    [
        ({"model": "hailuo-2.3-fast"}, FrameError, ["First frame required", "--image", "--model"]),
        (
            {"model": "hailuo-2.3", "image": FIRST, "last_image": LAST},
            FrameError,
            ["takes no last frame", "--model hailuo-02"],
        ),
        (
            {"model": "hailuo-02-fast", "last_image": LAST},
            FrameError,
            ["First frame required by Segmind's hailuo-02-fast"],
        ),
        ({"model": "h3"}, OptionError, ["no --model h3", "--provider aimlapi --model h3"]),
        ({"model": "hailuo-2.4"}, OptionError, ["There is no model", "Did you mean hailuo-2.3"]),
        ({"model": "hailuo-02", "ratio": "1:1"}, OptionError, ["--provider aimlapi --model h3"]),
        (
            {"model": "hailuo-2.3", "resolution": "1080P", "duration": 10},
            OptionError,
            ["Segmind's hailuo-2.3 refuses", "--resolution 768P --duration 10"],
        ),
        (
            {"model": "h3", "provider": "aimlapi", "prompt_optimizer": False},
            OptionError,
            ["no --no-optimizer", "--model hailuo-02"],
        ),
    ],
)
def test_a_refusal_names_who_can(
    ask: dict[str, Any], error: type[HailuoError], says: list[str]
) -> None:
    with pytest.raises(error) as caught:
        made(**ask)
    assert caught.value.money == NOTHING_SENT
    for words in says:
        assert words in str(caught.value), str(caught.value)


def test_the_demo_has_the_models_of_the_provider_that_it_imitates() -> None:
    demo = catalogue.provider("demo", model="hailuo-2.3")
    assert (demo.model, demo.price({}).kind) == ("hailuo-2.3", "free")
    with pytest.raises(OptionError, match="demo_dialect = 'aimlapi'") as caught:
        catalogue.provider("demo", model="h3")
    assert "--provider" not in str(caught.value)


def test_a_fingerprint_tells_models_apart_and_the_usual_one_is_not_named() -> None:
    prints = [
        made(model, image=FIRST).fingerprint for model in catalogue.provider("segmind").models
    ]
    assert len(set(prints)) == 4
    plain = request.build(
        "a cat", catalogue.provider("segmind"), options={}, image=FIRST
    ).fingerprint
    assert prints[0] == plain


def test_a_record_of_a_model_that_is_not_known_keeps_the_facts_of_the_usual_one() -> None:
    found = catalogue.recorded_provider("segmind", "hailuo-9")
    assert (found.model, found.choices) == ("hailuo-9", catalogue.provider("segmind").choices)


def test_without_a_provider_one_that_has_the_model_is_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_0123456789abcdef")
    monkeypatch.setenv("AIML_API_KEY", "aiml-0123456789abcdef")
    chosen, _ = generate.choose_provider(Hailuo(), None, tmp_path, "h3")
    assert (chosen.name, chosen.model_name) == ("aimlapi", "h3")
    monkeypatch.delenv("AIML_API_KEY")
    with pytest.raises(HailuoError, match="a provider of h3"):
        generate.choose_provider(Hailuo(), None, tmp_path, "h3")


def test_own_prices_name_a_model() -> None:
    prices = {"segmind/model=hailuo-2.3,duration=10": 0.5, "segmind": 0.2}
    new = catalogue.with_own_prices(catalogue.provider("segmind", model="hailuo-2.3"), prices)
    assert new.price({"resolution": "768P", "duration": 10}).high == 0.5
    assert new.price({"resolution": "768P", "duration": 6}).kind == "published"
    usual = catalogue.with_own_prices(catalogue.provider("segmind"), prices)
    assert usual.price({"mode": "pro"}).high == 0.2
    with pytest.raises(HailuoError, match="has no model 'sora'"):
        catalogue.with_own_prices(usual, {"segmind/model=sora": 1.0})


def test_a_record_tells_what_a_table_and_a_rerun_show() -> None:
    old, new = prepare(made("hailuo-02")), prepare(made("hailuo-2.3"))
    assert json.loads(new.to_json())["model"] == "hailuo-2.3"
    assert table_view.requested_values(old)["model"] == "hailuo-02"
    assert table_view.requested_values(new)["model"] == "hailuo-2.3"
    assert "model hailuo-2.3" in rerun.changes(made("hailuo-2.3"), old)
