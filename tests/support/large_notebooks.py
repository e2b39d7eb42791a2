"""A notebook with as many finished runs as one likes, and the same one with plain text in their place."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import av
import nbformat
import numpy as np
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from hailuo_jupyter import media
from hailuo_jupyter.kernel.display.bundle import MIME, bundle
from hailuo_jupyter.states import State
from tests.support.sample_rows import shown, shown_row

FPS, FRAMES = 24, 24

#: Pixels of a clip; multiples of 32 and 18.
SIZE = (320, 180)


def write_clip(path: Path, size: tuple[int, int] = SIZE) -> dict[str, Any]:
    """Write 1 s of H.264; gives what a record says of it."""
    # Coloured squares, so that the poster is as large as that of a real clip.
    squares = np.random.default_rng(7).integers(0, 200, (18, 32, 3), dtype=np.uint8)
    width, height = size
    picture = squares.repeat(height // 18, axis=0).repeat(width // 32, axis=1)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture + np.uint8(number), format="rgb24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    content = path.read_bytes()
    facts = {"width": width, "height": height, "fps": float(FPS), "frames": FRAMES}
    digest = hashlib.sha256(content).hexdigest()
    return {**facts, "duration_s": FRAMES / FPS, "bytes": len(content), "sha256": digest}


def write_notebooks(
    folder: Path, runs: int, name: str, size: tuple[int, int] = SIZE
) -> tuple[str, str]:
    """Write both notebooks into a folder, and a clip for each run.

    Parameters
    ----------
    folder
        The server's root.
    runs
        How many cells, each with one finished run.
    name
        What the notebooks' names begin with.
    size
        Of the clip.

    Returns
    -------
    with_runs, with_text
        Their paths in the folder.
    """
    clips = folder / "hailuo"
    clips.mkdir(parents=True, exist_ok=True)
    master = clips / f"{name}.mp4"
    facts, notebook_id = write_clip(master, size), str(uuid.uuid4())
    poster = media.poster(master)
    with_runs, with_text = empty_notebook(), empty_notebook()
    records: dict[str, Any] = {}
    for number in range(runs):
        prompt = f"A heron lifts off a lake, take {number}."
        row = shown_row(State.COMPLETED, folder=clips, prompt=prompt, clip=facts)
        # One file under many names: no browser and no server can tell.
        (clips / f"{row.run_id}.mp4").hardlink_to(master)
        data = bundle([shown(row, base=folder, poster=poster)])
        records[row.run_id] = data[MIME]
        source = f"%%hailuo --provider segmind\n{prompt}"
        cell = new_code_cell(source, outputs=[new_output("display_data", data=data)])
        cell.metadata.hailuo = {"runs": [row.run_id]}
        with_runs.cells.append(cell)
        text = {"text/plain": data["text/plain"]}
        with_text.cells.append(
            new_code_cell(source, outputs=[new_output("display_data", data=text)])
        )
    with_runs.metadata.hailuo = {"schema": 1, "id": notebook_id, "runs": records}
    paths = f"{name}-runs.ipynb", f"{name}-text.ipynb"
    for path, notebook in zip(paths, (with_runs, with_text), strict=True):
        # As strings all through: what the record holds is plain JSON already.
        nbformat.write(nbformat.from_dict(json.loads(json.dumps(notebook))), folder / path)
    return paths


def empty_notebook() -> NotebookNode:
    """A notebook with no cells, whose kernel JupyterLab starts without a question."""
    made = new_notebook()
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    made.metadata.language_info = {"name": "python"}
    return made
