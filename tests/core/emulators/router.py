"""Comfy Router's queue, from docs.comfy.org/development/comfy-router: queue, errors, headers, billing, pricing.

Three states, a result that is the model's own, and failures that are COMPLETED with an error bucket. The model's fields
are those of its page there, models/black-forest-labs/flux-pro-1-0-depth/code. Which status a cancelled or timed-out
request's result has is from the contract of the SDKs, github.com/Comfy-Org/comfy-typescript-sdk.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from PIL import Image

from . import Answer, Emulator, Kind, Refusal, Seen, Task, in_json

MODEL = "bfl/flux-pro-1.0-depth"
NUMBERS: dict[str, tuple[type | tuple[type, ...], float, float]] = {
    "guidance": ((int, float), 1, 100),
    "safety_tolerance": (int, 0, 6),
    "seed": (int, -(2**63), 2**63),
    "steps": (int, 15, 50),
}
KINDS = {"prompt": str, "prompt_upsampling": bool, "control_image": str, "preprocessed_image": str}
STATUSES = {"content_policy_violation": 400, "provider_error": 502, "cancelled": 409, "queue_timeout": 504}
"""With which a failed request's result is answered."""

WORDS = {
    "content_policy_violation": "The provider refused this on content-policy grounds.",
    "provider_error": "The provider could not make this.",
    "cancelled": "The request was cancelled.",
    "queue_timeout": "The request waited too long.",
}
BUCKETS = {"moderated": "content_policy_violation", "failed": "provider_error"}


def refused(bucket: str, words: str, status: int, **headers: str) -> Answer:
    """The envelope of what never reached the model, or failed for a reason that the model did not tell."""
    return in_json({"detail": words, "error_type": bucket}, status, X_Comfy_Error_Type=bucket, **headers)


def invalid(*complaints: tuple[str, str]) -> Answer:
    """The model's own one, whose bucket is in the header alone."""
    listed = [{"loc": ["body", name], "msg": words, "type": "value_error"} for name, words in complaints]
    return in_json({"detail": listed}, 422, X_Comfy_Error_Type="invalid_input")


