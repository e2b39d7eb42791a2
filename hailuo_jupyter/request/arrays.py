"""Arrays as frames: their shape, their type, and how to scale another range to 0..255."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hailuo_jupyter.errors import FrameError
from hailuo_jupyter.request.image_limits import refused

if TYPE_CHECKING:
    from PIL import Image
    from PIL.Image import SupportsArrayInterface

#: Largest value that 16 bits hold; 65535 / 257 is 255.
_SIXTEEN_BITS = 65_535

#: A picture from 0 to 1 that was scaled or sharpened slightly exceeds that.
_BEYOND = 1.5
#: So does one from 0 to 255.
_RINGING = 64


def from_array(source: SupportsArrayInterface, role: str) -> Image.Image:
    """Convert an array to a picture: (height, width[, 3 or 4]) of uint8.

    Raises
    ------
    FrameError
        If it has another shape or type.
    """
    from PIL import Image

    try:
        interface = source.__array_interface__
        shape, kind = tuple(interface["shape"]), str(interface["typestr"])
    except Exception as error:  # a property of a foreign object
        raise refused(
            f"The {role} is not a readable array: {error}.", "Pass a NumPy array."
        ) from error
    if 0 in shape:
        raise refused(
            f"The {role} is an array of shape {shape}, without pixels.", "Pass another array."
        )
    if todo := _other_shape(shape):
        raise refused(
            f"The {role} is an array of shape {shape}; it has to be (height, width), "
            "with 3 or 4 channels last.",
            todo,
        )
    if kind != "|u1":
        raise _other_type(source, kind, role)
    return Image.fromarray(source)


def _other_shape(shape: tuple[int, ...]) -> str:
    """Return how to convert an array of that shape to a picture; empty if it is one already."""
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in {3, 4}):
        return ""
    if len(shape) < 2:
        return "Reshape it: array.reshape(height, width, 3)."
    if len(shape) > 3:
        return f"It contains {shape[0]} pictures; use one: array[0]."
    if shape[2] < 3:
        return "Take the first channel: array[..., 0]."
    if shape[0] in {3, 4}:
        return "Put the channels last: numpy.moveaxis(array, 0, -1)."
    if shape[0] < 3:
        return "Take the first channel: array[0]."
    if shape[2] < shape[0]:
        return "Keep three channels: array[..., :3]."
    return "Keep three channels, and put them last: numpy.moveaxis(array[:3], 0, -1)."


def _other_type(source: Any, kind: str, role: str) -> FrameError:
    wanted = "it has to be uint8, from 0 to 255"
    try:
        import numpy as np

        array = np.asarray(source)
        numbers = array[np.isfinite(array)] if array.dtype.kind == "f" else array
        if array.dtype.kind == "f" and not numbers.size:
            return refused(
                f"The {role} is an array of nothing but NaN and infinity.", "Compute it again."
            )
        low, high = (float(each) for each in (numbers.min(), numbers.max()))
    except Exception:  # noqa: BLE001 - text, objects, dates; or an array without numpy
        return refused(
            f"The {role} is an array of type {kind}; {wanted}.",
            "Pass an array of numbers, such as numpy.asarray(Image.open(p)).",
        )
    whole = numbers.size == array.size
    note = "" if whole else " (and NaN or infinity)"
    first = "" if whole else "array = numpy.nan_to_num(array, posinf=0, neginf=0); "
    return refused(
        f"The {role} is an array of {array.dtype} from {low:g} to {high:g}{note}; {wanted}.",
        f"Convert it: {first}{as_uint8(low, high, kind=array.dtype.kind)}.",
    )


def as_uint8(low: float, high: float, *, kind: str) -> str:
    """Return the code that converts an array to uint8 without changing its look.

    Parameters
    ----------
    low, high
        Its smallest and largest value.
    kind
        Kind of its numbers: ``b`` for booleans, ``i`` or ``u`` for integers, ``f`` for others.
    """
    fraction, end = kind == "f", ".astype('uint8')"
    if kind == "b" or (not fraction and low >= 0 and high == 1):
        return f"(array * 255.0){end}"
    if fraction and high <= _BEYOND and low > -0.5:
        return f"(array.clip(0, 1) * 255).round(){end}"
    if fraction and high <= _BEYOND and low >= -_BEYOND:
        return f"((array.clip(-1, 1) + 1) * 127.5).round(){end}"
    if low >= 0 and high <= 255:
        return f"array.round(){end}" if fraction else f"array{end}"
    if fraction and low > -_RINGING and high < 255 + _RINGING:
        return f"array.clip(0, 255).round(){end}"
    if low >= 0 and high <= _SIXTEEN_BITS:
        return f"(array / 257).round(){end}"
    if low == high:
        return f"array.clip(0, 255){end}"
    return (
        "array = array.astype(float); "
        f"((array - array.min()) / numpy.ptp(array) * 255).round(){end}"
    )
