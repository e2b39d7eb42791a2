"""What the rows of the suite share: figures, a simulator in a process of its own, a kernel that is timed."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS.parent))

from tests.support.fake_front_end import FrontEnd  # noqa: E402 -- found by the line above

KEYS = {"SEGMIND_API_KEY": "SG_0123456789abcdef", "AIML_API_KEY": "aiml-0123456789abcdef"}

#: Where a clip is asked for, and what for, by whoever does it without this package.
SUBMIT_PATH = "/v2/minimax-hailuo-2"
BODY = {
    "prompt": "A heron lifts off a lake.",
    "prompt_optimizer": True,
    "image_url": None,
    "mode": "standard",
    "last_frame_image": None,
}

_SERVE = """
import json, sys
from pathlib import Path
from tests.simulator import Simulator, SimulatorOptions
options = json.loads(sys.argv[1])
cache = Path(options.pop("cache"))
with Simulator(SimulatorOptions(cache=cache, **options)) as simulator:
    print(json.dumps({"HAILUO_SIMULATOR_URL": simulator.url, **simulator.environment()}), flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Parameters
    ----------
    row, what
        The row's number, and what was measured.
    ours, peer, unit
        Medians, in `unit`; the peer is None where there is none to measure beside.
    goal
        In words.
    met
        Whether; None where a line is there to compare with, and has no goal of its own.
    """

    row: int
    what: str
    ours: float
    peer: float | None
    unit: str
    goal: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's."""
        return self.ours / self.peer if self.peer else None


def median(values: Sequence[float]) -> float:
    """Return the median; NaN of nothing."""
    return statistics.median(values) if values else float("nan")


def p99(values: Sequence[float]) -> float:
    """Return the value that one of a hundred exceeds."""
    return sorted(values)[min(len(values) - 1, int(0.99 * len(values)))]


@contextmanager
def simulated(**options: Any) -> Iterator[dict[str, str]]:
    """Run a simulator in a process of its own; gives the variables that lead there."""
    usual = {"variants": 1, "shrink": 8, "sigma": 0.0, "min_polls": 0, "balance": 1e9}
    with tempfile.TemporaryDirectory() as cache:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, json.dumps({**usual, "cache": cache, **options})],
            cwd=TESTS.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.communicate("")


class Kernel(FrontEnd):
    """A kernel with a front end, in a folder of its own, whose cells are timed.

    Parameters
    ----------
    folder
        For its notebook, clips and run log.
    env
        Variables; empty for a kernel that reaches no provider.
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        own = {
            **KEYS,
            **env,
            "HAILUO_RUN_LOG": str(folder / "log" / "runs.sqlite3"),
            "HAILUO_LOOPBACK_ONLY": "1",
            "PYTHONPATH": os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")]),
        }
        super().__init__(folder, own)

    def seconds(self, code: str) -> float:
        """Run a cell; gives the seconds from sending it to its reply."""
        began = time.perf_counter()
        cell = self.start(code)
        while True:
            reply = self._client.get_shell_msg(timeout=120)
            if reply["parent_header"].get("msg_id") == cell.message_id:
                taken = time.perf_counter() - began
                if reply["content"]["status"] != "ok":
                    raise RuntimeError(f"{code}\n{reply['content'].get('evalue')}")
                self.wait(0)
                while self._client.iopub_channel.msg_ready():
                    self._take(0.05)
                return taken

    def value(self, code: str, timeout: float = 300) -> Any:
        """Run a cell whose last line is an expression; gives what it is, by way of JSON."""
        lines = textwrap.dedent(code).strip().splitlines()
        lines[-1] = f"print('>>>' + __import__('json').dumps({lines[-1]}))"
        cell = self.run("\n".join(lines), timeout=timeout)
        if cell.error is not None:
            raise RuntimeError("\n".join(cell.error["traceback"]))
        found, _ = json.JSONDecoder().raw_decode(cell.text.rpartition(">>>")[2])
        return found
