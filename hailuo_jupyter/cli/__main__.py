"""The command line as ``python -m hailuo_jupyter.cli``, whatever is on the PATH."""

from __future__ import annotations

import sys

from hailuo_jupyter.cli import main

sys.exit(main())
