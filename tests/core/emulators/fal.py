"""fal's queue, from its documentation: fal.ai/docs, and .../flux-control-lora-depth/llms.txt for the fields.

Queue API (submit, status, result, cancel): three states, 202 while a task waits or is at work, the result as the model
itself answered, addresses of owner and app alone. Model Errors and Request Error Types: the two envelopes.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from PIL import Image

from . import Answer, Emulator, Kind, Refusal, Seen, Task, in_json

MODELS = ("fal-ai/flux-control-lora-depth", "fal-ai/flux-control-lora-depth/image-to-image")
NUMBERS: dict[str, tuple[type | tuple[type, ...], float, float]] = {
    "num_inference_steps": (int, 1, 50),
    "guidance_scale": ((int, float), 0, 35),
    "control_lora_strength": ((int, float), 0, 2),
    "strength": ((int, float), 0.01, 1),
    "num_images": (int, 1, 4),
    "seed": (int, -math.inf, math.inf),
}
KINDS: dict[str, type] = {
    "prompt": str,
    "preprocess_depth": bool,
    "sync_mode": bool,
    "enable_safety_checker": bool,
    "loras": list,
}
REQUIRED = {
    MODELS[0]: ("prompt", "control_lora_image_url"),
    MODELS[1]: ("prompt", "control_lora_image_url", "image_url"),
}
ABSENT = {MODELS[0]: ("strength",), MODELS[1]: ("preprocess_depth",)}
"""What the page of that endpoint does not list: a client has no business to send it."""
LOCKED = "User is locked. Reason: {}"
EXHAUSTED = "Exhausted balance. Top up your balance at fal.ai/dashboard/billing."


def complaint(name: str, kind: str, words: str) -> dict[str, object]:
    """One entry of the list in `detail`."""
    url = f"https://docs.fal.ai/errors#{kind}"
    return {"loc": ["body", name], "msg": words, "type": kind, "url": url, "input": None}


def invalid(*complaints: object) -> Answer:
    """A model's refusal."""
    return in_json({"detail": list(complaints)}, 422, X_Fal_Retryable="false")


def broke(kind: str, words: str, status: int) -> Answer:
    """The server's own failure."""
    return in_json({"detail": words, "error_type": kind}, status, X_Fal_Error_Type=kind)


def says(words: str, status: int) -> Answer:
    """A refusal before there is a task."""
    return in_json({"detail": words}, status)


FLAGGED = complaint("prompt", "content_policy_violation", "The content was flagged by a content checker.")


