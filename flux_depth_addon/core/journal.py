"""The journal: one SQLite database and a folder of files per job.

It is the state, the history, the ledger, the crash recovery, and the only channel between processes. The only place
that imports sqlite3.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Self

from .causes import failure
from .errors import InputError, JournalError
from .job import DEFAULT_TIMEOUT, Job, Step
from .picture import write_whole
from .request import Request, from_json, to_json

__all__ = ["Journal", "LostJobError"]

SCHEMA_VERSION = 1
LEASE_SECONDS = 30.0
"""How long a claimed job is left to its worker after that worker's last sign of life."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
    id TEXT PRIMARY KEY, origin TEXT NOT NULL, request TEXT NOT NULL, provider TEXT NOT NULL, output TEXT NOT NULL,
    base TEXT NOT NULL, sent_to TEXT NOT NULL, step TEXT NOT NULL,
    created REAL NOT NULL, timeout REAL NOT NULL, deadline REAL NOT NULL, due REAL NOT NULL,
    attempts INTEGER NOT NULL, misses INTEGER NOT NULL, submit_started REAL,
    remote_id TEXT NOT NULL, polling_url TEXT NOT NULL, sample_url TEXT NOT NULL, progress REAL, seed INTEGER,
    width INTEGER NOT NULL, height INTEGER NOT NULL, cost_usd REAL NOT NULL, charged TEXT NOT NULL,
    error_kind TEXT NOT NULL, error_message TEXT NOT NULL, error_action TEXT NOT NULL,
    retried_as TEXT NOT NULL, result TEXT NOT NULL, finished REAL, seen INTEGER NOT NULL,
    owner TEXT, lease REAL NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS job_due ON job (due) WHERE step IN ('SUBMIT', 'POLL', 'DOWNLOAD');
CREATE INDEX IF NOT EXISTS job_created ON job (created DESC);
CREATE TABLE IF NOT EXISTS connection (provider TEXT PRIMARY KEY, sentence TEXT NOT NULL, good INTEGER NOT NULL);
"""

COLUMNS = tuple(field.name for field in fields(Job) if field.name != "folder")
UNFINISHED = (Step.SUBMIT, Step.POLL, Step.DOWNLOAD)
SENT = (Step.POLL, Step.DOWNLOAD)


class LostJobError(Exception):
    """The job is no longer this process's to change: it was cancelled, or another worker has it."""


