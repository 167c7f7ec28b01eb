"""The Depth panel: what the model is shown, near and far, the preview, and what it is worth."""

import bpy

from . import depth_preview
from .drawing import Part, distance, in_columns, is_narrow, say
from .faithfulness import draw_shape
from .properties import model_or_none


class Depth(Part):
    """How metres become grey, and the preview of it"""

    bl_label = "Depth"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.flux_depth
        in_columns(layout, context)
        _draw_control(layout, context)
        clay = settings.control == "clay"
        column = layout.column()
        column.active = not clay
        _draw_end(column, settings, "near")
        _draw_end(column, settings, "far")
        column.prop(settings, "curve")
        draw_shape(column, context)
        column.prop(settings, "engine")
        column.prop(context.window_manager, "flux_depth_range", text="Show Range in View")
        row = layout.row(align=True)
        text = "Preview Clay" if clay else "Preview Depth"
        row.operator("flux_depth.preview_depth", text=text, icon="SHADING_SOLID" if clay else "IMAGE_ZDEPTH")
        row.prop(context.window_manager, "flux_depth_live", text="", icon="FILE_REFRESH")
        _draw_live(layout, context)
        _draw_verdict(layout, context)


def _draw_control(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What the model is shown, what it wants, and why."""
    settings = context.scene.flux_depth
    layout.prop(settings, "control", text="" if is_narrow(context) else "Control")
    if model := model_or_none(settings):
        refused = settings.control == "clay" and model.control == "map"
        say(layout, context, model.wants, "ERROR" if refused else "INFO")


def _draw_end(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup, end: str) -> None:
    """Near or far: by hand or left to the picture, and an eyedropper."""
    row = layout.row(heading=end.title())
    row.prop(settings, f"use_{end}", text="")
    if getattr(settings, f"use_{end}"):
        row.prop(settings, end, text="")
    else:
        row.label(text="Auto")
    row.operator("flux_depth.pick_depth", text="", icon="EYEDROPPER").end = end


def _draw_live(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    if not context.window_manager.flux_depth_live:
        return
    from . import live  # loaded by whoever turned it on

    if live.sentence:
        say(layout, context, live.sentence, "INFO")


def _draw_verdict(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    verdict = depth_preview.verdicts.get(context.scene.session_uid)
    if verdict is None:
        return
    near, far = (distance(context.scene, units) for units in depth_preview.found_in(context.scene, verdict))
    say(layout, context, f"White at {near}, black at {far}", "DRIVER_DISTANCE")
    say(layout, context, verdict.sentence, "CHECKMARK" if verdict.good else "ERROR")
    if verdict.better:
        layout.operator("flux_depth.follow_advice", icon="CHECKMARK")
