"""The eyedropper that takes near or far from what is under the mouse, in any 3D view of the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy_extras import view3d_utils
from mathutils import Vector

from .capture import is_panoramic
from .core.errors import InputError
from .depth_preview import set_end
from .drawing import distance
from .properties import camera_of

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

NOTHING = "There is nothing to measure here: click on a surface that the camera can see"
BEHIND = "That is behind the camera: click on a surface that the camera can see"
SHOWS = {"MOUSEMOVE", "LEFT_CTRL", "RIGHT_CTRL"}


class Eyedropper:
    """One use of it, from the button to a click, Esc or a right click."""

    def __init__(self, context: bpy.types.Context, end: str) -> None:
        self.end = end
        self.told: bpy.types.Area | None = None
        context.window.cursor_modal_set("EYEDROPPER")
        context.workspace.status_text_set(
            f"{end.title()}: click a surface  |  Ctrl + click: the whole object  |  Esc: leave it as it is"
        )

    def handle(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """What Blender is told after this event. Raises InputError for a click on what has no depth."""
        if event.type in {"ESC", "RIGHTMOUSE"}:
            return {"CANCELLED"}
        if event.type in SHOWS:
            self._tell(*self._measure(context, event))
        if event.type != "LEFTMOUSE" or event.value != "PRESS":
            return {"PASS_THROUGH"} if event.type.startswith("WHEEL") else {"RUNNING_MODAL"}
        area, depth, missed = self._measure(context, event)
        if area is None:
            return {"RUNNING_MODAL"}
        if depth is None:
            raise InputError(missed)
        set_end(context.scene, self.end, depth)
        return {"FINISHED"}

    def put_away(self, context: bpy.types.Context) -> None:
        """The mouse, the header and the status bar as they were."""
        self._tell(None, None, "")
        context.window.cursor_modal_restore()
        context.workspace.status_text_set(None)

    def _measure(
        self, context: bpy.types.Context, event: bpy.types.Event
    ) -> tuple[bpy.types.Area | None, float | None, str]:
        """The 3D view under the mouse, the depth in Blender units, and why there is none."""
        area, region = view_under(context.window, event.mouse_x, event.mouse_y)
        if region is None:
            return None, None, ""
        point = Vector((event.mouse_x - region.x, event.mouse_y - region.y))
        depth = self._depth(context, region, point, event.ctrl)
        if depth is None:
            return area, None, NOTHING
        return (area, depth, "") if depth > 0 else (area, None, BEHIND)

    def _depth(self, context: bpy.types.Context, region: bpy.types.Region, point: Vector, whole: bool) -> float | None:
        graph = context.evaluated_depsgraph_get()
        hit, place, _normal, _index, thing, matrix = context.scene.ray_cast(graph, *ray_under(region, point))
        if not hit:
            return None
        places = [matrix @ Vector(corner) for corner in thing.bound_box] if whole else [place]
        camera = camera_of(context.scene).evaluated_get(graph)
        return depth_of(camera, places, self.end)

    def _tell(self, area: bpy.types.Area | None, depth: float | None, missed: str) -> None:
        """In the header of the view that the mouse is over."""
        if self.told and self.told != area and _is_open(self.told):
            self.told.header_text_set(None)
        self.told = area
        if area:
            scene = bpy.context.scene
            area.header_text_set(f"{self.end.title()}: {distance(scene, depth)}" if depth is not None else missed)


def view_under(window: bpy.types.Window, x: int, y: int) -> tuple[bpy.types.Area | None, bpy.types.Region | None]:
    """The 3D view and its main region at this place of the window, unless a sidebar or header lies over it."""
    for area in window.screen.areas:
        over = [region for region in area.regions if _holds(region, x, y)]
        if area.type == "VIEW_3D" and over and all(region.type == "WINDOW" for region in over):
            return area, over[-1]
    return None, None


def ray_under(region: bpy.types.Region, point: Vector) -> tuple[Vector, Vector]:
    """Where the line of sight through this pixel begins, and its direction, in the region's own view.

    Each quarter of a quad view is a view of its own. Through an orthographic camera Blender's own function begins in
    the middle of the clip range, behind most things: this begins at its start, as the drawing does.
    """
    view = region.data
    origin = view3d_utils.region_2d_to_origin_3d(region, view, point)
    if view.view_perspective == "CAMERA" and not view.is_perspective:
        origin -= view.perspective_matrix.inverted().col[2].xyz
    return origin, view3d_utils.region_2d_to_vector_3d(region, view, point)


def _is_open(area: bpy.types.Area) -> bool:
    """Whether any screen still has it: one that was closed must not be touched."""
    return any(area == other for screen in bpy.data.screens for other in screen.areas)


def _holds(region: bpy.types.Region, x: int, y: int) -> bool:
    return region.x <= x < region.x + region.width and region.y <= y < region.y + region.height


def depth_of(camera: bpy.types.Object, places: list[Vector], end: str) -> float:
    """How far from the camera the nearest of these places is, or for far the farthest: measured as a render measures.

    Places behind the camera do not count where others are before it.
    """
    here = camera.matrix_world.normalized()
    if is_panoramic(camera):
        depths = [(place - here.translation).length for place in places]
    else:
        depths = [-(here.inverted() @ place).z for place in places]
    before = [depth for depth in depths if depth > 0] or depths
    return min(before) if end == "near" else max(before)
