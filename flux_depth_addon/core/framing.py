"""From the camera's aspect to a picture size that the model accepts, and the crop back to the frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, isfinite
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    from PIL import Image

MEGAPIXEL = 1024 * 1024
"""Pixels in the megapixel of the image models: 1024 x 1024."""


MAX_SIDE = 16_384
"""Pixels: beyond it, not even the list of possible sizes is short."""


@dataclass(frozen=True)
class Limits:
    """The picture sizes a model accepts, sides in pixels; the defaults are FLUX.1 [pro]'s."""

    multiple: int = 32
    min_side: int = 256
    max_side: int = 1440
    max_megapixels: float = 1.0

    def take(self, framing: Framing) -> bool:
        """Whether a picture of that size is accepted."""
        sides = framing.width, framing.height
        return all(side % self.multiple == 0 and self.min_side <= side <= self.max_side for side in sides)


@dataclass(frozen=True)
class Framing:
    """A picture size that the model accepts, and the box in it, from the top left, that is the frame.

    Raises ValueError for a box that is empty or not within the picture, and for a picture beyond all bounds.
    """

    width: int
    height: int
    left: int
    top: int
    crop_width: int
    crop_height: int

    def __post_init__(self) -> None:
        left, top, right, bottom = self.crop
        if not (0 <= left < right <= self.width <= MAX_SIDE and 0 <= top < bottom <= self.height <= MAX_SIDE):
            raise ValueError(f"{self.crop} is no frame in a picture of {self.width} x {self.height} pixels")

    @property
    def crop(self) -> tuple[int, int, int, int]:
        """The frame as Pillow's box: left, top, right, bottom."""
        return self.left, self.top, self.left + self.crop_width, self.top + self.crop_height

    @property
    def whole(self) -> bool:
        """True when the frame is the entire picture and nothing needs cropping."""
        return (self.crop_width, self.crop_height) == (self.width, self.height)


@lru_cache(maxsize=64)  # asked at every redraw, for the same camera
def fit(aspect: float, limits: Limits, *, megapixels: float | None = None, overscan: bool = True) -> Framing:
    """The framing with the most pixels of a frame of this width / height, and the least around it.

    `megapixels` lowers the model's own pixel budget and never raises it. Without `overscan`, for cameras that
    see nothing beyond their frame, the frame fills the whole picture, whose aspect is then only close.
    Raises InputError when the aspect is no positive number or the budget is below the smallest accepted size.
    """
    if not (isfinite(aspect) and aspect > 0):
        raise InputError(f"The frame has no usable shape (aspect {aspect}); set a resolution above zero.")
    sizes = _candidates(aspect, limits, _budget(limits, megapixels))
    width, height = max(sizes, key=lambda size: _rank(size, aspect))
    if not overscan:
        return Framing(width, height, 0, 0, width, height)
    crop_width = max(1, round(min(width, height * aspect)))
    crop_height = max(1, round(min(height, width / aspect)))
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return Framing(width, height, left, top, crop_width, crop_height)


def crop_picture(image: Image.Image, framing: Framing) -> Image.Image:
    """The frame, `crop_width` x `crop_height`, out of a picture that came back at any size."""
    from PIL import Image

    if image.size == (framing.width, framing.height):
        return image.crop(framing.crop)
    across, down = image.width / framing.width, image.height / framing.height
    left, top, right, bottom = framing.crop
    box = (left * across, top * down, right * across, bottom * down)
    return image.resize((framing.crop_width, framing.crop_height), Image.Resampling.LANCZOS, box=box)


def _budget(limits: Limits, megapixels: float | None) -> float:
    """The most pixels a picture may have. Raises InputError when not even the smallest picture fits."""
    wanted = limits.max_megapixels if megapixels is None else min(megapixels, limits.max_megapixels)
    smallest, largest = _sides(limits)
    if smallest > largest:
        raise InputError(
            f"No multiple of {limits.multiple} lies within the model's {limits.min_side} to "
            f"{limits.max_side} pixels; correct its size limits in the models file."
        )
    if not smallest * smallest <= wanted * MEGAPIXEL:
        needed = ceil(1000 * smallest * smallest / MEGAPIXEL) / 1000
        raise InputError(
            f"{wanted:g} megapixels is too small: the model's smallest picture is {smallest} x "
            f"{smallest}; set Megapixels to {needed:g} or more."
        )
    return wanted * MEGAPIXEL


def _sides(limits: Limits) -> tuple[int, int]:
    """The shortest and the longest side that is an accepted multiple."""
    multiple = limits.multiple
    return -(-limits.min_side // multiple) * multiple, limits.max_side // multiple * multiple


def _candidates(aspect: float, limits: Limits, budget: float) -> Iterator[tuple[int, int]]:
    """For every accepted width, the two accepted heights around the frame's: no other ranks higher."""
    multiple = limits.multiple
    smallest, largest = _sides(limits)
    for width in range(smallest, min(largest, int(budget / smallest)) + 1, multiple):
        tallest = min(largest, int(budget / width) // multiple * multiple)
        below = int(min(width / aspect, tallest)) // multiple * multiple
        for height in (below, below + multiple):
            yield width, min(max(height, smallest), tallest)


def _rank(size: tuple[int, int], aspect: float) -> float:
    """Pixels of the frame times its share of the picture: a product, so that narrow frames stay large."""
    width, height = size
    crop = min(width, height * aspect) * min(height, width / aspect)
    return crop * crop / (width * height)
