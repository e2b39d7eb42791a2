"""Row 3: from Enter to a cell's return, over a bare POST to the same server on a fresh connection."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from bench import BODY, KEYS, SUBMIT_PATH, Figure, Kernel, median, simulated

_BARE_FIRST = f"""
import httpx, os
_url = os.environ["SEGMIND_BASE_URL"] + {SUBMIT_PATH!r}
_client = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))
"""
_BARE = f"_client.post(_url, json={BODY!r}, headers={{'x-api-key': {KEYS['SEGMIND_API_KEY']!r}}})"
#: Records in the output folder that are of other requests; the log does not know them.
_SIDECARS = 5000

_OURS = "%%hailuo --provider segmind\nA heron lifts off a lake, take {}."


def measure(*, full: bool) -> list[Figure]:
    """Run both kinds of cells in turn."""
    first: tuple[list[float], list[float]] = ([], [])
    later: tuple[list[float], list[float]] = ([], [])
    among: list[float] = []
    with (
        simulated(segmind_seconds=600.0) as env,
        tempfile.TemporaryDirectory() as folder,
    ):
        for turn in range(5 if full else 3):
            with Kernel(Path(folder) / f"{turn}", env) as kernel:
                kernel.seconds("%load_ext hailuo_jupyter")
                kernel.seconds("1 + 1")
                ours, bare = _OURS.format(f"first {turn}"), _BARE_FIRST + _BARE
                # Each imports httpx, so they take turns in being first.
                for cell, kept in ((ours, first[0]), (bare, first[1]))[:: -1 if turn % 2 else 1]:
                    kept.append(kernel.seconds(cell) * 1e3)
                for number in range(30 if full else 12):
                    later[0].append(kernel.seconds(_OURS.format(number)) * 1e3)
                    later[1].append(kernel.seconds(_BARE) * 1e3)
            record = next((Path(folder) / f"{turn}" / "hailuo").glob("*.json"))
            among += _among(Path(folder) / f"{turn}-among", env, json.loads(record.read_bytes()))
    more = median(later[0]) - median(later[1])
    return [
        Figure(3, "Enter to return, first cell; a bare POST", median(first[0]), median(first[1]), "ms"),
        Figure(
            3, "Enter to return, later cells; a bare POST", median(later[0]), median(later[1]), "ms",
            f"at most 15 ms more (here {more:.1f})", more <= 15,
        ),
        Figure(
            3, f"the same, {_SIDECARS:,} other records in the folder; with none", median(among),
            median(later[0]), "ms",
        ),
    ]  # fmt: skip


def _among(folder: Path, env: dict[str, str], record: dict[str, Any]) -> list[float]:
    """Time later cells in a folder that is full of records."""
    clips = folder / "hailuo"
    clips.mkdir(parents=True)
    for number in range(_SIDECARS):
        run_id = f"20261120-{number:06}-other0"
        other = {**record, "run_id": run_id, "fingerprint": f"1:{number:064x}"}
        (clips / f"{run_id}.json").write_text(json.dumps(other, indent=2), encoding="utf-8")
    with Kernel(folder, env) as kernel:
        kernel.seconds("%load_ext hailuo_jupyter")
        kernel.seconds(_OURS.format("first"))
        return [kernel.seconds(_OURS.format(number)) * 1e3 for number in range(8)]