class Router(Emulator):
    """api.comfy.org, and Comfy's storage for the pictures, at signed addresses."""

    provider = "comfyrouter"
    model = "comfyrouter:flux-pro-1.0-depth"
    key_header = "X-API-Key"
    queues = True
    costs: ClassVar = {"moderated": "no", "failed": "unknown", "cancelled": "unknown"}
    told_usd = 0.05
    """10.55 credits, at 211 for a dollar."""
    refusals: ClassVar = {
        "no key": Refusal(refused("unauthorized", "No usable credential.", 401), "preferences"),
        "no credit": Refusal(refused("insufficient_credits", "Not enough credits.", 402), "account"),
        "not entitled": Refusal(refused("forbidden", "Not entitled to this model.", 403), "model"),
        "not switched on": Refusal(refused("not_enabled", "Not enabled for this workspace.", 403), "model"),
        "an unknown model": Refusal(refused("model_not_found", "Did you mean bfl/flux-2-pro?", 404), "model"),
        "a key in use": Refusal(
            refused("concurrency_limit_exceeded", "Still being admitted.", 409, Retry_After="1"), "account", "unknown"
        ),
        "a key that is spent": Refusal(
            refused("invalid_input", "The key is held for a different request.", 409), "account", "unknown"
        ),
        "malformed": Refusal(refused("invalid_input", "The body is not JSON.", 400), "settings"),
        "against a policy": Refusal(refused("content_policy_violation", "Refused.", 400), "settings"),
        "too large": Refusal(refused("invalid_input", "The body is too large.", 413), "settings"),
        "a setting": Refusal(invalid(("steps", "Input should be less than or equal to 50")), "settings"),
    }
    busy = refused("rate_limited", "60 requests a minute.", 429, Retry_After="2")

    def __init__(self, *, pending: int = 2) -> None:
        super().__init__(pending=pending)
        self.keys: dict[str, tuple[bytes, str]] = {}
        """By Idempotency-Key: what was asked under it, and the task's id."""

    def kind_of(self, seen: Seen) -> Kind | None:
        """By method and path."""
        requests = rf"/v2/models/{re.escape(MODEL)}/requests"
        routes: dict[tuple[str, str], Kind] = {
            ("POST", requests): "submit",
            ("GET", rf"{requests}/[0-9a-f-]{{36}}(/status)?"): "poll",
            ("PUT", rf"{requests}/[0-9a-f-]{{36}}/cancel"): "cancel",
            ("GET", r"/v2/models/[a-z0-9._-]+/[a-z0-9._-]+"): "probe",
        }
        return next((kind for (method, path), kind in routes.items() if _matches(seen, method, path)), None)

    def submit(self, seen: Seen) -> Answer:
        """Held to the model's schema, and taken once for one key."""
        fields = seen.json
        if not isinstance(fields, dict):
            return self.refusals["malformed"].answer
        if complaints := list(wrong(fields)):
            return invalid(*complaints)
        key = seen.headers.get("idempotency-key", "")
        if not 1 <= len(key) <= 255:
            return refused("invalid_input", "Idempotency-Key must have 1 to 255 characters.", 400)
        asked, name = self.keys.get(key, (seen.body, ""))
        if asked != seen.body:
            return self.refusals["a key that is spent"].answer
        task = self.tasks[name] if name else self.take(fields, size_of(fields), seed=fields.get("seed"))
        self.keys[key] = seen.body, task.id
        replayed = {"Idempotent_Replayed": "true"} if name else {}
        return in_json({"status": "IN_QUEUE", "queue_position": 3, **self.handle(task)}, 201, **replayed)

    def poll(self, seen: Seen, task: Task) -> Answer:
        """Its state, or its result."""
        if task.ending == "gone":
            return refused("request_not_found", "No such request.", 404)
        if not seen.path.endswith("/status"):
            return self.result(task)
        if self.is_at_work(task):
            waits = task.pending == self.pending - 1
            word = self.word or ("IN_QUEUE" if waits else "IN_PROGRESS")
            state: dict[str, object] = {"status": word, "queue_position": 1 if waits else 0}
        else:
            failed = {"error_type": bucket} if (bucket := self.bucket(task)) else {}
            state = {"status": "COMPLETED", **failed}
        return in_json(state | self.handle(task), Retry_After="2")

    def result(self, task: Task) -> Answer:
        """The model's own, or the failure in words."""
        if task.pending >= 0 and not task.is_stopped:
            return in_json({"status": "IN_PROGRESS", **self.handle(task)}, 202, Retry_After="2")
        if bucket := self.bucket(task):
            return refused(bucket, WORDS[bucket], STATUSES[bucket])
        made = {
            "sample": self.link(task),
            "seed": task.seed,
            "prompt": task.asked["prompt"],
            "duration": 3.4,
            "cost": 5,
        }
        told = {"id": "b2e0c1a4-0f2f-4a55-9f2e-2f9a1c0d4e77", "status": "Ready", "progress": None, "cost": 5}
        return in_json({**told, "result": made}, X_Comfy_Credits_Used="10.55", X_Content_Type_Options="nosniff")

    def cancel(self, seen: Seen, task: Task) -> Answer:
        """A wish that was heard, or one that comes too late."""
        if self.stop(task):
            return in_json({"request_id": task.id, "status": "CANCELLATION_REQUESTED"}, 202)
        return in_json({"request_id": task.id, "status": "ALREADY_COMPLETED"}, 409)

    def probe(self, seen: Seen) -> Answer:
        """The catalogue's entry."""
        if not seen.path.endswith(f"/{MODEL}"):
            return self.refusals["an unknown model"].answer
        provider, _, model = MODEL.partition("/")
        billing = {"charges_on_policy_rejection": "no"}
        return in_json({"id": MODEL, "provider": provider, "model": model, "billing": billing})

    def unknown_task(self, seen: Seen) -> Answer:
        """Another's is unknown too."""
        return refused("request_not_found", "No request with that id exists for this caller and model.", 404)

    def key_refused(self, seen: Seen) -> Answer:
        """Without one, or with another's."""
        return self.refusals["no key"].answer

    def bucket(self, task: Task) -> str:
        """Of a task that is over without a picture."""
        return "cancelled" if task.is_stopped else BUCKETS.get(self.end(task), "")

    def handle(self, task: Task) -> dict[str, object]:
        """What goes with every state."""
        place = f"{self.door}/v2/models/{MODEL}/requests/{task.id}"
        urls = {"status_url": f"{place}/status", "response_url": place, "cancel_url": f"{place}/cancel"}
        return {"request_id": task.id, **urls}


EMULATOR = Router


def _matches(seen: Seen, method: str, path: str) -> bool:
    return seen.method == method and bool(re.fullmatch(path, seen.path))


def wrong(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the model's page does not allow."""
    if not fields.get("prompt"):
        yield "prompt", "Field required"
    for name, (kind, low, high) in NUMBERS.items():
        value = fields.get(name, low)
        if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
            yield name, f"Input should be from {low} to {high}"
    for name, kind in KINDS.items():
        if name in fields and not isinstance(fields[name], kind):
            yield name, f"Input should be a valid {kind.__name__}"
    if fields.get("output_format", "jpeg") not in ("jpeg", "png", "webp"):
        yield "output_format", "Input should be 'jpeg', 'png' or 'webp'"
    if not size_of(fields):
        yield "control_image", "Either control_image or preprocessed_image must be an image in base64"


def size_of(fields: dict[str, Any]) -> tuple[int, int] | None:
    """Of the picture that guides; None where there is none."""
    try:
        text = fields.get("preprocessed_image") or fields.get("control_image") or ""
        with Image.open(io.BytesIO(base64.b64decode(text, validate=True))) as picture:
            picture.load()
            return picture.size
    except (OSError, ValueError, TypeError):
        return None
