"""The form of a grid in the panel: one axis below the other, then how many pictures that makes and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from . import grid_buttons, obstacles, preferences, variations
from .compare_providers import draw_compare
from .core.errors import InputError
from .drawing import Part, in_columns, is_narrow, say
from .stored_text import text

if TYPE_CHECKING:
    from .core.grid import Grid
    from .variations import FLUXDEPTH_PG_variations

SHORT = 8
"""Letters of a name that stand beside a note."""

LISTED = 24
"""Of the cameras, as many as a panel can show."""


class Variations(Part):
    """The panel, in each editor."""

    bl_label = "Variations"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, form = self.layout, variations.form_of(context.scene)
        in_columns(layout, context)
        grid, problem = _grid(context)
        layout.prop(form, "seeds")
        say(layout, context, _seeds(context, grid))
        _draw_prompts(layout, form)
        _draw_models(layout, form)
        _draw_menu(layout, context, form, "cameras")
        _draw_cameras(layout, context, form)
        _draw_frames(layout, context, form)
        _draw_total(layout, context, grid, problem)


def _grid(context: bpy.types.Context) -> tuple[Grid | None, str]:
    """What the form asks for, or why that cannot be asked."""
    try:
        return variations.grid_of(context), variations.obstacle(context)
    except InputError as error:
        return None, obstacles.reason(error)


def _seeds(context: bpy.types.Context, grid: Grid | None) -> str:
    settings = context.scene.flux_depth
    if not settings.use_seed:
        return "Random ones; every prompt and view gets the same"
    seeds = grid.seeds if grid else [settings.seed]
    return f"Seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"Seed {seeds[0]}"


def _draw_prompts(layout: bpy.types.UILayout, form: FLUXDEPTH_PG_variations) -> None:
    column = layout.column(align=True)
    for number, row in enumerate(form.prompts[: variations.MAX_PROMPTS]):
        line = column.row(align=True)
        line.use_property_split = False
        line.prop(row, "prompt", text="", placeholder="Painted besides")
        line.operator("flux_depth.remove_prompt", text="", icon="X").number = number
    column.operator("flux_depth.add_prompt", icon="ADD")


def _draw_models(layout: bpy.types.UILayout, form: FLUXDEPTH_PG_variations) -> None:
    if len(preferences.table().models) > 1:
        column = layout.column(align=True, heading="Models")
        column.use_property_split = False
        column.prop(form, "models")
        draw_compare(layout)


def _draw_menu(
    layout: bpy.types.UILayout, context: bpy.types.Context, form: FLUXDEPTH_PG_variations, name: str
) -> None:
    """With its name above it where there is no room beside it."""
    if is_narrow(context):
        layout.label(text=name.title())
        layout.prop(form, name, text="")
    else:
        layout.prop(form, name)


def _draw_cameras(layout: bpy.types.UILayout, context: bpy.types.Context, form: FLUXDEPTH_PG_variations) -> None:
    """Each with its note, and a tick where they are chosen."""
    cameras = variations.cameras_in(context)
    named = [(camera, text(camera, otherwise="A name that is not text")) for camera in cameras[:LISTED]]
    stacked = is_narrow(context) or any(len(name) > SHORT for _camera, name in named)
    column = layout.column(align=True)
    column.use_property_split = False
    for camera, name in named:
        shown = variations.camera_form_of(camera)
        row = column.column(align=True) if stacked else column.split(factor=0.35, align=True)
        if form.cameras == "CHOSEN":
            row.prop(shown, "use", text=name)
        else:
            row.label(text=name, icon="CAMERA_DATA")
        row.prop(shown, "note", text="", placeholder="Added to the prompt")
    if len(cameras) > LISTED:
        say(layout, context, f"And {len(cameras) - LISTED} more")
    if not cameras:
        say(layout, context, NO_CAMERAS.get(form.cameras, NO_CAMERAS["THIS"]), "INFO")


NO_CAMERAS = {
    "THIS": "The scene has no camera: add one, or make one active",
    "SELECTED": "Select cameras in the 3D View or the Outliner",
    "CHOSEN": "The scene has no camera: add one",
    "MARKERS": "No timeline marker switches the camera: use Marker › Bind Camera to Markers",
}


def _draw_frames(layout: bpy.types.UILayout, context: bpy.types.Context, form: FLUXDEPTH_PG_variations) -> None:
    if form.cameras == "MARKERS":
        return
    _draw_menu(layout, context, form, "frames")
    if form.frames == "RANGE":
        column = layout.column(align=True)
        for name in ("start", "end", "step"):
            column.prop(form, name)


def _draw_total(layout: bpy.types.UILayout, context: bpy.types.Context, grid: Grid | None, problem: str) -> None:
    if grid:
        say(layout, context, f"{grid.words}  ·  {grid_buttons.renders(grid)}")
    column = layout.column()
    column.scale_y = 1.5
    price = f" {grid.count:,}  ·  {grid.words.rpartition('  ·  ')[2]}" if grid else ""
    button = column.operator("flux_depth.generate_grid", text=f"Generate{price}", icon="RENDER_STILL")
    button.shown = grid.words if grid else ""
    if problem:
        say(layout, context, problem, "INFO")
