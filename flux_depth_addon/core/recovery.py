"""What is brought into a journal from elsewhere: from a damaged one's folders, or from another Blender's journal."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from . import receipt
from .database import FILE, Database, copy_of
from .errors import InputError
from .job import Job, Step, from_row
from .journal import Journal

__all__ = ["Offer", "adopt", "look", "note_adopted", "start_anew"]


class Offer(NamedTuple):
    """What another Blender's journal holds that this one lacks."""

    folder: Path
    pictures: int
    waiting: int
    """Jobs that the provider has and whose pictures were not fetched yet."""


def start_anew(folder: Path) -> int:
    """Set a damaged database aside and begin a new one from the jobs' receipts; how many were found.

    What was never sent is not among them. Raises InputError where the file cannot be moved, and JournalError.
    """
    aside = time.strftime("damaged-%Y%m%d-%H%M%S-")
    try:
        for path in sorted(folder.glob(f"{FILE}*")):
            path.rename(folder / f"{aside}{path.name}")
    except OSError as error:
        raise InputError(
            f"The damaged journal cannot be set aside ({error.strerror}): close every other Blender, then try again."
        ) from None
    with Journal(folder) as journal:
        return len(journal.ids())


def look(folder: Path, journal: Journal) -> Offer | None:
    """What could be adopted from the journal in that folder; None for nothing. Raises InputError, JournalError."""
    if not (folder / FILE).is_file() or _has_adopted(journal.database, folder):
        return None
    missing = list(_missing(folder, journal))
    pictures = sum(job.step is Step.DONE for job in missing)
    return Offer(folder, pictures, sum(not job.is_final for job in missing)) if missing else None


def adopt(folder: Path, journal: Journal) -> int:
    """Copy that journal's jobs and their folders into this one; how many. Raises InputError, JournalError.

    The other journal is only read. What it has not sent yet stays with it alone, so that nothing is sent by both.
    """
    adopted = 0
    for job in _missing(folder, journal):
        journal.take_over(_moved(job, journal.folder))
        adopted += 1
    note_adopted(journal.database, folder)
    return adopted


def note_adopted(database: Database, folder: Path) -> None:
    """Never offer that folder again: it was brought in, or declined."""
    with database.writing() as connection:
        connection.execute("INSERT OR IGNORE INTO adopted VALUES (?)", (str(folder),))


def _has_adopted(database: Database, folder: Path) -> bool:
    return bool(database.read("SELECT 1 FROM adopted WHERE folder = ?", str(folder)))


def _missing(folder: Path, journal: Journal) -> Iterator[Job]:
    known = journal.ids()
    for row in copy_of(folder / FILE):
        with suppress(InputError):  # one damaged entry must not hide the others
            job = receipt.completed(from_row(row, folder / "jobs" / str(row["id"])))
            if job.id not in known and (job.is_final or job.submit_started is not None):
                yield job


def _moved(job: Job, here: Path) -> Job:
    """The job with its files below `here` as they lay below its own journal's folder; what lay elsewhere stays."""
    there, folder = job.folder.parents[1], here / "jobs" / job.id
    output, result = (_within(here, there, Path(path)) for path in (job.output, job.result))
    try:
        shutil.copytree(job.folder, folder, dirs_exist_ok=True)
        if job.result and not result.exists():  # among the pictures of files that were never saved
            result.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(job.result, result)
    except (OSError, shutil.Error):
        return replace(job, folder=folder)  # its picture stays where it is
    return replace(job, folder=folder, output=output, result=str(result) if job.result else "")


def _within(here: Path, there: Path, path: Path) -> Path:
    return here / path.relative_to(there) if path.is_relative_to(there) else path
