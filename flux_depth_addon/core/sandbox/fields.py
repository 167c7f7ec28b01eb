"""Arithmetic on fields, one number per pixel: mixing, means over squares, other sizes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Field", "blurred", "box", "mix", "noise", "resized", "resized_to", "turned"]

Field = NDArray[np.float32]
"""One number per pixel, shape (H, W); colours and layers say their own shape."""


def mix(here: Field, there: Field, share: Field) -> Field:
    """From one to the other by a share in 0..1."""
    return here + (there - here) * share


def turned(layers: Field) -> Field:
    """The field with rows and columns exchanged, as a copy in that order: work along columns is quick."""
    return np.ascontiguousarray(layers.swapaxes(0, -1))


def blurred(field: Field, radius: float) -> Field:
    """The field seen through a soft square; the radius is a share of the longer side."""
    small = resized(field, 0.25)
    reach = max(1, round(radius * max(small.shape)))
    return resized_to(box(box(small, reach), reach), field.shape)


def box(field: Field, radius: int) -> Field:
    """The mean over a square of 2 radius + 1; beyond the edges a slope goes on as it was."""
    return row_mean(row_mean(field, radius).T, radius).T


def row_mean(field: Field, radius: int) -> Field:
    """The mean over 2 radius + 1 rows."""
    size = 2 * radius + 1
    padded = np.pad(field, ((radius + 1, radius), (0, 0)), mode="reflect", reflect_type="odd")
    total = np.cumsum(padded, axis=0, dtype=np.float64)
    return ((total[size:] - total[:-size]) / size).astype(np.float32)


def resized(field: Field, scale: float) -> Field:
    """The field at a share of its size."""
    return resized_to(field, tuple(max(2, round(side * scale)) for side in field.shape))


def resized_to(field: Field, shape: tuple[int, ...]) -> Field:
    """The field at another shape (H, W)."""
    image = Image.fromarray(np.ascontiguousarray(field))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR), dtype=np.float32)


def noise(shape: tuple[int, ...], cells: tuple[int, int], dice: np.random.Generator) -> Field:
    """Smooth noise around 0 with that many cells across and down."""
    return resized_to(dice.standard_normal((cells[1], cells[0]), dtype=np.float32), shape)
