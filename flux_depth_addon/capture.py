"""The Z pass, rendered in a disposable copy of the scene; every difference of rendering between Blender versions."""

from __future__ import annotations

import ctypes
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal

import bpy
import numpy as np

from .core.errors import InputError
from .core.framing import Framing
from .exr import read_channel
from .viewplane import Lens, frame_viewplane, overscanned

__all__ = ["Engine", "camera_of", "capture", "frame_aspect", "is_panoramic"]

Engine = Literal["WORKBENCH", "CYCLES", "SCENE"]
"""Who draws: Blender's quickest engine, the one that knows alpha and displacement, or the scene's own."""

ENGINES = {"BLENDER_WORKBENCH", "CYCLES", "BLENDER_EEVEE", "BLENDER_EEVEE_NEXT"}
"""A foreign engine that fails without a picture would crash Blender as it writes the file."""
NAME = "FLUX Depth"
MAX_SIDE = 16384
MAX_PIXELS = 200_000_000
"""Beyond these a graphics card refuses, or the picture takes more memory than most machines have."""
NEVER_RENDERED = {"ARMATURE", "CAMERA", "EMPTY", "LATTICE", "LIGHT", "LIGHT_PROBE", "SPEAKER"}
NO_HIT = 1e9
"""Engines write 1e10 where nothing was hit."""
RUN_BY_A_RENDER = ("render_", "frame_change_", "depsgraph_update_", "composite_")
"""How the names of the handlers begin that a render calls."""
WINDOWED = not bpy.app.background
"""Without a window nobody looks at render slots."""


def capture(
    *,
    scene: bpy.types.Scene,
    framing: Framing,
    camera: bpy.types.Object | None = None,
    view_layer: str | None = None,
    engine: Engine = "WORKBENCH",
) -> np.ndarray:
    """Depth in metres, (height, width) float32, row 0 at the top, inf where nothing was hit. Raises InputError.

    Measured along the view axis; from a panoramic camera, along the ray. As in any render, what is off for renders is
    left out; what is only hidden in the viewport, or left out of a local view, is in.
    """
    camera = camera or camera_of(scene)
    layer = view_layer or current_layer(scene)
    check(scene, camera, layer, framing, engine)
    with ExitStack() as stack:
        stack.enter_context(silent_handlers())
        stack.enter_context(kept_render_result())
        stack.enter_context(nothing_in_front())
        bpy.ops.ed.flush_edits()  # as a render from the menu does
        lens = evaluated_lens(scene, camera)
        copy = stack.enter_context(disposable_scene(scene))
        copy.camera = stack.enter_context(disposable_camera(camera))
        frame_control_image(copy, lens, framing)
        keep_one_layer(copy, layer)
        keep_only_depth(copy, engine)
        z = rendered_depth(copy)
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
    return {"WORKBENCH": "BLENDER_WORKBENCH", "CYCLES": "CYCLES"}.get(engine, scene.render.engine)


def metres(scene: bpy.types.Scene) -> float:
    """Metres in a Blender unit."""
    return 1.0 if scene.unit_settings.system == "NONE" else scene.unit_settings.scale_length


def current_layer(scene: bpy.types.Scene) -> str:
    """The view layer the user is looking at, or the first where no window shows the scene."""
    windows = bpy.context.window_manager.windows
    return next((window.view_layer.name for window in windows if window.scene == scene), scene.view_layers[0].name)


@contextmanager
def silent_handlers() -> Iterator[None]:
    """Keep other add-ons out of our render: their handlers may raise, save files or change the user's scene."""
    names = (name for name in dir(bpy.app.handlers) if name.startswith(RUN_BY_A_RENDER))
    lists = [getattr(bpy.app.handlers, name) for name in names]
    kept = [list(handlers) for handlers in lists]
    for handlers in lists:
        handlers.clear()
    try:
        yield
    finally:
        for handlers, before in zip(lists, kept, strict=True):
            handlers[:0] = before  # in front of any that were added meanwhile


@contextmanager
def nothing_in_front() -> Iterator[None]:
    """Turn objects' In Front off for the while: Workbench would give them the depth of the near clip plane."""
    things = [thing for thing in bpy.data.objects if thing.show_in_front and thing.type not in NEVER_RENDERED]
    for thing in things:
        thing.show_in_front = False
    try:
        yield
    finally:
        for thing in things:
            thing.show_in_front = True


@contextmanager
def kept_render_result() -> Iterator[None]:
    """Bring the user's Render Result through a render: every slot, the one on view, or that there is none."""
    image = render_result()
    on_view = image.render_slots.active_index if image else 0
    try:
        if image and WINDOWED:
            image.render_slots.active_index = last_rendered_slot(image)
        yield
    finally:
        if image:
            image.render_slots.active_index = on_view
        elif made := render_result():
            bpy.data.images.remove(made)


def render_result() -> bpy.types.Image | None:
    """The picture that every scene's render shows in."""
    return next((image for image in bpy.data.images if image.type == "RENDER_RESULT"), None)


