"""No key anywhere: random keys on both wires, with errors, echoes and debug logging; then all is read."""

from __future__ import annotations

import json
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.ipynb.audit import scan_bytes
from tests.simulator import Simulator
from tests.support.fake_front_end import Cell, FrontEnd
from tests.support.notebook_files import code, command, environment, notebook, simulator, write

MIME = "application/vnd.hailuo.run+json"

#: Part of every absolute path here, as a user's name is.
USER = "xyzzy-the-user"

LOGGING = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, filename="../debug.log", force=True)
logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))
for name in ("httpx", "httpcore", "hailuo_jupyter"):
    logging.getLogger(name).setLevel(logging.DEBUG)
%load_ext hailuo_jupyter
"""

#: What a person does who wants to see everything.
LOOK = """
import traceback, pprint
from hailuo_jupyter import catalogue, errors, keys
from hailuo_jupyter.engine import process
for provider in catalogue.providers():
    found = keys.find(provider.name, provider.key_variables)
    print(found, repr(found), str(found), [found], f"{found!r}")
engine = process.get_engine()
for log in engine.logs():
    for row in log.recent():
        run = engine.run(row.run_id)
        print(repr(run), row, row.record)
        pprint.pprint(row.record.model_dump())
        try:
            run.wait(0)
        except errors.HailuoError as error:
            traceback.print_exc(file=sys.stdout)
            print(repr(error), error.as_problem())
print(vars(engine), engine.providers, process.__dict__.keys())
"""


class Listening(FrontEnd):
    """A front end that keeps each message as it came."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.heard: list[str] = []

    def _connect(self) -> None:
        super()._connect()
        there = self._client.get_iopub_msg

        def hear(**how: Any) -> Any:
            message = there(**how)
            self.heard.append(repr(message))
            return message

        self._client.get_iopub_msg = hear


@pytest.fixture
def used() -> dict[str, str]:
    """Keys as the providers give them, new each time."""
    return {
        "SEGMIND_API_KEY": f"SG_{secrets.token_hex(8)}",
        "AIML_API_KEY": secrets.token_hex(16),
    }


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / USER
    (path / "work").mkdir(parents=True)
    return path


@pytest.fixture
def env(home: Path, sim: Simulator, used: dict[str, str]) -> dict[str, str]:
    values = {"HOME": str(home), "USER": USER, "LOGNAME": USER}
    return {**environment(home, sim), **sim.environment(), **used, **values}


def refusals(key: str) -> list[tuple[str, dict[str, Any]]]:
    """Return answers to a submit in which a provider repeats the key that it was asked with."""
    said = f"Invalid API key {key}. Got header x-api-key: {key}"
    return [
        ("answer", {"status": 401, "body": {"error": said, "token": key}}),
        ("answer", {"status": 401, "body": f"<html>{said} Authorization: Bearer {key}</html>"}),
        ("answer", {"status": 422, "body": {"detail": [{"msg": said, "input": {"key": key}}]}}),
        ("answer", {"status": 400, "body": {"message": f"masked {key[:8]}… {key}"}}),
        ("answer", {"status": 500, "body": {"error": {"headers": {"Authorization": key}}}}),
        ("no-credits", {}),
        ("garbage", {}),
        ("redirect", {}),
        ("job-fails", {"message": f"worker said: {said}"}),
    ]


def refused(cell: Cell) -> bool:
    """Return whether a cell has an error, or a card that says that the answer was lost."""
    shown = (each.get("data", {}).get(MIME, {}) for each in cell.outputs)
    return cell.error is not None or any(each.get("state") == "unconfirmed" for each in shown)


def clean(text: str | bytes, used: dict[str, str], where: object) -> None:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    assert scan_bytes(data, used.values()) == [], where


