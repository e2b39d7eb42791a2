"""What a page can have done with a run, in a real kernel: described first, done when confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulator import Simulator
from tests.support.fake_front_end import FrontEnd

MIME = "application/vnd.hailuo.run+json"
RUN = "%%hailuo --provider demo --wait\nA heron and what is done with it, in {where}."


@pytest.fixture
def page(folder: Path, env: dict[str, str]) -> Iterator[FrontEnd]:
    """A page whose kernel knows which notebook it has open."""
    with FrontEnd(folder, env) as running:
        assert (
            running.run(f"where = {folder.parent.name!r}\n%load_ext hailuo_jupyter").error is None
        )
        running.say("hello", id="nb", root="/", path="", known={}, shown=[])
        running.until(lambda: any(each["op"] == "welcome" for each in running.sync), 60)
        yield running


def run(page: FrontEnd) -> str:
    """Make a clip; gives the run's id."""
    cell = page.run(RUN)
    assert cell.error is None
    return str(next(each["data"][MIME]["run_id"] for each in cell.outputs if "data" in each))


def act(page: FrontEnd, action: str, run_id: str, *, confirmed: bool) -> dict[str, Any]:
    """Ask for an action, and give the answer; what is confirmed was described before."""
    about = confirmed and act(page, action, run_id, confirmed=False).get("about")
    page.sync.clear()
    what = {"run_id": run_id, "output": [run_id], "action": action, "about": about or ""}
    page.say("act", ask=3, confirmed=confirmed, **what)
    page.until(lambda: any(each["op"] == "acted" for each in page.sync), 60)
    answer = next(each for each in page.sync if each["op"] == "acted")
    assert (answer["client"], answer["ask"]) == (page.client_id, 3)
    return answer


def files(page: FrontEnd, run_id: str) -> set[str]:
    return {path.suffix for path in page.notebook.parent.rglob(f"{run_id}.*")}


def test_a_clip_is_deleted_once_it_is_confirmed(page: FrontEnd) -> None:
    run_id = run(page)
    assert files(page, run_id) == {".mp4", ".json"}
    planned = act(page, "delete", run_id, confirmed=False)
    assert planned["problem"] == ""
    assert f"{run_id}.mp4" in planned["text"][0]
    assert "can't be bought back" in planned["text"][1]
    assert files(page, run_id) == {".mp4", ".json"}

    assert act(page, "delete", run_id, confirmed=True)["problem"] == ""
    assert files(page, run_id) == set()
    # The page has heard of it before the answer.
    (news,) = [each for each in page.sync if each["op"] == "news"]
    assert news["records"][0]["clip"]["deleted"]
    assert page.sync.index(news) < len(page.sync) - 1
    assert "has no clip" in act(page, "delete", run_id, confirmed=True)["problem"]
    # Running the cell again does not buy another clip, and says so.
    again = page.run(RUN)
    assert run_id in str(again.outputs)
    assert "Existing clip from" in str(again.outputs)


def test_a_clip_is_copied_next_to_a_notebook_that_lacks_it(page: FrontEnd) -> None:
    run_id = run(page)
    folder = page.notebook.parent
    (clip,) = folder.rglob(f"{run_id}.mp4")
    other = folder / "other"
    other.mkdir()
    copy = other / "copy.ipynb"
    copy.write_bytes(page.notebook.read_bytes())
    page.say("hello", id="nb2", root=str(folder), path="other/copy.ipynb", known={}, shown=[])
    page.until(lambda: any(each.get("notebook") == "nb2" for each in page.sync), 60)

    answer = act(page, "copy", run_id, confirmed=True)
    assert answer["problem"] == ""
    copied = other / clip.parent.name / clip.name
    assert copied.read_bytes() == clip.read_bytes()
    assert copied.with_suffix(".json").is_file()
    # The output plays the copy from now on.
    (bundle,) = answer["bundles"]
    assert f'src="{clip.parent.name}/{clip.name}"' in bundle["text/html"]

    copied.write_bytes(b"mine")
    assert "A different file named" in act(page, "copy", run_id, confirmed=True)["problem"]
    copied.unlink()
    clip.unlink()
    assert "in no folder" in act(page, "copy", run_id, confirmed=True)["problem"]


def test_a_clip_is_copied_through_no_link_out_of_the_notebooks_folder(page: FrontEnd) -> None:
    run_id = run(page)
    folder = page.notebook.parent
    (clip,) = folder.rglob(f"{run_id}.mp4")
    other, outside = folder / "other", folder / "outside"
    other.mkdir()
    outside.mkdir()
    (other / clip.parent.name).symlink_to(outside)
    (other / "copy.ipynb").write_bytes(page.notebook.read_bytes())
    page.say("hello", id="nb3", root=str(folder), path="other/copy.ipynb", known={}, shown=[])
    page.until(lambda: any(each.get("notebook") == "nb3" for each in page.sync), 60)

    assert "leads out of" in act(page, "copy", run_id, confirmed=True)["problem"]
    assert list(outside.iterdir()) == []


def test_a_job_is_cancelled_after_its_cost_was_said(
    page: FrontEnd, folder: Path, simulator: Simulator
) -> None:
    prompt = f"A heron that is not needed, in {folder.parent.name}."
    simulator.fault("stuck", prompt=prompt)
    page.run("import os; os.environ['REPLICATE_API_TOKEN'] = 'r8_not-a-key'")
    cell = page.run(f"%%hailuo --provider replicate\n{prompt}")
    [shown] = [each["data"][MIME] for each in cell.outputs if "data" in each]
    run_id = shown["run_id"]
    page.run("run = __import__('hailuo_jupyter').runs()[0]")
    page.until(lambda: page.run("print(run.status)").text == "generating\n", 60)
    planned = act(page, "cancel", run_id, confirmed=False)
    assert "charges for a job that has started" in planned["text"][0]
    assert act(page, "cancel", run_id, confirmed=True)["problem"] == ""
    page.until(lambda: cell.outputs[0]["data"][MIME]["state"] == "failed", 60)
    assert "was cancelled" in cell.outputs[0]["data"]["text/plain"]
    assert "can't be cancelled now" in act(page, "cancel", run_id, confirmed=False)["problem"]


def test_a_file_that_is_not_the_clip_is_not_deleted(page: FrontEnd) -> None:
    run_id = run(page)
    (clip,) = page.notebook.parent.rglob(f"{run_id}.mp4")
    clip.write_bytes(b"mine")
    answer = act(page, "delete", run_id, confirmed=True)
    assert "does not match its record" in answer["problem"]
    assert clip.read_bytes() == b"mine"
    missing = act(page, "delete", "20200101-000000-aaaaaa", confirmed=False)
    assert "20200101-000000-aaaaaa" in missing["problem"]
