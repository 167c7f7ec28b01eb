"""Secure connections, for real: whom they believe, what is said when they fail, and that nothing was sent by then."""

from __future__ import annotations

import datetime
import hashlib
import socket
import ssl
import struct
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest
import trustme

from flux_depth_addon.core import certificates
from flux_depth_addon.core.client import Client
from flux_depth_addon.core.errors import NetworkError, TryLaterError
from flux_depth_addon.core.models import Table
from flux_depth_addon.core.providers import Pictures, Task
from flux_depth_addon.core.request import Request
from tests.secrets_watch import marked_key

Talk = Callable[[socket.socket], None]
Speak = Callable[[Talk], Any]
Hear = Callable[[socket.socket], bytes]
Identity = Callable[..., ssl.SSLContext]
Wish = Callable[..., Request]

KEY = marked_key("cometapi")
COMET = "https://api.cometapi.com"
ACCEPTED = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"id": "t1"}'
NO_TRUST = "The certificate of CometAPI is not trusted by this computer, which a company's proxy can cause"
OTHER_HOST = "The certificate of CometAPI is made out to another host, as when a network wants a login of its own first"
EXPIRED = "The certificate of CometAPI has expired, or is not valid yet by this computer's clock"
NO_TLS = "CometAPI and this computer found no secure connection (TLS) in common, as when an address is wrong"
TLS_CUT = "The secure connection (TLS) to CometAPI was cut off as it began, which a firewall can cause"
YEARS_AGO, YEARS_AHEAD = datetime.datetime(2001, 1, 1), datetime.datetime(2999, 1, 1)


@pytest.fixture
def client(table: Table, stores: Path) -> Client:
    """A client of an environment that names no certificates and no proxy."""
    return Client(table, {"cometapi": KEY})


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    """The system's store is looked at once in a process: here, once in a test."""
    certificates._store_can_be_read.cache_clear()
    yield
    certificates._store_can_be_read.cache_clear()


