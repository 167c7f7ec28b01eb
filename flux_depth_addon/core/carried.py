"""A request that was made for one model, as another takes it; and what of it stays behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .models import DIALS, Model
from .request import Request, check, fitted

__all__ = ["asked_of", "carried", "left_out"]

WHOLE = ("steps", "safety_tolerance")
"""The dials that are counted, not measured."""


def carried(request: Request, old: Model | None, new: Model) -> Request:
    """The same picture asked of another model: what it has no place for stays behind, and `left_out` says what.

    `old`: the model that it was made for, or None where the table has it no more. The size stays as it is, and so does
    the kind of control image: whether the new model takes them is for `request.check` to say.
    """
    return replace(
        request,
        model=new.id,
        **_dials(request, old, new),
        prompt_upsampling=request.prompt_upsampling if new.prompt_upsampling else None,
        output_format=request.output_format if request.output_format in new.formats else new.formats[0],
        finetune_id=request.finetune_id if new.finetune != "none" else "",
        loras=request.loras[: new.loras],
        start=request.start if new.start != "none" else "",
        extra=request.extra if _speak_alike(old, new) else (),
    )


def asked_of(request: Request, old: Model | None, new: Model) -> Request:
    """The same, where the new model takes it; raises InputError for what it would refuse."""
    made = carried(request, old, new)
    check(made, new)
    return made


def left_out(request: Request, old: Model | None, new: Model) -> list[str]:
    """What was set and stays behind, in words: `the fine-tune`, `guidance 30`; nothing where all of it is carried."""
    return list(_behind(request, carried(request, old, new), old))


def _dials(request: Request, old: Model | None, new: Model) -> dict[str, Any]:
    """What was left to the provider is left to the next one too."""
    asked = {name: getattr(request, name) for name in DIALS}
    found = {name: value for name, value in fitted(asked, old, new).items() if asked[name] is not None}
    if not request.finetune_id or new.finetune == "none":
        found.pop("finetune_strength", None)
    counted = {name: int(value) for name in WHOLE if (value := found.get(name)) is not None}
    return dict.fromkeys(DIALS) | found | counted


def _behind(asked: Request, made: Request, old: Model | None) -> Iterator[str]:
    if asked.finetune_id and not made.finetune_id:
        yield "the fine-tune"
    if gone := len(asked.loras) - len(made.loras):
        yield "the LoRA" if gone == 1 == len(asked.loras) else f"{gone} of {len(asked.loras)} LoRAs"
    if asked.start and not made.start:
        yield "the start picture"
    if asked.extra and not made.extra:
        yield "the extra fields"
    for name in DIALS:
        value, dial = getattr(asked, name), old.dial(name) if old else None
        was_set = value is not None and (dial is None or value != dial.default) and name != "finetune_strength"
        if was_set and value != getattr(made, name):
            yield f"{name.replace('_', ' ')} {value:g}"


def _speak_alike(old: Model | None, new: Model) -> bool:
    """Whether a field that one of them knows may mean something to the other."""
    return old is not None and old.provider.protocol == new.provider.protocol
