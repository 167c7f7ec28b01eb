"""The preview: what the last render saw, the verdict on it, and the image that shows what is made of it and sent."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import bpy

from . import placement, preferences, windows
from .core.errors import InputError
from .properties import camera_of, choice_of, depth_settings_of, framing_of, model_of

if TYPE_CHECKING:
    from numpy import ndarray
    from PIL.Image import Image as PictureImage

    from .capture import Engine
    from .core.depth_map import DepthSettings, Verdict
    from .core.framing import Framing
    from .core.request import Control, Request

PREVIEW, PREVIEW_FILE = "FLUX Depth Preview", "preview.png"


class View(NamedTuple):
    """All that decides what is rendered, and the scene itself apart. Near, far and curve come after."""

    scene: int
    view_layer: str
    camera: int
    frame: float
    framing: Framing
    engine: Engine
    control: Control


@dataclass(frozen=True, eq=False)
class Seen:
    """What the last render saw, and how long it took."""

    view: View
    z: ndarray
    """Depth in metres, as `capture` gives it, or clay: what `control_picture.picture_of` takes."""
    seconds: float


verdicts: dict[int, Verdict] = {}
"""By the scene's id for this session, what the last preview found; forgotten with the file."""

seen: Seen | None = None


def forget() -> None:
    """Another file is open."""
    global seen
    verdicts.clear()
    seen = None


def view_of(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> View:
    """What a render would see now; raises InputError."""
    from . import capture
    from .core.request import check_control

    settings, model = scene.flux_depth, model_of(scene.flux_depth)
    engine, control = choice_of(settings, "engine"), choice_of(settings, "control")
    check_control(control, model)
    camera, frame = camera_of(scene) or capture.camera_of(scene), scene.frame_current_final
    framing = framing_of(scene, model)
    return View(scene.session_uid, view_layer.name, camera.session_uid, frame, framing, engine, control)


def view_of_request(scene: bpy.types.Scene, request: Request) -> View:
    """What a render for that request of this scene would see; raises InputError."""
    from . import capture

    camera = capture.camera_of(scene, request.camera)
    engine, control = cast("Engine", request.engine), request.control
    return View(
        scene.session_uid, request.view_layer, camera.session_uid, request.frame, request.framing, engine, control
    )


def rendering(view: View, *, beside: bool = False) -> Generator[str, None, ndarray]:
    """Render it and keep what was seen. Raises InputError.

    With `beside`, what takes its time is rendered by another Blender; yields meanwhile what that one is doing.
    """
    from . import background_render, control_picture

    global seen
    began = time.monotonic()
    wanted = {
        "scene": scene_of(view),
        "camera": _by_uid(bpy.data.objects, view.camera),
        "view_layer": view.view_layer,
        "framing": view.framing,
        "engine": view.engine,
        "frame": view.frame,
    }
    if beside and view.control == "depth" and background_render.can_render(wanted["scene"], view.engine):
        z = yield from background_render.rendering(**wanted)
    else:
        z = control_picture.rendered(**wanted, control=view.control)
    seen = Seen(view, z, time.monotonic() - began)
    return z


def scene_of(view: View) -> bpy.types.Scene:
    """Its scene as it is now: an undo gives Blender another one under the same number. Raises InputError."""
    scene = next((scene for scene in bpy.data.scenes if scene.session_uid == view.scene), None)
    if scene is None:
        raise InputError("The scene whose depth was rendered is gone.")
    return scene


def show(scene: bpy.types.Scene, *, open_one: bool = False) -> Verdict | None:
    """Show what was last seen as it would be sent, depth as near, far and curve want it. Raises InputError.

    Clay gets no verdict.
    """
    from . import control_picture

    picture, verdict = control_picture.picture_of(seen.z, depth_settings_of(scene))
    verdicts.pop(scene.session_uid, None)
    if verdict:
        verdicts[scene.session_uid] = verdict
    placement.show_in_editor(image_of(picture), open_one=open_one)
    redraw()
    return verdict


def ends_of(scene: bpy.types.Scene) -> dict[str, float | None]:
    """Near and far in Blender units: as set, else as the last preview found them; None where it is not known."""
    settings, verdict = scene.flux_depth, verdicts.get(scene.session_uid)
    near, far = found_in(scene, verdict) if verdict else (None, None)
    return {"near": settings.near if settings.use_near else near, "far": settings.far if settings.use_far else far}


def found_in(scene: bpy.types.Scene, verdict: Verdict) -> tuple[float, float]:
    """The range that a verdict is on, in Blender units."""
    from .capture import metres

    return verdict.near / metres(scene), verdict.far / metres(scene)


def units(scene: bpy.types.Scene, depth: DepthSettings) -> tuple[float, float]:
    """Near and far of these settings in Blender units; 0 for what is not set."""
    from .capture import metres

    return (depth.near or 0) / metres(scene), (depth.far or 0) / metres(scene)


def camera_of_view(view: View) -> bpy.types.Object:
    """Its camera as it is now."""
    return cast("bpy.types.Object", _by_uid(bpy.data.objects, view.camera))


def set_end(scene: bpy.types.Scene, end: str, units: float) -> None:
    """Set near or far by hand, in Blender units."""
    setattr(scene.flux_depth, end, units)
    setattr(scene.flux_depth, f"use_{end}", True)
    redraw()


def redraw() -> None:
    """Have the panels drawn anew, and the range in 3D views."""
    for area in windows.areas():
        if area.type in {"VIEW_3D", "IMAGE_EDITOR"}:
            area.tag_redraw()


def window_in_sight() -> bpy.types.Window | None:
    """A window in which an Image Editor shows the preview."""
    opened = bpy.context.window_manager.windows
    return next((window for window in opened if any(map(_shows_preview, window.screen.areas))), None)


def image_of(picture: PictureImage, name: str = PREVIEW, file: str = PREVIEW_FILE) -> bpy.types.Image:
    """The picture as one image data-block that is used again and again.

    From a file: what is only in memory Blender would ask to save when it quits. Taken for sRGB, as the file is by who
    gets it, it shows on the screen the very values that are sent.
    """
    from .core.depth_map import png
    from .core.picture import write_whole

    path = preferences.data_folder() / file
    try:
        write_whole(path, png(picture))
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}).") from None
    image = placement.load(path)
    image.name = name
    image.reload()
    return image


def _path() -> Path:
    return preferences.data_folder() / PREVIEW_FILE


def _shows_preview(area: bpy.types.Area) -> bool:
    image = area.spaces.active.image if area.ui_type == "IMAGE_EDITOR" else None
    return bool(image) and placement.shows(image, _path())


def _by_uid(blocks: Any, uid: int) -> Any:
    return next(block for block in blocks if block.session_uid == uid)
