"""Providers on this computer, one file per protocol, each written from its documentation and not from our client.

A file here is named as the protocol's file in `core/providers`, and holds a class derived from `Emulator` and
`EMULATOR = ThatClass`: whoever lists this folder has found it. What is common is here: real HTTP on loopback with a
thread per connection, a memory of every request, the order of events (a task is taken, polled, stopped), what was
billed, and every misbehaviour that needs no word of a protocol. A protocol says the rest: which call is which, what a
submission must hold, and in which words a task's state, a refusal and a stop are told.

Nothing here looks at a clock: a task is at work for `pending` polls, so that a test with a clock of its own waits for
nothing.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from PIL import Image

from flux_depth_addon.core.errors import Action, Charged
from flux_depth_addon.core.sandbox import Answer
from tests.secrets_watch import marked_key, note_server

from ._http import Host, Kind, Seen, Server, body_of

__all__ = ["HTML", "Answer", "Deed", "Emulator", "Kind", "Refusal", "Seen", "Task", "all_emulators", "in_json"]

HTML = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"

Deed = Literal["lost", "reset", "cut", "page", "gateway", "slow"]
"""A misbehaviour that is the same in every protocol:
lost      served as usual, so that a submission is taken, but the connection is reset instead of an answer;
reset     the connection is reset and nothing was served;
cut       served as usual, but the body breaks off in the middle;
page      a web page with status 200 instead of an answer, as of a hotel's network; nothing was served;
gateway   served as usual, but the answer is a gateway's 502 page;
slow      served as usual, in two halves with a pause.
"""

Ending = Literal["ready", "moderated", "failed", "gone"]
"""What a task comes to once it is no longer at work; gone: the provider says that it knows of none."""


@dataclass(frozen=True)
class Refusal:
    """A documented way to refuse a submission, and what the artist is to be told of it."""

    answer: Answer
    button: Action
    """The one that helps."""
    charged: Charged = "no"


@dataclass
class Task:
    """A submission that was taken."""

    id: str
    asked: Any
    """What was submitted, as the protocol reads it."""
    number: int
    """1, 2, 3…: its picture is painted in a colour of that number."""
    size: tuple[int, int]
    ending: Ending
    pending: int
    """Polls that still find it at work."""
    seed: int = 7
    links: int = 0
    """Links to its picture that were given out."""
    is_billed: bool = True
    is_stopped: bool = False


class Emulator:
    """One provider. A context manager; a protocol's class overrides what is marked so."""

    provider: ClassVar[str]
    """Its name in models.toml. Override."""
    model: ClassVar[str]
    """The id of the model that the suite asks for. Override."""
    key_header: ClassVar[str] = ""
    """The header that its documentation names for the key; empty where there is no key. Override."""
    key_prefix: ClassVar[str] = ""
    """What stands before the key there. Override."""
    own_pictures: ClassVar[bool] = False
    """Whether pictures lie at the provider's own address, where a key is no leak. Override."""
    costs: ClassVar[Mapping[str, Charged]] = {"moderated": "no", "failed": "unknown"}
    """What its documentation says of the bill of a task that came to that. With "cancelled": of one that is stopped
    before anybody began with it; without, a task cannot be stopped. With "cancelled at work": of one that was begun,
    where that is another matter. Override."""
    queues: ClassVar[bool] = False
    """Whether it says of a task that waits for its turn that it does. Override."""
    told_usd: ClassVar[float | None] = None
    """What it says that a picture costs; None where it says nothing, so that the table's price is what is known.
    Override."""
    refusals: ClassVar[Mapping[str, Refusal]] = {}
    """Every documented refusal of a submission, by a name for it. Override."""
    busy: ClassVar[Answer] = Answer(429, {"Retry-After": "2"}, {"detail": "too many requests"})
    """Too much at once: to be asked again after a while. Override."""

    base: str = ""
    """http://127.0.0.1:PORT of the provider itself."""
    pictures: str = ""
    """The same of the host where pictures lie."""
    foreign: str = ""
    """The same of a stranger who must never see a key."""

    def __init__(self, *, pending: int = 2) -> None:
        self.seen: list[Seen] = []
        """Every request so far, oldest first."""
        self.said: list[tuple[Seen, Answer]] = []
        """What each of them got."""
        self.tasks: dict[str, Task] = {}
        """Every submission that was taken, by its id."""
        self.pending = pending
        """How many polls find a new task at work."""
        self.ending: Ending = "ready"
        """What a new task comes to."""
        self.word = ""
        """A status word that nobody has heard of, told instead of the one for a task at work; empty: the usual one."""
        self.names_foreign = False
        """Whether the addresses that the provider names for polls are those of a stranger."""
        self.stopping = threading.Event()
        self._script: dict[Kind, deque[Answer | Deed | None]] = {}
        self._lock = threading.RLock()
        self._servers: list[Server] = []

    # What a protocol says.

    def kind_of(self, seen: Seen) -> Kind | None:
        """What a call at its own door is for. Override."""
        raise NotImplementedError

    def submit(self, seen: Seen) -> Answer:
        """Check a submission as documented, and take it with `take`. Override."""
        raise NotImplementedError

    def poll(self, seen: Seen, task: Task) -> Answer:
        """What is told of a task: `is_at_work`, and then its `ending`; of a stopped one, that. Override."""
        raise NotImplementedError

    def cancel(self, seen: Seen, task: Task) -> Answer:
        """Stop a task with `stop`. Override where there is a cancel."""
        raise NotImplementedError

    def upload(self, seen: Seen) -> Answer:
        """Override where something is uploaded before the submission."""
        raise NotImplementedError

    def probe(self, seen: Seen) -> Answer:
        """A free question. Override."""
        return in_json({"status": "ok"})

    def unknown_task(self, seen: Seen) -> Answer:
        """The answer to a poll, or a cancel, of a task that there is not. Override."""
        return in_json({"detail": "Not Found"}, 404)

    def key_refused(self, seen: Seen) -> Answer:
        """The answer to a call without its key, or with another. Override."""
        return in_json({"detail": "Unauthorized"}, 401)

    def upgraded(self, seen: Seen, handler: BaseHTTPRequestHandler) -> bool:
        """Whether this was a WebSocket, which was served to its end on the handler's connection. Override."""
        return False

    # What a protocol says it with.

    def take(self, asked: Any, size: tuple[int, int], *, seed: int | None = None) -> Task:
        """A new task, which is billed."""
        with self._lock:
            number = len(self.tasks) + 1
            task = Task(self.new_id(number), asked, number, size, self.ending, self.pending, seed or 7)
            self.tasks[task.id] = task
        return task

    def new_id(self, number: int) -> str:
        """Of a task, as the protocol's ids look. Override where they do not look like this."""
        return f"4f2c8a6e-0000-4000-8000-{number:012d}"

    def is_at_work(self, task: Task) -> bool:
        """Whether a poll finds it so; each one brings it nearer to its end."""
        with self._lock:
            task.pending -= 1
            return task.pending >= 0 and not task.is_stopped

    def progress(self, task: Task) -> float:
        """0..1, of a task at work."""
        return 1 - (task.pending + 1) / (self.pending + 1)

    @property
    def door(self) -> str:
        """The base of the addresses that it names for polls and cancels."""
        return self.foreign if self.names_foreign else self.base

    def link(self, task: Task) -> str:
        """A new link to its picture, at the pictures' host; older ones go on to live."""
        with self._lock:
            task.links += 1
        return f"{self.pictures}/files/{task.id}/{task.links}.png"

    def picture_of(self, task: Task) -> bytes:
        """A picture that can be told from every other: see `colour`."""
        buffer = io.BytesIO()
        Image.new("RGB", task.size, colour(task.number)).save(buffer, "PNG")
        return buffer.getvalue()

    def is_begun(self, task: Task) -> bool:
        """Whether anybody works on it: from the first poll on."""
        return task.pending < self.pending

    def stop(self, task: Task) -> bool:
        """Stop it; whether it was not done yet. One that is stopped for nothing leaves the bill."""
        with self._lock:
            if task.pending <= 0 or task.is_stopped:
                return False
            task.is_stopped = True
            case = "cancelled at work" if self.is_begun(task) and "cancelled at work" in self.costs else "cancelled"
            task.is_billed = self.costs.get(case) != "no"
            return True

    def end(self, task: Task) -> Ending:
        """What it came to, with the bill as documented: to be asked by `poll` once it is not at work."""
        if self.costs.get(task.ending) == "no":
            task.is_billed = False
        return task.ending

    def task_in(self, seen: Seen) -> Task | None:
        """The task whose id stands in the address; override where it stands elsewhere."""
        return next((task for name, task in self.tasks.items() if name in seen.target), None)

    # What a test asks, and orders.

    def will(self, kind: Kind, *entries: Answer | Deed | None) -> None:
        """Answer the next calls of that kind so, one after the other; None: as usual, as all that follow."""
        self._script.setdefault(kind, deque()).extend(entries)

    def calls(self, kind: Kind) -> list[Seen]:
        """The requests of a kind so far."""
        return [seen for seen in self.seen if seen.kind == kind]

    @property
    def billed(self) -> list[str]:
        """The ids of the tasks that are on the bill."""
        return [name for name, task in self.tasks.items() if task.is_billed]

    @property
    def key(self) -> str:
        """The one key that it takes; empty where it takes none."""
        return marked_key(self.provider) if self.key_header else ""

    def key_is_meant(self, seen: Seen, name: str, value: str) -> bool:
        """Whether that header of that request is where the key belongs."""
        own = seen.host == "own" and (seen.kind != "picture" or self.own_pictures)
        return own and name == self.key_header.lower() and value == self.key_prefix + self.key

    # How it is served.

    def start(self) -> Self:
        """Open the doors."""
        hosts: tuple[Host, ...] = ("own", "pictures", "foreign")
        self._servers = [Server(self, host) for host in hosts]
        self.base, self.pictures, self.foreign = (server.base for server in self._servers)
        note_server(self)
        return self

    def shut(self) -> None:
        """Close them, and end every thread."""
        self.stopping.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.shut()

    def told(self, seen: Seen) -> Answer:
        """What a request gets: the next entry of the script, else the protocol's own answer."""
        with self._lock:
            script = self._script.get(seen.kind) if seen.kind else None
            entry = script.popleft() if script else None
        match entry:
            case Answer():
                return entry
            case "reset":
                return Answer(0)
            case "page":
                return Answer(200, {"Content-Type": "text/html"}, HTML)
        served = self.served(seen)
        match entry:
            case "lost":
                return Answer(0)
            case "gateway":
                return Answer(502, {"Content-Type": "text/html"}, HTML)
            case "cut":
                return Answer(served.status, served.headers, body_of(served), cut=len(body_of(served)) // 2)
            case "slow":
                return Answer(served.status, served.headers, body_of(served), hold=0.2)
        return served

    def served(self, seen: Seen) -> Answer:
        """The protocol's own answer."""
        if seen.host == "foreign" or seen.kind is None:
            return in_json({"detail": "Not Found"}, 404)
        shown = seen.headers.get(self.key_header.lower(), "")
        if self.key_header and seen.host == "own" and shown != self.key_prefix + self.key:
            return self.key_refused(seen)
        if seen.kind in ("submit", "upload", "probe"):
            return getattr(self, seen.kind)(seen)  # type: ignore[no-any-return]
        task = self.task_in(seen)
        if task is None:
            return self.unknown_task(seen)
        if seen.kind == "picture":
            return Answer(200, {"Content-Type": "image/png"}, self.picture_of(task))
        return self.poll(seen, task) if seen.kind == "poll" else self.cancel(seen, task)


def in_json(body: object, status: int = 200, **headers: str) -> Answer:
    """An answer in JSON; of headers, an underscore stands for a dash."""
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def colour(number: int) -> tuple[int, int, int]:
    """The one of the picture of task number so and so."""
    return (number % 250, number // 250, 77)


def all_emulators() -> dict[str, type[Emulator]]:
    """By the name of its protocol: whatever lies in this folder."""
    names = sorted(file.stem for file in Path(__file__).parent.glob("[a-z]*.py"))
    return {name: import_module(f"{__name__}.{name}").EMULATOR for name in names}
