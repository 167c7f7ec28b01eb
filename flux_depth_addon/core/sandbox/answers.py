"""What goes out to a call: a status, headers and a body, or a refusal in the provider's own envelope."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "Refusal", "as_text", "complaint", "invalid", "problem"]


@dataclass(frozen=True)
class Answer:
    """What goes out to one call. Text may hold {base} and {id}: the endpoint's address, and the task's id."""

    status: int = 200
    """HTTP status; 0 resets the connection without an answer."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = b""
    """Bytes, text, or anything else to be sent as JSON."""
    hold: float = 0.0
    """Seconds to wait before the first byte."""
    cut: int | None = None
    """Bytes of the body after which the connection is closed, though all were promised."""


class Refusal(Exception):
    """The call ends with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def complaint(name: str, kind: str, words: str) -> dict[str, object]:
    """One entry of a 422's detail list; no name is the body itself."""
    return {"loc": ["body", name] if name else ["body"], "msg": words, "type": kind}


def invalid(complaints: list[Any]) -> Answer:
    """The 422 of a body that does not fit the schema."""
    return Answer(422, body={"detail": complaints})


def problem(path: str, status: int, words: str) -> Answer:
    """A refusal in the envelope of the provider whose route was called."""
    error = {"message": f"{words} (request id: sandbox)", "type": "comet_api_error", "param": "", "code": ""}
    return Answer(status, body={"error": error} if path.startswith("/flux/") else {"detail": words})


def as_text(body: object) -> str:
    """Text as it is, anything else as JSON."""
    return body if isinstance(body, str) else json.dumps(body)
