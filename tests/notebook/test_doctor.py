"""`jupyter hailuo doctor` and `%hailuo doctor`: what is there, what is missing, and what to do about it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import certifi
import pytest

from hailuo_jupyter import __version__, doctor, keys
from hailuo_jupyter.cli import main
from hailuo_jupyter.doctor import Check, DoctorReport, diagnose
from hailuo_jupyter.engine.rate_limit import refused
from hailuo_jupyter.providers.network import CERTIFICATE_VARIABLES
from hailuo_jupyter.runlog import Owner, RunLog
from hailuo_jupyter.runlog.inspect import server_mark
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.fake_front_end import FrontEnd
from tests.support.notebook_files import ROOT, surroundings
from tests.support.sample_rows import shown_row

KEY = "SG_0123456789abcdefghij"


@pytest.fixture
def jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Jupyter's folders, all of the test's own; the extension is where an install puts it."""
    home = tmp_path / "jupyter"
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    for name in (
        "ENV_JUPYTER_PATH",
        "SYSTEM_JUPYTER_PATH",
        "ENV_CONFIG_PATH",
        "SYSTEM_CONFIG_PATH",
    ):
        monkeypatch.setattr(f"jupyter_core.paths.{name}", [])
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    extension = home / "labextensions" / "hailuo-jupyter"
    extension.mkdir(parents=True)
    (extension / "package.json").write_text(json.dumps({"version": __version__}))
    return extension


