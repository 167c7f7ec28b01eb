"""The journal: one SQLite database and a folder of files per job.

It is the state, the history, the ledger, the crash recovery, and the only channel between processes.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from . import claim, lease, receipt
from .advance import cancelled, cancelling, going_on
from .causes import failure
from .database import FILE, Database, folded, places
from .entry import Entry, new_job, path_like, write_pictures
from .errors import InputError, JournalError
from .job import DEFAULT_TIMEOUT, Job, Step, from_row, to_row
from .lease import UNFINISHED
from .ledger import Ledger, ledger, month_began
from .request import Request, fingerprint

__all__ = ["Journal", "LostJobError"]

DOUBLE_CLICK_SECONDS = 1.0
"""Within it of the same request, a click is the second half of a double click."""

LIVING = (Step.SUBMIT, Step.POLL, Step.DOWNLOAD, Step.DONE)


class LostJobError(Exception):
    """The job is no longer this process's to change: it was cancelled, or another worker has it."""


class Journal:
    """One process's view of the journal in a folder. Safe to use from several threads.

    Raises InputError where the folder cannot be used; JournalError passes through from every method.
    """

    def __init__(self, folder: Path, *, patience: float = 10.0) -> None:
        """`patience`: seconds to wait for another process that is writing."""
        self.folder = folder
        self.owner = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._noted: dict[str, tuple[str, Step]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.database = Database(folder / FILE, patience=patience)
        except OSError as error:
            raise InputError(f"The journal in {folder} cannot be opened ({error}). Nothing was sent.") from None
        if self.database.is_new:  # beside receipts, its file was lost
            for job in receipt.found(folder):
                self.take_over(job)

    def close(self) -> None:
        """Give the database back."""
        self.database.close()

    def is_there(self) -> bool:
        """Whether the database is still in its folder: what is written to a deleted file is lost."""
        return self.database.is_there()

    def version(self) -> tuple[int, int]:
        """A value that differs whenever anything was committed, by this process or another. Microseconds."""
        return self.database.version()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

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
        asked: float | None = None,
        cap_usd: float | None = None,
        start: bytes = b"",
    ) -> Job:
        """Enter a request to be sent; its control image is on the disk before it counts.

        `{id}` in the output's name becomes the job's id, so that no two pictures share a name. `asked`: when it was
        clicked, in seconds since 1970; the same request a moment before makes it a double click, which is refused.
        `cap_usd`: the most that this month may cost. `start`: the picture that is painted over. Raises InputError, and
        BudgetError above the cap.
        """
        job = new_job(
            self.folder, request, price_usd=price_usd, base=base, output=output, timeout=timeout, origin=origin
        )
        job = replace(job, fingerprint=fingerprint(request, control))
        with self.database.writing():
            self._refuse_second_click(job, asked)
            self._refuse_above(cap_usd, price_usd)
            write_pictures(job, control, start)
            self._insert(job)
        return job

    def add_many(
        self,
        entries: Iterable[Entry],
        *,
        base: str = "",
        timeout: float = DEFAULT_TIMEOUT,
        origin: str = "",
        cap_usd: float | None = None,
    ) -> list[Job]:
        """Enter what was asked for with one click, all of it or nothing; the jobs share a batch.

        The rest is as for `add`. Raises InputError, and BudgetError where all together would pass the cap.
        """
        batch, jobs, written = secrets.token_hex(6), [], dict[bytes, Path]()
        try:
            for request, control, price, output, start in entries:
                job = new_job(
                    self.folder, request, price_usd=price, base=base, output=output, timeout=timeout, origin=origin
                )
                jobs.append(replace(job, batch=batch, fingerprint=fingerprint(request, control)))
                write_pictures(job, control, start, twin=written.get(control))
                written[control] = job.control
            with self.database.writing():
                self._refuse_above(cap_usd, sum(job.price_usd for job in jobs))
                for job in jobs:
                    self._insert(job)
        except BaseException:
            for job in jobs:
                shutil.rmtree(job.folder, ignore_errors=True)
            raise
        return jobs

    def get(self, job_id: str) -> Job:
        """That job; raises InputError when there is none."""
        for job in self._select("WHERE id = ?", job_id):
            return job
        raise InputError(f"There is no job “{job_id[:40]}” in this journal.")

    def several(self, job_ids: Collection[str]) -> list[Job]:
        """Those of these jobs that are there and readable, in no order; for some hundreds at most."""
        return list(self._select(f"WHERE id IN ({places(job_ids)})", *job_ids))

    def jobs(self, limit: int = 1000) -> list[Job]:
        """The newest jobs first."""
        return list(self._select("ORDER BY created DESC LIMIT ?", limit))

    def changes(self, since: int, *, limit: int, newest: int | None = None) -> tuple[list[Job], int, bool]:
        """The jobs that were entered or changed after change number `since`, at most `limit`, or only of the `newest`.

        With the number of the last of these changes, and whether there are no more.
        """
        of_newest = "(SELECT min(created) FROM (SELECT created FROM job ORDER BY created DESC LIMIT ?))"
        clause = "WHERE changed > ?" if newest is None else f"WHERE changed > ? AND created >= {of_newest}"
        values = (since, limit) if newest is None else (since, newest, limit)
        rows = self.database.read(f"SELECT * FROM job {clause} ORDER BY changed LIMIT ?", *values)
        return list(self._readable(rows)), rows[-1]["changed"] if rows else since, len(rows) < limit

    def unfinished(self) -> list[Job]:
        """Every job that is still on its way, oldest first."""
        return list(self._select(f"WHERE step IN ({places(UNFINISHED)}) ORDER BY created", *UNFINISHED))

    def cancel(self, job_id: str, *, there: bool = False) -> Job:
        """Stop working on a job. What was already sent stays paid, and is said so. A finished job stays as it is.

        `there`: the provider can be asked to stop, which is the last step then; a second time nobody waits for that.
        """
        with self.database.writing():
            job = self.get(job_id)
            if not job.is_final:
                job = cancelling(job) if there and job.step is not Step.CANCEL else cancelled(job)
                self._update(job, "id = :id", owner=None)
        return job

    def retry(
        self, job_id: str, *, price_usd: float | None = None, cap_usd: float | None = None, free: bool = False
    ) -> Job:
        """Go on with a job that ended without its picture: for nothing while the provider has it, else as a new job.

        A new job is a new submission, which costs: `price_usd`, or what the first one was to cost. Raises InputError
        for a job that is still on its way, or done, or was retried already, or costs although it was to be `free`; and
        BudgetError.
        """
        with self.database.writing():
            job = self.get(job_id)
            if job.step not in (Step.FAILED, Step.CANCELLED):
                raise InputError("Only a job that failed or was cancelled can be retried.")
            job = receipt.completed(job)
            if job.is_waiting_there:  # also where it was retried before its answer came
                again = going_on(job)
                self._update(again, "id = :id")
            elif job.retried_as:
                raise InputError("This job was retried already. Nothing was sent.")
            elif free:
                raise InputError(
                    "The provider does not have this picture any more. Nothing was sent: look at its price."
                )
            else:
                price = job.price_usd if price_usd is None else price_usd
                self._refuse_above(cap_usd, price)
                again = self._sent_anew(job, price)
                self._insert(again)
                self._update(replace(job, retried_as=again.id), "id = :id")
        return again

    def same_as(self, fingerprint: str) -> Job | None:
        """The newest job that asks, or asked, for the same picture and has not failed; its picture is still there."""
        clause = f"WHERE fingerprint = ? AND step IN ({places(LIVING)}) ORDER BY created DESC"
        jobs = self._select(clause, fingerprint, *LIVING)
        return next((job for job in jobs if not job.is_final or Path(job.result).is_file()), None)

    def ledger(self, since: float = 0.0) -> Ledger:
        """What was spent on what was sent since then, and what waits to be sent."""
        return ledger(self.database, since)

    def mark_seen(self, job_ids: Iterable[str], *, wait: bool = True) -> bool:
        """Note that these jobs' ends were shown to the user; without `wait`, False where another process writes."""
        seen = ("UPDATE job SET seen = 1 WHERE id = ?", [(job_id,) for job_id in job_ids])
        if not wait:
            return self.database.write_if_free(*seen)
        with self.database.writing() as database:
            database.executemany(*seen)
        return True

    # Jobs as a worker takes them.

    def claim(self, *, providers: Iterable[str] = (), job_id: str = "", submit: bool = True) -> Job | None:
        """Take the job that is due first, of these providers or with that id, for this process alone; None if none is.

        Without `submit`, only jobs that the provider already has are taken.
        """
        with self.database.writing() as database:
            row = lease.taken(self.database, self.owner, providers=providers, job_id=job_id, submit=submit)
            if row is None:
                return None
            try:
                return receipt.completed(self._job(row))
            except InputError:
                database.execute("UPDATE job SET step = ? WHERE id = ?", (Step.FAILED, row["id"]))
                return None

    def keep(self, job_ids: Iterable[str]) -> None:
        """A sign of life: the leases of these jobs, where this process holds them, begin anew."""
        lease.prolong(self.database, self.owner, job_ids)

    def save(self, job: Job, *, release: bool = False) -> None:
        """Commit the state of a claimed job. Raises LostJobError when it was cancelled or taken meanwhile.

        Even then the task id of an accepted submission is kept: it is what was paid for.
        """
        self._note(job)
        with self.database.writing():
            owner = None if release else self.owner
            if self._update(job, "id = :id AND owner = :me", owner=owner, me=self.owner):
                return
            self._keep_paid(job)
        raise LostJobError(job.id)

    def next_due(self, *, providers: Iterable[str], submit: bool = True) -> float | None:
        """When `claim` may next find a job, in seconds since 1970; None when nothing is left."""
        return lease.due_next(self.database, providers, submit=submit)

    # What comes from other journals.

    def ids(self) -> set[str]:
        """Of every job."""
        return {row["id"] for row in self.database.read("SELECT id FROM job")}

    def take_over(self, job: Job) -> None:
        """Enter a job from elsewhere as it is; one that is here already stays as it is."""
        with self.database.writing():
            if job.id not in self.ids():
                self._insert(job)

    def _refuse_second_click(self, job: Job, asked: float | None) -> None:
        first = self.same_as(job.fingerprint)
        if asked is not None and first and not first.is_final and abs(asked - first.created) < DOUBLE_CLICK_SECONDS:
            raise failure("asked_twice")

    def _refuse_above(self, cap_usd: float | None, price_usd: float) -> None:
        spent = self.ledger(month_began()).most
        if cap_usd is not None and price_usd and spent + price_usd > cap_usd + 1e-9:
            raise failure("over_cap", cap=cap_usd, spent=spent)

    def _note(self, job: Job) -> None:
        """Keep the job's receipt up to date: when it is about to be sent, taken, or ended.

        Raises JournalError, and InputError where another computer has sent this frame of a shot.
        """
        state = (job.remote_id, job.step if job.is_final else Step.SUBMIT)
        if job.submit_started is None and job.id in self._noted:  # it was not taken: nobody need wait for it
            del self._noted[job.id]
            claim.release(job)
        if job.submit_started is None or self._noted.get(job.id) == state:
            return
        claim.note(job)
        try:
            receipt.write(job)
        except OSError as error:
            if not job.remote_id and not job.is_final:  # then nothing is sent: its id would have no safe place
                claim.release(job)
                raise JournalError(f"{job.folder} cannot be written ({error.strerror}). Nothing was sent.") from None
        else:
            self._noted[job.id] = state

    def _sent_anew(self, job: Job, price_usd: float) -> Job:
        try:
            control = job.control.read_bytes()
            start = job.start_picture.read_bytes() if job.request.start else b""
        except OSError:
            raise failure("control_gone") from None
        kept = {name: getattr(job, name) for name in ("base", "timeout", "origin")}
        again = new_job(self.folder, job.request, price_usd=price_usd, output=path_like(job), **kept)
        again = replace(again, fingerprint=job.fingerprint)
        write_pictures(again, control, start)
        return again

    def _insert(self, job: Job) -> None:
        row = _row(job)
        with self.database.writing() as database:
            database.execute(f"INSERT INTO job ({', '.join(row)}) VALUES ({places(row)})", row)

    def _keep_paid(self, job: Job) -> None:
        there = self.get(job.id)
        if not job.remote_id or there.remote_id:
            return
        paid = {name: getattr(job, name) for name in ("sent_to", "remote_id", "polling_url", "billed_usd", "charged")}
        if there.step is Step.CANCELLED:  # then it was said that nobody knows whether it costs: now we do
            known = replace(there, **paid)
            self._update(cancelling(known) if there.stops else cancelled(known), "id = :id")
        else:  # another worker has given it up for unknown, or is about to
            self._update(going_on(replace(there, **paid)), "id = :id")

    def _update(self, job: Job, where: str, **more: Any) -> int:
        row = _row(job) | {"lease": lease.from_now(), "owner": None}
        changes = ", ".join(f"{name} = :{name}" for name in row)
        with self.database.writing() as database:
            return database.execute(f"UPDATE job SET {changes} WHERE {where}", row | more).rowcount

    def _select(self, clause: str, *values: object) -> Iterator[Job]:
        return self._readable(self.database.read(f"SELECT * FROM job {clause}", *values))

    def _readable(self, rows: Iterable[Any]) -> Iterator[Job]:
        for row in rows:
            with suppress(InputError):  # one damaged entry must not hide the others
                yield self._job(dict(row))

    def _job(self, row: dict[str, Any]) -> Job:
        return from_row(row, self.folder / "jobs" / str(row["id"]))


def _row(job: Job) -> dict[str, Any]:
    """With what the job is looked for by."""
    asked = job.request
    looked_for = {"words": folded(asked.prompt), "scene": asked.scene, "camera": asked.camera}
    return to_row(job) | {"provider": asked.model.partition(":")[0]} | looked_for
