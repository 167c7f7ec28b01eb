"""What a finished depth map is made to say: more or less of its fine relief, a curve of its greys, a blur.

The background takes no part and stays black with a sharp edge: a blur that bled into it would turn every silhouette
into a slope. Relief is told from shape by a guided filter (He and others, 2010, in its fast form of 2015), which keeps
the edges between things where a blur would take them along.

numpy and Pillow are imported where they work: Blender reads this module when it starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from .errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values: TypeAlias = NDArray[np.float32]
    Mask: TypeAlias = NDArray[np.bool_]

LIMITS = {"Detail": (0.0, 3.0), "Blur": (0.0, 0.1), "Gamma": (0.2, 5.0)}
"""From neutral, 1, 0 and 1, as far as either way makes a map that still is one."""

FINE = 1 / 48
"""Relief narrower than about two of these shares of the height is fine: 32 pixels of 768."""

EDGE = 0.03
"""A step of more than this share of the range is an edge and no relief: 8 of 255 greys."""

THIN = 0.25
"""Where less than this share of a blur's reach is hit, a thing partly keeps its own grey: a wire stays what it is."""


def check(detail: float, blur: float, gamma: float) -> None:
    """Raises InputError for what is out of bounds, and for what is no number."""
    for (name, (low, high)), value in zip(LIMITS.items(), (detail, blur, gamma), strict=True):
        if not low <= value <= high:
            raise InputError(f"{name} must be from {low:g} to {high:g}, not {value:g}. Nothing was sent.")


def shaped(values: Values, hit: Mask, *, detail: float, blur: float, gamma: float) -> Values:
    """The map with that much of its relief, its greys raised to `gamma`, blurred by that share of its height.

    Values in 0..1, shape (H, W) float32, and which of them hit something. Neutral settings return the very values.
    """
    if detail != 1:
        values = _with_relief(values, hit, detail)
    if gamma != 1:
        values = values**gamma
    if blur > 0:
        values = _blurred(values, hit, blur * values.shape[0])
    return values


def _with_relief(values: Values, hit: Mask, share: float) -> Values:
    base = _large_shapes(values, hit)
    values = base + share * (values - base)
    values[~hit] = 0
    return values.clip(0, 1, out=values)


def _large_shapes(values: Values, hit: Mask) -> Values:
    """The map without its fine relief: in each cell a line `a * value + b`, flat where it varies less than an edge."""
    import numpy as np

    covered, mean, square = (_small(layer) for layer in (hit.astype(np.float32), values, values * values))
    covered = covered.clip(1e-6)
    mean /= covered
    variance: Values = (square / covered - mean * mean).clip(0)
    a: Values = variance / (variance + np.float32(EDGE**2))
    b = mean * (1 - a)
    weight = _large(covered, values).clip(1e-6)
    slope, offset = _large(a * covered, values), _large(b * covered, values)
    shapes: Values = (slope * values + offset) / weight
    return shapes


def _small(layer: Values) -> Values:
    """One value for each cell: a mean that weighs the neighbouring cells too."""
    height, width = layer.shape
    cell = max(height * FINE, 1)
    return _resized(layer, max(round(width / cell), 1), max(round(height / cell), 1))


def _large(cells: Values, like: Values) -> Values:
    return _resized(cells, like.shape[1], like.shape[0])


def _resized(layer: Values, width: int, height: int) -> Values:
    import numpy as np
    from PIL import Image

    return np.array(Image.fromarray(layer).resize((width, height), Image.Resampling.BILINEAR))


def _blurred(values: Values, hit: Mask, radius: float) -> Values:
    """Each grey among those around it that hit something; the background has no say and stays black."""
    import numpy as np

    seen = _soft(hit, radius)
    own: Values = (np.float32(THIN) - seen).clip(0)
    blurred: Values = (_soft(values, radius) + own * values) / (seen + own).clip(1e-6)
    blurred[~hit] = 0
    blurred.clip(0, 1, out=blurred)
    return blurred


def _soft(layer: Values | Mask, radius: float) -> Values:
    """Blurred in the 8 bits that the map has in the end."""
    import numpy as np
    from PIL import Image, ImageFilter

    grey = Image.fromarray((layer * np.float32(255) + np.float32(0.5)).astype(np.uint8))
    return np.asarray(grey.filter(ImageFilter.GaussianBlur(radius)), np.float32) / np.float32(255)
