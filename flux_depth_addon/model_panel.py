"""Model Settings: what the model takes, and nothing else."""

from typing import TYPE_CHECKING

import bpy

from . import start_picture
from .button import Button
from .dials import value_of
from .drawing import Part, in_columns, is_narrow, say
from .extra_fields import draw_extras
from .loras import draw_loras
from .properties import model_of, model_or_none, switch_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .core.models import Model as Row
    from .properties import FLUXDEPTH_PG_settings

DIALS = ("steps", "guidance", "control_strength", "safety_tolerance")
"""Those of every picture, in this order; others belong to a fine-tune or a start picture."""


class Model(Part):
    """The panel, in each editor"""

    bl_label = "Model Settings"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.flux_depth
        in_columns(layout, context)
        _draw_seed(layout, settings)
        model = model_or_none(settings)
        if model is None:
            return
        for name in (name for name in DIALS if model.dial(name)):
            _draw_dial(layout, context, model, name)
        _draw_format(layout, context, model)
        if model.prompt_upsampling:
            layout.prop(settings, "prompt_upsampling")
        _draw_finetune(layout, context, model)
        _draw_start(layout, context, model)
        if told := ", ".join(_ranges(model)):
            say(layout, context, f"Takes {told}", "INFO")
        draw_loras(layout, context, model)
        draw_extras(layout, context, model)


class FLUXDEPTH_OT_fit_dials(Button):
    """Set what this model does not take back to its own"""

    bl_idname = "flux_depth.fit_dials"
    bl_label = "Use the Model's Own"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        settings = context.scene.flux_depth
        switch_model(settings, model_of(settings).id)


class FLUXDEPTH_OT_send_clay(Button):
    """Show the model the scene as a clay render, which looks more like the photos that depth is estimated from"""

    bl_idname = "flux_depth.send_clay"
    bl_label = "Send Clay Render"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        context.scene.flux_depth.control = "clay"


def draw_estimates(layout: bpy.types.UILayout, context: bpy.types.Context, model: "Row | None") -> None:
    """That a model takes no depth map, and the button for what suits it; nothing where one is set so already."""
    if model is None or model.control != "picture":
        return
    is_clay = context.scene.flux_depth.control == "clay"
    say(layout, context, "This model estimates depth from the picture itself" if is_clay else model.wants, "INFO")
    if not is_clay:
        layout.operator("flux_depth.send_clay", icon="SHADING_SOLID")


def _draw_seed(layout: bpy.types.UILayout, settings: "FLUXDEPTH_PG_settings") -> None:
    """A value that may be left open."""
    row = layout.row(heading="Seed")
    row.prop(settings, "use_seed", text="")
    if settings.use_seed:
        row.prop(settings, "seed", text="")
    else:
        row.label(text="Random")


def _draw_dial(layout: bpy.types.UILayout, context: bpy.types.Context, model: "Row", name: str) -> None:
    """One dial; what the model does not take is said below it, with a way back."""
    from .core.request import outside

    settings = context.scene.flux_depth
    layout.prop(settings, name)
    if problem := outside(name, value_of(settings, name), model):
        say(layout, context, problem, "ERROR")
        layout.operator("flux_depth.fit_dials", icon="LOOP_BACK")


def _draw_format(layout: bpy.types.UILayout, context: bpy.types.Context, model: "Row") -> None:
    if len(model.formats) < 2:
        return
    parts = layout.column() if is_narrow(context) else layout.split(factor=0.4)
    parts.use_property_split = False
    if not is_narrow(context):
        title = parts.row()
        title.alignment = "RIGHT"
        title.label(text="Format")
    row = parts.row(align=True)
    for name in model.formats:
        row.prop_enum(context.scene.flux_depth, "output_format", name)


def _draw_finetune(layout: bpy.types.UILayout, context: bpy.types.Context, model: "Row") -> None:
    if model.finetune == "none":
        return
    layout.prop(context.scene.flux_depth, "finetune_id")
    if model.finetune_strength:
        _draw_dial(layout, context, model, "finetune_strength")


def _draw_start(layout: bpy.types.UILayout, context: bpy.types.Context, model: "Row") -> None:
    """The picture that is painted over, and how far."""
    if model.start == "none":
        return
    image = start_picture.image_of(context.scene, model)
    column = layout.column()
    column.use_property_split = False
    column.label(text="Start Picture" if model.start == "required" else "Start Picture, if you like")
    column.template_ID(start_picture.settings_of(context.scene), "image", open="image.open")
    if image and model.strength:
        _draw_dial(layout, context, model, "strength")
    if image and start_picture.moves(image):
        say(layout, context, "Of a sequence or a film, the frame that Blender shows now", "INFO")
    if image is None and model.start == "required":
        say(layout, context, "This model paints over a picture: choose one", "ERROR")


def _ranges(model: "Row") -> "Iterator[str]":
    """What the dials may be set to."""
    for name in DIALS:
        if dial := model.dial(name):
            yield f"{name.replace('_', ' ')} {dial.low:g} to {dial.high:g}"


classes = (FLUXDEPTH_OT_fit_dials, FLUXDEPTH_OT_send_clay)
register, unregister = bpy.utils.register_classes_factory(classes)
