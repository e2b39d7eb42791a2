"""The fields of AI/ML API's ``minimax/hailuo-02`` in both path families, and what is refused.

Sources: the model page and its request schemas. Prices are inferred: MiniMax's list price and the
surcharge seen on AI/ML API's hailuo-2.3.
"""

from __future__ import annotations

from typing import Any

from hailuo_jupyter.simulator.answers import RefusedError
from hailuo_jupyter.simulator.options import SimulatorOptions
from hailuo_jupyter.simulator.video_request import MAX_PROMPT, VideoRequest, type_name

MODEL = "minimax/hailuo-02"

#: US dollars by height and seconds.
PRICES = {(768, 6): 0.294, (768, 10): 0.588, (1080, 6): 0.515, (1080, 10): 0.858}

#: Credits per US dollar (published).
CREDITS_PER_DOLLAR = 2_000_000

_HEIGHTS = {"768P": 768, "1080P": 1080}
_DURATIONS = (6, 10)
_LONG = 10


def read_aimlapi(body: dict[str, Any], options: SimulatorOptions, *, unified: bool) -> VideoRequest:
    """Return what an AI/ML API body asks for.

    Parameters
    ----------
    body : dict
        The JSON object; fields that do not exist are ignored.
    options : SimulatorOptions
        How undocumented cases are decided.
    unified : bool
        Whether the body came to ``/v2/video/generations``, whose field names differ.

    Raises
    ------
    RefusedError
        Status 400, naming each field that is missing or wrong.
    """
    faults: list[str] = []
    _expect(faults, "model", f"'{MODEL}'", body.get("model"), body.get("model") == MODEL)
    prompt = body.get("prompt")
    right = isinstance(prompt, str) and 0 < len(prompt) <= MAX_PROMPT
    _expect(faults, "prompt", f"string of 1 to {MAX_PROMPT} characters", prompt, right)
    optimizer_field = "enhance_prompt" if unified else "prompt_optimizer"
    optimizer = body.get(optimizer_field, True)
    _expect(faults, optimizer_field, "boolean", optimizer, isinstance(optimizer, bool))
    duration = body.get("duration", 6)
    number = isinstance(duration, int | float) and not isinstance(duration, bool)
    _expect(faults, "duration", "6 or 10", duration, number and duration in _DURATIONS)
    resolution = body.get("resolution", "768P")
    known = isinstance(resolution, str) and resolution in _HEIGHTS
    _expect(faults, "resolution", "'768P' or '1080P'", resolution, known)
    frames = {}
    for role, field in (
        ("first", "image_url" if unified else "first_frame_image"),
        ("last", "last_image_url"),
    ):
        value = body.get(field, "")
        _expect(
            faults,
            field,
            "string",
            value,
            isinstance(value, str) and (bool(value) or field not in body),
        )
        frames[role] = value or None
    if faults:
        raise RefusedError(400, "Body validation failed: " + "; ".join(faults))
    seconds, height = int(duration), _HEIGHTS[resolution]
    failure = None
    if (height, seconds) == (1080, _LONG) and options.long_1080p != "allow":
        message = "10 s is not available at 1080P"
        if options.long_1080p == "refuse":
            raise RefusedError(400, f"Body validation failed: duration: {message}")
        failure = message
    return VideoRequest(
        prompt=str(prompt),
        height=height,
        seconds=seconds,
        first=frames["first"],
        last=frames["last"],
        price=PRICES[height, seconds],
        median=options.aimlapi_10s_seconds if seconds == _LONG else options.aimlapi_6s_seconds,
        failure=failure,
    )


def _expect(faults: list[str], field: str, wanted: str, value: object, right: bool) -> None:
    if right:
        return
    # The value itself only when it is short: a picture in the wrong field is megabytes.
    shown = f"{type_name(value)} {value!r}" if isinstance(value, int | float) else type_name(value)
    if isinstance(value, str):
        shown = f"'{value}'" if len(value) <= _SHOWN else f"string of {len(value)} characters"
    faults.append(f"{field}: expected {wanted}, received {shown[:80]}")


_SHOWN = 40
