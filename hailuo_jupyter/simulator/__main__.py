"""Run the simulator as a program."""

from __future__ import annotations

import sys

from hailuo_jupyter.simulator import main

sys.exit(main())
