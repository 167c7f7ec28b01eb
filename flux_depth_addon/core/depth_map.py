"""From Z in metres to the control image: its range, its curve, its bytes, and a verdict in plain words.

Near is white, far is black, 8 bits in three equal channels. The value is linear between 1 at `near` and 0 at
`far`, in 1/z (disparity, what the models were trained on) or in z. Whatever lies outside is clipped, and the
background, where nothing was hit, is black and has no say in anything.

Near and far come from the hit pixels. One in a hundred may be clipped at either end: a wire before the lens
would otherwise take most of a range in 1/z, a mountain in the window most of a range in z. Beyond the far
percentile a tenth of the range is kept free, so that the farthest wall stands out from the black behind it.
Distances set by hand are taken as they are, and whatever lies beyond `far` is then black as the background.

numpy and Pillow are imported where they work: Blender reads this module when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from . import shape
from .errors import EmptyDepthError, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Depths: TypeAlias = NDArray[np.float32]

CLIPPED = 0.01
"""Share of the hit pixels that the automatic range may clip at either end."""

STAND_OFF = 0.1
"""Share of the range that the automatic `far` keeps between the farthest pixels and black."""

FLAT = 1e-4
"""Ranges narrower than this share of their distance are one depth: a Z pass is no more exact."""

CLOSEST, FARTHEST = 1e-6, 1e10
"""Metres: the least clip start of a camera, and the Z that Blender itself writes for nothing."""

SAMPLE = 32768
"""Hit pixels that are sorted for the percentiles, spread evenly: enough for 1 % +- 0.06 %."""

MOST, CROWDED = 0.8, 0.15
"""Depth is poor when this share of the hit pixels crowds into less than that share of the range ..."""

SPREAD = 0.25
"""... or when the middle 90 % of them uses less than this share: 64 of the 256 greys."""

MOSTLY_EMPTY = 0.05
"""Share of the picture below which the view counts as empty."""

WORTH_STRETCHING = 1.1
"""Far / near below which advice would only blow up the relief of a wall."""

WORTH_SAYING = 1.5
"""How much wider most of the pixels must spread for advice to be given."""


@dataclass(frozen=True)
class DepthSettings:
    """How Z becomes grey: distances in metres, None = automatic; the shape of the finished map, neutral at first."""

    near: float | None = None
    far: float | None = None
    curve: Literal["disparity", "linear"] = "disparity"
    detail: float = 1.0
    """How much of the fine relief is kept: 0 none, 1 as rendered, more brings it out."""

    blur: float = 0.0
    """Its radius (standard deviation) as a share of the height, so that it is the same at every size."""

    gamma: float = 1.0
    """What the greys are raised to: above 1 the distance sinks into black, below 1 it is told apart more."""


@dataclass(frozen=True)
class Verdict:
    """How well the control image will guide: shares in 0..1, distances in metres."""

    hit: float
    """Share of the pixels that hit something."""

    near: float
    far: float

    spread: float
    """Share of the range 0-255 that the middle 90 % of the hit pixels uses."""

    good: bool
    sentence: str

    better: DepthSettings | None = None
    """The settings that the sentence advises, when a change of settings helps."""


def normalise(z: Depths, settings: DepthSettings) -> tuple[Depths, Verdict]:
    """Values in 0..1, shape (H, W) float32, near = 1, background 0, for Z in metres, inf for no hit.

    Raises EmptyDepthError when nothing was hit or all of it at one depth, InputError for NaN, for distances
    that make no range, and for a range with nothing in it.
    """
    hits, hit = _sorted_hits(z)
    use = _measure(hits, settings)
    return _values(z, use.near, use.far, settings.curve), _verdict(hits, hit, settings, use)


def control_image(z: Depths, settings: DepthSettings) -> tuple[Image.Image, Verdict]:
    """The control image, 8-bit RGB with R = G = B, and the verdict on it. Raises what `normalise` raises.

    The verdict is on the depth itself, before it is shaped: a map that says less on purpose is no worse a range.
    """
    import numpy as np
    from PIL import Image

    form = {"detail": settings.detail, "blur": settings.blur, "gamma": settings.gamma}
    shape.check(**form)
    values, verdict = normalise(z, settings)
    values = shape.shaped(values, z < np.inf, **form)
    values *= 255
    values += 0.5  # the cast drops the fraction: this rounds
    grey = Image.fromarray(values.astype(np.uint8))
    return Image.merge("RGB", (grey, grey, grey)), verdict


def png(image: Image.Image) -> bytes:
    """The picture as PNG without colour profile or gamma: its numbers are data.

    Level 1 takes half the time of Pillow's own level 6, for a smooth megapixel of 0.2 MB instead of 0.1 MB.
    """
    file = BytesIO()
    image.save(file, format="PNG", compress_level=1, icc_profile=None)
    return file.getvalue()


class _Use(NamedTuple):
    """What settings make of the hit pixels: the range in metres and how evenly the pixels fill it."""

    near: float
    far: float
    spread: float
    crowd: float
    """Width of the narrowest part of the range that holds most of the pixels."""

    @property
    def even(self) -> bool:
        return self.spread >= SPREAD and self.crowd >= CROWDED


def _sorted_hits(z: Depths) -> tuple[Depths, float]:
    """An even sample of the hit distances in ascending order, both extremes included, and the share hit."""
    import numpy as np

    lowest = z.min(initial=np.inf)
    if not lowest > -np.inf:
        broken = np.count_nonzero(~(z > -np.inf))
        raise InputError(f"The Z pass has {broken:,} pixels that are no number: choose another Engine.")
    if lowest == np.inf:
        raise EmptyDepthError(
            "The camera sees nothing: turn it to the scene, and check its clip range and what is hidden from renders."
        )
    hits = z[z < np.inf]
    # An odd step: an even one would fall on the same few columns in every row.
    sample = np.sort(hits[:: hits.size // SAMPLE | 1])
    sample[0], sample[-1] = lowest, hits.max()
    return sample.clip(CLOSEST, FARTHEST), hits.size / z.size


def _at(hits: Depths, share: float) -> float:
    """The distance that this share of the sorted hits does not reach."""
    return float(hits[round(share * (hits.size - 1))])


def _range(hits: Depths, settings: DepthSettings) -> tuple[float, float]:
    """Near and far in metres, by hand or from the hits. Raises InputError or EmptyDepthError."""
    _check(hits, settings)
    near = settings.near or _at(hits, CLIPPED)
    far = settings.far or _at(hits, 1 - CLIPPED)
    if _flat(near, far):  # nearly all at one depth: what little differs is then all there is
        near, far = settings.near or _at(hits, 0), settings.far or _at(hits, 1)
    if _flat(near, far):
        raise EmptyDepthError(
            f"Everything in view is {_metres(far)} away, so there is no depth to guide by: "
            "turn the camera until it sees things near and far."
        )
    return near, settings.far or _stand_off(near, far, settings.curve)


def _flat(near: float, far: float) -> bool:
    return far - near <= FLAT * far


def _check(hits: Depths, settings: DepthSettings) -> None:
    """Raises InputError for distances by hand that make no range, or one that nothing lies in."""
    near, far = settings.near, settings.far
    for name, distance in (("Near", near), ("Far", far)):
        if distance is not None and not CLOSEST <= distance <= FARTHEST:
            raise InputError(f"{name} is {distance:g}: set it to a distance above zero, in metres.")
    if near and far and _flat(near, far):
        raise InputError(f"Near ({_metres(near)}) is not below Far ({_metres(far)}): make it smaller.")
    closest, farthest = _at(hits, 0), _at(hits, 1)
    if near and farthest <= near:
        raise InputError(f"All is nearer than Near ({_metres(near)}): set Near below {_metres(farthest)}.")
    if far and closest >= far:
        raise InputError(f"All is farther than Far ({_metres(far)}): set Far above {_metres(closest)}.")


def _stand_off(near: float, far: float, curve: str) -> float:
    """The far that gives distance `far` the value STAND_OFF, in 1/z at most twice as far away."""
    if curve == "linear":
        return (far - STAND_OFF * near) / (1 - STAND_OFF)
    return 1 / max((1 / far - STAND_OFF / near) / (1 - STAND_OFF), 0.5 / far)


def _values(z: Depths, near: float, far: float, curve: str) -> Depths:
    """Values in 0..1 as a new array; the clip turns the inf of the background into far, which is 0."""
    import numpy as np

    ends = np.array((near, far), np.float32)
    values = z.clip(ends[0], ends[1])
    if curve == "disparity":
        np.reciprocal(values, out=values)
        np.reciprocal(ends, out=ends)
    values -= ends[1]
    values /= ends[0] - ends[1]
    return values


def _measure(hits: Depths, settings: DepthSettings) -> _Use:
    near, far = _range(hits, settings)
    values = _values(hits, near, far, settings.curve)
    most = ceil(MOST * (values.size - 1))
    crowd = (values[: values.size - most] - values[most:]).min()
    return _Use(near, far, _at(values, 0.05) - _at(values, 0.95), float(crowd))


def _verdict(hits: Depths, hit: float, settings: DepthSettings, use: _Use) -> Verdict:
    empty = hit < MOSTLY_EMPTY
    better = None if empty or use.even else _advice(hits, settings, use)
    good = not empty and not better and use.spread >= SPREAD
    if empty:
        sentence = (
            f"Only {_percent(hit)} of the frame is covered, so the picture is mostly free invention: "
            "move the camera closer"
        )
    elif better:
        sentence = (
            f"Most of the picture sits in {_percent(use.crowd)} of the range because "
            f"{_cause(hits, settings, better)}: {_cure(settings, better)}"
        )
    elif good:
        seen = _span(max(use.near, _at(hits, CLIPPED)), min(use.far, _at(hits, 1 - CLIPPED)))
        sentence = f"Good depth: {seen}, {_percent(hit)} of the frame covered, {_percent(use.spread)} of the range used"
    else:
        sentence = (
            f"Nearly flat: most of the view is about {_metres(_at(hits, 0.5))} away and uses "
            f"{_percent(use.spread)} of the range: turn the camera until it sees things near and far"
        )
    return Verdict(hit, use.near, use.far, use.spread, good, sentence, better)


def _advice(hits: Depths, settings: DepthSettings, use: _Use) -> DepthSettings | None:
    """The mildest change of settings that helps, tried on the hits themselves."""
    return next((trial for trial in _trials(hits, settings) if _helps(hits, trial, use)), None)


def _trials(hits: Depths, settings: DepthSettings) -> Iterator[DepthSettings]:
    """These settings, then automatic ones, and of each one distance that leaves out more and more hits."""
    for start in (settings, replace(settings, near=None, far=None)):
        yield start
        for share in (0.01, 0.02, 0.05, 0.1, 0.2):
            yield replace(start, far=_two_digits(_at(hits, 1 - share), ceil))
            yield replace(start, near=_two_digits(_at(hits, share), floor))


def _helps(hits: Depths, trial: DepthSettings, use: _Use) -> bool:
    try:
        then = _measure(hits, trial)
    except InputError:
        return False
    return then.even and then.far >= WORTH_STRETCHING * then.near and then.crowd > WORTH_SAYING * use.crowd


def _cause(hits: Depths, settings: DepthSettings, better: DepthSettings) -> str:
    if better.near != settings.near and better.far != settings.far:
        return "the range is set by hand"
    if better.far != settings.far:
        name, by_hand, in_view = "Far", settings.far, _at(hits, 1 - CLIPPED)
    else:
        name, by_hand, in_view = "Near", settings.near, _at(hits, CLIPPED)
    return f"{name} is {_metres(by_hand)}" if by_hand else f"something {_metres(in_view)} away is in view"


def _cure(settings: DepthSettings, better: DepthSettings) -> str:
    distances = (("Near", settings.near, better.near), ("Far", settings.far, better.far))
    return " and ".join(
        f"set {name} to {_metres(then)}" if then else f"make {name} automatic"
        for name, now, then in distances
        if now != then
    )


def _two_digits(distance: float, towards: Callable[[float], int]) -> float:
    """The distance rounded up or down to two digits, for people to type."""
    unit = 10.0 ** (floor(log10(distance)) - 1)
    return float(f"{towards(distance / unit) * unit:.2g}")


def _metres(distance: float) -> str:
    """A distance for people: 900 m, 1.9 m, 12 cm, 5 mm."""
    if distance >= 9.95:
        return f"{distance:,.0f} m"
    if distance >= 0.995:
        return f"{distance:.2g} m"
    return f"{100 * distance:.2g} cm" if distance >= 0.00995 else f"{1000 * distance:.2g} mm"


def _span(near: float, far: float) -> str:
    """Two distances for people, told apart even when they are close together."""
    if _metres(near) == _metres(far):
        return f"{near:.5g} m to {far:.5g} m"
    return f"{_metres(near)} to {_metres(far)}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 else "less than 1 %"
