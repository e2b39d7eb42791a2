"""A simulated provider server, with real clips and its own clock, for the demo.

It is only reached over HTTP and imports nothing from the rest of the package. It makes no
mistakes; the tests' own simulator adds those.
"""

from __future__ import annotations

from hailuo_jupyter.simulator.options import SimulatorOptions
from hailuo_jupyter.simulator.server import Simulator

__all__ = ["Simulator", "SimulatorOptions"]
