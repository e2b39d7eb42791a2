"""Two different keys, in the folder and in the keyring, as a person and as an executor meet them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hailuo_jupyter.simulator.responses import key_hash
from tests.simulator import Simulator
from tests.support.fake_front_end import FrontEnd
from tests.support.forking.process import run_python
from tests.support.notebook_files import code, notebook, write

LOAD = "%load_ext hailuo_jupyter"
ASK = "%%hailuo --provider segmind\nTwo keys lie on a table."
BACKEND = """
from keyring.backend import KeyringBackend
class Keyring(KeyringBackend):
    priority = 1
    def get_password(self, service, username):
        return "SG_kept0123456789ab" if username == "segmind" else None
    def set_password(self, service, username, password):
        raise NotImplementedError
"""


@pytest.fixture
def two_keys(
    folder: Path, env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    pytest.importorskip("keyring")
    (tmp_path / "backends").mkdir()
    (tmp_path / "backends" / "kept_keys.py").write_text(BACKEND)
    (folder / ".env").write_text("SEGMIND_API_KEY=SG_beside0123456789\n")
    del env["SEGMIND_API_KEY"]
    monkeypatch.delenv("SEGMIND_API_KEY")
    env["PYTHON_KEYRING_BACKEND"] = "kept_keys.Keyring"
    env["PYTHONPATH"] = str(tmp_path / "backends")
    for name in ("PYTHON_KEYRING_BACKEND", "PYTHONPATH"):
        monkeypatch.setenv(name, env[name])
    return env


def test_a_person_is_asked_once(
    folder: Path, two_keys: dict[str, str], simulator: Simulator
) -> None:
    before = len(simulator.ledger.jobs)
    with FrontEnd(folder, two_keys) as page:
        page.run(LOAD)
        refused = page.run(ASK)
        assert refused.error is not None
        assert "KeyConflict" in refused.error["ename"]
        assert len(simulator.ledger.jobs) == before
        doctor = page.run("%hailuo doctor").text
        assert "hold different keys" in doctor
        chosen = page.run("%hailuo key segmind --use keyring")
        assert chosen.error is None
        assert "keyring" in chosen.text
        assert page.run(ASK, timeout=120).error is None
        assert "present, keyring" in page.run("%hailuo providers").text
    with FrontEnd(folder, two_keys) as page:
        page.run(LOAD)
        assert page.run(ASK.replace("table", "chair")).error is None
    bought = simulator.ledger.jobs[before:]
    assert [job.key_hash for job in bought] == [key_hash("SG_kept0123456789ab")] * 2


def test_an_executor_fails_with_the_same_words_and_uses_the_environment(
    folder: Path,
    two_keys: dict[str, str],
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = len(simulator.ledger.jobs)
    path = write(folder / "story.ipynb", notebook(code("a", LOAD), code("b", ASK)))

    def execute() -> subprocess.CompletedProcess[str]:
        return run_python(
            [str(Path(sys.executable).with_name("jupyter")), "hailuo", "execute", path.name],
            check=False, cwd=folder, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    done = execute()
    assert done.returncode != 0
    assert "Two different keys" in done.stdout + done.stderr
    assert len(simulator.ledger.jobs) == before
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_0123456789abcdef")
    done = execute()
    assert done.returncode == 0, done.stderr
    bought = simulator.ledger.jobs[before:]
    assert [job.key_hash for job in bought] == [key_hash("SG_0123456789abcdef")]
