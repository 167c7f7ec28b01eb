"""What a camera sees, in numbers: where a point lies on its picture, and how far each of its lines of sight reaches."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix

from .viewplane import Lens, Viewplane

__all__ = ["PAINTABLE", "Projector", "Stand", "reach", "seen_by", "stands"]

PAINTABLE = {"CURVE", "CURVES", "FONT", "MESH", "META", "SURFACE"}
"""Types of objects whose surface has a material."""

SLACK = 1.01
"""A bounding box that begins this little behind what is in front of it counts as seen: it costs nothing."""


@dataclass(frozen=True)
class Projector:
    """A camera as it stood: its picture is thrown onto what lies before it."""

    to_camera: Matrix
    """From the world to x right, y up, and z towards the viewer."""
    plane: Viewplane
    parallel: bool
    """Orthographic: all lines of sight have one direction, and nothing is divided by the distance."""
    near: float
    pixel: float
    """Width of a pixel of the depth, one unit from a perspective camera, anywhere before an orthographic one."""

    @property
    def to_frame(self) -> Matrix:
        """From the camera's space to (u, v, 1) times the distance, or (u, v, distance) for parallel lines of sight.

        u and v go from 0 to 1 from the frame's lower left. It has no division in it: that is each pixel's own.
        """
        across, up = 1 / self.plane.width, 1 / self.plane.height
        right, above = 0.5 - self.plane.centre_x * across, 0.5 - self.plane.centre_y * up
        if self.parallel:
            return Matrix(((across, 0, 0, right), (0, up, 0, above), (0, 0, -1, 0), (0, 0, 0, 1)))
        return Matrix(((across, 0, -right, 0), (0, up, -above, 0), (0, 0, -1, 0), (0, 0, 0, 1)))

    @classmethod
    def of(cls, lens: Lens, matrix: Matrix, plane: Viewplane, width: int) -> Projector:
        """From a camera's lens, its place, its frame, and how many pixels of depth lie across that."""
        to_camera = matrix.normalized().inverted_safe()  # as a render has it, a camera's size does not count
        return cls(to_camera, plane, lens.type == "ORTHO", lens.clip_start, plane.width / width)


@dataclass
class Stand:
    """How an object stands before the camera."""

    matrix: Matrix
    repeated: bool
    """Shown by an instance, or many: what is stored for its surface would be the same for each of them."""
    boxes: list[np.ndarray]
    """The corners of its bounding boxes, (8, 3), in the world; none where Blender tells of none."""


def stands(depsgraph: bpy.types.Depsgraph) -> dict[bpy.types.Object, Stand]:
    """Every object with a surface that a render shows, instances among them."""
    found: dict[bpy.types.Object, Stand] = {}
    for instance in depsgraph.object_instances:
        thing = instance.object.original
        if thing.type not in PAINTABLE or thing.hide_render or not instance.show_self:
            continue
        matrix = instance.matrix_world.copy()
        stand = found.setdefault(thing, Stand(matrix, False, []))
        stand.repeated |= instance.is_instance
        if thing.type != "META":  # of balls that flow together Blender tells no size
            stand.boxes.append(_moved(np.array([tuple(corner) for corner in instance.object.bound_box]), matrix))
    return found


def _moved(points: np.ndarray, matrix: Matrix) -> np.ndarray:
    numbers = np.array(matrix)
    return points @ numbers[:3, :3].T + numbers[:3, 3]


def reach(z: np.ndarray) -> np.ndarray:
    """How far one may see between the centres of each four pixels: (height + 1, width + 1), row 0 at the top.

    The farthest of the four, 0 where none hit anything. A flat surface is never farther between them, so it does not
    hide itself; and beside an edge both surfaces are painted up to it, as a line that nothing is painted on would show.
    """
    hit = np.where(np.isfinite(z), z, np.float32(0))
    padded = np.pad(hit, 1)
    return np.maximum.reduce([padded[:-1, :-1], padded[1:, :-1], padded[:-1, 1:], padded[1:, 1:]])


def seen_by(projector: Projector, reached: np.ndarray, stand: Stand) -> bool:
    """Whether any of the object may be seen: false where all of its bounding boxes are out of sight, or covered."""
    whole = projector.to_frame @ projector.to_camera
    return not stand.boxes or any(_box_is_seen(projector, reached, _moved(box, whole)) for box in stand.boxes)


def _box_is_seen(projector: Projector, reached: np.ndarray, corners: np.ndarray) -> bool:
    distance = corners[:, 2]
    if distance.max() < projector.near:
        return False
    if not projector.parallel and distance.min() <= projector.near:
        return True  # the camera is in it, or beside it
    uv = corners[:, :2] if projector.parallel else corners[:, :2] / distance[:, None]
    height, width = (side - 1 for side in reached.shape)
    (left, low), (right, high) = uv.min(0), uv.max(0)
    if right < 0 or high < 0 or left > 1 or low > 1:
        return False
    columns = slice(*np.clip([int(left * width), int(right * width) + 2], 0, width + 1))
    rows = slice(*np.clip([int((1 - high) * height), int((1 - low) * height) + 2], 0, height + 1))
    return bool(reached[rows, columns].max(initial=0) * SLACK >= distance.min())
