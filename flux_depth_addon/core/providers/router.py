"""The protocol of Comfy Router: a model's own fields are put in a queue; its state is asked for, then its own result.

Routes, states, error buckets and rules follow docs.comfy.org/development/comfy-router, the model's own page there, and
the contract of its SDKs, github.com/Comfy-Org/comfy-typescript-sdk, spec/router-openapi.yaml.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from ..causes import failure
from ..errors import FailedThereError, FluxDepthError, TryLaterError
from ..models import Model
from ..request import Request
from . import Accepted, Answer, Call, Cancelled, Elsewhere, Missing, Pending, Pictures, Protocol, Ready, Result, Task
from ._reading import because, check_probe, object_in, refusal, seed_in, set_only, text_in, unusable, wait_of

__all__ = ["PROTOCOL"]

CREDITS_PER_USD = 211
FIELDS = ("prompt", "seed", "steps", "guidance", "safety_tolerance", "prompt_upsampling", "output_format")
"""What the model calls by the name that it has in a request."""

REFUSED = {
    "content_policy_violation": "prompt_moderated",
    "forbidden": "model_not_served",
    "not_enabled": "model_not_served",
}
"""What an error bucket means of a submission where the status would mislead."""

ENDED = {
    "content_policy_violation": "picture_moderated",
    "insufficient_credits": "no_funds",
    "invalid_input": "refused_there",
    "model_not_found": "model_not_served",
    "provider_error": "painting_failed",
    "provider_timeout": "painting_failed",
}
"""What it means of a task that is over; in more words where the result would be, which other buckets have not."""


class Router(Protocol):
    """A task that went wrong is COMPLETED like every other, and says so by an error bucket."""

    def submission(self, request: Request, model: Model, pictures: Pictures, ticket: str) -> Call:
        """The one POST. Under one Idempotency-Key at most one picture is charged, however often it arrives."""
        fields = {name: getattr(request, name) for name in FIELDS}
        fields[model.map_field] = base64.b64encode(pictures.control).decode("ascii")
        path = model.provider.submit.format(model=model.path)
        return Call("POST", path, None, request.extra_fields | set_only(fields), headers={"Idempotency-Key": ticket})

    def read_submission(self, answer: Answer, model: Model) -> Accepted:
        """The task's id; what it costs is told with the result."""
        if answer.status >= 300:
            raise _refusal(answer, model)
        if name := text_in(object_in(answer.json).get("request_id")):
            return Accepted(name)
        raise failure("answer_without_id", provider=model.provider.label)

    def question(self, model: Model, task: Task) -> Call:
        """First its state, which is short; where that sent us, its result."""
        path = _path(model, task)
        return Call("GET", path if task.polling_url == path else f"{path}/status")

    def read_result(self, answer: Answer, model: Model, task: Task) -> Result:
        """The state, or the result in the words of the model's maker."""
        data, bucket, path = object_in(answer.json), _bucket(answer), _path(model, task)
        if answer.status in (401, 403) and data:  # a firewall's page is no word of theirs
            raise failure("key_refused_later", provider=model.provider.label, reason=because(answer))
        if answer.status in (404, 410) and bucket != "model_not_found":
            return Missing()
        if answer.status >= 300 and task.polling_url == path and bucket in ENDED:
            raise _ended(bucket, answer, model)
        if answer.status >= 300 or not data:
            raise unusable(answer, model)
        if task.polling_url == path and "request_id" not in data:
            return _made(object_in(data.get("result")), answer)
        if data.get("status") != "COMPLETED":
            return Pending(is_queued=data.get("status") == "IN_QUEUE")
        if not bucket or bucket in ENDED:
            return Elsewhere(path)
        raise _ended(bucket, answer, model)

    def cancellation(self, model: Model, task: Task) -> Call:
        """A wish: what is already being painted may be painted to its end, and is then charged."""
        return Call("PUT", f"{_path(model, task)}/cancel")

    def read_cancellation(self, answer: Answer, model: Model) -> Cancelled:
        """It is not said whether the task had begun, which alone would make it free."""
        data = object_in(answer.json)
        if data.get("status") == "ALREADY_COMPLETED":  # with 409, or with 400 in the preview
            return Cancelled(is_late=True)
        if answer.status >= 300 or not data:
            raise unusable(answer, model)
        return Cancelled()

    def probes(self, model: Model) -> Sequence[Call]:
        """The model's entry in the catalogue, which needs the key."""
        return (Call("GET", f"{model.provider.probe}/{model.path}"),)

    def read_probes(self, answers: Sequence[Answer], model: Model) -> str:
        """What is left on the account is told nowhere."""
        if 300 <= answers[0].status < 500:
            raise _refusal(answers[0], model)
        check_probe(answers[0], model)
        return f"{model.provider.label} answered, took the key, and has {model.label}. Nothing was charged."


PROTOCOL = Router()


def _path(model: Model, task: Task) -> str:
    return f"{model.provider.submit.format(model=model.path)}/{quote(task.remote_id, safe='')}"


def _bucket(answer: Answer) -> str:
    return answer.headers.get("x-comfy-error-type") or text_in(object_in(answer.json).get("error_type"))


def _refusal(answer: Answer, model: Model) -> FluxDepthError:
    bucket = _bucket(answer)
    if answer.status == 409:  # the key is in use: something of this request is there already
        return failure("answer_broken", provider=model.provider.label, status=answer.status, reason=because(answer))
    if bucket == "service_unavailable":  # its own word for a refusal that clears by itself
        return TryLaterError(f"{model.provider.label} is busy{because(answer)}", seconds=wait_of(answer))
    return refusal(answer, model, cause=REFUSED.get(bucket))


def _ended(bucket: str, answer: Answer, model: Model) -> FluxDepthError:
    """Documented as free are what the filter stopped, and what never left the queue."""
    label, reason = model.provider.label, because(answer) or f" ({bucket})"
    if bucket == "queue_timeout":
        return FailedThereError(f"{label} had no room for this in time", cost="no", remedy="retry")
    error = failure(ENDED.get(bucket, "painting_failed"), provider=label, model=model.label, reason=reason)
    error.cost = error.cost if bucket == "content_policy_violation" else "unknown"
    return error


def _made(result: dict[str, Any], answer: Answer) -> Result:
    """With what it cost: the header has Comfy's own charge, and the body's `cost` is what its provider takes."""
    try:
        usd = round(float(answer.headers.get("x-comfy-credits-used", "")) / CREDITS_PER_USD, 6)
    except ValueError:
        usd = -1.0
    sample = text_in(result.get("sample"))
    return Ready(sample, seed_in(result.get("seed")), usd if 0 <= usd < 1000 else None) if sample else Missing()
