"""The HTTP: time limits, size limits, redirects, redaction. The only place that imports requests.

A key goes to the provider's own host and nowhere else: not along a redirect, not to a polling host of another
domain, not to the host of a picture.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.util.retry import Retry

from .addresses import belongs_to, check_address, check_base, is_loopback
from .causes import failure
from .errors import FluxDepthError, InputError, ProviderError, TryLaterError
from .models import Model, Provider, Table
from .picture import MAX_BYTES
from .providers import Accepted, Answer, Result, bfl
from .request import Request

__all__ = ["Client", "usable_key"]

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
WHOLE_ANSWER_SECONDS = 60.0
WHOLE_PICTURE_SECONDS = 300.0
MAX_ANSWER_BYTES = 2 * 1024 * 1024
BLOCK = 16 * 1024


def usable_key(key: str, provider: Provider) -> str:
    """The key without white space around it; raises KeyRefusedError when it is missing or could not be sent."""
    key = key.strip()
    if not key:
        raise failure("key_missing", provider=provider.label, or_set=", or set ".join(["", *provider.key_env[:1]]))
    if not (key.isascii() and key.isprintable() and " " not in key) or len(key) > 1000:
        raise failure("key_malformed", provider=provider.label)
    return key


@dataclass(frozen=True)
class Client:
    """Asks providers. Holds the keys; safe to use from several threads."""

    table: Table
    keys: Mapping[str, str] = field(repr=False)
    sandbox: Callable[[], str] | None = None
    """Starts the sandbox, or finds it, and returns its base address."""

    def base_of(self, model: Model, base: str = "") -> str:
        """Where this model is asked: the given base address, the provider's own, or the sandbox's."""
        if base or model.provider.base:
            return check_base(base or model.provider.base)
        if self.sandbox is None:
            raise InputError("The sandbox is not running here: give its address.")
        return self.sandbox()

    def submit(self, request: Request, base: str, control: bytes) -> Accepted:
        """Post the request, once. Raises what ended it, TryLaterError when it certainly was not taken."""
        model = self.table[request.model]
        url = base + model.provider.submit.format(model=model.path)
        payload = bfl.body(request, model, control)
        return bfl.read_submission(self._ask("POST", url, model.provider, payload=payload), model)

    def poll(self, request: Request, base: str, remote_id: str, polling_url: str) -> Result:
        """Ask how the task is doing. Raises TryLaterError for everything that says nothing about the task."""
        model = self.table[request.model]
        url, query = self._polling_address(model.provider, base, remote_id, polling_url)
        return bfl.read_result(self._ask("GET", url, model.provider, query=query), model)

    def download(self, url: str, base: str) -> bytes:
        """A picture's bytes, asked for without a key. Raises LookupError for a dead link, or FluxDepthError."""
        try:
            check_address(url)
        except InputError:
            raise ProviderError("The provider named an unsafe address for the picture", cost="yes") from None
        if is_loopback(url) and not is_loopback(base):
            raise ProviderError("The provider named an address on this computer for the picture", cost="yes")
        answer = _send("GET", url, name="The picture's host", limit=MAX_BYTES, seconds=WHOLE_PICTURE_SECONDS)
        if answer.status in (400, 401, 403, 404, 410):
            raise LookupError(url)
        if answer.status != 200:
            raise TryLaterError(f"The picture's host answered HTTP {answer.status}")
        if len(answer.body) > MAX_BYTES:
            raise ProviderError("The picture's host sent far more than a picture", cost="yes")
        return answer.body

    def probe(self, model: Model, base: str = "") -> str:
        """Ask the provider something free that needs the key; returns a sentence, raises the refusal."""
        answer = self._ask("GET", self.base_of(model, base) + model.provider.probe, model.provider)
        return bfl.read_probe(answer, model)

    def _polling_address(
        self, provider: Provider, base: str, remote_id: str, polling_url: str
    ) -> tuple[str, dict[str, str] | None]:
        if provider.base == base and belongs_to(polling_url, provider.polling_domain):
            return polling_url, None
        return base + provider.poll, {"id": remote_id}

    def _ask(
        self,
        method: str,
        url: str,
        provider: Provider,
        *,
        query: dict[str, str] | None = None,
        payload: dict[str, object] | None = None,
    ) -> Answer:
        key = usable_key(self.keys.get(provider.name, ""), provider) if provider.key_header else ""
        headers = {provider.key_header: provider.key_prefix + key} if key else {}
        answer = _send(
            method,
            url,
            name=provider.label,
            limit=MAX_ANSWER_BYTES,
            seconds=WHOLE_ANSWER_SECONDS,
            headers=headers,
            query=query,
            payload=payload,
        )
        return _without(key, answer) if key else answer


def _without(key: str, answer: Answer) -> Answer:
    """A server may quote the key, as it is or in JSON's escapes, and its words end up in the window and the journal."""
    plain = json.dumps(answer.json).replace(json.dumps(key)[1:-1], "[key]")
    return replace(answer, body=plain.encode())


def _send(
    method: str,
    url: str,
    *,
    name: str,
    limit: int,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    query: dict[str, str] | None = None,
    payload: dict[str, object] | None = None,
) -> Answer:
    try:
        with (
            _session(url) as session,
            session.request(
                method,
                url,
                params=query,
                json=payload,
                headers={"Accept-Encoding": "identity", **(headers or {})},
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            names = {key.lower(): value for key, value in response.headers.items()}
            return Answer(response.status_code, names, _body(response, limit, seconds))
    except (requests.RequestException, HTTPError) as error:
        raise _problem(error, method, name) from None


def _session(url: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = not is_loopback(url)  # the system's proxy cannot reach this computer's own sandbox
    session.auth = _as_it_is
    # Only what fails before anything is sent is tried again here: no request can go out twice.
    adapter = HTTPAdapter(
        max_retries=Retry(total=None, connect=2, read=0, redirect=0, status=0, other=0, backoff_factor=0.3)
    )
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without an auth of its own, requests would put a login from ~/.netrc in place of our key."""
    return request


def _body(response: requests.Response, limit: int, seconds: float) -> bytes:
    started, body = time.monotonic(), bytearray()
    for chunk in _pieces(response):
        body += chunk
        if len(body) > limit:
            return bytes(body)  # no JSON any more, and no picture: whoever reads it will see
        if time.monotonic() - started > seconds:
            raise requests.ReadTimeout
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and "Content-Encoding" not in response.headers and len(body) < int(announced):
        raise requests.ConnectionError("cut short")
    return bytes(body)


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """The body as it arrives: waiting for a full block would let a dripping server hold us for hours."""
    read = getattr(response.raw, "read1", None)  # urllib3 has it since 2.2
    return iter(partial(read, BLOCK, decode_content=True), b"") if read else response.iter_content(BLOCK)


def _problem(error: Exception, method: str, name: str) -> FluxDepthError:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        fatal = failure("certificate", provider=name)
        return fatal if method == "POST" else TryLaterError(fatal.happened)
    if method != "POST":
        return TryLaterError(f"{name} could not be reached")
    if _never_left(error):
        return failure("unreachable", provider=name)
    return failure("answer_lost", provider=name)


def _never_left(error: Exception) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    before_sending = isinstance(reason, NewConnectionError | ConnectTimeoutError)
    return before_sending or isinstance(error, requests.exceptions.ProxyError | ValueError)
