"""A job's next step: `advance` takes exactly one. And how a job ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import picture, record
from .causes import failure
from .errors import Charged, Cost, FailedThereError, FluxDepthError, ModeratedError, ProviderError, TryLaterError
from .job import LONGEST_WAIT, Job, Step
from .provenance import Said
from .providers import Elsewhere, Missing, Pending, Pictures, Ready
from .request import check

if TYPE_CHECKING:
    from .client import Client  # who only reads jobs, as Blender does, needs nothing of the network

__all__ = ["advance", "broken", "cancelled", "cancelling", "going_on", "told"]

MAX_MISSES = 20
"""How often in a row a task may be unknown, or its picture gone or broken, before that is believed."""

TRIES_AT_LEAST = 6
"""How often in a row a paid picture is asked for before trouble counts, even past the deadline: a computer that slept
wakes up long after it, and with its network down for half a minute."""

UNSENT = "Cancelled before it was sent: nothing was charged."

FIRST_POLL, LONGEST_POLL = 0.5, 5.0
"""Seconds between polls; in between, a tenth of the time waited so far, so that waiting costs at most a tenth more."""

Save = Callable[[Job], None]


def advance(job: Job, client: Client, save: Save) -> Job:
    """Take the next step, and only that: one HTTP exchange that counts, no sleep. Returns the job to be saved.

    `save` commits the mark that a submission has begun; whatever it raises ends the step before anything is sent.
    """
    try:
        match job.step:
            case Step.SUBMIT:
                return _submit(job, client, save)
            case Step.POLL:
                return _poll(job, client)
            case Step.DOWNLOAD:
                return _download(job, client)
            case Step.CANCEL:
                return _cancel(job, client)
    except TryLaterError as problem:
        return _later(job, problem)
    except FluxDepthError as error:
        return _failed(job, error)
    return job


def broken(job: Job, error: Exception) -> Job:
    """The job after a step that failed in a way nobody foresaw; only the error's type is told, never its text."""
    problem = failure("unexpected", error=type(error).__name__)
    return _failed(job, problem, cost="unsure" if job.step is Step.SUBMIT else job.charged)


def cancelled(job: Job) -> Job:
    """The job that nobody waits for any more; says what it costs all the same."""
    sent = job.submit_started is not None
    words = {
        "yes": f"Cancelled. It was already sent and costs ${job.cost_usd:g}: fetch it for nothing.",
        "no": "Cancelled. It was already sent; it costs nothing.",
        "unknown": "Cancelled while it was being sent: it is unknown whether it was charged.",
    }
    charged = job.charged if job.remote_id or not sent else "unknown"
    return _ended(job, "cancelled", words[charged] if sent else UNSENT, charged)


def cancelling(job: Job) -> Job:
    """The job that nobody waits for any more, whose provider is asked to stop; at once where it has nothing of it."""
    if job.submit_started is None:
        return cancelled(job)
    stopping = replace(job, stops=True)
    return replace(stopping, step=Step.CANCEL, attempts=0, due=time.time()) if job.remote_id else cancelled(stopping)


def _stopped(job: Job, *, is_free: bool) -> Job:
    charged: Charged = "no" if is_free or not job.cost_usd else "unknown"
    words = {
        "no": "Cancelled. The provider stopped it, and it costs nothing.",
        "unknown": f"Cancelled. The provider stopped it at work: it may still charge ${job.cost_usd:g}.",
    }
    return _ended(job, "stopped", words[charged], charged)


def _ended(job: Job, kind: str, message: str, charged: Charged) -> Job:
    _unshow(job)
    now = time.time()
    ended = replace(job, step=Step.CANCELLED, charged=charged, error_kind=kind, error_message=message)
    return replace(ended, finished=now, due=now)


