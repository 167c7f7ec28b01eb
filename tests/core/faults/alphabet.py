"""Every status in every documented envelope, and what it means: the letters that are put together in every order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from flux_depth_addon.core.sandbox import Answer

from .row import (
    DONE,
    HTML,
    End,
    gateway,
    paid,
    picture,
    refused,
    said,
    unsure,
)

__all__ = ["BODIES", "ENDS", "ENDS_FOR_EVER", "RESULT_ANSWERS", "SUBMIT_STATUSES", "poll_answers"]

Meaning = Literal["wait", "missing", "nothing", "moderated", "failed", "key", "ready"]
"""What an answer to a poll says about the task; nothing: nothing at all."""

SAMPLE = {"sample": "{base}/results/{id}.png", "seed": 7, "prompt": "p", "duration": 7.2}

STATUSES: dict[Meaning, tuple[str, ...]] = {
    "wait": ("Pending", "Reasoning", "Generating", "NOT_START", "SUBMITTED", "QUEUED", "IN_PROGRESS", "Unheard Of"),
    "missing": ("Task not found",),
    "moderated": ("Request Moderated", "Content Moderated"),
    "failed": ("Error", "Failed", "FAILURE"),
    "ready": ("Ready", "SUCCESS"),
}
ENVELOPES: dict[str, Callable[[str, object], object]] = {
    "BFL": lambda word, result: {"id": "{id}", "status": word, "result": result, "progress": None, "details": None},
    "state": lambda word, result: {"id": "{id}", "state": word, "result": result},
    "wrapped": lambda word, result: {"code": "success", "message": "", "data": {"status": word, "data": result}},
    "wrapped twice": lambda word, result: {"code": "success", "data": {"status": word, "data": {"result": result}}},
}
HTTP: dict[int, Meaning | None] = {
    200: None, 202: None, 404: "missing", **dict.fromkeys((301, 400, 408, 429, 500, 502, 503, 504, 524), "nothing"),
}  # fmt: skip
"""By the HTTP status; None: the words in the body say it."""


def poll_answers() -> Iterator[tuple[str, Answer, Meaning]]:
    """Every status in every envelope under every HTTP status, and what it means."""
    for http, by_http in HTTP.items():
        for envelope, wrapped in ENVELOPES.items():
            for meaning, words in STATUSES.items():
                for word in words:
                    result = SAMPLE if meaning == "ready" else None
                    yield f"{http} “{word}” ({envelope})", said(http, wrapped(word, result)), by_http or meaning
    for envelope, wrapped in ENVELOPES.items():
        yield f"200 “Ready” without a sample ({envelope})", said(200, wrapped("Ready", None)), "missing"
    for http in (401, 403):
        yield f"{http} in BFL's envelope", said(http, {"detail": "no"}), "key"
        yield f"{http} in CometAPI's envelope", said(http, gateway("")), "key"
        yield f"{http} in HTML", said(http, HTML), "nothing"
    yield "200 in HTML", said(200, HTML), "nothing"
    yield "200 and nothing", said(200), "nothing"
    yield "a reset", Answer(status=0), "nothing"


RESULT_ANSWERS: list[tuple[str, Answer, Literal["dead", "nothing", "picture"]]] = [
    *((f"{status} for the picture", said(status, HTML), "dead") for status in (400, 401, 403, 404, 410)),
    *((f"{status} for the picture", said(status), "nothing") for status in (206, 302, 429, 500, 503)),
    ("a reset for the picture", Answer(status=0), "nothing"),
    ("HTML for the picture", said(200, HTML), "dead"),
    ("half of the picture", said(200, picture()[:5000]), "dead"),
    ("a JPEG for the picture", said(200, picture("JPEG")), "picture"),
]

ENDS: dict[Meaning, End] = {
    "moderated": refused("picture_moderated", "settings"),
    "failed": unsure("painting_failed"),
    "key": paid("key_refused_later", "preferences"),
}
ENDS_FOR_EVER: dict[Meaning, End] = {
    "wait": paid("too_late"),
    "missing": paid("picture_gone"),
    "nothing": paid("given_up_fetching"),
    "ready": DONE,
} | ENDS

BODIES: dict[str, object] = {
    "nothing": b"",
    "HTML": HTML,
    "BFL's words": {"detail": "words"},
    "BFL's list": {"detail": [{"loc": ["body", "x"], "msg": "words", "type": "t"}]},
    "BFL's other words": {"error": "rate_limit_exceeded", "message": "words", "retry_after": 5},
    "CometAPI's": gateway(""),
    "CometAPI's other": {"code": "bad_response_status_code", "message": "words", "data": None},
}
"""What comes with a refusal, in every envelope that was seen, none with a code that says more than the status."""

SUBMIT_STATUSES: dict[int, End] = {
    **dict.fromkeys((400, 413, 422), refused("setting_refused", "settings")),
    **dict.fromkeys((401, 403), refused("key_refused", "preferences")),
    402: refused("no_funds", "account"),
    **dict.fromkeys((404, 410), refused("model_not_served", "model")),
    **dict.fromkeys((300, 301, 302, 303, 307, 308), refused("no_endpoint", "report")),
    **dict.fromkeys((405, 406, 409, 411, 415, 418, 451), refused("no_endpoint", "report")),
    **dict.fromkeys((408, 499, 500, 501, 502, 503, 504, 507, 520, 522, 524, 529, 599), unsure("answer_broken")),
    **dict.fromkeys((200, 201, 202), unsure("answer_without_id")),
}
