"""Checks messages on `hailuo.sync` against the schema that kernel and page share."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import jsonschema

SCHEMA: dict[str, Any] = json.loads(
    resources.files("hailuo_jupyter.kernel").joinpath("comm_messages.schema.json").read_text()
)


def names_of(group: str) -> list[str]:
    """Return the names of the messages in a group: ``PageMessage`` or ``KernelMessage``."""
    return [each["$ref"].rpartition("/")[2] for each in SCHEMA["definitions"][group]["anyOf"]]


def validator(name: str) -> jsonschema.Draft7Validator:
    """Return the validator of a definition of the schema."""
    schema = {"$ref": f"#/definitions/{name}", "definitions": SCHEMA["definitions"]}
    return jsonschema.Draft7Validator(schema)


_BY_GROUP = {group: validator(group) for group in ("PageMessage", "KernelMessage")}


def check(data: Any, group: str) -> None:
    """Raise `jsonschema.ValidationError` unless `data` is a message of a group."""
    _BY_GROUP[group].validate(data)
