"""The Z pass, rendered in a disposable copy of the scene; every difference of rendering between Blender versions."""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal, cast

import bpy
import mathutils
import numpy as np

from . import render_result
from .core.errors import InputError
from .core.framing import Framing
from .exr import read_channel
from .untouched import NAME, nothing_touched
from .viewplane import Lens, frame_viewplane, overscanned

__all__ = ["Engine", "camera_matrix", "camera_of", "capture", "frame_aspect", "is_panoramic"]

Engine = Literal["WORKBENCH", "CYCLES", "SCENE"]
"""Who draws: Blender's quickest engine, the one that knows alpha and displacement, or the scene's own."""

ENGINE_IDS = {"WORKBENCH": "BLENDER_WORKBENCH", "CYCLES": "CYCLES"}
ENGINES = {"BLENDER_WORKBENCH", "CYCLES", "BLENDER_EEVEE", "BLENDER_EEVEE_NEXT"}
"""A foreign engine that fails without a picture would crash Blender as it writes the file."""
BESIDE_THE_PICTURE = (
    "use_border", "use_compositing", "use_crop_to_border", "use_freestyle", "use_multiview", "use_persistent_data",
    "use_sequencer", "use_single_layer", "use_stamp",
)  # fmt: skip
"""What a render may do besides to show what one camera sees, in full."""

MAX_SIDE = 16384
MAX_PIXELS = 200_000_000
"""Beyond these a graphics card refuses, or the picture takes more memory than most machines have."""
NO_HIT = 1e9
"""Engines write 1e10 where nothing was hit."""


def capture(
    *,
    scene: bpy.types.Scene,
    framing: Framing,
    camera: bpy.types.Object | None = None,
    view_layer: str | None = None,
    engine: Engine = "WORKBENCH",
    frame: float | None = None,
) -> np.ndarray:
    """Depth in metres, (height, width) float32, row 0 at the top, inf where nothing was hit. Raises InputError.

    At the scene's own frame, or at another one, which the scene itself does not go to. Measured along the view axis;
    from a panoramic camera, along the ray. As in any render, what is off for renders is left out; what is only hidden
    in the viewport, or left out of a local view, is in.
    """
    camera = camera or camera_of(scene)
    layer = view_layer or current_layer(scene)
    check(scene, camera, layer, framing, engine)
    with failure_said(), nothing_touched() as folder:
        copy = framed_copy(scene, camera, framing, frame)
        keep_one_layer(copy, layer)
        keep_only_depth(copy, engine)
        z = rendered_depth(copy, folder)
    z[z >= NO_HIT] = np.inf
    return z * np.float32(metres(scene))


def frame_aspect(scene: bpy.types.Scene) -> float:
    """Width / height of the camera frame as it looks, pixel aspect included; inf where a file says it has no height."""
    render = scene.render
    width, height = render.resolution_x * render.pixel_aspect_x, render.resolution_y * render.pixel_aspect_y
    return width / height if height else float("inf")


def is_panoramic(camera: bpy.types.Object) -> bool:
    """True for cameras without a flat picture plane: only Cycles renders them, with nothing beyond their frame."""
    return camera.data.type not in {"PERSP", "ORTHO"}


def camera_of(scene: bpy.types.Scene, name: str | None = None) -> bpy.types.Object:
    """The camera object of that name, or the scene's active camera. Raises InputError."""
    camera = scene.objects.get(name) if name else scene.camera
    if camera is None and name:
        raise InputError(f"Scene “{scene.name}” has no camera “{name}”: choose one of its own.")
    if camera is None:
        raise InputError(f"Scene “{scene.name}” has no camera: add one, or make one active.")
    if camera.type != "CAMERA":
        raise InputError(f"“{camera.name}” is not a camera: choose a camera object.")
    return camera


def check(scene: bpy.types.Scene, camera: bpy.types.Object, layer: str, framing: Framing, engine: Engine) -> None:
    """Raises InputError for what cannot be rendered, before anything is touched."""
    width, height = framing.width, framing.height
    if layer not in scene.view_layers:
        raise InputError(f"Scene “{scene.name}” has no view layer “{layer}”: choose one of its own.")
    if camera.type != "CAMERA":
        raise InputError(f"“{camera.name}” is not a camera: choose a camera object.")
    if min(width, height) < 4:
        raise InputError(f"A depth map of {width} x {height} pixels is too small: Blender renders 4 x 4 or more.")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise InputError(
            f"A depth map of {width} x {height} pixels would not fit into memory: "
            f"stay below {MAX_SIDE} a side and {MAX_PIXELS // 1_000_000} megapixels."
        )
    if engine_id(scene, engine) not in ENGINES:
        raise InputError(f"“{scene.render.engine}” is not one of Blender's own: set Engine to Workbench or Cycles.")
    if is_panoramic(camera) and engine_id(scene, engine) != "CYCLES":
        raise InputError(f"Camera “{camera.name}” is panoramic: set Engine to Cycles.")
    if bpy.app.background and engine_id(scene, engine) != "CYCLES" and not has_opengl_without_window():
        raise InputError("Without a window, Workbench needs libEGL.so.1 (Debian: libegl1): install it, or use Cycles.")
    if bpy.app.is_job_running("RENDER"):
        raise InputError("Blender is rendering: wait until it is done, or press Esc in its window.")


