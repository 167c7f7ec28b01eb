"""One exchange on the wire, over bare sockets: whatever the other side does, it ends in time and in few bytes."""

from __future__ import annotations

import gzip
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from urllib3.util.retry import Retry

from flux_depth_addon.core import wire
from flux_depth_addon.core.wire import Trouble, WireError, exchange

Talk = Callable[[socket.socket], None]
Speak = Callable[[Talk], Any]
Hear = Callable[[socket.socket], bytes]

BODY = b'{"id": "t1"}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n"
MEGABYTES = {"image": "x" * 3_000_000}
WAY_OUT = 2.5
"""Seconds after which an exchange has surely not been ended by its deadline of 0.8; what hinders it lasts longer."""


@pytest.fixture(params=["plain", "tls"])
def base(
    request: pytest.FixtureRequest, speak: Speak, identity: Callable[..., Any], stores: Path, monkeypatch: Any
) -> Callable[[Talk], str]:
    """The address of a server that talks like this, with TLS and without."""
    if request.param == "plain":
        return lambda talk: f"http://127.0.0.1:{speak(talk).port}/"
    context: ssl.SSLContext = identity()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stores))

    def secured(talk: Talk) -> Talk:
        def talks(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as inner:
                talk(inner)

        return talks

    return lambda talk: f"https://127.0.0.1:{speak(secured(talk)).port}/"


def ask(url: str, method: str = "POST", *, seconds: float = 0.8, limit: int = 100_000, **more: Any) -> Any:
    payload = {"payload": {"prompt": "a room"}} if method == "POST" else {}
    return exchange(method, url, seconds=seconds, limit=limit, **{**payload, **more})


@contextmanager
def ends_with(trouble: Trouble, seconds: float = WAY_OUT) -> Iterator[None]:
    started = time.monotonic()
    with pytest.raises(WireError) as caught:
        yield
    assert caught.value.trouble is trouble
    assert time.monotonic() - started < seconds


def says(hear: Hear, *parts: bytes) -> Talk:
    """Answers with these bytes and closes."""

    def talk(connection: socket.socket) -> None:
        hear(connection)
        for part in parts:
            connection.sendall(part)

    return talk


def drips(hear: Hear, before: bytes, drop: bytes) -> Talk:
    """Answers in drops, each well within the time limit of a read, for much longer than the exchange may take."""

    def talk(connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(before)
        for _ in range(100):
            connection.sendall(drop)
            time.sleep(0.05)

    return talk


def floods(hear: Hear, before: bytes, flood: bytes) -> Talk:
    """Answers with the same again and again, as fast as it is taken."""

    def talk(connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(before)
        block = flood * (65536 // len(flood) + 1)
        while True:
            connection.sendall(block)

    return talk


# One deadline for all of it.


@pytest.mark.parametrize(
    ("base", "before", "drop"),
    [
        ("plain", b"", b"H"),
        ("plain", b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        ("plain", b"HTTP/1.1 200 OK\r\n", b"X: x\r\n"),
        ("plain", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("plain", b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        ("plain", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
        ("plain", b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        ("plain", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        ("plain", b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b"x"),
        ("tls", b"HTTP/1.1 200 OK\r\n", b"X: x\r\n"),
        ("tls", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
    ],
    ids=["status", "header", "headers", "100", "103", "body", "no length", "chunks", "redirect", "headers", "body"],
    indirect=["base"],
)
def test_an_answer_in_drops_is_given_up_in_time(
    base: Callable[[Talk], str], heard: Hear, before: bytes, drop: bytes
) -> None:
    url = base(drips(heard, before, drop))
    with ends_with(Trouble.LOST):
        ask(url)


def test_a_server_that_does_not_read_is_given_up_in_time(base: Callable[[Talk], str], monkeypatch: Any) -> None:
    monkeypatch.setattr(wire, "SLOWEST_UPLINK", 1e12)
    url = base(lambda _: time.sleep(4))
    with ends_with(Trouble.LOST):
        ask(url, payload={"image": "x" * 16_000_000})


def test_a_server_that_reads_slowly_gets_it_all(
    base: Callable[[Talk], str], heard: Hear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "CONNECT_SECONDS", 0.3)  # it takes longer to send than it may take to connect
    arrived = bytearray()

    def slowly(connection: socket.socket) -> None:
        while not arrived.endswith(b'"}'):
            block = connection.recv(65536)
            time.sleep(0.1 * ((len(arrived) + len(block)) // 2**20 - len(arrived) // 2**20))  # a tenth for a megabyte
            arrived.extend(block)
        connection.sendall(HEAD + b"\r\n" + BODY)

    answer = ask(base(slowly), payload={"image": "x" * 12_000_000}, seconds=20)
    assert (answer.status, answer.json) == (200, {"id": "t1"})
    assert len(arrived) > 12_000_000


def test_what_is_sent_gets_more_time_the_more_it_is(
    base: Callable[[Talk], str], heard: Hear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "SLOWEST_UPLINK", 1_000_000)

    def slowly(connection: socket.socket) -> None:
        heard(connection)
        time.sleep(1)
        connection.sendall(HEAD + b"\r\n" + BODY)

    assert ask(base(slowly), payload=MEGABYTES).status == 200


def test_a_submission_waits_for_its_answer_where_a_question_would_be_asked_again(
    base: Callable[[Talk], str], heard: Hear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "READ_SECONDS", 0.3)

    def late(connection: socket.socket) -> None:
        heard(connection)
        time.sleep(0.7)
        connection.sendall(HEAD + b"\r\n" + BODY)

    url = base(late)
    assert ask(url, "POST", seconds=5).status == 200
    with ends_with(Trouble.LOST):
        ask(url, "GET", seconds=5)


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX: "], ids=["status", "headers", "header"]
)
def test_a_proxy_that_answers_in_drops_is_given_up_in_time(
    speak: Speak, heard: Hear, stores: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    proxy = speak(drips(heard, answer, b"X: x\r\n" if answer.endswith(b"\n") else b"H"))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    with ends_with(Trouble.PROXY):
        ask("https://api.cometapi.com/")


@pytest.mark.parametrize("drop", [b"", b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\x00"], ids=["silent", "drops"])
def test_a_handshake_that_hangs_is_given_up_in_time_and_nothing_was_sent(
    speak: Speak, stores: Path, drop: bytes
) -> None:
    def hangs(connection: socket.socket) -> None:
        for part in (drop[index : index + 1] for index in range(100)):
            connection.sendall(part)
            time.sleep(0.05)

    with ends_with(Trouble.UNREACHABLE):
        ask(f"https://127.0.0.1:{speak(hangs).port}/")


# Few bytes.


@pytest.mark.parametrize(
    ("before", "flood"),
    [
        (b"", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X: x\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\nX: x\r\n\r\n"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nX: x\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", b";x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: x\r\n"),
    ],
    ids=["status", "headers", "header", "100", "103", "chunk length", "chunk extension", "trailers"],
)
def test_a_flood_is_given_up_long_before_the_time_is(
    base: Callable[[Talk], str], heard: Hear, before: bytes, flood: bytes
) -> None:
    with ends_with(Trouble.LOST, seconds=10):
        ask(base(floods(heard, before, flood)), seconds=30)


def test_a_body_without_end_is_cut_just_past_the_limit(base: Callable[[Talk], str], heard: Hear) -> None:
    answer = ask(base(floods(heard, b"HTTP/1.1 200 OK\r\n\r\n", b"x")), seconds=30)
    assert 100_000 < len(answer.body) < 200_000


def test_a_redirect_is_neither_followed_nor_unpacked_without_end(speak: Speak, heard: Hear) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    head = f"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    spoken = speak(says(heard, head.encode(), bomb))
    answer = ask(f"http://127.0.0.1:{spoken.port}/", seconds=30)
    assert (answer.status, len(answer.body), spoken.connections) == (302, 100_001, 1)


def test_an_answer_that_comes_packed_all_the_same_is_unpacked(base: Callable[[Talk], str], heard: Hear) -> None:
    packed = gzip.compress(BODY)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    assert ask(base(says(heard, head, packed))).json == {"id": "t1"}


# What is no HTTP.


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff\x00\xff",
        b"<html>\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Length: 40\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{}  ",
    ],
)
def test_an_answer_that_makes_no_sense_is_lost(base: Callable[[Talk], str], heard: Hear, answer: bytes) -> None:
    with ends_with(Trouble.LOST):
        ask(base(says(heard, answer)))


@pytest.mark.parametrize(
    "length", ["²".encode("latin-1"), b"-1", b"9" * 5000, b"1e3", b"abc", b""], ids=lambda length: repr(length[:5])
)
def test_a_length_that_is_none_is_passed_over(base: Callable[[Talk], str], heard: Hear, length: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n"
    assert ask(base(says(heard, head, BODY))).json == {"id": "t1"}


@pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints"])
def test_an_interim_answer_is_not_the_answer(base: Callable[[Talk], str], heard: Hear, interim: bytes) -> None:
    before = b"HTTP/1.1 " + interim + b"\r\nLink: </a.css>\r\n\r\n"
    assert ask(base(says(heard, before, before, HEAD + b"\r\n" + BODY))).json == {"id": "t1"}


# Once.


def test_what_was_sent_is_not_sent_again_even_by_a_library_that_retries(
    speak: Speak, heard: Hear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "RETRIES", Retry(total=5, allowed_methods=None))
    requests: list[bytes] = []
    spoken = speak(lambda connection: requests.append(heard(connection)))
    with ends_with(Trouble.LOST):
        ask(f"http://127.0.0.1:{spoken.port}/")
    assert (len(requests), spoken.connections) == (1, 1)


def test_a_connection_that_nobody_watched_may_have_sent_it(closed_port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire._Adapter, "cert_verify", lambda *_: None)  # a library that no longer asks for ours
    with ends_with(Trouble.LOST):
        ask(closed_port)


def test_no_cookie_is_kept(speak: Speak, heard: Hear) -> None:
    requests: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        requests.append(heard(connection))
        connection.sendall(HEAD + b"Set-Cookie: spy=1; Path=/\r\n\r\n" + BODY)

    url = f"http://127.0.0.1:{speak(talk).port}/"
    assert [ask(url).status, ask(url).status] == [200, 200]
    assert b"cookie" not in requests[1].lower()


def test_an_address_that_cannot_be_written_down_reaches_nobody(stores: Path) -> None:
    with ends_with(Trouble.UNREACHABLE):
        ask(f"https://{'a' * 70}.example/")
