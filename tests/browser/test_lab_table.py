"""The table of runs in JupyterLab: sorted, played, gone to, compared, joined, tagged and rated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.support.accessibility import findings, in_theme
from tests.support.browser_fixture import Lab, Server

TABLE = "application/vnd.hailuo.runs+json"
LOAD = "%load_ext hailuo_jupyter\n%config Hailuo.provider = 'demo'\n%config Hailuo.demo_dialect = 'aimlapi'"
CELLS = [
    LOAD,
    "%%hailuo --name fox --duration 6\nA <b>fox</b> in the snow",
    "%%hailuo --name heron --duration 10\nA heron lifts off a lake",
    "%%hailuo --duration 6\nA paper boat",
    "%hailuo runs",
]
AT = len(CELLS) - 1


def names(table: Locator) -> list[str]:
    return table.locator("tbody .hailuo-table-title > :first-child").all_inner_texts()


def tick(table: Locator, *labels: str) -> None:
    for label in labels:
        table.get_by_role("checkbox", name=f"Tick {label}").check()


def bought(lab: Lab) -> Locator:
    """Make the runs, and the table once all are there."""
    lab.run(*range(AT))
    for cell in range(1, AT):
        lab.until_state("completed", cell)
    lab.run(AT)
    table = lab.output(AT).locator(".hailuo-table")
    expect(table.locator("tbody tr")).to_have_count(3)
    return table


def check_sorted(table: Locator) -> None:
    """Names come first, what differs is there, what is absent is not; a click on a head sorts."""
    assert names(table) == ["A paper boat", "heron", "fox"]
    text = table.inner_text()
    assert "10 s" in text
    assert "no first frame" not in text
    assert "no sweep" not in text
    assert "Notebook" not in text
    assert table.locator("tbody b").count() == 0
    head = table.get_by_role("columnheader", name="Run", exact=True)
    expect(table.locator(".hailuo-table-caption")).to_contain_text("newest first")
    head.get_by_role("button").click()
    expect(table.locator(".hailuo-table-caption")).to_have_text(
        "3 runs (this notebook) · sorted by run"
    )
    assert names(table) == ["A paper boat", "fox", "heron"]
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    assert names(table) == ["heron", "fox", "A paper boat"]
    table.get_by_role("columnheader", name="Submitted").get_by_role("button").click()
    assert names(table) == ["A paper boat", "heron", "fox"]
    assert head.get_attribute("aria-sort") is None


def check_plays(lab: Lab, table: Locator) -> None:
    """A clip loads and plays, muted, only under the pointer; never where less motion is wanted."""
    page, first = lab.page, table.locator("video").first
    clips: list[str] = []
    page.on("request", lambda request: clips.append(request.url) if ".mp4" in request.url else None)
    expect(table.locator("video")).to_have_count(3)
    assert first.evaluate("video => video.networkState") != 2
    page.emulate_media(reduced_motion="reduce")
    first.hover()
    assert first.evaluate("video => video.paused")
    page.mouse.move(1, 1)
    page.emulate_media(reduced_motion="no-preference")
    assert clips == []
    first.hover()
    lab.until(
        lambda: first.evaluate("v => !v.paused && v.muted && v.currentTime > 0.1"), "the clip plays"
    )
    assert len({url.split("?")[0] for url in clips}) == 1, "no other one is loaded"
    page.mouse.move(1, 1)
    lab.until(lambda: first.evaluate("v => v.paused"), "it stops")


def check_goes(lab: Lab, table: Locator) -> None:
    table.get_by_text("A heron lifts off a lake").click()
    lab.until(lambda: lab.js("return panel.content.activeCellIndex;") == 2, "its cell is active")
    lab.js("await panel.content.scrollToItem(arg, 'start');", AT)


def check_rated_and_tagged(lab: Lab, table: Locator) -> None:
    page = lab.page
    fox = table.locator("tr", has_text="fox")
    fox.get_by_role("radio", name="4 stars").click()
    run = lab.record(1)["run_id"]
    lab.until(lambda: lab.records()[run].get("rating") == 4, "the rating is kept")
    tick(table, "fox", "heron")
    table.get_by_role("button", name="Tag…").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("snow & {sea}")
    page.keyboard.press("Enter")
    expect(table.get_by_text("#snow & {sea}")).to_have_count(2)
    lab.until(
        lambda: (
            [lab.records()[lab.record(each)["run_id"]].get("tags") for each in (1, 2)]
            == [["snow & {sea}"]] * 2
        ),
        "both are tagged",
    )
    table.get_by_role("button", name="Rate").click()
    page.locator(".lm-Menu").get_by_text("5 of 5").click()
    heron = lab.record(2)["run_id"]
    lab.until(lambda: lab.records()[heron].get("rating") == 5, "both are rated")
    assert lab.records()[run]["rating"] == 5
    expect(table.get_by_role("button", name="Rate")).to_be_focused()


def check_compared_and_joined(lab: Lab, table: Locator, folder: Path) -> None:
    """The commands stand in cells of their own; the notebook keeps what was done."""
    fox, heron = (lab.record(each)["run_id"] for each in (1, 2))
    table.get_by_role("checkbox", name="Tick all runs").check()
    table.get_by_role("checkbox", name="Tick all runs").uncheck()
    expect(table.get_by_role("button", name="Compare")).to_have_attribute("aria-disabled", "true")
    tick(table, "heron", "fox")
    table.get_by_role("button", name="Compare").click()
    expect(lab.output(AT + 1).locator(".hailuo-compare video")).to_have_count(2)
    source = "return model.cells.get(arg).sharedModel.getSource();"
    assert lab.js(source, AT + 1) == f"%hailuo compare {heron} {fox}"
    table.get_by_role("button", name="Join…").click()
    dialog = lab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("1. heron")
    dialog.get_by_role("textbox").fill("a film")
    dialog.get_by_role("button", name="Join").click()
    lab.until((folder / "a film.mp4").is_file, "the clips are joined")
    lab.idle()
    assert lab.js(source, AT + 1) == f'%hailuo join {heron} {fox} -o "a film.mp4"'


def check_by_keyboard(lab: Lab, table: Locator) -> None:
    """Tab alone reaches everything, in the order of the page, and keys act."""
    page = lab.page
    table.get_by_role("button", name="Compare").focus()
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "() => document.activeElement.closest('.hailuo-table') ?"
                " document.activeElement.getAttribute('aria-label')"
                " || document.activeElement.textContent.trim() : ''"
            )
        )
    wanted = {"Tick all runs", "Run", "Cost", "Tick fox", "Clip of fox", "fox", "heron"}
    assert wanted <= reached, wanted - reached
    table.get_by_role("checkbox", name="Tick A paper boat").focus()
    page.keyboard.press("Space")
    expect(table.get_by_role("status")).to_contain_text("ticked")
    table.get_by_role("button", name="fox", exact=True).focus()
    page.keyboard.press("Enter")
    lab.until(lambda: lab.js("return panel.content.activeCellIndex;") == 1, "its cell is active")
    lab.js("await panel.content.scrollToItem(arg, 'start');", AT)


def check_looks(lab: Lab, table: Locator, pictures: Path) -> None:
    for width, height in ((1400, 900), (800, 700)):
        lab.page.set_viewport_size({"width": width, "height": height})
        for theme in ("Light", "Dark"):
            in_theme(lab, theme)
            table.scroll_into_view_if_needed()
            assert findings(lab, ".hailuo-table") == []
            lab.page.screenshot(path=pictures / f"table-{width}-{theme}.png")
    in_theme(lab, "Light")
    lab.page.set_viewport_size({"width": 1300, "height": 1000})


def test_the_table_of_runs_is_worked_with(
    server: Server, open_tab: Callable[..., Lab], name: str, tmp_path: Path
) -> None:
    lab = open_tab(server.write(f"table/{name}.ipynb", CELLS))
    table = bought(lab)
    check_looks(lab, table, tmp_path)
    check_sorted(table)
    check_plays(lab, table)
    check_goes(lab, table)
    check_rated_and_tagged(lab, table)
    check_by_keyboard(lab, table)
    check_looks(lab, table, tmp_path)
    check_compared_and_joined(lab, table, server.root / "table")
    check_status(lab)
    check_commands(lab)
    bundle = lab.bundle(AT)
    assert "<table" in bundle["text/html"], "other front ends have the static table"
    assert "data:image" not in str(bundle[TABLE]), "pictures are stored once"
    assert str(server.root) not in str(bundle[TABLE])
    check_untrusted(lab)


STATUS = ".hailuo-status button"


def check_status(lab: Lab) -> None:
    """The status bar has what runs and what today cost, as estimates if so, and opens the side panel."""
    item = lab.page.locator(STATUS)
    expect(item).to_have_text("$0.00 today")
    record = lab.record(1)
    going = {
        **record,
        "run_id": "20260101-000000-zzzzzz",
        "state": "generating",
        "revision": 1,
        "cost": {"kind": "inferred", "estimate_low": 0.27, "estimate_high": 0.39},
    }
    lab.js(
        "const home = model.getMetadata('hailuo');"
        "model.setMetadata('hailuo', {...home, runs: {...home.runs, [arg.run_id]: arg}});",
        going,
    )
    expect(item).to_have_text("1 running · $0.27–0.39 est. today")
    assert findings(lab, ".hailuo-status") == []
    item.focus()
    lab.page.keyboard.press("Enter")
    expect(lab.page.locator("#hailuo-runs")).to_be_visible()
    lab.js(
        "const home = model.getMetadata('hailuo'); const runs = {...home.runs}; delete runs[arg];"
        "model.setMetadata('hailuo', {...home, runs}); app.shell.collapseRight();",
        going["run_id"],
    )
    expect(item).to_have_text("$0.00 today")


def check_commands(lab: Lab) -> None:
    lab.js("app.shell.activateById(panel.id); panel.content.activeCellIndex = arg;", AT)
    table, enabled = lab.output(AT), "return app.commands.isEnabled('hailuo:compare-takes');"
    table.get_by_role("checkbox", name="Tick all runs").check()
    assert lab.js(enabled), "a table has the button"
    table.get_by_role("checkbox", name="Tick all runs").uncheck()
    assert not lab.js(enabled), "there is nothing to compare"
    lab.command("hailuo:open-quickstart")
    quickstart = "hailuo-demo/quickstart.ipynb"
    lab.ready(quickstart)
    folder = lab.server.root / "hailuo-demo"
    shipped = Path(__file__).parents[2] / "notebooks"
    photo = "first-frame.jpg"
    assert (folder / photo).read_bytes() == (shipped / photo).read_bytes()
    assert "%%hailuo --provider demo" in str(lab.server.read(quickstart))
    (folder / photo).write_bytes(b"mine")
    lab.command("hailuo:open-quickstart")
    assert (folder / photo).read_bytes() == b"mine", "what is there stays"
    lab.js("app.shell.activateById(panel.id);")


def check_untrusted(lab: Lab) -> None:
    """An untrusted copy shows the static table: it loads no clip and has no buttons."""
    lab.save()
    path = lab.path.replace(".ipynb", "-copy.ipynb")
    text = (lab.server.root / lab.path).read_text().replace("A paper boat", "A paper ship")
    (lab.server.root / path).write_text(text)
    clips: list[str] = []
    lab.page.on(
        "request", lambda request: clips.append(request.url) if ".mp4" in request.url else None
    )
    lab.command("docmanager:open", path=path)
    lab.ready(path, kernel=False)
    lab.path = path
    lab.js("await panel.content.scrollToItem(arg, 'start');", AT)
    output = lab.output(AT)
    expect(output.locator("table")).to_contain_text("A paper ship")
    expect(output.locator(".hailuo-table, button, input, video")).to_have_count(0)
    output.locator("tbody tr").first.hover()
    assert clips == []
    expect(lab.page.locator(STATUS)).to_be_hidden()
