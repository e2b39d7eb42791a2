"""The automated accessibility check, on every kind of output and in both of JupyterLab's themes."""

from __future__ import annotations

from collections.abc import Callable

import nbformat
from playwright.sync_api import expect

from hailuo_jupyter import media
from hailuo_jupyter.kernel.display.bundle import bundle
from hailuo_jupyter.states import State
from tests.simulator import Simulator
from tests.support.accessibility import findings, in_theme
from tests.support.browser_fixture import Lab, Server
from tests.support.large_notebooks import empty_notebook, write_clip
from tests.support.sample_rows import shown, shown_row

PROBLEM = ("failed", "The provider gave up.", "You were not charged.", "Run the cell again.")
SHOWN = (
    State.COMPLETED, State.GENERATING, State.UNDOWNLOADED, State.UNCONFIRMED, State.FAILED, State.PREPARED
)  # fmt: skip


def test_finished_and_other_outputs_and_their_records(
    open_lab: Callable[..., Lab], server: Server, name: str
) -> None:
    clips = server.root / "hailuo"
    clips.mkdir(exist_ok=True)
    master = clips / f"{name}.mp4"
    facts = write_clip(master)
    notebook = empty_notebook()
    for state in SHOWN:
        row = shown_row(state, folder=clips, clip=facts, problem=PROBLEM)
        (clips / f"{row.run_id}.mp4").hardlink_to(master)
        poster = media.poster(master) if state is State.COMPLETED else None
        data = bundle([shown(row, base=server.root, poster=poster)])
        output = nbformat.v4.new_output("display_data", data=data)
        notebook.cells.append(nbformat.v4.new_code_cell("%%hailuo\nx", outputs=[output]))
    nbformat.write(notebook, server.root / f"{name}.ipynb")

    lab = open_lab(f"{name}.ipynb")
    outputs = lab.page.locator(".hailuo-output")
    expect(outputs).to_have_count(len(SHOWN))
    # Both sanitizers, JupyterLab's and ours, leave the picture below the player.
    boxes = [outputs.locator(f".hailuo-clip > {tag}").bounding_box() for tag in ("img", "video")]
    assert boxes[0] is not None
    assert boxes[0] == boxes[1]
    folds = outputs.locator("details")
    for theme in ("Dark", "Light"):
        in_theme(lab, theme)
        folds.evaluate_all("all => all.forEach(one => { one.open = false; })")
        assert findings(lab, ".hailuo-output") == [], theme
        folds.evaluate_all("all => all.forEach(one => { one.open = true; })")
        expect(outputs.get_by_text("This request can be sent again").last).to_be_visible()
        assert findings(lab, ".hailuo-output") == [], theme


def test_the_live_card_in_the_dark(
    open_lab: Callable[..., Lab], server: Server, name: str, simulator: Simulator
) -> None:
    simulator.fault("stuck", count=1, prompt=name)  # it lives for as long as the check takes
    code = f"%%hailuo --provider demo\nA heron lifts off a lake, as {name} tells."
    lab = open_lab(server.write(f"{name}.ipynb", ["%load_ext hailuo_jupyter", code]))
    in_theme(lab, "Dark")
    lab.run(0, 1)
    card = lab.output(1).locator(".hailuo-mod-live .hailuo-card")
    expect(card).to_be_visible()
    assert findings(lab, ".hailuo-card") == []
    assert card.count() == 1
    in_theme(lab, "Light")
