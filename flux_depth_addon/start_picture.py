"""The start picture: one of Blender's images that a model paints over, and its bytes when a button is pressed."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import bpy
from bpy.props import PointerProperty

from .core.errors import InputError
from .stored_text import text

if TYPE_CHECKING:
    from .core.framing import Framing
    from .core.models import Model
    from .core.request import Request

UNREAD = "0" * 64
"""What stands for the picture in a request until a button is pressed: no panel may read pixels."""

SAVED = ("media_type", "file_format", "color_mode", "color_depth", "compression", "color_management")
"""What decides how a render is saved; set in this order, as each limits the next."""


class FLUXDEPTH_PG_start(bpy.types.PropertyGroup):
    """What a scene's pictures start from. Saved in the blend file"""

    image: PointerProperty(
        name="Start Picture",
        description="What is painted over: the Render Result, or any image. It is sent with the depth",
        type=bpy.types.Image,
    )


def settings_of(scene: bpy.types.Scene) -> FLUXDEPTH_PG_start:
    """The scene's."""
    return cast("Any", scene).flux_depth_start


def image_of(scene: bpy.types.Scene, model: "Model") -> bpy.types.Image | None:
    """The image that this model paints over; none where it takes none. A file can hold any data-block there."""
    image = settings_of(scene).image if model.start != "none" else None
    return image if isinstance(image, bpy.types.Image) else None


def mark_of(scene: bpy.types.Scene, model: "Model") -> str:
    """What a request of this scene holds for it before it is read."""
    return UNREAD if image_of(scene, model) else ""


def moves(image: bpy.types.Image) -> bool:
    """Whether it has other pixels at other frames."""
    return image.source in {"SEQUENCE", "MOVIE"}


class Starts:
    """The start picture as it is at the first question, in every size that is asked for."""

    def __init__(self, scene: bpy.types.Scene) -> None:
        self._scene = scene
        self._whole = b""
        self._sizes: dict[Framing, bytes] = {}

    def given(self, request: "Request") -> "Request":
        """The request with the mark of what is sent for it. Raises InputError where the image has no pixels."""
        from .core.start import mark_of

        return replace(request, start=mark_of(self._fitted(request.framing))) if request.start else request

    def of(self, request: "Request") -> bytes:
        """What is sent for it; nothing where nothing is."""
        return self._fitted(request.framing) if request.start else b""

    def _fitted(self, framing: "Framing") -> bytes:
        from .core.start import fitted

        if framing not in self._sizes:
            self._whole = self._whole or read(settings_of(self._scene).image, self._scene)
            self._sizes[framing] = fitted(self._whole, framing)
        return self._sizes[framing]


def read(image: bpy.types.Image, scene: bpy.types.Scene) -> bytes:
    """A PNG of the colours that the image shows. Raises InputError where it has none."""
    if image.type == "RENDER_RESULT":
        return _rendered(image, scene)
    from .core.picture import MAX_PIXELS

    size, pixels = cast("Any", image.size), cast("Any", image.pixels)
    width, height = size
    if not width or not height or len(pixels) != width * height * image.channels:
        raise InputError(f"The start picture “{text(image)[:60]}” has no pixels: choose another. Nothing was sent.")
    if width * height > MAX_PIXELS:
        raise InputError(
            f"The start picture “{text(image)[:60]}” is {width} × {height}, more than 20 megapixels: make it smaller. "
            "Nothing was sent."
        )
    return _png(image, width, height)


def _png(image: bpy.types.Image, width: int, height: int) -> bytes:
    from io import BytesIO

    import numpy as np
    from PIL import Image

    values = np.empty(width * height * image.channels, np.float32)
    cast("Any", image.pixels).foreach_get(values)
    pixels = np.nan_to_num(values.reshape(height, width, image.channels)[::-1])
    colours = pixels[:, :, :3] if image.channels > 2 else np.repeat(pixels[:, :, :1], 3, axis=2)
    if image.is_float:  # linear light: on a screen it is sRGB
        colours = np.clip(colours, 0, 1)
        colours = np.where(colours <= 0.0031308, colours * 12.92, 1.055 * colours ** (1 / 2.4) - 0.055)
    buffer = BytesIO()
    Image.fromarray((np.clip(colours, 0, 1) * 255 + 0.5).astype(np.uint8)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _rendered(image: bpy.types.Image, scene: bpy.types.Scene) -> bytes:
    with tempfile.TemporaryDirectory(prefix="flux_depth_") as folder:
        path = Path(folder) / "start.png"
        try:
            with _saving_as_shown(cast("Any", scene.render.image_settings)):
                image.save_render(str(path), scene=scene)
            return path.read_bytes()
        except (RuntimeError, OSError):
            raise InputError(
                "There is no render to start from: render first (F12), or choose another start picture. "
                "Nothing was sent."
            ) from None


@contextmanager
def _saving_as_shown(settings: Any) -> Iterator[None]:
    """Have renders saved as PNG in the colours of the screen for the while."""
    from .still import save_as_shown

    before = {name: getattr(settings, name) for name in SAVED if hasattr(settings, name)}
    try:
        save_as_shown(settings)
        yield
    finally:
        for name, value in before.items():
            setattr(settings, name, value)


_register_classes, _unregister_classes = bpy.utils.register_classes_factory((FLUXDEPTH_PG_start,))


def register() -> None:
    """Hang it on scenes."""
    _register_classes()
    cast("Any", bpy.types.Scene).flux_depth_start = PointerProperty(type=FLUXDEPTH_PG_start)


def unregister() -> None:
    """Take it down; what a blend file holds stays in it."""
    del cast("Any", bpy.types.Scene).flux_depth_start
    _unregister_classes()
