"""The endpoint: which call gets which answer, scripted ones first."""

from __future__ import annotations

import base64
import json
import random
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import Message
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qs

from PIL import Image

from .answers import Answer, Refusal, as_text, invalid, problem
from .rules import read_submission, required_fields
from .server import Server
from .tasks import Task, megapixels, painted, state, state_of

__all__ = ["Behaviour", "Post", "Sandbox"]

MAX_SEED = 2**31 - 1
REMEMBERED = 256
"""How many tasks and submissions are kept: older ones have expired."""

MODELS = ("flux-pro-1-0-depth-finetuned", "flux-pro-1.0-depth-finetuned", "flux-pro-1.0-depth", "sandbox")
"""What GET /v1/models lists; a submission may name any."""


@dataclass(frozen=True)
class Behaviour:
    """How the sandbox behaves. In a script, None stands for one call served as usual."""

    delay: float = 2.0
    """Seconds from a submission to its picture; the progress rises meanwhile."""
    picture: Literal["paint", "echo"] = "paint"
    """A painted picture, or the control image just as it was sent."""
    active_limit: int = 24
    """Tasks at work at once, one more is refused with 429; 0 is no limit. BFL documents 24."""
    submit_answers: Sequence[Answer | None] = ()
    poll_answers: Sequence[Answer | None] = ()
    result_answers: Sequence[Answer | None] = ()


@dataclass(frozen=True)
class Post:
    """A submission as it arrived; headers are found whatever their case."""

    path: str
    headers: Message = field(repr=False)
    body: Any = field(repr=False)


