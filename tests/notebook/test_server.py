"""The server extension in a real Jupyter server: it finishes what a killed kernel has left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from jupyter_server.extension.config import ExtensionConfigManager
from jupyter_server.extension.manager import ExtensionPackage

from hailuo_jupyter import __version__
from hailuo_jupyter.ipynb.audit import scan_bytes
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.inspect import inspect, server_mark, servers
from hailuo_jupyter.states import State
from tests.simulator import Simulator
from tests.support.jupyter_server import Server
from tests.support.notebook_files import environment, simulator
from tests.support.sample_rows import shown_row

posix = pytest.mark.skipif(os.name != "posix", reason="a kill is POSIX's")
SEGMIND, AIML = "SG_5e1f0a9c7b3d2e48", "5e1f0a9c7b3d2e48aa017cc4"

ASK = f"""
%load_ext hailuo_jupyter
import os, hailuo_jupyter as h
from hailuo_jupyter import keys
keys.remember("aimlapi", keys.Key("{AIML}", "the test"))
runs = [h.generate("a heron", "segmind"), h.generate("a heron", "aimlapi")]
print(os.getpid(), *[run.run_id for run in runs])
"""


def until(true: Callable[[], object], server: Server, timeout: float = 30) -> None:
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, server.said
        time.sleep(0.05)


def variables(folder: Path, sim: Simulator, **more: str) -> dict[str, str]:
    keys = ("SEGMIND_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_API_KEY")
    return {
        **environment(folder, sim),
        **sim.environment(),
        **dict.fromkeys(keys, ""),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        **more,
    }


@posix
def test_a_killed_kernels_runs_are_finished_by_the_server_alone(tmp_path: Path) -> None:
    with simulator(speed=1.0) as sim:
        env = variables(tmp_path, sim, SEGMIND_API_KEY=SEGMIND)
        path = Path(env["HAILUO_RUN_LOG"])
        # Jupyter Server never ends if it is asked to while it restarts a kernel that has died
        # (`km.ready.exception()` in jupyter_client's multikernelmanager.py raises InvalidStateError).
        with Server(tmp_path, env, KernelManager={"autorestart": False}) as server:
            assert "hailuo: finishing runs whose kernel is gone" in server.said
            kernel = server.kernel()
            pid, ours, keyless = kernel.run(ASK).split()
            until(lambda: servers(path) == [str(server.process.pid)], server)
            kernel.run("import time; time.sleep(1)")  # some looks of the server's
            assert [each.watched and each.pid for each in inspect(path).unfinished] == [pid, pid]
            assert ours not in server.said

            os.kill(int(pid), signal.SIGKILL)
            sim.advance(1000)
            with RunLog(path) as log:
                until(lambda: log.get(ours).state is State.COMPLETED, server)
                row = log.get(ours)
                assert (row.folder / f"{ours}.mp4").is_file()
                assert (row.folder / f"{ours}.json").is_file()
                until(lambda: f"{keyless}: waiting for a key" in server.said, server)
                assert log.get(keyless).state is not State.COMPLETED
                assert len(sim.ledger) == 2, "nothing was sent again"
                until(lambda: f"{ours}: completed" in server.said, server)
            kernel.close()
            assert server.end() == 0
            assert servers(path) == []
        assert scan_bytes(server.log.read_bytes(), [SEGMIND, AIML]) == []


def test_one_setting_turns_it_off(tmp_path: Path) -> None:
    left = shown_row(State.GENERATING, folder=tmp_path)
    env = {**environment(tmp_path, None), "SEGMIND_API_KEY": SEGMIND}
    path = Path(env["HAILUO_RUN_LOG"])
    with RunLog(path) as log:
        log.insert(left.record, folder=tmp_path, kind="k", owner="1-00000000")
    (before,) = inspect(path).unfinished
    assert before.orphaned
    with Server(tmp_path, env, Hailuo={"collector": False}) as server:
        assert "Hailuo.collector is False" in server.said
        assert server.end() == 0
    assert inspect(path).unfinished == (before,)
    assert not server_mark(path).with_name("runs.sqlite3.servers.owners").exists()


def test_jupyter_lists_and_validates_it(tmp_path: Path) -> None:
    # What `jupyter server extension list` looks at.
    config = Server(tmp_path, {}).config
    listed = ExtensionConfigManager(read_config_path=[str(config)]).get_jpserver_extensions()
    assert listed["hailuo_jupyter"] is True
    package = ExtensionPackage(name="hailuo_jupyter", enabled=True)
    assert package.validate()
    assert package.version == __version__
    [point] = package.extension_points
    assert point == "hailuo_jupyter"