def going_on(job: Job) -> Job:
    """The job that ended without its picture, once more on its way to it; its time begins anew."""
    now = time.time()
    fresh = replace(job, step=Step.POLL, due=now, deadline=now + job.timeout, misses=0, attempts=0, stops=False)
    fresh = replace(fresh, finished=None, seen=False)
    return replace(fresh, error_kind="", error_message="", error_action="", sample_url="")


def told(job: Job) -> Said:
    """What the job's picture is to say of itself."""
    asked = job.submit_started or job.created
    return record.said(record.made_now(job.request, seed=job.seed, cost_usd=job.cost_usd, asked=asked))


def _submit(job: Job, client: Client, save: Save) -> Job:
    if job.submit_started is not None:
        raise failure("stopped_while_sending")
    model = client.table[job.request.model]
    if time.time() > job.deadline:  # it may be from yesterday, and nobody is waiting any more
        raise _not_sent_in_time(job, model.provider.label)
    check(job.request, model)
    pictures, base = _pictures(job), client.base_of(model, job.base)
    client.upload(job.request, base, pictures)
    marked = replace(job, submit_started=time.time(), sent_to=base)
    save(marked)
    try:
        accepted = client.submit(job.request, base, pictures, job.id)
    except TryLaterError as problem:
        return _later(job, problem)
    except FluxDepthError as error:
        return _failed(marked, error)
    return replace(
        marked,
        step=Step.POLL,
        remote_id=accepted.remote_id,
        polling_url=accepted.polling_url,
        billed_usd=accepted.cost_usd,
        charged="yes" if model.price_usd else "no",
        attempts=0,
        due=time.time() + FIRST_POLL,
    )


def _not_sent_in_time(job: Job, provider: str) -> FluxDepthError:
    if job.attempts:
        return failure("given_up_sending", problem=f"{provider} is busy", minutes=_minutes(job))
    return failure("too_late_to_send", minutes=_minutes(job))


def _pictures(job: Job) -> Pictures:
    try:
        start = job.start_picture.read_bytes() if job.request.start else b""
        return Pictures(job.control.read_bytes(), start)
    except OSError:
        raise failure("control_gone") from None


def _poll(job: Job, client: Client) -> Job:
    match client.poll(job.request, job.sent_to, job.task):
        case Ready(sample, seed, cost_usd):
            seed = job.request.seed if seed is None else seed
            billed = job.billed_usd if cost_usd is None else cost_usd
            found = replace(job, sample_url=sample, seed=seed, billed_usd=billed, progress=1.0)
            return replace(found, step=Step.DOWNLOAD, attempts=0, due=time.time())
        case Pending(progress, preview) as pending:
            _show(job, preview)
            if _is_news(job, pending):
                job = replace(job, deadline=max(job.deadline, time.time() + job.timeout))
            progress = job.progress if progress is None else progress  # no news is no step back
            return _wait(replace(job, attempts=0, misses=0, progress=progress, is_queued=pending.is_queued))
        case Elsewhere(polling_url) if job.misses < MAX_MISSES:  # a provider could send us round in a circle
            return replace(job, polling_url=polling_url, attempts=0, misses=job.misses + 1, due=time.time())
        case Missing() | Elsewhere():
            return _missing(job, "The provider no longer knows this task, or has lost its picture", client)


def _is_news(job: Job, pending: Pending) -> bool:
    """Whether it goes on as it should, however slow the graphics card is: then its time begins anew."""
    is_further = pending.progress is not None and pending.progress > (job.progress or 0.0)
    return is_further or pending.is_queued or bool(pending.preview)


def _show(job: Job, preview: bytes | None) -> None:
    if preview:
        with suppress(OSError):
            picture.write_whole(job.preview, preview)


def _unshow(job: Job) -> None:
    with suppress(OSError):
        job.preview.unlink(missing_ok=True)


def _cancel(job: Job, client: Client) -> Job:
    """Whoever cannot be asked, or does not answer, goes on for itself: the artist has waited long enough."""
    try:
        outcome = client.cancel(job.request, job.sent_to, job.task)
    except TryLaterError as problem:
        return _later(job, problem) if job.attempts < TRIES_AT_LEAST else cancelled(job)
    except FluxDepthError:
        return cancelled(job)
    return cancelled(job) if outcome is None or outcome.is_late else _stopped(job, is_free=outcome.is_free)


