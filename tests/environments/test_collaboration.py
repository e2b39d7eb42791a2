"""Shared documents: runs in an environment of its own, made from `collaboration.txt` by `.ci/run`.

pytest -c /dev/null --noconftest tests/environments/test_collaboration.py
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

# Behind the environment's own packages, so that what is installed there is what is tested.
sys.path.append(str(Path(__file__).parents[2]))

from tests.simulator import Simulator, SimulatorOptions
from tests.support.browser_fixture import (
    CHROMIUM_ARGUMENTS,
    MIME,
    PATIENCE,
    Lab,
    Server,
    until,
)
from tests.support.held_jobs import holding

NBMODEL = "@datalayer/jupyter-server-nbmodel"
LOAD = "%load_ext hailuo_jupyter"

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=list(CHROMIUM_ARGUMENTS),
        )
        yield running
        running.close()


class Shared:
    """One notebook, its server, and the pages of several people who have it open."""

    def __init__(
        self, browser: Browser, simulator: Simulator, server: Server, name: str, cells: list[str]
    ) -> None:
        self.browser, self.simulator, self.server, self.name = browser, simulator, server, name
        self.path = server.write(f"{name}.ipynb", [LOAD, *cells])
        # As one that was made in JupyterLab: else who has not run a cell is shown its output sanitized.
        server.trust(self.path)
        self.pages: list[Lab] = []

    def open(self, count: int) -> list[Lab]:
        """Open the notebook once more for so many people: each has a browser of their own."""
        for _ in range(count):
            lab = Lab(self.browser, self.server, self.path)
            # A busy machine can take longer than the five seconds after which jupyter-collaboration asks.
            slow = lab.page.get_by_role("dialog", name="Loading")
            lab.page.add_locator_handler(
                slow, lambda found: found.get_by_role("button", name="Continue waiting").click()
            )
            self.pages.append(lab)
        assert all(page.js("return model.collaborative;") for page in self.pages)
        return self.pages

    def close(self, *pages: Lab) -> None:
        for page in pages or tuple(self.pages):
            assert not page.problems
            page.close()
            self.pages.remove(page)

    def outputs(self, cell: int = 1) -> list[str]:
        """What a cell's outputs show: on each page, and in the shared document as the page has it."""
        return [
            page.js(
                "const cell = model.cells.get(arg[0]);"
                "const told = ({data}) => (data?.[arg[1]]?.runs ?? [data?.[arg[1]]]).map("
                "run => run ? `${run.state} ${run.revision}` : 'no run').join(' + ');"
                "const shown = cell.outputs.toJSON().map(told).join(', ');"
                "const held = cell.sharedModel.getOutputs().map(told).join(', ');"
                "return `shown: ${shown}; in the document: ${held}`;",
                [cell, MIME],
            )
            for page in self.pages
        ]

    def counts(self, cell: int = 1) -> set[int]:
        """How many outputs a cell has: in the shared document, as each page has it, and on the page."""
        found: set[int] = set()
        for page in self.pages:
            found |= set(
                page.js(
                    "const cell = model.cells.get(arg);"
                    "return [cell.outputs.length, cell.sharedModel.getOutputs().length];",
                    cell,
                )
            )
        return found

    def until_one_output(self, page: Lab) -> None:
        """Wait until every page, and the document as each has it, holds one output of the run's cell."""
        try:
            page.until(lambda: self.counts() == {1}, "there is one output")
        except AssertionError as error:
            for each in self.outputs():
                error.add_note(each)
            raise

    def saved(self, holds: Callable[[Any], Any]) -> Any:
        """What the server has saved by itself, once it is as wanted."""
        found: list[Any] = []

        def as_wanted() -> bool:
            try:
                found[:] = [nbformat.read(self.server.root / self.path, as_version=4)]
                return bool(holds(found[0]))
            except (ValueError, LookupError, AttributeError, nbformat.reader.NotJSONError):
                return False

        until(
            as_wanted,
            "the file is as it should be",
            lambda: self.pages[0].page.wait_for_timeout(200),
        )
        return found[0]

    def agree(self, cell: int, holds: Callable[[dict[str, Any]], Any], what: str) -> None:
        """Wait until outputs and metadata on every page, log, sidecar and file hold one record."""
        run_id = self.pages[0].record(cell)["run_id"]

        def everywhere() -> list[dict[str, Any]]:
            log = self.server.root.parent / "log" / "runs-demo.sqlite3"
            with sqlite3.connect(log) as opened:
                ((text,),) = opened.execute(
                    "SELECT record_json FROM runs WHERE run_id = ?", [run_id]
                ).fetchall()
            beside = self.server.root / "hailuo" / f"{run_id}.json"
            on_pages = [
                each
                for page in self.pages
                for each in (page.record(cell), page.records().get(run_id, {}))
            ]
            return [json.loads(text), json.loads(beside.read_text("utf-8")), *on_pages]

        def agreed() -> bool:
            found = everywhere()
            return all(map(holds, found)) and len({each["revision"] for each in found}) == 1

        self.pages[0].until(agreed, what)
        self.saved(
            lambda saved: (
                holds(saved.cells[cell].outputs[0].data[MIME])
                and holds(saved.metadata.hailuo.runs[run_id])
            )
        )


