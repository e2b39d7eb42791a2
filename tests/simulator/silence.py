"""A file that is no clip."""

from __future__ import annotations

import io

import av


def render_silence() -> bytes:
    """Return an MP4 file that holds sound and no picture: what a client must not call a clip."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate = 16000
        for number in range(16):
            frame.pts = number * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()
