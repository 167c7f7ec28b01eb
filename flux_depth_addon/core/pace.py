"""How many tasks a provider is given at once: so many that it is never idle, and no more than it takes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from .database import Database

__all__ = ["SLOTS", "Pace", "at_providers"]

SLOTS = 24
"""The most tasks a Black Forest Labs account may have at once."""

PROBE_SECONDS = 15.0
"""After a refusal, how long nothing beyond what the provider took is tried."""


def at_providers(database: Database) -> Counter[str]:
    """By provider, how many tasks it is at work on."""
    rows = database.read("SELECT provider, count(*) FROM job WHERE step = 'POLL' GROUP BY provider")
    return Counter({row[0]: row[1] for row in rows})


class Pace:
    """What each provider takes at once, as far as it has said: one refusal holds the others back, too."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._most: dict[str, int] = {}
        self._refused: dict[str, float] = {}

    def has_room(self, provider: str, there: int) -> bool:
        """Whether it is sent another beside those that are there: what it last took, and after a rest one more."""
        most = self._most.get(provider, SLOTS)
        return there < min(most + self._has_rested(provider), SLOTS)

    def refused(self, provider: str, there: int) -> None:
        """It did not take another now, beside those that are there."""
        self._most[provider] = min(max(there, 1), SLOTS)
        self._refused[provider] = self._clock()

    def taken(self, provider: str) -> None:
        """It took one."""
        if provider in self._most and self._has_rested(provider):
            self._most[provider] = min(self._most[provider] + 1, SLOTS)

    def _has_rested(self, provider: str) -> bool:
        since = self._refused.get(provider)
        return since is None or self._clock() > since + PROBE_SECONDS
