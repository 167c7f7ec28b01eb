"""`history`: looks for pictures of all times; gives one a star; moves one to the system's bin."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from ..drawing import one_line
from .outcome import described, say
from .work import journal_of

if TYPE_CHECKING:
    import argparse

    from ..core.job import Job
    from ..core.journal import Journal

PROMPT_LETTERS = 60


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    with journal_of(arguments) as journal:
        if arguments.delete:
            pictures = [_deleted(journal, arguments.delete, sure=arguments.yes)]
        elif arguments.favourite or arguments.no_favourite:
            pictures = [_marked(journal, arguments.favourite or arguments.no_favourite, bool(arguments.favourite))]
        else:
            pictures = _found(journal, arguments)
    for job in pictures:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.created))
        star = "*" if job.favourite else " "
        where = f"{job.request.scene}/{job.request.camera}"
        print(f"{job.id} {star} {when}  {where}  {one_line(job.request.prompt)[:PROMPT_LETTERS]}  {job.result}")
    return {"pictures": [told(job) for job in pictures]}, 0


def told(job: Job) -> dict[str, Any]:
    """A picture as an outcome, with what it is looked for by."""
    asked = job.request
    where = {"scene": asked.scene, "camera": asked.camera, "frame": asked.frame}
    return described(job) | {"prompt": asked.prompt, "favourite": job.favourite, "created": job.created, **where}


def _found(journal: Journal, arguments: argparse.Namespace) -> list[Job]:
    from ..core import history

    search = history.Search(
        words=arguments.search, scene=arguments.scene, camera=arguments.camera, favourite=arguments.favourites
    )
    ids = history.found(journal.database, search)
    known = {job.id: job for number in range(0, len(ids), 500) for job in journal.several(ids[number : number + 500])}
    say(f"{len(ids):,} pictures" if len(ids) != 1 else "1 picture")
    return [known[job_id] for job_id in ids if job_id in known]


def _marked(journal: Journal, job_id: str, favourite: bool) -> Job:
    from ..core import history

    _picture(journal, job_id)
    history.mark_favourite(journal.database, [job_id], favourite=favourite)
    return journal.get(job_id)


def _deleted(journal: Journal, job_id: str, *, sure: bool) -> Job:
    from ..picture_buttons import discard

    job = _picture(journal, job_id)
    if not sure:
        raise InputError(f"{job.result} would go to the system's bin: add --yes. Nothing was deleted.")
    discard(journal, job)
    say(f"{job.result} is in the system's bin; what it cost stays in the sums.")
    return journal.get(job_id)


def _picture(journal: Journal, job_id: str) -> Job:
    job = journal.get(job_id)
    if not job.result or job.discarded:
        raise InputError(f"There is no picture of the job “{job_id}” to do that with.")
    return job