def test_no_key_in_whatever_a_kernel_says_and_writes(
    home: Path, env: dict[str, str], sim: Simulator, used: dict[str, str]
) -> None:
    cells: list[Cell] = []
    with Listening(home / "work", env) as page:

        def run(source: str) -> Cell:
            cells.append(page.run(source))
            return cells[-1]

        assert run(LOGGING).error is None
        run("from PIL import Image; Image.effect_noise((640, 360), 60).save('f.png')")
        good = [
            run("%%hailuo --provider segmind --image f.png\nA heron."),
            run("%%hailuo --provider aimlapi --image f.png\nA heron."),
        ]
        # On a busy machine an answer may take more than the two seconds that a cell waits.
        run("import hailuo_jupyter.kernel.generate as g; g.ANSWER_S = 10.0")
        failed = 0
        for provider, key in (
            ("segmind", used["SEGMIND_API_KEY"]),
            ("aimlapi", used["AIML_API_KEY"]),
        ):
            for number, (fault, options) in enumerate(refusals(key)):
                sim.fault(fault, "submit", **options)
                failed += refused(run(f"%%hailuo --provider {provider}\nFault {number}."))
        assert failed >= 12
        run("%xmode Verbose")
        sim.fault("answer", "submit", status=401, body={"error": used["SEGMIND_API_KEY"]})
        run("import hailuo_jupyter as h\nh.generate('A stone.', 'segmind').wait(5)")
        looked = run(LOOK)
        assert "<key from environment SEGMIND_API_KEY>" in looked.text
        assert "Traceback" in looked.text
        for line in ("runs", "providers", "settings", "doctor", "version"):
            assert run(f"%hailuo {line}").error is None
        page.until(lambda: all(state(cell) == "completed" for cell in good), 90)

        # The log's files as they are on the disk while it is in use, and who may read them.
        log = Path(env["HAILUO_RUN_LOG"])
        files = [log, log.with_name(f"{log.name}-wal")]
        for each in files:
            clean(each.read_bytes(), used, each)
            assert stat.S_IMODE(each.stat().st_mode) == 0o600
        assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700

    debug = (home / "debug.log").read_text(encoding="utf-8")
    assert "send_request_headers" in debug, "the debug lines of httpcore are there"
    clean(debug, used, "debug.log")
    assert len(page.heard) > 100
    for message in page.heard:
        clean(message, used, message[:2000])
    for cell in cells:
        clean(json.dumps(cell.outputs, default=str), used, cell)
    sidecars = list((home / "work" / "hailuo").glob("*.json"))
    assert len(sidecars) >= 4
    for path in sidecars:
        clean(path.read_bytes(), used, path)
        assert USER not in path.read_text(encoding="utf-8")
    for cell in good:
        assert USER not in json.dumps(shown(cell))


def test_no_key_in_a_notebook_that_is_executed_nor_on_the_terminal(
    home: Path, env: dict[str, str], sim: Simulator, used: dict[str, str]
) -> None:
    work = home / "work"
    cells = [
        code("load", "%load_ext hailuo_jupyter\n%config Hailuo.aimlapi_wire = 'unified'"),
        code("a", "%%hailuo --provider aimlapi\nA boat."),
        code("b", "%%hailuo --provider segmind\nA boat."),
    ]
    write(work / "book.ipynb", notebook(*cells))
    for key in (used["AIML_API_KEY"], used["SEGMIND_API_KEY"]):
        sim.fault("answer", "submit", status=401, body={"message": f"{key} is not valid"})
    done = command("execute", "book.ipynb", "--allow-errors", cwd=work, env=env)
    assert "KeyRefused" in done.stderr + (work / "book.ipynb").read_text(encoding="utf-8")
    clean(done.stdout + done.stderr, used, "execute")
    text = (work / "book.ipynb").read_text(encoding="utf-8")
    clean(text, used, "book.ipynb")
    assert len(json.loads(text)["metadata"]["hailuo"]["runs"]) == 2
    assert USER not in text
    for path in (work / "hailuo").glob("*.json"):
        assert USER not in path.read_text(encoding="utf-8")
    assert command("runs", "--csv", "runs.csv", cwd=work, env=env).returncode == 0
    exported = (work / "runs.csv").read_text(encoding="utf-8")
    assert exported.count("A boat.") == 2
    assert USER not in exported
    told = command("runs", "--json", cwd=work, env=env).stdout
    assert told.count("A boat.") == 2
    assert USER not in told
    audit = command("audit", work, cwd=work, env=env)
    assert audit.returncode == 0, audit.stdout
    assert "no secrets found" in audit.stdout


def shown(cell: Cell) -> dict[str, Any]:
    return next(each["data"] for each in cell.outputs if each["type"] == "display_data")


def state(cell: Cell) -> str:
    return str(shown(cell)[MIME]["state"])
