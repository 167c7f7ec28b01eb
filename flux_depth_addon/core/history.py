"""The history: every picture that was ever asked for, found again by its words, its place and its mark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .database import Database, folded

__all__ = ["Search", "changed", "discard", "found", "mark_favourite"]

MAX_WORDS = 20
"""More words than this of a search are not looked for."""


class Search(NamedTuple):
    """What is looked for; what is empty is not asked."""

    words: str = ""
    """All of them are in the prompt, each perhaps within a longer one."""
    scene: str = ""
    camera: str = ""
    batch: str = ""
    favourite: bool = False


def found(database: Database, search: Search) -> list[str]:
    """The ids of the finished pictures that were not deleted, newest first."""
    clauses = list(_clauses(search))
    asked = " AND ".join(["step = 'DONE'", "discarded = 0", *(clause for clause, _values in clauses)])
    values = [value for _clause, given in clauses for value in given]
    return [row["id"] for row in database.read(f"SELECT id FROM job WHERE {asked} ORDER BY created DESC", *values)]


def changed(database: Database, since: int) -> tuple[list[str], int]:
    """The ids of the pictures that arrived, were marked or deleted after change number `since`; the newest number."""
    rows = database.read("SELECT id FROM job WHERE changed > ? AND step = 'DONE'", since)
    newest = database.read("SELECT coalesce(max(changed), 0) FROM job")[0][0]
    return [row["id"] for row in rows], newest


def _clauses(search: Search) -> Iterator[tuple[str, tuple[object, ...]]]:
    for word in folded(search.words).split()[:MAX_WORDS]:
        yield "instr(words, ?)", (word,)
    for column in ("scene", "camera", "batch"):
        if wanted := getattr(search, column):
            yield f"{column} = ?", (wanted,)
    if search.favourite:
        yield "favourite", ()


def mark_favourite(database: Database, job_ids: Iterable[str], *, favourite: bool) -> None:
    """Mark these pictures as kept dear, or take the mark away."""
    _set(database, "favourite", job_ids, favourite)


def discard(database: Database, job_ids: Iterable[str]) -> None:
    """Note that the user deleted these pictures. What they cost stays in the ledger."""
    _set(database, "discarded", job_ids, True)


def _set(database: Database, column: str, job_ids: Iterable[str], value: bool) -> None:
    with database.writing() as connection:
        connection.executemany(f"UPDATE job SET {column} = ? WHERE id = ?", [(value, job_id) for job_id in job_ids])
