"""The display of a sweep's plan before anything is sent: a small table, in text and HTML."""

from __future__ import annotations

from typing import Any

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.formatting import approx_duration, count, escape_control, sentence, shorten
from hailuo_jupyter.kernel.display.bundle import templates
from hailuo_jupyter.kernel.sweep.plan import Plan

#: Maximum rows shown; the totals are for all.
_ROWS = 40


def bundle(plan: Plan, engine: Engine, *, last: str) -> dict[str, Any]:
    """Return the plan as a bundle.

    Parameters
    ----------
    plan
        The plan.
    engine
        Estimates the duration.
    last
        The last line: what to do next, in a sentence.
    """
    head = [*(name for name, _ in plan.shape.axes), "existing", "new", "each"]
    rows = [_row(plan, position) for position in range(min(len(plan.parts), _ROWS))]
    left_out = len(plan.parts) - len(rows)
    more = f"… and {left_out} more; the totals include them." if left_out else ""
    notes = [*sentences(plan, engine), last]
    html = templates().get_template("sweep_plan.html.j2").render(
        head=head, rows=rows, more=more, said=notes
    )  # fmt: skip
    return {"text/plain": _text(head, rows, [*filter(None, [more]), *notes]), "text/html": html}


def _row(plan: Plan, position: int) -> list[str]:
    part = plan.parts[position]
    existing = plan.count - part.left
    cost = part.submission.price.text if part.left else ""
    status = "held up" if part.problem else f"{existing}" if existing else ""
    values = [value for _, value in plan.shape.named(position)]
    return [*values, status, str(part.left or ""), cost]


def sentences(plan: Plan, engine: Engine) -> list[str]:
    """Return a text with the runs to send, the cost and the duration."""
    wanted = plan.count * len(plan.parts)
    held = [part for part in plan.parts if part.problem]
    existing = plan.existing - plan.count * len(held)
    parts = [f"{count(wanted, 'run')}: {plan.missing} new"]
    parts += [f"{existing} existing (no charge)"] if existing else []
    found = [", ".join(parts) + "."]
    if plan.missing:
        took = approx_duration(plan.seconds(engine))
        found.append(sentence(f"Price: {plan.total.words}"))
        at_once = f"{min(plan.parallel, plan.missing)} at a time per provider"
        found.append(f"About {took}, {at_once}.")
    found += [
        shorten(escape_control(f"Not sent: {part.problem}"), 400)
        for part in held[:3]
        if part.problem
    ]
    if len(held) > 3:
        found.append(f"… and {len(held) - 3} more blocked.")
    return found


def _text(head: list[str], rows: list[list[str]], lines_below: list[str]) -> str:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [
        "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]
    return "\n".join([*lines, *lines_below])
