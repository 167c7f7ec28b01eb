"""The control image of a request: the depth map, or the clay render."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import bpy
import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

    from .capture import Engine
    from .core.depth_map import DepthSettings, Verdict
    from .core.framing import Framing
    from .core.request import Control, Request

__all__ = ["as_sent", "like", "picture_of", "rendered"]


def rendered(
    *,
    scene: bpy.types.Scene,
    framing: Framing,
    control: Control,
    camera: bpy.types.Object | None = None,
    view_layer: str | None = None,
    engine: Engine = "WORKBENCH",
    frame: float | None = None,
) -> np.ndarray:
    """What a control image is made of: depth as `capture` gives it, or clay as (height, width, 3) uint8.

    Raises InputError.
    """
    from .capture import capture
    from .clay import clay

    if control == "clay":
        return np.asarray(clay(scene=scene, framing=framing, camera=camera, view_layer=view_layer, frame=frame))
    return capture(scene=scene, framing=framing, camera=camera, view_layer=view_layer, engine=engine, frame=frame)


def picture_of(seen: np.ndarray, depth: DepthSettings) -> tuple[Image, Verdict | None]:
    """The control image made of it, and how well a depth map will guide; clay is not judged. Raises InputError."""
    from PIL import Image

    from .core.depth_map import control_image

    return control_image(seen, depth) if seen.ndim == 2 else (Image.fromarray(seen), None)


def as_sent(seen: np.ndarray, request: Request) -> tuple[bytes, Request, Verdict | None]:
    """The control image as PNG, and the request with the range that its map came to, which clay has not.

    Raises InputError.
    """
    from .core.depth_map import png

    picture, verdict = picture_of(seen, request.depth)
    asked = replace(request, map_near=verdict.near, map_far=verdict.far) if verdict else request
    return png(picture), asked, verdict


def like(noted: Request, request: Request) -> Request:
    """The request with what the render for another one of the same view found out."""
    moved = replace(request, camera_matrix=noted.camera_matrix, scene_mark=noted.scene_mark)
    return replace(moved, map_near=noted.map_near, map_far=noted.map_far)
