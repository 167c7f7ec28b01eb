"""A job: a request on its way. Its state is the next step, which advance.py takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from .errors import Charged, InputError
from .providers import Task
from .request import Request, from_json, to_json

__all__ = ["COLUMNS", "DEFAULT_TIMEOUT", "FINAL", "LONGEST_WAIT", "Job", "Step", "from_row", "to_row"]

DEFAULT_TIMEOUT = 600.0
"""Seconds. A minute and a half has been seen on good days; results are kept about ten minutes."""

GIVEN_UP_THERE = {"provider", "moderated", "stopped"}
"""Kinds of error that are the provider's own last word on a task that it took."""

LONGEST_WAIT = 150.0
"""Seconds until the next step, at most, whatever a provider asks for."""


class Step(StrEnum):
    """What happens next."""

    SUBMIT = "SUBMIT"
    POLL = "POLL"
    DOWNLOAD = "DOWNLOAD"
    CANCEL = "CANCEL"
    """The provider is asked to stop."""
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
    """The end of the timeout, which begins again when a job is gone on with, and with each news of it."""
    due: float
    """Not before this moment is the next step taken."""
    attempts: int = 0
    misses: int = 0
    submit_started: float | None = None
    remote_id: str = ""
    polling_url: str = ""
    sample_url: str = ""
    progress: float | None = None
    is_queued: bool = False
    """It waited for its turn when the provider was last asked."""
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
    stops: bool = False
    """It was cancelled, and the provider is to be asked to stop as soon as it can be."""

    @property
    def control(self) -> Path:
        """The control image that is sent."""
        return self.folder / "control.png"

    @property
    def start_picture(self) -> Path:
        """The picture that is painted over, where the request has one."""
        return self.folder / "start.png"

    @property
    def preview(self) -> Path:
        """How far it is, as a small picture: there while a provider that shows it is at work."""
        return self.folder / "preview.jpg"

    @property
    def task(self) -> Task:
        """What its provider knows it by."""
        return Task(self.id, self.remote_id, self.polling_url)

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
