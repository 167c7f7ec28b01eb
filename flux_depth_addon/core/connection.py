"""What a provider said to a free question: the last outcome of a connection test, in the journal's database."""

from __future__ import annotations

from .database import Database

__all__ = ["connections", "note_connection"]


def note_connection(database: Database, provider: str, sentence: str, *, good: bool) -> None:
    """Enter the outcome of a connection test; an empty sentence: it is under way."""
    with database.writing() as connection:
        connection.execute("INSERT OR REPLACE INTO connection VALUES (?, ?, ?)", (provider, sentence, good))


def connections(database: Database) -> dict[str, tuple[str, bool]]:
    """The last outcome by provider: the sentence, and whether it is good news."""
    rows = database.read("SELECT provider, sentence, good FROM connection")
    return {row["provider"]: (row["sentence"], bool(row["good"])) for row in rows}
