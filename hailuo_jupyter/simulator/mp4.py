"""What is done to MP4 files as bytes: a mark that makes each job's file its own."""

from __future__ import annotations

import struct


def free_box(text: str) -> bytes:
    """Return an MP4 ``free`` box that holds a text.

    Players skip such a box (ISO/IEC 14496-12, 8.1.2), so appending one changes the file's bytes
    and hash and nothing else. No provider takes a seed: the same request gives other bytes every
    time, and so it must be here.

    Parameters
    ----------
    text : str
        What the box holds; a job id.
    """
    content = text.encode("utf-8", "replace")
    return struct.pack(">I4s", 8 + len(content), b"free") + content
