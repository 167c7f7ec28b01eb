"""A world in which everything can fail at any moment: the clock, processes, the disk, and a provider.

The journal, the job, the step and the client that run in it are the real ones, on real SQLite and real files. Made of
wood are only the clock that `core` reads and, in place of the wire, a provider that knows what it billed.
A *moment* is any write to the database or a file, before and after, and any exchange with the provider, before and
after. At any moment a process can be killed, the disk be full, the database be locked, or the rest of the world go on.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from PIL import Image

from flux_depth_addon.core import receipt
from flux_depth_addon.core.client import Client
from flux_depth_addon.core.job import Job
from flux_depth_addon.core.journal import Journal
from flux_depth_addon.core.models import load
from flux_depth_addon.core.providers import Answer
from flux_depth_addon.core.wire import Trouble as WireTrouble
from flux_depth_addon.core.wire import WireError
from flux_depth_addon.core.worker import step
from tests.secrets_watch import marked_key

BASE = "http://127.0.0.1:1"
"""Nobody listens there: what is asked there is answered in this process."""

SIDE = 256
IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A disk that is synchronised a hundred times faster; what a kill leaves on it is the same."""

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


REFUSALS: dict[tuple[str, str], Exception] = {
    ("full", "database"): sqlite3.OperationalError("database or disk is full"),
    ("full", "file"): OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    ("locked", "database"): sqlite3.OperationalError("database is locked"),
}
"""What a trouble makes of a kind of moment."""


class Killed(BaseException):
    """The process is no more: nothing in it may still touch the disk, not even what tidies up after an exception."""


