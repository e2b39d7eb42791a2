"""What cells of a notebook order, and what comes of it: bought, or shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hailuo_jupyter.engine.decide import Action
from hailuo_jupyter.engine.submission import Submission, SubmittedRun
from hailuo_jupyter.ids import made_of_folder, notebook_at
from hailuo_jupyter.kernel.generate import Submitted
from hailuo_jupyter.kernel.panel import submission
from hailuo_jupyter.record import OriginRecord
from tests.support.engine_fixture import EngineFixture


def write(path: Path, notebook_id: str | None = None) -> Path:
    """Make a notebook's file, with an id of its own or without."""
    ours = {"hailuo": {"schema": 1, "id": notebook_id, "runs": {}}} if notebook_id else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": [], "metadata": ours, "nbformat": 4, "nbformat_minor": 5}))
    return path


def asked_in(
    lab: EngineFixture, path: Path, *, clips: Path | None = None, **how: Any
) -> Submission:
    """Return the order that a cell of a notebook makes; of no notebook, where the path is a folder."""
    folder = path if path.is_dir() else path.parent
    notebook_id = made_of_folder(path) if path.is_dir() else notebook_at(path).id
    order = lab.order(folder=(clips or folder / "hailuo").resolve(), **how)
    named = None if path.is_dir() else path.name
    return replace(
        order,
        origin=OriginRecord(notebook_id=notebook_id, notebook_path=named),
        key_folder=folder,
    )


def placed(lab: EngineFixture, order: Submission) -> list[SubmittedRun]:
    """Place an order in a kernel of its own, and wait for its runs."""
    engine = lab.engine()
    found = engine.submit(order)
    for each in found:
        each.run.wait(30)
    return found


def served(lab: EngineFixture, order: Submission) -> SubmittedRun:
    """Place an order, of which nothing is bought."""
    before = lab.submits()
    [found] = placed(lab, order)
    assert (found.action, lab.submits()) == (Action.SHOW, before)
    assert found.run.clip is not None
    assert "no charge; --new generates another." in found.remark
    submitted = Submitted(lab.engines[-1], order, (found,), "", 0.0)
    assert found.remark in submission.result_text(submitted), "the form says it, too"
    return found


def bought(lab: EngineFixture, order: Submission) -> str:
    """Place an order of one run, which is bought."""
    [found] = placed(lab, order)
    assert (found.action, found.remark) == (Action.BUY, "")
    return found.run.run_id


def shown(lab: EngineFixture, order: Submission) -> str:
    """Place an order, for which the notebook's own run is shown; returns its id."""
    before = lab.submits()
    [found] = placed(lab, order)
    assert (found.action, found.remark, lab.submits()) == (Action.SHOW, "", before)
    return found.run.run_id
