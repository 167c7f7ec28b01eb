"""What is done with a finished picture: where it is shown, how it lies on the camera, and what it is compared with."""

import bpy

from . import compare, placement
from .drawing import Part, in_columns, say
from .properties import camera_of


class Result(Part):
    """On the camera: on and off, opacity, in front or behind"""

    bl_label = "Result"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        in_columns(layout, context)
        layout.prop(context.scene.flux_depth, "destination")
        camera = camera_of(context.scene)
        if slot := camera and placement.slot_of(camera):
            _draw_background(layout, context, slot)


class Compare(Part):
    """Two pictures over each other in the Image Editor"""

    bl_label = "Compare"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, owner = self.layout, context.window_manager
        in_columns(layout, context)
        layout.prop(owner.flux_depth_compare, "left")
        layout.prop(owner.flux_depth_compare, "right")
        on = compare.wiping
        layout.operator("flux_depth.compare", icon="ARROW_LEFTRIGHT", depress=bool(on))
        if on:
            layout.operator("flux_depth.flip", text=_with_key("flux_depth.flip", "Image"), icon="UV_SYNC_SELECT")
        if reason := compare.hindrance(owner) or (on and on.problem):
            say(layout, context, reason, "INFO")


def _draw_background(
    layout: bpy.types.UILayout, context: bpy.types.Context, slot: bpy.types.CameraBackgroundImage
) -> None:
    layout.prop(slot, "show_background_image", text="Show on Camera")
    column = layout.column()
    column.active = slot.show_background_image
    column.prop(slot, "alpha", text="Opacity", slider=True)
    column.row().prop(slot, "display_depth", text="Depth", expand=True)
    if context.area.type == "VIEW_3D":
        text = _with_key("flux_depth.flip_background", "3D View")
        layout.operator("flux_depth.flip_background", text=text, icon="UV_SYNC_SELECT")
        if not context.space_data.overlay.show_overlays:
            say(layout, context, "Overlays are off in this view: it shows no picture on a camera", "INFO")


def _with_key(operator: str, keymap: str) -> str:
    key = compare.key_of(operator, keymap)
    return f"Flip  ·  {key}" if key else "Flip"