@pytest.fixture
def settings(tmp_path: Path, jupyter: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hailuo]:
    """An environment in which all is well, and which has no key of the machine's."""
    monkeypatch.setattr(keys, "_from_keyring", lambda _provider: None)
    for name in ("SEGMIND_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in (*CERTIFICATE_VARIABLES, "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with surroundings(tmp_path, None) as found:
        yield found


def one(found: DoctorReport, part: str, name: str) -> Check:
    [finding] = [each for each in found.findings if (each.part, each.name) == (part, name)]
    return finding


def marked(found: DoctorReport) -> list[str]:
    return [finding.name for finding in found.findings if finding.todo]


def test_all_is_well(
    settings: Hailuo,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "versions"
    assert lines[-1] == "No problems found."
    assert any("hailuo-jupyter" in line and __version__ in line for line in lines)
    assert any("ipykernel" in line and metadata.version("ipykernel") in line for line in lines)
    assert sorted(tmp_path.rglob("*")) == before  # to look makes nothing


def test_as_json(settings: Hailuo, jupyter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (jupyter / "package.json").unlink()
    assert main(["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    [wrong] = [finding for finding in told["findings"] if finding["todo"]]
    assert told["ok"] is False
    assert (wrong["part"], wrong["name"]) == ("lab extension", "here")


def test_the_lab_extension_is_another_version(
    settings: Hailuo, jupyter: Path, tmp_path: Path
) -> None:
    (jupyter / "package.json").write_text('{"version": "0.0.9"}')
    finding = one(diagnose(settings, tmp_path), "lab extension", "here")
    assert finding.value.startswith("0.0.9, ")
    assert __version__ in finding.todo


@pytest.mark.parametrize("said", [{"hailuo-jupyter": True}, ["hailuo-jupyter"]])
def test_the_lab_extension_is_disabled(settings: Hailuo, tmp_path: Path, said: Any) -> None:
    page = tmp_path / "config" / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True)
    page.write_text(json.dumps({"disabledExtensions": said}))
    assert "labextension enable" in one(diagnose(settings, tmp_path), "lab extension", "here").todo
    page.write_text(json.dumps({"disabledExtensions": {"hailuo-jupyter": False}}))
    assert diagnose(settings, tmp_path).ok


def test_the_server_extension_and_a_server_that_collects(settings: Hailuo, tmp_path: Path) -> None:
    part, config = "server extension", tmp_path / "config" / "jupyter_server_config.d"
    assert one(diagnose(settings, tmp_path), part, "here").value.startswith("not installed; ")
    config.mkdir(parents=True)
    shutil.copy(ROOT / "hailuo_jupyter/server_extension.json", config / "hailuo_jupyter.json")
    assert one(diagnose(settings, tmp_path), part, "here").value == "enabled"
    off = {"ServerApp": {"jpserver_extensions": {"hailuo_jupyter": False}}}
    config.with_suffix(".json").write_text(json.dumps(off))
    found = diagnose(settings, tmp_path)
    assert one(found, part, "here").value.startswith("disabled (")
    assert one(found, part, "collector").value.startswith("not seen: ")
    assert found.ok, "whoever wants none needs none"
    with Owner(server_mark(settings.run_log_path())):
        seen = one(diagnose(settings, tmp_path), part, "collector").value
        assert seen.startswith(f"seen, process {os.getpid()}: ")


def test_an_install_puts_the_extensions_configuration_in_place() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    shared = wheel["targets"]["wheel"]["shared-data"]
    place = "etc/jupyter/jupyter_server_config.d/hailuo_jupyter.json"
    assert shared["hailuo_jupyter/server_extension.json"] == place


@pytest.mark.parametrize("key", [False, True])
def test_an_orphan_without_a_key_waits_for_one(
    settings: Hailuo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: bool
) -> None:
    if key:
        monkeypatch.setenv("SEGMIND_API_KEY", KEY)
    row = shown_row(State.QUEUED, folder=tmp_path)
    with RunLog(settings.run_log_path()) as log:
        log.insert(row.record, folder=tmp_path, kind="k", owner="1-00000000")
    said = one(diagnose(settings, tmp_path), "run log", row.run_id).value
    assert ("waiting for a key (SEGMIND_API_KEY)" in said) is not key


def test_the_environment_of_a_kernel_alone_needs_no_extension(
    settings: Hailuo, jupyter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (jupyter / "package.json").unlink()
    assert diagnose(settings, tmp_path, kernel=True).ok
    assert not diagnose(settings, tmp_path).ok
    there = doctor._installed_version
    monkeypatch.setattr(
        doctor, "_installed_version", lambda name: None if name == "jupyterlab" else there(name)
    )
    assert diagnose(settings, tmp_path).ok


def test_a_jupyterlab_that_is_too_old(
    settings: Hailuo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        doctor, "_installed_version", {"jupyterlab": "4.0.13", "ipykernel": "6.100"}.get
    )
    assert marked(diagnose(settings, tmp_path)) == ["jupyterlab"]


@pytest.mark.parametrize(
    ("heard", "ok"),
    [
        (doctor.FrontEnd(None), False),
        (doctor.FrontEnd(1), True),
        (doctor.FrontEnd(1, __version__), True),
        (doctor.FrontEnd(1, "0.0.9"), False),
    ],
)
def test_what_the_front_end_told(
    settings: Hailuo, tmp_path: Path, heard: doctor.FrontEnd, ok: bool
) -> None:
    found = diagnose(settings, tmp_path, kernel=True, front_end=heard)
    finding = one(found, "lab extension", "in the page")
    assert found.ok is ok
    assert heard.version in finding.value
    assert finding.value.startswith("not seen" if heard.protocol is None else "seen, protocol 1")


def test_keys_are_present_or_absent_and_nothing_of_them_is_shown(
    settings: Hailuo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMIND_API_KEY", KEY)
    (tmp_path / ".env").write_text(f"AIML_API_KEY={KEY[::-1]}\n")
    found = diagnose(settings, tmp_path)
    assert one(found, "keys", "segmind").value == (
        "present, environment SEGMIND_API_KEY; 'jupyter hailuo probe segmind' checks the account for free"
    )
    assert one(found, "keys", "aimlapi").value.startswith(
        "present, .env AIML_API_KEY; 'jupyter hailuo probe"
    )
    said = json.dumps(found.as_json()) + "\n".join(found.lines())
    for key in (KEY, KEY[::-1]):
        assert not [at for at in range(len(key) - 4) if key[at : at + 5] in said]


def test_a_key_that_is_none_and_one_that_is_missing(
    settings: Hailuo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert diagnose(settings, tmp_path).ok  # the demo needs none
    settings.provider = "aimlapi"
    assert "AIML_API_KEY" in one(diagnose(settings, tmp_path), "keys", "aimlapi").todo
    monkeypatch.setenv("AIML_API_KEY", "two words, secretly")
    finding = one(diagnose(settings, tmp_path), "keys", "aimlapi")
    assert finding.todo
    assert "secretly" not in finding.value + finding.todo


def test_addresses_in_force(
    settings: Hailuo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMIND_BASE_URL", f"https://proxy.example/v1?key={KEY}")
    monkeypatch.setenv("AIML_API_BASE_URL", "http://elsewhere.example")
    found = diagnose(settings, tmp_path)
    assert one(found, "addresses", "SEGMIND_BASE_URL").value == "https://proxy.example/v1"
    assert marked(found) == ["AIML_API_BASE_URL"]
    assert one(found, "addresses", "HAILUO_LOOPBACK_ONLY").value.startswith("set")


def test_the_way_to_the_network(
    settings: Hailuo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not [each for each in diagnose(settings, tmp_path).findings if each.part == "network"]
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,fe80::/10,[::1]")
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    found = diagnose(settings, tmp_path)
    assert found.ok
    assert one(found, "network", "proxy").value == (
        "HTTPS_PROXY names the proxy http://proxy.example:3128"
    )
    assert one(found, "network", "NO_PROXY").value == "2 valid; skipped: fe80::/10"
    assert one(found, "network", "SSL_CERT_FILE").value == certifi.where()


@pytest.mark.parametrize(
    "name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"]
)
def test_what_is_wrong_on_the_way_to_the_network(
    name: str, settings: Hailuo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://me:secret@proxy.example")
    monkeypatch.setenv(name, str(tmp_path / "missing.pem"))
    found = diagnose(settings, tmp_path)
    assert marked(found) == ["proxy", name]
    assert "ALL_PROXY" in one(found, "network", "proxy").todo
    assert one(found, "network", name).value.startswith(f"{name} is ")
    assert "secret" not in "".join(found.lines())


def test_folders_that_take_no_files(settings: Hailuo, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    settings.output_dir = "a file/clips"
    settings.run_log = str(tmp_path / "a file" / "runs.sqlite3")
    found = diagnose(settings, tmp_path)
    assert [each.part for each in found.findings if each.todo] == ["clips", "run log"]


def test_a_full_disk(settings: Hailuo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: type("Usage", (), {"free": 60_000_000}))
    assert marked(diagnose(settings, tmp_path)) == ["free space"]


def test_the_run_log_and_who_watches_what(settings: Hailuo, tmp_path: Path) -> None:
    path = settings.run_log_path()
    rows = [
        shown_row(state)
        for state in (
            State.COMPLETED,
            State.GENERATING,
            State.QUEUED,
            State.SUBMITTING,
            State.PREPARED,
        )
    ]
    done, live, left, unanswered, unsent = rows
    gone = Owner(path)
    gone.close()
    with RunLog(path) as log, Owner(path) as owner:
        owners = {live.run_id: owner.id, left.run_id: gone.id, unanswered.run_id: gone.id}
        for row in rows:
            log.insert(row.record, folder=tmp_path, kind=row.kind, owner=owners.get(row.run_id))
        found = diagnose(settings, tmp_path)
        assert one(found, "run log", "mode").value == "write-ahead log"
        assert one(found, "run log", "runs").value == "5, 4 of them unfinished"
        assert (
            f"tracked by process {owner.id.split('-')[0]}"
            in one(found, "run log", live.run_id).value
        )
        assert "is gone" in one(found, "run log", left.run_id).value
        assert "the clip is paid for" in one(found, "run log", left.run_id).todo
        assert "what happened" in one(found, "run log", unanswered.run_id).todo
        assert "not sent" in one(found, "run log", unsent.run_id).value
        assert sorted(marked(found)) == sorted([left.run_id, unanswered.run_id])
        assert done.run_id not in {each.name for each in found.findings}


def test_a_limit_that_makes_runs_wait(settings: Hailuo, tmp_path: Path) -> None:
    now = time.time()
    with RunLog(settings.run_log_path()) as log:
        with log.rate_limit("segmind/a", "1-a") as rows:
            limit = refused(None, [], sent_at=now, now=now - 200, wait=200.0, floor=5.0)
            rows.state = limit.dump(now)
        with log.rate_limit("segmind/a/history", "1-a") as rows:
            rows.state = limit.dump(now)
        found = diagnose(settings, tmp_path)
    said = one(found, "run log", "rate limit").value
    assert said == (
        "Segmind limits requests: it refused one 3 min ago, and about 5 a minute are sent now."
    )
    assert found.ok, "nobody has to do anything"


@pytest.mark.parametrize(("content", "said"), [(b"no database at all" * 99, "damaged"), (b"", "")])
def test_a_run_log_that_is_damaged_or_empty(
    settings: Hailuo, tmp_path: Path, content: bytes, said: str
) -> None:
    path = settings.run_log_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    found = diagnose(settings, tmp_path)
    assert found.ok is not bool(said)
    assert said in one(found, "run log", "file").value
    assert path.read_bytes() == content


def test_paths_cannot_speak_to_the_terminal(settings: Hailuo, tmp_path: Path) -> None:
    settings.output_dir = "\x1b[31mred"
    assert "\x1b" not in "\n".join(diagnose(settings, tmp_path).lines())


def test_it_needs_nothing_that_is_slow(settings: Hailuo, tmp_path: Path) -> None:
    heavy = ("av", "httpx", "PIL", "ipywidgets", "nbclient", "jinja2", "tornado")
    code = (
        "import sys; from hailuo_jupyter.cli import main; main(['doctor'])\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-1] == "[]"


def test_in_a_kernel(folder: Path, env: dict[str, str]) -> None:
    with FrontEnd(folder, env) as page:
        said = page.run("%load_ext hailuo_jupyter\n%hailuo doctor").text
        assert f" {folder / 'hailuo'}; will be created by the first run\n" in said
        assert "! in the page" in said  # this front end never says hello
        assert env["SEGMIND_API_KEY"] not in said
        assert page.run("%hailuo doctor now").error is not None
