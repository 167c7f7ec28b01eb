"""What the tests of core share: a request, a control image, and a server that answers exactly as it is told."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from flux_depth_addon.core.framing import Framing
from flux_depth_addon.core.models import Table, load
from flux_depth_addon.core.request import Request

FRAMING = Framing(width=320, height=256, left=10, top=6, crop_width=300, crop_height=244)


@pytest.fixture(scope="session")
def table() -> Table:
    return load()


@pytest.fixture
def wish() -> Callable[..., Request]:
    """A sound request with the given differences."""
    sound = Request(prompt="a quiet room", model="cometapi:flux-pro-1-0-depth-finetuned", framing=FRAMING)
    return lambda **changes: replace(sound, **changes)


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    """The bytes of a picture whose every pixel tells where it lies."""

    def made(width: int = 320, height: int = 256, kind: str = "PNG", **options: Any) -> bytes:
        across = Image.linear_gradient("L").rotate(90).resize((width, height))
        down = Image.linear_gradient("L").resize((width, height))
        buffer = BytesIO()
        Image.merge("RGB", (across, down, across)).save(buffer, kind, **options)
        return buffer.getvalue()

    return made


@pytest.fixture(scope="session")
def control(picture: Callable[..., bytes]) -> bytes:
    return picture()


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Reply = tuple[int, dict[str, str], bytes] | Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Told:
    """A server on this computer: gives its answers in turn, the last one for ever, and remembers what it was asked."""

    base: str
    answers: list[Reply] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.seen.append(Seen(handler.command, handler.path, headers, handler.rfile.read(length)))
        reply = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(reply):
            reply(handler)
            return
        status, extra, body = reply
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **extra}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def told() -> Iterator[Callable[..., Told]]:
    """Starts such servers."""
    servers: list[ThreadingHTTPServer] = []

    def start(*answers: Reply) -> Told:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.server.told.answer(self)  # type: ignore[attr-defined]

            do_POST = do_CONNECT = do_GET

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.told = Told(f"http://127.0.0.1:{server.server_port}", list(answers))  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server.told  # type: ignore[attr-defined, no-any-return]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hang_up() -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer that is a reset of the connection."""

    def reset(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        handler.close_connection = True

    return reset


@pytest.fixture
def closed_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
