"""What a card's buttons do with its run: delete, resume tracking, copy a missing clip, try again, cancel."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.simulator import Simulator
from tests.support.browser_fixture import Lab, Server, with_run

LOAD = "%load_ext hailuo_jupyter"
OpenLab = Callable[..., Lab]


def cell(name: str) -> str:
    return f"%%hailuo --provider demo\nA heron lifts off a lake, as {name} has it."


@pytest.fixture
def done(open_lab: OpenLab, server: Server, name: str) -> Lab:
    """A notebook whose second cell has a completed run."""
    return with_run(open_lab, server.write(f"{name}.ipynb", [LOAD, cell(name)]))


def menu(lab: Lab, number: int = 1) -> Locator:
    """Open the menu of a cell's card."""
    lab.output(number).get_by_role("button", name="More actions").click()
    return lab.page.locator(".lm-Menu")


def test_a_clip_is_deleted_after_the_user_has_agreed(
    done: Lab, open_lab: OpenLab, server: Server
) -> None:
    clip = server.root / "hailuo" / f"{done.record(1)['run_id']}.mp4"
    dialog = done.page.get_by_role("dialog")
    menu(done).get_by_text("Delete clip…").click()
    expect(dialog).to_contain_text("A clip can't be bought back")
    # Enter does not delete.
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    done.page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert clip.is_file()

    menu(done).get_by_text("Delete clip…").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(done.output(1)).to_contain_text("The clip was deleted from its folder 'hailuo' on")
    assert not clip.exists()
    expect(done.output(1).locator("video")).to_have_count(0)
    expect(menu(done).get_by_text("View record")).to_be_visible()
    expect(done.page.locator(".lm-Menu").get_by_text("Delete clip…")).to_have_count(0)
    done.page.keyboard.press("Escape")


def test_an_earlier_take_is_gone_once_its_clip_is_deleted(done: Lab, server: Server) -> None:
    first = done.record(1)["run_id"]
    dialog = done.page.get_by_role("dialog")
    done.output(1).get_by_role("button", name="New take").click()
    dialog.get_by_role("button", name="Generate").click()
    done.until(lambda: done.record(1).get("run_id") not in {None, first}, "another run is shown")
    second = done.until_state("completed", 1)["run_id"]
    done.output(1).get_by_role("button", name="Earlier take").click()
    link = done.output(1).locator(".hailuo-files a").first
    expect(link).to_contain_text(first)
    menu(done).get_by_text("Delete clip…").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(link).to_contain_text(second)
    expect(done.output(1).get_by_role("button", name="Earlier take")).to_have_count(0)
    done.plays(1)
    assert [path.stem for path in (server.root / "hailuo").glob("*.mp4")].count(first) == 0


def test_a_changed_cell_shows_the_take_that_it_has(done: Lab, simulator: Simulator) -> None:
    first = done.record(1)["run_id"]
    other = "%%hailuo --provider demo\nA stork lands, as {name} has it."
    done.js("model.cells.get(1).sharedModel.setSource(arg);", other.format(name=first))
    done.run(1)
    second = done.until_state("completed", 1)["run_id"]
    output, dialog = done.output(1), done.page.get_by_role("dialog")
    output.get_by_role("button", name="Earlier take").click()
    link = output.locator(".hailuo-files a").first
    expect(link).to_contain_text(first)
    # The cell asks for the later take, and the earlier one is on display.
    output.get_by_role("button", name="Run changed cell…").click()
    expect(dialog).to_contain_text(f"Run {second} has made this clip already.")
    expect(dialog).to_contain_text("Running the cell generates nothing: no charge.")
    dialog.get_by_role("button", name="Run (no charge)").click()
    expect(link).to_contain_text(second)
    expect(output.get_by_role("group", name="Takes")).to_contain_text("Take 2 of 2")
    expect(output).to_contain_text("no charge")
    assert sum(first in job.prompt for job in simulator.ledger.jobs) == 1
    # The side panel numbers them as the card does, although their requests differ.
    done.command("hailuo:show-runs")
    panel = done.page.locator("#hailuo-runs")
    later, earlier = (panel.locator(f"[data-run='{each}']") for each in (second, first))
    expect(later).to_contain_text("Take 2 of 2")
    expect(earlier).to_contain_text("Take 1 of 2")
    menu(done).get_by_text("Delete clip…").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(later).to_contain_text("Clip deleted")


def test_a_card_of_a_stranger_offers_no_deletion(done: Lab, server: Server, name: str) -> None:
    done.save()
    (server.root / f"{name}-copy.ipynb").write_text(
        (server.root / f"{name}.ipynb").read_text().replace("A heron", "A stork")
    )
    done.open(f"{name}-copy.ipynb", kernel=False)
    expect(done.output(1)).to_contain_text("isn't trusted")
    expect(menu(done).get_by_text("View record")).to_be_visible()
    expect(done.page.locator(".lm-Menu").get_by_text("Delete clip…")).to_have_count(0)
    done.page.keyboard.press("Escape")


