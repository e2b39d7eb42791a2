"""Row 11: from a job's end to its clip on the disk, beside a script's loop and segmind's own client.

The loop is the one of AI/ML API's page: `requests`, a look every 10 s. segmind's client looks every
second. All three wait for jobs of the same lengths at the same time, in processes of their own.
"""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import fmean

import httpx
from bench import BODY, KEYS, SUBMIT_PATH, TESTS, Figure, simulated

from tests.simulator import Fault

#: Seconds that a job takes, in the middle (Segmind's median when there is time for it), and the spread
#: of their logarithm.
_TAKES_S, _FULL_TAKES_S, _SIGMA = 45.0, 173.29, 0.3

_OURS = """
import json, sys
import hailuo_jupyter as h
from hailuo_jupyter.engine import timings
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.states import State
usual = DurationEstimate({takes}, {sigma}, sure=True)
timings.DEFAULT = timings.Timings(expected_duration=usual)
runs = {{prompt: h.generate(prompt, "segmind") for prompt in json.loads(sys.argv[1])}}
print(json.dumps({{p: run.wait().record.entered(State.COMPLETED) for p, run in runs.items()}}))
"""

_PEER = """
import json, os, sys, threading, time
import requests
root, key = os.environ["SEGMIND_BASE_URL"], os.environ["SEGMIND_API_KEY"]
head, body, found = {{"x-api-key": key}}, {body!r}, {{}}

def keep(prompt, output):
    link = output if isinstance(output, str) else output["video"]
    with open(f"{{sys.argv[2]}}/{{len(found)}}.mp4", "wb") as file:
        file.write(requests.get(link).content)
    found[prompt] = time.time()

{wait}

threads = [threading.Thread(target=wait, args=[prompt]) for prompt in json.loads(sys.argv[1])]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(found))
"""

_LOOP = f"""
def wait(prompt):
    job = requests.post(root + {SUBMIT_PATH!r}, json={{**body, "prompt": prompt}}, headers=head).json()
    while True:
        news = requests.get(job["response_url"], headers=head).json()
        if news.get("status") == "COMPLETED":
            return keep(prompt, news["output"])
        time.sleep(10)
"""

_CLIENT = """
from segmind import SegmindClient
client = SegmindClient(base_url=root + "/v1")
def wait(prompt):
    job = client.submit_async("minimax-hailuo-2", **{**body, "prompt": prompt})
    keep(prompt, job.wait(timeout=900)["output"])
"""

_WAYS = ("ours", "loop", "client")


def waited(count: int, median_s: float) -> dict[str, tuple[float, float]]:
    """Wait in each way for so many clips; gives requests a clip, and the mean delay in seconds."""
    ways = {
        "ours": _OURS.format(takes=median_s, sigma=_SIGMA),
        "loop": _PEER.format(body=BODY, wait=_LOOP),
        "client": _PEER.format(body=BODY, wait=_CLIENT),
    }
    chance = random.Random(11)
    takes = {
        f"{way} {number}": chance.lognormvariate(math.log(median_s), _SIGMA)
        for number in range(count)
        for way in _WAYS
    }
    with tempfile.TemporaryDirectory() as name, simulated() as env:
        url = env["HAILUO_SIMULATOR_URL"]
        for prompt, seconds in takes.items():
            fault = Fault.of("seconds", prompt=prompt, seconds=seconds)
            httpx.post(f"{url}/_sim/faults", json=[fault.as_json()]).raise_for_status()
        processes = {}
        for way, code in ways.items():
            folder = Path(name) / way
            folder.mkdir()
            own = {"HAILUO_RUN_LOG": str(folder / "runs.sqlite3"), "HAILUO_LOOPBACK_ONLY": "1"}
            prompts = json.dumps([prompt for prompt in takes if prompt.startswith(way)])
            processes[way] = subprocess.Popen(
                [sys.executable, "-c", code, prompts, str(folder)],
                cwd=folder,
                env={**os.environ, **env, **KEYS, **own, "PYTHONPATH": str(TESTS.parent)},
                stdout=subprocess.PIPE,
                text=True,
            )
        there: dict[str, float] = {}
        for process in processes.values():
            out, _ = process.communicate(timeout=600)
            there |= json.loads(out.splitlines()[-1])
        jobs = httpx.get(f"{url}/_sim/ledger").json()["jobs"]
        entries = httpx.get(f"{url}/_sim/requests").json()["requests"]
    prompt_of = {job["id"]: job["body"]["prompt"] for job in jobs}
    asked = [
        prompt_of[each["job_id"]].split()[0]
        for each in entries
        if each["job_id"] in prompt_of and each["stage"] in {"status", "result"}
    ]
    late: dict[str, list[float]] = {way: [] for way in _WAYS}
    for job in jobs:
        prompt = job["body"]["prompt"]
        late[prompt.split()[0]].append(there[prompt] - job["time"] - takes[prompt])
    return {way: (asked.count(way) / count, fmean(late[way])) for way in _WAYS}


def measure(*, full: bool) -> list[Figure]:
    """Wait in all three ways at once."""
    found = waited(30, _FULL_TAKES_S) if full else waited(10, _TAKES_S)
    ours, loop, client = (found[way] for way in _WAYS)
    return [
        Figure(11, "job's end to clip on disk, mean; loop of 10 s", ours[1], loop[1], "s",
               "sooner than the loop", ours[1] < loop[1]),
        Figure(11, "job's end to clip on disk, mean; segmind's wait", ours[1], client[1], "s"),
        Figure(11, "requests a clip; loop of 10 s", ours[0], loop[0], ""),
        Figure(11, "requests a clip; segmind's wait", ours[0], client[0], ""),
    ]  # fmt: skip
