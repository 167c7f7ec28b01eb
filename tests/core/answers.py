"""What a provider says, and how the maker's protocol reads it."""

from __future__ import annotations

import json
from typing import Any

from flux_depth_addon.core.models import Model
from flux_depth_addon.core.providers import Accepted, Answer, Result, Task, bfl

__all__ = ["read_probe", "read_result", "read_submission", "said"]


def said(status: int, data: Any = None, **headers: str) -> Answer:
    """An answer with this body: bytes as they are, anything else as JSON; headers with _ for -."""
    content = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def read_submission(answer: Answer, model: Model) -> Accepted:
    return bfl.PROTOCOL.read_submission(answer, model)


def read_result(answer: Answer, model: Model) -> Result:
    return bfl.PROTOCOL.read_result(answer, model, Task("job", "t1"))


def read_probe(answer: Answer, model: Model) -> str:
    return bfl.PROTOCOL.read_probes([answer], model)
