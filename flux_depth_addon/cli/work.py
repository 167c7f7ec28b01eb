"""Whom the arguments ask, in which journal; and a job advanced in this process until it ends."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from .. import preferences
from ..core import models
from ..core.errors import DamagedJournalError, InputError, JournalError, OfflineError
from .outcome import report, say
from .places import allowed_of, check_place, checked_base, own_rows_in

if TYPE_CHECKING:
    import argparse

    from ..core.client import Client
    from ..core.job import Job
    from ..core.journal import Journal
    from ..own_rows import OwnRows


def table_of(arguments: argparse.Namespace) -> models.Table:
    """The files' models, the preferences' and the arguments'."""
    return own_rows_of(arguments).table


def own_rows_of(arguments: argparse.Namespace) -> OwnRows:
    return own_rows_in(folder_of(arguments), arguments)


def model_of(arguments: argparse.Namespace, table: models.Table) -> models.Model:
    provider = table.provider(arguments.provider)
    wanted = arguments.model or next((model.id for model in table.of(arguments.provider)), "")
    model = table[wanted if wanted in table.models else f"{arguments.provider}:{wanted}"]
    if model.provider != provider and arguments.verb != "grid" and "provider" not in arguments.unsaid:
        raise InputError(f"{model.id} is not at {provider.label}: leave --provider or --model out. Nothing was sent.")
    if model.warning:
        say(f"Warning: {model.warning}")
    return model


def client_for(arguments: argparse.Namespace, table: models.Table, model: models.Model) -> Client:
    """A client that may ask this model: every reason against it is found before anything is rendered."""
    from ..core.client import Client
    from ..core.listener import Listener

    arguments.url = checked_base(model.provider, arguments.url)
    check_place(arguments, model.provider, arguments.url)
    check_online(arguments, model.provider, arguments.url)
    allowed = allowed_of(arguments, [arguments.url or model.provider.base])
    client = Client(table, preferences.keys(table), listener=Listener(), allowed=allowed)
    check_key(client, model.provider)
    return client


def check_key(client: Client, provider: models.Provider) -> None:
    from ..core.client import usable_key

    if provider.key_header:
        usable_key(client.keys.get(provider.name, ""), provider)


def check_online(arguments: argparse.Namespace, provider: models.Provider, base: str) -> None:
    if arguments.online_mode:
        bpy.context.preferences.system.use_online_access = True  # for this process: it is not saved
    if reason := preferences.offline_reason(provider, base):
        raise OfflineError(f"{reason}, or add --online-mode. Nothing was sent.")


def folder_of(arguments: argparse.Namespace) -> Path:
    return Path(arguments.data_dir) if arguments.data_dir else preferences.data_folder()


def journal_of(arguments: argparse.Namespace) -> Journal:
    from ..core.journal import Journal

    return Journal(folder_of(arguments))


def finish(journal: Journal, client: Client, job: Job) -> Job:
    """Advance a job, in this process, until nothing more will happen; says how it goes."""
    said = ""
    while not job.is_final:
        job = _gone_on(journal, client, job)
        said = report(job, said)
        if not job.is_final:
            time.sleep(min(max(job.due - time.time(), 0.05), 0.5))
    journal.mark_seen([job.id])  # its end is on this terminal: no news for the window
    return job


def _gone_on(journal: Journal, client: Client, job: Job) -> Job:
    """The job one step on. What was sent is not given up over a full disk or a locked journal while there is time."""
    from ..core.worker import step

    try:
        if claimed := journal.claim(job_id=job.id):  # else a worker of an open Blender has it: wait for what it does
            with _interrupted_later():
                step(claimed, client, journal)
        return journal.get(job.id)
    except JournalError as error:
        lasting = isinstance(error, DamagedJournalError) or time.time() > job.deadline
        if lasting or job.submit_started is None:
            raise
        return job


@contextmanager
def _interrupted_later() -> Iterator[None]:
    """Ctrl-C waits for the end of what is done within: an answer that is on its way has the id of what was paid for."""
    pressed = False

    def note(*_signal: object) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, before)
        say("Stopping after this step, so that nothing paid is lost; press Ctrl-C again to stop at once.")

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
