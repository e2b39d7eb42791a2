"""Whether a notebook that goes by another id now has asked for a run all the same.

A notebook that nobody could write an id into goes by one that is made of its path, so that it has
another one once it is moved or renamed, or has got one of its own. Its clips lie in its output folder
all the while, which is where this is asked about them; what was paid for there is not to be paid for
again. In doubt a run belongs to whoever asks: the clip is shown with a word on where it comes from, and
``--new`` buys another, while a clip that was bought twice is never given back.
"""

from __future__ import annotations

import os
from pathlib import Path

from hailuo_jupyter.engine.order import Order
from hailuo_jupyter.notebook_id import is_made, is_written_in, made_of_folder, made_of_path
from hailuo_jupyter.record import OriginRecord


def belongs(origin: OriginRecord, order: Order, was: Path) -> bool:
    """Tell whether a run was asked for by an order's notebook, when that went by another id.

    Parameters
    ----------
    origin
        Where the run was asked for. Its clip lies in the order's output folder.
    order
        What is asked for now.
    was
        The run's output folder, as the log has it; the order's where the log does not know the run.
    """
    notebook_id, name, home = origin.notebook_id, origin.notebook_path, order.key_folder
    if notebook_id is None or not is_made(notebook_id):
        return False  # it was given, and goes wherever its notebook goes
    # The way from an output folder to its notebook is taken to be what it was.
    homes = {home, _as_far_from(was, home, order.folder)}
    if name is None and any(made_of_folder(each) == notebook_id for each in homes):
        return True  # a folder's id is every notebook's in it
    known = name is not None and any(made_of_path(each / name) == notebook_id for each in homes)
    if not known and not order.folder.is_relative_to(home.resolve()):
        return False  # a folder for clips from anywhere
    if order.origin.notebook_id == made_of_folder(home):
        return True  # whoever asks tells of no notebook, and may well be this one
    return not any(
        each.name == name
        or any(made_of_path(where / each.name) == notebook_id for where in homes)
        or is_written_in(each, notebook_id)
        for each in home.glob("*.ipynb")
        if each.name != order.origin.notebook_path
    )


def _as_far_from(was: Path, home: Path, folder: Path) -> Path:
    """Give the folder that lies to one output folder as the notebook's lies to the present one."""
    try:
        return Path(os.path.normpath(was / os.path.relpath(home.resolve(), folder)))
    except ValueError:  # on two drives
        return home


def remark(run_id: str, origin: OriginRecord, order: Order) -> str:
    """Say where a run comes from that belongs to an order's notebook by `belongs`."""
    named = origin.notebook_path
    if named is None or named == order.origin.notebook_path:
        whence = "under another id of this notebook, which was moved or got one of its own since"
    elif order.origin.notebook_path is None:
        whence = f"in {named}, which may be this notebook"
    else:
        whence = f"in {named}, which is no longer here"
    return (
        f"Run {run_id} was bought {whence}. Its clip lies in this notebook's output folder, so it is "
        "shown, and nothing is paid; --new buys another one."
    )
