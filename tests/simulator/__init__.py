"""A stand-in for the providers that makes every mistake they might make, for tests and benchmarks.

It is the product's own simulator, `hailuo_jupyter.simulator`, with faults around each request
(`handler`, `faults`), further pages and undocumented decisions of each wire (`segmind`, `aimlapi`), a
ledger of what was bought, and endpoints to steer it from another process (`control`).
"""

from __future__ import annotations

from tests.simulator.faults import FAULTS, Fault, Stage, describe_faults
from tests.simulator.ledger import Ledger, LedgerEntry, RequestEntry
from tests.simulator.options import SimulatorOptions
from tests.simulator.server import Simulator

__all__ = [
    "FAULTS",
    "Fault",
    "Ledger",
    "LedgerEntry",
    "RequestEntry",
    "Simulator",
    "SimulatorOptions",
    "Stage",
    "describe_faults",
]
