"""Providers and models side by side: a quote, a sweep over both with its sheet, and the panel's models."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.simulator import Simulator
from tests.support.accessibility import findings
from tests.support.browser_fixture import Lab, Server

PROMPT = "A kingfisher, bought in many places."
CELLS = [
    "%load_ext hailuo_jupyter",
    f"%%hailuo --quote\n{PROMPT}",
    "%%hailuo --sweep provider=fal,minimax --sweep model=hailuo-02,hailuo-2.3 --yes --name where\n"
    + PROMPT,
    "%hailuo panel",
]


@pytest.fixture
def lab(open_lab: Callable[..., Lab], server: Server) -> Lab:
    return open_lab(server.write("providers.ipynb", CELLS))


def test_providers_and_models_are_compared_bought_and_chosen(
    lab: Lab, simulator: Simulator
) -> None:
    a_quote_names_every_provider_and_buys_nothing(lab, simulator)
    a_sheet_tells_its_clips_apart(lab, simulator)
    the_panel_has_each_provider_s_models(lab)


def bought(simulator: Simulator) -> list[tuple[str, str]]:
    jobs = simulator.state.jobs()
    return sorted((job.wire, job.model) for job in jobs if job.prompt == PROMPT)


def a_quote_names_every_provider_and_buys_nothing(lab: Lab, simulator: Simulator) -> None:
    lab.run(0, 1)
    table = lab.output(1).locator("table")
    expect(table).to_be_visible()
    rows = table.locator("tbody tr")
    for title in ("Segmind", "AI/ML API", "fal", "Replicate", "Runware", "MiniMax"):
        expect(rows.filter(has_text=title).first).to_be_visible()
    expect(rows.filter(has_text="MiniMax").first).to_contain_text("$0.28")
    expect(table).to_contain_text("--provider minimax --model hailuo-2.3")
    assert findings(lab, ".jp-OutputArea-output table") == []
    assert bought(simulator) == []


def a_sheet_tells_its_clips_apart(lab: Lab, simulator: Simulator) -> None:
    lab.run(2)
    sheet = lab.output(2).locator(".hailuo-grid")
    expect(sheet.locator("video")).to_have_count(4)
    for header in ("fal", "minimax", "hailuo-02", "hailuo-2.3"):
        expect(sheet.locator("th").filter(has_text=header).first).to_be_visible()
    assert bought(simulator) == [
        ("fal", "fal-ai/minimax/hailuo-02"),
        ("fal", "fal-ai/minimax/hailuo-2.3"),
        ("minimax", "MiniMax-Hailuo-02"),
        ("minimax", "MiniMax-Hailuo-2.3"),
    ]


def the_panel_has_each_provider_s_models(lab: Lab) -> None:
    lab.run(3)
    form = lab.output(3).locator(".hailuo-panel")

    def choices(title: str) -> Locator:
        return form.locator(f"button[title^='{title}: ']:visible")

    for name, models in (("MiniMax", 3), ("Replicate", 4), ("MiniMax", 3)):
        form.locator(f"button[title='Provider: {name}']").click()
        expect(choices("Model")).to_have_count(models)
    expect(choices("Quality")).to_have_text(["512P", "768P", "1080P"])
    form.locator("button[title='Model: hailuo-2.3-fast']").click()
    expect(choices("Quality")).to_have_text(["768P", "1080P"])
    expect(form).to_contain_text("First frame required by MiniMax's hailuo-2.3-fast.")
