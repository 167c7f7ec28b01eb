"""How faithful a picture is to the scene, in five named stops: what each sets, and where its numbers come from.

The models take no strength for their control image, so a looser picture is asked for by a map that says less, and by
less guidance. Guidance of a guided model pulls towards all it was given, prompt and map. The numbers are documented
defaults for this very model; what they do to a picture depends on the prompt, and nobody has measured it here:

- 30: Black Forest Labs' own SDK, and what Replicate's version began with
- 15: the endpoints' default
- 10: Black Forest Labs' reference code, and diffusers
- 3.5: Black Forest Labs' public demonstration of FLUX.1 Depth
- 6 lies between the two before it, in proportion

The models see a map in cells: their encoder shrinks it eightfold, and reads two by two of that. A blur of a hundredth
of the height (8 pixels of 768) is one such pixel, three hundredths are more than one whole cell of 16.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models import Dial

__all__ = ["DEFAULT", "STOPS", "USUAL", "Stop", "guidance_at", "scaled", "stop_at"]


@dataclass(frozen=True)
class Stop:
    """A named stop of the dial, and what it sets."""

    name: str
    says: str
    """What it does, as a tooltip."""

    guidance: float
    detail: float = 1.0
    blur: float = 0.0
    gamma: float = 1.0

    @property
    def label(self) -> str:
        """Its name for people."""
        return self.name.title()

    @property
    def values(self) -> tuple[float, float, float, float]:
        """Guidance, detail, blur and gamma."""
        return self.guidance, self.detail, self.blur, self.gamma


STOPS = (
    Stop("exact", "Fine relief is brought out, and guidance is high: for what was designed", 30.0, detail=1.5),
    Stop("close", "The depth as rendered, and the guidance that the provider gives", 15.0),
    Stop("balanced", "Large shapes hold with their outlines, and fine relief is left to the prompt", 10.0, detail=0.0),
    Stop("loose", "Large shapes only, with soft edges: things may become others of their size", 6.0, 0.0, 0.01),
    Stop("inspired", "Masses only, and the distance is left to the prompt", 3.5, 0.0, 0.03, 1.5),
)
"""From the most faithful to the freest."""

DEFAULT = "close"
"""What a new scene is set to: the map as it is."""


USUAL = 15.0
"""The guidance that the models have as their own on whose scale the stops are."""


def guidance_at(stop: Stop, dial: Dial | None) -> float | None:
    """The stop's guidance on a model's own scale, in proportion to its own; None for a model that has no guidance."""
    return scaled(stop.guidance, USUAL, dial)


def scaled(value: float, usual: float, dial: Dial | None) -> float | None:
    """A value on a scale whose usual value is that one, on the scale of a dial and within it; None without a dial."""
    return None if dial is None else float(f"{min(max(value * dial.default / usual, dial.low), dial.high):.3g}")


def stop_at(guidance: float, detail: float, blur: float, gamma: float, *, dial: Dial | None) -> Stop | None:
    """The stop that these values are for a model with that guidance, or None where somebody set them otherwise."""
    given = (detail, blur, gamma)
    shaped = (stop for stop in STOPS if all(map(_same, stop.values[1:], given)))
    return next((stop for stop in shaped if dial is None or _same(guidance_at(stop, dial) or 0.0, guidance)), None)


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-6)  # Blender holds them in single precision
