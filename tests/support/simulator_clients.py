"""A simulator with a client for each wire, for tests of its faults."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.simulator import Simulator, SimulatorOptions

TLS = ssl.create_default_context()

get = partial(httpx.get, verify=TLS)

SEGMIND = "/v2/minimax-hailuo-2"

LEGACY = "/v2/generate/video/minimax/generation"

UNIFIED = "/v2/video/generations"

AIML_BODY = {"model": "minimax/hailuo-02", "prompt": "a calm sea"}


@contextmanager
def serving(cache: Path) -> Iterator[Simulator]:
    """Start a simulator whose jobs take no time."""
    options = SimulatorOptions(
        cache=cache,
        variants=1,
        shrink=8,
        segmind_seconds=0,
        aimlapi_6s_seconds=0,
        history_delay=0,
        sigma=0,
        balance=1e9,
    )
    with Simulator(options) as simulator:
        yield simulator


class SimulatorClients:
    """A simulator with a client for each wire."""

    def __init__(self, sim: Simulator, segmind: httpx.Client, aimlapi: httpx.Client) -> None:
        self.sim, self.segmind, self.aimlapi = sim, segmind, aimlapi

    def submit(self, prompt: str = "a calm sea") -> httpx.Response:
        return self.segmind.post(SEGMIND, json={"prompt": prompt, "image_url": None})

    def generate(self, path: str = LEGACY) -> httpx.Response:
        return self.aimlapi.post(path, json=AIML_BODY)

    def finished(self) -> dict[str, Any]:
        made: dict[str, Any] = self.submit().json()
        while True:
            answer = self.segmind.get(made["status_url"])
            if answer.json()["status"] in ("COMPLETED", "FAILED"):
                return made
            time.sleep(0.01)

    def result(self) -> httpx.Response:
        return self.segmind.get(self.finished()["response_url"])

    def clip(self, **headers: str) -> httpx.Response:
        link = self.result().json()["output"]
        return get(link, headers=headers)

    def polled(self, path: str = LEGACY) -> list[httpx.Response]:
        made = self.generate(path).json()
        job_id = made.get("generation_id") or made["id"]
        answers = []
        while not answers or answers[-1].json()["status"] not in ("completed", "error"):
            answers.append(self.aimlapi.get(path, params={"generation_id": job_id}))
            time.sleep(0.01)
        return answers

    def poll(self, path: str = LEGACY) -> Any:
        return self.polled(path)[-1].json()


@contextmanager
def at_work(server: Simulator) -> Iterator[SimulatorClients]:
    """Return a simulator without faults, before and after."""
    server.clear_faults()
    segmind = httpx.Client(base_url=server.url, headers={"x-api-key": "k"}, verify=TLS, timeout=60)
    aimlapi = httpx.Client(
        base_url=server.url, headers={"Authorization": "Bearer k"}, verify=TLS, timeout=60
    )
    with segmind, aimlapi:
        yield SimulatorClients(server, segmind, aimlapi)
    server.clear_faults()
