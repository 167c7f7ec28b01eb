"""The journal's database: opened, brought up to date, read and written here. The only place that imports sqlite3."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from .errors import DamagedJournalError, InputError, JournalError

__all__ = [
    "FILE",
    "Database",
    "copy_of",
    "folded",
    "places",
]

FILE = "journal.sqlite3"

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE IF NOT EXISTS job (
            id TEXT PRIMARY KEY, origin TEXT NOT NULL, request TEXT NOT NULL, provider TEXT NOT NULL,
            output TEXT NOT NULL, base TEXT NOT NULL, sent_to TEXT NOT NULL, step TEXT NOT NULL,
            created REAL NOT NULL, timeout REAL NOT NULL, deadline REAL NOT NULL, due REAL NOT NULL,
            attempts INTEGER NOT NULL, misses INTEGER NOT NULL, submit_started REAL,
            remote_id TEXT NOT NULL, polling_url TEXT NOT NULL, sample_url TEXT NOT NULL, progress REAL, seed INTEGER,
            width INTEGER NOT NULL, height INTEGER NOT NULL, cost_usd REAL NOT NULL, charged TEXT NOT NULL,
            error_kind TEXT NOT NULL, error_message TEXT NOT NULL, error_action TEXT NOT NULL,
            retried_as TEXT NOT NULL, result TEXT NOT NULL, finished REAL, seen INTEGER NOT NULL,
            owner TEXT, lease REAL NOT NULL DEFAULT 0)""",
        "CREATE INDEX IF NOT EXISTS job_due ON job (due) WHERE step IN ('SUBMIT', 'POLL', 'DOWNLOAD')",
        "CREATE INDEX IF NOT EXISTS job_created ON job (created DESC)",
        """CREATE TABLE IF NOT EXISTS connection (
            provider TEXT PRIMARY KEY, sentence TEXT NOT NULL, good INTEGER NOT NULL)""",
    ),
    (
        "ALTER TABLE job RENAME COLUMN cost_usd TO price_usd",
        "ALTER TABLE job ADD COLUMN billed_usd REAL",
        "ALTER TABLE job ADD COLUMN fingerprint TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX job_fingerprint ON job (fingerprint)",
        "CREATE INDEX job_sent ON job (submit_started)",
        "CREATE TABLE adopted (folder TEXT PRIMARY KEY)",
        "UPDATE job SET seen = 1 WHERE step IN ('FAILED', 'CANCELLED')",
    ),
    (
        "ALTER TABLE job ADD COLUMN changed INTEGER NOT NULL DEFAULT 0",
        "UPDATE job SET changed = rowid",
        "CREATE INDEX job_changed ON job (changed, created)",
        """CREATE TRIGGER job_entered AFTER INSERT ON job BEGIN
            UPDATE job SET changed = (SELECT max(changed) FROM job) + 1 WHERE id = NEW.id; END""",
        # a lease that begins anew is no change that anyone is shown
        """CREATE TRIGGER job_moved AFTER UPDATE OF step, seen ON job BEGIN
            UPDATE job SET changed = (SELECT max(changed) FROM job) + 1 WHERE id = NEW.id; END""",
    ),
    (
        "ALTER TABLE job ADD COLUMN batch TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE job ADD COLUMN favourite INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE job ADD COLUMN discarded INTEGER NOT NULL DEFAULT 0",
        # what is looked for in the history, apart from the whole request
        *(f"ALTER TABLE job ADD COLUMN {name} TEXT NOT NULL DEFAULT ''" for name in ("words", "scene", "camera")),
        """UPDATE job SET words = folded(CAST(coalesce(json_extract(request, '$.prompt'), '') AS BLOB)),
            scene = coalesce(json_extract(request, '$.scene'), ''),
            camera = coalesce(json_extract(request, '$.camera'), '') WHERE json_valid(request)""",
        "CREATE INDEX job_batch ON job (batch) WHERE batch != ''",
        # all that a search of the history asks, so that it need not read whole rows
        """CREATE INDEX job_found ON job (created DESC, words, scene, camera, batch, favourite, id)
            WHERE step = 'DONE' AND discarded = 0""",
        "DROP TRIGGER job_moved",
        """CREATE TRIGGER job_moved AFTER UPDATE OF step, seen, favourite, discarded ON job BEGIN
            UPDATE job SET changed = (SELECT max(changed) FROM job) + 1 WHERE id = NEW.id; END""",
    ),
    (
        "ALTER TABLE job ADD COLUMN stops INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE job ADD COLUMN is_queued INTEGER NOT NULL DEFAULT 0",
        "DROP INDEX job_due",
        "CREATE INDEX job_due ON job (due) WHERE step IN ('SUBMIT', 'POLL', 'DOWNLOAD', 'CANCEL')",
    ),
)
"""What brings a journal from each version of its schema to the next; what has shipped is never changed."""

DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
SET_UP_SECONDS = 2.0


