"""``%hailuo rerun``, ``rate``, ``tag`` and ``note`` in a real kernel with somebody looking on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.simulator import Simulator
from tests.support.fake_front_end import Cell, FrontEnd

MIME = "application/vnd.hailuo.run+json"
PROMPT = "A {canyon} at dawn."


@pytest.fixture
def page(folder: Path, env: dict[str, str]) -> Iterator[FrontEnd]:
    Image.effect_noise((480, 320), 60).convert("RGB").save(folder / "first.png")
    with FrontEnd(folder, env) as running:
        assert running.run("%load_ext hailuo_jupyter").error is None
        yield running


def bundle(cell: Cell) -> dict[str, Any]:
    (data,) = (each["data"] for each in cell.outputs if each["type"] == "display_data")
    return dict(data)


def jobs(simulator: Simulator) -> int:
    return sum(job.prompt == PROMPT for job in simulator.ledger.jobs)


def said(page: FrontEnd, code: str) -> str:
    cell = page.run(code)
    assert cell.error is None, cell.error
    return cell.text


def refused(page: FrontEnd, code: str) -> str:
    cell = page.run(code)
    assert cell.error is not None
    return str(cell.error["evalue"])


#: Notes what the kernel tells front ends from now on.
SPY = """
from hailuo_jupyter.kernel import comm
sent, send = [], comm._state().bridge._send
def spy(op, **content):
    sent.append((op, content))
    send(op, **content)
comm._state().bridge._send = spy
"""
TOLD = """
import time
end = time.monotonic() + 15
while not any(r["rating"] == 4 for _, c in sent for r in c["records"]):
    assert time.monotonic() < end, sent
    time.sleep(0.05)
print([(op, c["records"][0]["run_id"]) for op, c in sent][-1])
"""


def check_rating(page: FrontEnd, first: Cell, run_id: str) -> None:
    """Rate a run that has ended: its output and the notebook's metadata are told."""
    said(page, SPY)
    assert said(page, "%hailuo rate canyon 4") == f"Rated run {run_id} 4/5.\n"
    assert said(page, TOLD) == f"('news', '{run_id}')\n"
    assert said(page, "%hailuo tag canyon keep dawn").endswith(": keep, dawn.\n")
    assert said(page, "%hailuo tag canyon dawn --remove").endswith(": keep.\n")
    assert "soft light" in said(page, f"%hailuo note {run_id[-6:]} soft light")
    page.until(lambda: "note: soft light" in bundle(first)["text/html"], 15)
    html = bundle(first)["text/html"]
    assert "rated 4 of 5" in html
    assert "tags: keep" in html
    assert bundle(first)[MIME]["rating"] == 4
    assert "rated 4 of 5" in bundle(page.run("%hailuo show canyon"))["text/plain"]
    gone = f"Rating removed from run {run_id}.\n"
    assert said(page, "%hailuo rate canyon none") == gone
    page.until(lambda: bundle(first)[MIME]["rating"] is None, 15)
    assert "rated" not in bundle(page.run("%hailuo show canyon"))["text/plain"]
    assert said(page, "%hailuo rate canyon --clear") == gone
    assert "from 0 to 5" in refused(page, "%hailuo rate canyon 9")
    assert "Usage: %hailuo rate RUN N" in refused(page, "%hailuo rate canyon")
    # No money is near.
    usage = "Usage: %hailuo show RUN. '%hailuo show --help' lists its options."
    assert refused(page, "%hailuo show").strip().endswith(usage)
    assert "Run not found: 'nosuch'" in refused(page, "%hailuo rate nosuch 3")


def test_a_run_is_rated_and_asked_for_again(
    page: FrontEnd, folder: Path, simulator: Simulator
) -> None:
    code = "%%hailuo --provider demo --image first.png --name canyon\nA {{canyon}} at dawn."
    first = page.run(code, "first")
    page.until(lambda: bundle(first)[MIME]["state"] == "completed", 30)
    run_id = bundle(first)[MIME]["run_id"]

    check_rating(page, first, run_id)

    # A rerun says what it costs before it buys; run again, it shows what it bought.
    again = "%hailuo rerun canyon --no-optimizer --tag second"
    bought = page.run(again, "again")
    assert bought.error is None
    for words in (
        "Run canyon again, with the prompt optimizer off: it costs nothing (demo).",
        "accepts a seed.",
    ):
        assert words in bought.text
    record = bundle(bought)[MIME]
    assert record["parent"] == run_id
    assert record["request"]["prompt"] == PROMPT
    assert record["request"]["prompt_optimizer"] is False
    frame = bundle(first)[MIME]["request"]["first_frame"]["sha256"]
    assert record["request"]["first_frame"]["sha256"] == frame
    assert record["tags"] == ["second"]
    assert record["rating"] is None
    shown = page.run(again, "again")
    assert bundle(shown)[MIME]["run_id"] == record["run_id"]
    assert "costs" not in shown.text
    value = page.run(
        "import hailuo_jupyter\nhailuo_jupyter.rerun(canyon, prompt_optimizer=False).run_id"
    )
    (result,) = (
        each["data"]["text/plain"] for each in value.outputs if each["type"] == "execute_result"
    )
    assert ast.literal_eval(result) == record["run_id"]
    assert bundle(page.run(code))[MIME]["run_id"] == run_id, "the cell shows its own take"
    assert jobs(simulator) == 2
    assert "another prompt" not in said(page, "%hailuo rerun canyon --dry-run --mode pro")
    assert "--prompt TEXT" in said(page, "%hailuo rerun canyon --help")
    assert jobs(simulator) == 2

    # A frame that is not what was sent any more is refused, not sent.
    (folder / "hailuo" / "frames" / f"{frame}.png").write_bytes(b"changed")
    words = refused(page, "%hailuo rerun canyon --mode pro")
    assert "has changed in hailuo/frames since it was sent" in words
    assert "--image" in words
    assert str(folder) not in words
    assert jobs(simulator) == 2
    other = page.run("%hailuo rerun canyon --new --image first.png --prompt 'A {canyon.status}.'")
    assert "with another prompt" in other.text
    assert bundle(other)[MIME]["request"]["prompt"] == "A completed."