class Clock:
    """Stands in for the module `time`; whoever sleeps moves it on."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        """What this computer takes for the time, seconds since 1970."""
        self.running = 0.0
        """Seconds that really passed, which nobody can put back."""

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.running

    def localtime(self) -> time.struct_time:
        return time.localtime(self.now)

    def mktime(self, when: Any) -> float:
        return time.mktime(when)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.running += seconds


@dataclass(frozen=True)
class Trouble:
    """What befalls a process at its moment number `at`."""

    kind: str = ""
    """kill, full, locked, meanwhile; empty: nothing."""
    at: int = 0
    lasts: int = 1
    """For how many moments the disk is full or the database locked."""
    meanwhile: tuple[str, ...] = ()
    """What the rest of the world does."""


@dataclass
class Process:
    """One that has the journal open, and perhaps a job in its hands."""

    journal: Journal
    hand: Job | None = None
    trouble: Trouble = Trouble()
    moments: int = 0
    is_dead: bool = False
    died_at: str = ""
    """The kind of moment."""


@dataclass
class Task:
    """A submission that the provider took."""

    job: str
    ready_at: float
    colour: tuple[int, int, int]
    billed: bool = True
    status: str = ""
    """Its last word, if that is no picture."""
    is_gone: bool = False
    dead_links: int = 0

    @property
    def has_picture(self) -> bool:
        """Whether who asks will get it."""
        return not (self.status or self.is_gone)


@cache
def picture(colour: tuple[int, int, int]) -> bytes:
    """A picture that can be told from every other."""
    buffer = BytesIO()
    Image.new("RGB", (SIDE, SIDE), colour).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class Provider:
    """Knows what it was sent, what it took and what it billed. `mood` says how it takes the next calls."""

    clock: Clock
    mood: dict[str, str] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)
    """By job: submissions that were not refused in a way that says for certain that nothing was taken."""
    tasks: dict[str, Task] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    """The tasks whose id has reached the process that sent them."""

    def is_billed(self, job_id: str) -> bool:
        return any(task.billed for task in self.tasks.values() if task.job == job_id)

    def takes(self, job_id: str) -> str:
        number = len(self.tasks) + 1
        colour = (number % 250, number // 250, 77)
        self.tasks[f"task-{number}"] = Task(job_id, self.clock.running + 7, colour)
        return f"task-{number}"

    def answer(self, method: str, url: str, query: dict[str, str] | None, job_id: str) -> Answer:
        """What a call gets; raises WireError when there is no answer."""
        if method == "POST":
            return self.submission(job_id)
        return self.poll(query["id"]) if query else self.result(*url.split("/")[-2:])

    def submission(self, job_id: str) -> Answer:
        match self.mood.get("post", ""):
            case "busy":
                return said(429, {"detail": "too many tasks"})
            case "busy for a minute":
                return Answer(503, {"retry-after": "60"}, b"")
            case "unreachable":
                raise WireError(WireTrouble.UNREACHABLE)
            case "refused":
                return said(402, {"detail": "no credit"})
        self.sent[job_id] += 1
        match self.mood.get("post", ""):
            case "lost before":
                raise WireError(WireTrouble.LOST)
            case "lost after":
                self.takes(job_id)
                raise WireError(WireTrouble.LOST)
            case "broke":
                return Answer(500, {}, b"<html>")
            case "broke after":
                self.takes(job_id)
                return Answer(502, {}, b"<html>")
            case "no id":
                self.takes(job_id)
                return said(200, {"status": "ok"})
        task = self.takes(job_id)
        self.answered.add(task)
        return said(200, {"id": task, "polling_url": f"{BASE}/elsewhere?id={task}"})

    def poll(self, task_id: str) -> Answer:
        task = self.tasks[task_id]
        match self.mood.get("poll", ""):
            case "lost":
                raise WireError(WireTrouble.LOST)
            case "broke":
                return Answer(500, {}, b"<html>")
            case "missing":
                return said(200, {"status": "Task not found"})
            case "word":
                return said(200, {"status": "Reasoning"})
            case "no sample":
                return said(200, {"status": "Ready", "result": None})
            case "moderated" if task.has_picture:
                task.status, task.billed = "Content Moderated", False
            case "failed" if task.has_picture:
                task.status = "Error"
            case "gone":
                task.is_gone = True
        if task.is_gone:
            return said(404, {"status": "Task not found"})
        if task.status or self.clock.running < task.ready_at:
            return said(200, {"status": task.status or "Pending"})
        sample = f"{BASE}/results/{task_id}/{task.dead_links}"
        return said(200, {"status": "Ready", "result": {"sample": sample}})

    def result(self, task_id: str, link: str) -> Answer:
        task = self.tasks[task_id]
        match self.mood.get("fetch", ""):
            case "lost":
                raise WireError(WireTrouble.LOST)
            case "broke":
                return Answer(500, {}, b"")
            case "expired":
                task.dead_links += 1
            case "cut":
                return Answer(200, {}, picture(task.colour)[:-40])
            case "page":
                return Answer(200, {}, b"<html>a company's proxy</html>")
        if int(link) < task.dead_links or task.is_gone:
            return Answer(403, {}, b"")
        return Answer(200, {}, picture(task.colour))


def said(status: int, data: dict[str, Any]) -> Answer:
    return Answer(status, {}, json.dumps(data).encode())


class World:
    """The clock, the provider, one folder with a journal, and the processes that use it."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="flux-depth-", dir=IN_MEMORY))
        self.folder = Path(folder) / "data"
        self.clock = Clock()
        self.provider = Provider(self.clock)
        self.client = Client(load(), {"cometapi": marked_key("cometapi")})
        self.acting: list[Process] = []
        self.stepping: list[str] = []
        self.met: Counter[str] = Counter()
        """How often each kind of trouble befell a process."""
        self.meanwhile: Callable[[str], None] = lambda _word: None
        self._break_everything()
        self.processes = {name: Process(self.journal()) for name in ("window", "one", "two")}
        self.witness = self.journal()
        """Who looks and does nothing."""

    def _break_everything(self) -> None:
        world, connect, fsync = self, sqlite3.connect, os.fsync

        class Line(sqlite3.Connection):
            def execute(self, question: str, *values: Any) -> sqlite3.Cursor:
                return world.around(self, question, lambda: super(Line, self).execute(question, *values))

            def executemany(self, question: str, *values: Any) -> sqlite3.Cursor:
                return world.around(self, question, lambda: super(Line, self).executemany(question, *values))

            def executescript(self, question: str) -> sqlite3.Cursor:
                return world.around(self, question, lambda: super(Line, self).executescript(question))

        def synchronise(descriptor: int) -> None:
            world.moment("fsync")
            fsync(descriptor)
            world.moment("fsync")

        changes = [
            patch("sqlite3.connect", lambda *args, **more: connect(*args, **more | {"factory": Line})),
            patch("os.fsync", synchronise),
            patch("flux_depth_addon.core.client.exchange", self.exchange),
            *(patch.object(module, "time", self.clock) for module in modules_with_a_clock()),
        ]
        for change in changes:
            self._stack.enter_context(change)
        WORLDS.append(self)
        self._stack.callback(WORLDS.remove, self)

    def close(self) -> None:
        """Put everything back as it was."""
        for journal in (self.witness, *(process.journal for process in self.processes.values())):
            journal.close()
        self._stack.close()

    def journal(self) -> Journal:
        """The journal, opened anew; one process waits for no other, as nothing happens meanwhile."""
        return Journal(self.folder, patience=0)

    @contextmanager
    def as_process(self, name: str, trouble: Trouble = Trouble()) -> Iterator[Process]:
        """What is done in here is done by that process; when it is killed a new one takes its place."""
        process = self.processes[name]
        process.trouble, process.moments = trouble, 0
        self.acting.append(process)
        try:
            yield process
        except Killed:
            pass
        finally:
            self.acting.remove(process)
            if process.is_dead:
                self.replace(name)

    def replace(self, name: str) -> None:
        """The process is gone, with all that it knew and did not write."""
        self.processes[name].journal.close()
        self.processes[name] = Process(self.journal())

    def works(self, name: str, trouble: Trouble = Trouble()) -> None:
        """One step of what that worker has in its hands."""
        before = set(self.provider.answered)
        with self.as_process(name, trouble) as process:
            job, process.hand = process.hand, None
            assert job
            self.stepping.append(job.id)
            try:
                step(job, self.client, process.journal)
            finally:
                self.stepping.pop()
        for task in self.provider.answered - before:
            if self.provider.tasks[task].job == job.id:
                self.keeps_the_id(job, task, process)

    def keeps_the_id(self, job: Job, task: str, process: Process) -> None:
        """What was answered is in the journal once the step is over, and in the receipt before that."""
        if not process.is_dead:
            assert self.witness.get(job.id).remote_id == task
        elif process.died_at in ("database", "done", "rollback"):
            assert receipt.completed(replace(job, submit_started=self.clock.now)).remote_id == task

    def exchange(self, method: str, url: str, *, query: dict[str, str] | None = None, **_: Any) -> Answer:
        """One call, which may be the last that its process makes."""
        self.moment("network")
        answer = self.provider.answer(method, url, query, self.stepping[-1])
        self.moment("network")
        return answer

    def leave_empty(self, opens: tuple[Any, int] | None) -> None:
        acting, self.acting = self.acting, []
        if opens:
            with suppress(OSError):
                os.close(os.open(*opens, 0o600))
        self.acting = acting

    def around(self, line: sqlite3.Connection, question: str, ask: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        """One statement, with the moments before and after it where it writes."""
        if question.lstrip().upper().startswith("SELECT"):
            return ask()
        kind = "rollback" if question == "ROLLBACK" else "database"
        self.moment(kind, free=not line.in_transaction)
        answer = ask()
        self.moment("done", free=not line.in_transaction)
        return answer

    def moment(self, kind: str, *, free: bool = True, opens: tuple[Any, int] | None = None) -> None:
        """Something is about to be written or said, or just was. `free`: others can get at the database.

        `opens`: the file and how; a process that is killed there leaves it empty, as it wrote nothing into it yet.
        """
        process = self.acting[-1] if self.acting else None
        if process is None:
            return
        if process.is_dead:
            raise Killed
        trouble, process.moments = process.trouble, process.moments + 1
        since = process.moments - 1 - trouble.at
        if trouble.kind == "kill" and since == 0:
            process.is_dead, process.died_at = True, kind
            self.met["kill"] += 1
            self.leave_empty(opens)
            raise Killed
        if trouble.kind == "meanwhile" and since >= 0 and free:
            process.trouble = Trouble()
            self.met["meanwhile"] += 1
            for word in trouble.meanwhile:
                self.meanwhile(word)
        elif 0 <= since < trouble.lasts and (trouble.kind, kind) in REFUSALS:
            self.met[trouble.kind] += 1
            raise REFUSALS[trouble.kind, kind]


def modules_with_a_clock() -> list[Any]:
    """The modules of core that ask what time it is; the client measures only how long an answer takes."""
    loaded = [(name, module) for name, module in sys.modules.items() if name.startswith("flux_depth_addon.core.")]
    return [module for name, module in loaded if getattr(module, "time", None) is time and not name.endswith("client")]


WORLDS: list[World] = []
"""The world that is open, if any."""


def _audit(event: str, values: tuple[Any, ...]) -> None:
    """Python tells every use of a file here, whoever makes it."""
    if WORLDS and WORLDS[-1].acting and (kind := kind_of(event, values)):
        WORLDS[-1].moment(kind, opens=(values[0], values[2]) if kind == "file" and event == "open" else None)


def kind_of(event: str, values: tuple[Any, ...]) -> str:
    """Whether a use of the disk changes it; only what needs room on it fails on a full one."""
    if event == "open" and isinstance(values[2], int) and values[2] & WRITES:
        return "file" if values[2] & os.O_CREAT else "in place"
    return {"os.mkdir": "file", "os.rename": "rename", "os.remove": "remove"}.get(event, "")


sys.addaudithook(_audit)