class Sandbox:
    """The endpoint. A context manager; start() after stop() takes the same port and still knows its tasks."""

    base: str = ""
    """http://127.0.0.1:PORT, set by start() and kept by stop()."""

    def __init__(self, port: int = 0, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.stopping = threading.Event()
        self._port = port
        self._posts: deque[Post] = deque(maxlen=REMEMBERED)
        self._requests: deque[tuple[str, Message]] = deque(maxlen=REMEMBERED * 64)
        self._tasks: dict[str, Task] = {}
        self._lock = threading.Lock()
        self._brush = threading.BoundedSemaphore(2)
        answers = ("submit", "poll", "result")
        self._scripts = {name: iter(getattr(self.behaviour, f"{name}_answers")) for name in answers}
        self._server: Server | None = None

    @property
    def posts(self) -> list[Post]:
        """The submissions so far, oldest first, with their headers: for tests of who sees which key."""
        return list(self._posts)

    @property
    def requests(self) -> list[str]:
        """Every call so far as "METHOD path?query", oldest first."""
        return [line for line, _ in list(self._requests)]

    @property
    def headers(self) -> list[Message]:
        """The headers of every call, in the order of `requests`."""
        return [headers for _, headers in list(self._requests)]

    def start(self) -> Self:
        """Serve until stop(). Raises OSError when the port is taken."""
        self.stopping.clear()
        Image.init()  # now: of the threads of two first calls, one would miss the formats that the other is loading
        self._server = Server(self.answer, self.stopping, self._port)
        self._port = self._server.server_address[1]
        self.base = f"http://127.0.0.1:{self._port}"
        return self

    def stop(self) -> None:
        """Close every connection and join every thread."""
        self.stopping.set()
        if self._server:
            self._server.stop()
        self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def answer(self, method: str, target: str, headers: Message, body: bytes) -> Answer:
        """What a call gets."""
        self._requests.append((f"{method} {target}", headers))
        path, _, query = target.partition("?")
        try:
            return self._route(method, path, parse_qs(query).get("id", [""])[0], headers, body)
        except Refusal as refusal:
            return refusal.answer

    def _route(self, method: str, path: str, task_id: str, headers: Message, body: bytes) -> Answer:
        match method, path.strip("/").removeprefix("flux/").split("/"):
            case "POST", ["v1", _]:
                return self._submit(path, headers, body)
            case "GET", ["v1", "get_result"]:
                return self._poll(path, task_id)
            case "GET", ["results", name]:
                return self._result(path, name.rpartition(".")[0])
            case "GET", ["v1", "credits"]:
                return Answer(body={"credits": 1000.0})
            case "GET", ["v1", "models"]:
                return Answer(body={"success": True, "data": [{"id": name} for name in MODELS]})
            case "GET", [""]:
                return Answer(body={"status": "ok", "service": "FLUX Depth sandbox, not FLUX"})
        return problem(path, 404, "Not Found")

    def _submit(self, path: str, headers: Message, body: bytes) -> Answer:
        data = parsed(path, body)
        self._posts.append(Post(path, headers, data))
        if scripted := self._scripted("submit"):
            wanted = isinstance(scripted.body, str) and "{id}" in scripted.body
            return self._filled(scripted, self._accept(path, data).id if wanted else "")
        return self._accepted(path, self._accept(path, data))

    def _accept(self, path: str, data: object) -> Task:
        fields = read_submission(path, data)
        control = next(fields[name] for name in required_fields(path)[1] if name in fields)
        task = Task(
            fields["prompt"],
            base64.b64decode(control),
            seed=fields.get("seed") or random.randint(1, MAX_SEED),
            output_format=fields.get("output_format", "jpeg"),
            delay=self.behaviour.delay,
        )
        with self._lock:
            self._admit(path, task)
        return task

    def _admit(self, path: str, task: Task) -> None:
        active = sum(task.progress < 1 for task in self._tasks.values())
        if 0 < self.behaviour.active_limit <= active:
            words = f"{active} tasks are active: you must wait until a previous task has finished"
            raise Refusal(problem(path, 429, words))
        self._tasks[task.id] = task
        for expired in list(self._tasks)[:-REMEMBERED]:
            del self._tasks[expired]

    def _accepted(self, path: str, task: Task) -> Answer:
        told: dict[str, object] = {"id": task.id, "polling_url": self._polling_url(path, task)}
        return Answer(body=told if path.startswith("/flux/") else {**told, "cost": 0.0, **megapixels(task)})

    def _polling_url(self, path: str, task: Task) -> str:
        return f"{self.base}{'/flux' if path.startswith('/flux/') else ''}/v1/get_result?id={task.id}"

    def _poll(self, path: str, task_id: str) -> Answer:
        if scripted := self._scripted("poll"):
            return self._filled(scripted, task_id)
        if not task_id:
            return invalid([{"loc": ["query", "id"], "msg": "Field required", "type": "missing"}])
        if task := self._tasks.get(task_id):
            return Answer(body=state_of(task, self.base))
        # CometAPI documents 200 for an unknown task, BFL answers 404.
        status = 200 if path.startswith("/flux/") else 404
        return Answer(status, body=state(task_id, "Task not found"))

    def _result(self, path: str, task_id: str) -> Answer:
        if scripted := self._scripted("result"):
            return self._filled(scripted, task_id)
        task = self._tasks.get(task_id)
        if task is None or task.progress < 1:
            return problem(path, 404, "Not Found")
        data = self._picture(task)
        return Answer(headers={"Content-Type": content_type(data)}, body=data)

    def _picture(self, task: Task) -> bytes:
        if self.behaviour.picture == "echo":
            return task.control
        with self._brush:  # Painting takes much memory for a moment: two at a time.
            if not task.picture and not self.stopping.is_set():
                task.picture = painted(task)
        return task.picture

    def _scripted(self, kind: str) -> Answer | None:
        with self._lock:
            return next(self._scripts[kind], None)

    def _filled(self, answer: Answer, task_id: str) -> Answer:
        def fill(text: str) -> str:
            return text.replace("{base}", self.base).replace("{id}", task_id)

        body = answer.body if isinstance(answer.body, bytes) else fill(as_text(answer.body))
        headers = {name: fill(value) for name, value in answer.headers.items()}
        return Answer(answer.status, headers, body, answer.hold, answer.cut)


def parsed(path: str, body: bytes) -> object:
    """The JSON of a body; raises Refusal 400."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(problem(path, 400, "The body is not valid JSON")) from None


def content_type(data: bytes) -> str:
    """What the bytes themselves say they are."""
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