@pytest.fixture
def share(
    browser: Browser, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Shared]]:
    """Shares a notebook of a test's cells; its simulator's jobs take some four seconds."""
    name = "".join(each if each.isalnum() else "-" for each in request.node.name)
    options = SimulatorOptions(speed=50.0, seed=7, sigma=0.0, variants=1, shrink=4)
    with Simulator(options) as simulator:
        env = {
            "HAILUO_RUN_LOG": str(tmp_path / "log" / "runs.sqlite3"),
            "HAILUO_LOOPBACK_ONLY": "1",
            "HAILUO_SIMULATOR_URL": simulator.url,
            "HAILUO_PROVIDER": "demo",
            **simulator.environment(),
        }
        opened: list[Shared] = []

        def share(*cells: str, by_server: bool = False) -> Shared:
            server = Server(tmp_path, env, disabled=() if by_server else (NBMODEL,)).__enter__()
            written = [each.replace("NAME", name) for each in cells]
            opened.append(Shared(browser, simulator, server, name, written))
            return opened[-1]

        yield share
        for shared in opened:
            shared.close()
            shared.server.__exit__()
        assert not [found for shared in opened for found in shared.server.watch.findings()]


CELL = "%%hailuo --provider demo\nA heron lifts off a lake, as NAME tells."


@pytest.mark.parametrize(("people", "by_server"), [(2, False), (3, False), (1, True), (2, True)])
def test_one_output_however_many_pages_are_open(
    share: Callable[..., Shared], people: int, *, by_server: bool
) -> None:
    shared = share(CELL, by_server=by_server)
    let_go = holding(shared.simulator, shared.name)
    first, *_ = pages = shared.open(people)
    sent: list[str] = []
    first.page.on("request", lambda each: sent.append(each.url))
    first.run(0, 1)
    assert any("/execute" in each for each in sent) == by_server
    for page in pages:
        page.until(lambda page=page: list(page.records()), "the record is there")
        expect(page.output(1).locator(".hailuo-mod-live .hailuo-card")).to_have_count(1)
    let_go()
    for page in pages:
        page.until_state("completed", 1)
    # Slow pages can leave copies for a turn or two.
    shared.until_one_output(first)
    for page in pages:
        page.plays(1)
    # What pages repair when it is their turn, they would do by now.
    first.page.wait_for_timeout(12_000)
    shared.until_one_output(first)
    shared.agree(1, lambda record: record["state"] == "completed", "all agree")
    assert len(shared.saved(lambda saved: saved.metadata.hailuo.runs).metadata.hailuo.runs) == 1
    assert sum(shared.name in job.prompt for job in shared.simulator.ledger.jobs) == 1

    shared.close()
    (again,) = shared.open(1)
    again.plays(1)
    again.page.wait_for_timeout(6_000)
    shared.until_one_output(again)
    shared.saved(lambda saved: len(saved.cells[1].outputs) == 1)


def test_the_page_that_ran_the_cell_is_closed_meanwhile(share: Callable[..., Shared]) -> None:
    shared = share(CELL)
    let_go = holding(shared.simulator, shared.name)
    first, second, third = shared.open(3)
    first.run(0, 1)
    for page in (second, third):
        page.until(lambda page=page: list(page.records()), "the record is there")
    shared.close(first)
    let_go()
    for page in (second, third):
        page.until_state("completed", 1)
    shared.until_one_output(second)
    for page in (second, third):
        page.plays(1)
    second.page.wait_for_timeout(12_000)
    shared.until_one_output(second)
    shared.saved(lambda saved: len(saved.cells[1].outputs) == 1)


def test_what_slow_pages_have_left_is_removed(share: Callable[..., Shared]) -> None:
    """Pages that repair an output before they hear of each other each insert one."""
    shared = share(CELL)
    one, other = shared.open(2)
    one.run(0, 1)
    for page in (one, other):
        page.until_state("completed", 1)
    # Their turns are over, and no message follows: whichever page sees more outputs has to act.
    one.page.wait_for_timeout(12_000)
    shared.until_one_output(one)
    count = other.js(
        "const cell = model.cells.get(1).sharedModel;"
        "const [output] = cell.getOutputs();"
        "const {[arg]: record, ...drawn} = output.data;"
        "const earlier = {...record, revision: record.revision - 1};"
        "cell.updateOutputs(1, 1, [output, {...output, data: {...drawn, [arg]: earlier}}, output]);"
        "return cell.getOutputs().length;",
        MIME,
    )
    assert count == 4
    shared.until_one_output(one)
    one.output(1).get_by_role("radio", name="4 stars").first.click()
    shared.agree(1, lambda record: record.get("rating") == 4, "rated 4 of 5")
    shared.until_one_output(one)
    shared.saved(lambda saved: len(saved.cells[1].outputs) == 1)


