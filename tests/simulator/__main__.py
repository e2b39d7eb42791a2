"""The tests' simulator as a program, with all its faults: ``python -m tests.simulator``."""

from __future__ import annotations

import sys

from hailuo_jupyter.simulator import __main__ as program
from tests.simulator import Simulator, SimulatorOptions, describe_faults


def main() -> int:
    """Run it, or list its faults."""
    if sys.argv[1:] == ["--list-faults"]:
        for name, text in describe_faults():
            sys.stdout.write(f"{name}\n    {text}\n")
        return 0
    return program.main(make=lambda options: Simulator(SimulatorOptions(**vars(options))))


if __name__ == "__main__":
    sys.exit(main())
