"""A job: a request on its way. Its state is the next step, and `advance` takes exactly one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from . import picture, record
from .causes import failure
from .errors import Charged, Cost, FluxDepthError, InputError, ModeratedError, ProviderError, TryLaterError
from .provenance import Said
from .providers import Missing, Pending, Ready
from .request import Request, check, from_json, to_json

if TYPE_CHECKING:
    from .client import Client  # who only reads jobs, as Blender does, needs nothing of the network

__all__ = [
    "COLUMNS",
    "DEFAULT_TIMEOUT",
    "FINAL",
    "LONGEST_WAIT",
    "Job",
    "Step",
    "advance",
    "broken",
    "cancelled",
    "from_row",
    "going_on",
    "to_row",
    "told",
]

DEFAULT_TIMEOUT = 600.0
"""Seconds. A minute and a half has been seen on good days; results are kept about ten minutes."""

MAX_MISSES = 20
"""How often in a row a task may be unknown, or its picture gone or broken, before that is believed."""

TRIES_AT_LEAST = 6
"""How often in a row a paid picture is asked for before trouble counts, even past the deadline: a computer that slept
wakes up long after it, and with its network down for half a minute."""

GIVEN_UP_THERE = {"provider", "moderated"}
"""Kinds of error that are the provider's own last word on a task that it took."""

FIRST_POLL, LONGEST_POLL = 0.5, 5.0
"""Seconds between polls; in between, a tenth of the time waited so far, so that waiting costs at most a tenth more."""

LONGEST_WAIT = 150.0
"""Seconds until the next step, at most, whatever a provider asks for."""


class Step(StrEnum):
    """What happens next."""

    SUBMIT = "SUBMIT"
    POLL = "POLL"
    DOWNLOAD = "DOWNLOAD"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


FINAL = (Step.DONE, Step.FAILED, Step.CANCELLED)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One row of the journal. Times are seconds since 1970."""

    id: str
    request: Request
    folder: Path
    """Holds control.png, and whatever else belongs to this job."""
    output: Path
    """Where the picture is to be written."""
    origin: str = ""
    """The path of the blend file that asked, so that the picture finds back to it. It leaves this computer nowhere."""
    base: str = ""
    """The base address to send it to; empty for the provider's own."""
    sent_to: str = ""
    """The base address it went to; empty until then."""
    step: Step = Step.SUBMIT
    created: float
    timeout: float = DEFAULT_TIMEOUT
    deadline: float
    """The end of the timeout, which begins again when a job is gone on with."""
    due: float
    """Not before this moment is the next step taken."""
    attempts: int = 0
    misses: int = 0
    submit_started: float | None = None
    remote_id: str = ""
    polling_url: str = ""
    sample_url: str = ""
    progress: float | None = None
    seed: int | None = None
    width: int = 0
    height: int = 0
    price_usd: float = 0.0
    """What the table of models said that it would cost."""
    billed_usd: float | None = None
    """What the provider says that it charged; None until it says."""
    charged: Charged = "no"
    error_kind: str = ""
    error_message: str = ""
    error_action: str = ""
    retried_as: str = ""
    """The job that was sent in place of this one, so that a second click does not send another."""
    result: str = ""
    """The picture's path once it is DONE."""
    finished: float | None = None
    seen: bool = False
    fingerprint: str = ""
    """The same for two requests that ask for the same picture; see request.fingerprint."""
    batch: str = ""
    """The same for all that were asked for with one click; empty for a single one."""
    favourite: bool = False
    discarded: bool = False
    """Its picture was deleted by the user. What it cost stays in the ledger."""

    @property
    def control(self) -> Path:
        """The control image that is sent."""
        return self.folder / "control.png"

    @property
    def thumbnail(self) -> Path:
        """The picture once more, small: made by who fetches it; pictures of older versions have none."""
        return self.folder / "thumb.jpg"

    @property
    def cost_usd(self) -> float:
        """What it costs, as far as is known."""
        return self.price_usd if self.billed_usd is None else self.billed_usd

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.step in FINAL

    @property
    def is_waiting_there(self) -> bool:
        """Whether the provider may still have the picture, so that trying again costs nothing."""
        return bool(self.remote_id) and self.error_kind not in GIVEN_UP_THERE


COLUMNS = {name: kind for name, kind in get_type_hints(Job).items() if name != "folder"}
"""What is kept of a job, and in what type."""


def to_row(job: Job) -> dict[str, Any]:
    """The job as plain values, for the database and the receipt."""
    row = {name: getattr(job, name) for name in COLUMNS}
    return (
        row | {"request": to_json(job.request), "output": str(job.output)} | {name: int(row[name]) for name in _FLAGS}
    )


