"""Asks providers: at which address, with which key, for how long, and how much of an answer is read.

A key goes to the provider's own host and nowhere else: not along a redirect, not to a polling host of another
domain, not to the host of a picture.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .addresses import belongs_to, check_address, check_base, is_loopback
from .causes import failure
from .errors import FluxDepthError, InputError, ProviderError, TryLaterError
from .models import Model, Provider, Table
from .picture import MAX_BYTES
from .providers import Accepted, Answer, Result, bfl
from .request import Request
from .wire import Trouble, WireError, exchange

__all__ = ["Client", "usable_key"]

WHOLE_ANSWER_SECONDS = 60.0
WHOLE_PICTURE_SECONDS = 300.0
MAX_ANSWER_BYTES = 2 * 1024 * 1024


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
        answer = _send("GET", url, name="the picture's host", limit=MAX_BYTES, seconds=WHOLE_PICTURE_SECONDS)
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


def _send(method: str, url: str, *, name: str, limit: int, seconds: float, **request: Any) -> Answer:
    try:
        return exchange(method, url, limit=limit, seconds=seconds, **request)
    except WireError as error:
        raise _problem(error, method, name) from None


def _problem(error: WireError, method: str, name: str) -> FluxDepthError:
    """Of a submission the end; whatever else was asked may be asked again, and then nothing is lost."""
    if method == "POST":
        return failure(error.trouble, provider=name, variable=error.variable)
    trouble = Trouble.UNREACHABLE if error.trouble is Trouble.LOST else error.trouble
    happened = failure(trouble, provider=name, variable=error.variable).happened
    return TryLaterError(happened[0].upper() + happened[1:])