@pytest.fixture
def secure(speak: Speak, heard: Hear) -> Callable[[ssl.SSLContext], Any]:
    """A server that takes every submission, if only somebody believes what it shows; `requests` is what it was sent."""

    def start(context: ssl.SSLContext) -> Any:
        def talk(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as inner:
                if request := heard(inner).strip():
                    server.requests.append(request)
                inner.sendall(ACCEPTED)

        server = speak(talk)
        server.requests = []
        server.base = f"https://127.0.0.1:{server.port}"
        return server

    return start


@pytest.fixture
def through(speak: Speak, heard: Hear, monkeypatch: pytest.MonkeyPatch) -> Callable[[ssl.SSLContext], Any]:
    """A company's proxy on the way out, which opens what passes it: `connects` is what it was told, `requests` sent."""

    def start(context: ssl.SSLContext, outer: ssl.SSLContext | None = None) -> Any:
        def talk(connection: socket.socket) -> None:
            connection = outer.wrap_socket(connection, server_side=True) if outer else connection
            proxy.connects.append(heard(connection))
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            inside = TLSWithinTLS(connection, context) if outer else context.wrap_socket(connection, server_side=True)
            if request := heard(inside).strip():
                proxy.requests.append(request)
            inside.sendall(ACCEPTED)
            inside.close()

        proxy = speak(talk)
        proxy.connects, proxy.requests = [], []
        monkeypatch.setenv("HTTPS_PROXY", f"{'https' if outer else 'http'}://127.0.0.1:{proxy.port}")
        return proxy

    return start


class TLSWithinTLS:
    """The few calls of a socket that the proxy's inner connection needs, over one that is encrypted already."""

    def __init__(self, outer: socket.socket, context: ssl.SSLContext) -> None:
        self.outer, self.coming, self.going = outer, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.inner = context.wrap_bio(self.coming, self.going, server_side=True)
        self._through(self.inner.do_handshake)

    def recv(self, size: int) -> bytes:
        got = self._through(lambda: self.inner.read(size))
        return bytes(got or b"")

    def sendall(self, data: bytes) -> None:
        self._through(lambda: self.inner.write(data))

    def close(self) -> None:
        self.outer.close()

    def _through(self, call: Callable[[], Any]) -> Any:
        while True:
            try:
                result = call()
            except ssl.SSLWantReadError:
                self.outer.sendall(self.going.read())
                self.coming.write(self.outer.recv(65536))
            else:
                self.outer.sendall(self.going.read())
                return result


def refused(client: Client, wish: Wish, base: str) -> str:
    """The sentence of a submission that did not come about: it says that it cost nothing, and so does a poll's."""
    with pytest.raises(NetworkError) as caught:
        client.submit(wish(), base, Pictures(b"png"), "job")
    sentence, _, rest = str(caught.value).partition(". Nothing was sent: ")
    assert rest.endswith(".")
    assert (caught.value.charged, caught.value.action) == ("no", "retry")
    with pytest.raises(TryLaterError) as later:
        client.poll(wish(), base, Task("job", "t1"))
    assert str(later.value) == sentence
    return sentence


# What a server shows.


def test_a_certificate_that_nobody_vouches_for_is_told(
    client: Client, wish: Wish, secure: Any, identity: Identity
) -> None:
    server = secure(identity())
    assert refused(client, wish, server.base) == NO_TRUST
    assert not server.requests


def test_a_certificate_that_vouches_for_itself_is_told(client: Client, wish: Wish, secure: Any, tmp_path: Path) -> None:
    own = trustme.CA()
    (tmp_path / "own.pem").write_bytes(own.private_key_pem.bytes() + own.cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    assert refused(client, wish, secure(context).base) == NO_TRUST


@pytest.mark.parametrize("dates", [{"not_after": YEARS_AGO}, {"not_before": YEARS_AHEAD}], ids=["expired", "not yet"])
def test_a_certificate_of_another_time_is_told(
    client: Client, wish: Wish, secure: Any, identity: Identity, stores: Path, monkeypatch: Any, dates: Any
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stores))
    server = secure(identity("127.0.0.1", **dates))
    assert refused(client, wish, server.base) == EXPIRED
    assert not server.requests


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_certificate_of_another_host_is_told(
    client: Client, wish: Wish, secure: Any, identity: Identity, stores: Path, monkeypatch: Any, host: str
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stores))
    server = secure(identity("hotel.example", "127.0.0.2"))
    assert refused(client, wish, f"https://{host}:{server.port}") == OTHER_HOST
    assert not server.requests


def test_a_server_without_tls_is_told(client: Client, wish: Wish, speak: Speak) -> None:
    spoken = speak(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\nThis is no TLS port"))
    assert refused(client, wish, f"https://127.0.0.1:{spoken.port}") == NO_TLS


def test_a_server_of_an_old_tls_only_is_told(client: Client, wish: Wish, secure: Any, identity: Identity) -> None:
    context = identity()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):  # that nobody should do this
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert refused(client, wish, secure(context).base) == NO_TLS


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
def test_a_handshake_that_is_cut_off_is_told(client: Client, wish: Wish, speak: Speak, reset: bool) -> None:
    def cut(connection: socket.socket) -> None:
        connection.recv(1)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            connection.recv(65536)

    assert refused(client, wish, f"https://127.0.0.1:{speak(cut).port}") == TLS_CUT


# The way out.


def test_a_proxy_that_opens_what_passes_is_not_trusted_by_itself(
    client: Client, wish: Wish, through: Any, identity: Identity
) -> None:
    proxy = through(identity("api.cometapi.com"))
    assert refused(client, wish, COMET) == NO_TRUST
    assert not proxy.requests


