"""The fields of Segmind's ``minimax-hailuo-2`` and what is refused.

Source: the model page (parameters, defaults, allowed values). Sizes and durations of ``standard``
and ``pro`` are not published there; they are inferred from MiniMax's own product table.
"""

from __future__ import annotations

from typing import Any

from hailuo_jupyter.simulator.answers import RefusedError
from hailuo_jupyter.simulator.options import ImageDefault, SimulatorOptions
from hailuo_jupyter.simulator.pictures import SAMPLE_URL, is_link
from hailuo_jupyter.simulator.video_request import MAX_PROMPT, VideoRequest, type_name

#: US dollars; an average over all modes, because no price per mode is published.
PRICE = 0.3875

_HEIGHTS = {"standard": 768, "pro": 1080}


def read_segmind(body: dict[str, Any], options: SimulatorOptions) -> VideoRequest:
    """Return what a Segmind body asks for.

    Parameters
    ----------
    body : dict
        The JSON object; fields that do not exist are ignored.
    options : SimulatorOptions
        How undocumented cases are decided.

    Raises
    ------
    RefusedError
        With the status of the options, for a field that is missing or wrong.
    """
    refused = options.segmind_invalid_status
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise RefusedError(refused, "Invalid value for 'prompt': a non-empty string is required")
    if len(prompt) > MAX_PROMPT:
        raise RefusedError(refused, f"Invalid value for 'prompt': at most {MAX_PROMPT} characters")
    mode = body.get("mode", "standard")
    if not isinstance(mode, str) or mode not in _HEIGHTS:
        raise RefusedError(refused, "Invalid value for 'mode': allowed are standard, pro")
    optimizer = body.get("prompt_optimizer", True)
    if not isinstance(optimizer, bool):
        message = f"Invalid value for 'prompt_optimizer': boolean, not {type_name(optimizer)}"
        raise RefusedError(refused, message)
    first, sampled = _first_frame(body, options)
    last = body.get("last_frame_image")
    return VideoRequest(
        prompt=prompt,
        height=_HEIGHTS[mode],
        seconds=6,
        first=first,
        last=None if last is None or last == "" else _uri("last_frame_image", last, options),
        sampled=sampled,
        price=PRICE,
        median=options.segmind_seconds,
    )


def _first_frame(body: dict[str, Any], options: SimulatorOptions) -> tuple[str | None, bool]:
    given = body.get("image_url")
    rule: ImageDefault
    if "image_url" not in body:
        rule = options.omitted_image
    elif given is None:
        rule = options.null_image
    elif given == "":
        rule = options.empty_image
    else:
        return _uri("image_url", given, options), False
    if rule == "refuse":
        raise RefusedError(options.segmind_invalid_status, "Invalid value for 'image_url'")
    return (SAMPLE_URL, True) if rule == "sample" else (None, False)


def _uri(field: str, value: object, options: SimulatorOptions) -> str:
    if isinstance(value, str):
        if is_link(value):
            return value
        if options.segmind_data_uris and value.startswith("data:"):
            return value
    raise RefusedError(options.segmind_invalid_status, f"Invalid value for {field!r}: not a URL")
