"""Asks providers: at which address, with which key, for how long, and how much of an answer is read.

A key goes to the provider's own host and nowhere else: not along a redirect, not to a polling host of another
domain, not to the host of a picture.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

from .addresses import belongs_to, check_address, check_base, is_loopback, is_within
from .causes import failure
from .errors import FluxDepthError, InputError, ProviderError, TryLaterError
from .listener import Listener
from .models import Model, Provider, Table
from .picture import MAX_BYTES
from .providers import Accepted, Answer, Call, Cancelled, Pending, Pictures, Ready, Result, Task, protocol
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
    listener: Listener | None = None
    """Hears news of tasks between the polls; without it, how far they are is what polls tell."""
    allowed: Container[str] = ()
    """The origins that the artist allowed to be asked over plain http; none of them is ever shown a key."""

    def base_of(self, model: Model, base: str = "") -> str:
        """Where this model is asked: the given base address, the provider's own, or the sandbox's.

        Raises InputError for one that may not be asked, and KeyRefusedError where the key could be read on its way.
        """
        provider = model.provider
        if base or provider.base:
            base = check_base(base or provider.base, self.allowed)
            if provider.key_header and not (base.startswith("https:") or is_loopback(base)):
                raise failure("key_in_the_clear", provider=provider.label)
            return base
        if not provider.is_ours:
            raise InputError(f"{provider.label} has no address yet: enter it in the preferences. Nothing was sent.")
        if self.sandbox is None:
            raise InputError("The sandbox is not running here: give its address.")
        return self.sandbox()

    def upload(self, request: Request, base: str, pictures: Pictures) -> None:
        """Bring what the submission will name. Free, and repeated without harm; raises what ends the job."""
        model = self.table[request.model]
        speech = protocol(model.provider.protocol)
        for call in speech.uploads(request, model, pictures):
            speech.read_upload(self._ask(call, base, model.provider), model)

    def submit(self, request: Request, base: str, pictures: Pictures, ticket: str) -> Accepted:
        """Post the request, once. Raises what ended it, TryLaterError when it certainly was not taken."""
        model = self.table[request.model]
        speech = protocol(model.provider.protocol)
        call = speech.submission(request, model, pictures, ticket)
        return speech.read_submission(self._ask(call, base, model.provider, costs=True), model)

    def poll(self, request: Request, base: str, task: Task) -> Result:
        """Ask how the task is doing. Raises TryLaterError for everything that says nothing about the task."""
        model = self.table[request.model]
        speech = protocol(model.provider.protocol)
        result = speech.read_result(self._ask(speech.question(model, task), base, model.provider), model, task)
        if isinstance(result, Pending):
            return self._with_news(result, base, model, task)
        if self.listener:
            self.listener.forget(task)
        return replace(result, sample=base + result.sample) if _is_path(result) else result

    def _with_news(self, pending: Pending, base: str, model: Model, task: Task) -> Pending:
        speech = protocol(model.provider.protocol)
        channel = speech.channel(model, task)
        news = self.listener.news(base, channel, task, speech) if self.listener and channel else None
        if news is None:
            return pending
        progress = pending.progress if news.progress is None else news.progress
        return replace(pending, progress=progress, preview=news.preview)

    def cancel(self, request: Request, base: str, task: Task) -> Cancelled | None:
        """Ask the provider to stop; None where it cannot be asked, or says nothing.

        Raises TryLaterError, or what it refused with.
        """
        model = self.table[request.model]
        speech = protocol(model.provider.protocol)
        answers = (self._ask(call, base, model.provider) for call in speech.stops(model, task))
        return next(filter(None, (speech.read_cancellation(answer, model) for answer in answers)), None)

    def download(self, url: str, base: str) -> bytes:
        """A picture's bytes, asked for without a key. Raises LookupError for a dead link, or FluxDepthError."""
        try:
            check_address(url, self.allowed)
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
        speech, base = protocol(model.provider.protocol), self.base_of(model, base)
        answers = [self._ask(call, base, model.provider) for call in speech.probes(model)]
        return speech.read_probes(answers, model)

    def _ask(self, call: Call, base: str, provider: Provider, *, costs: bool = False) -> Answer:
        url, query = _address(call, base, provider)
        key = usable_key(self.keys.get(provider.name, ""), provider) if provider.key_header else ""
        answer = _send(
            call.method,
            url,
            name=provider.label,
            limit=MAX_ANSWER_BYTES,
            seconds=WHOLE_ANSWER_SECONDS,
            costs=costs,
            headers={**call.headers, **({provider.key_header: provider.key_prefix + key} if key else {})},
            query=query,
            payload=call.payload,
            files=call.files,
        )
        return _without(key, answer) if key else answer


def _is_path(result: Result) -> TypeGuard[Ready]:
    return isinstance(result, Ready) and result.sample.startswith("/") and not result.sample.startswith("//")


def _address(call: Call, base: str, provider: Provider) -> tuple[str, Mapping[str, str] | None]:
    """Where a call goes: an address that an answer named is believed only at the provider's own hosts."""
    domain = provider.polling_domain
    if domain and (is_within(call.url, base) or (provider.base == base and belongs_to(call.url, domain))):
        return call.url, None
    return base + call.path, call.query


def _without(key: str, answer: Answer) -> Answer:
    """A server may quote the key, as it is or in JSON's escapes, and its words end up in the window and the journal."""
    plain = json.dumps(answer.json).replace(json.dumps(key)[1:-1], "[key]")
    return replace(answer, body=plain.encode())


def _send(
    method: str, url: str, *, name: str, limit: int, seconds: float, costs: bool = False, **request: Any
) -> Answer:
    try:
        return exchange(method, url, limit=limit, seconds=seconds, **request)
    except WireError as error:
        raise _problem(error, name, costs=costs) from None


def _problem(error: WireError, name: str, *, costs: bool) -> FluxDepthError:
    """Of a submission the end; whatever else was asked may be asked again, and then nothing is lost."""
    if costs:
        return failure(error.trouble, provider=name, variable=error.variable)
    trouble = Trouble.UNREACHABLE if error.trouble is Trouble.LOST else error.trouble
    happened = failure(trouble, provider=name, variable=error.variable).happened
    return TryLaterError(happened[0].upper() + happened[1:])
