"""The scene that the arguments name, and the request that they make of it."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import bpy

from ..core.errors import InputError
from ..core.framing import fit
from .dials import dials_of

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from numpy import ndarray

    from ..core import models
    from ..core.depth_map import DepthSettings
    from ..core.framing import Framing
    from ..core.request import Request


def open_scene(arguments: argparse.Namespace) -> tuple[bpy.types.Scene, bpy.types.Object]:
    """The scene and the camera that the arguments name, at the frame they name. Raises InputError."""
    from .. import capture

    scene = opened(arguments)
    camera = capture.camera_of(scene, arguments.camera)
    check_names(arguments.scene_file, scene, camera)
    return scene, camera


def check_names(path: Path, *things: bpy.types.ID) -> None:
    """Raises InputError for a scene or a camera whose name cannot be told."""
    from ..stored_text import text

    if not all(map(text, things)):
        raise InputError(
            f"{path.name} holds a name that is not text: rename its scene and its camera. Nothing was sent."
        )


def opened(arguments: argparse.Namespace) -> bpy.types.Scene:
    """The scene that the arguments name, at the frame they name. Raises InputError."""
    path: Path = arguments.scene_file
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    try:
        # Scripts of a stranger's file do not run: nothing in it may decide anything here.
        bpy.ops.wm.open_mainfile(filepath=str(path.absolute()), load_ui=False, use_scripts=False)
    except RuntimeError:
        raise InputError(f"{path} is not a blend file that this Blender can open.") from None
    scene = bpy.data.scenes.get(arguments.scene) if arguments.scene else bpy.context.scene
    if scene is None:
        raise InputError(f"{path.name} has no scene “{arguments.scene}”: it has {', '.join(bpy.data.scenes.keys())}.")
    if arguments.frame is not None:
        subframe, frame = math.modf(arguments.frame)
        scene.frame_set(int(frame), subframe=subframe)
    return scene


def framing_of(
    arguments: argparse.Namespace, scene: bpy.types.Scene, camera: bpy.types.Object, model: models.Model
) -> Framing:
    from .. import capture

    overscan = not capture.is_panoramic(camera)
    return fit(capture.frame_aspect(scene), model.limits, megapixels=arguments.megapixels, overscan=overscan)


def depth_settings(arguments: argparse.Namespace) -> DepthSettings:
    from ..core.depth_map import DepthSettings

    shape = {name: getattr(arguments, name) for name in ("detail", "blur", "gamma")}
    return DepthSettings(near=arguments.near, far=arguments.far, curve=arguments.curve, **shape)


def looked_at(
    arguments: argparse.Namespace,
    scene: bpy.types.Scene,
    camera: bpy.types.Object,
    framing: Framing,
    frame: float | None = None,
) -> ndarray:
    """What the control image is made of, rendered now. Raises InputError."""
    from ..control_picture import rendered

    how = {"engine": arguments.engine.upper(), "control": arguments.control, "frame": frame}
    return rendered(scene=scene, camera=camera, framing=framing, **how)


def request_of(
    arguments: argparse.Namespace, scene: bpy.types.Scene, camera: bpy.types.Object, model: models.Model
) -> Request:
    from .. import capture
    from ..core.extra import field_of
    from ..core.loras import lora_of
    from ..core.request import Request

    usual = "png" if "png" in model.formats else model.formats[0]
    return Request(
        prompt=arguments.prompt,
        model=model.id,
        framing=framing_of(arguments, scene, camera, model),
        depth=depth_settings(arguments),
        engine=arguments.engine.upper(),
        control=arguments.control,
        seed=arguments.seed,
        prompt_upsampling=arguments.prompt_upsampling or None,
        output_format=arguments.output_format or usual,
        finetune_id=arguments.finetune_id,
        loras=tuple(map(lora_of, arguments.lora)),
        extra=tuple(map(field_of, arguments.extra)),
        **dials_of(arguments, model),
        blend=arguments.scene_file.name,
        scene=scene.name,
        camera=camera.name,
        camera_matrix=capture.camera_matrix(scene, camera),
        frame=scene.frame_current_final,
        provenance=arguments.provenance,
    )


def started(arguments: argparse.Namespace, request: Request) -> tuple[Request, bytes]:
    """The request with the mark of the start picture, and that picture at its size. Raises InputError."""
    from ..core.start import mark_of

    picture = _fitted(arguments.start, request.framing) if arguments.start else b""
    return replace(request, start=mark_of(picture)), picture


@lru_cache(maxsize=8)
def _fitted(path: Path, framing: Framing) -> bytes:
    from ..core.start import fitted, read

    return fitted(read(path), framing)
