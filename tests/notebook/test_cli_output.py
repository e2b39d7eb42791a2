"""`jupyter hailuo` where standard output is not UTF-8, full, closed, or read by no one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from hailuo_jupyter import generate
from hailuo_jupyter.cli import main
from hailuo_jupyter.engine import process
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from tests.simulator import Simulator
from tests.support.forking.process import run_python
from tests.support.notebook_files import (
    buy,
    code,
    command_names,
    environment,
    load,
    notebook,
    simulator,
    surroundings,
    write,
)

#: Neither cp1252 nor ascii has all of it, and cp936 has no bison.
PROMPT = "Ein Drache → 龍, ein Büffel 🐃"
ENCODINGS = ("cp1252", "ascii", "cp936")

# ── work that was paid for, in processes of their own ──────────────────────────────────────────


@pytest.fixture
def sim() -> Iterator[Simulator]:
    # Segmind's hour would be 18 s at this speed: too short for a process to start on a busy machine.
    with simulator(segmind_retention=200 * 3600.0) as running:
        yield running


@pytest.fixture
def left(tmp_path: Path, sim: Simulator) -> str:
    """A run that was bought and left by its process; gives its id."""
    with surroundings(tmp_path, sim):
        left = generate(PROMPT, provider="demo", output=tmp_path / "hailuo")
        process.get_engine().wait_answers([left], 30)
    return left.run_id


#: The command line, in a process that expects jobs of a moment.
QUICK = """
import sys
from hailuo_jupyter.cli import main
from hailuo_jupyter.engine import timings
from hailuo_jupyter.engine.eta import DurationEstimate
timings.DEFAULT = timings.Timings(expected_duration=DurationEstimate(0.3, 0.3))
sys.exit(main())
"""


def run(
    *words: str | Path, cwd: Path, sim: Simulator, out: str, **variables: str
) -> tuple[int, str, str]:
    """Run a command whose output goes to `out`; gives exit status, output and errors."""
    env = {**os.environ, **environment(cwd, sim), **variables}
    where: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    line = [sys.executable, "-c", QUICK, *map(str, words)]
    if out == "closed":
        line, where = ["sh", "-c", 'exec "$@" >&-', "sh", *line], {"stderr": subprocess.PIPE}
    elif out == "both closed":
        line, where = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *line], {}
    elif out == "reader gone":
        line = ["bash", "-c", '"$@" | true; exit "${PIPESTATUS[0]}"', "bash", *line]
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        if out == "full":
            where["stdout"] = full
        done = run_python(line, cwd=cwd, env=env, timeout=120, **where)
    said, complained = (done.stdout or b""), (done.stderr or b"")
    encoding = variables.get("PYTHONIOENCODING", "utf-8")
    return done.returncode, said.decode(encoding), complained.decode(encoding)


def state_of(folder: Path, sim: Simulator, run_id: str) -> str:
    with surroundings(folder, sim):
        row = process.get_engine().row(run_id)
        if row.record.clip is not None:
            assert (row.folder / row.record.clip.path).is_file()
        return str(row.state)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_collect_fetches_and_prints_where_output_is_not_utf_8(
    tmp_path: Path, sim: Simulator, left: str, encoding: str
) -> None:
    status, said, complained = run(
        "collect", cwd=tmp_path, sim=sim, out="pipe", PYTHONIOENCODING=encoding
    )
    assert (status, complained) == (0, "")
    assert state_of(tmp_path, sim, left) == "completed"
    assert f"Run {left}: Completed" in said
    assert f"{left}.mp4" in said
    assert "Ein Drache" in said
    assert ("龍" if encoding == "cp936" else "\\u9f8d") in said


#: What is said on standard error where standard output is so.
LOST = {
    "full": "No space left on device",
    "closed": "it is closed",
    "both closed": "",
    "reader gone": "",
}


@pytest.mark.parametrize(
    ("name", "out"), [*(("collect", out) for out in LOST), ("wait", "full"), ("wait", "closed")]
)
def test_a_clip_is_fetched_where_nothing_can_be_printed(
    tmp_path: Path, sim: Simulator, left: str, name: str, out: str
) -> None:
    why = LOST[out]
    status, _, complained = run(name, cwd=tmp_path, sim=sim, out=out)
    assert state_of(tmp_path, sim, left) == "completed"
    assert status == 1, complained
    assert "Traceback" not in complained
    assert why in complained
    assert len(complained.splitlines()) == bool(why)


@pytest.mark.parametrize(
    ("out", "encoding", "expected"), [("pipe", "ascii", 0), ("full", "utf-8", 1)]
)
def test_execute_runs_to_its_end_whatever_can_be_printed(
    tmp_path: Path, sim: Simulator, out: str, encoding: str, expected: int
) -> None:
    path = write(
        tmp_path / "clips.ipynb",
        notebook(
            code("arrow", "print('→ 龍')"),
            code("load", "%load_ext hailuo_jupyter\n%config Hailuo.demo_speed = 200"),
            code("clip", f"%%hailuo --provider demo\n{PROMPT}"),
        ),
    )
    status, said, complained = run(
        "execute", path.name, cwd=tmp_path, sim=sim, out=out, PYTHONIOENCODING=encoding
    )
    assert status == expected, complained
    assert "Traceback" not in complained
    (record,) = load(path)["metadata"]["hailuo"]["runs"].values()
    assert record["state"] == "completed"
    assert load(path)["cells"][0]["outputs"][0]["text"] == ["→ 龍\n"]
    if out == "pipe":
        assert "print('\\u2192 \\u9f8d')" in said


def test_a_closed_stream_is_not_taken_for_a_file_of_ours(tmp_path: Path) -> None:
    """A file opened later would get its number, and then whatever a library prints."""
    start = (
        "import os, sys\n"
        "from hailuo_jupyter import cli\n"
        "from hailuo_jupyter.cli import storage\n"
        "def look(_arguments):\n"
        "    own = open('own', 'w')\n"
        "    os.write(1, b'printed'); os.write(2, b'printed')\n"
        "    return own.fileno()\n"
        "storage.du = look\n"
        "sys.exit(cli.main(['du']))\n"
    )
    line = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", start]
    env = {**os.environ, **environment(tmp_path, None)}
    done = subprocess.run(line, cwd=tmp_path, env=env, timeout=60, check=False)
    assert done.returncode > 2
    assert (tmp_path / "own").read_text() == ""


# ── every command, in this process ─────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Row, Hailuo]]:
    """A folder with a notebook and its clip, whose prompt, tag, note and name are not Latin."""
    folder = tmp_path_factory.mktemp("gemacht-→")
    path = write(
        folder / "nb-龍.ipynb",
        notebook(
            code("load", "%load_ext hailuo_jupyter"),
            code("a", f"%%hailuo --provider demo\n{PROMPT}"),
        ),
    )
    with simulator() as sim:
        with surroundings(folder, sim) as settings:
            settings.demo_speed = 200.0
            rows = buy(settings, path, {"a": PROMPT}, {"a": f"%%hailuo --provider demo\n{PROMPT}"})
        with surroundings(folder, sim) as settings:
            handle = process.get_engine().run(rows["a"].run_id)
            handle.tag("龍")
            handle.note("→ Büffel")
            yield folder, process.get_engine().row(rows["a"].run_id), settings


def lines_of(folder: Path, row: Row) -> dict[str, list[str]]:
    """Return a command line for each command, one that prints something."""
    path, clip = str(folder / "nb-龍.ipynb"), str(folder / "hailuo" / f"{row.run_id}.mp4")
    return {
        "audit": ["audit", str(folder)],
        "collect": ["collect", "--max-minutes", "0.001"],
        "cost": ["cost"],
        "doctor": ["doctor"],
        "du": ["du"],
        "embed": ["embed", path, "-o", str(folder / f"copy-{os.urandom(4).hex()}.ipynb")],
        "execute": ["execute", str(folder / "none-龍.ipynb")],
        "export": ["export", path, "-o", str(folder / f"crate-{os.urandom(4).hex()}.zip")],
        "import": ["import", str(folder)],
        "join": ["join", clip, clip, "--replace", "-o", str(folder / "joined-龍.mp4")],
        "log-to": ["log-to", "龍"],
        "probe": ["probe", "龍"],
        "prune": ["prune", "--tag", "龍"],
        "relink": ["relink", str(folder)],
        "runs": ["runs"],
        "show": ["show", row.run_id],
        "sync": ["sync", path],
        "verify": ["verify", path],
        "wait": ["wait"],
        "runs --json": ["runs", "--json"],
        "runs --csv": ["runs", "--csv", "-"],
        "show --json": ["show", row.run_id, "--json"],
        "verify --json": ["verify", path, "--json"],
        "doctor --json": ["doctor", "--json"],
        "cost --json": ["cost", "--json"],
        "simulator": ["simulator", "--help"],
        "--help": ["--help"],
        "typo": ["龍"],
    }


#: These say what is wrong, and so print nothing on standard output.
COMPLAIN = {"execute", "log-to", "probe", "typo"}


def status_of(words: list[str]) -> Any:
    try:
        return main(words)
    except SystemExit as ended:
        return ended.code


def test_every_command_is_here(made: tuple[Path, Row, Hailuo]) -> None:
    assert set(command_names()) - set(lines_of(*made[:2])) == {"demo"}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_command_prints_in_any_encoding(
    made: tuple[Path, Row, Hailuo], encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, row, _ = made
    for name, words in lines_of(folder, row).items():
        out, err = io.BytesIO(), io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=encoding))
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(err, encoding=encoding))
        status = status_of(words)
        sys.stdout.flush()
        sys.stderr.flush()
        said, complained = out.getvalue().decode(encoding), err.getvalue().decode(encoding)
        monkeypatch.undo()
        assert status in ({1, 2} if name in COMPLAIN else {0, 1}), (name, complained)
        assert "Traceback" not in complained, name
        assert said or name in {*COMPLAIN, "collect", "wait"}, name
        if "json" in name:
            assert said.isascii(), name
            document = json.loads(said)
            if name == "show --json":
                assert document["request"]["prompt"] == PROMPT
        if name == "show" and encoding == "ascii":
            assert "Ein Drache \\u2192 \\u9f8d, ein B\\xfcffel \\U0001f403" in said


@pytest.mark.parametrize("kind", ["full", "None", "closed"])
def test_every_command_ends_with_a_status_where_nothing_can_be_printed(
    made: tuple[Path, Row, Hailuo], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, row, _ = made
    for name, words in lines_of(folder, row).items():
        stream: IO[str] | None = None
        if kind != "None":
            stream = open("/dev/full", "w", encoding="utf-8")  # noqa: PTH123, SIM115 - a device
        if kind == "closed" and stream is not None:
            stream.close()
        err = io.StringIO()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", err)
        status = status_of(words)
        assert sys.stdout is stream
        monkeypatch.undo()
        if stream is not None:
            stream.close()
        assert status in {1, 2}, name
        if name not in COMPLAIN:
            *_, last = err.getvalue().splitlines()
            assert last.startswith("Could not write to standard output "), name


# ── names that are not UTF-8 ───────────────────────────────────────────────────────────────────


def test_a_notebook_whose_name_is_not_utf_8(tmp_path: Path, sim: Simulator) -> None:
    """As from an old drive; also what each name beyond ASCII is in a C locale without UTF-8."""
    load = "%load_ext hailuo_jupyter\n%config Hailuo.demo_speed = 200"
    cells = code("load", load), code("clip", f"%%hailuo --provider demo\n{PROMPT}")
    path = write(tmp_path / os.fsdecode(b"alt-\xe9.ipynb"), notebook(*cells))
    commands = {
        "execute": ["execute", path],
        "sync": ["sync", path],
        "verify": ["verify", path],
        "runs": ["runs", "--notebook", path],
        "json": ["runs", "--json"],
    }
    for name, words in commands.items():
        status, said, complained = run(*words, cwd=tmp_path, sim=sim, out="pipe")
        assert (status, complained) == (0, ""), name
        assert "alt-" in said
    assert "1 clip in total" in run("du", cwd=tmp_path, sim=sim, out="pipe")[1]
    status, _, complained = run("export", path, "-o", "crate", cwd=tmp_path, sim=sim, out="pipe")
    assert (status, "Rename the notebook" in complained) == (1, True)


def test_a_notebook_has_the_same_id_in_every_locale(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from hailuo_jupyter.ids import made_of_path\n"
        "sys.stdout.write(made_of_path(Path(sys.argv[1])))"
    )
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ids = {
        subprocess.run(
            [sys.executable, "-c", script, "/notebooks/nb-龍.ipynb".encode()],
            env={**os.environ, **environment(tmp_path, None), **more},
            capture_output=True,
            check=True,
            timeout=30,
        ).stdout
        for more in ({"PYTHONUTF8": "1"}, plain)
    }
    assert len(ids) == 1
