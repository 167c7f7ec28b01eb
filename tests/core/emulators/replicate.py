"""Replicate's predictions, from its documentation: replicate.com/docs/reference/http and the pages of the two models.

docs/topics/predictions: lifecycle (the six statuses, and what a stopped one costs), data-retention (a prediction loses
its output after an hour), rate-limits (the 429). docs/reference/error-codes. What a log and the filter say is in the
models' source, github.com/replicate/cog-flux, and in what people quote of the API.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from PIL import Image

from . import Answer, Emulator, Kind, Refusal, Seen, Task, in_json

OWNER = "black-forest-labs"
Schema = dict[str, tuple[type | tuple[type, ...], float | None, float | None] | tuple[str, ...]]
COMMON: Schema = {"prompt": (str, None, None), "control_image": (str, None, None), "seed": (int, None, None)}
SCHEMAS: dict[str, Schema] = {
    "flux-depth-pro": {
        **COMMON,
        "steps": (int, 15, 50),
        "guidance": ((int, float), 1, 100),
        "safety_tolerance": (int, 1, 6),
        "prompt_upsampling": (bool, None, None),
        "output_format": ("jpg", "png"),
    },
    "flux-depth-dev": {
        **COMMON,
        "num_outputs": (int, 1, 4),
        "num_inference_steps": (int, 1, 50),
        "guidance": ((int, float), 0, 100),
        "output_format": ("webp", "jpg", "png"),
        "output_quality": (int, 0, 100),
        "disable_safety_checker": (bool, None, None),
        "megapixels": ("1", "0.25", "match_input"),
    },
}
"""By model: a field's type and range, or its choices."""

REQUIRED = ("prompt", "control_image")
TOP = {"input", "stream", "webhook", "webhook_events_filter"}
FLAGGED = "The input or output was flagged as sensitive. Please try again with different inputs. (E005) (uIJ6l3ruRD)"
BROKEN = "Error starting prediction (E9243)"
BILLING = "Go to https://replicate.com/account/billing#billing to purchase credit."
BAR = " {percent:3d}%|███       | {done}/28 [00:01<00:03,  9.43it/s]"


def problem(status: int, title: str, detail: str, **more: object) -> Answer:
    """The API's envelope of a refusal."""
    return in_json({"title": title, "detail": detail, "status": status, **more}, status)


def invalid(*complaints: tuple[str, str, str]) -> Answer:
    """The one of an input that the model's schema does not allow."""
    listed = [{"type": kind, "field": field, "description": words} for kind, field, words in complaints]
    words = "".join(f"- {field}: {words}\n" for _, field, words in complaints)
    return problem(422, "Input validation failed", words, invalid_fields=listed)


