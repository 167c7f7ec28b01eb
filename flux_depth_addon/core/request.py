"""A request: everything that decides a picture, and where in the user's work it came from."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from .depth_map import DepthSettings
from .errors import InputError
from .framing import Framing
from .models import DIALS, Dial, Model

__all__ = [
    "MAX_PROMPT",
    "MAX_SEED",
    "Control",
    "Lora",
    "Request",
    "check",
    "check_control",
    "fingerprint",
    "fitted",
    "from_json",
    "outside",
    "to_json",
]

MAX_PROMPT = 10_000
"""Characters. FLUX.1 reads 512 tokens of a prompt, about 2,000 characters; the rest has no effect."""

NO_TEXT = re.compile("[\0\ud800-\udfff\N{REPLACEMENT CHARACTER}]")
"""What no text has in it: looked for at every redraw, in all of a prompt."""

MAX_SEED = 2**31 - 1
Control = Literal["depth", "clay"]
"""What the control image is: the depth map, or the scene rendered as clay."""

Kind = TypeVar("Kind", Framing, DepthSettings, "Lora", "Request")

MAX_EXTRA = 20
"""Fields that are passed through unknown; no provider has that many new ones at once."""

MAX_EXTRA_TEXT = 2000
"""Characters of one of them."""

TELLS = ("webhook", "callback")
"""What a field's name has that would have the provider send the picture elsewhere."""

LORA_SCALE = Dial(-4.0, 4.0, 1.0)
"""What the hosts that name a range take: fal's schema has 0 to 4, and a local server also takes less than nothing."""
WHENCE = (
    *("blend", "scene", "view_layer", "camera", "camera_matrix", "scene_mark", "frame", "engine", "depth", "control"),
    *("map_near", "map_far", "provenance"),
)
"""What says where a request comes from and decides the picture only by way of the control image."""


@dataclass(frozen=True)
class Lora:
    """A style that the model is given along."""

    path: str
    """An address, a repository's name, or a file's name, whichever the provider takes."""
    scale: float = 1.0


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
    strength: float | None = None
    control_strength: float | None = None
    loras: tuple[Lora, ...] = ()
    start: str = ""
    """Of the picture that is painted over, the SHA-256 in hexadecimal; it lies beside the control image."""
    extra: tuple[tuple[str, str], ...] = ()
    """Fields that are passed through as they are: a name, and its value as JSON."""
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

    @property
    def extra_fields(self) -> dict[str, object]:
        """The fields that are passed through, with their values."""
        return {name: json.loads(value) for name, value in self.extra}


HINTS = {kind: get_type_hints(kind) for kind in (Framing, DepthSettings, Lora, Request)}
"""Types by field: what comes from the disk is held to them."""


def check(request: Request, model: Model) -> None:
    """Raise InputError for the first thing that the model would refuse, before any money is spent."""
    for complaint in _complaints(request, model):
        raise InputError(f"{complaint} Nothing was sent.")


def check_control(control: str, model: Model) -> None:
    """Raise InputError when the model would take this kind of control image for something else."""
    for complaint in _control_complaints(control, model):
        raise InputError(f"{complaint} Nothing was sent.")


def outside(name: str, value: float, model: Model) -> str:
    """Why the model does not take this value for one of DIALS, as a sentence; or nothing."""
    return next(_dial_complaints(name, value, model), "")


def fitted(values: Mapping[str, float | None], old: Model | None, new: Model) -> dict[str, float | None]:
    """The dials of one model as another takes them: what still applies stays, what was the default becomes its own.

    By the names in DIALS; None for a dial that the new model does not have.
    """
    return {name: _fitted(values.get(name), old.dial(name) if old else None, new.dial(name)) for name in DIALS}


def _fitted(value: float | None, old: Dial | None, new: Dial | None) -> float | None:
    if new is None:
        return None
    if value is None or (old and value == old.default) or not new.low <= value <= new.high:
        return new.default
    return value


