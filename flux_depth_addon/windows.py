"""The artist's windows: in which nobody is busy, and what in them is drawn anew."""

from __future__ import annotations

import bpy

SHOWN_IN = {"VIEW_3D": "UI", "IMAGE_EDITOR": "UI", "PREFERENCES": "WINDOW"}
"""The regions that show what the journal says, by editor."""


def redraw() -> None:
    """Have everything drawn anew that shows what the journal or a button says."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            kind = SHOWN_IN.get(area.type)
            for region in (region for region in area.regions if region.type == kind) if kind else ():
                region.tag_redraw()


def redraw_status_bars() -> None:
    """Where a tool is in use, that tool's own words stay."""
    for window in idle():
        with bpy.context.temp_override(window=window):
            window.workspace.status_text_set(None)  # the one call that redraws a status bar


def idle() -> list[bpy.types.Window]:
    """The windows in which nobody uses a tool."""
    return [window for window in bpy.context.window_manager.windows if not window.modal_operators]
