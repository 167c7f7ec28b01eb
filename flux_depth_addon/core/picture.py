"""The bytes of a picture from outside: proven whole, cut to the frame, written all or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ProviderError
from .framing import Framing, crop_picture
from .provenance import Said, embedded, packet, says, sidecar_of

if TYPE_CHECKING:
    from PIL import Image, ImageCms

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "THUMBNAIL",
    "load_codecs",
    "open_picture",
    "store",
    "write_thumbnail",
    "write_whole",
]

MAX_BYTES = 64 * 1024 * 1024
"""A 20-megapixel 8-bit RGB picture with no compression at all is 60 MB."""

MAX_PIXELS = 20_000_000
"""The most that the protocol's own client library lets through."""

THUMBNAIL = 256
"""Pixels of the longer side of a picture in the gallery."""

ROUNDING = 2
"""Of 255: an sRGB profile brought to sRGB differs by so much at most."""

FORMATS = ("PNG", "JPEG", "WEBP")
SUFFIX_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}

ON_DEMAND = ("ImageChops", "ImageCms", "ImagePalette", "MpoImagePlugin", "TiffImagePlugin", "WebPImagePlugin")
"""What Pillow imports only when a picture asks for it: colour profiles, palettes, previews in a JPEG, Exif."""


def load_codecs() -> None:
    """Have Pillow import whatever `open_picture` and `store` may need, while it can.

    When the add-on is disabled or removed, Blender takes Pillow off the disk, and the worker outlives that.
    """
    from PIL import Image

    Image.preinit()
    for name in ON_DEMAND:
        import_module(f"PIL.{name}")


def open_picture(data: bytes) -> Image.Image:
    """Decode every pixel, judging the kind by the bytes alone; raises ProviderError for what is no whole picture."""
    from PIL import Image  # only in who opens pictures: Blender looks at the journal without it

    try:
        picture = Image.open(BytesIO(data), formats=FORMATS)
        if picture.width * picture.height > MAX_PIXELS:
            raise ProviderError(f"The picture that came back is {picture.width} × {picture.height}: too large to open.")
        picture.load()
        return picture
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ProviderError("What came back is not a whole PNG, JPEG or WebP picture.") from error


def store(
    data: bytes, framing: Framing, path: Path, said: Said | None = None, *, sidecar: bool = False
) -> tuple[int, int]:
    """Write the camera frame of a received picture to the path, in the format of its suffix; returns width and height.

    Where there is nothing to cut and the format is the same, the bytes stay as they came; colours of another profile
    than sRGB become sRGB's, which Blender takes every picture for. The file says what is `said`, in a sidecar too if
    that is wanted, or where it cannot hold it itself. Raises OSError and ProviderError.
    """
    picture = open_picture(data)
    kind = SUFFIX_FORMATS.get(path.suffix.lower(), "PNG")
    profile = _foreign_profile(picture)
    if framing.whole and picture.format == kind and picture.size == (framing.width, framing.height) and not profile:
        _write(path, data, said, sidecar)
        return picture.size
    colours = _in_srgb(picture, profile)
    colours.info = {}  # what else its file said need not fit the file that is written: a transparent 16-bit grey, say
    frame = crop_picture(colours, framing)
    buffer = BytesIO()
    frame.save(buffer, kind, quality=95)
    _write(path, buffer.getvalue(), said, sidecar)
    return frame.size


def write_thumbnail(picture: Path, path: Path) -> None:
    """Write a small JPEG of a picture's file. Raises OSError and ProviderError."""
    small = open_picture(picture.read_bytes()).convert("RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=85)
    write_whole(path, buffer.getvalue())


def _write(path: Path, data: bytes, said: Said | None, sidecar: bool) -> None:
    """The picture first: nothing that it says is worth as much."""
    told = embedded(data, said) if said else data
    write_whole(path, told)
    if said and said.settings and (sidecar or not says(told)):
        with suppress(OSError, ValueError):
            write_whole(sidecar_of(path), packet(said))


def _foreign_profile(picture: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """The colour profile by which a picture's values mean other colours than sRGB's; None where it cannot be used."""
    from PIL import Image, ImageChops, ImageCms

    if picture.mode in {"RGB", "RGBA"} and (data := picture.info.get("icc_profile")):
        with suppress(ImportError, OSError, ImageCms.PyCMSError):  # Pillow can be built without littlecms
            profile = ImageCms.ImageCmsProfile(BytesIO(data))
            probe = Image.merge("RGB", [Image.linear_gradient("L").rotate(turn) for turn in (0, 90, 180)])
            apart = ImageChops.difference(probe, _in_srgb(probe, profile))
            return profile if apart.point(lambda value: max(value - ROUNDING, 0)).getbbox() else None
    return None


def _in_srgb(picture: Image.Image, profile: ImageCms.ImageCmsProfile | None) -> Image.Image:
    """RGB in sRGB's values. Raises PyCMSError for a profile of something else than colours of pictures."""
    colours = picture.convert("RGB")
    if profile:
        from PIL import ImageCms

        ImageCms.profileToProfile(colours, profile, ImageCms.createProfile("sRGB"), inPlace=True)
    return colours


def write_whole(path: Path, data: bytes) -> None:
    """Write all or nothing: a temporary name, fsync, rename. Raises OSError, leaving no temporary file behind.

    What was left behind by one that was killed while it wrote the same file is cleared away.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]  # a name of its own might get too long
    temporary = path.with_name(f".{mark}-{secrets.token_hex(6)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
        _clear_away(path.parent, f".{mark}-*.part")
    finally:
        temporary.unlink(missing_ok=True)


def _clear_away(folder: Path, pattern: str) -> None:
    with suppress(OSError):  # what was to be written is written
        for file in folder.glob(pattern):
            file.unlink()


def _sync_folder(folder: Path) -> None:
    """Where the system can: a rename is on the disk only once its folder is."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
