"""The queue of fal: a submission, how its task is doing, and then the model's own answer at another address.

Fields, states, envelopes and what is charged follow fal.ai/docs (Queue API, Model Errors, Request Error Types, FAQ,
Publishing to the Marketplace for the billable units) and the models' own pages, .../llms.txt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from ..causes import failure
from ..errors import Cost, FluxDepthError
from ..models import Model
from ..request import Request
from . import Accepted, Answer, Call, Cancelled, Elsewhere, Missing, Pending, Pictures, Protocol, Ready, Result, Task
from ._reading import (
    as_data_uri,
    because,
    check_probe,
    list_in,
    object_in,
    one_line,
    refusal,
    seed_in,
    set_only,
    text_in,
    unusable,
    words_of,
)

__all__ = ["PROTOCOL", "body"]

POLICY = "content_policy_violation"
LOCKED = ("balance", "top_up", "top up")
"""A 403 about money says one of these; any other is about the key, or about the account as a whole."""

THEIRS = ("runner_", "request_timeout", "startup_timeout", "generation_timeout", "internal_")
"""How the types of errors begin that are the server's own: they come with 500 and above, which is never charged."""

NO_TASK = Task("", "00000000-0000-0000-0000-000000000000")
"""Asked for to see whether the key is taken."""


class Fal(Protocol):
    """Submit, poll the task's state, then ask for the result where that state says it is."""

    def submission(self, request: Request, model: Model, pictures: Pictures, ticket: str) -> Call:
        """The one POST; pictures go along as addresses that hold them."""
        return Call("POST", model.provider.submit.format(model=model.path), payload=body(request, model, pictures))

    def read_submission(self, answer: Answer, model: Model) -> Accepted:
        """The task's id, and where its state is told."""
        if answer.status >= 300:
            raise refusal(answer, model, cause=_refused_for(answer))
        data = object_in(answer.json)
        if 0 < len(name := text_in(data.get("request_id"))) <= 500:
            return Accepted(name, text_in(data.get("status_url")))
        raise failure("answer_without_id", provider=model.provider.label)

    def question(self, model: Model, task: Task) -> Call:
        """Where the answers named it, or else by the task's id: the state, and once that was complete the result."""
        return Call("GET", _place(model, task) + ("" if _is_complete(task) else "/status"), url=task.polling_url)

    def read_result(self, answer: Answer, model: Model, task: Task) -> Result:
        """Either the task's state or the model's answer: which it is shows in its shape."""
        data = object_in(answer.json)
        if answer.status == 400 and "in progress" in words_of(answer):
            return Pending()
        if (kind := _kind(answer)) and (answer.status == 200 or (_is_complete(task) and kind != "internal_error")):
            raise _failed(kind, answer, model)  # what else is told in place of a state is trouble of the queue's own
        if answer.status in (401, 403) and data:
            raise failure("key_refused_later", provider=model.provider.label, reason=because(answer))
        if answer.status in (404, 410):
            return Missing()
        if answer.status >= 300 or not data:
            raise unusable(answer, model)
        if "images" in data:
            return _ready(data, answer, model)
        if text_in(data.get("status")) == "COMPLETED":
            return Elsewhere(text_in(data.get("response_url")) or _place(model, task))
        # IN_QUEUE, IN_PROGRESS, and every word that is not known yet
        return Pending(is_queued=text_in(data.get("status")) == "IN_QUEUE")

    def cancellation(self, model: Model, task: Task) -> Call:
        """Beside the task's state."""
        named, found, _ = task.polling_url.partition(f"/requests/{task.remote_id}")
        url = f"{named}{found}/cancel" if found else ""
        return Call("PUT", f"{_place(model, task)}/cancel", url=url)

    def read_cancellation(self, answer: Answer, model: Model) -> Cancelled:
        """Out of the queue it costs nothing; a task at work is asked to stop, and what it costs is not said."""
        status = text_in(object_in(answer.json).get("status"))
        if answer.status >= 400 and status not in ("ALREADY_COMPLETED", "NOT_FOUND"):
            raise unusable(answer, model)
        return Cancelled(is_free=answer.status == 200 and status == "OK", is_late=status == "ALREADY_COMPLETED")

    def probes(self, model: Model) -> Sequence[Call]:
        """The state of a task that there is not: only who shows a key hears that."""
        return (self.question(model, NO_TASK),)

    def read_probes(self, answers: Sequence[Answer], model: Model) -> str:
        """Whether the key was refused; what is left on the account is told to keys of administrators only."""
        if cause := _refused_for(answers[0]):
            raise refusal(answers[0], model, cause=cause)
        if answers[0].status not in (400, 404, 422):
            check_probe(answers[0], model)
        return f"{model.provider.label} answered and did not refuse the key. Nothing was charged."


