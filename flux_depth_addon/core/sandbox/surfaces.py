"""Surfaces in a depth map: disparity without its steps, what belongs together, and which way it faces.

Everything is worked out in disparity, because under perspective a plane is linear in it: its slopes give the
normal without knowing one distance in metres. The work is then to get clean slopes out of 8 bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .fields import Field, blurred, resized_to, turned

__all__ = [
    "FARTHEST",
    "HALF_VIEW",
    "LEVEL",
    "Joints",
    "creased",
    "figure",
    "joints",
    "middle_out",
    "normals",
    "slopes_of",
    "smooth",
    "spread",
    "weighed",
]

LEVEL = np.float32(1 / 255)
"""The step of an 8-bit depth map, in disparity."""

FARTHEST = np.float32(0.16)
"""Disparity of the far end; that of the near end is 1 + FARTHEST: far is seven times near, as in a room."""

HALF_VIEW = 0.58
"""Tangent of half the angle of view along the longer side: 60 degrees, between a wide and a normal lens."""


class Joints(NamedTuple):
    """How well a pixel holds to the one above it, shape (H, W), and left of it, shape (W, H), 0..1."""

    above: Field
    left: Field


def smooth(levels: Field) -> Field:
    """Disparity without the steps of 8 bits, shape (H, W), within half a step of what was given."""
    coarse = relaxed(levels[::2, ::2], levels[::2, ::2], (16, 8, 4, 2, 1, 3, 2, 1, 5, 3, 2, 1))
    fine = resized_to(coarse, levels.shape)
    foreign = np.abs(fine - levels) > LEVEL / 2
    return relaxed(np.where(foreign, levels, fine), levels, (2, 1, 1))


def relaxed(field: Field, levels: Field, strides: tuple[int, ...]) -> Field:
    """The field after one pass per stride, each held within half a step of the levels."""
    low, high = levels - LEVEL / 2, levels + LEVEL / 2
    field = np.clip(field, low, high)
    for stride in strides:
        bend(field, stride)
        bend(field.T, stride)
        np.clip(field, low, high, out=field)
    return field


def bend(field: Field, stride: int) -> None:
    """Move rows half the way to the mean of two around each, where the three lie on a line but for a step."""
    middle = field[stride:-stride]
    if middle.size:
        curve = field[: -2 * stride] + field[2 * stride :] - 2 * middle
        curve *= np.abs(curve) < 1.4 * LEVEL
        middle += curve / 4


def joints(disparity: Field) -> Joints:
    """Where neighbouring pixels belong to one surface: 1, else 0."""
    return Joints(joints_above(disparity), joints_above(turned(disparity)))


def joints_above(field: Field) -> Field:
    """A joint holds where the step from the row above is like one of the two steps next to it."""
    step = np.diff(field, axis=0, prepend=field[:1])
    odd = np.minimum(np.abs(step - np.roll(step, 1, axis=0)), np.abs(step - np.roll(step, -1, axis=0)))
    return np.asarray(odd < 2 * LEVEL, dtype=np.float32)


def normals(disparity: Field, layers: Field, firm: Joints) -> tuple[Field, Field, Field]:
    """Unit normals (right, up, towards the eye), each of shape (H, W)."""
    across, upwards = (middle_out(side) * pixel_of(disparity) for side in disparity.shape[::-1])
    right, up = weighed(spread(layers, firm, 24)).swapaxes(0, 1)
    toward = disparity + FARTHEST + right * across - up * upwards[:, None]
    length = np.sqrt(right * right + up * up + toward * toward) + np.float32(1e-6)
    return right / length, up / length, toward / length


def pixel_of(field: Field) -> np.float32:
    """How wide a pixel is, in tangents."""
    return np.float32(2 * HALF_VIEW / max(field.shape))


def middle_out(count: int) -> Field:
    """Positions of that many pixels from the middle, shape (count,)."""
    return np.arange(count, dtype=np.float32) - np.float32((count - 1) / 2)


def slopes_of(disparity: Field, joined: Joints) -> Field:
    """Layers (H, 3, W): how fast the surface falls away to the right and upwards, and how sure that is.

    Averaged along each surface over a few pixels; the first two are weighed by the third.
    """
    left, left_sure = slope(turned(disparity), joined.left)
    up, up_sure = slope(disparity, joined.above)
    sure = up_sure * turned(left_sure) + np.float32(0.01)
    pixel = pixel_of(disparity)
    return spread(np.stack((-turned(left) / pixel * sure, up / pixel * sure, sure), axis=1), joined, 5)


def weighed(layers: Field) -> Field:
    """The slopes alone, shape (H, 2, W)."""
    slopes: Field = layers[:, :2] / layers[:, 2:]
    return slopes


def slope(field: Field, joined: Field) -> tuple[Field, Field]:
    """Change per row, from the joints that hold, and whether both do (1) or not (0)."""
    step = np.diff(field, axis=0, prepend=field[:1]) * joined
    above, below = joined, np.roll(joined, -1, axis=0)
    return (step + np.roll(step, -1, axis=0)) / np.maximum(above + below, 1), above * below


def creased(slopes: Field, joined: Joints) -> Joints:
    """The joints, weaker where the surface bends; slopes of shape (H, 2, W)."""
    return Joints(joined.above * flatness(slopes), joined.left * flatness(turned(slopes)))


def flatness(slopes: Field) -> Field:
    """1 where slopes stay the same from row to row, towards 0 at a crease."""
    change = np.abs(np.roll(slopes, -2, axis=0) - np.roll(slopes, 2, axis=0)).sum(axis=1)
    return np.asarray(1 / (1 + np.square(change * 6)), dtype=np.float32)


def spread(layers: Field, joined: Joints, radius: float) -> Field:
    """Layers, shape (H, N, W), averaged over about that many pixels, never across a joint that is 0."""
    held = np.float32(np.exp(-(2**0.5) / radius))
    for _ in range(2):
        run(layers := layers.copy(), joined.above * held)
        run(layers := turned(layers), joined.left * held)
        layers = turned(layers)
    return layers


def run(layers: Field, joined: Field) -> None:
    """Carry each row into the next, down and up again, as far as the joints hold."""
    carried = np.empty_like(layers[0])
    for row in range(1, len(layers)):
        carry(layers[row - 1], layers[row], joined[row], carried)
    for row in range(len(layers) - 2, -1, -1):
        carry(layers[row + 1], layers[row], joined[row + 1], carried)


def carry(source: Field, target: Field, joined: Field, carried: Field) -> None:
    """Mix one row into its neighbour; the inner loop of it all, hence without a new array."""
    np.subtract(source, target, out=carried)
    np.multiply(carried, joined, out=carried)
    np.add(target, carried, out=target)


def figure(disparity: Field, joined: Joints) -> Field:
    """How much a thing stands out in front of what is around it, 0..1, much the same all over the thing."""
    gap = (disparity - blurred(disparity, 0.1)) / (disparity + FARTHEST)
    whole = spread(np.clip(gap, -0.2, 0.4)[:, None], joined, 250)[:, 0]
    return np.asarray(np.clip(whole * 9 - np.float32(0.5), 0, 1), dtype=np.float32)
