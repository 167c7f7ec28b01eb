"""From a model that is gone to the nearest one that lives, and what the change does to the price."""

from __future__ import annotations

from collections.abc import Container

from .carried import left_out
from .framing import Framing
from .models import Model, Table, dollars
from .request import Request

__all__ = ["can_be_asked", "difference", "living", "nearest"]


def nearest(
    model: Model,
    table: Table,
    ready: Container[str] = (),
    *,
    request: Request | None = None,
    refused: Container[str] = (),
) -> Model | None:
    """The living model that makes most nearly the same picture, for most nearly the same money; None where none lives.

    `ready`: the names of the providers that can be asked now; `request`: what is, or was, asked of the model;
    `refused`: the ids of models that their providers would not serve, whatever the table says of them. In this order:

    1. No sandbox, unless nothing else is there: whoever pays for FLUX does not want a placeholder.
    2. One that can be asked for this: that misses neither a start picture nor a fine-tune, and takes a clay render
       where one is sent.
    3. One that takes a finished depth map: the composition is what the artist came for, and an estimate is another one.
    4. One that takes the most of what was set: size, LoRAs, the fine-tune, the start picture, dials.
    5. One whose provider can be asked now; else one that wants a key, and at last one that wants a server of your own.
    6. One at the same provider.
    7. One that could take as much as the old one: an exact size, a map and nothing else; and LoRAs, which are what a
       fine-tune is today.
    8. One of about the same price.
    """
    others = [other for other in living(table, refused) if other.id != model.id]
    return min(others, key=lambda other: _distance(model, other, ready, request), default=None)


def living(table: Table, refused: Container[str] = ()) -> list[Model]:
    """The models that nobody called retired and no provider refused, in the table's order."""
    return [model for model in table.models.values() if not model.retired and model.id not in refused]


def difference(new_usd: float, old_usd: float) -> str:
    """What a picture costs more or less, in words: `$0.056 less`."""
    more = round(new_usd - old_usd, 6)
    return f"{dollars(abs(more))} {'more' if more > 0 else 'less'}" if more else "the same price"


def _distance(model: Model, other: Model, ready: Container[str], request: Request | None) -> tuple[float, ...]:
    """How far apart they are, by the order that `nearest` tells."""
    framing = request.framing if request else None
    return (
        other.provider.is_ours,
        not can_be_asked(other, request),
        other.control == "picture",
        _loses(model, other, request) if request else 0,
        0 if other.provider.name in ready else 1 + other.provider.chosen_base,
        other.provider.name != model.provider.name,
        _lacks(model, other),
        abs(_usd(other, framing) - _usd(model, framing)),
    )


def can_be_asked(model: Model, request: Request | None) -> bool:
    """Whether it needs nothing that is not there, and nothing that is would be taken for something else."""
    if request is None:
        return "required" not in (model.start, model.finetune)
    missing = (model.start == "required" and not request.start) or (
        model.finetune == "required" and not request.finetune_id
    )
    return not missing and (request.control != "clay" or model.control != "map")


def _loses(model: Model, other: Model, request: Request) -> int:
    """How much of what was set it does not take."""
    return len(left_out(request, model, other)) + (not other.limits.take(request.framing))


def _lacks(model: Model, other: Model) -> int:
    """In how many ways it could be told less than the old one."""
    is_less_sure = model.control == "map" and other.control == "either"
    return (model.sends_size and not other.sends_size) + is_less_sure + (_has_style(model) and not _has_style(other))


def _has_style(model: Model) -> bool:
    return bool(model.loras) or model.finetune != "none"


def _usd(model: Model, framing: Framing | None) -> float:
    return model.price_of(framing) if framing else model.price_usd
