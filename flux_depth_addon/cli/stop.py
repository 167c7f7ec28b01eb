"""A job that is ended from the terminal, at its provider too where that can stop; and what Ctrl-C leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .. import preferences
from .outcome import described, say
from .places import allowed_of, check_place
from .work import check_key, check_online, finish

if TYPE_CHECKING:
    import argparse

    from ..core.job import Job
    from ..core.journal import Journal
    from ..core.models import Model, Table


def stopped(arguments: argparse.Namespace, journal: Journal, table: Table) -> tuple[dict[str, Any], int]:
    """Cancel the job that the arguments name; whoever can is asked to stop. Says what it costs; raises InputError."""
    from ..core.client import Client

    job = journal.get(arguments.cancel)
    model = table.models.get(job.request.model)
    there = bool(model and model.provider.cancels and job.remote_id and not job.is_final)
    if there and model:
        base = job.sent_to or job.base
        client = Client(table, preferences.keys(table), allowed=allowed_of(arguments, [base or model.provider.base]))
        check_place(arguments, model.provider, base)
        check_online(arguments, model.provider, base)
        check_key(client, model.provider)
        job = finish(journal, client, journal.cancel(job.id, there=True))
    else:
        job = journal.cancel(job.id)
    say(job.error_message or "It was already finished")
    return described(job), 0


@contextmanager
def told_if_interrupted(journal: Journal, job: Job, model: Model) -> Iterator[None]:
    """Ctrl-C ends the waiting and nothing else: say how the job stands, and the two ways on."""
    try:
        yield
    except KeyboardInterrupt:
        for line in _two_ways(journal.get(job.id), model):
            say(line)
        raise


def _two_ways(job: Job, model: Model) -> Iterator[str]:
    end = f"`jobs --cancel {job.id}`"
    if job.is_final:
        return
    if job.submit_started is None:
        yield f"Job {job.id} was not sent: `resume` sends it, {end} drops it."
        return
    cost = f"costs ${job.cost_usd:g}" if job.cost_usd else "is free"
    yield f"Job {job.id} goes on at {model.provider.label} and {cost}: `resume` fetches its picture for nothing,"
    yield f"{end} {'has the provider stop' if model.provider.cancels else 'gives it up'}."
