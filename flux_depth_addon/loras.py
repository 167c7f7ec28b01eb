"""A scene's LoRAs: the list, the words that go into the prompt with them, and the list's buttons."""

from typing import TYPE_CHECKING, Any, cast

import bpy
from bpy.props import BoolProperty, CollectionProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from .button import Button
from .core.errors import InputError
from .drawing import is_narrow, one_line, say
from .properties import prompt_of
from .stored_text import UNREADABLE, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .core.models import Model
    from .core.request import Lora

MOST = 100
"""Rows that are read, and the most that a model may be said to take."""

LONGEST = 200
"""Characters of a trigger word: what a file holds besides is left out."""


class FLUXDEPTH_PG_lora(bpy.types.PropertyGroup):
    """A LoRA of a scene"""

    use: BoolProperty(name="Use", description="Send this LoRA", default=True)
    path: StringProperty(
        name="LoRA", description="An address, a repository such as author/name, or a file's name: what the model takes"
    )
    weight: FloatProperty(
        name="Weight", description="How much it counts; 1 is as it was trained", default=1.0, min=-4.0, max=4.0, step=5
    )
    trigger: StringProperty(
        name="Trigger Word", description="Put before the prompt where the prompt does not hold it already"
    )


class FLUXDEPTH_PG_loras(bpy.types.PropertyGroup):
    """The LoRAs of a scene. Saved in the blend file, and sent only to a model that takes some"""

    rows: CollectionProperty(type=FLUXDEPTH_PG_lora)
    active: IntProperty(options={"HIDDEN"})


def settings_of(scene: bpy.types.Scene) -> FLUXDEPTH_PG_loras:
    """The scene's."""
    return cast("Any", scene).flux_depth_loras


def loras_of(scene: bpy.types.Scene, model: "Model") -> "tuple[Lora, ...]":
    """Those that go to this model."""
    from .core.request import Lora

    return tuple(Lora(_path(row), float(f"{row.weight:.6g}")) for row in _used(scene, model))


def found_again(scene: bpy.types.Scene, loras: "tuple[Lora, ...]") -> "tuple[Lora, ...]":
    """These, but where the list has one that a picture would tell so, as it stands there, query and folder too."""
    from .core.loras import shareable
    from .core.request import Lora

    rows = {shareable(Lora(_path(row))).path: _path(row) for row in settings_of(scene).rows[:MOST]}
    return tuple(Lora(rows.get(lora.path, lora.path), lora.scale) for lora in loras)


def put(scene: bpy.types.Scene, loras: "tuple[Lora, ...]") -> None:
    """Have the list be these; the trigger word of one that was on it stays."""
    rows = settings_of(scene).rows
    words = {_path(row): text(row, "trigger")[:LONGEST] for row in rows[:MOST]}
    rows.clear()
    for lora in loras:
        row = rows.add()
        row.path, row.weight, row.trigger = lora.path, lora.scale, words.get(lora.path, "")


def sent_prompt(scene: bpy.types.Scene, model: "Model", prompt: str | None = None) -> str:
    """The prompt, or the scene's own, as this model gets it: with the words that its LoRAs ask for."""
    prompt = prompt_of(scene.flux_depth) if prompt is None else prompt
    rows = list(_used(scene, model))
    if not rows:
        return prompt
    from .core.loras import with_triggers

    return with_triggers(prompt, (text(row, "trigger", otherwise=UNREADABLE)[:LONGEST] for row in rows))


def _used(scene: bpy.types.Scene, model: "Model") -> "Iterator[Any]":
    rows = settings_of(scene).rows[:MOST] if model.loras else ()
    return (row for row in rows if row.use and _path(row))


def _path(row: Any) -> str:
    """Of one that is too long, as much as shows that."""
    return text(row, "path", otherwise=UNREADABLE)[:2000].strip()


class FLUXDEPTH_UL_loras(bpy.types.UIList):
    """Each LoRA with its weight"""

    def draw_item(  # Blender counts the arguments
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: bpy.types.PropertyGroup,
        item: FLUXDEPTH_PG_lora,
        _icon: int,
        _active_data: bpy.types.PropertyGroup,
        _active_property: str,
    ) -> None:
        row = layout.row(align=True)
        row.use_property_split = False
        row.prop(item, "use", text="")
        row.label(text=_named(item))
        if not is_narrow(context):
            weight = row.row(align=True)
            weight.ui_units_x = 3.5
            weight.prop(item, "weight", text="", emboss=False)


def _named(row: FLUXDEPTH_PG_lora) -> str:
    """The end of where it is, which tells it from others."""
    return one_line(_path(row)).rstrip("/").rpartition("/")[2][:60] or "Says not yet where it is"


class FLUXDEPTH_OT_add_lora(Button):
    """Add a LoRA to the list"""

    bl_idname = "flux_depth.add_lora"
    bl_label = "Add LoRA"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        settings = settings_of(context.scene)
        if len(settings.rows) >= MOST:
            raise InputError(f"There are {MOST} LoRAs in the list, the most that there can be: take some away.")
        settings.rows.add()
        settings.active = len(settings.rows) - 1


class FLUXDEPTH_OT_remove_lora(Button):
    """Take the chosen LoRA off the list"""

    bl_idname = "flux_depth.remove_lora"
    bl_label = "Remove LoRA"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        settings = settings_of(context.scene)
        settings.rows.remove(settings.active)
        settings.active = min(settings.active, max(len(settings.rows) - 1, 0))


def draw_loras(layout: bpy.types.UILayout, context: bpy.types.Context, model: "Model") -> None:
    """The list, and below it the chosen row; nothing for a model that takes none."""
    if not model.loras:
        return
    settings = settings_of(context.scene)
    layout.label(text=f"LoRAs, up to {model.loras}" if model.loras > 1 else "One LoRA")
    row = layout.row()
    row.template_list("FLUXDEPTH_UL_loras", "", settings, "rows", settings, "active", rows=2, maxrows=6)
    buttons = row.column(align=True)
    buttons.operator("flux_depth.add_lora", text="", icon="ADD")
    remove = buttons.column(align=True)
    remove.enabled = 0 <= settings.active < len(settings.rows)
    remove.operator("flux_depth.remove_lora", text="", icon="REMOVE")
    if 0 <= settings.active < len(settings.rows):
        column = layout.column(align=True)
        for name in ("path", "weight", "trigger"):
            column.prop(settings.rows[settings.active], name)


def draw_sent_with(layout: bpy.types.UILayout, context: bpy.types.Context, model: "Model | None") -> None:
    """Below the prompt, the words that are put before it."""
    if model is None:
        return
    whole, own = sent_prompt(context.scene, model), prompt_of(context.scene.flux_depth)
    if added := whole.removesuffix(own).rstrip(", ") if own else "":
        say(layout, context, f"Sent with: {added}", "ADD", most=3)


classes = (FLUXDEPTH_PG_lora, FLUXDEPTH_PG_loras, FLUXDEPTH_UL_loras, FLUXDEPTH_OT_add_lora, FLUXDEPTH_OT_remove_lora)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)


def register() -> None:
    """Hang the list on scenes, and show its buttons."""
    _register_classes()
    cast("Any", bpy.types.Scene).flux_depth_loras = PointerProperty(type=FLUXDEPTH_PG_loras)


def unregister() -> None:
    """Take them down; what a blend file holds stays in it."""
    del cast("Any", bpy.types.Scene).flux_depth_loras
    _unregister_classes()