def test_a_run_of_a_restarted_kernel_is_tracked_again(
    open_lab: OpenLab, server: Server, name: str, let_go: Callable[[], object]
) -> None:
    lab = open_lab(server.write(f"{name}.ipynb", [LOAD, cell(name)]))
    lab.run(0, 1)
    output = lab.output(1)
    timer = output.locator(".hailuo-mod-live .hailuo-card").get_by_role("timer")
    expect(timer).to_be_visible()
    # A kernel that starts loads the extension by itself only where all cells are trusted.
    lab.js("model.cells.get(0).trusted = false;")
    lab.js("await panel.sessionContext.session.kernel.restart();")
    static = output.locator(".hailuo-static")
    expect(static.locator(".hailuo-state")).to_contain_text("– last seen")
    expect(static).to_contain_text(
        "No kernel is tracking this run. The Jupyter server may still download the clip"
    )
    expect(static.locator(".hailuo-room")).to_be_visible()
    lab.idle()
    output.get_by_role("button", name="Resume tracking").click()
    expect(timer).to_be_visible()
    expect(static).to_be_hidden()

    lab.js("model.cells.get(0).trusted = true;")
    lab.js("await panel.sessionContext.session.kernel.restart();")
    lab.idle()
    expect(timer).to_be_visible()
    let_go()
    lab.until_state("completed", 1)
    lab.plays(1)


def test_a_notebook_without_its_clip_gets_a_copy(
    done: Lab, open_lab: OpenLab, server: Server, name: str
) -> None:
    clip = f"hailuo/{done.record(1)['run_id']}.mp4"
    done.save()
    copy = f"{name}/copy.ipynb"
    (server.root / name).mkdir()
    shutil.copy(server.root / f"{name}.ipynb", server.root / copy)
    done.open(copy)
    output = done.output(1)
    # At once, though a player loads nothing before it is played.
    expect(output).to_contain_text(f"{clip} isn't next to this notebook")
    copying = output.get_by_role("button", name="Copy it here")
    expect(copying).to_have_attribute(
        "title", "Searches the run log's folders for this exact file."
    )
    copying.click()
    expect(output.get_by_text("isn't next to this notebook")).to_have_count(0)
    assert (server.root / name / clip).is_file()
    done.plays(1)


def test_a_failed_run_is_tried_again(
    open_lab: OpenLab, server: Server, name: str, simulator: Simulator
) -> None:
    simulator.fault("job-fails", "submit", message="Out of memory.", prompt=name, count=1)
    lab = open_lab(server.write(f"{name}.ipynb", [LOAD, cell(name)]))
    lab.run(0, 1)
    failed = lab.until_state("failed", 1)["run_id"]
    lab.output(1).get_by_role("button", name="Try again").click()
    dialog = lab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Send the request again? Price: free (demo).")
    dialog.get_by_role("button", name="Generate (free)").click()
    assert lab.until_state("completed", 1)["run_id"] != failed
    lab.plays(1)


def test_a_running_take_leaves_the_earlier_one_in_reach_and_can_be_cancelled(
    open_lab: OpenLab, server: Server, name: str, simulator: Simulator
) -> None:
    key = "import os; os.environ['REPLICATE_API_TOKEN'] = 'r8_not-a-key'"
    paid = f"%%hailuo --provider replicate\nA heron lifts off a lake, as {name} has it."
    lab = open_lab(server.write(f"{name}.ipynb", [LOAD, key, paid]))
    lab.run(0, 1, 2)
    first = lab.until_state("completed", 2)["run_id"]
    simulator.fault("stuck", prompt=name, count=1)
    output, dialog = lab.output(2), lab.page.get_by_role("dialog")
    output.get_by_role("button", name="New take").click()
    dialog.get_by_role("button", name="Generate").click()
    card = output.locator(".hailuo-mod-live .hailuo-card")
    expect(card.get_by_role("group", name="Takes")).to_contain_text("Take 2 of 2")
    card.get_by_role("button", name="Earlier take").click()
    expect(output.locator("video")).to_have_attribute("title", f"Clip of run {first}")
    # Its picture is the one that the output has shown before.
    expect(output.locator("video")).to_have_attribute("poster", re.compile("^data:image/jpeg"))
    expect(card).to_have_count(0)
    output.get_by_role("button", name="Later take").click()
    expect(card.get_by_role("timer")).to_be_visible()

    # What one agrees to counts for the run as the dialog has found it, and this one goes no further.
    expect(card).to_contain_text("Generating")
    cancel = card.get_by_role("button", name="Cancel…")
    expect(cancel).to_have_attribute(
        "title", "Shows what cancelling costs before anything is sent."
    )
    cancel.click()
    expect(dialog).to_contain_text("charge")
    dialog.get_by_role("button", name="Let it run").click()
    expect(dialog).to_have_count(0)
    cancel.click()
    dialog.get_by_role("button", name="Cancel the run").click()
    expect(output.locator(".hailuo-static .hailuo-state")).to_have_text("Cancelled")
    expect(output.get_by_role("group", name="Takes")).to_contain_text("Take 2 of 2")
    expect(output.get_by_role("button", name="Try again")).to_be_visible()


def test_a_refused_submit_that_is_cancelled_is_nowhere_on_its_way(
    apart: tuple[Server, Simulator], open_lab: OpenLab, name: str
) -> None:
    server, simulator = apart
    simulator.fault("rate-limited", "submit", prompt=name, count=None)
    code = f"%%hailuo --provider segmind\nA heron lifts off a lake, as {name} has it."
    lab = open_lab(server.write(f"{name}.ipynb", [LOAD, code]), on=server)
    lab.run(0, 1)
    output = lab.output(1)
    expect(output).to_contain_text("Segmind's rate limit was hit")
    expect(output).to_contain_text("Segmind limits requests; your turn")
    output.get_by_role("button", name="Cancel…").click()
    lab.page.get_by_role("dialog").get_by_role("button", name="Cancel the run").click()
    expect(output).to_contain_text("Cancelled before it was sent.")
    lab.until(
        lambda: [each["state"] for each in lab.records().values()] == ["prepared"],
        "the metadata has it as not sent",
    )
    expect(lab.page.locator(".hailuo-status")).not_to_contain_text("running")
