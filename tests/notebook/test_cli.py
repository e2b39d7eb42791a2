"""`jupyter hailuo`: help, exit statuses, one-line errors, and collecting after an interrupt."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from hailuo_jupyter import __version__
from hailuo_jupyter.cli import main
from tests.support.notebook_files import (
    MIME,
    ROOT,
    code,
    command,
    command_names,
    environment,
    load,
    notebook,
    program,
    simulator,
    surroundings,
    write,
)

COMMANDS = command_names()


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    for name in COMMANDS:
        assert re.search(rf"^    {name}\s", said, re.MULTILINE)
    assert "jupyter hailuo" in said.splitlines()[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert "usage: " in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"hailuo-jupyter {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("excute", "Did you mean 'execute'?"),
        ("verfy", "Did you mean 'verify'?"),
        ("zzz", "Choose from"),
        ("nosuch", "Choose from"),
    ],
)
def test_an_unknown_command_names_the_closest(
    typed: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([typed])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"Unknown command '{typed}'" in line
    assert said in line


def test_a_wrong_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["execute", "x.ipynb", "--timeout", "soon"])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "must be a whole number of seconds, 1 or more: 'soon'" in line


@pytest.mark.parametrize("name", ["execute", "sync", "verify"])
def test_errors_are_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with surroundings(tmp_path, None):
        assert main([name, str(tmp_path / "none.ipynb")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("NotebookError: Notebook not found: none.ipynb.")


def test_help_needs_nothing_that_is_slow() -> None:
    start = (
        "import sys; from hailuo_jupyter.cli import main\ntry: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('av', 'httpx', 'pydantic', 'rich', 'nbclient', 'IPython', "
        "'jinja2', 'tornado') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", start],
        env={**environment(ROOT, None)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == "[]\n"


def test_simulator_takes_its_own_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["simulator", "--help"])
    assert ended.value.code == 0
    assert "--port" in capsys.readouterr().out


def test_verify_in_words_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = {"schema": 1, "id": "x", "runs": {"r": {"run_id": "\x1b[31mred"}}}
    path = write(tmp_path / "nb.ipynb", notebook(code("x", "1"), hailuo=ours))
    with surroundings(tmp_path, None):
        assert main(["verify", str(path)]) == 1
        words = capsys.readouterr().out
        assert main(["verify", "--json", str(path)]) == 1
        data = json.loads(capsys.readouterr().out)
    assert words.splitlines()[0].startswith("wrong  schema")
    assert words.splitlines()[-1].endswith("1 problem.")
    assert "\x1b" not in words
    assert data["ok"] is False
    assert [finding["kind"] for finding in data["findings"]] == ["schema"]


def test_nothing_to_wait_for(tmp_path: Path) -> None:
    done = command("wait", cwd=tmp_path, env=environment(tmp_path, None))
    assert done.returncode == 0
    assert "No runs to wait for" in done.stdout
    done = command("wait", "20200101", cwd=tmp_path, env=environment(tmp_path, None))
    assert done.returncode == 1
    assert done.stderr.startswith("RunNotFound: ")
    assert len(done.stderr.splitlines()) == 1


def test_execute_fails_with_a_short_message(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.ipynb", notebook(code("b", "1 / 0")))
    done = command(
        "execute", path.name, "-o", "o.ipynb", cwd=tmp_path, env=environment(tmp_path, None)
    )
    assert done.returncode == 1
    assert done.stderr == "Code cell 1 failed: ZeroDivisionError: division by zero\n"
    assert load(tmp_path / "o.ipynb")["cells"][0]["outputs"][0]["ename"] == "ZeroDivisionError"
    assert load(path)["cells"][0]["outputs"] == []


def test_an_interrupt_says_how_to_collect_and_wait_and_sync_do_it(tmp_path: Path) -> None:
    path = write(
        tmp_path / "clips.ipynb",
        notebook(
            code("load", "%load_ext hailuo_jupyter"),
            code("clip", "%%hailuo --provider demo\nA slow boat."),
            code("sleep", "import time; time.sleep(100)"),
        ),
    )
    with simulator(speed=1.0) as sim:
        env = environment(tmp_path, sim)
        with subprocess.Popen(
            program("execute", path.name),
            cwd=tmp_path,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            assert running.stdout is not None
            for line in running.stdout:
                if "Cell 3 of 3" in line:
                    break
            running.send_signal(signal.SIGINT)
            began = time.monotonic()
            _, said = running.communicate(timeout=60)
        assert running.returncode == 130
        assert time.monotonic() - began < 20
        record = load(path)["cells"][1]["outputs"][0]["data"][MIME]
        assert record["state"] in {"submitted", "queued", "prepared", "submitting"}
        assert "1 clip not ready yet" in said
        assert "jupyter hailuo wait" in said
        assert record["run_id"] in said

        sim.advance(1000)
        done = command("wait", record["run_id"], cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        assert "Completed" in done.stdout
        assert f"{record['run_id']}.mp4" in done.stdout
        assert len(sim.ledger) == 1

        assert command("verify", path, cwd=tmp_path, env=env).returncode == 1
        done = command("sync", path, cwd=tmp_path, env=env)
        assert done.returncode == 0
        assert "1 output updated" in done.stdout
        done = command("verify", path, cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stdout
        assert "1 of 1 clip present with the right hash, no problems" in done.stdout


def test_a_run_that_fails_is_told_by_wait_and_by_execute(tmp_path: Path) -> None:
    path = write(
        tmp_path / "clips.ipynb",
        notebook(
            code("load", "%load_ext hailuo_jupyter"),
            code("clip", "%%hailuo --provider demo\nA boat that fails."),
        ),
    )
    with simulator() as sim:
        sim.fault("job-fails")
        env = environment(tmp_path, sim)
        done = command("execute", path, cwd=tmp_path, env=env)
        assert done.returncode == 1
        assert done.stderr.startswith("JobFailed: ")
        assert len(done.stderr.splitlines()) == 1
        (record,) = load(path)["metadata"]["hailuo"]["runs"].values()
        assert record["state"] == "failed"
        assert load(path)["cells"][1]["outputs"][0]["data"][MIME]["state"] == "failed"
        assert command("wait", record["run_id"], cwd=tmp_path, env=env).returncode == 1


def test_the_entry_points_lead_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"]["jupyter-hailuo"] == "hailuo_jupyter.cli:main"
    module, _, name = project["entry-points"]["papermill.engine"]["hailuo"].partition(":")
    assert getattr(import_module(module), name).__name__ == "HailuoEngine"