@pytest.mark.parametrize("secured", [False, True], ids=["http proxy", "https proxy"])
def test_a_companys_proxy_works_with_its_certificate_and_sees_no_key_outside(
    client: Client, wish: Wish, through: Any, identity: Identity, stores: Path, monkeypatch: Any, secured: bool
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stores))
    proxy = through(identity("api.cometapi.com"), identity("127.0.0.1") if secured else None)
    assert client.submit(wish(), COMET, Pictures(b"png"), "job").remote_id == "t1"
    (connect,), (request,) = proxy.connects, proxy.requests
    assert connect.startswith(b"CONNECT api.cometapi.com:443 ")
    assert KEY.encode() not in connect
    assert b"Authorization" not in connect
    assert request.count(KEY.encode()) == 1
    assert f"\r\nAuthorization: Bearer {KEY}\r\n".encode() in request


def test_a_secured_proxy_that_nobody_vouches_for_is_told(
    client: Client, wish: Wish, through: Any, identity: Identity
) -> None:
    proxy = through(identity("api.cometapi.com"), identity("127.0.0.1"))
    assert refused(client, wish, COMET) == NO_TRUST
    assert not proxy.connects


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
            "This computer's proxy wants a login before it lets anything through to CometAPI",
        ),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "CometAPI could not be reached through this computer's proxy"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "CometAPI could not be reached through this computer's proxy"),
        (b"", "CometAPI could not be reached through this computer's proxy"),
        (b"nonsense\r\n\r\n", "CometAPI could not be reached through this computer's proxy"),
    ],
)
def test_a_proxy_that_lets_nothing_through_is_told(
    client: Client, wish: Wish, speak: Speak, heard: Hear, monkeypatch: Any, answer: bytes, sentence: str
) -> None:
    def talk(connection: socket.socket) -> None:
        heard(connection)
        connection.sendall(answer)

    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{speak(talk).port}")
    assert refused(client, wish, COMET) == sentence


def test_a_proxy_that_is_not_there_is_told(
    client: Client, wish: Wish, closed_port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", closed_port)
    assert refused(client, wish, COMET) == "CometAPI could not be reached through this computer's proxy"


@pytest.mark.parametrize("address", ["http://", "ftp://127.0.0.1:1", "http://[::1", "http://127.0.0.1:99999"])
def test_a_proxy_that_is_written_wrong_is_told(client: Client, wish: Wish, monkeypatch: Any, address: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    assert refused(client, wish, COMET) == "CometAPI could not be reached through this computer's proxy"


@pytest.mark.parametrize("kind", ["socks5", "socks5h", "SOCKS4"])
def test_a_proxy_of_another_kind_is_told(client: Client, wish: Wish, monkeypatch: Any, kind: str) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{kind}://127.0.0.1:1")
    sentence = "This computer's proxy is a SOCKS proxy, through which CometAPI cannot be reached"
    assert refused(client, wish, COMET) == sentence


def test_the_login_in_a_proxys_address_is_shown_to_it(
    client: Client, wish: Wish, through: Any, identity: Identity, stores: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stores))
    proxy = through(identity("api.cometapi.com"))
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{proxy.port}")
    client.submit(wish(), COMET, Pictures(b"png"), "job")
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in proxy.connects[0]
    assert b"Proxy-Authorization" not in proxy.requests[0]


def test_the_systems_proxy_is_taken_where_the_environment_names_none(
    client: Client, wish: Wish, speak: Speak, heard: Hear, monkeypatch: pytest.MonkeyPatch
) -> None:
    connects: list[bytes] = []
    proxy = speak(lambda connection: connects.append(heard(connection)))
    # As Windows' registry and macOS' settings are read.
    monkeypatch.setattr("requests.utils.getproxies", lambda: {"https": f"http://127.0.0.1:{proxy.port}"})
    refused(client, wish, COMET)
    assert connects[0].startswith(b"CONNECT api.cometapi.com:443 ")


# Whom to believe.


@pytest.mark.parametrize("variable", certificates.VARIABLES)
def test_the_environment_may_name_a_file_of_certificates(
    client: Client, wish: Wish, secure: Any, identity: Identity, stores: Path, monkeypatch: Any, variable: str
) -> None:
    monkeypatch.setenv(variable, str(stores))
    assert client.submit(wish(), secure(identity()).base, Pictures(b"png"), "job").remote_id == "t1"


def test_the_environment_may_name_a_folder_of_certificates(
    client: Client, wish: Wish, secure: Any, identity: Identity, authority: trustme.CA, monkeypatch: Any, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    authority.cert_pem.write_to_path(tmp_path / "folder" / f"{subject_hash(authority):08x}.0")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "folder"))
    assert client.submit(wish(), secure(identity()).base, Pictures(b"png"), "job").remote_id == "t1"


