"""HTTP on loopback: connections, their threads, and answers that are held, cut short or reset."""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .answers import Answer, as_text, problem

__all__ = ["Handler", "Server"]

MAX_BODY = 32 * 1024 * 1024
IDLE_SECONDS = 15.0

Answerer = Callable[[str, str, Message, bytes], Answer]
"""From method, target, headers and body to the answer."""


class Handler(BaseHTTPRequestHandler):
    """One connection. Says nothing on the console: a request line may hold what is nobody's business."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._send(self.server.answer("GET", self.path, self.headers, b""))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > 18:  # Python turns no number of thousands of digits
            self._refuse(411, "Content-Length is required, as a number of bytes")
        elif int(length) > MAX_BODY:
            self._discard(int(length))
            self._refuse(413, "The body is larger than 32 MiB")
        else:
            body = self.rfile.read(int(length))
            self._send(self.server.answer("POST", self.path, self.headers, body))

    def _refuse(self, status: int, words: str) -> None:
        self.close_connection = True
        self._send(problem(self.path, status, words))

    def _discard(self, length: int) -> None:
        """Read a little of what is refused: closing on unread bytes would destroy the answer on its way."""
        for _ in range(min(length, 2 * MAX_BODY) // 65536):
            if not self.rfile.read(65536):
                return

    def _send(self, answer: Answer) -> None:
        if self.server.stopping.wait(answer.hold) or answer.status == 0:
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

    def __init__(self, answer: Answerer, stopping: threading.Event, port: int) -> None:
        self.answer = answer
        self.stopping = stopping
        self._connections: dict[socket.socket, threading.Thread] = {}
        super().__init__(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._listen, daemon=True, name="sandbox")
        self._thread.start()

    def _listen(self) -> None:
        while not self.stopping.is_set():
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