def _wait(job: Job) -> Job:
    if time.time() > job.deadline:
        raise failure("too_late", minutes=_minutes(job))
    return replace(job, due=time.time() + _pause(job))


def _pause(job: Job) -> float:
    waited = time.time() - (job.submit_started or job.created)
    return min(max(waited / 10, FIRST_POLL), LONGEST_POLL)


def _missing(job: Job, problem: str, client: Client) -> Job:
    if time.time() > job.deadline:
        raise _gone(job, problem, client)
    return _missed(job, problem, client)


def _missed(job: Job, problem: str, client: Client) -> Job:
    """Asked for anew even past the deadline: links die within minutes, and the computer may have slept for hours."""
    if job.misses >= MAX_MISSES:
        raise _gone(job, problem, client)
    return replace(job, step=Step.POLL, sample_url="", misses=job.misses + 1, due=time.time() + _pause(job))


def _gone(job: Job, problem: str, client: Client) -> FluxDepthError:
    return failure("picture_gone", problem=problem, keeps=client.table[job.request.model].provider.keeps)


def _download(job: Job, client: Client) -> Job:
    try:
        data = client.download(job.sample_url, job.sent_to)
        path, (width, height) = _store(data, job)
    except LookupError:
        return _missed(job, "The link to the picture has expired", client)
    except ProviderError as error:
        return _missed(job, str(error).rstrip("."), client)
    with suppress(OSError, ProviderError):  # the picture itself is there
        picture.write_thumbnail(path, job.thumbnail)
    _unshow(job)
    now = time.time()
    return replace(job, step=Step.DONE, result=str(path), width=width, height=height, finished=now, due=now)


def _store(data: bytes, job: Job) -> tuple[Path, tuple[int, int]]:
    """Where it was wanted, or else in the job's own folder: a paid picture is not lost to a missing folder."""
    said, sidecar = told(job), job.request.provenance == "sidecar"
    for path in (job.output, job.folder / "result.png"):
        try:
            return path, picture.store(data, job.request.framing, path, said, sidecar=sidecar)
        except (OSError, ValueError) as error:  # ValueError: a name that no disk can hold
            problem = getattr(error, "strerror", None) or type(error).__name__
    raise TryLaterError(f"The picture could not be written ({problem})")


def _later(job: Job, problem: TryLaterError) -> Job:
    now = time.time()
    if now > job.deadline and (job.attempts + 1 >= TRIES_AT_LEAST or not job.remote_id):
        cause = "given_up_fetching" if job.remote_id else "given_up_sending"
        return _failed(job, failure(cause, problem=problem, minutes=_minutes(job)))
    seconds = min(2.0 ** min(job.attempts, 5), 30.0) if problem.seconds is None else max(problem.seconds, FIRST_POLL)
    return replace(job, attempts=job.attempts + 1, due=now + min(seconds, LONGEST_WAIT))


def _minutes(job: Job) -> str:
    return f"{job.timeout / 60:.3g} minutes"


def _failed(job: Job, error: FluxDepthError, *, cost: Cost | None = None) -> Job:
    _unshow(job)
    error.cost = cost or _cost(job, error)
    now = time.time()
    return replace(
        job,
        step=Step.FAILED,
        charged=error.charged,
        error_kind=error.kind,
        error_message=str(error),
        error_action=error.action,
        finished=now,
        due=now,
    )


def _cost(job: Job, error: FluxDepthError) -> Cost:
    """Once the provider took it, only the provider's own word says that it costs nothing after all."""
    if not job.remote_id or isinstance(error, ModeratedError | FailedThereError):
        return error.cost
    if not job.cost_usd:
        return "no"
    return job.charged if error.charged != "unknown" else "unknown"
