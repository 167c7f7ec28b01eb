"""A picture's record: the request that it was made by, its seed and its cost, as the picture itself tells them.

Never a key, an address or a folder. What is read back may be anybody's: it is held to the types and bounds of a
request that is made here, and what this version does not know is left out.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import provenance
from .depth_map import DepthSettings
from .errors import InputError
from .framing import Framing
from .loras import MAX_PATH, shareable, worded_loras
from .provenance import Said, Source
from .request import LORA_SCALE, MAX_PROMPT, Request, from_json, to_json

__all__ = ["Record", "made_now", "read", "said", "said_of_composite", "worded"]

UNTOLD = ("provenance", "extra")
"""What of a request stands in no picture."""

LONGEST_NAME = 500
"""Characters of any text but the prompt."""

MOST_LORAS = 100
"""As many as a model can be said to take."""

SANDBOX = "sandbox"


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a picture says of itself."""

    request: Request
    """With the seed that was used, where the provider told it."""
    cost_usd: float | None = None
    """What it cost, as far as was known; None where that is not said."""
    software: str = ""
    made: str = ""
    """Date and time, in UTC."""


def made_now(request: Request, *, seed: int | None, cost_usd: float, asked: float) -> Record:
    """The record of a picture that has arrived; `asked` in seconds since 1970."""
    return Record(
        request=replace(request, seed=request.seed if seed is None else seed),
        cost_usd=float(cost_usd),
        software=f"FLUX Depth {provenance.VERSION}",
        made=datetime.fromtimestamp(asked, UTC).isoformat(timespec="seconds"),
    )


def said(record: Record) -> Said:
    """What a picture is to say: all of its record, or where the request wants it so, only who painted it."""
    request = record.request
    painter: Source = "algorithmicMedia" if request.model.partition(":")[0] == SANDBOX else "trainedAlgorithmicMedia"
    if request.provenance == "mark":
        return Said(source=painter)
    row = {name: getattr(record, name) for name in ("software", "made", "cost_usd")} | {"request": _told(request)}
    text = json.dumps(row, ensure_ascii=False)
    return Said(source=painter, system=request.model, prompt=request.prompt, settings=text)


def said_of_composite(picture: Path) -> Said | None:
    """What is to be said of a picture with a render laid over it: what it said, and that only a part is a model's."""
    try:
        before = said(read(picture))
    except InputError:
        return None
    painted = before.source == "trainedAlgorithmicMedia"
    return replace(before, source="compositeWithTrainedAlgorithmicMedia") if painted else before


def _told(request: Request) -> dict[str, Any]:
    """A request as a stranger may read it: of a file no more than its name, whatever came in.

    Extra fields are left out: nobody here knows what they say.
    """
    shown = replace(request, loras=tuple(map(shareable, request.loras)))
    row: dict[str, Any] = json.loads(to_json(shown))
    for name in UNTOLD:
        del row[name]
    return row | {"blend": request.blend.replace("\\", "/").rpartition("/")[2]}


def read(picture: Path) -> Record:
    """What the picture, or the file beside it, says; raises InputError in one sentence."""
    text = provenance.read(picture)
    try:
        _check(text, provenance.MAX_PACKET)
        row = json.loads(text)
        request = _request(row["request"])
        return Record(
            request=request,
            cost_usd=_number(row.get("cost_usd")),
            software=_line(row.get("software")),
            made=_line(row.get("made")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, InputError):
        raise InputError(
            f"What {picture.name} says of how it was made is no request of FLUX Depth: somebody changed it. "
            "Nothing was restored."
        ) from None


def _request(row: dict[str, Any]) -> Request:
    """The request in it; raises what `from_json` raises, and ValueError for what no scene of ours could have asked."""
    known = _known(row, Request)
    known |= {"framing": _known(row["framing"], Framing), "depth": _known(row["depth"], DepthSettings)}
    request = from_json(json.dumps(known))
    for name, text in ((each.name, getattr(request, each.name)) for each in fields(Request)):
        if isinstance(text, str):
            _check(text, MAX_PROMPT if name == "prompt" else LONGEST_NAME)
    _check_loras(request)
    return request


def _check_loras(request: Request) -> None:
    for lora in request.loras:
        _check(lora.path, MAX_PATH)
    if len(request.loras) > MOST_LORAS or not all(
        LORA_SCALE.low <= lora.scale <= LORA_SCALE.high and lora.path.isprintable() for lora in request.loras
    ):
        raise ValueError("not LoRAs of ours")


def _known(row: dict[str, Any], kind: type) -> dict[str, Any]:
    """Without what another version has besides, and what no picture of ours says."""
    return {each.name: row[each.name] for each in fields(kind) if each.name in row and each.name not in UNTOLD}


def _check(text: str, longest: int) -> None:
    text.encode()
    if len(text) > longest or "\0" in text:
        raise ValueError("not a text of ours")


def _number(value: object) -> float | None:
    sound = type(value) in (int, float) and math.isfinite(value) and 0 <= value < 1e6  # type: ignore[arg-type, operator]
    return float(value) if sound else None  # type: ignore[arg-type]


def _line(value: object) -> str:
    return value if isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_NAME else ""


def worded(record: Record) -> dict[str, str]:
    """The record in words, by what each is called: what is not known is left out."""
    request = record.request
    places = {"Blend file": request.blend, "Scene": request.scene, "Camera": request.camera, "Frame": request.frame}
    near, far = request.map_near, request.map_far
    words: dict[str, object] = {
        "Prompt": request.prompt,
        "Model": request.model,
        "Control picture": request.control,
        "Seed": request.seed,
        "Steps": request.steps,
        "Guidance": request.guidance,
        "Safety tolerance": request.safety_tolerance,
        "Fine-tune": request.finetune_id,
        "Fine-tune strength": request.finetune_strength,
        "LoRAs": worded_loras(request.loras),
        "Start picture": "yes" if request.start else None,
        "Strength": request.strength,
        "Control strength": request.control_strength,
        "Size": f"{request.framing.crop_width} × {request.framing.crop_height}",
        "Depth": None if near is None or far is None else f"{near:.4g} to {far:.4g} m, {request.depth.curve}",
        **places,
        "Cost": None if record.cost_usd is None else f"${record.cost_usd:g}",
        "Made": record.made,
        "With": record.software,
    }
    return {name: _plain(value) for name, value in words.items() if value not in (None, "")}


def _plain(value: object) -> str:
    """Fit for a terminal, which takes a stranger's control characters for orders."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)
