"""An offline endpoint on loopback: the protocol of CometAPI and BFL, pictures painted from the depth map.

It serves the panel, the demo and the tests. It needs no key, keeps what it is sent in memory only, and can be
told to misbehave: scripted answers go out, one per call, before normal service resumes.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import contextlib
import io
import itertools
import json
import math
import os
import random
import secrets
import socket
import socketserver
import struct
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qs

from PIL import Image, UnidentifiedImageError

from .sandbox_painter import paint

__all__ = ["Answer", "Behaviour", "Post", "Sandbox", "main", "paint"]

MAX_BODY = 32 * 1024 * 1024
MAX_TEXT = 20 * 1024 * 1024
"""Characters of one base64 image. Like the next two: what BFL's own SDK accepts."""
MAX_PIXELS = 20_000_000
MIN_SIDE = 256
MAX_SEED = 2**31 - 1
BRUSH_PIXELS = 2_500_000
IDLE_SECONDS = 15.0
REMEMBERED = 256
"""How many tasks and submissions are kept: older ones have expired."""

Names = tuple[str, ...]

MODELS = ("flux-pro-1-0-depth-finetuned", "flux-pro-1.0-depth-finetuned", "flux-pro-1.0-depth", "sandbox")
"""What GET /v1/models lists; a submission may name any."""


@dataclass(frozen=True)
class Answer:
    """What goes out to one call. Text may hold {base} and {id}: the endpoint's address, and the task's id."""

    status: int = 200
    """HTTP status; 0 resets the connection without an answer."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = b""
    """Bytes, text, or anything else to be sent as JSON."""
    hold: float = 0.0
    """Seconds to wait before the first byte."""
    cut: int | None = None
    """Bytes of the body after which the connection is closed, though all were promised."""


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


class Refusal(Exception):
    """The call ends with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


# Submissions


@dataclass
class Task:
    """One accepted submission, and its picture once somebody asked for that."""

    prompt: str
    control: bytes
    seed: int
    output_format: str
    delay: float
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    started: float = field(default_factory=time.time)
    clock: float = field(default_factory=time.monotonic)
    picture: bytes = b""

    @property
    def progress(self) -> float:
        """0..1, by the clock alone."""
        return min(1.0, (time.monotonic() - self.clock) / self.delay) if self.delay > 0 else 1.0


def read_submission(path: str, data: object) -> dict[str, Any]:
    """The fields of a body, unset ones left out; raises Refusal with one complaint per field."""
    if not isinstance(data, dict):
        raise Refusal(invalid([complaint("", "dict_type", "Input should be a valid dictionary")]))
    fields = {name: value for name, value in data.items() if value is not None}
    if complaints := list(complaints_about(fields, *required_fields(path))):
        raise Refusal(invalid(complaints))
    return fields


def required_fields(path: str) -> tuple[Names, Names]:
    """The fields a model must have, and the fields of which one must hold its map.

    The fine-tuned model has no `preprocessed_image`. BFL wants a `finetune_id`, CometAPI documents none.
    """
    if not path.endswith("finetuned"):
        return ("prompt",), ("preprocessed_image", "control_image")
    return ("prompt",) if path.startswith("/flux/") else ("prompt", "finetune_id"), ("control_image",)


def complaints_about(fields: dict[str, Any], required: Names, maps: Names) -> Iterator[object]:
    """All that is wrong with the known fields, in the words of the framework that BFL runs on."""
    needed = required if any(name in fields for name in maps) else (*required, maps[-1])
    yield from (complaint(name, "missing", "Field required") for name in needed if name not in fields)
    for name, value in fields.items():
        if name in maps:
            yield from wrong_image(name, value)
        elif name in RANGES:
            yield from wrong_number(name, value, *RANGES[name])
        elif name in KINDS:
            yield from wrong_kind(name, value, *KINDS[name])


KINDS: dict[str, tuple[type, str]] = {
    "prompt": (str, "string"),
    "finetune_id": (str, "string"),
    "output_format": (str, "string"),
    "prompt_upsampling": (bool, "boolean"),
}
RANGES: dict[str, tuple[str, float, float]] = {
    "steps": ("integer", 15, 50),
    "guidance": ("number", 1, 100),
    "safety_tolerance": ("integer", 0, 6),
    "finetune_strength": ("number", 0, 2),
    "seed": ("integer", -(2**63), 2**63),
}
FORMATS = ("jpeg", "png")


def wrong_kind(name: str, value: object, kind: type, word: str) -> Iterator[object]:
    """A complaint when the value is not of that kind, or names a format that does not exist."""
    if not isinstance(value, kind):
        yield complaint(name, f"{word}_type", f"Input should be a valid {word}")
    elif name == "output_format" and value not in FORMATS:
        yield complaint(name, "enum", "Input should be 'jpeg' or 'png'")