class Replicate(Emulator):
    """api.replicate.com, and replicate.delivery for the pictures, which anyone may have who has the address."""

    provider = "replicate"
    model = "replicate:flux-depth-pro"
    key_header = "Authorization"
    key_prefix = "Bearer "
    queues = True
    costs: ClassVar = {"moderated": "no", "failed": "unknown", "cancelled": "unknown"}
    refusals: ClassVar = {
        "no key": Refusal(problem(401, "Unauthenticated", "You did not pass an authentication token"), "preferences"),
        "no permission": Refusal(problem(403, "Forbidden", "This token may not do that"), "preferences"),
        "no credit": Refusal(
            problem(402, "Insufficient credit", f"You have insufficient credit to run this model. {BILLING}"), "account"
        ),
        "an unknown model": Refusal(
            in_json({"detail": "The requested resource could not be found.", "status": 404}, 404), "model"
        ),
        "an unknown version": Refusal(
            problem(422, "Invalid version or not permitted", "The specified version does not exist"), "model"
        ),
        "a setting": Refusal(invalid(("number_lte", "input.steps", "Must be less than or equal to 50")), "settings"),
        "too large": Refusal(in_json({"detail": "Request entity too large"}, 413), "settings"),
        "malformed": Refusal(in_json({"detail": "Malformed request", "status": 400}, 400), "settings"),
    }
    busy = in_json(
        {"detail": "Request was throttled. Your rate limit resets in ~2s.", "status": 429, "retry_after": 2}, 429
    )

    def kind_of(self, seen: Seen) -> Kind | None:
        """By method and path."""
        if seen.method == "POST" and re.fullmatch(r"/v1/models/[\w-]+/[\w-]+/predictions", seen.path):
            return "submit"
        if seen.method == "POST" and re.fullmatch(r"/v1/predictions/\w+/cancel", seen.path):
            return "cancel"
        if seen.method == "GET" and re.fullmatch(r"/v1/predictions/\w+", seen.path):
            return "poll"
        asks = seen.method == "GET" and re.fullmatch(r"/v1/(account|models/[\w-]+/[\w-]+)", seen.path)
        return "probe" if asks else None

    def new_id(self, number: int) -> str:
        """Like gm3qorzdhgbfurvjtvhg6dckhu."""
        return f"gm3qorzdhgbfurvjtvhg{number:06d}"

    def submit(self, seen: Seen) -> Answer:
        """Held to the model's schema before it is taken."""
        owner, name = seen.path.split("/")[3:5]
        body = seen.json if isinstance(seen.json, dict) else {}
        if owner != OWNER or name not in SCHEMAS:
            return self.refusals["an unknown model"].answer
        if extra := body.keys() - TOP:
            return invalid(*(("additional_property_not_allowed", "", f"{name} is not allowed") for name in extra))
        asked = body.get("input")
        if complaints := list(wrong(SCHEMAS[name], asked if isinstance(asked, dict) else {})):
            return invalid(*complaints)
        task = self.take({"model": name, **body["input"]}, size_of(body["input"]["control_image"]))
        task.seed = body["input"].get("seed", 7)
        return in_json(self.prediction(task, "starting"), 201)

    def poll(self, seen: Seen, task: Task) -> Answer:
        """The prediction as it is by now."""
        if self.is_at_work(task):
            begins = task.pending == self.pending - 1
            return in_json(self.prediction(task, self.word or ("starting" if begins else "processing")))
        if task.is_stopped:
            return in_json(self.prediction(task, "canceled"))
        match self.end(task):
            case "gone":
                return in_json(self.prediction(task, "succeeded") | {"output": None, "data_removed": True, "input": {}})
            case "moderated":
                return in_json(self.prediction(task, "failed") | {"error": FLAGGED})
            case "failed":
                return in_json(self.prediction(task, "failed") | {"error": BROKEN})
        link = self.link(task)
        output = [link] if task.asked["model"] == "flux-depth-dev" else link
        return in_json(self.prediction(task, "succeeded") | {"output": output})

    def cancel(self, seen: Seen, task: Task) -> Answer:
        """It is stopped; one that is over stays what it is."""
        over = "succeeded" if task.ending in ("ready", "gone") else "failed"
        return in_json(self.prediction(task, "canceled" if self.stop(task) or task.is_stopped else over))

    def probe(self, seen: Seen) -> Answer:
        """The account, or the model."""
        if seen.path == "/v1/account":
            return in_json({"type": "organization", "username": "acme", "name": "Acme Corp, Inc.", "github_url": None})
        owner, name = seen.path.split("/")[3:5]
        if owner != OWNER or name not in SCHEMAS:
            return self.refusals["an unknown model"].answer
        return in_json({"owner": owner, "name": name, "visibility": "public", "is_official": True, "run_count": 54_400})

    def unknown_task(self, seen: Seen) -> Answer:
        """The same as for a model."""
        return self.refusals["an unknown model"].answer

    def key_refused(self, seen: Seen) -> Answer:
        """Without one, or with another's."""
        return problem(401, "Unauthenticated", "You did not pass a valid authentication token")

    def prediction(self, task: Task, status: str) -> dict[str, Any]:
        """What every call answers with."""
        place = f"{self.door}/v1/predictions/{task.id}"
        is_over = status in ("succeeded", "failed", "canceled", "aborted")
        return {
            "id": task.id,
            "model": f"{OWNER}/{task.asked['model']}",
            "version": "hidden",
            "input": {name: value for name, value in task.asked.items() if name != "model"},
            "logs": "" if status == "starting" else self.log(task),
            "output": None,
            "data_removed": False,
            "error": None,
            "source": "api",
            "status": status,
            "created_at": "2026-11-27T03:00:00.765994Z",
            "started_at": None if status == "starting" else "2026-11-27T03:00:01.779176Z",
            "completed_at": "2026-11-27T03:00:09.791859Z" if is_over else None,
            "urls": {"get": place, "cancel": f"{place}/cancel", "web": f"https://replicate.com/p/{task.id}"},
            "metrics": {"predict_time": 8.012683, "total_time": 9.1} if is_over else {},
        }

    def log(self, task: Task) -> str:
        """With the bar of a task at work."""
        share = self.progress(task) if task.pending >= 0 else 1.0
        bars = "\r".join(BAR.format(percent=percent, done=percent * 28 // 100) for percent in (0, round(share * 100)))
        return f"Using seed: {task.seed}\n{bars}\n"


EMULATOR = Replicate


def wrong(schema: Schema, fields: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What the model's schema does not allow."""
    yield from (("required", "input", f"{name} is required") for name in REQUIRED if name not in fields)
    for name, value in fields.items():
        if name not in schema:
            yield "additional_property_not_allowed", "input", f"Additional property {name} is not allowed"
            continue
        if isinstance(schema[name][0], str):
            if value not in schema[name]:
                yield "enum", f"input.{name}", f"{name} must be one of the following: {schema[name]}"
            continue
        kind, low, high = schema[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            yield "invalid_type", f"input.{name}", f"Invalid type. Expected: {kind}, given: {type(value).__name__}"
        elif low is not None and not low <= value <= high:
            yield "number_range", f"input.{name}", f"Must be from {low} to {high}"
    if isinstance(fields.get("control_image"), str) and not size_of(fields["control_image"]):
        yield "format", "input.control_image", "Does not match format 'uri'"


def size_of(uri: str) -> tuple[int, int] | None:
    """Of the picture that an address holds; None where it holds none."""
    head, _, text = uri.partition(",")
    if not re.fullmatch(r"data:image/(png|jpeg|gif|webp);base64", head):
        return None
    try:
        with Image.open(io.BytesIO(base64.b64decode(text, validate=True))) as picture:
            picture.load()
            return picture.size
    except (OSError, ValueError):
        return None
