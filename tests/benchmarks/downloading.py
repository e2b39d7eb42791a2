"""Row 7: the download of a long clip, hashed on its way, against a bare stream to the same disk."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from bench import Figure, median

from tests.simulator import Simulator, SimulatorOptions

#: Sends one file to whoever asks, by the system's own call: the server has no part in the ratio.
_SERVE = """
import os, socket, sys
path, size = sys.argv[1], os.path.getsize(sys.argv[1])
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
while True:
    peer, _ = listening.accept()
    with peer, open(path, "rb") as file:
        if not peer.recv(65536):
            break
        head = f"HTTP/1.1 200 OK\\r\\nContent-Type: video/mp4\\r\\nContent-Length: {size}\\r\\n"
        peer.sendall((head + "Connection: close\\r\\n\\r\\n").encode())
        try:
            peer.sendfile(file)
        except OSError:
            pass
"""

#: A process of its own, so that the memory at its highest is this download's.
_OURS = """
import asyncio, json, sys, time
from pathlib import Path
from hailuo_jupyter import media, redact
from hailuo_jupyter.engine.download import Target, download
from hailuo_jupyter.providers.http import Http

def memory(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024

async def main(url, folder):
    target = Target(Path(folder), "20261120-140312-7f3kq9")
    http = Http()
    media.examine(Path(sys.argv[3]))  # PyAV is loaded, and a clip of this size decoded, before
    for _ in range(2):  # the first loads what the network needs
        with open("/proc/self/clear_refs", "w") as peak:
            peak.write("5")  # what was the highest before counts no more
        before = memory("VmRSS")
        began = time.perf_counter()
        await download(http, url, target, trusted_host="127.0.0.1", largest=1 << 40)
    taken = time.perf_counter() - began
    more = memory("VmHWM") - before
    await http.close()
    print(json.dumps([taken, more]))

asyncio.run(main(*sys.argv[1:3]))
"""


def long_clip(folder: Path, size: int) -> tuple[Path, Path]:
    """Make a small clip, and one that is as long as `size` bytes by a box that no player reads."""
    options = SimulatorOptions(cache=folder / "cache", variants=1, shrink=4, sigma=0.0,
                               segmind_seconds=0.01, min_polls=0)  # fmt: skip
    with Simulator(options) as simulator:
        head = {"x-api-key": "SG_0123456789abcdef"}
        from bench import BODY, SUBMIT_PATH

        job = httpx.post(f"{simulator.url}{SUBMIT_PATH}", json=BODY, headers=head).json()
        while True:
            found = httpx.get(job["response_url"], headers=head).json()
            if found.get("status") == "COMPLETED":
                break
            time.sleep(0.05)
        small = folder / "small.mp4"
        link = found["output"] if isinstance(found["output"], str) else found["output"]["video"]
        small.write_bytes(httpx.get(link).content)
    path = folder / "long.mp4"
    free = size - small.stat().st_size
    with path.open("wb") as file:
        file.write(small.read_bytes())
        # A box of 64-bit length (ISO/IEC 14496-12, 4.2).
        file.write((1).to_bytes(4, "big") + b"free" + free.to_bytes(8, "big"))
        block = os.urandom(1 << 20)
        left = free - 16
        while left > 0:
            left -= file.write(block[:left])
    return small, path


def bare(url: str, target: Path) -> float:
    """Stream with httpx to a file, synced at the end as ours is, and with no hash."""

    async def stream() -> float:
        async with httpx.AsyncClient() as client:
            began = time.perf_counter()
            async with client.stream("GET", url) as response:
                with target.open("wb") as file:
                    async for chunk in response.aiter_raw():
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
            return time.perf_counter() - began

    return asyncio.run(stream())


def by_curl(url: str, target: Path) -> float:
    """Let curl do it."""
    began = time.perf_counter()
    subprocess.run(["curl", "-s", "-o", str(target), url], check=True)
    return time.perf_counter() - began


def measure(*, full: bool) -> list[Figure]:
    """Fetch the same clip in turn."""
    size = 10**9 if full else 2 * 10**8
    ours, memory, theirs, curls = list[float](), list[float](), list[float](), list[float]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, path = long_clip(folder, size)
        server = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(path)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/clip.mp4"
            for _ in range(3 if full else 5):
                target = folder / "here.mp4"
                command = [sys.executable, "-c", _OURS, url, str(folder), str(small)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                seconds, more = json.loads(done.stdout)
                ours.append(size / seconds / 1e6)
                memory.append(more)
                theirs.append(size / bare(url, target) / 1e6)
                if shutil.which("curl"):
                    curls.append(size / by_curl(url, target) / 1e6)
        finally:
            server.terminate()
            server.wait()
    share, more = median(ours) / median(theirs), max(memory)
    what = f"download of {size / 1e6:g} MB with sha256"
    return [
        Figure(7, f"{what}, to httpx", median(ours), median(theirs), "MB/s",
               "at least 70 % of its speed", share >= 0.7),
        Figure(7, f"{what}, to curl", median(ours), median(curls), "MB/s"),
        Figure(7, "memory meanwhile, at its highest", more, None, "MiB", "at most 16 MiB more",
               more <= 16),
    ]  # fmt: skip
