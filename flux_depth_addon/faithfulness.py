"""The faithfulness dial: five stops from exact to inspired, and the shape of the depth map that they set."""

from functools import cache
from typing import TYPE_CHECKING, cast

import bpy
from bpy.props import EnumProperty, FloatProperty, PointerProperty

from .core.shape import LIMITS
from .drawing import is_narrow

if TYPE_CHECKING:
    from .core.faithfulness import Stop
    from .core.models import Dial
    from .properties import FLUXDEPTH_PG_settings

CUSTOM = 99
"""Its number in the menu, beyond that of every stop."""

FORM = ("detail", "blur", "gamma")


def _bounds(name: str) -> dict[str, float]:
    low, high = LIMITS[name]
    return {"min": low, "max": high}


def _menu_items(shape: "FLUXDEPTH_PG_shape", _context: object) -> list[tuple[str, str, str, int]]:
    return _items(_stop(shape) is None)


@cache
def _items(with_custom: bool) -> list[tuple[str, str, str, int]]:
    from .core.faithfulness import STOPS  # only for whoever looks: it would make every start of Blender slower

    # Blender keeps no reference to these texts, so they must stay alive here.
    stops = [(stop.name, stop.label, stop.says, number) for number, stop in enumerate(STOPS)]
    custom = ("custom", "Custom", "Guidance, detail, blur and gamma as set by hand", CUSTOM)
    return [*stops, custom] if with_custom else stops


def _stop(shape: "FLUXDEPTH_PG_shape") -> "Stop | None":
    from .core.faithfulness import stop_at

    settings = _settings(shape)
    return stop_at(settings.guidance, shape.detail, shape.blur, shape.gamma, dial=guidance_of(settings))


def _settings(shape: "FLUXDEPTH_PG_shape") -> "FLUXDEPTH_PG_settings":
    return cast("bpy.types.Scene", shape.id_data).flux_depth


def _get_stop(shape: "FLUXDEPTH_PG_shape") -> int:
    from .core.faithfulness import STOPS

    stop = _stop(shape)
    return STOPS.index(stop) if stop else CUSTOM


def _set_stop(shape: "FLUXDEPTH_PG_shape", number: int) -> None:
    from .core.faithfulness import STOPS, guidance_at

    if number < CUSTOM:
        settings, stop = _settings(shape), STOPS[number]
        _guidance, shape.detail, shape.blur, shape.gamma = stop.values
        if (guidance := guidance_at(stop, guidance_of(settings))) is not None:
            settings.guidance = guidance


def guidance_of(settings: "FLUXDEPTH_PG_settings") -> "Dial | None":
    """The guidance of the scene's model; None where it has none. Of one that is not in the table, the usual."""
    from .core.faithfulness import USUAL
    from .core.models import Dial
    from .properties import model_or_none

    model = model_or_none(settings)
    return model.guidance if model else Dial(0.0, 100.0, USUAL)


class FLUXDEPTH_PG_shape(bpy.types.PropertyGroup):
    """What a scene's depth map is made to say. Saved in the blend file"""

    faithfulness: EnumProperty(
        name="Faithfulness",
        description="How closely the picture keeps to the scene: sets guidance, and what the depth map says",
        items=_menu_items,
        get=_get_stop,
        set=_set_stop,
        options=set(),
    )
    detail: FloatProperty(
        name="Detail",
        description="How much fine relief the depth map has: 0 large shapes only, 1 as rendered, more brings it out",
        default=1.0,
        precision=2,
        step=10,
        **_bounds("Detail"),
    )
    blur: FloatProperty(
        name="Blur",
        description="Softens the depth map, as a share of its height; the outline against the background stays sharp",
        default=0.0,
        precision=3,
        step=0.1,
        **_bounds("Blur"),
    )
    gamma: FloatProperty(
        name="Gamma",
        description="Above 1 the distance sinks into black and is left to the prompt; below 1 it is told apart more",
        default=1.0,
        precision=2,
        step=10,
        **_bounds("Gamma"),
    )


def shape_of(scene: bpy.types.Scene) -> dict[str, float]:
    """Detail, blur and gamma, as the depth map takes them."""
    return {name: getattr(scene.flux_depth_shape, name) for name in FORM}


def draw_dial(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The stops as a menu; its name beside it where there is room, else above."""
    shape = context.scene.flux_depth_shape
    row = layout.column() if is_narrow(context) else layout.split(factor=0.4, align=True)
    row.label(text="Faithfulness")
    row.prop(shape, "faithfulness", text="")


def draw_shape(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Each value by itself."""
    column = layout.column(align=True)
    for name in FORM:
        column.prop(context.scene.flux_depth_shape, name)


_register_classes, _unregister_classes = bpy.utils.register_classes_factory((FLUXDEPTH_PG_shape,))


def register() -> None:
    """Hang the shape on scenes."""
    _register_classes()
    bpy.types.Scene.flux_depth_shape = PointerProperty(type=FLUXDEPTH_PG_shape)


def unregister() -> None:
    """Take it down; what a blend file holds stays in it."""
    del bpy.types.Scene.flux_depth_shape
    _unregister_classes()
    _items.cache_clear()
