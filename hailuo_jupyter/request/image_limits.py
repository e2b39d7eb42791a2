"""The limits for every picture of a frame: the provider's, and one of our own."""

from __future__ import annotations

import math

from hailuo_jupyter.catalogue.types import FrameLimits
from hailuo_jupyter.errors import NOTHING_SENT, FrameError

#: A picture with more pixels is rejected before it is decoded. Our own limit, not a provider's: a
#: small file can unpack to gigabytes. Below the size at which Pillow itself starts to warn.
MAX_PIXELS = 80_000_000


def refused(what: str, todo: str) -> FrameError:
    """Return the error for an unusable frame: the problem, and the solution."""
    return FrameError(what, money=NOTHING_SENT, todo=todo)


def check_bytes(size: int, role: str, limits: FrameLimits) -> None:
    """Reject a file that is too large.

    Raises
    ------
    FrameError
        With its size and the limit, in MB.
    """
    if size > limits.max_bytes:
        raise refused(
            f"The {role} has {size / 1e6:.1f} MB ({size} bytes); the limit is "
            f"{limits.max_bytes / 1e6:g} MB.",
            "Save it smaller: image = Image.open(p).convert('RGB'); "
            "image.thumbnail((2048, 2048)); image.save('first.jpg').",
        )


def check_shape(width: int, height: int, role: str, limits: FrameLimits) -> None:
    """Reject a picture that is too small, too large or too long.

    Raises
    ------
    FrameError
        With its pixels and the limit.
    """
    if width * height > MAX_PIXELS:
        raise refused(
            f"The {role} has {width} x {height} pixels, {width * height / 1e6:.0f} million; the "
            f"limit is {MAX_PIXELS / 1e6:.0f} million.",
            "Scale it down: image.thumbnail((2048, 2048)).",
        )
    ratio_is_good = limits.min_ratio * height < width < limits.max_ratio * height
    if min(width, height) <= limits.min_short_side_px and (ratio_is_good or not width * height):
        raise refused(
            f"The {role} has {width} x {height} pixels; its shorter side has to be longer than "
            f"{limits.min_short_side_px}.",
            "Use a larger picture" + _enlarged(width, height, limits),
        )
    if not ratio_is_good:
        low, high = (f"{r.numerator}:{r.denominator}" for r in (limits.min_ratio, limits.max_ratio))
        sides = "(1366, 768)" if width > height else "(768, 1366)"
        raise refused(
            f"The {role} has {width} x {height} pixels, a ratio of {width / height:.3g}; it must "
            f"be between {low} and {high} ({float(limits.min_ratio):g} and "
            f"{float(limits.max_ratio):g}), both excluded.",
            f"Crop it: ImageOps.fit(image, {sides}).",
        )


def _enlarged(width: int, height: int, limits: FrameLimits) -> str:
    """Return how to enlarge a picture sufficiently."""
    if not width * height:
        return "."
    factor = math.ceil((limits.min_short_side_px + 1) / min(width, height) * 10) / 10
    sides = (math.ceil(width * factor), math.ceil(height * factor))
    return f", or scale this one up by {factor:g}: image.resize({sides})."
