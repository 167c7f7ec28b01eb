"""One HTTP exchange on the wire: bounded in time and in bytes, along no redirect, and known to have been sent or not.

The only place that imports requests and urllib3. requests' adapter is used without its session, which would follow
redirects, keep cookies, read ~/.netrc, and swallow the body of a redirect whole.
"""

from __future__ import annotations

import http.client
import io
import math
import re
import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.util.retry import Retry

from .addresses import is_loopback
from .certificates import BundleError, trust
from .providers import Answer

__all__ = ["Trouble", "WireError", "exchange"]

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
"""How long nothing may arrive. A submission has all its time: to give one up costs money, and to ask again nothing."""

SLOWEST_UPLINK = 10_000
"""Bytes a second. Whatever is sent gets that much more time: a megabyte on a bad line is no fault."""

HEAD_BYTES = 256 * 1024
"""The most that may arrive besides a body: headers, interim answers, the lengths of chunks."""

BLOCK = 16 * 1024

RETRIES = Retry(total=None, connect=2, read=0, redirect=0, status=0, other=0, backoff_factor=0.3)
"""Only what fails before there is a connection is tried again."""


class Trouble(StrEnum):
    """Why an exchange came to nothing, as causes.py names it."""

    LOST = "answer_lost"
    """The request, or a part of it, was sent: nobody knows what became of it."""
    UNREACHABLE = "unreachable"
    PROXY = "proxy"
    PROXY_LOGIN = "proxy_login"
    PROXY_SOCKS = "proxy_socks"
    BUNDLE = "certificates_unreadable"
    UNTRUSTED = "certificate"
    EXPIRED = "certificate_expired"
    OTHER_HOST = "certificate_of_another"
    NO_TLS = "no_tls"
    TLS_CUT = "tls_cut"


CERTIFICATES = {
    Trouble.EXPIRED: (9, 10, 0x800B0101, 0x800B0102, -67818, -67819),
    Trouble.OTHER_HOST: (62, 64, 0x800B010F, -67602),
}
"""Of a certificate's faults, how OpenSSL (x509_vfy.h), Windows (winerror.h) and macOS (SecBase.h) number them."""


class WireError(Exception):
    """An exchange came to nothing, and why. Of every trouble but LOST, no byte of the request was sent."""

    def __init__(self, trouble: Trouble, variable: str = "") -> None:
        super().__init__(trouble)
        self.trouble = trouble
        self.variable = variable
        """Of BUNDLE, what names it in the environment."""


@dataclass
class _Bounds:
    """What one exchange may take, and has."""

    end: float
    """On the monotonic clock."""
    patience: float
    """Seconds for which nothing may arrive."""
    room: int
    """Bytes that may still arrive."""
    watched: bool = False
    """Whether the connection is one of ours, which notes what leaves: of another, all may have left."""
    sent: bool = False

    def left(self) -> float:
        """Seconds; raises TimeoutError when there are none."""
        if (left := self.end - time.monotonic()) > 0:
            return left
        raise TimeoutError("the exchange took too long")

    def arrived(self, count: int) -> int:
        """Note what was read; raises HTTPException when it is too much."""
        self.room -= count
        if self.room < 0:
            raise http.client.HTTPException("the answer is too long")
        return count


def exchange(
    method: str,
    url: str,
    *,
    limit: int,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    payload: Mapping[str, object] | None = None,
    files: Mapping[str, tuple[str, bytes, str]] | None = None,
) -> Answer:
    """Ask once; a body longer than the limit comes back cut, just past it. Raises WireError.

    The seconds are for everything: connecting, by way of a proxy or not, handshake, sending and receiving. Only the
    look-up of a name is left to the system, which bounds it itself.
    """
    proxies = {} if is_loopback(url) else requests.utils.get_environ_proxies(url)
    proxy = requests.utils.select_proxy(url, proxies) or ""
    if proxy.lower().startswith("socks"):
        raise WireError(Trouble.PROXY_SOCKS)
    try:
        request = _prepared(method, url, headers, query, payload, files)
    except (requests.RequestException, ValueError):
        raise WireError(Trouble.UNREACHABLE) from None
    end = time.monotonic() + seconds + len(request.body or b"") / SLOWEST_UPLINK
    patience = math.inf if method == "POST" and not files else READ_SECONDS
    bounds = _Bounds(end, patience, limit + HEAD_BYTES)
    try:
        return _answer(_Adapter(bounds), request, proxies, limit)
    except (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        raise WireError(_trouble(error, bounds, proxied=bool(proxy))) from None
    except BundleError as error:
        raise WireError(Trouble.BUNDLE, str(error)) from None


def _prepared(
    method: str,
    url: str,
    headers: Mapping[str, str] | None,
    query: Mapping[str, str] | None,
    payload: Mapping[str, object] | None,
    files: Mapping[str, tuple[str, bytes, str]] | None,
) -> requests.PreparedRequest:
    """With a body of JSON, or in several parts where there are files."""
    body: dict[str, Any] = {"files": files, "data": payload} if files else {"json": payload}
    return requests.Request(method, url, headers=_headers(headers), params=query, **body).prepare()


def _headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {**requests.utils.default_headers(), "Accept-Encoding": "identity", **(headers or {})}


def _answer(adapter: _Adapter, request: requests.PreparedRequest, proxies: dict[str, str], limit: int) -> Answer:
    try:
        with adapter.send(request, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS), proxies=proxies) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, headers, _unpacked(_body(response, limit), headers, limit))
    finally:
        adapter.close()


