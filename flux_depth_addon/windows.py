"""The artist's windows: what in them is drawn anew, new ones, and in which nobody is busy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpy.stub_internal.rna_enums import SpaceTypeItems

SHOWN_IN = {"VIEW_3D": "UI", "IMAGE_EDITOR": "UI", "PREFERENCES": "WINDOW"}
"""The regions that show what the journal says, by editor."""


def redraw() -> None:
    """Have everything drawn anew that shows what the journal or a button says."""
    for area in areas():
        kind = SHOWN_IN.get(area.type)
        for region in (region for region in area.regions if region.type == kind) if kind else ():
            region.tag_redraw()


def redraw_status_bars() -> None:
    """Where a tool is in use, that tool's own words stay."""
    for window in idle():
        with bpy.context.temp_override(window=window):
            window.workspace.status_text_set(None)  # the one call that redraws a status bar


def free_status_bar(name: str) -> None:
    """Of the workspace with that name, if there is one."""
    workspace: bpy.types.WorkSpace | None = bpy.data.workspaces.get(name)
    if workspace:
        with bpy.context.temp_override(workspace=workspace):  # what it is called on is not asked
            workspace.status_text_set(None)


def areas() -> Iterator[bpy.types.Area]:
    """Every editor that is open."""
    return (area for window in bpy.context.window_manager.windows for area in window.screen.areas)


def new_editor(kind: SpaceTypeItems) -> bpy.types.Area:
    """An editor of that type in a window of its own. Not from within a modal operator: Blender would never end it."""
    bpy.ops.wm.window_new()
    area = bpy.context.window_manager.windows[-1].screen.areas[0]
    area.type = kind
    return area


def soon(work: Callable[[], object]) -> None:
    """Do it once Blender is done with what calls this, in the first window: a timer has none.

    For what a modal operator must not do at its end, or while its window closes: Blender would lose its way.
    """

    def do() -> None:
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
            work()

    bpy.app.timers.register(do, first_interval=0.0)


def idle() -> list[bpy.types.Window]:
    """The windows in which nobody uses a tool."""
    return [window for window in bpy.context.window_manager.windows if not window.modal_operators]
