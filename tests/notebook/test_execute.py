"""`jupyter hailuo execute`: a real kernel, a real simulator, real files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from hailuo_jupyter.errors import NotebookError
from hailuo_jupyter.ids import made_of_path
from hailuo_jupyter.ipynb import records
from hailuo_jupyter.ipynb.events import CellBegins, Event, RunMoved, WaitBegins
from hailuo_jupyter.ipynb.execute import ExecutionResult, execute
from hailuo_jupyter.ipynb.sync import sync
from hailuo_jupyter.ipynb.verify import verify
from tests.simulator import Simulator
from tests.support.notebook_files import (
    MIME,
    code,
    load,
    markdown,
    notebook,
    simulator,
    surroundings,
    write,
)

CELLS = (
    code("load", "%load_ext hailuo_jupyter"),
    markdown("words", "# Two clips"),
    code("first", "%%hailuo --provider demo --name a\nA paper boat."),
    code("second", "%%hailuo --provider demo --count 2 --name b\nA kite over a field."),
    code("quiet", "from hailuo_jupyter import generate\nc = generate('A lamp.', 'demo')"),
    code("other", "6 * 7"),
    code("handle", "c"),
)


@dataclass
class Executed:
    path: Path
    outcome: ExecutionResult
    events: list[Event]
    sim: Simulator
    nb: Any


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory, sim: Simulator) -> Iterator[Executed]:
    folder = tmp_path_factory.mktemp("executed")
    path = write(folder / "work" / "clips.ipynb", notebook(*CELLS, kept="as it is"))
    events: list[Event] = []
    with surroundings(folder, sim):
        outcome = execute(path, tell=events.append)
        yield Executed(path, outcome, events, sim, load(path))


def outputs(nb: Any, cell_id: str) -> list[Any]:
    return next(cell["outputs"] for cell in nb["cells"] if cell["id"] == cell_id)


def test_every_run_is_completed_and_nothing_is_reported(executed: Executed) -> None:
    assert executed.outcome.problems == ()
    assert executed.outcome.runs == 4
    runs = executed.nb["metadata"]["hailuo"]["runs"]
    assert {record["state"] for record in runs.values()} == {"completed"}


def test_outputs_of_cells_that_returned_at_once_hold_the_clip(executed: Executed) -> None:
    (output,) = outputs(executed.nb, "first")
    record = output["data"][MIME]
    html = "".join(output["data"]["text/html"])
    assert record["state"] == "completed"
    assert record["clip"]["path"] == f"a-{record['run_id'][-6:]}.mp4"
    assert f'src="hailuo/{record["clip"]["path"]}"' in html
    assert (executed.path.parent / "hailuo" / record["clip"]["path"]).is_file()


def test_runs_were_on_their_way_at_the_same_time(executed: Executed) -> None:
    runs = executed.nb["metadata"]["hailuo"]["runs"].values()
    last_submitted = max(record["times"]["submitting"] for record in runs)
    assert all(record["times"]["completed"] > last_submitted for record in runs)


def test_no_output_is_a_widget(executed: Executed) -> None:
    kinds = {
        kind
        for cell in executed.nb["cells"]
        for output in cell.get("outputs", ())
        for kind in output.get("data", ())
    }
    assert MIME in kinds
    assert "application/vnd.jupyter.widget-view+json" not in kinds


def test_cells_list_exactly_the_runs_that_they_show(executed: Executed) -> None:
    listed = {
        cell["id"]: cell["metadata"].get("hailuo", {}).get("runs") for cell in executed.nb["cells"]
    }
    (first,), (second,) = outputs(executed.nb, "first"), outputs(executed.nb, "second")
    both = [record["run_id"] for record in second["data"][MIME]["runs"]]
    assert len(both) == 2
    assert listed["first"] == [first["data"][MIME]["run_id"]]
    assert listed["second"] == both
    assert len(listed["handle"]) == 1
    assert listed["quiet"] is None
    assert listed["other"] is None


def test_records_tell_where_they_were_asked_for(executed: Executed) -> None:
    record = outputs(executed.nb, "first")[0]["data"][MIME]
    assert record["origin"]["cell_id"] == "first"
    assert record["origin"]["notebook_path"] == "clips.ipynb"
    assert record["origin"]["notebook_id"] == executed.nb["metadata"]["hailuo"]["id"]


def test_the_id_is_the_one_that_jupyterlab_would_give(executed: Executed) -> None:
    assert executed.nb["metadata"]["hailuo"]["id"] == made_of_path(executed.path)


def test_cells_and_foreign_metadata_stay(executed: Executed) -> None:
    assert [cell["id"] for cell in executed.nb["cells"]] == [cell["id"] for cell in CELLS]
    assert executed.nb["metadata"]["kept"] == "as it is"
    assert outputs(executed.nb, "other")[0]["data"]["text/plain"] == ["42"]


def test_the_file_is_as_jupyter_writes_it(executed: Executed) -> None:
    nb = nbformat.read(executed.path, as_version=4)
    nbformat.validate(nb)
    assert executed.path.read_text() == nbformat.writes(nb) + "\n"
    assert not list(executed.path.parent.glob(".*.tmp"))


def test_stages_are_told_as_they_happen(executed: Executed) -> None:
    cells = [event for event in executed.events if isinstance(event, CellBegins)]
    moves = [event.record for event in executed.events if isinstance(event, RunMoved)]
    assert [(cell.number, cell.of) for cell in cells] == [(n, 6) for n in range(1, 7)]
    assert any(isinstance(event, WaitBegins) for event in executed.events)
    assert len({record.run_id for record in moves}) == 4
    assert sum(record.state == "completed" for record in moves) == 4


def test_what_was_written_passes_verify_and_needs_no_sync(executed: Executed) -> None:
    verdict = verify(executed.path)
    assert [finding.text for finding in verdict.findings] == []
    assert (verdict.runs, verdict.clips) == (4, 4)
    assert not sync(executed.path).changed


def test_executing_again_buys_nothing(executed: Executed) -> None:
    before = len(executed.sim.ledger)
    outcome = execute(executed.path)
    assert outcome.problems == ()
    assert len(executed.sim.ledger) == before
    assert set(load(executed.path)["metadata"]["hailuo"]["runs"]) == set(
        executed.nb["metadata"]["hailuo"]["runs"]
    )


def test_what_is_drawn_anew_for_another_folder_refers_to_the_records(
    executed: Executed, tmp_path: Path
) -> None:
    here = outputs(executed.nb, "first")[0]["data"][MIME]
    assert "request" in here, "an output that was not drawn anew holds the record"
    elsewhere = tmp_path / "elsewhere" / "clips.ipynb"
    elsewhere.parent.mkdir()
    execute(executed.path, elsewhere)
    nb = load(elsewhere)
    referred = outputs(nb, "first")[0]["data"][MIME]
    assert referred["reference"] is True
    assert referred["run_id"] == here["run_id"]
    assert [each["reference"] for each in outputs(nb, "second")[0]["data"][MIME]["runs"]] == [
        True,
        True,
    ]
    assert nb["metadata"]["hailuo"]["runs"][here["run_id"]]["request"] == here["request"]
    assert [each.missing for each in records.outputs(nb)] == [[], [], []]


def test_a_failing_cell_stops_it_but_no_clip_is_lost(
    tmp_path: Path, sim: Simulator, executed: Executed
) -> None:
    path = write(
        tmp_path / "in" / "failing.ipynb",
        notebook(
            code("load", "%load_ext hailuo_jupyter"),
            code("clip", "%%hailuo --provider demo\nA boat that fails."),
            code("bad", "%%hailuo --mode best --provider demo\nA boat."),
            code("after", "print('never')"),
        ),
    )
    out = tmp_path / "out.ipynb"
    text = path.read_text()
    outcome = execute(path, out)
    assert len(outcome.problems) == 1
    assert outcome.problems[0].startswith("Code cell 3 failed: OptionError: ")
    assert path.read_text() == text
    nb = load(out)
    assert outputs(nb, "bad")[0]["ename"] == "OptionError"
    assert outputs(nb, "after") == []
    record = outputs(nb, "clip")[0]["data"][MIME]
    assert record["state"] == "completed"
    # The result lies one folder above the clips, and its link leads there all the same.
    html = "".join(outputs(nb, "clip")[0]["data"]["text/html"])
    assert f'src="in/hailuo/{record["run_id"]}.mp4"' in html
    assert verify(out).ok


def test_with_errors_allowed_it_goes_on(tmp_path: Path, executed: Executed) -> None:
    path = write(
        tmp_path / "nb.ipynb", notebook(code("bad", "1 / 0"), code("after", "print('on')"))
    )
    outcome = execute(path, allow_errors=True)
    assert outcome.problems == ()
    nb = load(path)
    assert outputs(nb, "after")[0]["text"] == ["on\n"]
    assert nb["metadata"]["hailuo"] == {"id": made_of_path(path), "runs": {}, "schema": 1}


def test_clips_of_earlier_cells_are_waited_for_after_a_slow_cell(
    tmp_path: Path, executed: Executed
) -> None:
    path = write(
        tmp_path / "slow.ipynb",
        notebook(
            code("load", "%load_ext hailuo_jupyter"),
            code("clip", "%%hailuo --provider demo\nA boat before a long cell."),
            code("slow", "import time; time.sleep(60)"),
        ),
    )
    # Long enough for the cells before it, on a busy machine too.
    assert execute(path, timeout=15).problems == ("Code cell 3 took longer than 15 s.",)
    assert outputs(load(path), "clip")[0]["data"][MIME]["state"] == "completed"


def test_a_slow_cell_and_a_dying_kernel_are_told(tmp_path: Path, executed: Executed) -> None:
    slow = write(tmp_path / "slow.ipynb", notebook(code("s", "import time; time.sleep(60)")))
    assert execute(slow, timeout=1).problems == ("Code cell 1 took longer than 1 s.",)
    dying = write(tmp_path / "dying.ipynb", notebook(code("d", "import os; os._exit(3)")))
    assert execute(dying).problems == ("The kernel died (exit status 3).",)
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    path = write(tmp_path / "killed.ipynb", notebook(code("k", killed)))
    assert execute(path).problems == (
        "The kernel died (killed by SIGKILL; memory may have run out).",
    )


def test_a_limit_ends_it(tmp_path: Path, executed: Executed) -> None:
    path = write(tmp_path / "slow.ipynb", notebook(code("s", "import time; time.sleep(60)")))
    assert execute(path, limit=3).problems == ("It took longer than 3 s.",)


def test_edits_made_meanwhile_are_not_overwritten(tmp_path: Path, executed: Executed) -> None:
    path = tmp_path / "edited.ipynb"
    write(path, notebook(code("e", f"open({str(path)!r}, 'a').write(' '); 'done'")))
    outcome = execute(path)
    assert outcome.path == tmp_path / "edited-executed.ipynb"
    assert load(path)["cells"][0]["outputs"] == []
    assert "hailuo" not in load(path)["metadata"]
    assert outputs(load(outcome.path), "e")


def test_a_link_and_the_file_mode_stay(tmp_path: Path, executed: Executed) -> None:
    path = write(tmp_path / "real.ipynb", notebook(code("x", "1")))
    path.chmod(0o640)
    link = tmp_path / "link.ipynb"
    link.symlink_to(path)
    execute(link)
    assert link.is_symlink()
    assert outputs(load(path), "x")
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("[1]", "is not a notebook"),
        ('{"nbformat": 3, "worksheets": []}', "format 3"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "no metadata or no cells"),
    ],
)
def test_what_is_no_notebook_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "no.ipynb"
    path.write_text(text)
    with pytest.raises(NotebookError, match=said):
        execute(path)
    assert path.read_text() == text


def test_an_unknown_kernel_is_refused_before_anything_runs(tmp_path: Path) -> None:
    path = write(tmp_path / "nb.ipynb", notebook(code("x", "1")))
    with pytest.raises(NotebookError, match="Kernel not found: 'klingon'"):
        execute(path, kernel="klingon")


def test_foreign_metadata_in_our_place_is_refused_before_anything_runs(tmp_path: Path) -> None:
    path = write(tmp_path / "nb.ipynb", notebook(code("x", "1"), hailuo="a poem"))
    with pytest.raises(NotebookError, match="unknown content"):
        execute(path)
    assert [found.name for found in tmp_path.iterdir()] == ["nb.ipynb"]
