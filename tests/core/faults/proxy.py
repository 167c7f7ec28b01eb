"""A proxy before the sandbox that plays what no HTTP server would: resets, drops, garbage, bodies without an end.

A *play* is what happens to one call. The sandbox's own answer can be had first, as when a provider takes a request,
bills it, and only its answer is lost.
"""

from __future__ import annotations

import gzip
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

from flux_depth_addon.core.sandbox import Sandbox

__all__ = ["Call", "Door", "FaultProxy", "Play"]

DROP_SECONDS = 0.05
"""Between the drops of a slow answer: each one is well within every time limit on a single read."""

KINDS = {"POST /": "submit", "GET /results/": "result", "GET /": "poll"}
"""By the beginning of the request line."""


class Call:
    """One connection: what was asked, and the means to answer badly."""

    def __init__(self, connection: socket.socket, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self._connection = connection
        self._file = connection.makefile("rb")

    def read_head(self) -> bytes:
        return b"".join(iter(self._file.readline, b"\r\n")) + b"\r\n"

    def read_body(self, head: bytes, share: float = 1.0) -> bytes:
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        return self._file.read(int(int(length[1]) * share)) if length else b""

    def answer(self) -> bytes:
        """What the sandbox says to it, head and body."""
        head = self.read_head()
        whole = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head)[:-2] + b"Connection: close\r\n\r\n"
        with socket.create_connection(self.proxy.behind) as there:
            there.sendall(whole + self.read_body(head))
            return b"".join(iter(lambda: there.recv(65536), b""))

    def body(self) -> bytes:
        """The body of what the sandbox says to it."""
        return self.answer().partition(b"\r\n\r\n")[2]

    def say(self, data: bytes) -> None:
        self._connection.sendall(data)

    def say_in_drops(self, data: bytes) -> None:
        for place in range(len(data)):
            self.say(data[place : place + 1])
            self.wait(DROP_SECONDS)

    def say_for_ever(self, data: bytes, pause: float = 0.0) -> None:
        while not self.proxy.stopping.is_set():
            self.say(data)
            self.wait(pause)

    def wait(self, seconds: float) -> None:
        if self.proxy.stopping.wait(seconds):
            raise ConnectionAbortedError

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self._file.close()
        self._connection.close()


Play = Callable[[Call], None]
Door = Callable[[socket.socket], None]
"""What meets a connection before anything is asked: it does not come in. A play needs to know what is asked."""