class Fal(Emulator):
    """queue.fal.run."""

    provider = "fal"
    model = "fal:flux-control-lora-depth"
    key_header = "Authorization"
    key_prefix = "Key "
    queues = True
    costs: ClassVar = {"moderated": "unknown", "failed": "no", "cancelled": "no", "cancelled at work": "unknown"}
    told_usd = 0.04
    refusals: ClassVar = {
        "no key": Refusal(says("Authentication is required to access this application.", 401), "preferences"),
        "another's key": Refusal(says("Cannot access application", 403), "preferences"),
        "exhausted balance": Refusal(says(LOCKED.format(EXHAUSTED), 403), "account"),
        "top up": Refusal(says(LOCKED.format("TOP_UP."), 403), "account"),
        "admin lock": Refusal(says(LOCKED.format("Admin lock. Please contact support@fal.ai."), 403), "preferences"),
        "no credit": Refusal(says("Payment required", 402), "account"),
        "no such app": Refusal(says("Application 'flux-control-lora-depth' not found", 404), "model"),
        "flagged": Refusal(invalid(FLAGGED), "settings"),
        "a setting": Refusal(invalid(complaint("guidance_scale", "less_than_equal", "Too much")), "settings"),
        "malformed": Refusal(broke("bad_request", "Malformed request", 400), "settings"),
        "too large": Refusal(says("Request body too large", 413), "settings"),
    }

    def kind_of(self, seen: Seen) -> Kind | None:
        """By method and path."""
        if seen.method == "POST" and seen.path.strip("/") in MODELS:
            return "submit"
        if not re.fullmatch(
            r"/fal-ai/flux-control-lora-depth/requests/[0-9a-f-]{36}(/status|/response|/cancel)?", seen.path
        ):
            return None
        if seen.path.endswith("/cancel"):
            return "cancel" if seen.method == "PUT" else None
        return "poll" if seen.method == "GET" else None

    def submit(self, seen: Seen) -> Answer:
        """Take it as it is: the queue looks at nothing, the model does, later. The suite hears of it at once."""
        fields = seen.json if isinstance(seen.json, dict) else {}
        if complaints := list(wrong(seen.path.strip("/"), fields)):
            return invalid(*complaints)
        size = fields["image_size"]["width"], fields["image_size"]["height"]
        task = self.take(fields, size, seed=fields.get("seed"))
        return in_json({"status": "IN_QUEUE", "request_id": task.id, "queue_position": 0, **self.places(task)})

    def places(self, task: Task) -> dict[str, str]:
        """The addresses that go with a task."""
        place = f"{self.door}/{MODELS[0]}/requests/{task.id}"
        return {"response_url": place, "status_url": f"{place}/status", "cancel_url": f"{place}/cancel"}

    def poll(self, seen: Seen, task: Task) -> Answer:
        """The state, or the result."""
        if task.ending == "gone" or (task.is_stopped and not seen.path.endswith("/status")):
            return self.unknown_task(seen)
        if not seen.path.endswith("/status"):
            return self.result(task)
        told = {"request_id": task.id, **self.places(task)}
        if self.is_at_work(task):
            waits = task.pending == self.pending - 1
            word = self.word or ("IN_QUEUE" if waits else "IN_PROGRESS")
            more = {"queue_position": 1} if waits else {"logs": None}
            return in_json({"status": word, **told, **more}, 202)
        if task.is_stopped:
            return in_json(
                {"status": "COMPLETED", **told, "error": "Request was cancelled", "error_type": "client_cancelled"}
            )
        if self.end(task) == "failed":
            error = {"error": "Runner disconnected", "error_type": "runner_disconnected"}
            return in_json({"status": "COMPLETED", **told, "logs": None, "metrics": {}, **error})
        return in_json({"status": "COMPLETED", **told, "logs": None, "metrics": {"inference_time": 3.42}})

    def result(self, task: Task) -> Answer:
        """What the model answered."""
        if task.pending > 0:
            return in_json({"detail": "Request is still in progress"}, 400)
        match self.end(task):
            case "moderated":
                return invalid(FLAGGED)
            case "failed":
                return broke("runner_disconnected", "Runner disconnected", 503)
        width, height = task.size
        number = task.asked.get("num_images", 1)
        image = {"url": self.link(task), "width": width, "height": height, "content_type": "image/png"}
        told = {"images": [image] * number, "seed": task.seed, "has_nsfw_concepts": [False] * number, "timings": {}}
        units = math.ceil(width * height / (1024 * 1024)) * number
        return in_json({**told, "prompt": task.asked["prompt"]}, x_fal_billable_units=str(units))

    def cancel(self, seen: Seen, task: Task) -> Answer:
        """Out of the queue; or the one who is at work is asked to stop; or too late."""
        begun = self.is_begun(task)
        if self.stop(task):
            return in_json({"status": "CANCELLATION_REQUESTED"}, 202) if begun else in_json({"status": "OK"})
        return in_json({"status": "ALREADY_COMPLETED"}, 400)

    def unknown_task(self, seen: Seen) -> Answer:
        """In the words of the operation."""
        return in_json({"status": "NOT_FOUND"} if seen.kind == "cancel" else {"detail": "Request not found"}, 404)

    def key_refused(self, seen: Seen) -> Answer:
        """Without one, or with another's."""
        return self.refusals["no key"].answer


EMULATOR = Fal


def wrong(model: str, fields: dict[str, Any]) -> Iterator[object]:
    """What the model's page does not allow."""
    yield from (complaint(name, "missing", "Field required") for name in REQUIRED[model] if not fields.get(name))
    for name, value in fields.items():
        if name in ABSENT[model]:
            yield complaint(name, "extra_forbidden", "This endpoint has no such field")
        elif name in NUMBERS:
            kind, low, high = NUMBERS[name]
            if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
                yield complaint(name, "less_than_equal", f"Input should be from {low} to {high}")
        elif name in KINDS and not isinstance(value, KINDS[name]):
            yield complaint(name, "type", f"Input should be a {KINDS[name].__name__}")
    for name in ("control_lora_image_url", "image_url"):
        if name in fields and not is_picture(fields[name]):
            yield complaint(name, "image_load_error", "Failed to load the image")
    for lora in fields.get("loras") or ():
        if not (isinstance(lora, dict) and isinstance(lora.get("path"), str) and 0 <= lora.get("scale", 1) <= 4):
            yield complaint("loras", "less_than_equal", "Input should be a path, and a scale from 0 to 4")
    if fields.get("output_format", "jpeg") not in ("jpeg", "png"):
        yield complaint("output_format", "one_of", "Input should be 'jpeg' or 'png'")
    size = fields.get("image_size")
    if not (isinstance(size, dict) and all(isinstance(size.get(side), int) for side in ("width", "height"))):
        yield complaint("image_size", "type", "Input should have a width and a height")  # or a name, which is not ours


def is_picture(address: object) -> bool:
    """Whether it is an address that holds a whole picture; the other kind needs a network."""
    head, _, text = address.partition(",") if isinstance(address, str) else ("", "", "")
    if not re.fullmatch(r"data:image/(png|jpeg|webp);base64", head):
        return False
    try:
        with Image.open(io.BytesIO(base64.b64decode(text, validate=True))) as picture:
            picture.load()
    except (OSError, binascii.Error):
        return False
    return True