def _body(response: requests.Response, limit: int) -> bytes:
    body = bytearray()
    for piece in response.raw.stream(BLOCK, decode_content=False):
        body += piece
        if len(body) > limit:
            return bytes(body)  # no JSON any more, and no picture: whoever reads it will see
    announced = response.headers.get("Content-Length", "")
    if re.fullmatch("[0-9]{1,18}", announced) and len(body) < int(announced):
        raise requests.ConnectionError("cut short")
    return bytes(body)


def _unpacked(body: bytes, headers: Mapping[str, str], limit: int) -> bytes:
    """Some pack an answer although it was asked for as it is; of what unpacks without end, no more than the limit."""
    if headers.get("content-encoding", "").strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, limit + 1)
    except zlib.error:
        return body


class _Reader(io.RawIOBase):
    """What arrives on a socket, within bounds: a time limit on each read alone would let drops arrive for hours."""

    def __init__(self, sock: socket.socket, bounds: _Bounds) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._bounds = bounds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(min(self._bounds.patience, self._bounds.left()))
        return self._bounds.arrived(self._file.readinto(buffer) or 0)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that is read within bounds."""

    def __init__(self, sock: socket.socket, *arguments: Any, bounds: _Bounds, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Reader(sock, bounds))

    def begin(self) -> None:
        """Passes over every interim answer, as RFC 9110, 15.2, wants it; http.client takes all but 100 as the last."""
        super().begin()
        while 102 <= self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()


class _Connection(HTTPConnection):
    """A connection that keeps its exchange within bounds, and notes when the request begins to leave."""

    def __init__(self, *arguments: Any, bounds: _Bounds, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._bounds = bounds
        self._bounds.watched = True
        self._opening = False
        self.response_class = partial(_Response, bounds=bounds)  # type: ignore[assignment]

    def connect(self) -> None:
        if self._bounds.sent:
            raise ConnectionAbortedError("what was sent is not sent again")
        self.timeout = min(CONNECT_SECONDS, self._bounds.left())
        self._opening = True
        super().connect()
        self._opening = False

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        assert self.sock is not None
        self.sock.settimeout(self._bounds.left())
        self._bounds.sent |= not self._opening  # what is sent while it opens is for the proxy
        super().send(data)


class _TLSConnection(_Connection, HTTPSConnection):
    """The same through TLS, believing whom we believe: requests 2.32 puts a context of its own into the pool."""

    def __init__(self, *arguments: Any, tls: ssl.SSLContext, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "ssl_context": tls})


class _Adapter(HTTPAdapter):
    """What requests sends through, for one exchange."""

    def __init__(self, bounds: _Bounds) -> None:
        super().__init__(max_retries=RETRIES)
        self._bounds = bounds

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        if proxy.lower().startswith("https:"):  # else urllib3 would believe such a proxy by rules of its own
            options["proxy_ssl_context"] = _trust(urlsplit(proxy).hostname)
        return super().proxy_manager_for(proxy, **options)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Of the pool that a request goes through: our own connections, and what those trust."""
        if conn.scheme == "https":
            conn.cert_reqs = "CERT_REQUIRED"
            conn.ConnectionCls = partial(_TLSConnection, bounds=self._bounds, tls=_trust(conn.host))
        else:
            conn.ConnectionCls = partial(_Connection, bounds=self._bounds)


def _trust(host: str | None) -> ssl.SSLContext:
    context: Any = trust()
    # urllib3 1.26 does not say which host is meant when that is an address in numbers.
    context.wrap_socket = partial(context.wrap_socket, server_hostname=host)
    return cast(ssl.SSLContext, context)


def _trouble(error: Exception, bounds: _Bounds, *, proxied: bool) -> Trouble:
    before_connecting = isinstance(error, requests.exceptions.InvalidURL)  # as of a proxy
    if bounds.sent or not (bounds.watched or before_connecting):
        return Trouble.LOST
    errors = list(_chain(error))
    for one in errors:
        if isinstance(one, ssl.SSLCertVerificationError):
            return next(
                (trouble for trouble, codes in CERTIFICATES.items() if one.verify_code in codes), Trouble.UNTRUSTED
            )
    if any("Tunnel connection failed: 407" in str(one) for one in errors):  # http.client has no class for it
        return Trouble.PROXY_LOGIN
    return Trouble.PROXY if proxied else _direct_trouble(errors)


def _direct_trouble(errors: list[BaseException]) -> Trouble:
    def among(*kinds: type[BaseException]) -> bool:
        return any(isinstance(one, kinds) for one in errors)

    if among(NewConnectionError, ConnectTimeoutError):
        return Trouble.UNREACHABLE
    if among(ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
        return Trouble.TLS_CUT
    return Trouble.NO_TLS if among(ssl.SSLError) else Trouble.UNREACHABLE


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and whatever it came of: urllib3's versions hide the first one in different places."""
    yield error
    for inner in (error.__cause__, error.__context__, *error.args):
        if isinstance(inner, BaseException):
            yield from _chain(inner)
