"""The simulator in a process of its own, which ends with the test that started it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[3]

_OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))

#: In a key: the provider keeps no history for it.
NO_HISTORY = "nohistory"


class Provider:
    """All providers' wires, quick, with small clips, and an account for every key.

    Parameters
    ----------
    cache
        Folder for rendered clips.
    **options
        See `SimulatorOptions`.
    """

    def __init__(self, cache: Path, **options: Any) -> None:
        usual: dict[str, Any] = {
            "variants": 1,
            "shrink": 8,
            "segmind_seconds": 0.01,
            "aimlapi_6s_seconds": 0.01,
            "fal_seconds": 0.01,
            "replicate_seconds": 0.01,
            "runware_seconds": 0.01,
            "minimax_seconds": 0.01,
            "sigma": 0.0,
            "min_polls": 2,
            "history_delay": 0.05,
            "separate_accounts": True,
            "balance": 1e6,
        }
        self._options = {**usual, "cache": str(cache), **options}
        self.url = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.kill.provider", json.dumps(self._options)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, "the simulator did not start"
        self.fault("http-503", "account", count=None, key=NO_HISTORY)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def environment(self) -> dict[str, str]:
        return {
            "SEGMIND_BASE_URL": self.url,
            "SEGMIND_STORAGE_URL": self.url,
            "SEGMIND_HISTORY_URL": f"{self.url}/inference-request",
            "AIML_API_BASE_URL": self.url,
            "FAL_BASE_URL": self.url,
            "FAL_STORAGE_URL": self.url,
            "REPLICATE_BASE_URL": self.url,
            "RUNWARE_BASE_URL": f"{self.url}/runware",
            "MINIMAX_API_HOST": self.url,
            "HAILUO_SIMULATOR_URL": self.url,
            "HAILUO_LOOPBACK_ONLY": "1",
        }

    def fault(self, name: str, stage: str | None = None, **settings: Any) -> None:
        body = json.dumps({"name": name, "stage": stage, **settings}).encode()
        _OPEN.open(f"{self.url}/_sim/faults", data=body, timeout=30).close()

    def advance(self, seconds: float) -> None:
        """Move the provider's clock forward."""
        body = json.dumps({"seconds": seconds}).encode()
        _OPEN.open(f"{self.url}/_sim/advance", data=body, timeout=30).close()

    def bought(self) -> list[str]:
        """Return the prompts of all accepted submits."""
        return bought(self.url)


def bought(url: str) -> list[str]:
    """Return the prompts of all submits that the provider at this address accepted."""
    with _OPEN.open(f"{url}/_sim/ledger", timeout=30) as reply:
        return [job["prompt"] for job in json.load(reply)["jobs"]]


def _serve(options: dict[str, Any]) -> None:
    from tests.simulator import Simulator, SimulatorOptions

    options["cache"] = Path(options["cache"])
    with Simulator(SimulatorOptions(**options)) as sim:
        sys.stdout.write(f"{sim.url}\n")
        sys.stdout.flush()
        sys.stdin.read()  # until whoever started this has gone


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
