"""Errors below a cell: few lines, none of which JupyterLab breaks in the middle of a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hailuo_jupyter.errors import LINE
from tests.support.browser_fixture import Lab, Server

#: Words of a cell's error that are on two lines, and how many characters a line has room for.
_BROKEN = """
const pre = panel.content.widgets[arg].outputArea.node.querySelector(
  '.jp-RenderedText[data-mime-type*="error"] pre, .jp-RenderedText[data-mime-type*="stderr"] pre');
const walk = document.createTreeWalker(pre, NodeFilter.SHOW_TEXT);
const broken = [];
while (walk.nextNode()) {
  for (const word of walk.currentNode.data.matchAll(/\\S+/g)) {
    const range = document.createRange();
    range.setStart(walk.currentNode, word.index);
    range.setEnd(walk.currentNode, word.index + word[0].length);
    const tops = new Set([...range.getClientRects()].map(rect => Math.round(rect.top)));
    if (tops.size > 1) broken.push(word[0]);
  }
}
const ruler = pre.appendChild(document.createElement('div'));
ruler.style.width = 'max-content';
ruler.textContent = 'x'.repeat(10);
const room = Math.floor(pre.clientWidth / (ruler.getBoundingClientRect().width / 10));
ruler.remove();
return [broken, room, pre.textContent];
"""

CELLS = [
    "%load_ext hailuo_jupyter",
    "%%hailuo --seed 7\nA heron lifts off a lake.",
    "%%hailuo --provider demo\n--mode pro\nA heron lifts off a lake.",
    'row = {"style": "ink"}',
    '%%hailuo --provider demo\nA heron, {row["style"]}.',
    "%%hailuo --provider demo --image missing/first.png\nA heron lifts off a lake.",
    'from hailuo_jupyter.errors import HailuoError\nraise HailuoError("word " * 60, todo="word " * 40)',
]


@pytest.mark.parametrize("width", [800, 1280, 1440])
def test_no_line_of_an_error_is_broken_inside_a_word(
    open_lab: Callable[..., Lab], server: Server, name: str, width: int
) -> None:
    path = server.write(f"{name}.ipynb", CELLS)
    lab = open_lab(path, several=True, width=width)
    for cell in range(len(CELLS)):
        lab.run(cell)
    # Where an error's own lines are too long for the window, a cell of ours still keeps words whole.
    cells = (1, 2, 4, 5, 6) if width > 800 else (1, 2, 4, 5)
    found: list[Any] = [lab.js(_BROKEN, cell) for cell in cells]
    assert [broken for broken, _, _ in found] == [[]] * len(found)
    if width == 800:
        lab.js("app.shell.collapseLeft();")
        lab.until(lambda: lab.js(_BROKEN, 6)[1] >= LINE, "a line has room without the file browser")
        assert lab.js(_BROKEN, 6)[0] == []
    else:
        assert all(room >= LINE for _, room, _ in found)
