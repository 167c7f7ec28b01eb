"""Whether a picture still shows what its camera sees: by where the camera stood, its lens, and a mark of the scene.

The mark tells a scene from another one by its objects' places, extents, and counts of points, which is quick to read.
It notices what was moved, added, deleted, hidden or reshaped. It does not notice materials and lights, which no depth
map shows, nor edits that leave an object's extents and its number of points as they were, nor those within a
collection that is instanced.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from .core.job import Job
    from .core.request import Request

SOLID = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD", "VOLUME", "GREASEPENCIL", "GPENCIL"}
"""Types of objects that a depth map may show, besides collections that are instanced."""

NOTED = {"matrix_world": 16, "bound_box": 24}
"""What is noted of an object, and in how many numbers."""

NEAR = 1e-5
"""Numbers that differ by less, relatively, are the same: what is evaluated again may differ in its last bits."""

DECIMALS = 4
"""Of Blender units: what moved by less has not moved."""

LENS = ("type", "lens", "sensor_fit", "sensor_width", "sensor_height", "shift_x", "shift_y", "ortho_scale")
REASONS = {
    "gone": "The camera is gone",
    "camera": "The camera moved since",
    "lens": "The camera's lens or frame changed since",
    "scene": "The scene changed since",
}


def marked(request: Request, scene: bpy.types.Scene) -> Request:
    """The request with the mark of its scene as it is now; without one where it asks for another frame."""
    camera: bpy.types.Object | None = scene.objects.get(request.camera)
    if camera is None or request.frame != scene.frame_current_final:
        return request
    return replace(request, scene_mark=f"{lens_mark(scene, camera)}.{objects_mark(scene)}")


def reason(job: Job, scene: bpy.types.Scene, objects: str) -> str:
    """Why a picture of that scene is stale, as a key of REASONS; nothing where it is not, or cannot be known.

    `objects`: the scene's `objects_mark` now.
    """
    asked = job.request
    camera: bpy.types.Object | None = scene.objects.get(asked.camera)
    if camera is None or camera.type != "CAMERA":
        return "gone"
    if asked.frame != scene.frame_current_final:
        return ""
    if asked.camera_matrix and not _same(asked.camera_matrix, camera):
        return "camera"
    lens, _, before = asked.scene_mark.partition(".")
    if lens and lens != lens_mark(scene, camera):
        return "lens"
    return "scene" if before and before != objects else ""


def belongs_here(job: Job) -> bool:
    """Whether it was made of the file that is open, or of a version of it: one in the same folder."""
    here = bpy.data.filepath
    return bool(here and job.origin) and Path(job.origin).parent == Path(here).parent


def _same(matrix: tuple[float, ...], camera: bpy.types.Object) -> bool:
    now = [number for row in camera.matrix_world for number in row]
    return all(math.isclose(one, other, rel_tol=NEAR, abs_tol=NEAR) for one, other in zip(matrix, now, strict=True))


def lens_mark(scene: bpy.types.Scene, camera: bpy.types.Object) -> str:
    """The same for two cameras that see the same from the same place, in frames of the same shape."""
    from .capture import frame_aspect

    values = [getattr(camera.data, name) for name in LENS] + [frame_aspect(scene)]
    return _hash("|".join(value if isinstance(value, str) else f"{value:.6g}" for value in values).encode())


def objects_mark(scene: bpy.types.Scene) -> str:
    """The same for two states of a scene whose objects stand and extend alike, as they were evaluated last."""
    import numpy as np  # only for whoever looks: it would make every start of Blender slower

    objects = scene.objects
    columns = [np.round(_numbers(objects, name, size), DECIMALS) + 0.0 for name, size in NOTED.items()]
    points = np.array([_points(thing) for thing in objects], np.float32).reshape(-1, 1)
    rows = np.hstack([*columns, points])[_solid(objects)]
    whole = rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize)))
    return _hash(np.sort(whole.ravel()).tobytes())  # sorted, as the order of objects says nothing


def _solid(objects: Any) -> Any:
    """Which of them a depth map may show."""
    import numpy as np

    members: Any = bpy.types.Object.bl_rna.properties
    solid = [item.value for item in members["type"].enum_items if item.identifier in SOLID]
    instanced = members["instance_type"].enum_items["COLLECTION"].value
    kinds, instances, hidden = (_flags(objects, name) for name in ("type", "instance_type", "hide_render"))
    return (np.isin(kinds, solid) | (instances == instanced)) & (hidden == 0)


def _numbers(objects: Any, name: str, size: int) -> Any:
    import numpy as np

    found = np.empty(len(objects) * size, np.float32)
    objects.foreach_get(name, found)
    return found.reshape(-1, size)


def _flags(objects: Any, name: str) -> Any:
    import numpy as np

    found = np.empty(len(objects), np.int32)
    objects.foreach_get(name, found)
    return found


def _points(thing: bpy.types.Object) -> int:
    return len(thing.data.vertices) if thing.type == "MESH" else 0


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]
