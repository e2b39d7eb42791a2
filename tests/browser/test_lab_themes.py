"""The automated accessibility check, on every kind of output and in both of JupyterLab's themes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nbformat
from axe_playwright_python.sync_playwright import Axe
from lab import Lab, Server
from many_runs import empty_notebook, write_clip
from playwright.sync_api import expect
from shown_run import shown, shown_row

from hailuo_jupyter import media
from hailuo_jupyter.kernel.bundle import bundle
from hailuo_jupyter.states import State

PROBLEM = ("failed", "The provider gave up.", "You were not charged.", "Run the cell again.")
SHOWN = (
    State.COMPLETED, State.GENERATING, State.UNDOWNLOADED, State.UNCONFIRMED, State.FAILED, State.PREPARED
)  # fmt: skip

#: Visible texts whose colour, laid over what is behind it, is too near to that (WCAG 2, 1.4.3). axe
#: cannot tell: in JupyterLab's page, whose body has no height, it takes all text for hidden.
_TOO_FAINT = """
const number = text => text.match(/[\\d.]+/g).map(Number);
const over = (top, alpha, below) => top.slice(0, 3).map((c, i) => c * alpha + below[i] * (1 - alpha));
const light = rgb => {
  const [r, g, b] = rgb.map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const found = [];
let texts = 0;
for (const output of document.querySelectorAll(arg)) {
  const walk = document.createTreeWalker(output, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const parent = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !parent.checkVisibility()) continue;
    let opacity = 1, behind = null;
    for (let at = parent; at && !behind; at = at.parentElement) {
      const back = number(getComputedStyle(at).backgroundColor);
      if (back.length === 3 || back[3] === 1) behind = back.slice(0, 3);
      else opacity *= getComputedStyle(at).opacity;
    }
    const colour = number(getComputedStyle(parent).color);
    const seen = over(colour, (colour[3] ?? 1) * opacity, behind);
    const [low, high] = [light(seen), light(behind)].sort((one, other) => one - other);
    const contrast = (high + 0.05) / (low + 0.05);
    texts += 1;
    if (contrast < 4.5) found.push([walk.currentNode.data.slice(0, 40), contrast]);
  }
}
return [texts, found];
"""


def findings(lab: Lab, where: str) -> list[Any]:
    """What the check finds; something was looked at, or that alone is a failure."""
    found = Axe().run(lab.page, context=where).response
    assert found["passes"]
    texts, faint = lab.js(_TOO_FAINT, where)
    assert texts
    return faint + [
        (each["id"], node["html"], node["failureSummary"])
        for each in found["violations"]
        for node in each["nodes"]
    ]


def in_theme(lab: Lab, theme: str) -> None:
    """Change to a theme, and wait until its colours are in force."""
    lab.command("apputils:change-theme", theme=f"JupyterLab {theme}")
    light = str(theme == "Light").lower()
    lab.page.wait_for_function(
        "light => document.body.dataset.jpThemeLight === light"
        " && getComputedStyle(document.body).getPropertyValue('--jp-layout-color0')",
        arg=light,
    )


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
    folds = outputs.locator("details")
    for theme in ("Dark", "Light"):
        in_theme(lab, theme)
        folds.evaluate_all("all => all.forEach(one => { one.open = false; })")
        assert findings(lab, ".hailuo-output") == [], theme
        folds.evaluate_all("all => all.forEach(one => { one.open = true; })")
        expect(outputs.get_by_text('"run_id"').last).to_be_visible()
        assert findings(lab, ".hailuo-output") == [], theme


def test_the_live_card_in_the_dark(open_lab: Callable[..., Lab], server: Server, name: str) -> None:
    code = f"%%hailuo --provider demo\nA heron lifts off a lake, as {name} tells."
    lab = open_lab(server.write(f"{name}.ipynb", ["%load_ext hailuo_jupyter", code]))
    in_theme(lab, "Dark")
    lab.run(0, 1)
    card = lab.output(1).locator(".hailuo-mod-live .hailuo-card")
    expect(card).to_be_visible()
    assert findings(lab, ".hailuo-card") == []
    assert card.count() == 1  # it lived to the end of the check
    lab.until_state("completed", 1)
    in_theme(lab, "Light")
