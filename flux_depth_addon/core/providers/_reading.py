"""What every protocol reads out of an answer: words, numbers, and what a refusal means."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..causes import failure
from ..errors import FluxDepthError, ProviderError, TryLaterError
from ..models import Model
from . import Answer

__all__ = [
    "as_data_uri",
    "because",
    "check_probe",
    "list_in",
    "number_in",
    "object_in",
    "one_line",
    "progress_in",
    "refusal",
    "seed_in",
    "set_only",
    "text_in",
    "unusable",
    "wait_of",
    "words_in",
    "words_of",
]

MAX_TEXT = 8192
"""Characters of an id, a word or an address: what web servers take for one, and four times a signed one."""

STATUSES = {
    400: "setting_refused",
    401: "key_refused",
    402: "no_funds",
    403: "key_refused",
    404: "model_not_served",
    410: "model_not_served",
    413: "setting_refused",
    422: "setting_refused",
}
"""What a status means where the provider says nothing more exact."""

TIMED_OUT = {408, 499}
"""A gateway's words for a request that took too long: it may have passed it on before."""

REASONS = ("error", "detail", "message", "fail_reason", "msg", "title")
"""Where the documented envelopes have their words; the first that is there holds them."""


def refusal(answer: Answer, model: Model, *, cause: str | None = None) -> FluxDepthError:
    """The error of a submission that was not taken, by the cause that the provider's own code names, else its status.

    TryLaterError where it may be sent again as it is.
    """
    label, reason = model.provider.label, because(answer)
    cause = cause or STATUSES.get(answer.status)
    if cause is not None:
        return failure(cause, provider=label, model=model.label, reason=reason)
    # A gateway may say 503 after it passed the request on: only with a time to come back is it a refusal for sure.
    if answer.status == 429 or (answer.status == 503 and wait_of(answer) is not None):
        return TryLaterError(f"{label} is busy (HTTP {answer.status}{reason})", seconds=wait_of(answer))
    if 300 <= answer.status < 500 and answer.status not in TIMED_OUT:
        return failure("no_endpoint", provider=label, status=answer.status)
    return failure("answer_broken", provider=label, status=answer.status, reason=reason)


def unusable(answer: Answer, model: Model) -> TryLaterError:
    """The error of a poll whose answer tells nothing of the task."""
    return TryLaterError(
        f"{model.provider.label} gave no usable answer (HTTP {answer.status})", seconds=wait_of(answer)
    )


def check_probe(answer: Answer, model: Model) -> None:
    """Raise what a free question was refused with."""
    if answer.status >= 500:
        raise ProviderError(f"{model.provider.label} failed (HTTP {answer.status}). Nothing was charged: try later.")
    if answer.status >= 300:
        raise refusal(answer, model)


def because(answer: Answer) -> str:
    """The server's own words as the end of a sentence; nothing where it has none."""
    said = words_of(answer)
    return f": “{said}”" if said else ""


def words_of(answer: Answer) -> str:
    """The server's own words, from any of the documented envelopes, as one line."""
    return one_line(re.sub(r"\s*\(request id:[^)]*\)", "", " ".join(words_in(answer.json))), 300).rstrip(" .")


def words_in(data: object, levels: int = 8) -> Iterator[str]:
    """The words of an envelope; no documented one has more levels, and a hostile one has thousands."""
    match data:
        case str():
            yield data
        case {"loc": [*_, str() | int() as field], "msg": str(msg)}:
            yield f"{field}: {msg}"
        case list() if levels:
            for part in data[:3]:
                yield from words_in(part, levels - 1)
        case dict() if levels:
            named = (data[name] for name in REASONS if data.get(name))
            yield from words_in(next(named, None), levels - 1)


def one_line(words: str, longest: int) -> str:
    """One short printable line."""
    return "".join(letter for letter in " ".join(words.split()) if letter.isprintable())[:longest]


def wait_of(answer: Answer) -> float | None:
    """How many seconds the server asks to wait, within reason; None where it does not."""
    try:
        seconds = float(answer.headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(max(seconds, 0.0), 150.0) if math.isfinite(seconds) else None


def progress_in(value: object) -> float | None:
    """0..1 of a share or of percent."""
    found = number_in(value)
    return None if found is None else min(max(found / 100 if found > 1 else found, 0.0), 1.0)


def seed_in(value: object) -> int | None:
    """A seed that the journal can hold."""
    return value if isinstance(value, int) and number_in(value) is not None and value >= 0 else None


def number_in(value: object) -> float | None:
    """A number that the journal can hold; JSON also has nan and integers without end."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**63:
        return None
    return float(value)


def object_in(value: object) -> dict[str, Any]:
    """A JSON object, or an empty one."""
    return value if isinstance(value, dict) else {}


def list_in(value: object) -> list[Any]:
    """A JSON list, or an empty one."""
    return value if isinstance(value, list) else []


def text_in(value: object) -> str:
    """Text that the journal can hold; JSON also has halves of letters, and lines without end."""
    return value if isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable() else ""


def as_data_uri(png: bytes) -> str:
    """A PNG as an address that holds it, for who takes addresses of pictures."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def set_only(fields: Mapping[str, object]) -> dict[str, object]:
    """Without what is None: an unset field is left out, as a provider may take null for something else."""
    return {name: value for name, value in fields.items() if value is not None}
