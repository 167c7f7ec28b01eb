"""What the tests of core share: a request, a control image, and a server that answers exactly as it is told."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import hypothesis.core
import pytest
import trustme
from hypothesis import settings
from PIL import Image

from flux_depth_addon.core.framing import Framing
from flux_depth_addon.core.models import Table, load
from flux_depth_addon.core.request import Request
from tests.secrets_watch import note_server


def pytest_configure(config: pytest.Config) -> None:
    """Before any test module is read: how much the fuzz tests try."""
    seed = config.getoption("seed")
    settings.register_profile("fuzz", max_examples=config.getoption("examples") // 2, derandomize=seed is None)
    if seed is not None:
        hypothesis.core.global_force_seed = seed


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
        note_server(server.told)  # type: ignore[attr-defined]
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


Talk = Callable[[socket.socket], None]


@dataclass
class Spoken:
    """What a server of bare sockets heard."""

    port: int
    connections: int = 0


@pytest.fixture
def speak() -> Iterator[Callable[[Talk], Spoken]]:
    """Starts servers that talk to each connection as they are told, byte for byte."""
    with contextlib.ExitStack() as stack:

        def start(talk: Talk) -> Spoken:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            stack.callback(listener.shutdown, socket.SHUT_RDWR)  # wakes who accepts
            spoken = Spoken(listener.getsockname()[1])

            def serve(connection: socket.socket) -> None:
                with connection, contextlib.suppress(OSError):  # clients hang up as they like
                    talk(connection)

            def accept() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = listener.accept()
                        spoken.connections += 1
                        threading.Thread(target=serve, args=(connection,), daemon=True).start()

            threading.Thread(target=accept, daemon=True).start()
            return spoken

        yield start


@pytest.fixture(scope="session")
def heard() -> Callable[[socket.socket], bytes]:
    """Hears a request out on a bare socket."""

    def hear(connection: socket.socket) -> bytes:
        got = b""
        while b"\r\n\r\n" not in got and (block := connection.recv(65536)):
            got += block
        head, _, body = got.partition(b"\r\n\r\n")
        announced = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(announced[0].partition(b":")[2]) if announced else 0
        while len(body) < length and (block := connection.recv(65536)):
            body += block
        return head + b"\r\n\r\n" + body

    return hear


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Vouches for servers of the tests; nobody trusts it by himself."""
    return trustme.CA()


@pytest.fixture
def stores(tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The authority's certificate in a file; the environment names neither certificates nor proxies."""
    names = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in (
        *names,
        *map(str.upper, names),
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    return file


@pytest.fixture(scope="session")
def identity(authority: trustme.CA) -> Callable[..., ssl.SSLContext]:
    """What a server shows that the authority vouches for, under these names."""

    def made(*names: str, **dates: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*(names or ("127.0.0.1", "localhost")), **dates).configure_cert(context)
        return context

    return made
