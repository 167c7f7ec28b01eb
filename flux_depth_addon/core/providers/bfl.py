"""The protocol of Black Forest Labs, as BFL itself, CometAPI and the sandbox speak it.

Fields, statuses and error envelopes follow docs.bfl.ai (API reference, errors) and apidoc.cometapi.com
(flux, error codes); the second CometAPI envelope is the one of the gateway software it runs on.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator
from typing import Any

from ..causes import failure
from ..errors import FluxDepthError, ProviderError, TryLaterError
from ..models import Model
from ..request import Request
from . import Accepted, Answer, Missing, Pending, Ready, Result

__all__ = ["body", "read_probe", "read_result", "read_submission"]

USD_PER_CREDIT = 0.01
"""docs.bfl.ai: one credit is one US cent."""

MAX_TEXT = 8192
"""Characters of an id, a word or an address: what web servers take for one, and four times a signed one."""

READY = {"ready", "success", "succeeded", "completed"}
FAILED = {"error", "failed", "failure"}
MODERATED = {"request moderated", "content moderated", "moderated"}
MISSING = {"task not found", "not_found", "task_not_exist"}

CODES = {
    "model_not_found": "model_not_served",
    "model_price_error": "model_not_served",
    "insufficient_user_quota": "no_funds",
    "insufficient_quota": "no_funds",
    "pre_consume_token_quota_failed": "no_funds",
    "invalid_request": "setting_refused",
    "sensitive_words_detected": "prompt_moderated",
    "prompt_blocked": "prompt_moderated",
}
"""Codes that say more than the HTTP status they come with: CometAPI answers 503 for a model it does not serve."""

STATUSES = {
    400: "setting_refused",
    401: "key_refused",
    402: "no_funds",
    403: "key_refused",
    404: "model_not_served",
    410: "model_not_served",
    413: "setting_refused",
    422: "setting_refused",
}

TIMED_OUT = {408, 499}
"""A gateway's words for a request that took too long: it may have passed it on before."""


def body(request: Request, model: Model, control: bytes) -> dict[str, object]:
    """The JSON of a submission: the control image as plain base64 PNG, and no key that is unset."""
    size = {"width": request.framing.width, "height": request.framing.height} if model.sends_size else {}
    fields: dict[str, object] = {
        "prompt": request.prompt,
        model.map_field: base64.b64encode(control).decode("ascii"),
        "seed": request.seed,
        "steps": request.steps,
        "guidance": request.guidance,
        "safety_tolerance": request.safety_tolerance,
        "prompt_upsampling": request.prompt_upsampling,
        "output_format": request.output_format,
        "finetune_id": request.finetune_id.strip() or None,
        "finetune_strength": request.finetune_strength,
        **size,
    }
    return {name: value for name, value in fields.items() if value is not None}


def read_submission(answer: Answer, model: Model) -> Accepted:
    """What the submission came to; raises the error that ends it, or TryLaterError when it was certainly not taken."""
    if answer.status >= 300:
        raise _refusal(answer, model)
    data = _object(answer.json)
    remote_id = data.get("id") or _object(data.get("data")).get("id") or data.get("task_id")
    name = _text(str(remote_id) if type(remote_id) is int else remote_id)
    if 0 < len(name) <= 500:
        return Accepted(name, _text(data.get("polling_url")), _cost(data.get("cost")))
    if ("error" in data or _code(data) in CODES) and not remote_id:
        raise _refusal(answer, model)
    raise failure("answer_without_id", provider=model.provider.label)


def read_result(answer: Answer, model: Model) -> Result:
    """What a poll says; raises the error that ends the job, or TryLaterError when the answer tells nothing."""
    data = _object(answer.json)
    if answer.status in (401, 403) and data and not _text(data.get("status")):  # a firewall's page is no word of theirs
        raise failure("key_refused_later", provider=model.provider.label, reason=_because(answer))
    if answer.status == 404 or _code(data) in MISSING:
        return Missing()
    if answer.status >= 300 or not data:
        raise TryLaterError(
            f"{model.provider.label} gave no usable answer (HTTP {answer.status})", seconds=_wait(answer)
        )
    inner = _object(data.get("data"))
    return _judge(inner if "status" in inner else data, model)


def read_probe(answer: Answer, model: Model) -> str:
    """What a free question that needs the key tells, as a sentence; raises the refusal."""
    if answer.status >= 500:
        raise ProviderError(f"{model.provider.label} failed (HTTP {answer.status}). Nothing was charged: try later.")
    if answer.status >= 300:
        raise _refusal(answer, model)
    credits_left = _number(_object(answer.json).get("credits"))
    left = "" if credits_left is None else f" {credits_left:g} credits are left."
    return f"{model.provider.label} answered and took the key.{left} Nothing was charged."


