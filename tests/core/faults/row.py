"""What a row of the table of faults is made of, and the words in which it is written."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from flux_depth_addon.core.errors import Action, Charged
from flux_depth_addon.core.job import Step
from flux_depth_addon.core.sandbox import Answer
from tests.secrets_watch import marked_key

from .proxy import Play

KEY = marked_key("cometapi")
COMET = "cometapi:flux-pro-1-0-depth-finetuned"
BFL = "bfl:flux-pro-1.0-depth"
HTML = "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"

Entry = Answer | Play | None
Happening = Callable[[Any], None]
"""Something that is done to the test's world."""


@dataclass(frozen=True, kw_only=True)
class End:
    """What a job comes to."""

    step: Step
    charged: Charged
    cause: str = ""
    """In the table of causes; empty where nothing failed."""
    button: Action = ""
    retry: Literal["free", "anew", "refused", ""] = ""
    """What a retry by hand does: go on with the same task for nothing, enter a new job, or neither; empty when done."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row."""

    name: str
    end: End
    submit: Iterable[Entry] = ()
    poll: Iterable[Entry] = ()
    result: Iterable[Entry] = ()
    before: Happening | None = None
    """Done before the first step."""
    model: str = COMET
    keys: tuple[tuple[str, str], ...] = (("cometapi", KEY), ("bfl", marked_key("bfl")))
    timeout: float = 120.0
    hurried: bool = False
    """Whether time limits are cut to half a second, because the provider is slow on purpose."""
    says: str = ""
    """A telling part of the sentence."""
    refused: int = 0
    """Submissions that were certainly not taken, before the one that counts."""
    posts: int = 1
    """Submissions besides those: never more than one."""
    takes: tuple[float, float] = (0.0, 10_000.0)
    """Seconds until the end, at least and at most, by the clock of the job."""
    disk: Literal["", "small", "others"] = ""
    """Small: the journal, its folders and the output lie on a disk of two megabytes. Others: disks come and go."""
    kept_with_job: bool = False
    """Whether the picture ends in the job's own folder instead of where it was wanted."""
    edge: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Damage:
    """One way for the journal's file to be unusable between two sessions, with one paid job in it."""

    name: str
    done: Callable[[Path], None]
    """To the closed file."""
    error: type[Exception]
    says: str
    starts_anew: bool
    """Whether the job is found again from its receipt; otherwise the file is left just as it is."""


DONE = End(step=Step.DONE, charged="yes")
CANCELLED = End(step=Step.CANCELLED, charged="yes", retry="free")


def unsent(cause: str, button: Action, retry: Literal["anew", "refused"] = "anew") -> End:
    return End(step=Step.FAILED, charged="no", cause=cause, button=button, retry=retry)


refused = unsent


def unsure(cause: str) -> End:
    return End(step=Step.FAILED, charged="unknown", cause=cause, button="account", retry="anew")


def paid(cause: str, button: Action = "retry") -> End:
    return End(step=Step.FAILED, charged="yes", cause=cause, button=button, retry="free")


def said(status: int = 200, body: object = b"", **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def gateway(code: str, message: str = "words (request id: 2026112200)") -> dict[str, object]:
    """CometAPI's envelope of a refusal."""
    return {"error": {"message": message, "type": "comet_api_error", "param": "", "code": code}}


def state(status: object, **more: object) -> Answer:
    """BFL's envelope of a poll."""
    nothing = {"id": "{id}", "status": status, "result": None, "progress": None, "details": None, "preview": None}
    return Answer(body=nothing | more)


def task(status: object, **more: object) -> Answer:
    """The other envelope that clients of CometAPI have seen."""
    return Answer(body={"code": "success", "message": "", "data": {"status": status, "fail_reason": "", **more}})


def picture(kind: str = "PNG", size: tuple[int, int] = (320, 256), mode: str = "RGB") -> bytes:
    """A picture whose pixels differ, so that it does not compress to nothing."""
    buffer = BytesIO()
    Image.effect_noise(size, 80).convert(mode).save(buffer, kind)
    return buffer.getvalue()


def black(width: int, height: int) -> bytes:
    """Many pixels in few bytes."""
    buffer = BytesIO()
    Image.new("1", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


PENDING = state("Pending", progress=0.25)
NOT_FOUND = state("Task not found")
OLD_LINK = state("Ready", result={"sample": "{base}/results/old.png?sig=1", "seed": 7})
DEAD = said(403, "<?xml version='1.0'?><Error><Code>AuthenticationFailed</Code></Error>")
NO_CHANNEL = "no available channel for group default and model X (distributor) (request id: 1)"
STEPS = {"loc": ["body", "steps"], "msg": "Input should be less than or equal to 50", "type": "less_than_equal"}
LONG_ECHO = base64.b64encode(bytes(90_000)).decode()