PROTOCOL = Fal()


def body(request: Request, model: Model, pictures: Pictures) -> dict[str, object]:
    """The JSON of a submission: one picture, at an address."""
    # The model that paints over a start picture documents no such field.
    estimates = request.control == "clay" if model.start == "none" else None
    size = {"width": request.framing.width, "height": request.framing.height} if model.sends_size else None
    return request.extra_fields | set_only(
        {
            "prompt": request.prompt,
            model.map_field: as_data_uri(pictures.control),
            "preprocess_depth": estimates,
            "image_url": as_data_uri(pictures.start) if pictures.start else None,
            "strength": request.strength if pictures.start else None,
            "control_lora_strength": request.control_strength,
            "loras": [{"path": lora.path, "scale": lora.scale} for lora in request.loras] or None,
            "image_size": size,
            "num_inference_steps": request.steps,
            "guidance_scale": request.guidance,
            "seed": request.seed,
            "output_format": request.output_format,
            "num_images": 1,
            "sync_mode": False,
        }
    )


def _place(model: Model, task: Task) -> str:
    """The task's path: of owner and app alone, whatever endpoint of the app it was given to."""
    owner_and_app = "/".join(model.path.split("/")[:2])
    return f"/{owner_and_app}/requests/{quote(task.remote_id, safe='')}"


def _is_complete(task: Task) -> bool:
    """Whether its state was, so that it is asked for its result."""
    return bool(task.polling_url) and not task.polling_url.endswith("/status")


def _ready(data: dict[str, Any], answer: Answer, model: Model) -> Result:
    if True in list_in(data.get("has_nsfw_concepts")):  # the picture is black, and for the server one like any other
        raise _moderated(model, "", "yes")
    if sample := text_in(_first(data.get("images")).get("url")):
        return Ready(sample, seed_in(data.get("seed")), _cost(answer, model))
    return Missing()


def _cost(answer: Answer, model: Model) -> float | None:
    """The header counts the units that are charged, in the unit of the model's price."""
    try:
        units = float(answer.headers.get("x-fal-billable-units", ""))
    except ValueError:
        return None
    return round(units * model.price_usd, 6) if 0 <= units < 1000 else None


def _kind(answer: Answer) -> str:
    """The type of an error, from a list of complaints, from the flat envelope, or from a completed task's state."""
    data = object_in(answer.json)
    return text_in(_first(data.get("detail")).get("type")) or text_in(data.get("error_type"))


def _refused_for(answer: Answer) -> str | None:
    if _kind(answer) == POLICY:
        return "prompt_moderated"
    if answer.status == 403 and any(word in words_of(answer).lower() for word in LOCKED):
        return "no_funds"
    return None


def _failed(kind: str, answer: Answer, model: Model) -> FluxDepthError:
    reason = because(answer) or f" ({one_line(kind, 60)})"
    if kind == POLICY:
        return _moderated(model, reason, "unknown")  # "may still be charged if a runner spent GPU time"
    if answer.status >= 500 or kind.startswith(THEIRS):
        return failure("painting_broke", provider=model.provider.label, reason=reason)
    cause = "refused_there" if answer.status == 422 else "painting_failed"
    return failure(cause, provider=model.provider.label, reason=reason)


def _moderated(model: Model, reason: str, cost: Cost) -> FluxDepthError:
    error = failure("picture_moderated", provider=model.provider.label, reason=reason)
    error.cost, error.remedy = cost, "change the prompt"
    return error


def _first(value: object) -> dict[str, Any]:
    return object_in(next(iter(list_in(value)), None))
