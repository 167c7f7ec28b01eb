"""A batch: what was asked for with one click. What of it would be paid twice, and how the rest is cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from .entry import Entry
from .errors import InputError
from .job import DEFAULT_TIMEOUT, Job, Step
from .journal import Journal
from .pace import SLOTS
from .request import fingerprint

__all__ = ["Sifted", "cancel_batch", "sift", "timeout_for", "what_it_cost"]

SECONDS_EACH = 90.0
"""What a picture takes at most on a usual day."""


class Sifted(NamedTuple):
    """What a batch would be, apart from what need not be paid."""

    new: list[Entry]
    known: list[Job]
    """Jobs that made, or are making, the very pictures that were asked for."""
    twins: int
    """How many would have been the very same as another of the batch."""

    @property
    def saved_words(self) -> str:
        """What was left out and why, as a sentence, or nothing."""
        parts = [f"{len(self.known)} you have already"] if self.known else []
        parts += [f"{self.twins} would have been the very same as another"] if self.twins else []
        return f"{' and '.join(parts)}: not paid again" if parts else ""


def sift(journal: Journal, entries: Iterable[Entry]) -> Sifted:
    """Apart what would be a new picture from what was painted already with the very same seed and depth."""
    sifted, seen = Sifted([], [], 0), set[str]()
    twins = 0
    for entry in entries:
        mark = fingerprint(entry.request, entry.control)
        if mark in seen:
            twins += 1
        elif same := journal.same_as(mark):
            sifted.known.append(same)
        else:
            sifted.new.append(entry)
        seen.add(mark)
    return sifted._replace(twins=twins)


def timeout_for(count: int, *, single: float = DEFAULT_TIMEOUT) -> float:
    """Seconds for each of so many pictures: the last one waits in line for all the others.

    `single`: what is allowed to one alone.
    """
    return single + count / SLOTS * SECONDS_EACH


def _nowhere(_job: Job) -> bool:
    return False


def cancel_batch(
    journal: Journal, batch: str, *, only_unsent: bool = False, there: Callable[[Job], bool] = _nowhere
) -> list[Job]:
    """Stop working on what of a batch is not finished, or not even sent; all that was cancelled.

    `there`: whether a job's provider can be asked to stop.
    """
    if not batch:
        raise InputError("This picture was not asked for together with others.")
    with journal.database.writing():
        rest = [job for job in journal.unfinished() if job.batch == batch and job.step is not Step.CANCEL]
        wanted = [job for job in rest if not (only_unsent and job.submit_started)]
        return [journal.cancel(job.id, there=there(job)) for job in wanted]


def what_it_cost(cancelled: Iterable[Job]) -> str:
    """What was cancelled, and what of it is paid all the same, as a sentence."""
    jobs = list(cancelled)
    if not jobs:
        return "All of them were finished already"
    parts = [f"{len(jobs)} cancelled"]
    ended = [job for job in jobs if job.is_final]
    if stopping := len(jobs) - len(ended):
        parts.append(f"of {stopping} the provider is asked to stop, and then each says what it costs")
    paid, unknown = ([job.cost_usd for job in ended if job.charged == charged] for charged in ("yes", "unknown"))
    if sum(paid):
        parts.append(f"{len(paid)} of them had been sent and cost ${sum(paid):.2f}, so fetch them for nothing")
    if sum(unknown):
        parts.append(f"perhaps ${sum(unknown):.2f} for what was just being sent")
    return "; ".join(parts if len(parts) > 1 else [*parts, "nothing was charged for them"])
