"""The sandbox that ships with the extension: it speaks the protocol of CometAPI and BFL from their documentation.

What is different here is only who serves it, and that a task is at work for so many polls.
"""

from __future__ import annotations

import base64
import io
from email.message import Message
from typing import Any, ClassVar

from PIL import Image

from flux_depth_addon.core.sandbox import Behaviour, Sandbox

from . import Answer, Emulator, Kind, Refusal, Seen, Task, in_json


def gateway(words: str, code: str = "") -> dict[str, object]:
    """CometAPI's envelope of a refusal."""
    error = {"message": f"{words} (request id: 2026112200)", "type": "comet_api_error", "param": "", "code": code}
    return {"error": error}


CHANNEL = "no available channel for group default and model X (distributor)"
STEPS = {"loc": ["body", "steps"], "msg": "too many", "type": "less_than_equal"}
STATES = {"moderated": "Content Moderated", "failed": "Error"}


class Bfl(Emulator):
    """api.cometapi.com, and api.bfl.ai by another path."""

    provider = "cometapi"
    model = "cometapi:flux-pro-1-0-depth-finetuned"
    key_header = "Authorization"
    key_prefix = "Bearer "
    costs: ClassVar = {"moderated": "no", "failed": "unknown"}
    refusals: ClassVar = {
        "a bad key": Refusal(in_json(gateway("invalid token"), 401), "preferences"),
        "no credit": Refusal(in_json({"detail": "Insufficient credits"}, 402), "account"),
        "no quota": Refusal(in_json(gateway("quota is not enough", "insufficient_user_quota"), 403), "account"),
        "an unknown model": Refusal(in_json({"detail": "Not Found"}, 404), "model"),
        "a model that nobody serves": Refusal(in_json(gateway(CHANNEL, "model_not_found"), 503), "model"),
        "a bad request": Refusal(in_json(gateway("bad", "invalid_request"), 500), "settings"),
        "a setting": Refusal(
            in_json({"detail": [{"loc": ["body", "steps"], "msg": "too many", "type": "less_than_equal"}]}, 422),
            "settings",
        ),
        "sensitive words": Refusal(in_json(gateway("no", "sensitive_words_detected"), 400), "settings"),
        "a wrong path": Refusal(Answer(301, {"Location": "https://www.cometapi.com/"}, b"<html>"), "report"),
    }

    def __init__(self, *, pending: int = 2) -> None:
        super().__init__(pending=pending)
        self.sandbox = Sandbox(behaviour=Behaviour(delay=0.0, active_limit=0))
        """Never started: it is asked here what it would say."""

    def asked(self, seen: Seen) -> Answer:
        """What the sandbox says to that."""
        self.sandbox.base = self.door
        headers = Message()
        for name, value in seen.headers.items():
            headers[name] = value
        return self.sandbox.answer(seen.method, seen.target, headers, seen.body)

    def kind_of(self, seen: Seen) -> Kind | None:
        """By method and path."""
        match seen.method, seen.path.strip("/").removeprefix("flux/").split("/"):
            case "POST", ["v1", _]:
                return "submit"
            case "GET", ["v1", "get_result"]:
                return "poll"
            case "GET", ["v1", "models" | "credits"]:
                return "probe"
        return None

    def submit(self, seen: Seen) -> Answer:
        """Checked by the sandbox's rules; the task is one of ours, with its id."""
        answer = self.asked(seen)
        if answer.status != 200:
            return answer
        with Image.open(
            io.BytesIO(base64.b64decode(seen.json.get("control_image") or seen.json["preprocessed_image"]))
        ) as image:
            size = image.size
        task = self.take(seen.json, size, seed=seen.json.get("seed"))
        return in_json({"id": task.id, "polling_url": f"{self.door}/flux/v1/get_result?id={task.id}"})

    def poll(self, seen: Seen, task: Task) -> Answer:
        """One address for the state and the result."""
        told: dict[str, Any] = {"id": task.id, "result": None, "progress": None, "details": None}
        if task.ending == "gone":
            return self.unknown_task(seen)
        if self.is_at_work(task):
            return in_json(told | {"status": self.word or "Pending", "progress": self.progress(task)})
        if (ending := self.end(task)) in STATES:
            return in_json(told | {"status": STATES[ending]})
        return in_json(told | {"status": "Ready", "result": {"sample": self.link(task), "seed": task.seed}})

    def probe(self, seen: Seen) -> Answer:
        """The list of models."""
        return self.asked(seen)

    def unknown_task(self, seen: Seen) -> Answer:
        """As CometAPI documents it: with status 200."""
        return in_json({"id": "", "status": "Task not found", "result": None})

    def key_refused(self, seen: Seen) -> Answer:
        """In the gateway's envelope."""
        return self.refusals["a bad key"].answer


EMULATOR = Bfl
