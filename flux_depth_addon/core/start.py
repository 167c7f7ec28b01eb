"""The start picture, brought to the size that a model gets: over the frame exactly, and drawn out around it."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError, ProviderError
from .framing import Framing
from .picture import MAX_BYTES, open_picture, write_whole

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["FILE", "fitted", "keep", "kept", "mark_of", "read"]

FILE = "start.png"
"""What it is called in the folder of a shot, whose frames all start from it."""


def fitted(image: bytes, framing: Framing) -> bytes:
    """A PNG of the framing's size: the picture fills its frame, and its outermost pixels fill what is around that.

    It keeps its shape: what of it does not fit into the frame is cut away on both sides alike. What is transparent
    becomes black. Raises InputError for what is no whole PNG, JPEG or WebP picture, or a gigantic one.
    """
    import numpy as np
    from PIL import Image, ImageOps

    frame = ImageOps.fit(_opened(image), (framing.crop_width, framing.crop_height), Image.Resampling.LANCZOS)
    left, top, right, bottom = framing.crop
    around = (top, framing.height - bottom), (left, framing.width - right), (0, 0)
    buffer = BytesIO()
    Image.fromarray(np.pad(np.asarray(frame), around, mode="edge")).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def mark_of(picture: bytes) -> str:
    """What a request calls it: the SHA-256 of its bytes in hexadecimal; nothing for no picture."""
    return hashlib.sha256(picture).hexdigest() if picture else ""


def read(path: Path) -> bytes:
    """The bytes of a file that may be a picture. Raises InputError."""
    try:
        if not path.is_file():  # a pipe would hold up who reads it
            raise InputError(f"There is no file {path}. Nothing was sent.")
        with path.open("rb") as file:
            return file.read(MAX_BYTES)
    except (OSError, ValueError) as error:  # ValueError: a name that no disk can hold
        problem = getattr(error, "strerror", None) or "its name is no file's"
        raise InputError(f"{path} cannot be read ({problem}). Nothing was sent.") from None


def keep(folder: Path, picture: bytes) -> None:
    """Put it into the folder of a shot, where there is one; raises InputError."""
    try:
        if picture:
            write_whole(folder / FILE, picture)
    except OSError as error:
        raise InputError(f"{folder / FILE} cannot be written ({error.strerror}). Nothing was sent.") from None


def kept(folder: Path, mark: str) -> bytes:
    """The very picture with that mark from the folder of a shot; nothing for no mark. Raises InputError."""
    picture = read(folder / FILE) if mark else b""
    if mark_of(picture) != mark:
        raise InputError(f"{folder / FILE} is not the picture that this shot was begun with. Nothing was sent.")
    return picture


def _opened(image: bytes) -> Image.Image:
    """RGB, the right way up."""
    from PIL import Image, ImageOps

    try:
        picture = ImageOps.exif_transpose(open_picture(image))
    except ProviderError:
        raise InputError(
            "The start picture is no whole PNG, JPEG or WebP picture of up to 20 megapixels: choose another. "
            "Nothing was sent."
        ) from None
    if picture.mode.startswith("I"):  # 16 bits of grey, of which a conversion keeps the lowest eight
        picture = picture.point(lambda value: value / 256).convert("L")
    if picture.mode == "P" or "A" in picture.mode or "a" in picture.mode:
        seen = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, (0, 0, 0, 255)), seen).convert("RGB")
    return picture.convert("RGB")
