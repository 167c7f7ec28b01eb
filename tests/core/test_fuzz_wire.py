"""Whatever bytes come over the wire, the client comes to a result or a sentence, in time, and never shows the key."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flux_depth_addon.core import client as module
from flux_depth_addon.core.client import Client
from flux_depth_addon.core.errors import FluxDepthError
from flux_depth_addon.core.providers import Accepted, Missing, Pending, Pictures, Ready, Task
from tests.core.fuzzing import COMET, KEY, TABLE, check_sentence, effort
from tests.core.test_fuzz_answers import envelopes, written
from tests.secrets_watch import note_server

Wish = Callable[..., Any]


class Raw:
    """A server that reads one request and says these bytes, whatever they are."""

    def __init__(self) -> None:
        self.answer = b""
        self.requests = 0
        self.heads: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self._take(connection)
                    connection.sendall(self.answer)
                except OSError:  # the client has had enough
                    pass

    def _take(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            length, lines = 0, []
            while (line := file.readline().strip()) != b"":
                lines.append(line)
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            file.read(length)
            self.heads.append(b"\r\n".join(lines))
            self.requests += 1

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def raw() -> Iterator[Raw]:
    server = Raw()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def in_a_hurry(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    raw.heads.clear()
    note_server(raw)
    monkeypatch.setattr(module, "WHOLE_ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(module, "WHOLE_PICTURE_SECONDS", 1.0)


STATUS_LINES = rb"""HTTP/1.1 200 OK|HTTP/1.0 200|HTTP/1.1 301 Moved|HTTP/1.1 307 Elsewhere|HTTP/1.1 503 Busy|HTTP/9 200|
HTTP/1.1 999 Odd|HTTP/1.1 099 Odd|HTTP/1.1 2000 Odd|ICY 200 OK|HTTP/1.1 204 No|HTTP/1.1 103 Early|HTTP/1.1 429 Slow|
HTTP/1.1 401 No|HTTP/1.1 422 No"""
status_lines = st.sampled_from([line.strip() for line in STATUS_LINES.split(b"|")])
status_lines |= st.sampled_from([b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK", b"HTTP/1.1 307 \xff", b""])
header_lines = st.sampled_from(
    [b"Content-Length: " + value for value in (b"0", b"5", b"-1", b"\xb2", b"9" * 5000, b"1, 1", b"1,2", b"0x5", b"")]
    + [b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: \xff"]
    + [
        b"Content-Encoding: " + value
        for value in (b"gzip", b"deflate", b"zstd", b"br", b"gzip, gzip", b"odd", b"identity")
    ]
    + [b"Location: " + value for value in (b"http://[", b"\xff\xfe", b"/x", b"http://127.0.0.1:1/", b"//", b"x" * 5000)]
    + [b"Retry-After: " + value for value in (b"1", b"nan", b"\xb2", b"-5")]
    + [
        b"Set-Cookie: a=b; domain=.invalid; max-age=\xff",
        b"Connection: close",
        b"Connection: keep-alive",
        b" folded",
        b":",
        b"\0",
    ]
    + [b"X: " + b"y" * 70_000, b"Content-Type: application/json; charset=\xff", b"Refresh: 0", b"Date: \xff"]
) | st.binary(max_size=12)
contents = (
    envelopes.map(written)
    | st.binary(max_size=40)
    | st.sampled_from(
        [b"5\r\nhello\r\n0\r\n\r\n", b"fffffffff\r\n", b"-1\r\n", b"5;x=y\r\nhell", b"\x1f\x8b\x08\0", b"\x78\x9c"]
    )
)
wellformed = st.builds(
    lambda line, headers, body: b"\r\n".join([line, *headers, b"", body]),
    status_lines,
    st.lists(header_lines, max_size=4),
    contents,
)
answers = wellformed | st.binary(max_size=60) | st.builds(lambda data, cut: data[:cut], wellformed, st.integers(0, 80))
ACCEPTED = b'HTTP/1.1 200 OK\r\n%s\r\n\r\n{"id": "t1"}'

odd_answers = [
    b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    b"HTTP/1.1 301 Moved\r\nLocation: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 301 Moved\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip",
    b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
    b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 950 + b"]" * 950,
]


def with_odd_answers(test: Any) -> Any:
    for answer in odd_answers:
        test = example(answer)(test)
    return test


@pytest.fixture
def client() -> Client:
    return Client(TABLE, {"cometapi": KEY, "bfl": KEY})


@with_odd_answers
@given(answers)
@effort(2, seconds=5)
def test_any_bytes_for_a_submission_have_an_end_and_go_out_once(
    raw: Raw, client: Client, wish: Wish, answer: bytes
) -> None:
    raw.answer, raw.requests = answer, 0
    try:
        end = client.submit(wish(), raw.base, Pictures(b"png"), "job")
    except FluxDepthError as error:
        check_sentence(error)
    else:
        assert isinstance(end, Accepted)
    assert raw.requests == 1


@with_odd_answers
@given(answers)
@effort(2, seconds=5)
def test_any_bytes_for_a_poll_have_an_end(raw: Raw, client: Client, wish: Wish, answer: bytes) -> None:
    raw.answer = answer
    try:
        end = client.poll(wish(), raw.base, Task("job", "t1", ""))
    except FluxDepthError as error:
        check_sentence(error)
    else:
        assert isinstance(end, Pending | Missing | Ready)


@with_odd_answers
@given(answers)
@effort(2, seconds=5)
def test_any_bytes_for_a_picture_have_an_end(raw: Raw, client: Client, answer: bytes) -> None:
    raw.answer = answer
    try:
        assert len(client.download(f"{raw.base}/p.png", raw.base)) <= module.MAX_BYTES
    except FluxDepthError as error:
        check_sentence(error)
    except LookupError:  # a dead link, as documented
        pass


FORMS = [KEY, KEY.replace("/", r"\/"), "".join(f"\\u{ord(letter):04x}" for letter in KEY)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "place", ['{"error": {"message": "bad %s"}}', '{"detail": [{"loc": ["%s"], "msg": "%s"}]}', '"%s"']
)
@pytest.mark.parametrize("status", [200, 401, 422, 429, 503])
def test_a_key_that_comes_back_is_not_shown(
    raw: Raw, client: Client, wish: Wish, form: str, place: str, status: int
) -> None:
    body = place.replace("%s", form).encode()
    raw.answer = b"HTTP/1.1 %d Odd %s\r\nX-Key: %s\r\nContent-Length: %d\r\n\r\n%s" % (
        status, KEY.encode(), KEY.encode(), len(body), body
    )  # fmt: skip
    for ask in (
        lambda: client.submit(wish(), raw.base, Pictures(b"png"), "job"),
        lambda: client.poll(wish(), raw.base, Task("job", "t1", "")),
        lambda: client.probe(COMET, raw.base),
    ):
        try:
            shown = repr(ask())
        except FluxDepthError as error:
            check_sentence(error)
            shown = repr(error) + repr(error.__context__) + repr(error.__cause__)
        assert KEY not in shown