class FaultProxy:
    """Stands before a running sandbox; whatever the sandbox says of itself leads back through here. A context manager.

    `scripts` holds, for submit, poll and result, the plays of the calls to come; None, and what comes after the last
    one, is passed on as it is.
    """

    def __init__(self, sandbox: Sandbox, scripts: dict[str, Iterator[Play | None]]) -> None:
        self.stopping = threading.Event()
        self.world: Any = None
        """What plays may do something to besides answering: the test's own."""
        self.door: Door | None = None
        self.lines: list[str] = []
        """Every request line so far."""
        self.heads: list[bytes] = []
        self._scripts = scripts
        host, port = sandbox.base.removeprefix("http://").split(":")
        self.behind = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.base = sandbox.base = f"http://127.0.0.1:{self.port}"
        self.elsewhere = f"http://localhost:{self.port}/elsewhere"
        """Another host by its name, so that who follows there is seen here."""
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._start(self._listen, self._listener)

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stopping.set()
        self.stop_listening()
        for thread in self._threads:
            thread.join(5)

    def stop_listening(self) -> None:
        """From now on connections are refused."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def listen_again(self) -> None:
        """At the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._start(self._listen, self._listener)

    def _start(self, work: Callable[..., None], *what: object) -> None:
        thread = threading.Thread(target=work, args=what, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                self._start(self._serve, listener.accept()[0])

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self.door:
                self.door(connection)
                return
            kind = self._kind(connection)
            call = Call(connection, self)
            with suppress(OSError, ValueError):  # the client hung up
                with self._lock:
                    play = next(self._scripts[kind], None)
                (play or passes_on)(call)
            call.close()

    def _kind(self, connection: socket.socket) -> str:
        """Peeked at, so that a play may reset the connection before anything was read."""
        head = b""
        while b"\r\n\r\n" not in head and len(head) < 60_000:
            head = connection.recv(65536, socket.MSG_PEEK)
            if not head:
                raise ConnectionAbortedError
        self.heads.append(head.partition(b"\r\n\r\n")[0])
        line = head.partition(b" HTTP/")[0].decode()
        self.lines.append(line)
        return next(kind for start, kind in KINDS.items() if line.startswith(start))


def passes_on(call: Call) -> None:
    """No fault at all."""
    call.say(call.answer())


# The connection breaks.


def resets_at_once(call: Call) -> None:
    call.reset()


def resets_before_the_body(call: Call) -> None:
    call.read_head()
    call.reset()


def resets_in_the_body(call: Call) -> None:
    call.read_body(call.read_head(), share=0.5)
    call.reset()


def resets_after_the_body(call: Call) -> None:
    call.answer()
    call.reset()


def closes_without_an_answer(call: Call) -> None:
    call.answer()


def resets_in_the_answer(call: Call) -> None:
    whole = call.answer()
    call.say(whole[: len(whole) - 10])
    call.reset()


def closes_in_the_headers(call: Call) -> None:
    call.say(call.answer()[:30])


# Too slow.


def stays_silent(call: Call) -> None:
    call.answer()
    call.wait(30)


def sends_its_headers_in_drops(call: Call) -> None:
    call.say_in_drops(call.answer())


def sends_its_body_in_drops(call: Call) -> None:
    body = call.body()
    call.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
    call.say_in_drops(body)


def says_continue_for_ever(call: Call) -> None:
    call.answer()
    call.say_for_ever(b"HTTP/1.1 100 Continue\r\n\r\n", pause=DROP_SECONDS)


# Too long.


def sends_a_body_that_never_ends(call: Call) -> None:
    call.answer()
    call.say(b"HTTP/1.1 200 OK\r\n\r\n")
    call.say_for_ever(b"x" * 65536)


def sends_headers_that_never_end(call: Call) -> None:
    call.answer()
    call.say(b"HTTP/1.1 200 OK\r\n")
    call.say_for_ever(b"X-More: of this\r\n" * 1000)


def sends_a_line_that_never_ends(call: Call) -> None:
    call.answer()
    call.say(b"HTTP/1.1 200 OK\r\nX-More: ")
    call.say_for_ever(b"x" * 65536)


def sends_a_gzip_bomb(call: Call) -> None:
    call.answer()
    bomb = gzip_bomb()
    call.say(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)


@cache
def gzip_bomb() -> bytes:
    """More than a picture may have, in few bytes."""
    return gzip.compress(bytes(80 * 1024 * 1024))


# Not HTTP, or not what it says.


def garbles_its_chunks(call: Call) -> None:
    call.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + call.body())


def stops_between_chunks(call: Call) -> None:
    body = call.body()
    call.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n")


def promises_more_than_it_sends(call: Call) -> None:
    body = call.body()
    call.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) + 100) + body)


def sends_more_than_it_promises(call: Call) -> None:
    body = call.body()
    call.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) // 2) + body)


def says_gzip_of_plain_text(call: Call) -> None:
    body = call.body()
    call.say(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def packs_its_answer_unasked(call: Call) -> None:
    body = gzip.compress(call.body())
    call.say(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def says_continue_first(call: Call) -> None:
    call.say(b"HTTP/1.1 100 Continue\r\n\r\n" + call.answer())


def speaks_no_http(call: Call) -> None:
    call.answer()
    call.say(b"SSH-2.0-OpenSSH_9.6\r\n")


def sends_a_page_without_headers(call: Call) -> None:
    call.answer()
    call.say(b"<!DOCTYPE html><html><body>Please log in to this network</body></html>")


def names_no_status(call: Call) -> None:
    call.say(re.sub(rb"^HTTP/1.1 \d+", b"HTTP/1.1 fine", call.answer()))


def is_moved_elsewhere(call: Call) -> None:
    call.answer()
    call.say(b"HTTP/1.1 301 Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % call.proxy.elsewhere.encode())


# Doors.


def hangs_up(connection: socket.socket) -> None:
    connection.recv(1)


def speaks_plainly(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\nThis is no TLS port")


def lets_nothing_through(status: bytes) -> Door:
    """As a proxy that is asked to connect."""

    def door(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 %s\r\n\r\n" % status)

    return door


def shows(context: ssl.SSLContext) -> Door:
    """A server's certificate."""

    def door(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inner:
            inner.recv(65536)

    return door