def has_opengl_without_window() -> bool:
    """Whether Linux has what Blender draws with in the background; it ends the whole process where that is missing."""
    if sys.platform != "linux":
        return True
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError:
        return False
    return True


def engine_id(scene: bpy.types.Scene, engine: Engine) -> str:
    """Blender's own name of the engine, the same in every version for those that we name."""
    return ENGINE_IDS.get(engine, scene.render.engine)


def metres(scene: bpy.types.Scene) -> float:
    """Metres in a Blender unit."""
    return 1.0 if scene.unit_settings.system == "NONE" else scene.unit_settings.scale_length


def current_layer(scene: bpy.types.Scene) -> str:
    """The view layer the user is looking at, or the first where no window shows the scene."""
    windows = bpy.context.window_manager.windows
    return next((window.view_layer.name for window in windows if window.scene == scene), scene.view_layers[0].name)


@contextmanager
def failure_said(what: str = "depth") -> Iterator[None]:
    """What Blender, the disk or the file cannot do becomes the one sentence the user sees."""
    try:
        yield
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"Blender did not render the {what}: {str(error).strip()}") from error


def framed_copy(
    scene: bpy.types.Scene, camera: bpy.types.Object, framing: Framing, frame: float | None
) -> bpy.types.Scene:
    """A disposable scene at that frame, whose own camera sees what that one does. Only within `nothing_touched`."""
    bpy.ops.ed.flush_edits()  # as a render from the menu does
    lens, _matrix = evaluated_camera(scene, camera, frame)
    copy = disposable_scene(scene)
    go_to(copy, frame)
    copy.camera = disposable_camera(camera)
    frame_control_image(copy, lens, framing)
    return copy


def disposable_scene(scene: bpy.types.Scene) -> bpy.types.Scene:
    """A copy of the scene that shares its objects, and that nothing but we can change."""
    copy = scene.copy()
    copy.animation_data_clear()
    copy.timeline_markers.clear()  # they switch cameras
    keep_simulated(copy)
    return copy


def keep_simulated(copy: bpy.types.Scene) -> None:
    """Rigid bodies stay where the user's scene has simulated them; without a bake the copy would begin anew."""
    if copy.rigidbody_world:
        with bpy.context.temp_override(scene=copy, point_cache=copy.rigidbody_world.point_cache):
            bpy.ops.ptcache.bake_from_cache()


def disposable_camera(camera: bpy.types.Object) -> bpy.types.Object:
    """A camera with data of its own that goes wherever the render puts the user's, sheared by a parent or not."""
    twin = bpy.data.objects.new(NAME, camera.data.copy())
    twin.data.animation_data_clear()
    follow = cast("bpy.types.CopyTransformsConstraint", twin.constraints.new("COPY_TRANSFORMS"))
    follow.target = camera
    return twin


def go_to(copy: bpy.types.Scene, frame: float | None) -> None:
    """Have the copy rendered at that frame."""
    if frame is not None and frame != copy.frame_current_final:
        copy.frame_current, copy.frame_subframe = math.floor(frame), frame % 1


def camera_matrix(scene: bpy.types.Scene, camera: bpy.types.Object, frame: float | None = None) -> tuple[float, ...]:
    """Where the camera stands at the scene's frame, or at another one: 16 numbers, row by row, in Blender units."""
    matrix = camera.matrix_world
    if frame is not None and frame != scene.frame_current_final:
        with nothing_touched():
            _lens, matrix = evaluated_camera(scene, camera, frame)
    return tuple(number for row in matrix for number in row)


def evaluated_camera(
    scene: bpy.types.Scene, camera: bpy.types.Object, frame: float | None = None
) -> tuple[Lens, mathutils.Matrix]:
    """The lens and the place as keys, drivers and parents have them at the current frame and subframe, or at another.

    Evaluated in a scene with only the camera: the user's may leave out what is hidden, and may be large.
    """
    alone = bpy.data.scenes.new(NAME)
    alone.camera = camera
    alone.render.frame_map_old, alone.render.frame_map_new = scene.render.frame_map_old, scene.render.frame_map_new
    moment = scene.frame_current_final if frame is None else frame
    alone.frame_set(math.floor(moment), subframe=moment % 1)
    seen = camera.evaluated_get(alone.view_layers[0].depsgraph)
    lens = Lens(**{field.name: getattr(seen.data, field.name) for field in fields(Lens)})
    return lens, seen.matrix_world.copy()


