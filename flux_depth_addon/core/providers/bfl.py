"""The protocol of Black Forest Labs, as BFL itself, CometAPI, a studio's gateway and the sandbox speak it.

Fields, statuses and error envelopes follow docs.bfl.ai (API reference, errors) and apidoc.cometapi.com
(flux, error codes); the second CometAPI envelope is the one of the gateway software it runs on.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from ..causes import failure
from ..errors import FluxDepthError
from ..models import Model
from ..request import Request
from . import Accepted, Answer, Call, Missing, Pending, Pictures, Protocol, Ready, Result, Task
from ._reading import (
    because,
    check_probe,
    number_in,
    object_in,
    one_line,
    progress_in,
    refusal,
    seed_in,
    set_only,
    text_in,
    unusable,
    words_in,
    words_of,
)

__all__ = ["PROTOCOL", "body"]

USD_PER_CREDIT = 0.01
"""docs.bfl.ai: one credit is one US cent."""

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


class Bfl(Protocol):
    """Submit, poll by id, and a link to the picture."""

    def submission(self, request: Request, model: Model, pictures: Pictures, ticket: str) -> Call:
        """The one POST; the control image is plain base64."""
        return Call("POST", model.provider.submit.format(model=model.path), payload=body(request, model, pictures))

    def read_submission(self, answer: Answer, model: Model) -> Accepted:
        """The task's id, and what it costs where that is told."""
        if answer.status >= 300:
            raise _refusal(answer, model)
        data = object_in(answer.json)
        remote_id = data.get("id") or object_in(data.get("data")).get("id") or data.get("task_id")
        name = text_in(str(remote_id) if type(remote_id) is int else remote_id)
        if 0 < len(name) <= 500:
            return Accepted(name, text_in(data.get("polling_url")), _cost(data.get("cost")))
        if ("error" in data or _code(data) in CODES) and not remote_id:
            raise _refusal(answer, model)
        raise failure("answer_without_id", provider=model.provider.label)

    def question(self, model: Model, task: Task) -> Call:
        """By id, or at the cluster that the submission's answer named."""
        return Call("GET", model.provider.poll, query={"id": task.remote_id}, url=task.polling_url)

    def read_result(self, answer: Answer, model: Model, task: Task) -> Result:
        """The task's state, from either envelope."""
        data = object_in(answer.json)
        # A firewall's page is no word of theirs.
        if answer.status in (401, 403) and data and not text_in(data.get("status")):
            raise failure("key_refused_later", provider=model.provider.label, reason=because(answer))
        if answer.status == 404 or _code(data) in MISSING:
            return Missing()
        if answer.status >= 300 or not data:
            raise unusable(answer, model)
        inner = object_in(data.get("data"))
        return _judge(inner if "status" in inner else data, model)

    def probes(self, model: Model) -> Sequence[Call]:
        """One question that needs the key."""
        return (Call("GET", model.provider.probe),)

    def read_probes(self, answers: Sequence[Answer], model: Model) -> str:
        """Whether the key is taken, and what is left on the account."""
        check_probe(answers[0], model)
        credits_left = number_in(object_in(answers[0].json).get("credits"))
        left = "" if credits_left is None else f" {credits_left:g} credits are left."
        return f"{model.provider.label} answered and took the key.{left} Nothing was charged."


PROTOCOL = Bfl()


def body(request: Request, model: Model, pictures: Pictures) -> dict[str, object]:
    """The JSON of a submission: the control image as plain base64 PNG, and no key that is unset."""
    size = {"width": request.framing.width, "height": request.framing.height} if model.sends_size else {}
    return request.extra_fields | set_only(
        {
            "prompt": request.prompt,
            model.map_field: base64.b64encode(pictures.control).decode("ascii"),
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
    )


def _judge(data: dict[str, Any], model: Model) -> Result:
    status = text_in(data.get("status") or data.get("state")).strip().lower()
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
            return Pending(progress_in(data.get("progress")))


def _ready(data: dict[str, Any]) -> Result:
    places = [
        object_in(data.get("result")),
        object_in(data.get("data")),
        object_in(object_in(data.get("data")).get("result")),
        data,
    ]
    for place in places:
        output = place.get("output")
        first = output[0] if isinstance(output, list) and output else output
        if sample := text_in(place.get("sample")) or text_in(first):
            return Ready(sample, seed_in(place.get("seed")))
    return Missing()


def _refusal(answer: Answer, model: Model) -> FluxDepthError:
    refused_there = answer.status in (400, 413, 422)
    cause = CODES.get(_code(answer.json)) or ("setting_refused" if refused_there else None)
    if cause == "setting_refused" and "finetune" in words_of(answer).lower():
        cause = "finetune_unknown"
    return refusal(answer, model, cause=cause)


def _reasons(data: dict[str, Any]) -> str:
    details = data.get("details")
    listed = object_in(details).get("Moderation Reasons") or data.get("fail_reason") or details
    reasons = listed if isinstance(listed, list) else [listed]
    words = one_line(", ".join(reason for reason in reasons if isinstance(reason, str)), 200)
    return f" ({words})" if words else ""


def _code(data: object) -> str:
    error = object_in(data).get("error")
    code = text_in(object_in(error).get("code")) or text_in(object_in(data).get("code"))
    return "model_not_found" if "no available channel" in " ".join(words_in(data)) else code


def _cost(credits_charged: object) -> float | None:
    number = number_in(credits_charged)
    return number * USD_PER_CREDIT if number is not None and 0 <= number < 100_000 else None