def wrong_number(name: str, value: object, word: str, low: float, high: float) -> Iterator[object]:
    """A complaint when the value is no number of that kind in the range, both ends included."""
    if isinstance(value, bool) or not isinstance(value, int if word == "integer" else int | float):
        yield complaint(name, f"{word}_type", f"Input should be a valid {word}")
    elif not value >= low:
        yield complaint(name, "greater_than_equal", f"Input should be greater than or equal to {low:g}")
    elif not value <= high:
        yield complaint(name, "less_than_equal", f"Input should be less than or equal to {high:g}")


def wrong_image(name: str, value: object) -> Iterator[object]:
    """A complaint when the value is not the plain base64 of an image that the model takes."""
    try:
        read_image(value)
    except ValueError as error:
        yield complaint(name, "value_error", f"Value error, {error}")


def read_image(text: object) -> bytes:
    """The bytes of a base64 image that decodes whole; raises ValueError with the reason."""
    if not isinstance(text, str) or text.startswith("data:"):
        raise ValueError("image must be plain base64 without a data: prefix")
    if len(text) > MAX_TEXT:
        raise ValueError("image is larger than 20 MB of base64")
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("image is not valid base64") from None
    check_image(data)
    return data


def check_image(data: bytes) -> None:
    """Raises ValueError unless the bytes are a whole image of an accepted size."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "GIF")) as image:
                check_size(*image.size)
                image.load()
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError):
            raise ValueError("image cannot be decoded") from None


def check_size(width: int, height: int) -> None:
    """Raises ValueError for a size that BFL's SDK refuses."""
    if min(width, height) < MIN_SIDE:
        raise ValueError(f"image dimensions must be at least {MIN_SIDE} pixels, not {width}x{height}")
    if width * height > MAX_PIXELS:
        raise ValueError(f"image must not exceed 20 megapixels, not {width}x{height}")


def complaint(name: str, kind: str, words: str) -> dict[str, object]:
    """One entry of a 422's detail list; no name is the body itself."""
    return {"loc": ["body", name] if name else ["body"], "msg": words, "type": kind}


def invalid(complaints: list[Any]) -> Answer:
    """The 422 of a body that does not fit the schema."""
    return Answer(422, body={"detail": complaints})


def problem(path: str, status: int, words: str) -> Answer:
    """A refusal in the envelope of the provider whose route was called."""
    error = {"message": f"{words} (request id: sandbox)", "type": "comet_api_error", "param": "", "code": ""}
    return Answer(status, body={"error": error} if path.startswith("/flux/") else {"detail": words})


# Service


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
        self._server = Server(self, self._port)
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
            return Answer(body=self._state(task))
        # CometAPI documents 200 for an unknown task, BFL answers 404.
        status = 200 if path.startswith("/flux/") else 404
        return Answer(status, body=state(task_id, "Task not found"))

    def _state(self, task: Task) -> dict[str, object]:
        if (progress := task.progress) < 1:
            return state(task.id, "Pending", progress=round(progress, 3))
        times = {"start_time": task.started, "end_time": task.started + task.delay, "duration": task.delay}
        sample = f"{self.base}/results/{task.id}.{task.output_format}"
        result = {"sample": sample, "prompt": task.prompt, "seed": task.seed, **times}
        return state(task.id, "Ready", result=result, progress=1.0)

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


def state(task_id: str, status: str, **more: object) -> dict[str, object]:
    """The body of a poll."""
    nothing = dict.fromkeys(("result", "progress", "details", "preview"))
    return {"id": task_id, "status": status, **nothing, **more}


def megapixels(task: Task) -> dict[str, float]:
    """What BFL tells of sizes, in and out being the same here."""
    with Image.open(io.BytesIO(task.control)) as image:
        size = round(image.width * image.height / 1e6, 2)
    return {"input_mp": size, "output_mp": size}


def painted(task: Task) -> bytes:
    """The painted picture, encoded as the submission asked."""
    with Image.open(io.BytesIO(task.control)) as image:
        control = image.convert("RGB")
    # 20 megapixels would take gigabytes to paint: this is a placeholder, so a smaller one is enlarged.
    smaller = control.reduce(math.ceil((control.width * control.height / BRUSH_PIXELS) ** 0.5))
    picture = paint(smaller, task.prompt, task.seed).resize(control.size)
    target = io.BytesIO()
    picture.save(target, task.output_format, compress_level=2, quality=92)
    return target.getvalue()


def content_type(data: bytes) -> str:
    """What the bytes themselves say they are."""
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"


def as_text(body: object) -> str:
    """Text as it is, anything else as JSON."""
    return body if isinstance(body, str) else json.dumps(body)


# Transport


