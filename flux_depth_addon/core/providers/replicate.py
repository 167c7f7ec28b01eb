"""The protocol of Replicate: a prediction is made, asked for by its id, and stopped.

Fields, statuses and rules follow replicate.com/docs (reference/http, reference/error-codes, and of topics/predictions:
lifecycle, rate-limits, input-files, data-retention) and the pages of the two models; the words of a log and of an error
are those of the API and of the models' source, github.com/replicate/cog-flux.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from ..causes import failure
from ..errors import FailedThereError, FluxDepthError
from ..models import Model
from ..request import Request
from . import Accepted, Answer, Call, Cancelled, Missing, Pending, Pictures, Protocol, Ready, Result, Task
from ._reading import as_data_uri, because, check_probe, number_in, object_in, refusal, set_only, text_in, unusable

__all__ = ["PROTOCOL"]

MODERATED = re.compile(r"nsfw|sensitive|flagged|moderat|\(E005\)", re.IGNORECASE)
"""What the models say where their filter stops a picture: there is no status for it."""

BAR = re.compile(r"(?P<percent>\d{1,3})%\s*\||(?P<steps>\d{1,4})it \[")
"""The progress in a log: percent, or steps where the model does not know how many there will be."""

SEED = re.compile(r"Using seed: (\d{1,18})\b")
RESETS = re.compile(r"resets in ~?(\d{1,5})s")


class Replicate(Protocol):
    """Pictures go in as data URIs, which are recommended for less than a megabyte; what comes out is a public link."""

    def submission(self, request: Request, model: Model, pictures: Pictures, ticket: str) -> Call:
        """The one POST, which answers at once: it would wait only if `Prefer: wait` was sent."""
        is_dev = model.path.endswith("/flux-depth-dev")  # it keeps the control image's size only when asked
        fields = {
            "prompt": request.prompt,
            model.map_field: as_data_uri(pictures.control),
            "seed": request.seed,
            "num_inference_steps" if is_dev else "steps": request.steps,
            "guidance": request.guidance,
            "safety_tolerance": request.safety_tolerance,
            "prompt_upsampling": request.prompt_upsampling,
            "output_format": "jpg" if request.output_format == "jpeg" else request.output_format,
            "megapixels": "match_input" if is_dev else None,
        }
        path = model.provider.submit.format(model=model.path)
        return Call("POST", path, payload={"input": request.extra_fields | set_only(fields)})

    def read_submission(self, answer: Answer, model: Model) -> Accepted:
        """The prediction's id; what it costs is told nowhere."""
        if answer.status >= 300:
            raise _refusal(answer, model)
        if name := text_in(object_in(answer.json).get("id")):
            return Accepted(name)
        raise failure("answer_without_id", provider=model.provider.label)

    def question(self, model: Model, task: Task) -> Call:
        """By id, which is all that the address in the answer has too."""
        return Call("GET", f"{model.provider.poll}/{quote(task.remote_id, safe='')}")

    def read_result(self, answer: Answer, model: Model, task: Task) -> Result:
        """The prediction as it is now."""
        data = object_in(answer.json)
        if answer.status in (401, 403) and data:  # a firewall's page is no word of theirs
            raise failure("key_refused_later", provider=model.provider.label, reason=because(answer))
        if answer.status == 404:
            return Missing()
        if answer.status >= 300 or not data:
            raise unusable(_with_wait(answer), model)
        if data.get("status") == "succeeded":
            return _ready(data)
        if data.get("status") in ("failed", "canceled", "aborted"):
            raise _ended(data, because(answer), model.provider.label)
        # starting, processing, and a word that is new: it must not end a paid job
        return Pending(_progress(data), is_queued=data.get("status") == "starting")

    def cancellation(self, model: Model, task: Task) -> Call:
        """A prediction that is over stays as it is."""
        return Call("POST", f"{model.provider.poll}/{quote(task.remote_id, safe='')}/cancel")

    def read_cancellation(self, answer: Answer, model: Model) -> Cancelled:
        """Free is what had not begun; what was at work may be charged for its time."""
        data = object_in(answer.json)
        if answer.status >= 300 or not data:
            raise unusable(_with_wait(answer), model)
        return Cancelled(is_free=data.get("status") == "aborted", is_late=data.get("status") == "succeeded")

    def probes(self, model: Model) -> Sequence[Call]:
        """Whose key it is, and whether the model is there."""
        return Call("GET", model.provider.probe), Call("GET", f"/v1/models/{model.path}")

    def read_probes(self, answers: Sequence[Answer], model: Model) -> str:
        """What is left on the account is told nowhere."""
        for answer in answers:
            check_probe(answer, model)
        return f"{model.provider.label} answered, took the key, and has {model.label}. Nothing was charged."


PROTOCOL = Replicate()


def _ready(data: dict[str, Any]) -> Result:
    output = data.get("output")
    sample = text_in(output[0] if isinstance(output, list) and output else output)
    seed = SEED.search(_log(data))
    # What is older than an hour has a null for its output.
    return Ready(sample, int(seed[1]) if seed else None) if sample else Missing()


def _ended(data: dict[str, Any], reason: str, label: str) -> FluxDepthError:
    match data["status"]:
        case "aborted":
            return FailedThereError(f"{label} did not begin with this in time", cost="no", remedy="retry")
        case "canceled":
            return FailedThereError(
                f"{label} was told to stop this", cost="unknown", remedy="retry to have it made anew"
            )
    return failure(
        "picture_moderated" if MODERATED.search(reason) else "painting_failed", provider=label, reason=reason
    )


def _log(data: dict[str, Any]) -> str:
    log = data.get("logs")
    return log if isinstance(log, str) else ""


def _progress(data: dict[str, Any]) -> float | None:
    bars = list(BAR.finditer(_log(data)[-4000:]))
    steps = number_in(object_in(data.get("input")).get("num_inference_steps"))
    whole = 100 if bars and bars[-1]["percent"] else steps
    return min(int(bars[-1]["percent"] or bars[-1]["steps"]) / whole, 1.0) if bars and whole and whole > 0 else None


def _refusal(answer: Answer, model: Model) -> FluxDepthError:
    title = text_in(object_in(answer.json).get("title"))
    return refusal(_with_wait(answer), model, cause="model_not_served" if "Invalid version" in title else None)


def _with_wait(answer: Answer) -> Answer:
    """The time to wait is in the body, as a number or as words."""
    told = RESETS.search(because(answer))
    seconds = number_in(object_in(answer.json).get("retry_after")) or (told and told[1])
    return replace(answer, headers={"retry-after": f"{seconds}", **answer.headers}) if seconds else answer