def last_rendered_slot(image: bpy.types.Image) -> int:
    """The slot of the last render, the only one that the next render leaves alone: it drops what another holds.

    Blender does not tell which it is. Its picture is kept with the scene, those of the others with the image: a scene
    that was never rendered can save the others and not this one.
    """
    slots, on_view = image.render_slots, image.render_slots.active_index
    with never_rendered_scene() as blank:
        free = [slot for slot in range(len(slots)) if not shows(image, slot, blank)]
    if len(free) == len(slots) and on_view == 0:
        return 0  # one render at most and no choice of slots: spare the time of saving that picture
    rendered = (slot for slot in free if any(shows(image, slot, scene) for scene in bpy.data.scenes))
    return next(rendered, free[0] if free else on_view)


def shows(image: bpy.types.Image, slot: int, scene: bpy.types.Scene) -> bool:
    """True when this slot of the Render Result has a picture, seen from that scene."""
    image.render_slots.active_index = slot
    with suppress(RuntimeError), tempfile.TemporaryDirectory() as folder:
        image.save_render(str(Path(folder, "slot")), scene=scene)
        return True
    return False


@contextmanager
def never_rendered_scene() -> Iterator[bpy.types.Scene]:
    """A new and empty scene."""
    scene = bpy.data.scenes.new(NAME)
    try:
        yield scene
    finally:
        bpy.data.scenes.remove(scene)


@contextmanager
def disposable_scene(scene: bpy.types.Scene) -> Iterator[bpy.types.Scene]:
    """A copy of the scene that shares its objects, and that nothing but we can change.

    Blender 4.2 counts a user too many of what lies right under the copied scene's collection, until the file is next
    opened; setting that right would need its count cleared, which may cost the user the object.
    """
    copy = scene.copy()
    try:
        copy.animation_data_clear()
        copy.timeline_markers.clear()  # they switch cameras
        keep_simulated(copy)
        yield copy
    finally:
        bpy.data.scenes.remove(copy)


def keep_simulated(copy: bpy.types.Scene) -> None:
    """Rigid bodies stay where the user's scene has simulated them; without a bake the copy would begin anew."""
    if copy.rigidbody_world:
        with bpy.context.temp_override(scene=copy, point_cache=copy.rigidbody_world.point_cache):
            bpy.ops.ptcache.bake_from_cache()


@contextmanager
def disposable_camera(camera: bpy.types.Object) -> Iterator[bpy.types.Object]:
    """A camera with data of its own that goes wherever the render puts the user's, sheared by a parent or not."""
    data = camera.data.copy()
    twin = bpy.data.objects.new(NAME, data)
    try:
        data.animation_data_clear()
        twin.constraints.new("COPY_TRANSFORMS").target = camera
        yield twin
    finally:
        bpy.data.objects.remove(twin)
        bpy.data.cameras.remove(data)


def evaluated_lens(scene: bpy.types.Scene, camera: bpy.types.Object) -> Lens:
    """The lens as keys and drivers have it at the current frame and subframe.

    Evaluated in a scene with only the camera: the user's may leave out what is hidden, and may be large.
    """
    with never_rendered_scene() as alone:
        alone.camera = camera
        alone.render.frame_map_old, alone.render.frame_map_new = scene.render.frame_map_old, scene.render.frame_map_new
        alone.frame_set(scene.frame_current, subframe=scene.frame_subframe)
        data = camera.evaluated_get(alone.view_layers[0].depsgraph).data
        return Lens(**{field.name: getattr(data, field.name) for field in fields(Lens)})


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
    for layer in copy.view_layers:
        layer.use = layer.name == name
    layer = copy.view_layers[name]
    for passes in (layer, layer.cycles) if hasattr(layer, "cycles") else (layer,):
        switch_off(
            passes, *(each.identifier for each in passes.bl_rna.properties if each.identifier.startswith("use_pass_"))
        )
    layer.use_pass_z = True
    layer.use_freestyle = False
    layer.material_override = None
    layer.samples = 0


def keep_only_depth(copy: bpy.types.Scene, engine: Engine) -> None:
    """Turn off whatever costs time, moves the picture, or blends depths; the depth goes to disk uncompressed."""
    render = copy.render
    try:
        render.engine = engine_id(copy, engine)
    except TypeError as error:
        raise InputError(f"This Blender has no {engine.title()}: choose another Engine.") from error
    switch_off(
        render, "use_border", "use_compositing", "use_crop_to_border", "use_freestyle", "use_motion_blur",
        "use_multiview", "use_persistent_data", "use_sequencer", "use_single_layer", "use_stamp",
    )  # fmt: skip
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


def rendered_depth(copy: bpy.types.Scene) -> np.ndarray:
    """Render the copy and read its Z pass, in Blender units."""
    try:
        with tempfile.TemporaryDirectory(prefix="flux_depth_") as folder:
            path = Path(folder, "depth.exr")
            copy.render.filepath = str(path)
            bpy.ops.render.render(scene=copy.name, write_still=True)
            z = read_channel(path, ".Depth.Z")
            forget_render(copy)
            return z
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"Blender did not render the depth: {str(error).strip()}") from error


def forget_render(copy: bpy.types.Scene) -> None:
    """Free the picture, which Blender would keep beyond the scene's own end: begin a render that has nothing to do."""
    copy.render.resolution_x = copy.render.resolution_y = 4
    copy.frame_start, copy.frame_end = 1, 1
    copy.render.use_overwrite = False
    Path(copy.render.frame_path(frame=1)).touch()
    bpy.ops.render.render(scene=copy.name, animation=True)
