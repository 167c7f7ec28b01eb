"""One file per wire protocol: pure functions from a request to a call, and from an answer to what it means.

A file here holds a class derived from `Protocol` and one instance of it named PROTOCOL; its name is the `protocol` of a
provider in models.toml. docs/providers.md tells how one is added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..models import Model
    from ..request import Request

__all__ = [
    "Accepted",
    "Answer",
    "Call",
    "Cancelled",
    "Elsewhere",
    "Event",
    "Missing",
    "Pending",
    "Pictures",
    "Protocol",
    "Ready",
    "Result",
    "Task",
    "protocol",
]


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON, or None when it is not (HTML, for instance)."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Pictures:
    """What is sent besides words and numbers, as whole PNG files."""

    control: bytes
    start: bytes = b""
    """The picture that is painted over; empty for none."""


@dataclass(frozen=True)
class Call:
    """One HTTP exchange to be made. The client adds the key."""

    method: str
    path: str
    """From the base address on, beginning with a slash."""
    query: Mapping[str, str] | None = None
    payload: Mapping[str, object] | None = None
    """The body as JSON, or the fields beside the files."""
    files: Mapping[str, tuple[str, bytes, str]] | None = None
    """A multipart body: by field, a file's name, its bytes and its media type."""
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    """The whole address as the provider itself named it: asked in place of the path where it is the provider's own."""


@dataclass(frozen=True)
class Task:
    """A submission that the provider took, or a ticket for one that it is about to be given."""

    ticket: str
    """The job's id: the same however often the job is gone on with, and no other job's."""
    remote_id: str = ""
    polling_url: str = ""


@dataclass(frozen=True)
class Accepted:
    """The provider took the request: from here on it costs."""

    remote_id: str
    polling_url: str = ""
    cost_usd: float | None = None


@dataclass(frozen=True)
class Pending:
    """Not ready; progress is 0..1, or None where the provider tells none."""

    progress: float | None = None
    preview: bytes | None = None
    """A small picture of how far it is, as a whole file; the client has it from the provider's news."""
    is_queued: bool = False
    """It waits for its turn, so that no time of it is lost yet."""


@dataclass(frozen=True)
class Elsewhere:
    """It is ready, and what came of it is told at that address: the next question goes there."""

    polling_url: str


@dataclass(frozen=True)
class Missing:
    """The provider does not find the task: too early to know it, or too late."""


@dataclass(frozen=True)
class Ready:
    """The picture waits at `sample`: a whole address, or a path from the base address on."""

    sample: str
    seed: int | None = None
    cost_usd: float | None = None
    """What the provider says now that it charges; None where it says nothing."""


Result = Pending | Elsewhere | Missing | Ready


@dataclass(frozen=True)
class Cancelled:
    """What a provider said when it was asked to stop."""

    is_free: bool = False
    """Whether it is certain that nothing is charged."""
    is_late: bool = False
    """Whether the picture was ready before: then it costs, and can be fetched."""


@dataclass(frozen=True)
class Event:
    """What a provider tells of a task while it is at work on it; None for what this event does not tell."""

    progress: float | None = None
    preview: bytes | None = None
    """A small picture of how far it is, as a whole file."""


class Protocol:
    """How a provider is spoken to. What it does not have needs no words: no upload, no cancel, no news."""

    def uploads(self, request: Request, model: Model, pictures: Pictures) -> Sequence[Call]:
        """What must be there before the submission. It costs nothing, and is done again without harm."""
        return ()

    def read_upload(self, answer: Answer, model: Model) -> None:
        """Raise what ends the job before it is sent, or TryLaterError."""

    def submission(self, request: Request, model: Model, pictures: Pictures, ticket: str) -> Call:
        """The call that costs. Made of the arguments alone, without the disk but for what ships with us."""
        raise NotImplementedError

    def read_submission(self, answer: Answer, model: Model) -> Accepted:
        """What the submission came to; raises the error that ends it, or TryLaterError when certainly not taken."""
        raise NotImplementedError

    def question(self, model: Model, task: Task) -> Call:
        """The call that asks how the task is doing."""
        raise NotImplementedError

    def read_result(self, answer: Answer, model: Model, task: Task) -> Result:
        """What a poll says; raises the error that ends the job, or TryLaterError when the answer tells nothing."""
        raise NotImplementedError

    def cancellation(self, model: Model, task: Task) -> Call | None:
        """The call that stops the task; None where there is none. Raises nothing."""
        return None

    def stops(self, model: Model, task: Task) -> Sequence[Call]:
        """The calls that stop the task, where there are several: made in turn until one tells what came of it."""
        call = self.cancellation(model, task)
        return (call,) if call else ()

    def read_cancellation(self, answer: Answer, model: Model) -> Cancelled | None:
        """What came of it, or None where that is not told; raises TryLaterError when it is worth asking again."""
        return Cancelled()

    def probes(self, model: Model) -> Sequence[Call]:
        """Free calls that show whether the provider is there, takes the key, and can make this model's pictures."""
        raise NotImplementedError

    def read_probes(self, answers: Sequence[Answer], model: Model) -> str:
        """What they tell, as a sentence; raises the refusal."""
        raise NotImplementedError

    def shown(self, call: Call) -> Mapping[str, object]:
        """What of a submission the artist is shown, by the names of its fields."""
        return dict(_flat(call.payload or {}))

    def channel(self, model: Model, task: Task) -> str:
        """The path and query at which a WebSocket tells of this task; empty where there is none."""
        return ""

    def read_event(self, message: str | bytes, task: Task) -> Event | None:
        """What a message of that WebSocket tells of this task; None for nothing. Raises nothing."""
        return None


def _flat(fields: Mapping[str, object], within: str = "") -> Iterator[tuple[str, object]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{within}{name}.")
        else:
            yield f"{within}{name}", value


@cache
def protocol(name: str) -> Protocol:
    """The protocol of that name; raises LookupError where there is no such file."""
    try:
        found = import_module(f".{name}", __package__).PROTOCOL
    except (ImportError, AttributeError):
        raise LookupError(name) from None
    if not isinstance(found, Protocol):
        raise LookupError(name)
    return found
