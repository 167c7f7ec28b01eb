"""A job as it begins: its id, its folder, its control image."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import NamedTuple

from .errors import InputError
from .job import Job
from .picture import write_whole
from .request import Request

__all__ = ["Entry", "new_job", "path_like", "write_pictures"]


class Entry(NamedTuple):
    """One of many requests that are asked for together."""

    request: Request
    control: bytes
    price_usd: float
    output: Path | None
    """As of `Journal.add`."""
    start: bytes = b""
    """The picture that is painted over; empty for none."""


def new_job(
    journal: Path, request: Request, *, price_usd: float, base: str, output: Path | None, timeout: float, origin: str
) -> Job:
    """A job for the journal in that folder, on its first step; `{id}` in the output's name becomes its id."""
    job_id, now = secrets.token_hex(6), time.time()
    folder = journal / "jobs" / job_id
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
        price_usd=price_usd,
    )


def write_pictures(job: Job, control: bytes, start: bytes = b"", *, twin: Path | None = None) -> None:
    """Put its control image into its folder, and the picture that is painted over where there is one.

    `twin`: a file with the control image's bytes, which need not be on the disk twice. Raises InputError.
    """
    try:
        if twin is None or not _linked(twin, job.control):
            write_whole(job.control, control)
        if start:
            write_whole(job.start_picture, start)
    except OSError as error:
        raise InputError(f"{job.folder} cannot be written ({error.strerror}). Nothing was sent.") from None


def path_like(job: Job) -> Path | None:
    """Where another picture goes in its place: not over it, as its own may still arrive."""
    if job.output.parent == job.folder:
        return None
    return job.output.with_name(job.output.name.replace(job.id, "{id}"))


def _linked(file: Path, path: Path) -> bool:
    """Whether the file has that path as well now; some disks cannot."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.hardlink_to(file)
    except OSError:
        return False
    return True
