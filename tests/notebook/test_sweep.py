"""Sweeps in real kernels: the plan and its button, the sheet, stop, restart, resume; what was submitted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.ipynb.sync import sync
from tests.simulator import Simulator
from tests.support.engine_fixture import KEYS
from tests.support.fake_front_end import FrontEnd
from tests.support.notebook_files import environment, load, shown, simulator, surroundings, write
from tests.support.notebook_files import notebook as new_notebook
from tests.support.panel_widgets import PanelWidgets

MIME = "application/vnd.hailuo.run+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
# The demo is as fast as this simulator, so that its jobs are looked at within moments.
LOAD = "%load_ext hailuo_jupyter\n%config Hailuo.demo_speed = 300"
ONE_BY_ONE = f"{LOAD}\n%config Hailuo.sweep_parallel = 1"
GRID = '--sweep mode=standard,pro --sweep style="ink wash","35mm film" --sweep shot=wide,close'
IN_FLIGHT = (
    "from hailuo_jupyter.engine import process\n"
    "rows = [row for log in process.get_engine().logs() for row in log.unfinished()]\n"
    "print(sum(row.record.job.id is not None for row in rows))"
)
PROMPT = "A heron lifts off a lake, {style}, {shot}."


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with simulator(speed=300) as running:
        yield running


@pytest.fixture
def front(tmp_path: Path, sim: Simulator) -> Iterator[FrontEnd]:
    folder = tmp_path / "nb"
    folder.mkdir()
    env = {**environment(tmp_path, sim), **sim.environment(), **KEYS}
    with FrontEnd(folder, env) as running:
        assert running.run(LOAD).error is None
        yield running


def submits(sim: Simulator, words: str) -> int:
    return sum(words in json.dumps(job.body) for job in sim.ledger.jobs)


def sheet(cell: Any) -> dict[str, Any]:
    (data,) = (o["data"] for o in cell.outputs if MIME in o.get("data", {}))
    return dict(data)


def counted(data: dict[str, Any], state: str) -> int:
    return sum(record["state"] == state for record in data[MIME]["runs"])


def test_the_button_sends_what_the_plan_says_and_a_rerun_buys_nothing(
    front: FrontEnd, sim: Simulator
) -> None:
    cell = front.run(f"%%hailuo --provider demo {GRID}\n{PROMPT}")
    assert cell.error is None
    asked = sheet(cell)
    assert "8 runs: 8 new." in asked["text/plain"]
    assert "About " in asked["text/plain"]
    assert asked[MIME]["runs"] == []
    assert submits(sim, "A heron lifts") == 0
    form = PanelWidgets(front, cell)
    for _ in range(2):  # pressed twice, agreed to once
        form.click("Generate 8 clips for free (demo)")
    front.until(lambda: counted(sheet(cell), "completed") == 8)
    data = sheet(cell)
    assert submits(sim, "A heron lifts") == 8
    assert WIDGET not in data
    html = data["text/html"]
    assert html.count('<video controls loop preload="none"') == 8
    assert 'class="hailuo-grid"' in html
    assert len(re.findall(r'<th scope="rowgroup"', html)) == 2
    assert [axis["name"] for axis in data[MIME]["sweep"]["axes"]] == ["mode", "style", "shot"]
    positions = [record["position"] for record in data[MIME]["runs"]]
    assert positions == list(range(8))
    assert {record["sweep"] for record in data[MIME]["runs"]} == {data[MIME]["sweep"]["id"]}

    again = front.run(f"%%hailuo --provider demo {GRID} --name birds\n{PROMPT}")
    assert again.error is None
    assert counted(sheet(again), "completed") == 8
    assert submits(sim, "A heron lifts") == 8
    table = front.run("t = birds.to_pandas(); print(list(t.columns[:4]), len(t), len(birds.runs))")
    assert "['axis_mode', 'axis_style', 'axis_shot', 'run_id'] 8 8" in table.text


def test_a_sweep_over_providers_and_models_tells_them_apart(
    front: FrontEnd, sim: Simulator
) -> None:
    providers, models = ("fal", "runware", "minimax"), ("hailuo-02", "hailuo-2.3")
    cell = front.run(
        f"%%hailuo --sweep provider={','.join(providers)} --sweep model={','.join(models)} --yes "
        "--name where\nA kingfisher, bought in many places."
    )
    assert cell.error is None
    front.until(lambda: counted(sheet(cell), "completed") == 6)
    data = sheet(cell)
    assert [axis["name"] for axis in data[MIME]["sweep"]["axes"]] == ["provider", "model"]
    headers = re.findall(r"<th [^>]*>(.*?)</th>", data["text/html"], re.DOTALL)
    told = " ".join(re.sub(r"<[^>]+>", " ", each) for each in headers)
    assert all(name in told for name in (*providers, *models))
    assert all(title in data["text/plain"] for title in ("fal", "Runware", "MiniMax"))
    table = front.run(
        "for each in where.to_dicts(): print(each['axis_provider'], each['axis_model'], "
        "each['provider'], each['model'])"
    )
    # Each has another name for each model.
    slugs = {
        "fal": ("fal-ai/minimax/hailuo-02", "fal-ai/minimax/hailuo-2.3"),
        "runware": ("minimax:3@1", "minimax:4@1"),
        "minimax": ("MiniMax-Hailuo-02", "MiniMax-Hailuo-2.3"),
    }
    assert [line.split()[:3] for line in table.text.strip().splitlines()] == [
        [provider, model, provider] for provider in providers for model in models
    ]
    assert {(job.wire, job.model) for job in sim.state.jobs() if "kingfisher" in job.prompt} == {
        (provider, slug) for provider, both in slugs.items() for slug in both
    }


def test_a_restart_leaves_the_rest_to_the_person(front: FrontEnd, sim: Simulator) -> None:
    for long in (
        "An owl, s1",
        "An owl, s3",
    ):  # some seconds, of which there is a killing and a stop
        sim.fault("seconds", prompt=long, seconds=600)
    front.run(ONE_BY_ONE)
    cell = front.run(
        "%%hailuo --provider demo --yes --sweep style=s0,s1,s2,s3,s4 --name owls\nAn owl, {style}."
    )
    assert cell.error is None
    front.until(lambda: submits(sim, "An owl,") == 2)
    # Not before the answer is in the run log: otherwise the run is unconfirmed.
    front.until(lambda: front.run(IN_FLIGHT).text.strip() == "1")
    front.restart()
    front.run(ONE_BY_ONE)
    name = re.search(r"sweep-\w{8}", front.run("%hailuo sweep").text)
    assert name
    taken = front.run("%hailuo resume", "cell-2")  # watches and fetches; sends nothing of the sweep
    front.until(lambda: sheet(taken)[MIME].get("state") == "completed")
    assert submits(sim, "An owl,") == 2
    tail = name[0][-6:]
    rest = sheet(front.run(f"%hailuo sweep {tail}", "cell-6"))
    assert "2 of 5 completed, 3 not sent" in rest["text/plain"]
    assert f"'%hailuo resume {name[0]}' to submit the rest." in rest["text/plain"]
    resumed = front.run(f"%hailuo resume {tail}", "cell-3")
    assert resumed.error is None
    assert "Resumed" in resumed.text
    front.until(lambda: submits(sim, "An owl,") == 4)
    stopped = front.run("%hailuo stop", "cell-4")  # it is the only one that is being sent
    assert f"Stopped {name[0]}." in stopped.text
    again = front.run("%hailuo stop", "cell-7")
    assert again.error
    assert "No sweep is being sent." in again.error["evalue"]
    named = front.run(f"%hailuo stop {tail}", "cell-7")
    assert f"Stopped {name[0]}." in named.text
    front.until(lambda: counted(sheet(resumed), "completed") == 4)  # what is bought is fetched
    assert submits(sim, "An owl,") == 4
    assert "1 not sent" in sheet(resumed)["text/plain"]
    last = front.run("%hailuo resume owls", "cell-5")  # by name, also in a new kernel
    assert f"owls ({name[0]}): " in sheet(last)["text/plain"]
    assert "<bdi>owls</bdi>" in sheet(last)["text/html"]
    front.until(lambda: counted(sheet(last), "completed") == 5)
    assert submits(sim, "An owl,") == 5
    wrong = front.run("%hailuo resume sweep-zzzzzzzz")
    assert wrong.error
    assert wrong.error["ename"] == "RunNotFound"


def ask(front: FrontEnd, sweep: str, action: str, **more: Any) -> dict[str, Any]:
    """Have a page ask for something to be done with a sweep; gives the answer."""
    front.sync.clear()
    front.say("sweep", **{"ask": 5, "sweep": sweep, "action": action, "confirmed": False, **more})
    front.until(lambda: any(each["op"] == "acted" for each in front.sync))
    return next(each for each in front.sync if each["op"] == "acted")


def test_a_page_buys_what_was_agreed_to_once_and_nothing_that_may_be_bought(
    front: FrontEnd, sim: Simulator
) -> None:
    sim.fault("lost-answer", "submit", prompt="A swan, s0")
    sim.fault("seconds", prompt="A swan, s1", count=1, seconds=15000)
    front.run(ONE_BY_ONE)
    front.say("hello", id="nb", root="/", path="", known={}, shown=[])
    front.until(lambda: any(each["op"] == "welcome" for each in front.sync))
    cell = front.run("%%hailuo --provider demo --yes --sweep style=s0,s1,s2,s3\nA swan, {style}.")
    front.until(lambda: submits(sim, "A swan, s1") == 1)
    (sweep,) = set(re.findall(r"sweep-\w{8}", str(sheet(cell)[MIME])))
    stopped = ask(front, sweep, "stop")
    assert (stopped["problem"], stopped["text"][0][:8]) == ("", "Stopped.")
    assert "2 not sent" in stopped["text"][0]
    assert "already submitted: paid for, will be downloaded" in stopped["text"][0]
    assert "sending" not in stopped["bundles"][0][MIME]["sweep"]
    assert stopped["bundles"][0][MIME]["sweep"]["price"] == "free (demo)"

    planned = ask(front, sweep, "resume")
    assert planned["text"][0] == "2 clips for free (demo)"
    assert planned["about"]
    assert ask(front, sweep, "watch", confirmed=True)["problem"] == ""
    refused = ask(front, sweep, "resume", confirmed=True, about="0" * 32)
    assert "Nothing was sent" in refused["problem"]
    # Something else is missing by now than what was agreed to.
    assert front.run("%%hailuo --provider demo\nA swan, s2.", "cell-7").error is None
    front.until(lambda: submits(sim, "A swan, s2") == 1)
    changed = ask(front, sweep, "resume", confirmed=True, about=planned["about"])
    assert "What is missing has changed" in changed["problem"]

    planned = ask(front, sweep, "resume")
    assert planned["text"][0] == "1 clip for free (demo)"
    agreed = {"confirmed": True, "about": planned["about"]}
    assert ask(front, sweep, "resume", **agreed)["problem"] == ""
    assert ask(front, sweep, "resume", **agreed)["problem"] != ""  # agreed to once
    sim.advance(15000)  # there is room for the next one
    front.until(lambda: submits(sim, "A swan, s3") == 1)
    assert [submits(sim, f"A swan, s{at}") for at in range(4)] == [1, 1, 1, 1]
    assert ask(front, "sweep-zzzzzzzz", "resume")["problem"].startswith("No sweep")


def test_headless_it_refuses_without_yes_and_goes_on_past_a_failure(
    execute: Any, simulator: Simulator, env: dict[str, str]
) -> None:
    simulator.fault("moderation", prompt="A crane, b.")
    notebook = execute(
        LOAD,
        f"%%hailuo --provider demo {GRID}\n{PROMPT} Headless.",
        "%%hailuo --provider segmind --sweep x=a --dry-run\nA crane, {x}.",
        "%config Hailuo.sweep_confirm_usd = 0.5",
        "%%hailuo --provider segmind --sweep mode=standard,pro\nA crane.",
        "%%hailuo --provider demo --sweep x=a,b,c\nA crane, {x}.",
        "after = 1",
        "%%hailuo --provider demo --sweep x=a --embed\nA crane, {x}.",
        "%%hailuo --provider demo --sweep x=a --sweep mode=standard,fast\nA crane, {x}.",
        allow_errors=True,
    )
    refused, dry, dear, some = (notebook.cells[at].outputs for at in (1, 2, 4, 5))
    assert [output.output_type for output in refused] == ["display_data", "error"]
    assert refused[1].ename == "NotConfirmed"
    assert "--yes" in refused[1].evalue
    assert len(refused[1].traceback) <= 4
    assert "Dry run: nothing was sent." in dry[0].data["text/plain"]
    assert dear[1].ename == "NotConfirmed"
    assert re.search(r"2 clips for \$\d+\.\d\d.\d+\.\d\d est\. A sweep", dear[1].evalue)
    assert [output.output_type for output in some] == ["display_data", "display_data"]
    assert "2 of 3 completed, 1 failed" in some[1].data["text/plain"]
    errors = [cell.outputs[0].evalue for cell in notebook.cells[7:]]
    assert "--embed" in errors[0]
    assert "At x=a, mode=fast" in errors[1]
    sent = [job.prompt for job in simulator.ledger.jobs]
    assert sorted(text for text in sent if text.startswith("A crane")) == [
        "A crane, a.",
        "A crane, b.",
        "A crane, c.",
    ]
    assert not any("Headless" in text for text in sent)


def test_from_python_with_rows_frames_and_counts_and_at_rest(tmp_path: Path) -> None:
    from PIL import Image

    import hailuo_jupyter as hailuo
    from hailuo_jupyter.engine import process
    from hailuo_jupyter.errors import NotConfirmed, OptionError
    from hailuo_jupyter.kernel.sweep import lookup, store
    from hailuo_jupyter.kernel.sweep.sheet_views import render

    frames = [Image.new("RGB", (640, 360), colour) for colour in ("navy", "gold")]
    with simulator(speed=300) as sim, surroundings(tmp_path, sim) as settings:
        settings.demo_speed = 300
        with pytest.raises(NotConfirmed, match="yes=True"):
            hailuo.sweep("A {x}", {"x": list("abcdef")}, provider="demo", count=2)
        with pytest.raises(OptionError, match="same clip"):
            hailuo.sweep(rows=[{"prompt": "A"}, {"prompt": "A"}], provider="demo")
        made = hailuo.sweep(
            "A kite {as it is}.", {"image": frames}, provider="demo", count=2, wait=True,
            output=tmp_path / "nb" / "hailuo",
        )  # fmt: skip
        assert len(made.runs) == 4
        assert {job.prompt for job in sim.ledger.jobs} == {"A kite {as it is}."}
        assert [each["axis_image"] for each in made.to_dicts()] == [
            "a Image (1)", "a Image (1)", "a Image (2)", "a Image (2)",
        ]  # fmt: skip
        # What another process finds: frames kept, the same fingerprints, nothing lacking.
        engine = process.get_engine()
        row = lookup.find(engine, made.sweep_id)
        assert store.load(row, engine, settings).missing == 0
        # A notebook at rest that missed the end is drawn as a sheet again.
        data = render(engine, lookup.stored_sheet(engine, row), tmp_path / "nb")
        early = json.loads(json.dumps(data))
        for record in early[MIME]["runs"]:
            record["revision"] -= 1
        early["text/html"] = "old"
        path = write(tmp_path / "nb" / "a.ipynb", new_notebook(code_with(shown(early))))
        sync(path, settings=settings)
        (cell,) = load(path)["cells"]
        drawn_again = cell["outputs"][0]["data"]
        assert "".join(drawn_again["text/html"]) == data["text/html"]
        assert drawn_again[MIME]["sweep"]["id"] == made.sweep_id
        assert len(cell["metadata"]["hailuo"]["runs"]) == 4
        assert len(sim.ledger.jobs) == 4


def code_with(output: dict[str, Any]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": 1,
        "id": "one",
        "metadata": {},
        "outputs": [output],
        "source": ["pass"],
    }
