"""The plan of a sweep as it is shown before anything is sent: a small table, in text and HTML."""

from __future__ import annotations

from typing import Any

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.kernel.bundle import templates
from hailuo_jupyter.kernel.sweep.plan import Plan, price_of, runs
from hailuo_jupyter.kernel.words import about, harmless, price, shortened

#: Rows of a plan that are shown; the totals hold for all.
_ROWS = 40


def bundle(plan: Plan, engine: Engine, *, last: str) -> dict[str, Any]:
    """Give the plan as a bundle.

    Parameters
    ----------
    plan
        What would be sent.
    engine
        Tells how long it may take.
    last
        What is to be done about it, in a sentence.
    """
    head = [*(name for name, _ in plan.shape.axes), "here already", "to send", "price of one"]
    rows = [_row(plan, position) for position in range(min(len(plan.parts), _ROWS))]
    left_out = len(plan.parts) - len(rows)
    more = f"… and {left_out} more; the totals hold for all." if left_out else ""
    said = [*sentences(plan, engine), last]
    html = templates().get_template("sweep_plan.html.j2").render(
        head=head, rows=rows, more=more, said=said
    )  # fmt: skip
    return {"text/plain": _text(head, rows, [*filter(None, [more]), *said]), "text/html": html}


def _row(plan: Plan, position: int) -> list[str]:
    part = plan.parts[position]
    here = plan.count - part.left
    cost = price(price_of(part.order)) if part.left else ""
    stands = "held up" if part.problem else f"{here}" if here else ""
    values = [value for _, value in plan.shape.named(position)]
    return [*values, stands, str(part.left or ""), cost]


def sentences(plan: Plan, engine: Engine) -> list[str]:
    """Say what would be sent, what that costs and how long it takes."""
    wanted = plan.count * len(plan.parts)
    held = [part for part in plan.parts if part.problem]
    there = plan.there - plan.count * len(held)
    said = [f"{runs(wanted)}: {plan.lacking} to send"]
    said += [f"{there} in this notebook already, at no cost"] if there else []
    found = [", ".join(said) + "."]
    if plan.lacking:
        took = about(plan.seconds(engine))
        found.append(f"Price of these: {plan.total.words}.")
        at_once = f"{min(plan.parallel, plan.lacking)} at a time at each provider"
        found.append(f"Usually done in about {took}, with {at_once}.")
    found += [
        shortened(harmless(f"Not sent: {part.problem}"), 400) for part in held[:3] if part.problem
    ]
    if len(held) > 3:
        found.append(f"… and {len(held) - 3} more that are held up.")
    return found


def _text(head: list[str], rows: list[list[str]], said: list[str]) -> str:
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = [
        "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]
    return "\n".join([*lines, *said])