def frame_control_image(copy: bpy.types.Scene, lens: Lens, framing: Framing) -> None:
    """Set size, pixel aspect and the copy's camera so that the crop box shows exactly the scene's camera frame."""
    render, data = copy.render, copy.camera.data
    width, height = render.resolution_x * render.pixel_aspect_x, render.resolution_y * render.pixel_aspect_y
    plane = overscanned(frame_viewplane(lens, width, height), framing)
    wide = (plane.width / framing.width) / (plane.height / framing.height)
    render.resolution_x, render.resolution_y, render.resolution_percentage = framing.width, framing.height, 100
    render.pixel_aspect_x, render.pixel_aspect_y = max(wide, 1), max(1 / wide, 1)  # Blender takes none below 1
    new_lens = lens if is_panoramic(copy.camera) else lens.framing(plane)
    for name, value in asdict(new_lens).items():
        setattr(data, name, value)


def keep_one_layer(copy: bpy.types.Scene, name: str) -> None:
    """Render that view layer alone, its depth alone, with its collections as they are."""
    layer = without_passes(copy, name)
    layer.use_pass_z = True
    layer.material_override = None
    layer.samples = 0


def without_passes(copy: bpy.types.Scene, name: str) -> bpy.types.ViewLayer:
    """That view layer, from now on the only one that is rendered, and as yet without any pass."""
    for layer in copy.view_layers:
        layer.use = layer.name == name
    layer = copy.view_layers[name]
    for passes in (layer, layer.cycles) if hasattr(layer, "cycles") else (layer,):
        switch_off(
            passes, *(each.identifier for each in passes.bl_rna.properties if each.identifier.startswith("use_pass_"))
        )
    layer.use_freestyle = False
    return layer


def keep_only_depth(copy: bpy.types.Scene, engine: Engine) -> None:
    """Turn off whatever costs time, moves the picture, or blends depths; the depth goes to disk uncompressed."""
    render = copy.render
    try:
        render.engine = engine_id(copy, engine)
    except TypeError as error:
        raise InputError(f"This Blender has no {engine.title()}: choose another Engine.") from error
    switch_off(render, *BESIDE_THE_PICTURE, "use_motion_blur")
    copy.camera.data.dof.use_dof = False
    render.filter_size = 0
    save_depth_uncompressed(render.image_settings)
    match render.engine:
        case "BLENDER_WORKBENCH":
            plain_workbench(copy.display)
        case "CYCLES":
            single_sample_cycles(copy.cycles)
        case _ if hasattr(copy, "eevee"):
            copy.eevee.taa_render_samples = 1


def save_depth_uncompressed(image: bpy.types.ImageFormatSettings) -> None:
    """All passes as they are in one file: no compositor, whose set-up differs with the version, and no colours."""
    if hasattr(image, "media_type"):  # 5.0 and later
        image.media_type = "MULTI_LAYER_IMAGE"
    image.file_format, image.color_depth, image.exr_codec = "OPEN_EXR_MULTILAYER", "32", "NONE"
    if hasattr(image, "use_exr_interleave"):  # 5.0 and later: one part, as before
        image.use_exr_interleave = True


def plain_workbench(display: bpy.types.SceneDisplay) -> None:
    """One opaque colour and one sample: the depth is that of the first in any case, at the pixel's centre."""
    display.render_aa = "OFF"
    display.shading.light, display.shading.color_type = "FLAT", "SINGLE"
    switch_off(display.shading, "show_backface_culling", "show_cavity", "show_object_outline", "show_shadows",
               "show_specular_highlight", "show_xray", "use_dof")  # fmt: skip


def single_sample_cycles(cycles: Any) -> None:
    """One ray, whose first sample goes through the pixel's centre, and no light."""
    cycles.samples, cycles.max_bounces = 1, 0
    cycles.pixel_filter_type = "BOX"
    switch_off(cycles, "use_adaptive_sampling", "use_auto_tile", "use_denoising")


def switch_off(owner: Any, *names: str) -> None:
    for name in names:
        setattr(owner, name, False)


def rendered_depth(copy: bpy.types.Scene, folder: Path) -> np.ndarray:
    """Render the copy and read its Z pass, in Blender units. Raises RuntimeError, OSError or ValueError."""
    path = folder / "depth.exr"
    copy.render.filepath = str(path)
    try:
        with bpy.context.temp_override(scene=copy):  # or else it is rendered at the frame of the user's scene
            bpy.ops.render.render(scene=copy.name, write_still=True)
        return read_channel(path, ".Depth.Z")
    finally:
        render_result.forget(copy, folder)
