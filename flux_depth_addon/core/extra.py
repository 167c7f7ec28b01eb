"""Extra fields as people write them: a name, and a value that is JSON or else taken as text."""

from __future__ import annotations

import json

__all__ = ["field_of", "json_of"]


def field_of(text: str) -> tuple[str, str]:
    """`NAME=VALUE` as a request holds it."""
    name, _, value = text.partition("=")
    return name.strip(), json_of(value)


def json_of(value: str) -> str:
    """The value as JSON: as it stands where it is JSON, else as a text."""
    try:
        return json.dumps(json.loads(value, parse_constant=_no_number))
    except (ValueError, RecursionError):
        return json.dumps(value.strip())


def _no_number(name: str) -> None:
    """NaN and Infinity, which Python reads and no provider does."""
    raise ValueError(name)
