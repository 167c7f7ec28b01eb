"""`jobs`: lists the journal, or cancels one of its jobs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..drawing import one_line
from .outcome import described, say
from .stop import stopped
from .work import journal_of, table_of

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from ..core.ledger import month_began

    with journal_of(arguments) as journal:
        if arguments.cancel:
            return stopped(arguments, journal, table_of(arguments))
        jobs, month = journal.jobs(), journal.ledger(month_began())
    for job in jobs:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.created))
        cost = f"${job.cost_usd:g} charged: {job.charged}"
        told = job.result or job.error_message or one_line(job.request.prompt)[:60]
        print(f"{job.id}  {when}  {job.step:9}  {cost}  {told}")
    say(f"This month: ${month.charged:.2f} charged, ${month.unknown:.2f} perhaps, ${month.waiting:.2f} not sent yet")
    return {"jobs": [described(job) for job in jobs]}, 0
