"""HTTP on loopback: one exchange a connection, answers that are held, cut short or reset."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal

from flux_depth_addon.core.sandbox import Answer

if TYPE_CHECKING:
    from . import Emulator

__all__ = ["Host", "Kind", "Seen", "Server", "body_of"]

Kind = Literal["upload", "submit", "poll", "picture", "cancel", "probe"]
"""What a call is for. Whatever is asked to learn of a task is a poll, also where there are two addresses for it."""

Host = Literal["own", "pictures", "foreign"]
"""Whose door: the provider's, that of the pictures' host, or a stranger's that a test had the provider name."""


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    host: Host
    method: str
    target: str
    """Path and query."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)
    kind: Kind | None = None
    """None for what the protocol does not know."""

    @property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        with suppress(ValueError):
            return json.loads(self.body)
        return None


def body_of(answer: Answer) -> bytes:
    """Bytes as they are, text as it is, anything else as JSON."""
    if isinstance(answer.body, bytes):
        return answer.body
    return (answer.body if isinstance(answer.body, str) else json.dumps(answer.body)).encode()


class Handler(BaseHTTPRequestHandler):
    """One connection, with one exchange on it."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 15.0

    def do_GET(self) -> None:
        emulator = self.server.emulator
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        seen = Seen(self.server.host, self.command, self.path, headers, body)
        seen = replace(seen, kind=self._kind(seen))
        emulator.seen.append(seen)
        self.close_connection = True
        if "upgrade" in headers and emulator.upgraded(seen, self):
            return
        answer = emulator.told(seen)
        emulator.said.append((seen, answer))
        self._say(answer)

    do_POST = do_PUT = do_DELETE = do_GET

    def _kind(self, seen: Seen) -> Kind | None:
        if seen.host == "own":
            return self.server.emulator.kind_of(seen)
        return "picture" if seen.host == "pictures" else None

    def _say(self, answer: Answer) -> None:
        if answer.status == 0:
            self._reset()
            return
        body = body_of(answer)
        common = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
        self.send_response(answer.status)
        for name, value in {**common, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        sent = body if answer.cut is None else body[: answer.cut]
        half = len(sent) // 2 if answer.hold else 0
        self.wfile.write(sent[:half])
        self.server.emulator.stopping.wait(answer.hold)
        self.wfile.write(sent[half:])

    def _reset(self) -> None:
        """Close so that the other side sees a reset and not an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *_: object) -> None: ...


class Server(ThreadingHTTPServer):
    """One door of an emulator."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, emulator: Emulator, host: Host) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.emulator, self.host = emulator, host
        self.base = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up as they like; a mistake of the emulator's own is told."""
        import sys
        import traceback

        if not isinstance(sys.exception(), OSError):
            traceback.print_exc()