class Database:
    """One connection to a journal's file, safe to use from several threads. Whatever fails is a JournalError."""

    def __init__(self, path: Path, *, patience: float) -> None:
        """`patience`: seconds to wait for another process that is writing. Raises InputError, JournalError."""
        self.path = path
        self.is_new = False
        """Whether there was nothing in the file."""
        self._lock = threading.RLock()
        self._own_changes = 0
        try:
            self._db = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise InputError(f"The journal in {path.parent} cannot be opened ({error}). Nothing was sent.") from None
        try:
            with _told_plainly():
                self._prepare()
        except BaseException:
            self._db.close()
            raise
        self._file = path.stat().st_ino

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def is_there(self) -> bool:
        """Whether the file is still the one that was opened: what is written to a deleted one is lost."""
        try:
            return self.path.stat().st_ino == self._file
        except OSError:
            return False

    def version(self) -> tuple[int, int]:
        """A value that differs whenever anything was committed, by this process or another. Microseconds."""
        with self._lock:
            return self.read("PRAGMA data_version")[0][0], self._own_changes

    def read(self, question: str, *values: object) -> list[sqlite3.Row]:
        """The rows that answer the question."""
        with self._lock, _told_plainly():
            return self._db.execute(question, values).fetchall()

    def write_if_free(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> bool:
        """Write what a power cut may take back, waiting neither for the disk nor for another process that is writing.

        False where another process is: then nothing was written.
        """
        with self._lock, _told_plainly():
            patience = self._db.execute("PRAGMA busy_timeout").fetchone()[0]
            self._db.execute("PRAGMA busy_timeout = 0")
            self._db.execute("PRAGMA synchronous = NORMAL")
            try:
                with transaction(self._db):
                    self._db.executemany(statement, rows)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                return False
            finally:
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute(f"PRAGMA busy_timeout = {patience}")
            self._own_changes += 1
            return True

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, whole or not at all; within another it is part of that one."""
        with self._lock, _told_plainly():
            if self._db.in_transaction:
                yield self._db
                return
            with transaction(self._db):
                yield self._db
            self._own_changes += 1

    def _prepare(self) -> None:
        self._db.row_factory = sqlite3.Row
        self._db.text_factory = lambda data: data.decode(errors="replace")  # one damaged letter must not hide all jobs
        found = schema_version(self._db)
        if found > len(MIGRATIONS):
            raise InputError(
                f"The journal in {self.path.parent} was written by a newer version of FLUX Depth. "
                "It was left as it is, and nothing was sent: update FLUX Depth first."
            )
        self.is_new = found == 0
        self._db.execute("PRAGMA synchronous = FULL")
        if found < len(MIGRATIONS):
            self._set_up()

    def _set_up(self) -> None:
        """Another process may be setting up the same new file, which SQLite's own timeout does not cover."""
        end = time.monotonic() + SET_UP_SECONDS
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                migrate(self._db)
            except sqlite3.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
            else:
                return


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date, whole or not at all. Raises JournalError while an older worker is at work."""
    with transaction(connection):
        found = schema_version(connection)
        if 0 < found < len(MIGRATIONS) and is_worked_on(connection):
            # It writes the schema that it knows: a task's id that it is just learning would have nowhere to go.
            raise JournalError("An older version of FLUX Depth is still fetching a picture: wait for it.")
        connection.create_function("folded", 1, folded)
        for statements in MIGRATIONS[found:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def places(values: Iterable[object]) -> str:
    """The places for these values in a statement, by name where they have names."""
    return ", ".join(f":{name}" for name in values) if isinstance(values, dict) else ", ".join("?" for _ in values)


def folded(text: str | bytes) -> str:
    """A text as it is looked for: without a difference between great letters and small ones, in any alphabet."""
    return (text.decode(errors="replace") if isinstance(text, bytes) else text).casefold()


def schema_version(connection: sqlite3.Connection) -> int:
    """How many of the migrations it has behind it."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_worked_on(connection: sqlite3.Connection) -> bool:
    """Whether a living worker holds a job."""
    held = "SELECT 1 FROM job WHERE owner IS NOT NULL AND lease > ? LIMIT 1"
    return connection.execute(held, (time.time(),)).fetchone() is not None


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done within, or take all of it back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself takes back what met a full disk
            connection.execute("ROLLBACK")
        raise


def copy_of(path: Path) -> list[dict[str, Any]]:
    """The jobs of another journal, in today's form; that journal is only read. Raises InputError, JournalError."""
    with _told_plainly(), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source:
        if schema_version(source) > len(MIGRATIONS):
            raise InputError(f"The journal in {path.parent} is of a newer version of FLUX Depth: update first.")
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
            copy.row_factory = sqlite3.Row
            source.backup(copy)
            copy.execute("DELETE FROM job WHERE owner IS NOT NULL AND lease > ?", (time.time(),))  # theirs to finish
            migrate(copy)
            return [dict(row) for row in copy.execute("SELECT * FROM job ORDER BY created")]


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter of a damaged schema, whose names are no text
        if isinstance(error, UnicodeError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE:
            raise DamagedJournalError(
                f"The journal is damaged ({error}): start a new one. Whatever was sent is taken over into it."
            ) from error
        raise JournalError(f"The journal cannot be used ({error}): make room on the disk, or try later.") from error
