"""From clip to clip in a real kernel: a frame of one in the next, side by side, and joined."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from hailuo_jupyter.ipynb.locate import RunLocator
from hailuo_jupyter.ipynb.redraw import redraw
from hailuo_jupyter.settings import Hailuo
from tests.simulator import Simulator, SimulatorOptions
from tests.support.notebook_files import command

MIME = "application/vnd.hailuo.run+json"
BEGIN = (
    "%load_ext hailuo_jupyter\n%config Hailuo.provider = 'demo'",
    "%%hailuo --name one\nA <b>kite</b> over dunes.",
    "%%hailuo --name two --image run:one@last\nIt lands.",
    "%hailuo compare one two",
    "%hailuo join one two -o scenes/a.mp4",
    "import hailuo_jupyter\nhailuo_jupyter.join([one, two], 'scenes/a.mp4')",
)
REFUSED = {
    "%hailuo compare one": "%hailuo compare RUN RUN...",
    "%hailuo compare one one": "was given twice",
    "%hailuo compare one nosuch": "Run not found: 'nosuch'",
    "%hailuo join one two": "%hailuo join RUN RUN... -o FILE.mp4",
    "%hailuo join one two -o hailuo/{two.clip.name} --replace": "never overwritten",
    "%hailuo join one two -o mine.mp4": "--replace",
    "%hailuo join one two -o scene.mov": "must end in .mp4",
    "%%hailuo --image run:one@99s\nIt lands.": "has no frame at 99 s",
    "%%hailuo --image run:nosuch@last\nIt lands.": "Run not found: 'nosuch'",
    "%%hailuo --image run:one\nIt lands.": "run:RUN@last",
    "hailuo_jupyter.generate('x', image=one.frame(-1))": "has no frame at -1 s",
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A simulator whose clips are large enough for a frame of one to begin the next."""
    with Simulator(SimulatorOptions(speed=100.0, seed=7, variants=1, shrink=2)) as running:
        yield running


def data(cell: Any) -> dict[str, Any]:
    (output,) = [each for each in cell.outputs if each.output_type != "stream"]
    return dict(output.data)


def check_drawn_again(nb: dict[str, Any], folder: Path) -> None:
    """See that a comparison whose run was rated since is drawn again as one."""
    with RunLocator(folder, nb, settings=Hailuo()) as places:
        assert redraw(nb, places, folder) == 2, "the run's own output, and the comparison"
    shown = nb["cells"][3]["outputs"][0]["data"]
    assert shown[MIME]["compare"] is True
    assert shown[MIME]["runs"][0]["rating"] == 4
    assert 'class="hailuo-compare"' in shown["text/html"]
    assert "4 of 5" in shown["text/html"]


def test_clips_follow_each_other(
    execute: Any, folder: Path, env: dict[str, str], simulator: Any
) -> None:
    (folder / "mine.mp4").write_bytes(b"my own")
    notebook = execute(*BEGIN, *REFUSED, "%hailuo rate one 4", allow_errors=True)
    *cells, _ = notebook.cells
    one, two = (data(cells[at])[MIME] for at in (1, 2))
    frame = two["request"]["first_frame"]
    assert (frame["from_run"], frame["from_clip_sha256"]) == (one["run_id"], one["clip"]["sha256"])
    assert one["clip"]["duration_s"] - 0.1 < frame["at_s"] < one["clip"]["duration_s"]
    assert (folder / "hailuo" / frame["kept"]).is_file()

    shown = data(cells[3])
    assert [each["run_id"] for each in shown[MIME]["runs"]] == [one["run_id"], two["run_id"]]
    assert "A &lt;b&gt;kite&lt;/b&gt; over dunes." in shown["text/html"]
    assert "last frame of one" in shown["text/html"]
    for name in ("one", "two"):
        # Above its clip and over its column, instead of an id.
        assert shown["text/html"].count(f"· <bdi>{name}</bdi>") == 2

    scene = (folder / "scenes" / "a.mp4").read_bytes()
    beside = json.loads((folder / "scenes" / "a.json").read_text())
    assert beside["sha256"] == hashlib.sha256(scene).hexdigest()
    assert [(each["run"], each["sha256"]) for each in beside["clips"]] == [
        (each["run_id"], each["clip"]["sha256"]) for each in (one, two)
    ]
    for at in (4, 5):
        assert 'src="scenes/a.mp4"' in data(cells[at])["text/html"]
        assert "<bdi>one</bdi> · <bdi>two</bdi>" in data(cells[at])["text/html"]
        assert str(folder) not in json.dumps(data(cells[at]))
    assert str(folder) not in json.dumps(beside)

    for cell, words in zip(cells[len(BEGIN) :], REFUSED.values(), strict=True):
        (output,) = cell.outputs
        assert output.output_type == "error", cell.source
        assert words in output.evalue, (cell.source, output.evalue)
    assert (folder / "mine.mp4").read_bytes() == b"my own"
    assert (
        hashlib.sha256((folder / "hailuo" / two["clip"]["path"]).read_bytes()).hexdigest()
        == (two["clip"]["sha256"])
    )
    assert sum(job.prompt == "It lands." for job in simulator.ledger.jobs) == 1

    check_drawn_again(json.loads(nbformat.writes(notebook)), folder)

    again = command(
        "join", one["run_id"][-6:], "hailuo/" + two["clip"]["path"], "-o", "mine.mp4", "--replace",
        cwd=folder, env=env,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert "Joined 2 clips into mine.mp4" in again.stdout
    assert json.loads((folder / "mine.json").read_text())["clips"][1]["run"] is None
