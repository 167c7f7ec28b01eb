"""Words in a panel: sentences that wrap, and times that read."""

from __future__ import annotations

import textwrap
import time

import bpy


def say(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """A sentence, wrapped to the sidebar's width."""
    scale = context.preferences.system.ui_scale or 1.0  # 0 where there is no window
    letter = 6.2 * scale  # an average letter of Blender's interface font, in pixels
    margin = 45 if icon == "NONE" else 65
    room = int((context.region.width - margin * scale) / letter)
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(textwrap.wrap(text, max(room, 12))):
        column.label(text=line, icon=icon if number == 0 else "BLANK1" if icon != "NONE" else "NONE")


def is_narrow(context: bpy.types.Context) -> bool:
    """Whether two buttons with words would not fit beside each other."""
    return context.region.width < 260 * (context.preferences.system.ui_scale or 1.0)


def in_columns(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Names on the left and values on the right, as Blender has it, where there is room for both."""
    layout.use_property_split, layout.use_property_decorate = not is_narrow(context), False


def distance(scene: bpy.types.Scene, units: float) -> str:
    """A distance in Blender units as the scene's own fields show it."""
    shown = scene.unit_settings
    if shown.system == "NONE":
        return f"{units:.4g}"
    return bpy.utils.units.to_string(shown.system, "LENGTH", units * shown.scale_length, precision=3)


def elapsed(since: float) -> str:
    """Minutes and seconds since then."""
    minutes, seconds = divmod(max(int(time.time() - since), 0), 60)
    return f"{minutes}:{seconds:02d}"
