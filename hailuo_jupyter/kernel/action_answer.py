"""The answer to a page that wants something done, in the shape of `comm_messages.schema.json`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hailuo_jupyter.errors import INTERNAL_ERROR, HailuoError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """The answer to a page.

    Parameters
    ----------
    text
        Sentences: what would be done or, if the action was confirmed, what was done.
    bundles
        The present content of outputs that have changed, although no run's record has.
    problem
        Why nothing was done; empty if it was.
    about
        What the text is about. A confirmation counts for this only.
    """

    text: tuple[str, ...] = ()
    bundles: tuple[dict[str, Any], ...] = ()
    problem: str = ""
    about: str = ""


def answered(do: Callable[[], Answer]) -> dict[str, Any]:
    """Return the answer of an action; an error is its problem.

    Returns
    -------
    dict
        ``problem``, ``text``, ``bundles`` and ``about``, as `comm_messages.schema.json` defines them.
    """
    from hailuo_jupyter.formatting import escape_control

    try:
        answer = do()
    except (HailuoError, ValueError) as error:  # ValueError: a newer version's record
        answer = Answer(problem=str(error))
    except Exception:
        logger.exception("an action that a page asked for failed")
        answer = Answer(problem=INTERNAL_ERROR)
    return {
        "problem": escape_control(answer.problem),
        "text": [escape_control(each) for each in answer.text],
        "bundles": list(answer.bundles),
        "about": answer.about,
    }
