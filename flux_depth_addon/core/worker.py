"""The worker: claims jobs from a journal and advances them, many at once, in a process of its own.

Blender starts it as `python -m core.worker` and speaks to it on its standard input only, one JSON object a line:
`{"journal": folder, "tables": [files], "rows": rows, "allowed": [origins], "keys": {provider: key},
"providers": [names]}` first, later any of `keys`, `providers` (whom it may ask; without it, all) and
`{"probe": model id}`. `rows` go over the tables; `allowed` may be asked over plain http. When that input
closes, Blender is gone: what the provider already has is still fetched, nothing new is sent, and the worker ends.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .advance import advance, broken
from .client import Client
from .connection import note_connection
from .core_dump import forbid_core_dumps
from .errors import DamagedJournalError, FluxDepthError, JournalError, TryLaterError
from .job import Job, Step
from .journal import Journal, LostJobError
from .lease import LEASE_SECONDS
from .listener import Listener
from .models import Table, load
from .pace import SLOTS, Pace, at_providers
from .picture import load_codecs

if TYPE_CHECKING:
    from .sandbox import Sandbox

__all__ = ["Worker", "finish", "main", "step"]

IDLE_SECONDS = 60.0
LONGEST_SLEEP = 0.5
SHORTEST_SLEEP = 0.05
SAVE_SECONDS = 600
"""How long a full disk is waited for with something to save."""


def step(job: Job, client: Client, journal: Journal) -> Job | None:
    """Advance a claimed job, and save what came of it: what the provider took is known only here until it is saved.

    The job as it was saved; None where it is no longer this process's, or goes back as it was.
    """
    try:
        after = advance(job, client, journal.save)
    except LostJobError:
        return None  # cancelled, or taken by another worker: theirs to finish
    except JournalError:
        return None  # not saved, so not sent; the lease runs out and the step is taken again
    except Exception as error:  # this process's edge: one broken job must not stop the others
        after = broken(job, error)
    _save(after, journal)
    return after


def _save(job: Job, journal: Journal) -> None:
    """Until it is saved, or is no longer ours; a full disk may be cleared, and other workers keep off meanwhile."""
    for _ in range(SAVE_SECONDS):
        try:
            journal.save(job, release=True)
        except LostJobError:
            with suppress(OSError):
                job.preview.unlink(missing_ok=True)  # it may have come after the job was cancelled
            return
        except JournalError:
            time.sleep(1.0)
        else:
            return


class _Crew:
    """Advances a few jobs of a journal and no others, many at once, until nothing more will happen to any of them."""

    def __init__(self, asked: Iterable[Job], client: Client, journal: Journal) -> None:
        self.left = {job.id: job for job in asked if not job.is_final}
        self._client, self._journal = client, journal
        self._flying: dict[Future[Job | None], str] = {}
        self._kept = time.time()

    def round(self, pool: ThreadPoolExecutor) -> list[Job]:
        """Start what is due, wait a moment, and tell what came of what was started before."""
        self._keep()
        busy = set(self._flying.values())
        due = [job_id for job_id, job in self.left.items() if job.due <= time.time() and job_id not in busy]
        theirs = [job_id for job_id in due[: SLOTS - len(busy)] if not self._start(pool, job_id)]
        changed = [self._look(job_id, again=LONGEST_SLEEP) for job_id in theirs]
        if not self._flying:
            time.sleep(self._pause())
        for future in wait(self._flying, self._pause(), FIRST_COMPLETED).done:
            changed.append(self._look(self._flying.pop(future)))
        return changed

    def _keep(self) -> None:
        if abs(time.time() - self._kept) > LEASE_SECONDS / 4:
            self._journal.keep(tuple(self._flying.values()))
            self._kept = time.time()

    def _start(self, pool: ThreadPoolExecutor, job_id: str) -> bool:
        """Whether it was ours to start: else the worker of an open Blender has it, or a dead one's lease runs out."""
        if claimed := self._journal.claim(job_id=job_id):
            self._flying[pool.submit(step, claimed, self._client, self._journal)] = job_id
        return claimed is not None

    def _look(self, job_id: str, again: float = SHORTEST_SLEEP) -> Job:
        """Not claimed again before so many seconds have passed."""
        job = self._journal.get(job_id)
        self.left[job_id] = replace(job, due=max(job.due, time.time() + again))
        return job

    def _pause(self) -> float:
        busy = set(self._flying.values())
        soonest = min((job.due for job_id, job in self.left.items() if job_id not in busy), default=float("inf"))
        return min(max(soonest - time.time(), 0.01), LONGEST_SLEEP)


