"""A render laid over a picture: the objects that an artist keeps, where their mask says so."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError, ProviderError
from .framing import Framing
from .picture import MAX_BYTES, open_picture
from .provenance import embedded
from .record import said_of_composite

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["frame_of", "laid_over", "png", "read"]

ROUNDING = 1.5
"""Pixels by which a picture's sides may differ from the shape of the camera's frame: whole pixels, once enlarged."""


def read(path: Path) -> Image.Image:
    """The picture in that file, RGB, its values as they stand. Raises InputError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero in it
        reason = error.strerror if isinstance(error, OSError) else "no path has a zero in it"
        raise InputError(f"{path} cannot be opened ({reason}): it was moved or deleted.") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{path.name} is larger than {MAX_BYTES:,} bytes: it is no picture of this extension's.")
    try:
        return open_picture(data).convert("RGB")
    except ProviderError:
        raise InputError(f"{path.name} is not a whole PNG, JPEG or WebP picture: choose another.") from None


def frame_of(size: tuple[int, int], aspect: float) -> Framing:
    """A picture of that size as the frame of a camera, width / height as given. Raises InputError for another shape."""
    width, height = size
    if abs(width - height * aspect) > ROUNDING * max(1, aspect):
        raise InputError(
            f"The picture is {width} × {height} pixels, and the camera's frame has another shape ({aspect:.3f} : 1): "
            "set the resolution that it was made with, or choose another picture."
        )
    return Framing(width, height, 0, 0, width, height)


def laid_over(picture: Image.Image, render: Image.Image) -> Image.Image:
    """RGB: picture × (1 − a) + render × a, pixel on pixel, a the alpha of the render, which is not multiplied into it.

    Both hold values as a screen shows them. Raises InputError when they differ in size.
    """
    from PIL import Image

    if picture.size != render.size:
        sizes = "{} × {} pixels, and what is laid over it {} × {}".format(*picture.size, *render.size)
        raise InputError(f"The picture is {sizes}: they must be of one size.")
    return Image.composite(render.convert("RGB"), picture.convert("RGB"), render.getchannel("A"))


def png(image: Image.Image, over: Path | None = None) -> bytes:
    """The picture as PNG; one that was laid over another says how that one was made."""
    buffer = BytesIO()
    image.save(buffer, "PNG")
    told = said_of_composite(over) if over else None
    return embedded(buffer.getvalue(), told) if told else buffer.getvalue()
