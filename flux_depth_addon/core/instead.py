"""The request of a job that ended without its picture, sent to another model in its place."""

from __future__ import annotations

from .carried import asked_of
from .causes import failure
from .entry import path_like
from .errors import InputError
from .job import Job, Step
from .journal import Journal
from .models import Model
from .request import Request, fingerprint

__all__ = ["send_instead"]


def send_instead(
    journal: Journal, job_id: str, old: Model | None, new: Model, *, price_usd: float, cap_usd: float | None = None
) -> Job:
    """A new job: the same prompt, seed, control image and place for the picture, at another model. It costs.

    The job is marked as sent anew, so that a second click does nothing. Raises InputError for one that is on its way,
    done or sent anew already, for a picture that is there already, and for what the model would refuse; and
    BudgetError.
    """
    with journal.database.writing() as database:
        job = journal.get(job_id)
        if job.step not in (Step.FAILED, Step.CANCELLED):
            raise InputError("Only a job that failed or was cancelled can be sent to another model.")
        if job.retried_as:
            raise InputError("This job was sent anew already. Nothing was sent.")
        request = asked_of(job.request, old, new)
        control, start = _pictures(job, request)
        if request.seed and (same := journal.same_as(fingerprint(request, control))):
            raise InputError(
                f"{new.label} was asked for this very picture already, as job {same.id}. Nothing was sent."
            )
        again = journal.add(
            request,
            control,
            start=start,
            price_usd=price_usd,
            output=path_like(job),
            timeout=job.timeout,
            origin=job.origin,
            cap_usd=cap_usd,
        )
        database.execute("UPDATE job SET retried_as = ?, seen = 1 WHERE id = ?", (again.id, job.id))
    return again


def _pictures(job: Job, request: Request) -> tuple[bytes, bytes]:
    try:
        return job.control.read_bytes(), job.start_picture.read_bytes() if request.start else b""
    except OSError:
        raise failure("control_gone") from None
