"""A grid of pictures: seeds x prompts x models x cameras x frames, counted and priced before anything is made of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .errors import BudgetError, InputError
from .framing import Framing, Limits
from .models import Model, dollars
from .request import MAX_PROMPT, MAX_SEED, Control

__all__ = [
    "MAX_PICTURES",
    "Cell",
    "Grid",
    "Stand",
    "check",
    "check_budget",
    "dollars",
    "noted",
    "parse_frames",
    "seeds_from",
]

MAX_PICTURES = 1000
"""More than anyone looks through, and than one should be able to buy with one click."""

MAX_FRAME = 1048574
"""Blender's own last frame."""


class Stand(NamedTuple):
    """Where pictures are taken from: a camera, at these frames, and what its own pictures show besides."""

    camera: str
    frames: Sequence[float]
    """Perhaps a range of a hundred thousand, which nobody has walked through yet."""
    note: str = ""


class Cell(NamedTuple):
    """One picture of a grid. Those that share a render of the depth come one after the other."""

    stand: Stand
    frame: float
    model: Model
    prompt: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The axes; nothing on them twice."""

    stands: Sequence[Stand]
    models: Sequence[Model]
    prompts: Sequence[str]
    seeds: Sequence[int]
    sizes: Mapping[tuple[str, str], Framing]
    """By camera and model's id, what a picture of theirs measures."""
    controls: Mapping[str, Control] = field(default_factory=dict)
    """By model's id, what it is shown, where that is not what the others are."""

    @property
    def views(self) -> int:
        """How many places there are, in space and time."""
        return sum(len(stand.frames) for stand in self.stands)

    @property
    def captures(self) -> int:
        """How often the scene is rendered: models that take the same sizes, and are shown the same, share it."""
        return self.views * len({self._share(model) for model in self.models})

    @property
    def count(self) -> int:
        """How many pictures it has."""
        return self.views * len(self.models) * len(self.prompts) * len(self.seeds)

    @property
    def price_usd(self) -> float:
        """What all of them cost, as the table of models expects."""
        return round(sum(self.usd_of(model) for model in self.models), 6)

    def usd_of(self, model: Model) -> float:
        """What those of one model cost."""
        each = sum(len(stand.frames) * model.price_of(self.sizes[stand.camera, model.id]) for stand in self.stands)
        return round(len(self.prompts) * len(self.seeds) * each, 6)

    @property
    def words(self) -> str:
        """`40 pictures  ·  $3.84`: what a button shows, and does."""
        return f"{self.count:,} picture{'s' * (self.count != 1)}  ·  {dollars(self.price_usd)}"

    def cells(self) -> Iterator[Cell]:
        """Every picture; raises InputError when there are too many, or none."""
        check(self)
        for stand in self.stands:
            for frame in stand.frames:
                for model in self._by_size():
                    yield from (
                        Cell(stand, frame, model, noted(prompt, stand.note), seed)
                        for prompt in self.prompts
                        for seed in self.seeds
                    )

    def _by_size(self) -> list[Model]:
        """The models in their order, but those that share a render together."""
        groups: dict[tuple[Limits, Control | None], list[Model]] = {}
        for model in self.models:
            groups.setdefault(self._share(model), []).append(model)
        return [model for group in groups.values() for model in group]

    def _share(self, model: Model) -> tuple[Limits, Control | None]:
        return model.limits, self.controls.get(model.id)


def check(grid: Grid) -> None:
    """Raise InputError for a grid that nobody can have meant. Counts, and walks through nothing."""
    if not grid.count:
        raise InputError("This grid has no pictures: choose a camera and a frame. Nothing was sent.")
    if grid.count > MAX_PICTURES:
        raise InputError(
            f"This grid has {grid.count:,} pictures, and {MAX_PICTURES:,} are the most: take fewer seeds, cameras or "
            "frames. Nothing was sent."
        )


def check_budget(grid: Grid, *, cap_usd: float | None, spent_usd: float) -> None:
    """Raise BudgetError for a grid that costs more than is left of this month's limit."""
    if cap_usd is None or not grid.price_usd or spent_usd + grid.price_usd <= cap_usd + 1e-9:
        return
    left = max(cap_usd - spent_usd, 0)
    many = f"A grid of {grid.count:,} pictures" if grid.count > 1 else "This picture"
    raise BudgetError(
        f"{many} costs {dollars(grid.price_usd)}, and of your limit of {dollars(cap_usd)} a month {dollars(left)} is "
        "left",
        cost="unsent",
        remedy="take fewer, raise the limit in the preferences, or wait for next month",
        action="preferences",
    )


def noted(prompt: str, note: str) -> str:
    """The prompt with a camera's own note behind it, as one sentence after the other."""
    note = note.strip()
    if not note:
        return prompt
    joint = " " if prompt[-1:] in ".!?,;:" else ", "
    return f"{prompt}{joint}{note}"[: MAX_PROMPT + 1]  # one more than can be sent, so that it is told


def seeds_from(first: int, count: int) -> list[int]:
    """So many seeds in a row; after the last that there is comes the first."""
    return [(first - 1 + number) % MAX_SEED + 1 for number in range(count)]


def parse_frames(text: str) -> range:
    """`12`, `1-48` or `1-48:12` as frames, both ends included; raises InputError."""
    found = re.fullmatch(r"\s*(-?\d{1,7})(?:\s*-\s*(-?\d{1,7})(?:\s*:\s*(\d{1,7}))?)?\s*", text)
    first, last, step = found.groups() if found else ("", "", "")
    frames = range(int(first or 0), int(last or first or 0) + 1, int(step or 1) or 1)
    if not found or step == "0" or not frames or max(-frames[0], frames[-1]) > MAX_FRAME:
        raise InputError(f"“{text[:40]}” are no frames: write 12, 1-48 or 1-48:12, the first one first.")
    return frames
