"""One file per wire protocol: pure functions from a request to a body, and from an answer to what it means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Accepted", "Answer", "Missing", "Pending", "Ready", "Result"]


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON, or None when it is not (HTML, for instance)."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Accepted:
    """The provider took the request: from here on it costs."""

    remote_id: str
    polling_url: str = ""
    cost_usd: float | None = None


@dataclass(frozen=True)
class Pending:
    """Not ready; progress is 0..1, or None where the provider tells none."""

    progress: float | None = None


@dataclass(frozen=True)
class Missing:
    """The provider does not find the task: too early to know it, or too late."""


@dataclass(frozen=True)
class Ready:
    """The picture waits at `sample`, for about ten minutes."""

    sample: str
    seed: int | None = None


Result = Pending | Missing | Ready
