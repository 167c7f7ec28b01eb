"""A still picture of a disposable scene, in the colours of the screen: of the clay, and of the kept objects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from . import render_result
from .capture import BESIDE_THE_PICTURE, framed_copy, switch_off, without_passes

if TYPE_CHECKING:
    from PIL.Image import Image

    from .core.framing import Framing

__all__ = ["copied", "rendered"]


def copied(
    scene: bpy.types.Scene, camera: bpy.types.Object, layer: str, framing: Framing, frame: float | None = None
) -> bpy.types.Scene:
    """A disposable scene that renders that view layer from that camera, at that frame, and leaves everything else out.

    Its alpha is what is not background. Only within `nothing_touched`.
    """
    copy = framed_copy(scene, camera, framing, frame)
    without_passes(copy, layer).use_pass_combined = True
    switch_off(copy.render, *BESIDE_THE_PICTURE)
    copy.render.film_transparent = True
    save_as_shown(copy.render.image_settings)
    return copy


def save_as_shown(image: bpy.types.ImageFormatSettings) -> None:
    """8 bits of what the scene's view transform shows, and an alpha that the colours are not multiplied by."""
    if hasattr(image, "media_type"):  # 5.0 and later
        image.media_type = "IMAGE"
    image.file_format, image.color_mode, image.color_depth, image.compression = "PNG", "RGBA", "8", 0
    image.color_management = "FOLLOW_SCENE"


def rendered(copy: bpy.types.Scene, folder: Path) -> Image:
    """Render the copy: RGBA. Raises RuntimeError, OSError or ValueError."""
    from PIL import Image

    path = folder / "picture.png"
    copy.render.filepath = str(path)
    try:
        with bpy.context.temp_override(scene=copy):  # or else it is rendered at the frame of the user's scene
            bpy.ops.render.render(scene=copy.name, write_still=True)
        with Image.open(path, formats=["PNG"]) as picture:
            return picture.convert("RGBA")
    except SyntaxError as error:  # Pillow's word for a file that a full disk cut short
        raise ValueError(f"{path.name} is not a whole picture") from error
    finally:
        render_result.forget(copy, folder)
