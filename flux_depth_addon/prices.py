"""What a picture costs: at the size that the scene asks for, where a model is paid by size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .core.errors import InputError
from .core.models import dollars
from .properties import framing_of

if TYPE_CHECKING:
    import bpy

    from .core.models import Model


def usd_of(scene: bpy.types.Scene, model: Model) -> float:
    """US dollars for one picture of this scene; raises InputError where it has no size."""
    return model.price_of(framing_of(scene, model)) if model.per == "megapixel" else model.price_usd


def price_of(scene: bpy.types.Scene, model: Model) -> str:
    """The same as a label; what the model costs in general where the scene has no size."""
    try:
        return dollars(usd_of(scene, model))
    except InputError:
        return model.price
