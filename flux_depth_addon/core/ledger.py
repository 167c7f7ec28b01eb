"""The money: what was spent, what perhaps was, and what waits to be, in US dollars."""

from __future__ import annotations

import time
from typing import NamedTuple

from .database import Database

__all__ = ["Ledger", "ledger", "month_began"]


class Ledger(NamedTuple):
    """US dollars."""

    charged: float
    """As the provider said, else as the table of models expects."""
    unknown: float
    """Perhaps charged: the answer was lost."""
    waiting: float
    """Of jobs that are not sent yet, or just being sent."""

    @property
    def most(self) -> float:
        """What it may come to."""
        return sum(self)


def ledger(database: Database, since: float) -> Ledger:
    """The sums over what was sent since then, in seconds since 1970, and over all that waits."""
    sums = database.read(
        """SELECT total(CASE WHEN charged = 'yes' THEN coalesce(billed_usd, price_usd) END),
                  total(CASE WHEN charged = 'unknown' THEN price_usd END),
                  total(CASE WHEN step = 'SUBMIT' THEN price_usd END)
           FROM job WHERE submit_started >= ? OR step = 'SUBMIT'""",
        since,
    )
    return Ledger(*sums[0])


def month_began() -> float:
    """When this month began where this computer is, in seconds since 1970."""
    now = time.localtime()
    return time.mktime((now.tm_year, now.tm_mon, 1, 0, 0, 0, 0, 0, -1))