def subject_hash(authority: trustme.CA) -> int:
    """OpenSSL's name for a certificate in a folder: of its subject in canonical form, SHA-1's first four bytes."""
    parts = bytearray()
    for attribute in authority._certificate.subject:
        text = str(attribute.value).lower().encode()
        value = b"\x0c" + bytes([len(text)]) + text
        kind = {"2.5.4.10": b"\x06\x03\x55\x04\x0a", "2.5.4.11": b"\x06\x03\x55\x04\x0b"}[attribute.oid.dotted_string]
        pair = b"\x30" + bytes([len(kind + value)]) + kind + value
        parts += b"\x31" + bytes([len(pair)]) + pair
    return int.from_bytes(hashlib.sha1(bytes(parts)).digest()[:4], "little")


@pytest.mark.parametrize("variable", certificates.VARIABLES)
@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["missing", "empty", "garbage"])
def test_a_file_of_certificates_that_cannot_be_read_is_told_by_its_variable(
    client: Client,
    wish: Wish,
    secure: Any,
    identity: Identity,
    tmp_path: Path,
    monkeypatch: Any,
    variable: str,
    content: bytes | None,
) -> None:
    if content is not None:
        (tmp_path / "bundle.pem").write_bytes(content)
    monkeypatch.setenv(variable, str(tmp_path / "bundle.pem"))
    server = secure(identity())
    assert refused(client, wish, server.base) == f"The certificates that {variable} names cannot be read"


@pytest.fixture
def system_store(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Puts a file in the place of this computer's store, on a Linux whose OpenSSL does not know where that is."""
    if sys.platform != "linux":
        pytest.skip("only Linux keeps its store in a file")

    def put(file: Path) -> None:
        nowhere = ssl.get_default_verify_paths()._replace(cafile=None, capath=None)
        monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nowhere)
        monkeypatch.setattr("truststore._openssl._CA_FILE_CANDIDATES", [str(file)])

    return put


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside the environment's"])
def test_the_systems_store_is_believed(
    client: Client,
    wish: Wish,
    secure: Any,
    identity: Identity,
    stores: Path,
    system_store: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    beside: bool,
) -> None:
    if beside:
        trustme.CA().cert_pem.write_to_path(tmp_path / "another.pem")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "another.pem"))
    system_store(stores)
    assert client.submit(wish(), secure(identity()).base, Pictures(b"png"), "job").remote_id == "t1"


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["missing", "empty", "garbage"])
def test_without_a_sound_store_what_requests_brings_is_believed(
    client: Client,
    wish: Wish,
    secure: Any,
    identity: Identity,
    stores: Path,
    system_store: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
) -> None:
    if content is not None:
        (tmp_path / "store.pem").write_bytes(content)
    system_store(tmp_path / "store.pem")
    monkeypatch.setattr(certifi, "where", lambda: str(stores))
    assert client.submit(wish(), secure(identity()).base, Pictures(b"png"), "job").remote_id == "t1"


def test_without_truststore_what_requests_brings_is_believed(
    client: Client, wish: Wish, secure: Any, identity: Identity, stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = secure(identity())
    monkeypatch.setitem(sys.modules, "truststore", None)
    assert refused(client, wish, server.base) == NO_TRUST
    monkeypatch.setattr(certifi, "where", lambda: str(stores))
    assert client.submit(wish(), server.base, Pictures(b"png"), "job").remote_id == "t1"
