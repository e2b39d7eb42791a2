"""The states of a run as a picture, checked against the transitions that the package allows."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from hailuo_jupyter.states import TRANSITIONS, State


class Node(NamedTuple):
    """A box: its centre, and half of its width and height, in pixels."""

    x: int
    y: int
    half_width: int = 62
    half_height: int = 18


_NODES = {
    State.PREPARED: Node(90, 52),
    State.UPLOADING: Node(250, 52),
    State.SUBMITTING: Node(170, 140),
    State.SUBMITTED: Node(170, 236),
    State.QUEUED: Node(90, 306),
    State.GENERATING: Node(250, 306),
    State.DOWNLOADING: Node(170, 398),
    State.COMPLETED: Node(170, 478),
    State.REJECTED: Node(470, 80),
    State.UNCONFIRMED: Node(470, 168),
    State.FAILED: Node(470, 256),
    State.EXPIRED: Node(470, 330),
    State.UNDOWNLOADED: Node(470, 420, 84),
}

_NOT_SENT, _AT_PROVIDER = "not sent", "at the provider"

_GROUPS = {
    _NOT_SENT: (Node(170, 46, 158, 40), (State.PREPARED, State.UPLOADING)),
    _AT_PROVIDER: (
        Node(170, 264, 158, 76),
        (State.SUBMITTED, State.QUEUED, State.GENERATING),
    ),
}

#: Where the arrows from each box end.
_ARROWS: dict[str, tuple[str, ...]] = {
    State.PREPARED: (State.UPLOADING,),
    _NOT_SENT: (State.SUBMITTING, State.REJECTED),
    State.SUBMITTING: (State.SUBMITTED, State.REJECTED, State.UNCONFIRMED),
    State.UNCONFIRMED: (State.SUBMITTED, State.REJECTED, State.FAILED),
    State.SUBMITTED: (State.QUEUED, State.GENERATING),
    State.QUEUED: (State.GENERATING,),
    _AT_PROVIDER: (State.DOWNLOADING, State.FAILED, State.EXPIRED),
    State.DOWNLOADING: (State.COMPLETED, State.UNDOWNLOADED, State.FAILED),
    State.UNDOWNLOADED: (State.COMPLETED, State.EXPIRED),
}

#: The arrows that also go back.
_BOTH_WAYS = {
    (State.PREPARED, State.UPLOADING),
    (State.QUEUED, State.GENERATING),
    (State.DOWNLOADING, State.COMPLETED),
    (State.DOWNLOADING, State.UNDOWNLOADED),
}

#: Back to "not sent" after proof that nothing arrived: said in the text, not drawn.
_NOT_DRAWN = {(State.SUBMITTING, State.PREPARED)}


def diagram() -> str:
    """Return the picture as SVG.

    Raises
    ------
    ValueError
        If it does not show exactly the transitions that `hailuo_jupyter.states` allows.
    """
    arrows = [(start, end) for start, ends in _ARROWS.items() for end in ends]
    drawn = {pair for arrow in arrows for pair in _pairs(*arrow)} | _NOT_DRAWN
    allowed = {(before, after) for before, afters in TRANSITIONS.items() for after in afters}
    if drawn != allowed or set(_NODES) != set(State):
        raise ValueError(f"The diagram of states is out of date: {sorted(drawn ^ allowed)}")
    lines = [
        '<svg class="states" viewBox="0 0 570 510" role="img" aria-label="The states of a run">',
        f"<defs>{_arrow_head('end', 'auto')}{_arrow_head('begin', 'auto-start-reverse')}</defs>",
    ]
    for name, (box, _) in _GROUPS.items():
        lines.append(_rect(box, "group"))
        lines.append(
            f'<text class="group" x="{box.x - box.half_width + 8}" '
            f'y="{box.y - box.half_height + 15}">{name}</text>'
        )
    lines += [_line(*arrow) for arrow in arrows]
    for state, box in _NODES.items():
        lines.append(_rect(box, f"state {state.value}"))
        lines.append(f'<text x="{box.x}" y="{box.y + 5}">{state.value}</text>')
    return "\n".join([*lines, "</svg>"])


def _arrow_head(name: str, orient: str) -> str:
    size = 'markerWidth="8" markerHeight="8" refX="8" refY="4"'
    return f'<marker id="{name}" {size} orient="{orient}"><path d="M0,0 L8,4 L0,8 z"/></marker>'


def _members(name: str) -> tuple[State, ...]:
    return _GROUPS[name][1] if name in _GROUPS else (State(name),)


def _pairs(start: str, end: str) -> set[tuple[State, State]]:
    forth = set(product(_members(start), _members(end)))
    back = {(after, before) for before, after in forth if (start, end) in _BOTH_WAYS}
    return forth | back


def _box(name: str) -> Node:
    return _GROUPS[name][0] if name in _GROUPS else _NODES[State(name)]


def _rect(box: Node, kind: str) -> str:
    return (
        f'<rect class="{kind}" x="{box.x - box.half_width}" y="{box.y - box.half_height}" '
        f'width="{2 * box.half_width}" height="{2 * box.half_height}" rx="6"/>'
    )


def _line(start: str, end: str) -> str:
    one, other = _box(start), _box(end)
    (x1, y1), (x2, y2) = _border(one, other), _border(other, one)
    begin = ' marker-start="url(#begin)"' if (start, end) in _BOTH_WAYS else ""
    return f'<line x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}" marker-end="url(#end)"{begin}/>'


def _border(box: Node, towards: Node) -> tuple[float, float]:
    """Return where the line between two centres crosses a box's border."""
    dx, dy = towards.x - box.x, towards.y - box.y
    scale = min(
        box.half_width / abs(dx) if dx else float("inf"),
        box.half_height / abs(dy) if dy else float("inf"),
    )
    return box.x + dx * scale, box.y + dy * scale
