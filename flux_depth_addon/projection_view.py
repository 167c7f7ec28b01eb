"""What is projected, and what the camera sees from where it stood; looked at, and nothing changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np

from . import capture
from .core.errors import InputError
from .core.framing import Framing
from .projector import Projector, Stand, reach, seen_by, stands
from .untouched import nothing_touched
from .viewplane import frame_viewplane

if TYPE_CHECKING:
    from mathutils import Matrix

__all__ = ["Source", "View", "seen_from"]

STRETCH = 0.02
"""How much another shape than the frame's a picture may have: rounding to whole pixels is less."""

MAX_SIDE = 4096
"""Of the depth: a larger picture is held against a depth of this size."""


@dataclass(frozen=True)
class Source:
    """What is projected: a picture of a camera's frame, as the camera stood at a frame of its scene."""

    picture: Path
    camera: str
    frame: float | None = None
    engine: capture.Engine = "WORKBENCH"
    matrix: tuple[float, ...] = ()
    """Where the camera stood when it was painted, 16 numbers row by row, where that is known."""
    title: str = ""
    """What it is called in a list; else by its file."""


@dataclass(frozen=True)
class View:
    """The camera as it stood, how far it sees in Blender units (see `reach`), and what may be seen."""

    projector: Projector
    reached: np.ndarray
    stands: Mapping[bpy.types.Object, Stand]


def seen_from(scene: bpy.types.Scene, layer: bpy.types.ViewLayer, source: Source) -> View:
    """Render the depth, and look what is in it. Raises InputError."""
    camera = capture.camera_of(scene, source.camera)
    if capture.is_panoramic(camera):
        raise InputError(f"Camera “{camera.name}” is panoramic: only a flat picture can be projected.")
    size = _size(source.picture)
    _check_shape(scene, source, size)
    with nothing_touched():
        lens, matrix = capture.evaluated_camera(scene, camera, source.frame)
    _check_stands_there(matrix, source)
    framing = _framing(size)
    z = capture.capture(
        scene=scene,
        framing=framing,
        camera=camera,
        view_layer=layer.name,
        engine=source.engine,
        frame=source.frame,
    )
    projector = Projector.of(lens, matrix, frame_viewplane(lens, *_shape(scene)), framing.width)
    reached = reach(z / np.float32(capture.metres(scene)))
    standing = _standing(scene, layer, source.frame).items()
    return View(projector, reached, {thing: stand for thing, stand in standing if seen_by(projector, reached, stand)})


def _shape(scene: bpy.types.Scene) -> tuple[float, float]:
    render = scene.render
    return render.resolution_x * render.pixel_aspect_x, render.resolution_y * render.pixel_aspect_y


def _size(picture: Path) -> tuple[int, int]:
    """Width and height. Raises InputError for what is not there, is no picture, or is of no sensible size."""
    from PIL import Image

    from .core.picture import FORMATS, MAX_PIXELS

    try:
        with Image.open(picture, formats=FORMATS) as opened:
            width, height = opened.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        fault = "is no picture that can be opened" if picture.is_file() else "is not there: it was moved or deleted"
        raise InputError(f"{picture.name} {fault}. Nothing was changed.") from None
    if min(width, height) < 4 or width * height > MAX_PIXELS:
        raise InputError(f"{picture.name} is {width} × {height} pixels, which cannot be projected.")
    return width, height


def _check_shape(scene: bpy.types.Scene, source: Source, size: tuple[int, int]) -> None:
    if not abs(capture.frame_aspect(scene) * size[1] / size[0] - 1) <= STRETCH:
        raise InputError(
            f"{source.picture.name} is {size[0]} × {size[1]}, another shape than the camera's frame: "
            "set the resolution that it was painted for. Nothing was changed."
        )


def _framing(size: tuple[int, int]) -> Framing:
    """The depth's pixels are the picture's, or larger ones."""
    less = max(1.0, max(size) / MAX_SIDE)
    width, height = (max(4, round(side / less)) for side in size)
    return Framing(width, height, 0, 0, width, height)


def _check_stands_there(matrix: Matrix, source: Source) -> None:
    if source.matrix and not np.allclose(np.reshape(source.matrix, (4, 4)), np.array(matrix), rtol=1e-3, atol=1e-3):
        raise InputError(
            f"Camera “{source.camera}” has moved since this picture was painted: put it back, or paint it anew. "
            "Nothing was changed."
        )


def _standing(scene: bpy.types.Scene, layer: bpy.types.ViewLayer, frame: float | None) -> dict[bpy.types.Object, Stand]:
    """How everything stands at that frame, which the scene itself does not go to."""
    if frame is None or frame == scene.frame_current_final:
        layer.update()
        return stands(layer.depsgraph)
    with nothing_touched():
        copy = capture.disposable_scene(scene)
        copy.frame_set(int(frame // 1), subframe=frame % 1)
        return stands(copy.view_layers[layer.name].depsgraph)
