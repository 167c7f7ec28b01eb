"""A request: everything that decides a picture, and where in the user's work it came from."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from .depth_map import DepthSettings
from .errors import InputError
from .framing import Framing
from .models import Dial, Model

__all__ = [
    "MAX_PROMPT",
    "MAX_SEED",
    "Control",
    "Request",
    "check",
    "check_control",
    "fingerprint",
    "from_json",
    "to_json",
]

MAX_PROMPT = 10_000
"""Characters. FLUX.1 reads 512 tokens of a prompt, about 2,000 characters; the rest has no effect."""

MAX_SEED = 2**31 - 1
Control = Literal["depth", "clay"]
"""What the control image is: the depth map, or the scene rendered as clay."""

Kind = TypeVar("Kind", Framing, DepthSettings, "Request")
OUTPUT_FORMATS = ("png", "jpeg")
WHENCE = (
    *("blend", "scene", "view_layer", "camera", "camera_matrix", "scene_mark", "frame", "engine", "depth", "control"),
    *("map_near", "map_far", "provenance"),
)
"""What says where a request comes from and decides the picture only by way of the control image."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for. None and the empty text mean: left to the provider."""

    prompt: str
    model: str
    framing: Framing
    depth: DepthSettings = field(default_factory=DepthSettings)
    engine: str = "WORKBENCH"
    control: Control = "depth"
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    safety_tolerance: int | None = None
    prompt_upsampling: bool | None = None
    output_format: str = "png"
    finetune_id: str = ""
    finetune_strength: float | None = None
    blend: str = ""
    """The name of the file, without its folder."""
    scene: str = ""
    view_layer: str = ""
    camera: str = ""
    camera_matrix: tuple[float, ...] = ()
    """The camera object's in the world, 16 numbers row by row in Blender units, at that frame; or none."""
    scene_mark: str = ""
    """Two short hashes, of the lens and of the scene's objects at that frame, to notice what changed since; or none."""
    frame: float = 0.0
    map_near: float | None = None
    map_far: float | None = None
    """Metres: the range that the depth map was made on, be it set or found; None where nobody noted it."""
    provenance: Literal["picture", "sidecar", "mark"] = "picture"
    """Where it is written how the picture was made: in its file, in one beside it too, or only that AI made it."""


HINTS = {kind: get_type_hints(kind) for kind in (Framing, DepthSettings, Request)}
"""Types by field: what comes from the disk is held to them."""


def check(request: Request, model: Model) -> None:
    """Raise InputError for the first thing that the model would refuse, before any money is spent."""
    for complaint in _complaints(request, model):
        raise InputError(f"{complaint} Nothing was sent.")


def check_control(control: str, model: Model) -> None:
    """Raise InputError when the model would take this kind of control image for something else."""
    for complaint in _control_complaints(control, model):
        raise InputError(f"{complaint} Nothing was sent.")


def _complaints(request: Request, model: Model) -> Iterator[str]:
    yield from _prompt_complaints(request.prompt)
    yield from _control_complaints(request.control, model)
    yield from _outside("Steps", request.steps, model.steps)
    yield from _outside("Guidance", request.guidance, model.guidance)
    yield from _outside("Safety tolerance", request.safety_tolerance, model.safety_tolerance)
    yield from _outside("Seed", request.seed, Dial(1, MAX_SEED, 1))
    if request.output_format not in OUTPUT_FORMATS:
        yield f"The output format must be one of {', '.join(OUTPUT_FORMATS)}, not “{request.output_format[:20]}”."
    yield from _finetune_complaints(request, model)
    size, limits = (request.framing.width, request.framing.height), model.limits
    if any(side % limits.multiple or not limits.min_side <= side <= limits.max_side for side in size):
        yield f"{model.label} does not take {size[0]} × {size[1]} pixels: render the depth again for this model."


def _prompt_complaints(prompt: str) -> Iterator[str]:
    if not prompt.strip():
        yield "There is no prompt: write what the picture should show."
    if len(prompt) > MAX_PROMPT:
        yield f"The prompt is longer than {MAX_PROMPT:,} characters, the most that can be sent: shorten it."
    if any("\ud800" <= letter <= "\udfff" or letter in "\0\N{REPLACEMENT CHARACTER}" for letter in prompt):
        yield "The prompt holds a character that is not text: type it again."


def _control_complaints(control: str, model: Model) -> Iterator[str]:
    if control not in get_args(Control):
        yield f"The control picture must be one of {', '.join(get_args(Control))}, not “{control[:20]}”."
    if control == "clay" and model.control == "map":
        yield f"{model.label} would take a clay render for a depth map: choose the depth map, or another model."


def _finetune_complaints(request: Request, model: Model) -> Iterator[str]:
    if model.finetune == "none" and (request.finetune_id or request.finetune_strength is not None):
        yield f"{model.label} takes no fine-tune: clear the fine-tune id, or choose a fine-tuned model."
    if model.finetune == "required" and not request.finetune_id.strip():
        yield f"{model.label} needs the id of a fine-tune trained in your account: enter it, or choose another model."
    if len(request.finetune_id) > 200 or not request.finetune_id.isprintable():
        yield "That is not a fine-tune id: it must be one line of at most 200 characters."
    yield from _outside("Fine-tune strength", request.finetune_strength, model.finetune_strength)


def _outside(name: str, value: float | None, dial: Dial) -> Iterator[str]:
    if value is not None and not dial.low <= value <= dial.high:  # which no nan is
        yield f"{name} must be from {_shown(dial.low)} to {_shown(dial.high)}, not {_shown(value)}."


def _shown(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)[:20]


def fingerprint(request: Request, control: bytes) -> str:
    """The same for two requests whose control images and dials are: 64 hexadecimal digits."""
    dials = {name: value for name, value in asdict(request).items() if name not in WHENCE}
    return hashlib.sha256(json.dumps(dials, sort_keys=True).encode() + control).hexdigest()


def to_json(request: Request) -> str:
    """The request as one line of JSON."""
    return json.dumps(asdict(request))


@lru_cache(maxsize=256)  # a job's request stays the same while its row is read again and again
def from_json(text: str) -> Request:
    """The request that `to_json` wrote; raises InputError when the text is not one."""
    try:
        row: dict[str, Any] = json.loads(text)
        row |= {"framing": _made(Framing, row["framing"]), "depth": _made(DepthSettings, row["depth"])}
        row["camera_matrix"] = tuple(row.get("camera_matrix", ()))
        row["model"].encode()  # or else the journal cannot hold it
        return _made(Request, row)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InputError("This entry of the journal cannot be read.") from None


def _made(kind: type[Kind], row: dict[str, Any]) -> Kind:
    """The dataclass with these values; raises TypeError where one is not of its field's type."""
    if not all(_fits(value, HINTS[kind].get(name)) for name, value in row.items()):
        raise TypeError
    return kind(**row)


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of the annotated type; a number must be one that the journal can hold."""
    kinds = get_args(hint) or (hint,)
    if get_origin(hint) is Literal:
        return value in kinds
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and len(value) in (0, 16) and all(_fits(number, float) for number in value)
    if type(value) is float:
        return float in kinds and math.isfinite(value)
    if type(value) is int:
        return (int in kinds or float in kinds) and abs(value) < 2**63
    return type(value) in kinds
