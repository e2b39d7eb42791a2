"""The free calls to a provider, and the answers that the adapter expects."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO

from hailuo_jupyter.errors import HailuoError, JobExpired, KeyRefused, ProviderDown
from hailuo_jupyter.files import sha256
from hailuo_jupyter.providers import price_list
from hailuo_jupyter.providers.base import Call, Dialect, Reply
from hailuo_jupyter.request.frames import Frame

#: Seconds of history to request.
_HISTORY_S = 7 * 86400.0


@dataclass(frozen=True)
class Check:
    """One free call.

    Parameters
    ----------
    name
        Its name in the table and the report.
    call
        The call.
    read
        The adapter's function that reads the answer; raises as for a run.
    expects
        The expected status codes.
    refusal
        The error that the adapter should raise; None if it should not raise.
    fields
        Types of the fields that the adapter reads, by path, as named by `shape.fields`; with `ABSENT`
        among them the field may be missing. A list without items has none of its items' fields.
    with_key
        Whether the key is sent.
    """

    name: str
    call: Call
    read: Callable[[Reply], object]
    expects: tuple[int, ...] = (200,)
    refusal: type[HailuoError] | None = None
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    with_key: bool = True


#: Marks a field that may be missing.
ABSENT = "nothing"

_NUMBER, _MAYBE_NUMBER = ("number",), ("number", ABSENT)
_ID = ("text (UUID)", "text (digits)", "text (other)")
_MAYBE_ID = (*_ID, "null")
_WORDS = ("text (other)",)

#: Fields that the adapters read, by dialect and check. Sources: the adapters' own.
_FIELDS: Mapping[str, Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "segmind": {
        "no key": {"error": _WORDS},
        "balance": {"credits": _NUMBER, "free-credits": _MAYBE_NUMBER},
        "upload": {"file_urls[]": ("text (link)",)},
        "status of an unknown job": {"error": _WORDS},
        "result of an unknown job": {"error": _WORDS},
        "history": {
            "data[].request_id": _ID,
            "data[].model_name": _WORDS,
            "data[].model_status": _WORDS,
            "data[].credits_deduction": ("number", "null"),
            "data[].model_created": ("text (time)",),
            "data[].request_body": ("object", "text (JSON)", "null"),
        },
    },
    "aimlapi": {
        "no key": {"message": _WORDS},
        "balance": {"current_balance": _NUMBER, "currency": _WORDS},
        "price": {"data[].id": _WORDS, "data[].pricing": ("object", "list")},
        "status of an unknown job": {"message": _WORDS},
        "history": {
            "data[].status": _WORDS,
            "data[].created": ("text (time)",),
            "data[].cost": ("object", "null"),
            "data[].inference_id": _MAYBE_ID,
            "data[].client_request_id": _MAYBE_ID,
            "pagination.has_more": ("boolean",),
        },
    },
    "replicate": {
        "upload": {},
        "status of an unknown job": {"detail": _WORDS},
        "history": {
            "results[].id": _ID,
            "results[].status": _WORDS,
            "results[].created_at": ("text (time)",),
            "results[].input": ("object", "null"),
        },
    },
    "runware": {"status of an unknown job": {}, "result of an unknown job": {}},
    "fal": {"upload": {}, "status of an unknown job": {}, "result of an unknown job": {}},
    "minimax": {
        "status of an unknown job": {
            "base_resp.status_code": _NUMBER,
            "base_resp.status_msg": _WORDS,
        }
    },
}

#: What an unknown job is answered with, where that is not 404. Runware answers as for a waiting one; that
#: MiniMax answers 200 with the code for invalid parameters is inferred.
_UNKNOWN: Mapping[str, tuple[tuple[int, ...], type[HailuoError]]] = {
    "runware": ((200,), ProviderDown),
    "minimax": ((200,), ProviderDown),
}


def free_checks(dialect: Dialect) -> Iterator[Check]:
    """Return the checks that a provider's API allows, in order."""
    fields = _FIELDS[dialect.provider.dialect]

    def news(reply: Reply) -> object:
        return dialect.news(dialect.translated(reply))

    def refused(reply: Reply) -> object:
        if error := dialect.refusal(reply):
            raise error
        return None

    def listed(reply: Reply) -> object:
        refused(reply)
        if not price_list.prices(dialect.provider, reply):
            raise dialect.down(reply)
        return None

    if balance := dialect.balance():
        yield Check(
            "no key", balance, refused, (401,), KeyRefused, fields["no key"], with_key=False
        )
        yield Check("balance", balance, dialect.read_balance, fields=fields["balance"])
    if prices := dialect.price_list():
        yield Check("price", prices, listed, fields=fields["price"], with_key=False)
    if upload := _upload(dialect):
        yield Check("upload", upload, dialect.uploaded, (200, 201), fields=fields["upload"])
    unknown = str(uuid.uuid4())
    codes, refusal = _UNKNOWN.get(dialect.provider.dialect, ((404,), JobExpired))
    for wire in dialect.provider.wires:
        name = "status of an unknown job"
        expected = fields[name]
        if len(dialect.provider.wires) > 1:
            name = f"{name} ({wire})"
        call = dialect.status(unknown, wire)
        yield Check(name, call, news, codes, refusal, expected)
    if (call_ := dialect.result(unknown, dialect.provider.default_wire)) is not None:
        name = "result of an unknown job"
        yield Check(name, call_, news, codes, refusal, fields[name])
    if row := dialect.history_row(unknown):
        name = "history of an unknown job"
        read = dialect.read_history_row
        yield Check(name, row, read, (404,), JobExpired, fields["result of an unknown job"])
    now = time.time()
    if (history := dialect.history(now - _HISTORY_S, now, 0)) is not None:
        yield Check("history", history, dialect.read_history, fields=fields["history"])


def _upload(dialect: Dialect) -> Call | None:
    """Build the call that uploads a tiny picture; None if frames are part of the paid call."""
    from PIL import Image

    out = BytesIO()
    Image.new("RGB", (8, 8), (128, 128, 128)).save(out, "PNG")
    data = out.getvalue()
    frame = Frame(f"file:{sha256(data)}", "probe.png", data=data, sha256=sha256(data), format="png")
    try:
        return dialect.upload(frame)
    except HailuoError:  # a gateway's key is not for the provider's own storage
        return None