class Journal:
    """One process's view of the journal in a folder. Safe to use from several threads.

    Raises InputError where the folder cannot be used; JournalError passes through from every method.
    """

    def __init__(self, folder: Path, *, patience: float = 10.0) -> None:
        """`patience`: seconds to wait for another process that is writing."""
        self.folder = folder
        self._patience = patience
        self.owner = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._lock = threading.RLock()
        self._own_changes = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._open(folder / "journal.sqlite3")
        except (OSError, sqlite3.Error) as error:
            raise InputError(f"The journal in {folder} cannot be opened ({error}). Nothing was sent.") from None

    def _open(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=self._patience, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found > SCHEMA_VERSION:
            raise InputError(
                f"The journal in {path.parent} was written by a newer version of FLUX Depth: update first."
            )
        self._db.execute("PRAGMA synchronous = FULL")
        if found < SCHEMA_VERSION:
            self._set_up()

    def _set_up(self) -> None:
        for patience in range(100):
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.executescript(f"{SCHEMA} PRAGMA user_version = {SCHEMA_VERSION};")
            except sqlite3.OperationalError:
                # Another process sets up the same new file: SQLite's own timeout does not cover this.
                if patience == 99:
                    raise
                time.sleep(0.02)
            else:
                return

    def close(self) -> None:
        """Give the database back."""
        self._db.close()

    def is_there(self) -> bool:
        """Whether the database is still in its folder: what is written to a deleted file is lost."""
        return (self.folder / "journal.sqlite3").is_file()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def version(self) -> tuple[int, int]:
        """A value that differs whenever anything was committed, by this process or another. Microseconds."""
        with self._lock:
            return self._read("PRAGMA data_version")[0][0], self._own_changes

    # Jobs as the user sees them.

    def add(
        self,
        request: Request,
        control: bytes,
        *,
        price_usd: float = 0.0,
        base: str = "",
        output: Path | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        origin: str = "",
    ) -> Job:
        """Enter a request to be sent; its control image is on the disk before it counts. Raises InputError.

        `{id}` in the output's name becomes the job's id, so that no two pictures share a name.
        """
        job = self._new(request, price_usd=price_usd, base=base, output=output, timeout=timeout, origin=origin)
        self._write_control(job, control)
        with self._writing():
            self._insert(job)
        return job

    def get(self, job_id: str) -> Job:
        """That job; raises InputError when there is none."""
        for job in self._select("WHERE id = ?", job_id):
            return job
        raise InputError(f"There is no job “{job_id[:40]}” in this journal.")

    def jobs(self, limit: int = 1000) -> list[Job]:
        """The newest jobs first."""
        return list(self._select("ORDER BY created DESC LIMIT ?", limit))

    def unfinished(self) -> list[Job]:
        """Every job that is still on its way, oldest first."""
        return list(self._select(f"WHERE step IN ({_places(UNFINISHED)}) ORDER BY created", *UNFINISHED))

    def cancel(self, job_id: str) -> Job:
        """Stop working on a job. What was already sent stays paid, and is said so. A finished job stays as it is."""
        with self._writing():
            job = self.get(job_id)
            if not job.is_final:
                job = _cancelled(job)
                self._update(job, "id = :id", owner=None)
        return job

    def retry(self, job_id: str) -> Job:
        """Go on with a job that ended without its picture: for nothing while the provider has it, else as a new job.

        A new job is a new submission, which costs. Raises InputError for a job that is still on its way, or done, or
        was retried already.
        """
        with self._writing():
            job = self.get(job_id)
            if job.step not in (Step.FAILED, Step.CANCELLED):
                raise InputError("Only a job that failed or was cancelled can be retried.")
            if job.retried_as:
                raise InputError("This job was retried already. Nothing was sent.")
            if job.is_waiting_there:
                again = _going_on(job)
                self._update(again, "id = :id")
            else:
                again = self._sent_anew(job)
                self._insert(again)
                self._update(replace(job, retried_as=again.id), "id = :id")
        return again

    def mark_seen(self, job_ids: Iterable[str]) -> None:
        """Note that these jobs' ends were shown to the user."""
        with self._writing():
            self._db.executemany("UPDATE job SET seen = 1 WHERE id = ?", [(job_id,) for job_id in job_ids])

    # Jobs as a worker takes them.

    def claim(self, *, providers: Iterable[str] = (), job_id: str = "", submit: bool = True) -> Job | None:
        """Take the job that is due first, of these providers or with that id, for this process alone; None if none is.

        Without `submit`, only jobs that the provider already has are taken.
        """
        names = tuple(providers)
        steps = UNFINISHED if submit else SENT
        now = time.time()
        wanted = "id = ?" if job_id else f"provider IN ({_places(names)})"
        with self._writing():
            rows = self._db.execute(
                f"""UPDATE job SET owner = ?, lease = ? WHERE id = (
                        SELECT id FROM job WHERE step IN ({_places(steps)}) AND due <= ? AND {wanted}
                        AND (owner IS NULL OR lease < ?) ORDER BY due LIMIT 1) RETURNING *""",
                (self.owner, now + LEASE_SECONDS, *steps, now, *((job_id,) if job_id else names), now),
            ).fetchall()
            try:
                return self._job(rows[0]) if rows else None
            except InputError:
                self._db.execute("UPDATE job SET step = ? WHERE id = ?", (Step.FAILED, rows[0]["id"]))
                return None

    def keep(self, job_ids: Iterable[str]) -> None:
        """A sign of life: the leases of these jobs, where this process holds them, begin anew."""
        lease = time.time() + LEASE_SECONDS
        held = [(lease, self.owner, job_id) for job_id in job_ids]
        with self._writing():
            self._db.executemany("UPDATE job SET lease = ? WHERE owner = ? AND id = ?", held)

    def save(self, job: Job, *, release: bool = False) -> None:
        """Commit the state of a claimed job. Raises LostJobError when it was cancelled or taken meanwhile.

        Even then the task id of an accepted submission is kept: it is what was paid for.
        """
        with self._writing():
            owner = None if release else self.owner
            if self._update(job, "id = :id AND owner = :me", owner=owner, me=self.owner):
                return
            self._keep_paid(job)
        raise LostJobError(job.id)

    def next_due(self, *, providers: Iterable[str], submit: bool = True) -> float | None:
        """When `claim` may next find a job, in seconds since 1970; None when nothing is left."""
        names, steps = tuple(providers), UNFINISHED if submit else SENT
        due = self._read(
            f"""SELECT min(CASE WHEN owner IS NULL THEN due ELSE max(due, lease) END) FROM job
                WHERE step IN ({_places(steps)}) AND provider IN ({_places(names)})""",
            *steps,
            *names,
        )[0][0]
        return None if due is None else float(due)

    # What a provider said to a free question.

    def note_connection(self, provider: str, sentence: str, *, good: bool) -> None:
        """Enter the outcome of a connection test; an empty sentence: it is under way."""
        with self._writing():
            self._db.execute("INSERT OR REPLACE INTO connection VALUES (?, ?, ?)", (provider, sentence, good))

    def connections(self) -> dict[str, tuple[str, bool]]:
        """The last outcome by provider: the sentence, and whether it is good news."""
        rows = self._read("SELECT provider, sentence, good FROM connection")
        return {row["provider"]: (row["sentence"], bool(row["good"])) for row in rows}

    def _new(
        self, request: Request, *, price_usd: float, base: str, output: Path | None, timeout: float, origin: str
    ) -> Job:
        job_id, now = secrets.token_hex(6), time.time()
        folder = self.folder / "jobs" / job_id
        return Job(
            id=job_id,
            request=request,
            folder=folder,
            output=output.with_name(output.name.replace("{id}", job_id)) if output else folder / "result.png",
            base=base,
            origin=origin,
            created=now,
            timeout=timeout,
            deadline=now + timeout,
            due=now,
            seed=request.seed,
            cost_usd=price_usd,
        )

    def _write_control(self, job: Job, control: bytes) -> None:
        try:
            write_whole(job.control, control)
        except OSError as error:
            raise InputError(f"{job.folder} cannot be written ({error.strerror}). Nothing was sent.") from None

    def _sent_anew(self, job: Job) -> Job:
        try:
            control = job.control.read_bytes()
        except OSError:
            raise failure("control_gone") from None
        kept = {name: getattr(job, name) for name in ("base", "output", "timeout", "origin")}
        kept["price_usd"] = job.cost_usd
        again = self._new(job.request, **kept)
        self._write_control(again, control)
        return again

    def _insert(self, job: Job) -> None:
        row = _row(job)
        self._db.execute(f"INSERT INTO job ({', '.join(row)}) VALUES ({_places(row)})", row)

    def _keep_paid(self, job: Job) -> None:
        there = self.get(job.id)
        if not job.remote_id or there.remote_id:
            return
        paid = {name: getattr(job, name) for name in ("sent_to", "remote_id", "polling_url", "cost_usd", "charged")}
        if there.step is Step.CANCELLED:  # then it was said that nobody knows whether it costs: now we do
            self._update(_cancelled(replace(there, **paid)), "id = :id")
        else:  # another worker has given it up for unknown, or is about to
            self._update(_going_on(replace(there, **paid)), "id = :id")

    def _update(self, job: Job, where: str, **more: Any) -> int:
        row = _row(job) | {"lease": time.time() + LEASE_SECONDS, "owner": None}
        changes = ", ".join(f"{name} = :{name}" for name in row)
        return self._db.execute(f"UPDATE job SET {changes} WHERE {where}", row | more).rowcount

    def _select(self, clause: str, *values: object) -> Iterator[Job]:
        for row in self._read(f"SELECT * FROM job {clause}", *values):
            with suppress(InputError):  # one damaged entry must not hide the others
                yield self._job(row)

    def _job(self, row: sqlite3.Row) -> Job:
        values = {name: row[name] for name in COLUMNS}
        values |= {"request": from_json(row["request"]), "seen": bool(row["seen"]), "output": Path(row["output"])}
        if row["step"] not in list(Step):
            raise InputError(f"This entry of the journal has a step that is not known: “{row['step']}”.")
        return Job(**values | {"step": Step(row["step"]), "folder": self.folder / "jobs" / row["id"]})

    def _read(self, question: str, *values: object) -> list[sqlite3.Row]:
        with self._lock, _told_plainly():
            return self._db.execute(question, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, whole or not at all."""
        with self._lock, _told_plainly():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite itself takes back what met a full disk
                    self._db.execute("ROLLBACK")
                raise
            self._own_changes += 1


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(f"The journal cannot be used ({error}): make room on the disk, or try later.") from error


def _cancelled(job: Job) -> Job:
    sent = job.submit_started is not None
    words = {
        "yes": f"Cancelled. It was already sent and costs ${job.cost_usd:g}: retry fetches the picture for nothing.",
        "no": "Cancelled. It was already sent; it costs nothing.",
        "unknown": "Cancelled while it was being sent: it is unknown whether it was charged.",
    }
    charged = job.charged if job.remote_id or not sent else "unknown"
    message = words[charged] if sent else "Cancelled before it was sent: nothing was charged."
    now = time.time()
    return replace(
        job, step=Step.CANCELLED, charged=charged, error_kind="cancelled", error_message=message, finished=now, due=now
    )


def _going_on(job: Job) -> Job:
    now = time.time()
    fresh = replace(job, step=Step.POLL, due=now, deadline=now + job.timeout, misses=0, attempts=0)
    fresh = replace(fresh, finished=None, seen=False)
    return replace(fresh, error_kind="", error_message="", error_action="", sample_url="")


def _row(job: Job) -> dict[str, Any]:
    row = {name: getattr(job, name) for name in COLUMNS}
    provider = job.request.model.partition(":")[0]
    return row | {"request": to_json(job.request), "output": str(job.output), "provider": provider}


def _places(values: Iterable[object]) -> str:
    return ", ".join(f":{name}" for name in values) if isinstance(values, dict) else ", ".join("?" for _ in values)
