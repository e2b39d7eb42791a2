"""A stand-in server for the two providers, with real clips, a clock of its own, and faults.

It lives on the other side of the wire and imports nothing of the rest of the package.
"""

from __future__ import annotations

from hailuo_jupyter.simulator.commandline import main
from hailuo_jupyter.simulator.faults import FAULTS, Fault, Stage, describe_faults
from hailuo_jupyter.simulator.ledger import Ledger, LedgerEntry, RequestEntry
from hailuo_jupyter.simulator.options import SimulatorOptions
from hailuo_jupyter.simulator.server import Simulator

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
    "main",
]
