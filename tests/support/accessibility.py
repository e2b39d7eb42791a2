"""How a page looks to those who see little or nothing: the automated check, and contrast."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe

from tests.support.browser_fixture import Lab

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
    if (!walk.currentNode.data.trim() || !parent.checkVisibility({ opacityProperty: true })) continue;
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
