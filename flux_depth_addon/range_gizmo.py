"""Near and far as two frames before the camera in the 3D view, to look at and to drag.

Nothing of it is registered until it is switched on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from math import floor, log10, pi

import bpy
from bpy_extras import view3d_utils
from mathutils import Matrix, Vector
from mathutils.geometry import intersect_line_line

from .capture import is_panoramic
from .depth_preview import ends_of, redraw, set_end
from .drawing import distance
from .properties import camera_of
from .stored_text import text
from .viewplane import Lens, frame_viewplane

WHITE, BLUE, HIGHLIGHT = (1.0, 1.0, 1.0), (0.15, 0.4, 1.0), (1.0, 0.6, 0.1)
"""Near is white, as in the map; far is blue, as black would not be seen in Blender's dark theme."""

BY_HAND, FOUND = 1.0, 0.6
"""How solid an end is drawn that is set, and one that the preview found."""

APART = 1e-3
"""Share of its distance by which near stays before far."""

FRAME = [(-1, -1, 0), (1, -1, 0), (1, -1, 0), (1, 1, 0), (1, 1, 0), (-1, 1, 0), (-1, 1, 0), (-1, -1, 0)]
EDGE = [(0, 0, 0), (0, 0, 1)]
CORNERS = [Vector(corner) for corner in ((-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0))]


def is_shown() -> bool:
    """Whether the range is drawn in 3D views."""
    return bpy.types.GizmoGroup.bl_rna_get_subclass_py(FLUXDEPTH_GGT_range.bl_idname) is not None


def show(shown: bool) -> None:
    """Draw it from now on, or no more."""
    if shown == is_shown():
        return
    if shown:
        _register()
    else:
        _unregister()


def pose(camera: bpy.types.Object) -> Matrix:
    """Where the camera stands and looks, without the scale that a render does not heed."""
    return camera.matrix_world.normalized()


def frame_at(scene: bpy.types.Scene, camera: bpy.types.Object, depth: float) -> Matrix:
    """What makes the square of -1..1 the camera's frame at this depth, in Blender units."""
    render, lens = scene.render, Lens(**{field.name: getattr(camera.data, field.name) for field in fields(Lens)})
    width, height = render.resolution_x * render.pixel_aspect_x, render.resolution_y * render.pixel_aspect_y
    plane, scale = frame_viewplane(lens, width, height), 1.0 if lens.type == "ORTHO" else depth
    centre = Vector((plane.centre_x * scale, plane.centre_y * scale, -depth))
    size = Matrix.Diagonal((plane.width * scale / 2, plane.height * scale / 2, 1, 1))
    return pose(camera) @ Matrix.Translation(centre) @ size


def beginning(scene: bpy.types.Scene, camera: bpy.types.Object) -> Matrix:
    """The frame at near; where that is not known, at the camera itself, which for a perspective one is a point."""
    return frame_at(scene, camera, ends_of(scene)["near"] or 0.0)


def depth_under(camera: bpy.types.Object, region: bpy.types.Region, view: bpy.types.RegionView3D, at: Vector) -> float:
    """The depth at which the camera's axis passes closest to what is under this pixel; 0 where it cannot be told."""
    origin = view3d_utils.region_2d_to_origin_3d(region, view, at)
    direction = view3d_utils.region_2d_to_vector_3d(region, view, at)
    here = pose(camera)
    forward = -here.col[2].xyz
    met = intersect_line_line(here.translation, here.translation + forward, origin, origin + direction)
    return (met[0] - here.translation).dot(forward) if met else 0.0


def to_two_digits(depth: float) -> float:
    """Rounded, for a drag that snaps."""
    unit = 10.0 ** (floor(log10(depth)) - 1)
    return round(depth / unit) * unit


def within(end: str, depth: float, other: float | None) -> float:
    """Kept above zero, and on its own side of the other end."""
    if other is not None:
        depth = min(depth, other * (1 - APART)) if end == "near" else max(depth, other * (1 + APART))
    return max(depth, 1e-4)