def _judge(data: dict[str, Any], model: Model) -> Result:
    status = _text(data.get("status") or data.get("state")).strip().lower()
    match status:
        case _ if status in READY:
            return _ready(data)
        case _ if status in MISSING:
            return Missing()
        case _ if status in MODERATED:
            raise failure("picture_moderated", provider=model.provider.label, reason=_reasons(data))
        case _ if status in FAILED:
            raise failure("painting_failed", provider=model.provider.label, reason=_reasons(data))
        case _:  # Pending, and every word that is not known yet: a new status must not end a paid job.
            return Pending(_progress(data.get("progress")))


def _ready(data: dict[str, Any]) -> Result:
    places = [
        _object(data.get("result")),
        _object(data.get("data")),
        _object(_object(data.get("data")).get("result")),
        data,
    ]
    for place in places:
        output = place.get("output")
        first = output[0] if isinstance(output, list) and output else output
        if sample := _text(place.get("sample")) or _text(first):
            return Ready(sample, _seed(place.get("seed")))
    return Missing()


def _refusal(answer: Answer, model: Model) -> FluxDepthError:
    label, reason = model.provider.label, _because(answer)
    cause = CODES.get(_code(answer.json)) or STATUSES.get(answer.status)
    if cause == "setting_refused" and "finetune" in _message(answer).lower():
        cause = "finetune_unknown"
    if cause is not None:
        return failure(cause, provider=label, model=model.label, reason=reason)
    # A gateway may say 503 after it passed the request on: only with a time to come back is it a refusal for sure.
    if answer.status == 429 or (answer.status == 503 and _wait(answer) is not None):
        return TryLaterError(f"{label} is busy (HTTP {answer.status}{reason})", seconds=_wait(answer))
    if 300 <= answer.status < 500 and answer.status not in TIMED_OUT:
        return failure("no_endpoint", provider=label, status=answer.status)
    return failure("answer_broken", provider=label, status=answer.status, reason=reason)


def _message(answer: Answer) -> str:
    """The server's own words, from any of the documented envelopes."""
    return _line(re.sub(r"\s*\(request id:[^)]*\)", "", " ".join(_words(answer.json))), 300).rstrip(" .")


def _line(words: str, longest: int) -> str:
    """One short printable line."""
    return "".join(letter for letter in " ".join(words.split()) if letter.isprintable())[:longest]


def _words(data: object, levels: int = 8) -> Iterator[str]:
    """The words of an envelope; no documented one has more levels, and a hostile one has thousands."""
    match data:
        case str():
            yield data
        case {"loc": [*_, str() | int() as field], "msg": str(msg)}:
            yield f"{field}: {msg}"
        case list() if levels:
            for part in data[:3]:
                yield from _words(part, levels - 1)
        case dict() if levels:
            named = (data[name] for name in ("error", "detail", "message", "fail_reason", "msg") if data.get(name))
            yield from _words(next(named, None), levels - 1)


def _because(answer: Answer) -> str:
    message = _message(answer)
    return f": “{message}”" if message else ""


def _reasons(data: dict[str, Any]) -> str:
    details = data.get("details")
    listed = _object(details).get("Moderation Reasons") or data.get("fail_reason") or details
    reasons = listed if isinstance(listed, list) else [listed]
    words = _line(", ".join(reason for reason in reasons if isinstance(reason, str)), 200)
    return f" ({words})" if words else ""


def _code(data: object) -> str:
    error = _object(data).get("error")
    code = _text(_object(error).get("code")) or _text(_object(data).get("code"))
    return "model_not_found" if "no available channel" in " ".join(_words(data)) else code


def _wait(answer: Answer) -> float | None:
    try:
        seconds = float(answer.headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(max(seconds, 0.0), 150.0) if math.isfinite(seconds) else None


def _cost(credits_charged: object) -> float | None:
    number = _number(credits_charged)
    return number * USD_PER_CREDIT if number is not None and 0 <= number < 100_000 else None


def _progress(value: object) -> float | None:
    number = _number(value)
    return None if number is None else min(max(number / 100 if number > 1 else number, 0.0), 1.0)


def _seed(value: object) -> int | None:
    return value if isinstance(value, int) and _number(value) is not None and value >= 0 else None


def _number(value: object) -> float | None:
    """A number that the journal can hold; JSON also has nan and integers without end."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**63:
        return None
    return float(value)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """Text that the journal can hold; JSON also has halves of letters, and lines without end."""
    return value if isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable() else ""
