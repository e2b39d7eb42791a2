"""New take: a quote of the cell's present source, and a consent that counts once and for that alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulator import Simulator
from tests.support.fake_front_end import Cell, FrontEnd

MIME = "application/vnd.hailuo.run+json"
DEMO = "%%hailuo --provider demo\nA {what}, taken anew in {where}."


@pytest.fixture
def page(folder: Path, env: dict[str, str]) -> Iterator[FrontEnd]:
    """A page whose kernel has made a run in `DEMO`, and has been told which notebook it is."""
    with FrontEnd(folder, env) as running:
        variables = f"what, where = 'heron', {folder.parent.name!r}"
        assert running.run(f"{variables}\n%load_ext hailuo_jupyter").error is None
        running.say("hello", id="nb", root="/", path="", known={}, shown=[])
        running.until(lambda: any(each["op"] == "welcome" for each in running.sync), 30)
        yield running


def shown(cell: Cell) -> str:
    """The id of the run that a cell shows."""
    (found,) = [each["data"][MIME]["run_id"] for each in cell.outputs if "data" in each]
    return str(found)


def quote(page: FrontEnd, run_id: str, source: str) -> dict[str, Any]:
    page.sync.clear()
    page.say("price", ask=7, run_id=run_id, source=source)
    page.until(lambda: any(each["op"] == "price" for each in page.sync), 30)
    (found,) = [each for each in page.sync if each["op"] == "price"]
    assert (found["client"], found["ask"]) == (page.client_id, 7)
    return found


def amounts(price: str) -> list[float]:
    assert price.startswith("$")
    assert price.endswith(" est.")
    return [float(each) for each in price.split() if each[0].isdigit()]


def bought(simulator: Simulator, folder: Path) -> int:
    return sum(folder.parent.name in job.prompt for job in simulator.ledger.jobs)


def test_the_price_is_that_of_the_cell_as_it_is_now(page: FrontEnd) -> None:
    first = shown(page.run(DEMO))
    same = quote(page, first, DEMO)
    assert same["problem"] == ""
    assert (same["count"], same["price"], same["changes"]) == (1, "free (demo)", "")
    # The prompt is the same text, and the variable another one.
    page.run("what = 'stork'")
    assert quote(page, first, DEMO)["changes"] == "another prompt"

    pro = "%%hailuo --provider segmind --mode pro --count 2\nA stork."
    changed = quote(page, first, pro)
    assert changed["count"] == 2
    assert changed["was"] == "free (demo)"
    assert changed["changes"] == "provider segmind, another prompt, mode pro"
    one = quote(page, first, pro.replace(" --count 2", ""))
    # Rounded once: 0.625 is 0.63, and two of them are 1.25.
    assert amounts(changed["price"]) == pytest.approx(
        [2 * each for each in amounts(one["price"])], abs=0.02
    )

    again = quote(page, first, f"%hailuo rerun {first} --prompt 'A crane.'")
    assert (again["problem"], again["changes"]) == ("", "another prompt")
    longer = "\n%%hailuo --provider demo \\\n  --mode pro\nA stork."
    assert quote(page, first, longer)["changes"] == "another prompt, mode pro"
    unknown = quote(page, "20200101-000000-aaaaaa", DEMO)
    assert (unknown["problem"], unknown["changes"], unknown["was"]) == ("", None, "")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("print(1)", "no longer a %%hailuo cell"),
        ("", "no longer a %%hailuo cell"),
        ("%%hailuo --provider demo\n--mode pro\nA heron.", "starts with --mode"),
        ("%%hailuo pro --provider demo\nA heron.", "on the first line"),
        ("# first\n%%hailuo --provider demo\nA heron.", "no longer a %%hailuo cell"),
        ("%hailuo runs", "no longer a %%hailuo cell"),
        ("%%hailuo --provider demo --dry-run\nA heron.", "sends nothing"),
        ("%%hailuo --provider demo --sweep mode=standard,pro\nA heron.", "a sweep now"),
        ("%%hailuo --provider demo\nA {lion}.", "no variable 'lion'"),
        ("%%hailuo --provider demo\nA {odd.name}.", "cannot be read (RuntimeError)"),
        ("%%hailuo --mode 3 --provider demo\nA heron.", "mode"),
        ("%%hailuo --provider demo --image none.png\nA heron.", "none.png"),
        ("%%hailuo --provider 'nowhere\nA heron.", "quote"),
        ("%hailuo rerun 20200101-000000-aaaaaa", "20200101-000000-aaaaaa"),
    ],
)
def test_a_cell_that_buys_nothing_has_no_price(page: FrontEnd, source: str, why: str) -> None:
    page.run("class Odd:\n    @property\n    def name(self): raise RuntimeError('x')\nodd = Odd()")
    found = quote(page, "20200101-000000-aaaaaa", source)
    assert why in found["problem"]
    assert "Nothing was sent" in found["problem"] or "rerun" in source
    assert (found["token"], found["count"]) == ("", 0)


def test_a_consent_counts_once(page: FrontEnd, folder: Path, simulator: Simulator) -> None:
    first = shown(page.run(DEMO))
    token = quote(page, first, DEMO)["token"]
    second = shown(page.run(DEMO, metadata={"hailuo_new": token}))
    assert second != first
    assert bought(simulator, folder) == 2
    # Neither a token that is used up nor anything that a file can hold: JupyterLab sends the
    # metadata of a cell along with it.
    for forged in (token, True, "", None, 1, {}, [token], {"token": token}):
        assert shown(page.run(DEMO, metadata={"hailuo_new": forged})) == second
    assert bought(simulator, folder) == 2


def test_a_consent_is_to_what_was_shown_alone(
    page: FrontEnd, folder: Path, simulator: Simulator
) -> None:
    first = shown(page.run(DEMO))
    paid = DEMO.replace("demo", "segmind")
    for asked, change, run in (
        (DEMO, "what = 'stork'", DEMO),
        (DEMO, "", DEMO.replace("demo", "demo --count 2")),
        (paid, "%config Hailuo.prices_usd = {'segmind': 9}", paid),
        (DEMO, "", DEMO.replace("demo", "demo --sweep mode=standard,pro")),
    ):
        page.run("what = 'heron'")
        token = quote(page, first, asked)["token"]
        page.run(change)
        cell = page.run(run, metadata={"hailuo_new": token})
        assert cell.error is not None
        assert "changed since you confirmed its price" in cell.error["evalue"]
        assert "Nothing was sent" in cell.error["evalue"]
    assert bought(simulator, folder) == 1


def test_a_rerun_is_taken_anew(page: FrontEnd, folder: Path, simulator: Simulator) -> None:
    first = shown(page.run(DEMO))
    rerun = f"%hailuo rerun {first}"
    second = shown(page.run(rerun))
    assert shown(page.run(rerun)) == second
    token = quote(page, second, rerun)["token"]
    assert shown(page.run(rerun, metadata={"hailuo_new": token})) not in {first, second}
    assert bought(simulator, folder) == 3


def test_a_changed_cell_does_not_buy_what_the_notebook_has(
    page: FrontEnd, folder: Path, simulator: Simulator
) -> None:
    first = shown(page.run(DEMO))
    page.run("what = 'stork'")
    second = shown(page.run(DEMO))
    page.run(f"%hailuo wait {second}")
    # The page shows the first take again, and the cell asks for the second.
    found = quote(page, first, DEMO)
    assert (found["problem"], found["count"], found["changes"]) == ("", 0, "another prompt")
    assert found["existing"] == f"Run {second} has made this clip already."
    assert shown(page.run(DEMO, metadata={"hailuo_new": found["token"]})) == second
    assert bought(simulator, folder) == 2
    # Nor is it bought if it is no longer there when the cell runs.
    token = quote(page, first, DEMO)["token"]
    page.run("what = 'crane'")
    cell = page.run(DEMO, metadata={"hailuo_new": token})
    assert cell.error is not None
    assert "Nothing was sent" in cell.error["evalue"]
    assert bought(simulator, folder) == 2
    # Only what is missing is bought.
    page.run("what = 'stork'")
    two = DEMO.replace("demo", "demo --count 2")
    for run in (first, second):
        some = quote(page, run, two)
        assert (some["count"], some["price"]) == (1, "free (demo)")
        assert second in some["existing"]
    assert some["changes"] == "2 clips"
    page.run(two, metadata={"hailuo_new": some["token"]})
    assert bought(simulator, folder) == 3
    # A cell that says so itself buys, and so does a new take of the clip shown.
    anew = quote(page, first, DEMO.replace("demo", "demo --new"))
    assert (anew["count"], anew["existing"]) == (1, "")
    assert quote(page, second, DEMO)["count"] == 1


def test_a_changed_cell_joins_a_run_that_is_going_on(
    page: FrontEnd, folder: Path, simulator: Simulator
) -> None:
    first = shown(page.run(DEMO))
    page.run("what = 'stork'\n%config Hailuo.demo_speed = 0.001")
    second = shown(page.run(DEMO))
    found = quote(page, first, DEMO)
    assert (found["count"], found["existing"]) == (0, f"Run {second} is making this clip already.")
    assert shown(page.run(DEMO, metadata={"hailuo_new": found["token"]})) == second
    assert bought(simulator, folder) == 2
