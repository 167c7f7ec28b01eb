"""Extra fields: what a provider takes and this version does not know yet, passed through as it was typed.

They are kept in the preferences, by model: a stranger's file can add none.
"""

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from . import preferences
from .button import Button
from .core.errors import InputError
from .drawing import is_narrow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .core.models import Model

MOST = 20
"""Of one model, as many as a request takes."""


class FLUXDEPTH_PG_extra(bpy.types.PropertyGroup):
    """A field that is sent to one model besides"""

    model_id: StringProperty(options={"HIDDEN"})
    use: BoolProperty(name="Use", description="Send this field", default=True)
    field: StringProperty(name="Field", description="As the provider's documentation calls it")
    value: StringProperty(name="Value", description="JSON, such as true, 0.5 or [1, 2]; anything else is sent as text")


def rows_of(model: "Model") -> "list[tuple[int, Any]]":
    """Those of a model, each with its place among all."""
    chosen = preferences.current()
    rows: Any = chosen.extras if chosen else ()
    return [(number, row) for number, row in enumerate(rows) if row.model_id == model.id]


def fields_of(model: "Model") -> tuple[tuple[str, str], ...]:
    """Names and values, as a request holds them."""
    return tuple(_fields(model))


def _fields(model: "Model") -> "Iterator[tuple[str, str]]":
    rows = rows_of(model)
    if not rows:
        return
    from .core.extra import json_of

    for _number, row in rows:
        if row.use and row.field.strip():
            yield row.field.strip(), json_of(row.value)


class FLUXDEPTH_OT_add_extra(Button):
    """Send another field to this model. It is kept in the preferences, and in no file"""

    bl_idname = "flux_depth.add_extra"
    bl_label = "Add Extra Field"

    model_id: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def run(self, context: bpy.types.Context) -> None:
        chosen, model = preferences.current(), preferences.table()[self.model_id]
        if chosen is None:
            raise InputError("The preferences are not there: enable the extension first.")
        if len(rows_of(model)) >= MOST:
            raise InputError(f"There are {MOST} extra fields already, the most that a model is sent.")
        chosen.extras.add().model_id = model.id
        context.preferences.is_dirty = True


class FLUXDEPTH_OT_remove_extra(Button):
    """Send this field no more"""

    bl_idname = "flux_depth.remove_extra"
    bl_label = "Remove Extra Field"

    number: IntProperty(options={"HIDDEN", "SKIP_SAVE"})

    def run(self, context: bpy.types.Context) -> None:
        if chosen := preferences.current():
            chosen.extras.remove(self.number)
            context.preferences.is_dirty = True


def draw_extras(layout: bpy.types.UILayout, context: bpy.types.Context, model: "Model") -> None:
    """Each as name and value, and a button for one more."""
    column = layout.column(align=True)
    column.use_property_split = False
    for number, row in rows_of(model):
        place = column.column(align=True) if is_narrow(context) else column.split(factor=0.5, align=True)
        name = place.row(align=True)
        name.prop(row, "use", text="")
        name.prop(row, "field", text="", placeholder="Field")
        value = place.row(align=True)
        value.prop(row, "value", text="", placeholder="JSON or text")
        value.operator("flux_depth.remove_extra", text="", icon="X").number = number
    column.operator("flux_depth.add_extra", icon="ADD").model_id = model.id


classes = (FLUXDEPTH_PG_extra, FLUXDEPTH_OT_add_extra, FLUXDEPTH_OT_remove_extra)
register, unregister = bpy.utils.register_classes_factory(classes)
