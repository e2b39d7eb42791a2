"""Write the record's JSON Schema, ``record.schema.json``: ``python -m hailuo_jupyter.record``."""

from __future__ import annotations

import json
from pathlib import Path

from hailuo_jupyter.record import json_schema

if __name__ == "__main__":
    Path(__file__).with_name("record.schema.json").write_text(
        json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
    )