def finish(asked: Iterable[Job], client: Client, journal: Journal) -> Iterator[Job]:
    """Advance these jobs, many at once, in this process, until nothing more will happen to any; each as it changes.

    An interruption waits for the steps that are being taken: their answers may hold the id of what was paid for.
    """
    crew = _Crew(asked, client, journal)
    trouble = time.monotonic()
    with ThreadPoolExecutor(SLOTS, thread_name_prefix="job") as pool:
        while crew.left:
            try:
                changed = crew.round(pool)
            except JournalError as error:  # locked, or a full disk: both pass, and paid pictures do not wait for long
                if isinstance(error, DamagedJournalError) or time.monotonic() - trouble > SAVE_SECONDS:
                    raise
                time.sleep(1.0)
                continue
            for job in changed:
                if job.is_final:
                    del crew.left[job.id]
                yield job
            trouble = time.monotonic()


class Worker:
    """Advances every job of a journal that it has a key for, until told to stop or left without work."""

    def __init__(self, journal: Journal, table: Table, keys: dict[str, str], allowed: Container[str] = ()) -> None:
        self.journal = journal
        self.table = table
        self.keys = keys
        self.may_submit = True
        """False once nobody is there to see what would be bought."""
        self.wake = threading.Event()
        self.providers: Container[str] = table.providers
        """Whom this worker may ask: Blender's online access decides."""
        self._flying: set[Future[None]] = set()
        self._held: set[str] = set()
        self._sending: dict[str, str] = {}
        """By job, the provider to which it is being submitted."""
        self._pace = Pace()
        self._kept = time.time()
        self._sandbox: Sandbox | None = None
        self._starting = threading.Lock()
        self._pool = ThreadPoolExecutor(SLOTS, thread_name_prefix="job")
        self._listener = Listener()
        self.client = Client(table, keys, self._sandbox_base, self._listener, allowed)

    def run(self) -> None:
        """Work until idle for a minute, or, once nobody is there, until nothing is left to fetch."""
        busy = time.monotonic()
        pause = 0.0
        while True:
            try:
                if not self._wanted(busy):
                    return
                busy, pause = self._round(busy), self._pause()
            except JournalError:  # locked, or a full disk: both pass, and paid pictures do not wait for long
                if not self._flying and time.monotonic() - busy > SAVE_SECONDS:
                    return
                pause = 1.0
            self.wake.wait(pause)
            self.wake.clear()

    def _round(self, busy: float) -> float:
        """Start what is due; when there was last something to do, in monotonic seconds."""
        self._keep()
        while len(self._flying) < SLOTS and (claimed := self._claim()):
            if claimed.step is Step.SUBMIT:
                self._sending[claimed.id] = _provider(claimed)
            self._start(self._advance, claimed)
        return time.monotonic() if self._flying or self._due_in() is not None else busy

    def close(self) -> None:
        """Let go of everything; jobs in the middle of a step finish it first."""
        self._pool.shutdown()
        self._listener.close()
        if self._sandbox:
            self._sandbox.stop()

    def probe(self, model_id: str) -> None:
        """Test the connection to a model's provider; the journal gets the outcome."""
        self._start(self._probe, model_id)

    def _keep(self) -> None:
        """By the wall clock, as leases are, and before anything is claimed: this computer may have slept."""
        if abs(time.time() - self._kept) > LEASE_SECONDS / 4:
            self.journal.keep(tuple(self._held))
            self._kept = time.time()

    def _wanted(self, busy: float) -> bool:
        if self._flying:
            return True
        if not self.journal.is_there():  # set aside, or deleted: the jobs' receipts are found by the next one
            return False
        if not self.may_submit:
            return self._due_in() is not None
        return time.monotonic() - busy < IDLE_SECONDS

    def _claim(self) -> Job | None:
        """What is paid for comes first: links to pictures die, and what waits to be sent does not."""
        return self.journal.claim(providers=self._reachable(), submit=False) or self.journal.claim(
            providers=self._with_room()
        )

    def _with_room(self) -> list[str]:
        """The providers that may be sent another task."""
        if not self.may_submit:
            return []
        there = self._there()
        return [name for name in self._reachable() if self._pace.has_room(name, there[name])]

    def _there(self) -> Counter[str]:
        """By provider, how many tasks it has, or is about to have."""
        return at_providers(self.journal.database) + Counter(tuple(self._sending.values()))

    def _reachable(self) -> list[str]:
        asked = [row for name, row in self.table.providers.items() if name in self.providers]
        return [row.name for row in asked if not row.key_header or self.keys.get(row.name)]

    def _due_in(self) -> float | None:
        """Seconds until `_claim` may find a job; None while only what flies can make room for one."""
        asked = (self._reachable(), False), (self._with_room(), True)
        dues = [self.journal.next_due(providers=providers, submit=submit) for providers, submit in asked]
        return min((due - time.time() for due in dues if due is not None), default=None)

    def _pause(self) -> float:
        due = self._due_in()
        full = len(self._flying) >= SLOTS
        return LONGEST_SLEEP if due is None or full else min(max(due, 0.01), LONGEST_SLEEP)

    def _start(self, work: Callable[..., None], *what: object) -> None:
        future = self._pool.submit(work, *what)
        self._flying.add(future)
        future.add_done_callback(self._landed)

    def _landed(self, future: Future[None]) -> None:
        self._flying.discard(future)
        self.wake.set()

    def _advance(self, job: Job) -> None:
        self._held.add(job.id)
        after = None
        try:
            after = step(job, self.client, self.journal)
        finally:
            self._held.discard(job.id)
            if provider := self._sending.pop(job.id, ""):
                self._note_pace(provider, after)

    def _note_pace(self, provider: str, after: Job | None) -> None:
        if after and after.remote_id:
            self._pace.taken(provider)
        elif after and not after.is_final:
            self._pace.refused(provider, self._there()[provider])

    def _probe(self, model_id: str) -> None:
        try:
            sentence, good = self.client.probe(self.table[model_id]), True
        except TryLaterError as problem:
            sentence, good = f"{problem}. Nothing was charged: check the connection, then test again.", False
        except FluxDepthError as error:
            sentence, good = str(error), False
        note_connection(self.journal.database, model_id.partition(":")[0], sentence, good=good)

    def _sandbox_base(self) -> str:
        from .sandbox import Sandbox  # only now: it brings numpy along, for which no paid job should wait

        with self._starting:
            if self._sandbox is None:
                self._sandbox = Sandbox()
                self._sandbox.start()
            return self._sandbox.base


def _provider(job: Job) -> str:
    return job.request.model.partition(":")[0]


def main() -> None:
    """Serve the journal named on standard input."""
    forbid_core_dumps()
    load_codecs()  # before anything is bought
    start = json.loads(sys.stdin.readline())
    journal = Journal(Path(start["journal"]))
    table = load(*map(Path, start["tables"]), more=start.get("rows"))
    worker = Worker(journal, table, dict(start["keys"]), frozenset(start.get("allowed", ())))
    worker.providers = start.get("providers", worker.providers)
    threading.Thread(target=_listen, args=(worker, sys.stdin), daemon=True).start()
    try:
        worker.run()
    finally:
        worker.close()
        journal.close()


def _listen(worker: Worker, lines: Iterable[str]) -> None:
    try:
        for line in lines:
            message: dict[str, Any] = json.loads(line)
            worker.keys.update(message.get("keys", {}))
            worker.providers = message.get("providers", worker.providers)
            if model_id := message.get("probe"):
                worker.probe(model_id)
            worker.wake.set()
    finally:
        worker.may_submit = False
        worker.wake.set()


if __name__ == "__main__":
    main()