class Handler(BaseHTTPRequestHandler):
    """One connection. Says nothing on the console: a request line may hold what is nobody's business."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._send(self.server.sandbox.answer("GET", self.path, self.headers, b""))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self._refuse(411, "Content-Length is required")
        elif int(length) > MAX_BODY:
            self._discard(int(length))
            self._refuse(413, "The body is larger than 32 MiB")
        else:
            body = self.rfile.read(int(length))
            self._send(self.server.sandbox.answer("POST", self.path, self.headers, body))

    def _refuse(self, status: int, words: str) -> None:
        self.close_connection = True
        self._send(problem(self.path, status, words))

    def _discard(self, length: int) -> None:
        """Read a little of what is refused: closing on unread bytes would destroy the answer on its way."""
        for _ in range(min(length, 2 * MAX_BODY) // 65536):
            if not self.rfile.read(65536):
                return

    def _send(self, answer: Answer) -> None:
        if self.server.sandbox.stopping.wait(answer.hold) or answer.status == 0:
            self._reset()
            return
        body = answer.body if isinstance(answer.body, bytes) else as_text(answer.body).encode()
        self._send_head(answer, len(body))
        self.wfile.write(body if answer.cut is None else body[: answer.cut])
        self.close_connection = self.close_connection or answer.cut is not None

    def _send_head(self, answer: Answer, length: int) -> None:
        headers = {"Content-Type": "application/json", "Content-Length": str(length), **answer.headers}
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _reset(self) -> None:
        """Close so that the other side sees a reset and not an end: linger on, for no time."""
        self.close_connection = True
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Loopback only; knows its connections and threads, so that it can end them."""

    request_queue_size = 64
    allow_reuse_address = os.name == "posix"  # On Windows it would let a second server in on the same port.

    def __init__(self, sandbox: Sandbox, port: int) -> None:
        self.sandbox = sandbox
        self._connections: dict[socket.socket, threading.Thread] = {}
        super().__init__(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._listen, daemon=True, name="sandbox")
        self._thread.start()

    def _listen(self) -> None:
        while not self.sandbox.stopping.is_set():
            self.handle_request()

    def server_bind(self) -> None:
        """Bind without asking any name server what this machine is called."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        work = self.process_request_thread
        thread = threading.Thread(target=work, args=(request, client_address), daemon=True)
        self._connections[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that ended."""
        super().shutdown_request(request)
        self._connections.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up as they like; anything else is named in one line, without what was sent."""
        error = sys.exception()
        if not isinstance(error, OSError):
            print(f"sandbox: {type(error).__name__}", file=sys.stderr)

    def stop(self) -> None:
        """Take no more, hang up on everybody, wait for the threads. A call of our own wakes who listens."""
        with contextlib.suppress(OSError):
            socket.create_connection(self.server_address[:2], timeout=1).close()  # type: ignore[arg-type]
        self._thread.join()
        threads = list(self._connections.items())
        for connection, _ in threads:
            hang_up(connection)
        for _, thread in threads:
            thread.join()
        self.server_close()


def hang_up(connection: socket.socket) -> None:
    """Wake a thread that waits on this connection."""
    with contextlib.suppress(OSError):  # It may have just ended by itself.
        connection.shutdown(socket.SHUT_RDWR)


# Command line


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted, or until stdin closes; the first line on stdout is the base address."""
    options = (parser := make_parser()).parse_args(argv)
    try:
        scripts = read_script(options.script) if options.script else {}
        behaviour = Behaviour(delay=options.delay, picture=options.picture, **scripts)
        with Sandbox(options.port, behaviour) as sandbox, contextlib.suppress(KeyboardInterrupt):
            print(sandbox.base, flush=True)
            wait(until_stdin_closes=options.until_stdin_closes)
    except (OSError, ValueError, TypeError, OverflowError) as error:
        parser.error(f"the sandbox cannot start: {error}")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="sandbox", description="An offline endpoint that paints.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--delay", type=float, default=2.0, help="seconds until a picture is ready (2)")
    parser.add_argument("--picture", choices=("paint", "echo"), default="paint", help="echo: the map as sent")
    parser.add_argument("--script", type=Path, help="JSON: lists of first answers: submit, poll, result")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with whoever started this")
    return parser


def read_script(path: Path) -> dict[str, Any]:
    """The scripted answers of a JSON file as Behaviour's fields. Raises OSError, ValueError, TypeError."""
    script = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(script, dict):
        raise ValueError("the script is not a JSON object")
    return {f"{name}_answers": [one and Answer(**one) for one in answers] for name, answers in script.items()}


def wait(*, until_stdin_closes: bool) -> None:
    """Return when stdin ends, or never."""
    if until_stdin_closes:
        while sys.stdin.buffer.read(4096):
            pass
    else:
        for _ in itertools.count():
            time.sleep(3600)


if __name__ == "__main__":
    raise SystemExit(main())
