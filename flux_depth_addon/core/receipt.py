"""A job's receipt: what is known of a job that was sent, once more, in the job's own folder.

It is written before the request is sent, with room to spare, and from then on in place: so the task's id finds its
place even on a disk that has filled up meanwhile, and beside a database that cannot be written or is damaged.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from .errors import InputError
from .job import Job, Step, from_row, to_row
from .picture import write_whole

__all__ = ["completed", "found", "read", "write"]

FILE = "receipt.json"
SPARE = 32 * 1024
"""Bytes kept free: an id has up to 500 characters, each of two addresses 8,192, a path 4,096, a sentence 1,000."""

MAX_BYTES = 1024 * 1024

NEWER = {"batch": "", "favourite": 0, "discarded": 0, "stops": 0, "is_queued": 0}
"""What receipts lack that were written before there were batches, favourites, stops and queues."""


def write(job: Job) -> None:
    """Write the receipt, or write over it; raises OSError."""
    text = json.dumps(to_row(job)).encode()
    path = job.folder / FILE
    if not path.is_file():
        write_whole(path, text + b" " * SPARE)
        return
    with path.open("r+b") as file:
        file.write(text.ljust(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> Job | None:
    """The job whose receipt lies in the folder; None when there is none, or none that can be read."""
    try:
        with (folder / FILE).open("rb") as file:
            row = json.loads(file.read(MAX_BYTES))
        return from_row(NEWER | row, folder)
    except (OSError, ValueError, RecursionError, TypeError, InputError):
        return None


def found(folder: Path) -> list[Job]:
    """The jobs of a journal's folder that have a receipt, whatever became of its database."""
    jobs = (read(path) for path in sorted(folder.glob("jobs/*")))
    return [job for job in jobs if job and job.id == job.folder.name]


def completed(job: Job) -> Job:
    """The job with the task's id that its receipt has, if only the receipt has it: then it can still be fetched."""
    if job.remote_id or job.submit_started is None:
        return job
    noted = read(job.folder)
    if noted is None or noted.id != job.id or not noted.remote_id:
        return job
    names = ("sent_to", "remote_id", "polling_url", "billed_usd", "charged", "submit_started")
    return replace(job, step=Step.POLL, **{name: getattr(noted, name) for name in names})
