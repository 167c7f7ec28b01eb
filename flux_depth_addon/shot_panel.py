"""The Shot panel: which frames, one range and one seed for all, what is missing and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from . import obstacles, preferences, shot, start_picture
from .drawing import Part, in_columns, is_narrow, say
from .properties import model_or_none
from .shot_buttons import told_price

if TYPE_CHECKING:
    from .core.models import Model

HONEST = "Each frame is painted on its own: expect flicker in texture and light. Depth range and seed are locked"


class Shot(Part):
    """A frame range as an image sequence"""

    bl_label = "Shot"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, own = self.layout, shot.settings_of(context.scene)
        in_columns(layout, context)
        layout.prop(own, "title")
        _draw_frames(layout, context, own)
        _draw_range(layout, context, own)
        _draw_resume(layout, context, own)
        layout.prop(own, "anew")
        say(layout, context, HONEST, "INFO")
        _draw_start(layout, context)
        _draw_standing(layout, context)


def _draw_start(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    model = model_or_none(context.scene.flux_depth)
    if model and (image := start_picture.image_of(context.scene, model)):
        which = ": of the sequence, the frame that Blender shows now" if start_picture.moves(image) else ""
        say(layout, context, f"Every frame starts from the same picture{which}", "INFO")


def _draw_frames(layout: bpy.types.UILayout, context: bpy.types.Context, own: shot.FLUXDEPTH_PG_shot) -> None:
    scene = context.scene
    row = layout.row(heading="Frames")
    row.prop(own, "own_frames", text="Own" if own.own_frames else f"Scene's {scene.frame_start}-{scene.frame_end}")
    if own.own_frames:
        column = layout.column(align=True)
        for name in ("start", "end", "step"):
            column.prop(own, name)


def _draw_range(layout: bpy.types.UILayout, context: bpy.types.Context, own: shot.FLUXDEPTH_PG_shot) -> None:
    column = layout.column(align=True)
    if shot.is_locked(own):
        column.prop(own, "near")
        column.prop(own, "far")
    column.operator("flux_depth.find_shot_range", text="Find Range  ·  free", icon="DRIVER_DISTANCE")
    layout.prop(own, "seed")
    if not shot.is_locked(own):
        say(layout, context, "Found on frames of the whole shot, then locked", "UNLOCKED")


def _draw_resume(layout: bpy.types.UILayout, context: bpy.types.Context, own: shot.FLUXDEPTH_PG_shot) -> None:
    if is_narrow(context):
        layout.prop(own, "use_resume")
        if own.use_resume:
            layout.prop(own, "resume_at")
        return
    row = layout.row(heading="Resume at")
    row.prop(own, "use_resume", text="")
    field = row.row()
    field.active = own.use_resume
    field.prop(own, "resume_at")


def _draw_standing(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    standing, model = shot.standing_of(context.scene), model_or_none(context.scene.flux_depth)
    if standing is None:
        say(layout, context, "Looking at the shot's folder…", "FILE_REFRESH")
        return
    if standing.problem:
        say(layout, context, standing.problem, "ERROR")
        return
    say(layout, context, standing.told, "RENDER_ANIMATION")
    if model and shot.to_paint(context.scene, standing):
        _draw_generate(layout, context, standing, model)
    if standing.there:
        column = layout.column(align=True)
        column.operator("flux_depth.shot_on_camera", icon="CAMERA_DATA")
        column.operator("flux_depth.shot_to_sequencer", icon="SEQUENCE")


def _draw_generate(
    layout: bpy.types.UILayout, context: bpy.types.Context, standing: shot.Standing, model: Model
) -> None:
    own, number = shot.settings_of(context.scene), len(shot.to_paint(context.scene, standing))
    column = layout.column()
    column.scale_y = 1.3
    words = f"{number} {'Anew' if own.anew else 'Missing'}  ·  {shot.price_of(context.scene, model, number)}"
    words = words if is_narrow(context) else f"Generate {words}"
    button = column.operator("flux_depth.generate_shot", text=words, icon="RENDER_ANIMATION")
    button.shown_model, button.shown_price = model.id, told_price(context.scene, standing)
    if preferences.has_key(model.provider) and (reason := obstacles.obstacle(context)):
        say(layout, context, reason, "INFO")
