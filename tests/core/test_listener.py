"""News over a WebSocket: a real one, on loopback."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from websockets import exceptions
from websockets.sync import server as server_module

from flux_depth_addon.core import listener as module
from flux_depth_addon.core.listener import Listener
from flux_depth_addon.core.providers import Event, Protocol, Task

TASK = Task("a1b2", "remote")
JPEG = b"\xff\xd8\xff and so on"
PNG = b"\x89PNG\r\n\x1a\n and so on"


class Plain(Protocol):
    """A share of one as text; any bytes as a picture."""

    def read_event(self, message: str | bytes, task: Task) -> Event | None:
        if isinstance(message, bytes):
            return Event(preview=message)
        return Event(float(message)) if message else None


class Server:
    """A WebSocket server that tells what it is told to tell, to whoever connects."""

    def __init__(self) -> None:
        self.connections: list[tuple[str, dict[str, str]]] = []
        self.open: list[object] = []
        self.greeting: list[str | bytes] = []
        self.accepts = True
        self.moved_to = ""
        self._server = server_module.serve(self._serve, "127.0.0.1", 0, process_request=self._gate, max_size=None)
        self.base = f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _gate(self, connection, request):
        self.connections.append((request.path, dict(request.headers.raw_items())))
        if self.moved_to:
            response = connection.respond(302, "")
            response.headers["Location"] = self.moved_to
            return response
        return None if self.accepts else connection.respond(503, "not now")

    def _serve(self, connection) -> None:
        self.open.append(connection)
        with contextlib.suppress(exceptions.ConnectionClosed):
            for message in self.greeting:
                connection.send(message)
            connection.recv()
        self.open.remove(connection)

    def tell(self, message: str | bytes) -> None:
        for connection in list(self.open):
            connection.send(message)

    def close(self) -> None:
        self._server.shutdown()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def listener(monkeypatch) -> Iterator[Listener]:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    listener = Listener()
    yield listener
    listener.close()


def until(found: Callable[[], object], seconds: float = 5.0):
    """What it finds, once it finds something."""
    end = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.01)
    return result


def ask(listener: Listener, server: Server, task: Task = TASK) -> Event | None:
    return listener.news(server.base, "/ws?clientId=a1b2", task, Plain())


def test_the_first_question_begins_to_listen_and_later_ones_have_the_newest(listener, server):
    assert ask(listener, server) is None
    until(lambda: server.open)
    for message in ("0.25", JPEG, "0.5", ""):
        server.tell(message)
    time.sleep(0.3)
    assert ask(listener, server) == Event(0.5, JPEG)
    assert ask(listener, server) == Event(0.5), "how far it is goes on to be so; a picture is shown once"
    assert [path for path, _ in server.connections] == ["/ws?clientId=a1b2"]


def test_it_names_no_origin_and_shows_no_key(listener, server):
    """ComfyUI refuses an origin that is not its own host."""
    ask(listener, server)
    until(lambda: server.connections)
    names = {name.lower() for name in server.connections[0][1]}
    assert not names & {"origin", "authorization", "cookie", "x-key"}


def test_a_connection_that_broke_is_made_anew(listener, server):
    server.greeting = ["0.1"]
    until(lambda: ask(listener, server))
    server.greeting = ["0.7"]
    server.open[0].close()
    until(lambda: ask(listener, server) == Event(0.7))


def test_a_server_that_is_not_there_yet_is_found_later(listener, server):
    server.accepts = False
    ask(listener, server)
    until(lambda: server.connections)
    server.accepts, server.greeting = True, ["0.3"]
    assert until(lambda: ask(listener, server)) == Event(0.3)


@pytest.mark.parametrize("greeting", [b"<html>", b"\0" * 3_000_000, "not a number"])
def test_what_is_no_news_harms_nothing(listener, server, greeting):
    server.greeting = [greeting]
    ask(listener, server)
    until(lambda: server.connections)
    time.sleep(0.2)
    assert ask(listener, server) is None
    server.greeting = ["0.5", PNG]
    for connection in list(server.open):
        connection.close()
    until(lambda: ask(listener, server) == Event(0.5, PNG))


def test_a_picture_beyond_all_measure_is_not_taken_in(listener, server):
    server.greeting = ["0.5", PNG + bytes(3_000_000)]
    until(lambda: ask(listener, server) == Event(0.5))
    until(lambda: len(server.connections) > 1)
    assert ask(listener, server) == Event(0.5)


def test_a_picture_before_any_step_is_of_another_task(listener, server):
    server.greeting = [PNG, "0.5"]
    assert until(lambda: ask(listener, server)) == Event(0.5)


def test_a_redirect_is_not_followed(listener, server):
    other = Server()
    server.moved_to = other.base.replace("http", "ws") + "/ws"
    ask(listener, server)
    until(lambda: len(server.connections) > 1)
    other.close()
    assert other.connections == []


def test_no_proxy_is_asked(listener, server, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "ws_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.greeting = ["0.2"]
    assert until(lambda: ask(listener, server)) == Event(0.2)


@pytest.mark.parametrize("end", [lambda listener: listener.forget(TASK), Listener.close])
def test_it_stops_with_the_job_and_with_the_worker(listener, server, end):
    ask(listener, server)
    until(lambda: server.open)
    end(listener)
    until(lambda: not server.open)


def test_who_is_forgotten_and_asked_for_again_is_heard_on_one_connection_at_a_time(listener, server):
    """A server that knows clients by their names would close the newer one with the older."""
    ask(listener, server)
    until(lambda: server.open)
    server.greeting = ["0.4"]
    listener.forget(TASK)
    most = []
    assert until(lambda: most.append(len(server.open)) or ask(listener, server)) == Event(0.4)
    assert max(most) == 1


def test_it_stops_when_nobody_asks_any_more(listener, server, monkeypatch):
    monkeypatch.setattr(module, "UNASKED_SECONDS", 0.2)
    ask(listener, server)
    until(lambda: server.open)
    until(lambda: not server.open)
    server.greeting = ["0.9"]
    assert until(lambda: ask(listener, server)) == Event(0.9), "and begins anew when somebody does"


@pytest.mark.parametrize(
    ("base", "channel"),
    [
        ("ftp://127.0.0.1", "/ws"),
        ("http://", "/ws"),
        ("http://127.0.0.1", ""),
        ("http://127.0.0.1", "@evil.example/ws"),
        ("http://127.0.0.1", "/ws\r\nX: y"),
    ],
)
def test_what_is_no_address_is_not_asked(listener, base, channel):
    assert listener.news(base, channel, TASK, Plain()) is None
    assert not listener._ears


def test_without_the_library_there_is_no_news(listener, server, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "websockets.exceptions", None)
    assert ask(listener, server) is None
    time.sleep(0.2)
    assert server.connections == []


def test_there_are_never_more_than_so_many(listener, server, monkeypatch):
    monkeypatch.setattr(module, "MAX_LISTENED", 2)
    for ticket in ("1", "2", "3"):
        ask(listener, server, Task(ticket))
    assert len(listener._ears) == 2
