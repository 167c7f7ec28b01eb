"""Which job is due, who has taken it, and for how long that holds: the columns `due`, `owner` and `lease`."""

from __future__ import annotations

import time
from collections.abc import Iterable

from .database import Database, places
from .job import LONGEST_WAIT, Step

__all__ = ["LEASE_SECONDS", "UNFINISHED", "due_next", "from_now", "prolong", "taken"]

LEASE_SECONDS = 30.0
"""How long a claimed job is left to its worker after that worker's last sign of life."""

FARTHEST = LONGEST_WAIT + LEASE_SECONDS
"""Seconds: a moment farther ahead than anyone waits was written before the computer's clock was put back."""

SENT = (Step.POLL, Step.DOWNLOAD, Step.CANCEL)
UNFINISHED = (Step.SUBMIT, *SENT)


def from_now() -> float:
    """When a lease ends that begins now."""
    return time.time() + LEASE_SECONDS


def taken(
    database: Database, owner: str, *, providers: Iterable[str], job_id: str, submit: bool
) -> dict[str, object] | None:
    """The row that is due first, of these providers or with that id, and is its owner's now; None if none is due."""
    names, steps = tuple(providers), _steps(submit)
    wanted = "id = ?" if job_id else f"provider IN ({places(names)})"
    with database.writing() as connection:
        rows = connection.execute(
            f"""UPDATE job SET owner = ?, lease = ? WHERE id = (
                    SELECT id FROM job WHERE step IN ({places(steps)}) AND {wanted}
                    AND {_past("due")} AND (owner IS NULL OR {_past("lease")}) ORDER BY due LIMIT 1) RETURNING *""",
            (owner, from_now(), *steps, *((job_id,) if job_id else names), *_around_now() * 2),
        ).fetchall()
    return dict(rows[0]) if rows else None


def prolong(database: Database, owner: str, job_ids: Iterable[str]) -> None:
    """Begin the leases of these jobs anew, where they are that owner's."""
    until = from_now()
    with database.writing() as connection:
        held = [(until, owner, job_id) for job_id in job_ids]
        connection.executemany("UPDATE job SET lease = ? WHERE owner = ? AND id = ?", held)


def due_next(database: Database, providers: Iterable[str], *, submit: bool) -> float | None:
    """When one of these providers' jobs may next be taken, in seconds since 1970; None when nothing is left."""
    names, steps = tuple(providers), _steps(submit)
    due = database.read(
        f"""SELECT min(max(iif({_past("due")}, 0, due), iif(owner IS NULL OR {_past("lease")}, 0, lease)))
            FROM job WHERE step IN ({places(steps)}) AND provider IN ({places(names)})""",
        *_around_now() * 2,
        *steps,
        *names,
    )[0][0]
    return None if due is None else float(due)


def _steps(submit: bool) -> tuple[Step, ...]:
    return UNFINISHED if submit else SENT


def _past(column: str) -> str:
    return f"({column} <= ? OR {column} > ?)"


def _around_now() -> tuple[float, float]:
    now = time.time()
    return now, now + FARTHEST