def _complaints(request: Request, model: Model) -> Iterator[str]:
    yield from _prompt_complaints(request.prompt)
    yield from _control_complaints(request.control, model)
    for name in DIALS:
        yield from _dial_complaints(name, getattr(request, name), model)
    yield from _outside("Seed", request.seed, Dial(1, MAX_SEED, 1))
    if request.output_format not in model.formats:
        yield f"The output format must be one of {', '.join(model.formats)}, not “{request.output_format[:20]}”."
    yield from _finetune_complaints(request, model)
    yield from _lora_complaints(request, model)
    yield from _start_complaints(request, model)
    yield from _extra_complaints(request)
    if not model.limits.take(size := request.framing):
        yield f"{model.label} does not take {size.width} × {size.height} pixels: render the depth again for this model."


def _dial_complaints(name: str, value: float | None, model: Model) -> Iterator[str]:
    label = name.replace("finetune", "fine-tune").replace("_", " ").capitalize()
    dial = model.dial(name)
    if dial is None and value is not None and name != "finetune_strength":
        yield f"{model.label} takes no {label.lower()}: leave it out, or choose another model."
    elif dial is not None:
        yield from _outside(label, value, dial)


def _lora_complaints(request: Request, model: Model) -> Iterator[str]:
    if len(request.loras) > model.loras:
        most = f"at most {model.loras} LoRAs" if model.loras else "no LoRA"
        yield f"{model.label} takes {most}: take some away, or choose another model."
    for lora in request.loras:
        if not lora.path.strip() or len(lora.path) > 1000 or not lora.path.isprintable():
            yield "A LoRA needs one line of at most 1,000 characters that says where it is."
        yield from _outside("The weight of a LoRA", lora.scale, LORA_SCALE)


def _start_complaints(request: Request, model: Model) -> Iterator[str]:
    if model.start == "required" and not request.start:
        yield f"{model.label} needs a start picture: choose one, or choose another model."
    if model.start == "none" and request.start:
        yield f"{model.label} takes no start picture: clear it, or choose another model."


def _extra_complaints(request: Request) -> Iterator[str]:
    if len(request.extra) > MAX_EXTRA:
        yield f"There are more than {MAX_EXTRA} extra fields: take some away."
    for name, value in request.extra:
        if not (0 < len(name) <= 100 and name.isprintable() and len(value) <= MAX_EXTRA_TEXT and _is_json(value)):
            yield "An extra field needs a name of one line and a value of at most 2,000 characters."
        elif any(word in name.lower() for word in TELLS):
            yield f"The extra field “{name}” would have the provider send the picture elsewhere: take it away."


def _is_json(text: str) -> bool:
    """Of JSON proper: Python also reads NaN, which nobody else does."""
    try:
        json.dumps(json.loads(text), allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return True


def _prompt_complaints(prompt: str) -> Iterator[str]:
    if not prompt.strip():
        yield "There is no prompt: write what the picture should show."
    if len(prompt) > MAX_PROMPT:
        yield f"The prompt is longer than {MAX_PROMPT:,} characters, the most that can be sent: shorten it."
    if NO_TEXT.search(prompt):
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
        row["loras"] = tuple(_made(Lora, lora) for lora in row.get("loras", ()))
        row["extra"] = tuple((name, value) for name, value in row.get("extra", ()))
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
        return isinstance(value, tuple) and _fits_tuple(value, kinds[0])
    if type(value) is float:
        return float in kinds and math.isfinite(value)
    if type(value) is int:
        return (int in kinds or float in kinds) and abs(value) < 2**63
    return type(value) in kinds


def _fits_tuple(values: tuple[object, ...], kind: Any) -> bool:
    if kind is float:
        return len(values) in (0, 16) and all(_fits(number, float) for number in values)
    if get_origin(kind) is tuple:
        return all(isinstance(pair, tuple) and all(isinstance(word, str) for word in pair) for pair in values)
    return all(isinstance(value, kind) for value in values)
