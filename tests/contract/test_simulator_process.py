"""The simulator as a process of its own, and its control endpoints."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

import hailuo_jupyter
from hailuo_jupyter.simulator.__main__ import main
from tests.simulator import FAULTS, Simulator, SimulatorOptions

# Reading the system's certificates anew for every request takes longer than the request.
_TLS = ssl.create_default_context()
delete = partial(httpx.delete, verify=_TLS)
get = partial(httpx.get, verify=_TLS)
post = partial(httpx.post, verify=_TLS)

ROOT = Path(hailuo_jupyter.__file__).parent.parent


def started(
    tmp_path: Path, *arguments: str, module: str = "hailuo_jupyter.simulator"
) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    ready = tmp_path / "ready.json"
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--ready-file", str(ready), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    deadline = time.monotonic() + 60
    while not ready.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process, json.loads(ready.read_text())


def test_it_starts_says_where_and_stops(tmp_path: Path) -> None:
    process, health = started(tmp_path, "--speed", "60")
    try:
        assert health["name"] == "hailuo-simulator"
        assert (health["pid"], health["speed"]) == (process.pid, 60)
        assert get(f"{health['url']}/_sim/health").json()["pid"] == process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert health["url"] in out
    assert len(out.splitlines()) == 1
    assert err == ""


def test_it_ends_when_nobody_asks(tmp_path: Path) -> None:
    process, _ = started(tmp_path, "--idle-exit", "0.2")
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_taken_port(capsys: pytest.CaptureFixture[str]) -> None:
    with Simulator() as sim:
        port = sim.url.rpartition(":")[2]
        assert main(["--port", port]) == 1
    assert "cannot listen" in capsys.readouterr().err


def test_the_list_of_faults() -> None:
    command = [sys.executable, "-m", "tests.simulator", "--list-faults"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert all(name in done.stdout for name in FAULTS)


def test_the_tests_simulator_is_a_program_too(tmp_path: Path) -> None:
    process, health = started(tmp_path, "--speed", "60", module="tests.simulator")
    try:
        assert get(f"{health['url']}/_sim/faults").json() == {"faults": []}
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_the_shipped_one_has_no_faults_and_tells_no_ledger(tmp_path: Path) -> None:
    process, health = started(tmp_path)
    try:
        for path in ("faults", "ledger", "requests"):
            assert get(f"{health['url']}/_sim/{path}").status_code == 404
            assert post(f"{health['url']}/_sim/{path}", json={}).status_code == 404
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator(SimulatorOptions(shrink=8, variants=1)) as simulator:
        yield simulator


def test_control_over_http(sim: Simulator) -> None:
    with httpx.Client(base_url=f"{sim.url}/_sim/", timeout=60) as control:
        fault = {"name": "http-503", "stage": "submit", "count": 2, "retry_after": 1}
        assert control.post("faults", json=[fault]).json()["faults"][0]["retry_after"] == 1
        url, headers = f"{sim.url}/v2/minimax-hailuo-2", {"x-api-key": "secret-key"}
        first = post(url, json={"prompt": "x"}, headers=headers)
        assert (first.status_code, first.headers["retry-after"]) == (503, "1")
        assert control.delete("faults").json() == {"faults": []}
        made = post(url, json={"prompt": "x"}, headers=headers).json()
        [entry] = control.get("ledger").json()["jobs"]
        assert (entry["id"], entry["wire"]) == (made["request_id"], "segmind")
        before = control.get("health").json()["now"]
        assert control.post("advance", json={"seconds": 3600}).json()["now"] >= before + 3600
        assert get(made["status_url"], headers=headers).status_code == 404
        seen = control.get("requests").json()["requests"]
        assert [(one["method"], one["status"]) for one in seen] == [
            ("POST", 503),
            ("POST", 200),
            ("GET", 404),
        ]
        assert all(one["had_api_key"] for one in seen)
        everything = "".join(control.get(part).text for part in ("ledger", "requests", "health"))
        assert "secret-key" not in everything


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", '[{"name": "no-such-fault"}]'),
        ("faults", '[{"name": "http-503", "colour": 1}]'),
        ("faults", '[{"name": "media-slow", "stage": "submit"}]'),
        ("faults", "[1]"),
        ("advance", '{"seconds": -1}'),
        ("advance", "{}"),
        ("advance", "nonsense"),
    ],
)
def test_control_refuses_nonsense(sim: Simulator, path: str, body: str) -> None:
    assert post(f"{sim.url}/_sim/{path}", content=body).status_code == 400
    assert sim.faults == []


def test_unknown_control_paths(sim: Simulator) -> None:
    assert get(f"{sim.url}/_sim/nothing").status_code == 404
    assert post(f"{sim.url}/_sim/nothing", json={}).status_code == 404
    assert delete(f"{sim.url}/_sim/ledger").status_code == 404
