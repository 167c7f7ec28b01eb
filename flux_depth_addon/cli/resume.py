"""`resume`: finishes what was left."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any

from .. import preferences, worker_process
from ..core.errors import FluxDepthError
from .outcome import described, ended, say
from .places import allowed_of, check_place
from .work import check_key, check_online, finish, journal_of, table_of

if TYPE_CHECKING:
    import argparse

    from ..core import models
    from ..core.client import Client
    from ..core.job import Job
    from ..core.journal import Journal


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from ..core.client import Client
    from ..core.listener import Listener

    table, worst, outcomes = table_of(arguments), 0, []
    with ExitStack() as stack:
        journal = stack.enter_context(journal_of(arguments))
        waiting = journal.unfinished()
        client = Client(
            table,
            preferences.keys(table),
            sandbox=cache(lambda: stack.enter_context(worker_process.sandbox(table))),
            listener=Listener(),
            allowed=allowed_of(arguments, [job.sent_to or job.base for job in waiting]),
        )
        for job in waiting:
            outcome, code = _resumed(arguments, table, journal, client, job)
            outcomes.append(outcome)
            worst = max(worst, code)
    if not outcomes:
        say("Nothing was left to finish.")
    return {"jobs": outcomes}, worst


def _resumed(
    arguments: argparse.Namespace, table: models.Table, journal: Journal, client: Client, job: Job
) -> tuple[dict[str, Any], int]:
    """One job must not keep the others from being finished."""
    try:
        provider = table[job.request.model].provider
        check_place(arguments, provider, job.sent_to or job.base)
        check_online(arguments, provider, job.sent_to or job.base)
        check_key(client, provider)
    except FluxDepthError as error:
        say(f"{job.id}: {error}")
        return described(job) | {"error": {"kind": error.kind, "message": str(error)}}, error.exit_code
    return ended(finish(journal, client, job))
