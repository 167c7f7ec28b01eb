"""A finished picture into the Image Editor and onto the camera's frame."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from . import windows
from .core.errors import InputError

if TYPE_CHECKING:
    from .core.job import Job

MARK = "flux_depth"
"""The custom property of images that this extension laid on a camera."""

FILE_COLOURS = "sRGB"
"""What everybody takes the values in a picture's file for; so read, the Image Editor shows these very values."""

CAMERA_COLOURS = "Gamma 2.2 Encoded Rec.709" if bpy.app.version >= (5, 2, 0) else FILE_COLOURS
"""How a picture must be read to show its file's values in the 3D View, whatever the view transform.

Blender lays background images over the view with a plain exponent of 2.2. Read as sRGB, tones below 64 come out up to
8 of 255 too light there. Before 5.2 Blender knows no colour space that undoes it.
"""


comparing: set[int] = set()
"""Image Editors, by the addresses of their spaces, in which pictures are compared: what arrives leaves them alone."""


def place(job: Job) -> None:
    """Show an arrived picture where its scene wants it; a camera that is gone or locked is passed over."""
    if _scene_of(job).flux_depth.destination != "CAMERA":
        show_in_editor(load(Path(job.result)))
    lay_on_camera(job)


def lay_on_camera(job: Job) -> None:
    """The same for the camera alone, while an Image Editor shows another picture of the same batch."""
    scene = _scene_of(job)
    camera = scene.objects.get(job.request.camera) or _only_camera(scene)
    wanted = scene.flux_depth.destination != "EDITOR"
    if wanted and camera and camera.type == "CAMERA" and camera.data.is_editable:
        put_behind(camera, Path(job.result))


def _scene_of(job: Job) -> bpy.types.Scene:
    return bpy.data.scenes.get(job.request.scene) or bpy.context.window_manager.windows[0].scene


def _only_camera(scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The camera that must be meant when the one that was named is called something else by now."""
    cameras = [thing for thing in scene.objects if thing.type == "CAMERA"]
    return cameras[0] if len(cameras) == 1 else None


def load(path: Path, colours: str = FILE_COLOURS) -> bpy.types.Image:
    """The picture as an image data-block, the same one for the same file and colour space. Raises InputError."""
    return next((image for image in bpy.data.images if shows(image, path, colours)), None) or _loaded(path, colours)


def shows(image: bpy.types.Image, path: Path, colours: str = FILE_COLOURS) -> bool:
    """Whether an image shows that file as it is: a stranger's may have its name, and show something else."""
    as_it_is = image.source == "FILE" and image.colorspace_settings.name == colours
    altered = image.library or image.use_view_as_render or image.use_multiview
    here = os.path.normpath(bpy.path.abspath(image.filepath))
    return as_it_is and not altered and here == os.path.normpath(path)


def _loaded(path: Path, colours: str) -> bpy.types.Image:
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError:
        raise InputError(f"{path.name} cannot be opened: it was moved or deleted.") from None
    with suppress(TypeError):  # a studio's own colour configuration may have other names
        image.colorspace_settings.name = colours
    return image


def show_in_editor(image: bpy.types.Image, *, open_one: bool = False) -> None:
    """Show an image in the largest open Image Editor, or if wanted in a new window, soon."""
    area = editor(clicked=open_one)
    if area:
        area.spaces.active.image = image
    elif open_one and not bpy.app.background:
        windows.soon(partial(_show_in_new_window, image.name))


def editor(*, clicked: bool = False) -> bpy.types.Area | None:
    """The largest open Image Editor. What is pinned stays, and without a click what is compared."""
    editors = [
        area for area in windows.areas() if area.ui_type == "IMAGE_EDITOR" and not area.spaces.active.use_image_pin
    ]
    if not clicked:
        editors = [area for area in editors if area.spaces.active.as_pointer() not in comparing]
    return max(editors, key=lambda area: area.width * area.height, default=None)


def _show_in_new_window(name: str) -> None:
    windows.new_editor("IMAGE_EDITOR").spaces.active.image = bpy.data.images.get(name)


def put_behind(camera: bpy.types.Object, path: Path) -> bpy.types.CameraBackgroundImage:
    """Lay a picture exactly on the camera's frame, in the one slot that is ours. Raises InputError."""
    return lay_behind(camera, load(path, CAMERA_COLOURS))


def lay_behind(camera: bpy.types.Object, image: bpy.types.Image) -> bpy.types.CameraBackgroundImage:
    """The same with an image that is loaded. Raises InputError."""
    if not camera.data.is_editable:
        raise InputError(f"The camera “{camera.name}” is linked from another file and cannot hold a background image.")
    image[MARK] = True
    slot = slot_of(camera) or _new_slot(camera)
    _lay_on_frame(slot)
    slot.image = image
    slot.show_background_image = True
    camera.data.show_background_images = True
    return slot


def slot_of(camera: bpy.types.Object) -> bpy.types.CameraBackgroundImage | None:
    """Our slot among the camera's background images."""
    slots = camera.data.background_images
    return next((slot for slot in slots if slot.image and slot.image.get(MARK)), None)


def flip(camera: bpy.types.Object) -> None:
    """Hide our picture on a camera, or show it again."""
    slot = slot_of(camera)
    shown = camera.data.show_background_images and slot.show_background_image
    slot.show_background_image = not shown
    camera.data.show_background_images |= not shown


def _new_slot(camera: bpy.types.Object) -> bpy.types.CameraBackgroundImage:
    slot = camera.data.background_images.new()
    slot.display_depth = "FRONT"
    slot.alpha = 1.0
    return slot


def _lay_on_frame(slot: bpy.types.CameraBackgroundImage) -> None:
    """Every time: a stranger's file can hold a slot that passes for ours and shows something else, somewhere else."""
    slot.source = "IMAGE"
    slot.frame_method = "STRETCH"  # the picture is the frame: anything else would move it by part of a pixel
    slot.offset, slot.scale, slot.rotation = (0.0, 0.0), 1.0, 0.0
    slot.use_flip_x = slot.use_flip_y = False