def test_who_opens_the_notebook_hears_of_those_who_have_it_open(
    share: Callable[..., Shared],
) -> None:
    shared = share(CELL)
    (first,) = shared.open(1)
    own = "return model.sharedModel.awareness.clientID;"
    # Pages repeat themselves every now and then, which would also do, but too late for a run that starts now.
    first.js("clearInterval(model.sharedModel.awareness._checkInterval);")
    _, second = shared.open(1)
    second.until(
        lambda: (
            first.js(own)
            in second.js("return [...model.sharedModel.awareness.getStates().keys()];")
        ),
        "it has heard of the first page",
    )


def test_two_people_rate_and_tag_a_run(share: Callable[..., Shared]) -> None:
    shared = share(CELL)
    one, other = shared.open(2)
    one.run(0, 1)
    for page in (one, other):
        page.until_state("completed", 1)

    def rate(page: Lab, stars: int) -> None:
        page.output(1).get_by_role("radio", name=f"{stars} stars").click()

    # At about the same time: whichever comes later, everybody has the same.
    rate(one, 4)
    rate(other, 2)
    shared.agree(1, lambda record: record.get("rating") in {2, 4}, "both have rated")
    one.page.wait_for_timeout(6_000)
    shared.agree(1, lambda record: record.get("rating") in {2, 4}, "all agree on one of them")
    # One after the other, by turns: the later rating is the one that counts.
    for page, stars in ((one, 5), (other, 3), (one, 2)):
        rate(page, stars)
        shared.agree(
            1, lambda record, stars=stars: record.get("rating") == stars, f"rated {stars} of 5"
        )
    run_id = one.record(1)["run_id"]
    for page, tag in ((one, "dawn"), (other, "lake")):
        page.js(
            "panel.sessionContext.session.kernel.requestExecute({code: arg});",
            f"%hailuo tag {run_id} {tag}",
        )
    shared.agree(
        1, lambda record: sorted(record.get("tags") or []) == ["dawn", "lake"], "tags are merged"
    )
    shared.until_one_output(one)


def test_one_price_dialog_and_one_new_take(share: Callable[..., Shared]) -> None:
    shared = share(CELL)
    one, other = shared.open(2)
    one.run(0, 1)
    for page in (one, other):
        page.until_state("completed", 1)
    before = one.record(1)["run_id"]
    other.output(1).get_by_role("button", name="New take").click()
    dialog = other.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Generate another take? Price: free (demo).")
    expect(dialog).to_have_count(1)
    expect(one.page.get_by_role("dialog")).to_have_count(0)
    dialog.get_by_role("button", name="Generate (free)").click()
    other.until(lambda: other.record(1).get("run_id", before) != before, "the new run is shown")
    for page in (one, other):
        page.until_state("completed", 1)
    one.page.wait_for_timeout(8_000)
    shared.until_one_output(one)
    assert sum(shared.name in job.prompt for job in shared.simulator.ledger.jobs) == 2
    shared.saved(
        lambda saved: len(saved.metadata.hailuo.runs) == 2 and len(saved.cells[1].outputs) == 1
    )


def test_two_people_use_one_panel(share: Callable[..., Shared]) -> None:
    """Both see the form of the one kernel: what one enters, the other can send, once."""
    shared = share("%hailuo panel")
    one, other = shared.open(2)
    one.run(0, 1)
    forms = [page.output(1).locator(".hailuo-panel") for page in (one, other)]
    for form in forms:
        expect(form.get_by_label("Prompt", exact=True)).to_be_visible()
    prompt = f"A heron lifts off a lake, as {shared.name} tells."
    forms[0].get_by_label("Prompt", exact=True).fill(prompt)
    expect(forms[1].get_by_label("Prompt", exact=True)).to_have_value(prompt)
    forms[1].locator("button.hailuo-generate").click()
    for page, form in zip((one, other), forms, strict=True):
        expect(form.locator(".hailuo-slot video")).to_have_count(1)
        page.until(
            lambda page=page: [each["state"] for each in page.records().values()] == ["completed"],
            "one record is completed",
        )
    shared.until_one_output(one)
    assert sum(prompt in str(job.body.get("prompt")) for job in shared.simulator.ledger.jobs) == 1
    assert len(shared.saved(lambda saved: saved.metadata.hailuo.runs).metadata.hailuo.runs) == 1
    # Who opens the notebook later gets the form, too.
    *_, third = shared.open(1)
    later = third.output(1).locator(".hailuo-panel")
    expect(later.get_by_label("Prompt", exact=True)).to_have_value(prompt)
    expect(later.locator(".hailuo-slot video")).to_have_count(1)
