"""Light on the surfaces: a sun with shadows, a sky with hollows, and air."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .fields import Field, blurred, box, mix, resized, resized_to
from .palette import Palette
from .surfaces import (
    FARTHEST,
    HALF_VIEW,
    creased,
    figure,
    joints,
    middle_out,
    normals,
    slopes_of,
    weighed,
)

__all__ = ["Sun", "exposed", "land", "linear", "sun_of"]


class Sun(NamedTuple):
    """Unit vector from the scene to the sun."""

    right: float
    up: float
    toward: float


def land(disparity: Field, palette: Palette, sun: Sun) -> Field:
    """What was hit: matter times light, then haze with distance. Shape (3, H, W), in light."""
    layers = slopes_of(disparity, joined := joints(disparity))
    right, up, toward = normals(disparity, layers, creased(weighed(layers), joined))
    matter = matter_of(figure(disparity, joined), up, palette)
    facing = np.clip(right * sun.right + up * sun.up + toward * sun.toward, 0, 1)
    sunlit = facing * shadow(disparity, up, sun) * np.float32(1.2 * palette.sun)
    ambient = (np.float32(0.5) + np.float32(0.22) * up) * hollow(disparity)
    light = sunlit * linear(palette.light) + ambient * linear(palette.shade)
    return mix(matter * light, linear(palette.horizon) * np.float32(0.6), haze(disparity))


def sun_of(dice: np.random.Generator, side: int) -> Sun:
    """From the side, over the shoulder; -1 is from the left."""
    right = side * dice.uniform(0.45, 0.9)
    up, toward = dice.uniform(0.55, 0.95), dice.uniform(0.25, 0.6)
    length = (right**2 + up**2 + toward**2) ** 0.5
    return Sun(float(right / length), float(up / length), float(toward / length))


def matter_of(standing_out: Field, up: Field, palette: Palette) -> Field:
    """Ground colour where it lies, wall colour where it stands, the accent where it stands out; (3, H, W)."""
    flat = np.clip(up * 3 - np.float32(1.3), 0, 1)
    base = mix(linear(palette.wall), linear(palette.ground), flat)
    return mix(base, linear(palette.accent), standing_out * np.float32(0.8))


def shadow(disparity: Field, up: Field, sun: Sun) -> Field:
    """Where the sun reaches, 0..1: rays walk through the depth map towards it. What faces down casts none.

    A step of `reach` times the pixel's own distance lands on a row that depends on the row alone and a column
    that depends on the column alone, so each step is one lookup for the whole picture.
    """
    depth = resized(disparity, 0.4) + FARTHEST
    casts = depth * (resized(up, 0.4) > np.float32(-0.35))
    hidden = np.zeros_like(depth)
    for reach in np.linspace(0.1, 0.85, 36) ** 2:
        closer = np.float32(1 - reach * sun.toward)
        ahead = shifted(casts, reach * sun.right, reach * sun.up, float(closer)) * closer / depth - 1
        np.maximum(hidden, np.clip(ahead * 25 - 1, 0, np.float32(1 - reach)) * (ahead < 0.3), out=hidden)
    return 1 - resized_to(box(hidden, 2), disparity.shape) * np.float32(0.85)


def shifted(field: Field, right: float, up: float, closer: float) -> Field:
    """What each pixel sees at (x + right, y + up) / closer, in tangents; 0 outside the picture."""
    pixel = 2 * HALF_VIEW / max(field.shape)
    rows, rows_in = places(field.shape[0], -up / pixel, closer)
    columns, columns_in = places(field.shape[1], right / pixel, closer)
    return field[np.ix_(rows, columns)] * (rows_in[:, None] & columns_in)


def places(count: int, move: float, closer: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where to look along one side, and whether that is inside."""
    there = np.rint((middle_out(count) + move) / closer + (count - 1) / 2).astype(np.int64)
    return there.clip(0, count - 1), (there >= 0) & (there < count)


def hollow(disparity: Field) -> Field:
    """Sky light left in corners and behind edges, 0..1: less where the surroundings are nearer."""
    light = np.ones_like(disparity)
    for radius, weight in ((0.008, 5), (0.03, 2.5)):
        nearer = np.clip((blurred(disparity, radius) - disparity) / (disparity + FARTHEST), 0, 0.25)
        light /= 1 + np.float32(weight) * nearer
    return light


def haze(disparity: Field) -> Field:
    """How much of what is seen is air, 0..1."""
    far = (1 / (disparity + FARTHEST) - 1 / (1 + FARTHEST)) * FARTHEST * (1 + FARTHEST)
    return np.asarray(far * far / 2, dtype=np.float32)


def exposed(light: Field, key: float) -> Field:
    """The light scaled so that its mean on the display is near the key."""
    return light * np.float32(key**2 / max(float(light.mean()), 1e-3))


def linear(colour: str) -> Field:
    """Light, shape (3, 1, 1), of a display colour; a square stands in for the sRGB curve."""
    display = np.array([[[part]] for part in bytes.fromhex(colour)], dtype=np.float32) / 255
    return np.square(display)