def from_row(row: Mapping[str, Any], folder: Path) -> Job:
    """The job that `to_row` took apart, whose files lie in the folder; raises InputError when the row is not one."""
    try:
        values = {name: row[name] for name in COLUMNS}
        values |= {"request": from_json(row["request"]), "output": Path(row["output"]), "step": Step(row["step"])}
        values |= {name: bool(row[name]) for name in _FLAGS}
    except (KeyError, IndexError, TypeError, ValueError):
        raise InputError("This entry of the journal cannot be read.") from None
    if wrong := [name for name, sort in _SORTS.items() if not _is(values[name], *sort)]:
        raise InputError(f"This entry of the journal has a value of the wrong kind: {wrong[0]}.")
    return Job(**values, folder=folder)


def _sort(kind: Any) -> tuple[tuple[type, ...], tuple[object, ...]]:
    """The types of a column's values and, where they are counted, all the values there are."""
    if get_origin(kind) is Literal:
        return (str,), get_args(kind)
    types = get_args(kind) or (kind,)
    return (*types, int) if float in types else types, ()


_FLAGS = tuple(name for name, kind in COLUMNS.items() if kind is bool)
_SORTS = {name: _sort(kind) for name, kind in COLUMNS.items()}


def _is(value: object, types: tuple[type, ...], counted: tuple[object, ...]) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(value, types) and (not counted or value in counted)


Save = Callable[[Job], None]


def advance(job: Job, client: Client, save: Save) -> Job:
    """Take the next step, and only that: at most one HTTP exchange, no sleep, no loop. Returns the job to be saved.

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
    message = words[charged] if sent else "Cancelled before it was sent: nothing was charged."
    now = time.time()
    return replace(
        job, step=Step.CANCELLED, charged=charged, error_kind="cancelled", error_message=message, finished=now, due=now
    )


def going_on(job: Job) -> Job:
    """The job that ended without its picture, once more on its way to it; its time begins anew."""
    now = time.time()
    fresh = replace(job, step=Step.POLL, due=now, deadline=now + job.timeout, misses=0, attempts=0)
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
    control = _control(job)
    marked = replace(job, submit_started=time.time(), sent_to=client.base_of(model, job.base))
    save(marked)
    try:
        accepted = client.submit(job.request, marked.sent_to, control)
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


def _control(job: Job) -> bytes:
    try:
        return job.control.read_bytes()
    except OSError:
        raise failure("control_gone") from None


def _poll(job: Job, client: Client) -> Job:
    match client.poll(job.request, job.sent_to, job.remote_id, job.polling_url):
        case Ready(sample, seed):
            seed = job.request.seed if seed is None else seed
            found = replace(job, sample_url=sample, seed=seed, progress=1.0)
            return replace(found, step=Step.DOWNLOAD, attempts=0, due=time.time())
        case Pending(progress):
            return _wait(replace(job, attempts=0, misses=0, progress=progress))
        case Missing():
            return _missing(job, "The provider no longer knows this task, or has lost its picture")


def _wait(job: Job) -> Job:
    if time.time() > job.deadline:
        raise failure("too_late", minutes=_minutes(job))
    return replace(job, due=time.time() + _pause(job))


def _pause(job: Job) -> float:
    waited = time.time() - (job.submit_started or job.created)
    return min(max(waited / 10, FIRST_POLL), LONGEST_POLL)


def _missing(job: Job, problem: str) -> Job:
    if time.time() > job.deadline:
        raise failure("picture_gone", problem=problem)
    return _missed(job, problem)


def _missed(job: Job, problem: str) -> Job:
    """Asked for anew even past the deadline: links die within minutes, and the computer may have slept for hours."""
    if job.misses >= MAX_MISSES:
        raise failure("picture_gone", problem=problem)
    return replace(job, step=Step.POLL, sample_url="", misses=job.misses + 1, due=time.time() + _pause(job))


def _download(job: Job, client: Client) -> Job:
    try:
        data = client.download(job.sample_url, job.sent_to)
        path, (width, height) = _store(data, job)
    except LookupError:
        return _missed(job, "The link to the picture has expired")
    except ProviderError as error:
        return _missed(job, str(error).rstrip("."))
    with suppress(OSError, ProviderError):  # the picture itself is there
        picture.write_thumbnail(path, job.thumbnail)
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
    if not job.remote_id or isinstance(error, ModeratedError):
        return error.cost
    if not job.cost_usd:
        return "no"
    return job.charged if error.charged != "unknown" else "unknown"