class FLUXDEPTH_GT_end(bpy.types.Gizmo):
    """One end of the range: a frame and an arrow to drag it by"""

    bl_idname = "FLUXDEPTH_GT_end"
    __slots__ = ("before", "depth", "end", "frame", "grabbed", "line")

    def setup(self) -> None:
        self.frame = self.new_custom_shape("LINES", FRAME)
        self.line = self.new_custom_shape("LINES", EDGE)

    def draw(self, context: bpy.types.Context) -> None:
        scene, camera, depth = context.scene, camera_of(context.scene), ends_of(context.scene)[self.end]
        if depth is None:  # not `hide`, which would show one redraw late
            return
        self._draw_arrow()
        frame = frame_at(scene, camera, depth)
        self.draw_custom_shape(self.frame, matrix=frame)
        if self.end == "far":
            for edge in _edges(beginning(scene, camera), frame):
                self.draw_custom_shape(self.line, matrix=edge)

    def draw_select(self, context: bpy.types.Context, select_id: int) -> None:
        if ends_of(context.scene)[self.end] is not None:
            self._draw_arrow(select_id=select_id)

    def _draw_arrow(self, **select: int) -> None:
        self.draw_preset_arrow(self.matrix_world, axis="POS_Z", **select)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        settings = context.scene.flux_depth
        self.before = getattr(settings, self.end), getattr(settings, f"use_{self.end}")
        self.depth = ends_of(context.scene)[self.end]
        at = Vector((event.mouse_region_x, event.mouse_region_y))
        if event.value == "CLICK_DRAG":  # it has moved a little before this is taken for a drag
            pressed = Vector((event.mouse_prev_press_x, event.mouse_prev_press_y))
            at = pressed - Vector((context.region.x, context.region.y))
        self.grabbed = self._under(context, at)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event, tweak: set[str]) -> set[str]:
        under = self._under(context, Vector((event.mouse_region_x, event.mouse_region_y)))
        self.depth += (under - self.grabbed) * (0.1 if "PRECISE" in tweak else 1.0)
        self.grabbed = under
        depth = to_two_digits(self.depth) if "SNAP" in tweak and self.depth > 0 else self.depth
        other = ends_of(context.scene)["far" if self.end == "near" else "near"]
        set_end(context.scene, self.end, within(self.end, depth, other))
        said = distance(context.scene, getattr(context.scene.flux_depth, self.end))
        context.area.header_text_set(f"{self.end.title()}: {said}")
        return {"RUNNING_MODAL"}

    def exit(self, context: bpy.types.Context, cancel: bool) -> None:
        context.area.header_text_set(None)
        if cancel:
            settings = context.scene.flux_depth
            setattr(settings, self.end, self.before[0])
            setattr(settings, f"use_{self.end}", self.before[1])
            redraw()
        else:
            bpy.ops.ed.undo_push(message=f"Set {self.end.title()}")

    def _under(self, context: bpy.types.Context, at: Vector) -> float:
        return depth_under(camera_of(context.scene), context.region, context.region_data, at)


def _edges(start: Matrix, end: Matrix) -> Iterator[Matrix]:
    """Of each edge from one frame's corner to the other's, what makes a line along Z that edge."""
    for corner in CORNERS:
        place = start @ corner
        edge = Matrix.Translation(place)
        edge.col[2] = (*(end @ corner - place), 0)
        yield edge


class FLUXDEPTH_GGT_range(bpy.types.GizmoGroup):
    """Near and far before the camera"""

    bl_idname = "FLUXDEPTH_GGT_range"
    bl_label = "FLUX Depth Range"
    bl_space_type = "VIEW_3D"
    bl_region_type = "WINDOW"
    bl_options = {"3D", "PERSISTENT", "SHOW_MODAL_ALL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not through the camera itself, where both frames are its own."""
        camera = camera_of(context.scene)
        if camera is None or is_panoramic(camera) or not context.scene.render.resolution_y:
            return False
        through = context.region_data.view_perspective == "CAMERA" and context.space_data.camera == camera
        return not through and context.view_layer.objects.get(text(camera)) == camera

    def setup(self, _context: bpy.types.Context) -> None:
        for end, colour in (("near", WHITE), ("far", BLUE)):
            gizmo = self.gizmos.new(FLUXDEPTH_GT_end.bl_idname)
            gizmo.end = end
            gizmo.color, gizmo.color_highlight = colour, HIGHLIGHT
            gizmo.alpha_highlight, gizmo.scale_basis, gizmo.line_width = 1.0, 0.7, 2.0
            gizmo.use_draw_modal = True

    def draw_prepare(self, context: bpy.types.Context) -> None:
        camera, ends = camera_of(context.scene), ends_of(context.scene)
        for gizmo in self.gizmos:
            depth = ends[gizmo.end]
            gizmo.alpha = BY_HAND if getattr(context.scene.flux_depth, f"use_{gizmo.end}") else FOUND
            if depth is not None:
                turned = Matrix.Rotation(pi, 4, "X")
                gizmo.matrix_basis = pose(camera) @ Matrix.Translation((0, 0, -depth)) @ turned


_register, _unregister = bpy.utils.register_classes_factory((FLUXDEPTH_GT_end, FLUXDEPTH_GGT_range))
