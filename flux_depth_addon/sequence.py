"""A shot's frames into the Video Sequencer and onto a camera; what differs there between Blenders."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import bpy

from . import placement
from .core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CHANNELS = 128
"""As many as the sequencer has."""


def to_sequencer(context: bpy.types.Context, folder: Path, frames: Sequence[int], there: set[int]) -> Any:
    """The frames as one image strip on a free channel; a missing one shows the one before. Raises InputError."""
    scene = _sequencer_scene(context)
    files = _held(folder, frames, there)
    strips = _strips(scene)
    taken = {strip.channel for strip in strips}
    channel = next((number for number in range(1, CHANNELS + 1) if number not in taken), CHANNELS)
    first = next(file for file in files if file)
    start = frames[0] + files.index(first)
    strip = strips.new_image(folder.name, str(folder / first), channel, start, fit_method="FIT")
    strip.directory = _shown_path(folder) + os.sep
    for file in files[files.index(first) + 1 :]:
        strip.elements.append(file)
    with suppress(TypeError):  # a studio's own colour configuration may have other names
        strip.colorspace_settings.name = placement.FILE_COLOURS
    return strip


def _held(folder: Path, frames: Sequence[int], there: set[int]) -> list[str]:
    """For every frame of the scene the name of the newest picture up to there; nothing before the first one."""
    from .core.shot import path_of

    shown, names = "", []
    step = frames[1] - frames[0] if len(frames) > 1 else 1
    for frame in range(frames[0], frames[-1] + step):
        if frame in there:
            shown = path_of(folder, frame).name
        names.append(shown)
    return names


def _sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene that the sequencer shows: from 5.0 on a workspace chooses it."""
    workspace = cast("Any", context.workspace)
    if not hasattr(workspace, "sequencer_scene"):
        return context.scene
    if workspace.sequencer_scene is None:
        workspace.sequencer_scene = context.scene
    return cast("bpy.types.Scene", workspace.sequencer_scene)


def _strips(scene: bpy.types.Scene) -> Any:
    """All strips of its sequencer: they were called sequences before 4.4."""
    editor = cast("Any", scene.sequence_editor or scene.sequence_editor_create())
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def on_camera(camera: bpy.types.Object, folder: Path, frames: Sequence[int], there: set[int]) -> None:
    """The frames on the camera's frame: at frame 7 of the scene picture 7, and none where there is none.

    Raises InputError.
    """
    from .core.shot import path_of

    first, last = min(there), max(there)
    slot = placement.lay_behind(camera, _as_sequence(path_of(folder, first)))
    user = slot.image_user
    user.frame_start, user.frame_duration = first, last - first + 1
    user.frame_offset = first - 1  # of the numbers in the files' names
    user.use_cyclic, user.use_auto_refresh = False, True


def _as_sequence(path: Path) -> bpy.types.Image:
    """The picture and those numbered after it as one image data-block. Raises InputError."""
    known = next((image for image in bpy.data.images if _is_sequence_of(image, path)), None)
    if known:
        return known
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError:
        raise InputError(f"{path.name} cannot be opened: it was moved or deleted.") from None
    image.source = "SEQUENCE"
    with suppress(TypeError):
        image.colorspace_settings.name = placement.CAMERA_COLOURS
    return image


def _is_sequence_of(image: bpy.types.Image, path: Path) -> bool:
    if image.source != "SEQUENCE" or image.library or image.colorspace_settings.name != placement.CAMERA_COLOURS:
        return False
    return os.path.normpath(bpy.path.abspath(image.filepath)) == os.path.normpath(path)


def _shown_path(folder: Path) -> str:
    """Relative to the blend file where that can be, so that both may move."""
    try:
        return bpy.path.relpath(str(folder)) if bpy.data.filepath else str(folder)
    except ValueError:  # another drive
        return str(folder)
