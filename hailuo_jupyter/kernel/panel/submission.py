"""Convert the form to a submission, and the result to a sentence below the button. No widgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.decide import Action
from hailuo_jupyter.engine.submission import Submission
from hailuo_jupyter.kernel import generate
from hailuo_jupyter.kernel.generate import Submitted
from hailuo_jupyter.kernel.panel.form_state import FormState, request_options
from hailuo_jupyter.settings import Hailuo


def submission_from(
    form: FormState,
    provider: Provider,
    namespace: Mapping[str, Any],
    *,
    new: bool,
    settings: Hailuo,
) -> Submission:
    """Return the submission of a form. A parent alone does not make it buy what the notebook already has.

    Parameters
    ----------
    form, provider
        The form, and its provider.
    namespace
        The notebook's variables.
    new
        Buy even if the notebook has such a run already.
    settings
        The settings for it.

    Raises
    ------
    HailuoError
        For any problem with it.
    """
    submission, _ = generate.submission_from(
        form.prompt,
        request_options(form, provider, namespace),
        parent=form.parent,
        settings=settings,
    )
    if new or form.parent is None:
        return replace(submission, new=new)
    # A rerun is also identified by its parent, so that `%hailuo rerun` buys. A form filled from a run
    # and submitted unchanged requests that same run.
    plain = replace(submission, parent=None)
    missing = process.get_engine().find_reusable(plain).missing
    return plain if missing < submission.count else submission


def result_text(submitted: Submitted) -> str:
    """Describe what was sent, and what the notebook already had."""
    runs = submitted.submitted
    bought = [each.run.run_id for each in runs if each.action is Action.BUY]
    existing = [each.run.run_id for each in runs if each.action is not Action.BUY]
    sentences = []
    if bought:
        sentences.append(f"Submitted {', '.join(bought)}; see below.")
    if existing:
        sentences.append(
            f"You already have this clip (run {', '.join(existing)}, below), so nothing was "
            "charged. Use New take for another."
        )
    sentences += submitted.run_remarks
    return " ".join(sentences)
