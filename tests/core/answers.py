"""What a provider says, as the readings of every protocol are given it."""

from __future__ import annotations

import json
from typing import Any

from flux_depth_addon.core.providers import Answer

__all__ = ["said"]


def said(status: int, data: Any = None, **headers: str) -> Answer:
    """An answer with this body: bytes as they are, anything else as JSON; headers with _ for -."""
    content = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)
