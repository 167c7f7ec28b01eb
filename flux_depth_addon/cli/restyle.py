"""`restyle`: the whole job, with its progress on stderr."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import preferences, staleness, worker_process
from ..core.errors import InputError
from .instead import ended_or_led_on
from .outcome import check_writable, described, ended, say
from .scene import looked_at, open_scene, request_of, started
from .stop import told_if_interrupted
from .work import client_for, finish, journal_of, model_of, table_of

if TYPE_CHECKING:
    import argparse

    from ..core.job import Job

SUFFIXES = {".png", ".jpg", ".jpeg"}


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from ..control_picture import as_sent
    from ..core.request import check, fingerprint

    check_writable(arguments.output, SUFFIXES)
    table = table_of(arguments)
    model = model_of(arguments, table)
    client = client_for(arguments, table, model)
    scene, camera = open_scene(arguments)
    request, start = started(arguments, staleness.marked(request_of(arguments, scene, camera, model), scene))
    check(request, model)
    seen = looked_at(arguments, scene, camera, request.framing)
    control, request, verdict = as_sent(seen, request)
    if verdict:
        say(verdict.sentence)
    with ExitStack() as stack:
        journal = stack.enter_context(journal_of(arguments))
        if request.seed and not arguments.anew and (same := journal.same_as(fingerprint(request, control))):
            return _copied(arguments, finish(journal, client, same))
        base = arguments.url or model.provider.base or stack.enter_context(worker_process.sandbox(table))
        job = journal.add(
            request,
            control,
            start=start,
            price_usd=model.price_of(request.framing),
            base=base,
            output=arguments.output.absolute(),
            timeout=arguments.timeout,
            cap_usd=preferences.cap(),
        )
        with told_if_interrupted(journal, job, model):
            job = finish(journal, client, job)
        return ended_or_led_on(job, table)


def _copied(arguments: argparse.Namespace, job: Job) -> tuple[dict[str, Any], int]:
    """The picture of a job that asked for the very same: this one costs nothing."""
    from ..core.advance import told
    from ..core.framing import Framing
    from ..core.picture import store

    if not job.result:
        return ended(job)
    whole = Framing(job.width, job.height, 0, 0, job.width, job.height)
    try:
        store(Path(job.result).read_bytes(), whole, arguments.output, told(job))
    except OSError as error:
        raise InputError(f"{arguments.output} cannot be written ({error.strerror}). Nothing was sent.") from None
    say(f"Job {job.id} painted this very picture: it was copied, and nothing was sent. --anew pays for it again.")
    print(arguments.output)
    return described(job) | {"result": str(arguments.output), "charged": "no", "cost_usd": 0.0}, 0
